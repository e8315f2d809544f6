"""Tags put on and taken off a friendship: WeCom first, our rows when WeCom has it."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import bulk
from contacts.models import Follow, FollowTag, Tag, TimelineEntry
from contacts.remark import pair_of, refuse_if_gone, tell_timeline
from contacts.signals import tags_changed
from tagging import gone as gone_tags
from tagging.models import RuleHit, TagRunItem
from tenants import outbox
from tenants.faults import words_for
from tenants.models import OutgoingCall

Kind = TimelineEntry.Kind
MAX_TAGS = 3000  # on one friendship, as externalcontact/mark_tag has it (path/92118)


_of_a_rule: ContextVar[int | None] = ContextVar("tags changed by a rule", default=None)


def rule_at_work() -> int | None:
    """The hit whose change of tags is being told of: what reacts to it was caused by a rule."""
    return _of_a_rule.get()


def change_tags(
    follow: Follow,
    *,
    add: Sequence[Tag] = (),
    remove: Sequence[Tag] = (),
    by: str,
    source: str,
    key: str = "",
    item: int | None = None,
    hit: int | None = None,
    gone: Sequence[int] = (),
    priority: int = OutgoingCall.Priority.INTERACTIVE,
) -> OutgoingCall:
    """Ask WeCom to change the corp tags of one staff member's customer. Raises ValidationError in the user's words.

    With a `key` the same change asked for again is the same call. The outcome is told to the `item` of a run and to
    the `hit` of a rule, if there is one, with the tags that are `gone` and were wanted too.
    """
    if not add and not remove:
        raise ValidationError(_("请至少选择一个标签"))
    if Tag.objects.filter(pk__in=[tag.pk for tag in (*add, *remove)], group__wecom_id="").exists():
        raise ValidationError(_("规则组标签只能在企业微信中修改"))
    removed = {tag.pk for tag in remove}
    if both := sorted(tag.name for tag in add if tag.pk in removed):
        raise ValidationError(_("标签“%(name)s”不能同时添加和移除") % {"name": both[0]})
    refuse_if_gone(follow)
    if follow.tag_links.exclude(tag__in=[*add, *remove]).count() + len(add) > MAX_TAGS:
        raise ValidationError(_("一位客户最多 3000 个标签"))
    body: dict[str, object] = {"userid": follow.staff.userid, "external_userid": follow.customer.external_userid}
    if add:
        body["add_tag"] = [tag.wecom_id for tag in add]
    if remove:
        body["remove_tag"] = [tag.wecom_id for tag in remove]
    return outbox.post(
        "externalcontact/mark_tag",
        body,
        purpose="mark_tag",
        idem_key=f"mark_tag:{key or uuid.uuid4()}",
        subject=pair_of(follow),
        context={
            "follow": follow.pk,
            "add": [tag.pk for tag in add],
            "remove": [tag.pk for tag in remove],
            "source": source,
        }
        | ({"item": item} if item else {})
        | ({"hit": hit} if hit else {})
        | ({"gone": list(gone)} if gone else {}),
        priority=priority,
        by=by,
    )


def tags_marked(call: OutgoingCall) -> None:
    """The outcome: what WeCom accepted becomes true here; what it refused stands on the timeline with the reason."""
    bulk.lock_customers()
    follow = Follow.objects.filter(pk=call.context["follow"]).first()
    withdrawn = call.state == OutgoingCall.State.IGNORED and "item" in call.context
    if follow is None or withdrawn:
        _settle(call, [], [])
        return
    tags = Tag.objects.in_bulk([*call.context["add"], *call.context["remove"]])
    payload: dict[str, object] = {
        "added": [tags[pk].name for pk in call.context["add"] if pk in tags],
        "removed": [tags[pk].name for pk in call.context["remove"] if pk in tags],
    }
    done = call.state == OutgoingCall.State.OK
    had = set(follow.tag_links.values_list("tag_id", flat=True))
    _settle(
        call,
        [pk for pk in call.context["add"] if pk in tags and pk not in had],
        [pk for pk in call.context["remove"] if pk in had],
    )
    if done:
        links = [FollowTag(follow=follow, tag=tags[pk]) for pk in call.context["add"] if pk in tags]
        FollowTag.objects.bulk_create(links, ignore_conflicts=True)
        FollowTag.objects.filter(follow=follow, tag_id__in=call.context["remove"]).delete()
        Follow.objects.filter(pk=follow.pk).update(raw_hash=bulk.own_change(timezone.now()))
        bulk.refresh_customers([follow.customer_id])
    tell_timeline(call, follow, payload, done=Kind.TAGS_CHANGED, failed=Kind.TAGS_FAILED)
    if done:
        with _by_rule(call.context.get("hit")):
            tags_changed.send(Follow, follow_ids=[follow.pk], source=call.context["source"])


@contextmanager
def _by_rule(hit: int | None) -> Iterator[None]:
    before = _of_a_rule.set(hit)
    try:
        yield
    finally:
        _of_a_rule.reset(before)


def _settle(call: OutgoingCall, added: list[int], removed: list[int]) -> None:
    """Tell the item of a run, or the hit of a rule, what became of it: what really changed, or why not."""
    state = TagRunItem.State
    if call.state == OutgoingCall.State.OK:
        facts: dict[str, Any] = {
            "state": state.DONE if added or removed else state.UNCHANGED,
            "code": None,
            "reason": gone_tags.in_words(call.context.get("gone", ()))[:200],
        }
        facts |= {"added": added, "removed": removed}
    elif call.state == OutgoingCall.State.IGNORED:
        facts = {"state": state.CANCELLED, "reason": _("提交前已被取消")}
    else:
        facts = {"state": state.FAILED, "code": call.result_code, "reason": why(call)}
    if item := call.context.get("item"):
        TagRunItem.objects.filter(pk=item).update(**facts)
    if hit := call.context.get("hit"):
        ended = RuleHit.State.FAILED if facts["state"] == state.CANCELLED else facts["state"]
        RuleHit.objects.filter(pk=hit).update(state=ended, detail=facts["reason"])


def why(call: OutgoingCall) -> str:
    """A refusal in words, with WeCom's code for whoever has to look it up."""
    words = words_for(call.result_code)
    text = f"{words.cause}{words.fix}"
    if call.result_code is not None:
        text = _("%(words)s（错误码 %(code)d）") % {"words": text, "code": call.result_code}
    return text[:200]
