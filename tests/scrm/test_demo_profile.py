"""The demo company has a pipeline that is lived in; starting again leaves it as it is."""

from contacts.models import Customer, FollowUp
from contacts.profile import living_fields
from contacts.stages import living_stages
from scrm.demo_profile import seed_profile
from tenants.models import Tenant
from tests.mirror import mirror_everything
from tests.sandbox_server import Sandbox, sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]


def test_the_demo_has_stages_fields_and_follow_ups_once(in_acme: Tenant, sandbox: Sandbox) -> None:
    mirror_everything()

    for _ in range(2):
        seed_profile()

    assert [one.name for one in living_stages()] == ["新客户", "意向", "报价", "成交", "放弃"]
    assert [one.kind for one in living_fields()] == ["number", "date", "text", "choice"]
    assert not Customer.objects.exclude(first_added_at=None).filter(stage=None).exists()
    assert Customer.objects.exclude(fields={}).count() > 10
    assert FollowUp.objects.count() == Customer.objects.filter(follow_ups__isnull=False).count() > 10
    assert FollowUp.objects.open().exists()
