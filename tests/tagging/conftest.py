import pytest

from contacts.models import Follow, Tag
from tenants.models import Tenant
from tests.integrations.caller import Caller
from tests.mirror import mirror_everything
from tests.sandbox_server import Sandbox, sandbox, sandbox_process  # noqa: F401


@pytest.fixture
def mirrored(in_acme: Tenant, sandbox: Sandbox) -> Tenant:  # noqa: F811
    mirror_everything()
    return in_acme


@pytest.fixture
def follow(mirrored: Tenant) -> Follow:
    """A living friendship, the only one of its customer."""
    return Follow.objects.select_related("staff", "customer").filter(customer__active_follows=1).order_by("id")[0]


@pytest.fixture
def new_tag(follow: Follow) -> Tag:
    """A tag that the friendship does not carry."""
    return Tag.objects.exclude(links__follow=follow).order_by("id")[0]


@pytest.fixture
def api(mirrored: Tenant, clean_cache: None) -> Caller:
    return Caller.of(mirrored)
