"""Tags put on and taken off a friendship: WeCom first, our rows when WeCom has it."""

import uuid
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import bulk
from contacts.models import Follow, FollowTag, Tag, TimelineEntry
from contacts.remark import pair_of, refuse_if_gone
from contacts.signals import tags_changed
from tenants import outbox
from tenants.models import OutgoingCall

MAX_TAGS = 3000  # on one friendship, as externalcontact/mark_tag has it (path/92118)


def change_tags(
    follow: Follow, *, add: Sequence[Tag] = (), remove: Sequence[Tag] = (), by: str, source: str
) -> OutgoingCall:
    """Ask WeCom to change the corp tags of one staff member's customer. Raises ValidationError in the user's words."""
    if not add and not remove:
        raise ValidationError(_("请至少选择一个标签"))
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
        idem_key=f"mark_tag:{uuid.uuid4()}",
        subject=pair_of(follow),
        context={
            "follow": follow.pk,
            "add": [tag.pk for tag in add],
            "remove": [tag.pk for tag in remove],
            "source": source,
        },
        by=by,
    )


def tags_marked(call: OutgoingCall) -> None:
    """The outcome: what WeCom accepted becomes true here; what it refused stands on the timeline with the reason."""
    bulk.lock_customers()
    follow = Follow.objects.filter(pk=call.context["follow"]).first()
    if follow is None:
        return
    tags = Tag.objects.in_bulk([*call.context["add"], *call.context["remove"]])
    payload: dict[str, object] = {
        "added": [tags[pk].name for pk in call.context["add"] if pk in tags],
        "removed": [tags[pk].name for pk in call.context["remove"] if pk in tags],
    }
    done = call.state == OutgoingCall.State.OK
    if done:
        links = [FollowTag(follow=follow, tag=tags[pk]) for pk in call.context["add"] if pk in tags]
        FollowTag.objects.bulk_create(links, ignore_conflicts=True)
        FollowTag.objects.filter(follow=follow, tag_id__in=call.context["remove"]).delete()
        bulk.refresh_customers([follow.customer_id])
    else:
        payload |= {"code": call.result_code, "state": call.state, "reason": call.result_message}
    entry = bulk.Entry(
        key=f"mark_tag:{call.pk}:{call.state}",
        kind=TimelineEntry.Kind.TAGS_CHANGED if done else TimelineEntry.Kind.TAGS_FAILED,
        at=timezone.now(),
        customer_id=follow.customer_id,
        staff_id=follow.staff_id,
        actor=call.requested_by,
        payload=payload,
    )
    bulk.write_timeline([entry], source=call.context["source"])
    if done:
        tags_changed.send(Follow, follow_ids=[follow.pk], source=call.context["source"])
