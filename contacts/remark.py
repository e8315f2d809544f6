"""备注: a staff member's own words on a customer, written to WeCom first and to our rows when WeCom has it."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import bulk
from contacts.models import Follow, TimelineEntry
from tenants import outbox
from tenants.models import OutgoingCall

Kind = TimelineEntry.Kind
MAX_REMARK = 20  # characters, as externalcontact/remark has it (path/92115)
MAX_DESCRIPTION = 150


def pair_of(follow: Follow) -> str:
    """The subject of outgoing calls about one friendship: they go out one after the other."""
    return f"pair:{follow.staff.userid}/{follow.customer.external_userid}"


def refuse_if_gone(follow: Follow) -> None:
    """WeCom keeps a friendship that the customer ended; one that left the staff member's list it knows no more."""
    gone = {Follow.EndedBy.STAFF, Follow.EndedBy.TRANSFER, Follow.EndedBy.VANISHED}
    if follow.deleted_by_staff_at is not None or follow.ended_by in gone:
        raise ValidationError(_("这位客户已不在该员工的好友中，企业微信不再允许修改"))


def change_remark(follow: Follow, *, remark: str, description: str, by: str, source: str) -> OutgoingCall:
    """Ask WeCom to store a remark and a description. Raises ValidationError in the user's words."""
    remark, description = remark.strip(), description.strip()
    if len(remark) > MAX_REMARK:
        raise ValidationError({"remark": _("备注最多 20 个字")})
    if len(description) > MAX_DESCRIPTION:
        raise ValidationError({"description": _("描述最多 150 个字")})
    refuse_if_gone(follow)
    body = {
        "userid": follow.staff.userid,
        "external_userid": follow.customer.external_userid,
        "remark": remark,
        "description": description,
    }
    return outbox.post(
        "externalcontact/remark",
        body,
        purpose="remark",
        idem_key=f"remark:{uuid.uuid4()}",
        subject=pair_of(follow),
        context={"follow": follow.pk, "source": source},
        by=by,
    )


def remark_changed(call: OutgoingCall) -> None:
    """The outcome: WeCom has it, so our row gets it too; the timeline keeps who and when, or why not."""
    bulk.lock_customers()
    follow = Follow.objects.filter(pk=call.context["follow"]).first()
    if follow is None:
        return
    body = outbox.body_of(call)
    payload = {"remark": body["remark"], "description": body["description"]}
    if call.state == OutgoingCall.State.OK:
        payload["before"] = follow.remark
        follow.remark, follow.description = body["remark"], body["description"]
        follow.raw_hash = bulk.own_change(timezone.now())
        follow.save(update_fields=["remark", "description", "raw_hash"])
        bulk.refresh_customers([follow.customer_id])
    tell_timeline(call, follow, payload, done=Kind.REMARK_CHANGED, failed=Kind.REMARK_FAILED)


def tell_timeline(call: OutgoingCall, follow: Follow, payload: Mapping[str, Any], *, done: str, failed: str) -> None:
    """What a change of a friendship came to: who asked for it and when, or why WeCom did not take it."""
    kind = done
    if call.state != OutgoingCall.State.OK:
        kind = failed
        payload = {**payload, "code": call.result_code, "state": call.state, "reason": call.result_message}
    entry = bulk.Entry(
        key=f"{call.purpose}:{call.pk}:{call.state}",
        kind=kind,
        at=timezone.now(),
        customer_id=follow.customer_id,
        staff_id=follow.staff_id,
        actor=call.requested_by,
        payload=dict(payload),
    )
    bulk.write_timeline([entry], source=call.context["source"])
