"""The very people behind a number of the preflight: who is meant, who will get it, who is left out and why."""

from dataclasses import replace
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from broadcasts.audience import EXPECTED, expected_ids, left_out_ids, reach_of
from broadcasts.models import Broadcast, LeftOut
from broadcasts.pages import shown
from console.access import operator_required
from console.lists import Column, Empty, ListPage
from contacts.models import Customer, Follow, GroupChat
from members.scope import visible_staff

State, Kind = Broadcast.State, Broadcast.Kind

LEFT_OUT = ListPage(
    title=_("群发"),
    unit=_("位客户"),
    columns=(Column(_("客户")), Column(_("跟进员工"), kind="wide")),
    row="broadcasts/_left_out.html",
    order="-id",
    template="broadcasts/left_out.html",
    empty=Empty(_("没有客户"), picture="done"),
)
LABELS = {
    **dict(LeftOut.Reason.choices),
    "matched": _("符合条件"),
    "receivers": _("预计可收到"),
    "crowded": _("可能收不到"),
}


@require_GET
@operator_required
def left_out(request: HttpRequest, pk: int, reason: str) -> HttpResponse:
    """Why there are fewer; and before it is sent, of how many."""
    found = shown(request, pk)
    if reason not in LABELS:
        raise Http404
    if found.state == State.DRAFT:  # as the preflight that this operator reads
        found.scope_staff_ids = reach_of(request.user)
    elif reason in EXPECTED and found.state != State.SCHEDULED:
        return redirect("broadcasts:receivers", pk)
    groups = found.kind == Kind.GROUPS
    rows = left_out_of(found, reason, request.user)
    page = replace(LEFT_OUT, title=_now("%(title)s：%(reason)s") % {"title": found.title, "reason": LABELS[reason]})
    if groups:
        page = replace(page, unit=_("个客户群"), columns=(Column(_("客户群")), Column(_("群主"), kind="wide")))
    return page.respond(
        request,
        rows,
        prepare=partial(with_friends, operator=request.user),
        context={"broadcast": found, "groups": groups, "expected": LABELS[reason] if reason in EXPECTED else ""},
    )


def left_out_of(found: Broadcast, reason: str, operator: Any) -> QuerySet[Any]:
    model = GroupChat if found.kind == Kind.GROUPS else Customer
    sql, params = (expected_ids if reason in EXPECTED else left_out_ids)(found, reason)
    return model.objects.visible_to(operator).filter(pk__in=RawSQL(sql, params))  # type: ignore[no-any-return]  # noqa: S611


def left_out_numbers(found: Broadcast, operator: Any) -> list[tuple[str, str, int]]:
    """Reason, in words, and how many; for an operator of a range those in the list behind it."""
    rows = found.left_out.order_by("reason")
    if visible_staff(operator) is None:
        return [(one.reason, one.get_reason_display(), one.total) for one in rows]
    return [(one.reason, one.get_reason_display(), left_out_of(found, one.reason, operator).count()) for one in rows]


def with_friends(rows: list[Any], operator: Any) -> list[Any]:
    follows = Follow.objects.visible_to(operator).filter(customer__in=[row.pk for row in rows]).select_related("staff")
    friends: dict[int, list[Follow]] = {}
    for follow in follows.order_by("ended_at", "id") if rows and isinstance(rows[0], Customer) else ():
        friends.setdefault(follow.customer_id, []).append(follow)
    for row in rows:
        row.friends = friends.get(row.pk, [])
    return rows
