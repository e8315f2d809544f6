import pytest
from django.conf import settings

from tenants.models import CorpApp, Tenant
from tests.pages_of_apps.company import Company
from tests.sandbox_server import sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]


@pytest.fixture
def company(in_acme: Tenant, clean_cache: None) -> Company:
    """Connected and in order, with staff and tags; customers as the test adds them."""
    CorpApp.objects.filter(tenant=in_acme).update(state=CorpApp.State.OK)
    return Company(in_acme).found()


@pytest.fixture(autouse=True)
def _no_wecom_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that asks WeCom where the test has none fails at once instead of leaving the machine."""
    monkeypatch.setattr(settings, "WECOM_API_BASE", "http://127.0.0.1:9")
