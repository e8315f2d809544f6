"""批量打标签: fixed first, resumable, with a result for each friendship, and an undo of what was really changed."""

import pytest
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone

from contacts.models import CustomerFacts, Follow, FollowTag, Tag
from tagging import runs
from tagging.corp_tags import forget
from tagging.models import TagRun, TagRunItem
from tenants import outbox
from tenants.jobs import JobRun, run_slice, run_to_end
from tenants.models import Job, OutgoingCall, Tenant
from tests.integrations.caller import Caller
from tests.people import client_as
from tests.sandbox_server import Sandbox

MARK_TAG = "externalcontact/mark_tag"
TAG_LIST = "externalcontact/get_corp_tag_list"


@pytest.fixture
def tag(mirrored: Tenant) -> Tag:
    """A tag that some friendships carry and some do not."""
    carried = Tag.objects.filter(links__follow__in=Follow.objects.living(), group__strategy_id=None)
    return carried.exclude(group__wecom_id="").select_related("group").order_by("id")[0]


def everyone() -> QuerySet[Follow]:
    return runs.friendships(CustomerFacts.objects.known())


def begin(*, add: tuple[Tag, ...] = (), remove: tuple[Tag, ...] = ()) -> TagRun:
    return runs.begin(everyone(), add=add, remove=remove, by="lin")


def carry_out(run: TagRun) -> None:
    run_to_end(Job.objects.get(pk=run.job_id))
    outbox.deliver_due(urgent=False)


def states(run: TagRun) -> dict[str, int]:
    return runs.progress(run).counts


def carriers(tag: Tag) -> set[int]:
    return set(FollowTag.objects.filter(tag=tag).values_list("follow", flat=True))


def test_each_friendship_gets_the_tag_once_and_its_result(mirrored: Tenant, tag: Tag, sandbox: Sandbox) -> None:
    had, living = carriers(tag), set(everyone().values_list("pk", flat=True))
    run = begin(add=(tag,))
    assert not sandbox.calls(MARK_TAG)
    carry_out(run)
    assert carriers(tag) >= living
    assert states(run) == {"done": len(living - had), "unchanged": len(living & had)}
    assert len(sandbox.effects("mark_tag")) == len(living - had)
    assert all(item.added == [tag.pk] for item in run.items.filter(state="done"))


def test_who_comes_to_match_later_is_not_part_of_it(mirrored: Tenant, tag: Tag) -> None:
    Follow.objects.filter(pk__in=everyone().order_by("id").values_list("pk", flat=True)[3:]).update(
        ended_at=timezone.now()
    )
    run = begin(add=(tag,))
    Follow.objects.update(ended_at=None)
    assert run.items.count() == 3


def test_a_job_that_is_killed_goes_on_and_asks_nobody_twice(
    mirrored: Tenant, tag: Tag, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "CHUNK", 4)
    run = begin(remove=(tag,))
    had = carriers(tag)
    job = Job.objects.get(pk=run.job_id)
    proceed, turns = JobRun.proceed, []

    def die(self: JobRun) -> None:
        turns.append(1)
        if len(turns) == 3:
            raise KeyboardInterrupt  # the worker is stopped
        proceed(self)

    monkeypatch.setattr(JobRun, "proceed", die)
    with pytest.raises(KeyboardInterrupt):
        run_slice(job)
    assert states(run)["planned"] > 0
    Job.objects.filter(pk=job.pk).update(state="queued", due_at=timezone.now())
    carry_out(run)
    assert states(run).get("planned") is None
    assert len(sandbox.effects("mark_tag")) == len(had) == states(run)["done"]


def test_a_tag_deleted_in_wecom_meanwhile_fails_with_words_and_the_rest_goes_on(
    mirrored: Tenant, tag: Tag, sandbox: Sandbox
) -> None:
    run = begin(add=(tag,))
    gone = run.items.exclude(follow__in=carriers(tag)).select_related("follow__staff", "follow__customer")[0]
    pair = {"userid": gone.follow.staff.userid, "external_userid": gone.follow.customer.external_userid}
    sandbox.act("staff_deletes_customer", **pair)
    carry_out(run)
    gone.refresh_from_db()
    assert (gone.state, gone.code) == ("failed", 84061)
    assert "不是好友关系" in gone.reason
    assert states(run)["failed"] == 1
    other = Tag.objects.exclude(pk=tag.pk).exclude(group__wecom_id="").select_related("group").order_by("-id")[0]
    second = begin(add=(other,))
    sandbox.act("tag_delete", tag_id=other.wecom_id)
    carry_out(second)
    failed = second.items.filter(state="failed").exclude(pk=second.items.get(follow=gone.follow_id).pk)
    assert failed and not second.items.filter(state__in=["planned", "asked", "done"]).exists()
    assert all("标签在企业微信中已不存在" in item.reason and item.code == 40068 for item in failed)


def test_of_several_tags_the_one_that_wecom_deleted_is_named_and_the_others_are_put_on(
    mirrored: Tenant, tag: Tag, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "CHUNK", 4)
    living = Tag.objects.filter(group__strategy_id=None).exclude(pk=tag.pk).exclude(group__wecom_id="")
    other = living.select_related("group").order_by("-id")[0]
    had, want = carriers(tag), set(everyone().values_list("pk", flat=True)) - carriers(other)
    run, before = begin(add=(tag, other)), len(sandbox.calls(TAG_LIST))
    sandbox.act("tag_delete", tag_id=tag.wecom_id)
    carry_out(run)
    assert carriers(other) >= want and not carriers(tag)
    effects = sandbox.effects("mark_tag")
    assert len(effects) == len(want) and all(one["add"] == [other.wecom_id] for one in effects)
    assert len(sandbox.calls(TAG_LIST)) - before == 1  # asked by the first, known to the rest
    done = run.items.filter(state="done")
    assert done.count() == len(want) and all(item.added == [other.pk] for item in done)
    assert all(f"“{tag.name}”在企业微信中已不存在" in item.reason for item in done.exclude(follow__in=had))


def test_tags_that_are_gone_before_the_call_are_named_as_well(mirrored: Tenant, tag: Tag, sandbox: Sandbox) -> None:
    other = Tag.objects.exclude(pk=tag.pk).exclude(group__wecom_id="").select_related("group").order_by("-id")[0]
    both, alone = begin(add=(tag, other)), begin(add=(tag,))
    sandbox.act("tag_delete", tag_id=tag.wecom_id)
    forget([tag.pk], [])
    carry_out(both)
    carry_out(alone)
    assert all(tag.name in item.reason for item in both.items.filter(state="done")) and states(both)["done"]
    assert {item.reason for item in alone.items.all()} == {f"标签“{tag.name}”在企业微信中已不存在。"}
    assert set(states(alone)) == {"failed"}


def test_an_undo_takes_back_what_was_really_changed(mirrored: Tenant, tag: Tag, sandbox: Sandbox) -> None:
    had = carriers(tag)
    run = begin(add=(tag,))
    carry_out(run)
    back = runs.undo(run, by="lin")
    carry_out(back)
    assert carriers(tag) == had
    assert states(back) == {"done": states(run)["done"]}
    with pytest.raises(ValidationError, match="已经撤销过"):
        runs.undo(run, by="lin")


def test_what_is_stopped_is_not_sent_and_can_be_undone(mirrored: Tenant, tag: Tag, sandbox: Sandbox) -> None:
    had = carriers(tag)
    run = begin(add=(tag,))
    run_to_end(Job.objects.get(pk=run.job_id))
    outbox.deliver_due(urgent=False, limit=2)
    with pytest.raises(ValidationError, match="还有客户没有处理完"):
        runs.undo(run, by="lin")
    runs.cancel(run, by="lin")
    outbox.deliver_due(urgent=False)
    assert len(sandbox.effects("mark_tag")) == 2 == states(run)["done"]
    assert runs.progress(run).open == 0
    assert states(run)["cancelled"] > 0
    carry_out(runs.undo(run, by="lin"))
    assert carriers(tag) == had


def test_it_waits_for_a_connection_that_is_broken_and_can_be_stopped_then(
    mirrored: Tenant, tag: Tag, sandbox: Sandbox
) -> None:
    sandbox.app(secret="another")
    run = begin(add=(tag,))
    run_to_end(Job.objects.get(pk=run.job_id))
    OutgoingCall.objects.filter(purpose="mark_tag").update(state="parked")
    runs.cancel(run, by="lin")
    assert runs.progress(run).open == 0


def test_from_the_list_of_customers_all_that_match_the_filter(mirrored: Tenant, tag: Tag, sandbox: Sandbox) -> None:
    client = client_as(mirrored, "admin")
    query = f"?tags={tag.pk}"
    drawer = client.get("/console/tag-runs/new/", {"all": "1", "query": query})
    with mirrored:
        customers = CustomerFacts.objects.known().filter(tag_ids__contains=[tag.pk])
        wanted = set(runs.friendships(customers).values_list("pk", flat=True))
        count = customers.count()
    assert (drawer.context["customers"], drawer.context["follows"]) == (count, len(wanted))
    nothing = client.post("/console/tag-runs/new/", {"all": "1", "query": query, "sent": "1"})
    assert nothing.status_code == 422
    started = client.post("/console/tag-runs/new/", {"all": "1", "query": query, "sent": "1", "remove": tag.pk})
    assert started.status_code == 302
    with mirrored:
        run = TagRun.objects.get()
        assert set(run.items.values_list("follow", flat=True)) == wanted
        carry_out(run)
    page = client.get(started.headers["Location"])
    assert page.context["list"].count == len(wanted)
    assert f"移除 {tag.name}" in page.content.decode()
    assert client.get("/console/tag-runs/").context["list"].count == 1
    assert client.post(f"/console/tag-runs/{run.pk}/undo/").status_code == 302
    assert client_as(mirrored, "staff").get(f"/console/tag-runs/{run.pk}/").status_code == 404


def test_chosen_rows_alone_and_only_those_in_the_range(mirrored: Tenant, tag: Tag) -> None:
    chosen = list(CustomerFacts.objects.known().order_by("pk").values_list("pk", flat=True)[:2])
    sent = {"ids": ",".join(map(str, chosen)), "add": tag.pk, "sent": "1"}
    assert client_as(mirrored, "staff", scope="self").post("/console/tag-runs/new/", sent).status_code == 422
    assert client_as(mirrored, "owner").post("/console/tag-runs/new/", sent).status_code == 302
    with mirrored:
        assert set(TagRunItem.objects.values_list("follow__customer", flat=True)) == set(chosen)


def test_over_the_api(api: Caller, tag: Tag, mirrored: Tenant, sandbox: Sandbox) -> None:
    with mirrored:
        customer = (
            CustomerFacts.objects.known().exclude(tag_ids__contains=[tag.pk]).select_related("customer")[0].customer
        )
    made = api.post("tag-runs", {"customers": [customer.external_userid], "add": [tag.wecom_id]})
    assert made.status_code == 202
    with mirrored:
        carry_out(TagRun.objects.get())
    told = api.get(f"tag-runs/{made.json()['id']}")
    assert (told["open"], set(told["counts"])) == (0, {"done"})
    (item, *_) = api.get(f"tag-runs/{made.json()['id']}/items")["data"]
    assert (item["external_userid"], item["state"]) == (customer.external_userid, "done")
    assert api.post("tag-runs", {"customers": ["wmNobody"], "add": [tag.wecom_id]}).status_code == 400
    assert api.post("tag-runs", {"add": [tag.wecom_id]}).status_code == 400
    assert api.post("tag-runs", {"customers": [customer.external_userid]}).status_code == 400


def test_tags_are_made_renamed_and_deleted_over_the_api(api: Caller, mirrored: Tenant, sandbox: Sandbox) -> None:
    write = api.post("tags", {"names": ["高"], "group_name": "意向"})
    assert write.status_code == 202
    with mirrored:
        outbox.deliver_due(urgent=False)
        made = Tag.objects.get(name="高")
    assert api.get(f"writes/{write.json()['id']}")["state"] == "done"
    assert api.ask("PATCH", f"tags/{made.wecom_id}", {"name": "很高"}).status_code == 202
    assert api.ask("PATCH", f"tags/{made.wecom_id}", {"name": "长" * 31}).status_code == 400
    assert api.ask("DELETE", f"tags/{made.wecom_id}").status_code == 202
    with mirrored:
        outbox.deliver_due(urgent=False)
    assert made.wecom_id not in sandbox.tags()
    assert api.ask("DELETE", f"tags/{made.wecom_id}").status_code == 404
    assert api.post("tags", {"names": ["高"], "group_id": "etNone"}).status_code == 400
