"""客户群: the list, and one group with its members, those who left included."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from django import forms
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from console.access import operator_required
from console.keyset import paginate
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import Customer, GroupChat, GroupMember, TimelineEntry
from contacts.views import last_sync
from members.models import Staff

STATES = [("", _("全部状态")), ("open", _("正常")), ("dismissed", _("已解散"))]


class GroupFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索群名称"), max_length=64)
    owner = forms.ModelChoiceField(Staff.objects.none(), label=_("群主"), empty_label=_("全部群主"))
    state = forms.ChoiceField(label=_("状态"), choices=STATES)

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chats = GroupChat.objects.visible_to(operator).filter(owner=OuterRef("pk"))
        self.fields["owner"].queryset = Staff.objects.filter(Exists(chats)).order_by("pinyin", "id")

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.search(term)
        if owner := values.get("owner"):
            rows = rows.filter(owner=owner)
        if state := values.get("state"):
            rows = rows.filter(dismissed_at__isnull=state == "open")
        return rows


GROUPS = ListPage(
    title=_("客户群"),
    unit=_("个群"),
    help=_("客户群以群主为准：您能看到自己数据范围内员工担任群主的群。"),
    columns=(
        Column(_("群名称")),
        Column(_("群主"), kind="wide"),
        Column(_("群人数"), sort="member_count", kind="number"),
        Column(_("客户数"), sort="customer_count", kind="number wide"),
        Column(_("状态")),
        Column(_("创建时间"), sort="opened_at", kind="time wide"),
    ),
    row="contacts/_group.html",
    order="-opened_at",
    filters=GroupFilters,
    row_url=lambda group: reverse("contacts:group", args=[group.pk]),
    empty=Empty(
        _("还没有客户群"),
        _("接入企业微信并完成首次同步后，员工担任群主的客户群会出现在这里。"),
        _("去接入企业微信"),
        "callbacks:connection",
        picture="chat",
    ),
)


@require_GET
@operator_required
def groups(request: HttpRequest) -> HttpResponse:
    rows = GroupChat.objects.visible_to(request.user).select_related("owner")
    page = replace(GROUPS, filters=partial(GroupFilters, operator=request.user))
    return page.respond(request, rows, fresh_at=last_sync(connection.tenant.pk))


def with_pictures(stays: Iterable[GroupMember], operator: Any) -> list[GroupMember]:
    """A member who is someone else's customer is named by the group, but there is no page to open."""
    rows = list(stays)
    mine = Customer.objects.visible_to(operator).filter(pk__in=[row.customer_id for row in rows if row.customer_id])
    may_open = set(mine.values_list("pk", flat=True))
    for row in rows:
        row.may_open = row.customer_id in may_open  # type: ignore[attr-defined]
        row.picture = row.customer.avatar if row.customer else ""  # type: ignore[attr-defined]
    return rows


@require_GET
@operator_required
def group(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(GroupChat.objects.visible_to(request.user).select_related("owner"), pk=pk)
    stays = GroupMember.objects.filter(chat=found).select_related("customer").order_by("kind", "joined_at", "id")
    events = (
        TimelineEntry.objects.visible_to(request.user).filter(chat=found).select_related("staff", "chat", "customer")
    )
    context = {
        "group": found,
        "present": with_pictures(stays.filter(left_at=None)[:500], request.user),
        "gone": with_pictures(stays.exclude(left_at=None).order_by("-left_at", "-id")[:100], request.user),
        "timeline": {"entries": paginate(events, "-at", "", 30).rows, "next": "", "side": "", "first": True},
    }
    return render(request, "contacts/group.html", context)
