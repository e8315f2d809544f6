"""Tags put on from the list of customers, as a person does it."""

import pytest
from django.db import connection

from tagging.models import TagRun
from tenants import outbox
from tenants.jobs import run_to_end
from tenants.models import CorpApp, Job, Tenant
from tests.browser import Console, console, fits
from tests.mirror import mirror_everything
from tests.pages import assert_no_axe_faults
from tests.sandbox_server import Sandbox

__all__ = ["console"]


@pytest.fixture
def at_work(transactional_db: None, acme: Tenant, sandbox: Sandbox, clean_cache: None) -> Tenant:
    CorpApp.objects.filter(tenant=acme).update(state=CorpApp.State.OK)
    with acme:
        mirror_everything()
    return acme


def work(tenant: Tenant) -> None:
    """What the workers do."""
    with tenant:
        for run in TagRun.objects.all():
            run_to_end(Job.objects.get(pk=run.job_id))
        outbox.deliver_due(urgent=False)
    connection.set_schema_to_public()


def test_chosen_customers_get_a_tag_and_lose_it_again(console: Console, at_work: Tenant) -> None:
    page = console.open(at_work, "/console/customers/")
    for row in (0, 1):
        page.locator("[data-bulk-one]").nth(row).check()
    page.get_by_role("button", name="打标签", exact=True).click()
    drawer = page.locator("#drawer")
    drawer.get_by_text("2 位客户").wait_for()
    assert_no_axe_faults(page)
    drawer.locator("input[name=add]").last.check()
    drawer.get_by_role("button", name="开始").click()
    page.get_by_text("段好友关系已有结果").wait_for()
    work(at_work)
    page.get_by_text("已结束").wait_for(timeout=60_000)
    page.reload()
    assert_no_axe_faults(page)
    assert fits(page)
    page.get_by_role("button", name="撤销").click()
    page.get_by_role("dialog").get_by_role("button", name="撤销").click()
    page.get_by_text("查看被撤销的操作").wait_for()
    work(at_work)
    page.get_by_text("已结束").wait_for(timeout=60_000)
