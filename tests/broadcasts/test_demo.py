"""The demo's month of broadcasts, 人群包, rule log and tag run: plausible, and made once."""

from broadcasts.demo import seed_broadcasts
from broadcasts.models import Broadcast
from content import demo as library
from tagging import runs
from tagging.demo import seed_segments, seed_tagging
from tagging.models import RuleHit, Segment, TagRule, TagRun
from tenants import outbox
from tenants.jobs import run_to_end
from tenants.models import Job, OutgoingCall
from tests.broadcasts.conftest import Office


def test_it_is_made_once_and_what_is_tagged_is_really_tagged(office: Office) -> None:
    library.fill()
    library.history()
    for _ in range(2):
        seed_segments()
        seed_broadcasts()
        seed_tagging()
    assert Segment.objects.count() == 2 and not Segment.objects.filter(count=None).exists()
    states = list(Broadcast.objects.order_by("pk").values_list("kind", "state"))
    assert [kind for kind, _state in states] == ["customers", "customers", "groups", *["customers"] * 3]
    assert [state for _kind, state in states[:3]] == ["ended"] * 3 and states[-1] == ("customers", "draft")
    assert office.messages() == []

    run = TagRun.objects.get()
    run_to_end(Job.objects.get(pk=run.job_id))
    outbox.deliver_due(urgent=False)
    assert runs.progress(run).open == 0 and runs.progress(run).counts["done"]
    hits = RuleHit.objects.filter(rule=TagRule.objects.get())
    assert hits.exists() and not hits.exclude(state__in=["done", "unchanged"]).exists()
    assert all(hit.reason for hit in hits)
    assert not OutgoingCall.objects.exclude(state="ok").exists()
