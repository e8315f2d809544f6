"""渠道活码: made and kept in WeCom through the outbox, and what is done with the customers they bring."""

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from acquisition import shifts
from acquisition.models import ChannelCode, CodeStaff
from contacts.daily import start_of
from contacts.models import Follow, Tag
from contacts.stages import move_to_stage
from members.models import Staff
from tagging.marking import change_tags
from tenants import due, outbox
from tenants.current import current_tenant
from tenants.faults import words_for
from tenants.models import OutgoingCall
from tenants.sending import keep_body
from tenants.staging import numbers, one_writer
from wecom.client import WeComClient
from wecom.errors import WeComRefused

logger = logging.getLogger(__name__)

Status = ChannelCode.Status
MOST_STAFF = 100  # of one contact way (path/92572)
SCHEDULE = "schedule"
ASKED_AGAIN = timedelta(hours=1)
"""So long after WeCom refused a change the clock does not ask for the same change again; a person may."""
ADD, UPDATE, DELETE = (f"externalcontact/{act}_contact_way" for act in ("add", "update", "del"))


@dataclass(frozen=True, slots=True)
class Place:
    """One staff member behind a code at one moment: served, or why not."""

    staff: Staff
    backup: bool
    reason: str  # "" when the next scan may be theirs

    @property
    def eligible(self) -> bool:
        return not self.reason


def places_of(code: ChannelCode, at: datetime, *, by_shift: bool = True) -> list[Place]:
    """Everybody behind the code, with the reason for each who does not take new customers at that moment."""
    places = code.places.select_related("staff").order_by("backup", "pk")
    added = _added_today(code, at)
    hours = list(code.shifts.all()) if by_shift else []
    zone = timezone.get_current_timezone()

    def why_not(place: CodeStaff) -> str:
        reason = _why_not(place, added.get(place.staff_id, 0))
        off = not place.backup and not shifts.on_duty(hours, place.staff_id, at, zone)
        return reason or (_("不在排班时段") if off else "")

    return [Place(place.staff, place.backup, why_not(place)) for place in places]


def eligible(code: ChannelCode, at: datetime, *, by_shift: bool = True) -> list[Staff]:
    """Who takes the next customer: the main staff, or the backups when none of them can."""
    able = [place for place in places_of(code, at, by_shift=by_shift) if place.eligible]
    return [place.staff for place in able if not place.backup] or [place.staff for place in able]


def _why_not(place: CodeStaff, added_today: int) -> str:
    staff = place.staff
    if staff.left_at is not None or staff.status == Staff.Status.LEFT:
        return _("已离职")
    if not staff.can_follow or not staff.visible:
        return _("没有客户联系权限，或不在应用可见范围")
    if staff.status != Staff.Status.ACTIVE:
        return _("未激活或已禁用")
    if place.paused_at is not None:
        return _("已暂停接待")
    if place.daily_cap is not None and added_today >= place.daily_cap:
        return _("今日已添加 %(count)d 人，达到上限") % {"count": added_today}
    return ""


def _added_today(code: ChannelCode, at: datetime) -> dict[int, int]:
    start = start_of(timezone.localtime(at).date())
    rows = Follow.objects.filter(state=code.state, added_at__gte=start, added_at__lte=at).order_by()
    return dict(rows.values_list("staff_id").annotate(count=Count("id")))


# -- made, changed, ended ----------------------------------------------------------------------------------------------


def free_name(name: str, code: ChannelCode) -> str:
    """The name as it is stored. Raises ValidationError: two codes of one name could not be told apart."""
    name = name.strip()
    if ChannelCode.objects.filter(name=name, archived_at=None).exclude(pk=code.pk).exists():
        raise ValidationError({"name": _("已有同名的活码，请换一个名称以免混淆")})
    return name


@transaction.atomic
def create(code: ChannelCode, staff: Sequence[Staff], backups: Sequence[Staff], *, by: str) -> ChannelCode:
    """Store a code and have WeCom make it. Raises ValidationError in the user's words; two clicks are one code."""
    with connection.cursor() as cursor:
        one_writer(cursor, "channel codes")
    code.name, code.created_by = free_name(code.name, code), by
    code.save()
    set_staff(code, staff, backups)
    body = _wanted(code)
    outbox.post(
        ADD,
        {"type": 2, "scene": 2, "remark": code.name, "state": code.state, **body},
        purpose="code_create",
        idem_key=f"code:{code.state}:create",
        subject=f"code:{code.pk}",
        context={"code": code.pk, "pushed": body},
        by=by,
    )
    return code


def set_staff(code: ChannelCode, staff: Sequence[Staff], backups: Sequence[Staff]) -> None:
    """Put exactly these behind the code; caps and pauses of those who stay are kept."""
    wanted = {one.pk: True for one in backups} | {one.pk: False for one in staff}
    if not any(not backup for backup in wanted.values()):
        raise ValidationError({"staff": _("请至少选择一位员工")})
    if len(wanted) > MOST_STAFF:
        raise ValidationError({"staff": _("一个活码最多 %(most)d 位员工") % {"most": MOST_STAFF}})
    code.places.exclude(staff_id__in=wanted).delete()
    for pk, backup in wanted.items():
        CodeStaff.objects.update_or_create(code=code, staff_id=pk, defaults={"backup": backup})
    for shift in code.shifts.all():
        shift.staff_ids = [pk for pk in shift.staff_ids if wanted.get(pk) is False]
        if shift.staff_ids:
            shift.save(update_fields=["staff_ids"])
        else:
            shift.delete()
    _await_turn(code)
    if not eligible(code, timezone.now(), by_shift=False):
        raise ValidationError({"staff": _("所选员工目前都不能接待客户：需要在职、已激活并有客户联系权限")})


def push(code: ChannelCode, *, by: str = "") -> OutgoingCall | None:
    """Tell WeCom when it should know something else than it does; None when there is nothing to tell.

    With nobody left to take customers the last set stays in WeCom, and the code says so.
    """
    if code.status != Status.ACTIVE:
        return None
    body = _wanted(code)
    if not body["user"]:
        _note(code, _("没有可接待的员工，活码暂时保留上一次的员工"))
        return None
    if body == code.pushed:
        _note(code, "")  # what stood in the way is over
        return None
    if by == SCHEDULE and _refused_lately(code, body):
        return None
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
    since = code.pushed_at.timestamp() if code.pushed_at else 0
    return outbox.post(
        UPDATE,
        {"config_id": code.config_id, "remark": code.name, **body},
        purpose="code_update",
        idem_key=f"code:{code.state}:{since:.0f}:{digest}",
        subject=f"code:{code.pk}",
        context={"code": code.pk, "pushed": body},
        by=by,
    )


def _refused_lately(code: ChannelCode, body: dict[str, Any]) -> bool:
    """WeCom would not take just this: asked each minute, 待办与异常 would fill with the same refusal."""
    calls = OutgoingCall.objects.filter(tenant=current_tenant(), subject=f"code:{code.pk}", purpose="code_update")
    last = calls.order_by("-id").first()
    if last is None or last.finished_at is None or last.state == OutgoingCall.State.OK:
        return False
    return bool(last.context.get("pushed") == body and timezone.now() - last.finished_at < ASKED_AGAIN)


def archive(code: ChannelCode, *, by: str) -> None:
    """Its picture stops working; the customers it brought stay attributed to it."""
    code.status, code.archived_at = Status.STOPPED, timezone.now()
    code.save(update_fields=["status", "archived_at"])
    due.drop(shifts.DUE, [code.pk])
    if code.config_id:
        outbox.post(
            DELETE,
            {"config_id": code.config_id},
            purpose="code_delete",
            idem_key=f"code:{code.state}:delete",
            subject=f"code:{code.pk}",
            context={"code": code.pk},
            by=by,
        )


def retry(code: ChannelCode, *, by: str) -> None:
    """Ask again for a code that WeCom refused to make, once its cause is mended: as the code is by now."""
    calls = OutgoingCall.objects.filter(tenant=current_tenant(), purpose="code_create")
    call = calls.filter(idem_key=f"code:{code.state}:create").first()
    if call is None or code.status != Status.FAILED:
        return
    body = _wanted(code)
    if call.state == OutgoingCall.State.DEAD and body["user"]:
        keep_body(call, {**outbox.body_of(call), "remark": code.name, **body})
        calls.filter(pk=call.pk).update(context={**call.context, "pushed": body})
    if call.state in outbox.RETRIABLE:
        outbox.retry(call, by)
    code.status, code.error = Status.CREATING, ""
    code.save(update_fields=["status", "error"])


def keep_in_step() -> int:
    """Every minute: shifts of who can take customers (leavers, pauses, full days) reach WeCom."""
    codes = ChannelCode.objects.filter(status=Status.ACTIVE)
    return sum(push(code, by=SCHEDULE) is not None for code in codes)


# -- shifts ------------------------------------------------------------------------------------------------------------


def shifts_changed(code: ChannelCode, *, by: str) -> None:
    """Other hours hold from now on."""
    _await_turn(code)
    push(code, by=by)


def shifts_turned(ids: list[int]) -> None:
    """The handler of the due index: who serves now is told to WeCom, and the next turn awaited."""
    for code in ChannelCode.objects.filter(pk__in=ids, archived_at=None):
        shifts_changed(code, by=SCHEDULE)


def _await_turn(code: ChannelCode) -> None:
    turn = shifts.next_turn(list(code.shifts.all()), timezone.now(), timezone.get_current_timezone())
    if turn is None:
        due.drop(shifts.DUE, [code.pk])
    else:
        due.put(shifts.DUE, {code.pk: turn})


def _wanted(code: ChannelCode) -> dict[str, Any]:
    users = [staff.userid for staff in eligible(code, timezone.now())]
    return {"user": sorted(users), "skip_verify": code.skip_verify}


def _note(code: ChannelCode, error: str) -> None:
    if code.error != error:
        code.error = error
        code.save(update_fields=["error"])


# -- what WeCom said ---------------------------------------------------------------------------------------------------


def code_made(call: OutgoingCall) -> None:
    code = ChannelCode.objects.filter(pk=call.context["code"]).first()
    if code is None:
        return
    if call.state == OutgoingCall.State.OK and call.result and call.result.get("config_id"):
        code.config_id, code.qr_code = call.result["config_id"], call.result.get("qr_code", "")
        code.pushed, code.pushed_at, code.error = call.context["pushed"], timezone.now(), ""
        code.status = Status.STOPPED if code.archived_at else Status.ACTIVE
    else:
        code.status, code.error = Status.FAILED, _reason(call)
    code.save(update_fields=["config_id", "qr_code", "pushed", "pushed_at", "error", "status"])
    if code.archived_at and code.config_id:
        archive(code, by=call.requested_by)


def code_updated(call: OutgoingCall) -> None:
    code = ChannelCode.objects.filter(pk=call.context["code"]).first()
    if code is None:
        return
    if call.state == OutgoingCall.State.OK:
        code.pushed, code.error = call.context["pushed"], ""
    else:
        code.error = _reason(call)
    code.pushed_at = timezone.now()
    code.save(update_fields=["pushed", "pushed_at", "error"])


def code_deleted(call: OutgoingCall) -> None:
    """WeCom refusing to delete leaves a picture that still works: the code says so."""
    if call.state != OutgoingCall.State.OK and (code := ChannelCode.objects.filter(pk=call.context["code"]).first()):
        _note(code, _reason(call))


def find_made(call: OutgoingCall, body: dict[str, Any], client: WeComClient) -> dict[str, Any] | None:
    """Look up whether a code whose answer was lost was made: among the app's newest ways, by its state (path/92572)."""
    start, cursor = int(call.created_at.timestamp()) - 300, ""
    while True:
        page = client.call(
            "externalcontact/list_contact_way",
            {"start_time": start, "end_time": int(timezone.now().timestamp()) + 300, "limit": 1000}
            | ({"cursor": cursor} if cursor else {}),
        )
        for row in page.get("contact_way") or []:
            try:
                way = client.call("externalcontact/get_contact_way", {"config_id": row["config_id"]})["contact_way"]
            except WeComRefused:
                continue  # deleted meanwhile
            if way.get("state") == body["state"]:
                return {"config_id": way["config_id"], "qr_code": way.get("qr_code", "")}
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return None


def _reason(call: OutgoingCall) -> str:
    words = words_for(call.result_code)
    return f"{words.cause}{words.fix}"[:200]


# -- whom they bring ---------------------------------------------------------------------------------------------------


_BY_CODE = """
SELECT c.id, f.id FROM contacts_follow f JOIN acquisition_channelcode c ON c.state = f.state
WHERE f.id = ANY(%s) AND f.state <> '' ORDER BY f.id
"""


def customers_came(follow_ids: Iterable[int]) -> None:
    """New friendships by way of a code get its tags and its stage, once each."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_CODE, [numbers(follow_ids)])
        by_code = cursor.fetchall()
    if not by_code:
        return
    codes = {code.state: code for code in ChannelCode.objects.filter(pk__in={pk for pk, _follow in by_code})}
    follows = list(Follow.objects.filter(pk__in=[pk for _code, pk in by_code]).select_related("customer", "staff"))
    for follow in follows:
        _mark(codes[follow.state], follow)
    for code in codes.values():
        new = [follow.customer_id for follow in follows if follow.state == code.state and not follow.customer.stage_id]
        if code.stage is not None and code.stage.archived_at is None and new:
            move_to_stage(new, code.stage, by=_by(code), source="system")


def _mark(code: ChannelCode, follow: Follow) -> None:
    """What cannot be tagged is no reason to lose the customer: the event itself goes on."""
    tags = list(Tag.objects.filter(pk__in=code.tag_ids, deleted_at=None).exclude(group__wecom_id=""))
    if not tags or follow.ended_at is not None:
        return
    key = f"code:{code.pk}:{follow.pk}:{follow.added_at.timestamp():.0f}"
    try:
        change_tags(follow, add=tags, by=_by(code), source="system", key=key)
    except ValidationError as refused:
        logger.warning("code %s: friendship %s is not tagged: %s", code.pk, follow.pk, "; ".join(refused.messages))


def _by(code: ChannelCode) -> str:
    return _("活码：%(name)s") % {"name": code.name}
