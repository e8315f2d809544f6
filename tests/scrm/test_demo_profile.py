"""The demo company has a pipeline that is lived in, and losses; starting again leaves it as it is."""

from datetime import timedelta

from django.utils import timezone

from contacts.demo import lose
from contacts.models import Customer, Follow, FollowUp, TimelineEntry
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


def test_the_demo_lost_some_customers_by_either_side_within_a_month_once(in_acme: Tenant, sandbox: Sandbox) -> None:
    mirror_everything()
    before = Follow.objects.living().count()

    losses = lose()

    ended = Follow.objects.exclude(ended_at=None)
    assert lose() == []
    assert len(losses) == ended.count() == before - Follow.objects.living().count() > 0
    assert {one.ended_by for one in ended} == {Follow.EndedBy.CUSTOMER, Follow.EndedBy.STAFF}
    assert all(one.added_at < one.ended_at for one in ended)
    assert ended.filter(ended_at__gte=timezone.now() - timedelta(days=30)).count() == ended.count()
    assert TimelineEntry.objects.filter(kind__startswith="deleted_by").count() == ended.count()
