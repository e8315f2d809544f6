from collections.abc import Iterator

import pytest

from contacts.models import Follow, Tag
from tenants.models import Tenant
from tests.contacts.truth import assert_facts_are_true
from tests.integrations.caller import Caller
from tests.mirror import mirror_everything
from tests.sandbox_server import Sandbox, sandbox, sandbox_process  # noqa: F401


@pytest.fixture
def mirrored(in_acme: Tenant, sandbox: Sandbox) -> Iterator[Tenant]:  # noqa: F811
    """Whatever a test does to it, the facts stay in step with the truth."""
    mirror_everything()
    yield in_acme
    with in_acme:
        assert_facts_are_true()


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
