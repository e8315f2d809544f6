import pytest
from django.utils import timezone

from contacts.models import Customer, Follow, Tag, TagGroup
from members.models import Staff
from tenants.models import Tenant
from tests.integrations.caller import Caller
from tests.mirror import mirror_everything
from tests.sandbox_server import Sandbox, sandbox, sandbox_process  # noqa: F401


@pytest.fixture
def api(acme: Tenant, clean_cache: None) -> Caller:
    return Caller.of(acme)


@pytest.fixture
def other_api(globex: Tenant, clean_cache: None) -> Caller:
    return Caller.of(globex)


@pytest.fixture
def mirrored(acme: Tenant, sandbox: Sandbox) -> Tenant:  # noqa: F811
    """Acme, whose staff, tags, customers and groups came from WeCom."""
    with acme:
        mirror_everything()
    return acme


@pytest.fixture
def customer(acme: Tenant) -> str:
    """A customer of zhang, whom no WeCom knows."""
    with acme:
        staff = Staff.objects.create(userid="zhang", userid_key="zhang")
        han = Customer.objects.create(external_userid="wmHan", name="韩梅梅", first_added_at=timezone.now())
        Follow.objects.create(customer=han, staff=staff, added_at=timezone.now())
    return "wmHan"


@pytest.fixture
def vip(acme: Tenant) -> str:
    with acme:
        group = TagGroup.objects.create(wecom_id="etGroup", name="等级")
        Tag.objects.create(wecom_id="etVip", name="VIP", group=group)
    return "etVip"
