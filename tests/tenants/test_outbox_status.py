"""`manage.py outbox_status SCHEMA`: what waits, what failed and why."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tenants import outbox
from tenants.models import Tenant
from tests.sandbox_server import Sandbox
from tests.tenants.test_outbox import post_remark


def status_of(schema: str, *options: str) -> str:
    out = StringIO()
    call_command("outbox_status", schema, *options, stdout=out)
    return out.getvalue()


def test_it_counts_by_state_and_names_the_trouble(sandbox: Sandbox, in_acme: Tenant) -> None:
    post_remark(sandbox, "好")
    sandbox.app(trusted_ips=[])
    outbox.deliver_due(urgent=False)
    post_remark(sandbox, "等", subject="another")
    found = json.loads(status_of("acme", "--json"))
    assert (found["counts"]["parked"], found["counts"]["pending"], found["counts"]["dead"]) == (1, 1, 0)
    assert found["oldest_waiting_at"]
    assert (found["trouble"][0]["result_code"], found["trouble"][0]["calls"]) == (60020, 1)
    assert "parked" in status_of("acme")


@pytest.mark.django_db
def test_an_unknown_tenant_is_one_clear_line() -> None:
    with pytest.raises(CommandError, match="no tenant nobody"):
        status_of("nobody")
