"""What WeCom leaves out in silence is said aloud: how many, why, and what to do in WeCom's admin."""

import pytest
from django.urls import reverse

from tenants import jobs
from tenants.models import Credential, Job
from tests.pages import assert_strict
from tests.pages_of_apps.company import Company
from tests.sandbox_server import Sandbox

CONNECTION, CUSTOMERS = "/console/settings/connection/", "/console/customers/"
RANGE, RIGHT = "名员工不在应用的可见范围内", "名员工没有客户联系权限"
TITLE = "最近一次同步没有看到的"


def synced() -> Job:
    return jobs.run_to_end(jobs.start("sync"))


@pytest.fixture
def narrow(company: Company, sandbox: Sandbox) -> Job:
    """All was seen once; then the app's visible range was cut to one member of five."""
    Credential.objects.filter(kind=Credential.Kind.CONTACT_SECRET).delete()
    synced()
    sandbox.app(visible_parties=[], visible_users=[sandbox.truth()["staff"][0]["userid"]])
    return synced()


def test_staff_out_of_range_are_counted_with_cause_and_fix(company: Company, narrow: Job) -> None:
    assert narrow.counts["staff_unseen"] == 4 + len(company.staff)
    client = company.client()
    for url in ("/console/", CUSTOMERS, CONNECTION, reverse("console:job", args=[narrow.pk])):
        page = client.get(url)
        text = page.content.decode()
        assert f"有 {narrow.counts['staff_unseen']} {RANGE}" in text, url
        assert "加入「可见范围」" in text
        assert RIGHT not in text
    assert_strict(page)


def test_those_who_cannot_change_it_are_not_told(company: Company, narrow: Job) -> None:
    client = company.client("staff", "all", "chen")
    for url in ("/console/", CUSTOMERS):
        assert RANGE not in client.get(url).content.decode()


def test_where_all_is_seen_nothing_is_said(company: Company, sandbox: Sandbox) -> None:
    for one in company.staff.values():
        one.delete()
    synced()
    client = company.client()
    for url in ("/console/", CONNECTION):
        assert TITLE not in client.get(url).content.decode()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"staff_without_right": 3}, ("有 3 名员工没有客户联系权限", "「客户与上下游 → 客户联系 → 权限配置」")),
        ({"staff_refused": 2}, ("企业微信没有提供 2 名员工的客户", "互通账号许可")),
        ({"tags_in_doubt": 30}, ("企业微信这次一个标签也没有返回，30 个标签没有按已删除处理", "没有被误改")),
        ({"follows_in_doubt": 1200}, ("企业微信这次一位客户也没有返回，1200 段好友关系", "没有被误改")),
    ],
)
def test_each_gap_has_its_words(company: Company, counts: dict[str, int], words: tuple[str, str]) -> None:
    Job.objects.create(tenant=company.tenant, kind="sync", state=Job.State.DONE, counts=counts)
    text = company.client().get(CONNECTION).content.decode()
    for part in (TITLE, *words):
        assert part in text


def test_the_next_complete_sync_takes_it_back(company: Company) -> None:
    Job.objects.create(tenant=company.tenant, kind="sync", state=Job.State.DONE, counts={"staff_unseen": 3})
    Job.objects.create(tenant=company.tenant, kind="sync", state=Job.State.DONE, params={"only": "tags"})
    assert TITLE in company.client().get(CONNECTION).content.decode()
    Job.objects.create(tenant=company.tenant, kind="reconcile", state=Job.State.DONE, counts={"staff": 5})
    assert TITLE not in company.client("admin").get(CONNECTION).content.decode()
