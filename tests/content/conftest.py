"""A company with a WeCom, people and customers; what is uploaded lies in a folder of the test."""

from pathlib import Path

import pytest
from django.conf import settings

from contacts.models import Follow
from tenants.models import Tenant
from tests.browser import console
from tests.mirror import mirror_everything
from tests.sandbox_server import Sandbox, sandbox, sandbox_process

__all__ = ["console", "sandbox", "sandbox_process"]


@pytest.fixture(autouse=True)
def files_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.setattr(settings, "SCRM_STORAGE", "")
    return tmp_path


@pytest.fixture
def mirrored(in_acme: Tenant, sandbox: Sandbox) -> Tenant:
    mirror_everything()
    return in_acme


@pytest.fixture
def follow(mirrored: Tenant) -> Follow:
    """A living friendship, the only one of its customer."""
    return Follow.objects.select_related("staff", "customer").filter(customer__active_follows=1).order_by("id")[0]
