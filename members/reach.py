"""App messages to members of the company: posted to the outbox, told once, and never more than WeCom shows."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from members.models import Department, Staff, StaffDepartment
from tenants import outbox
from tenants.current import current_tenant
from tenants.models import CorpApp, Domain, OutgoingCall

RECEIVERS = 1000  # of one message, as message/send has it (path/90236); sizes below are in bytes
TITLE, TEXT, URL = 128, 512, 2048
DEDUPE_SECONDS = 1800
PURPOSE = "tell"

BUTTON = _("查看详情")
MORE = "…"


def tell(staff: Iterable[Staff], *, title: Any, text: Any, url: str, key: str, kind: str) -> list[OutgoingCall]:
    """A card in WeCom's own window for these members, once per `key`: telling it again posts nothing more.

    `kind` names the sort of news ("loss", "task" …), `url` is a path on the company's own host or a whole address, a
    page that these members may enter (`page_for`). Who
    cannot be reached (left, disabled, outside the app's visible range) is left out. How often one member is told a
    minute is watched where the call is made (`tenants.limits`).
    """
    app = CorpApp.objects.filter(tenant=current_tenant(), is_main=True).first()
    userids = sorted({one.userid for one in staff if can_be_told(one)})
    if app is None or app.agent_id is None or not userids:
        return []
    with override(settings.LANGUAGE_CODE):  # of the company, not of the operator whose act it follows
        card = {
            "title": cut(str(title), TITLE),
            "description": cut(str(text), TEXT) or " ",
            "url": address(url)[:URL],
            "btntxt": str(BUTTON),
        }
    return [
        outbox.post(
            "message/send",
            {
                "touser": "|".join(some),
                "agentid": app.agent_id,
                "msgtype": "textcard",
                "textcard": card,
                "enable_duplicate_check": 1,  # a repeat after a lost answer is dropped by WeCom itself
                "duplicate_check_interval": DEDUPE_SECONDS,
            },
            purpose=PURPOSE,
            idem_key=f"{PURPOSE}:{kind}:{key}:{number}",
            priority=OutgoingCall.Priority.NOTICE,
            context={"kind": kind, "receivers": len(some)},
            by=kind,
        )
        for number, some in enumerate(parts(userids))
    ]


def page_for(staff: Staff, console: str = "", *, customer: int | None = None) -> str:
    """A page that this member may enter: of the console with an account there, else of the sidebar, where `customer`
    names one of their own. Without one it is their day, or their team for news that have a page of the console."""
    if console and staff.operator is not None and staff.operator.is_active:
        return console
    if console and customer is None:
        return reverse("sidebar:team")
    return reverse("sidebar:today") if customer is None else reverse("sidebar:customer", args=[customer])


def can_be_told(staff: Staff) -> bool:
    return staff.visible and staff.left_at is None and staff.status == Staff.Status.ACTIVE


def parts(userids: Sequence[str]) -> list[Sequence[str]]:
    return [userids[start : start + RECEIVERS] for start in range(0, len(userids), RECEIVERS)]


def cut(text: str, limit: int) -> str:
    """The text as WeCom shows it, its markup told apart from ours, in at most so many bytes."""
    shown = [escape(char, quote=False) if char != "\n" else "<br>" for char in text]
    left = limit if sum(len(one.encode()) for one in shown) <= limit else limit - len(MORE.encode())
    kept: list[str] = []
    for one in shown:
        left -= len(one.encode())
        if left < 0:
            return "".join(kept) + MORE
        kept.append(one)
    return "".join(kept)


def address(path: str) -> str:
    """A path of ours as the members of this company open it."""
    if not path.startswith("/"):
        return path
    domain = Domain.objects.filter(tenant=current_tenant(), is_primary=True).values_list("domain", flat=True).first()
    scheme = "https" if settings.HTTPS else "http"
    return f"{scheme}://{domain or settings.BASE_DOMAIN}{settings.PUBLIC_URL_SUFFIX}{path}"


# -- who leads whom ----------------------------------------------------------------------------------------------------


def manager_of(staff: Staff) -> Staff | None:
    """The nearest leader (部门负责人): of the member's own department, else of the one above it, and so on."""
    return managers_of([staff]).get(staff.pk)


def managers_of(staff: Iterable[Staff]) -> dict[int, Staff]:
    """The managers of many members by their ids, with their accounts, in three statements; who leads is led by the
    department above."""
    people = {one.pk: one for one in staff}
    placed: dict[int, list[int]] = {}
    for row in StaffDepartment.objects.filter(staff__in=people, department__deleted_at=None).order_by("id"):
        placed.setdefault(row.staff_id, []).append(row.department_id)
    departments = {one.pk: one for one in Department.objects.filter(deleted_at=None)} if placed else {}
    by_wecom_id = {one.wecom_id: one for one in departments.values()}
    leaders: dict[int, list[Staff]] = {}
    led = StaffDepartment.objects.filter(is_leader=True, staff__left_at=None, staff__status=Staff.Status.ACTIVE)
    for row in led.select_related("staff__operator").order_by("id") if placed else ():
        leaders.setdefault(row.department_id, []).append(row.staff)
    found: dict[int, Staff] = {}
    for pk, one in people.items():
        mine = sorted(placed.get(pk, ()), key=lambda department: department != one.main_department_id)
        for department in mine:
            path = reversed(departments[department].path or [departments[department].wecom_id])
            above = (by_wecom_id[wecom_id] for wecom_id in path if wecom_id in by_wecom_id)
            if manager := next((who for place in above for who in leaders.get(place.pk, ()) if who.pk != pk), None):
                found[pk] = manager
                break
    return found
