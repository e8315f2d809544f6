"""好友关系: every staff member with every customer of theirs, where one customer of three stands three times."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from django import forms
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from console.access import operator_required
from console.lists import Column, Empty, Filters, ListPage
from contacts.daily import start_of
from contacts.models import Customer, Follow
from contacts.queries import FACTS
from contacts.views import last_sync, staff_choices
from contacts.wording import CODES
from members.models import Staff

STATES = [
    ("", _("全部状态")),
    ("friends", _("好友")),
    ("deleted_by_customer", _("被客户删除")),
    ("deleted_by_staff", _("被员工删除")),
    ("ended", _("已结束")),
]
MEANT = {**FACTS, "ended": {"ended_at__isnull": False}}


def channels_of(state: str) -> list[tuple[str, Any]]:
    """The choice of the channel code that was asked for."""
    return [("", _("全部渠道")), *(one for found in CODES for one in found([state]).items())]


class FriendshipFilters(Filters):
    searched_by = "q"
    more = ("added_from", "added_to")

    q = forms.CharField(label=_("搜索昵称、备注、企业"), max_length=64)
    staff = forms.ModelChoiceField(Staff.objects.none(), label=_("员工"), empty_label=_("全部员工"))
    state = forms.ChoiceField(label=_("状态"), choices=STATES)
    channel = forms.ChoiceField(label=_("渠道活码"))  # there for who comes from the numbers of a code
    added_from = forms.DateField(label=_("添加日期从"), widget=forms.DateInput(attrs={"type": "date"}))
    added_to = forms.DateField(label=_("添加日期到"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["staff"].queryset = staff_choices(operator)
        if asked := self.data.get("channel"):
            self.fields["channel"].choices = channels_of(asked)
        else:
            del self.fields["channel"]

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(customer__in=Customer.objects.search(term))
        if staff := values.get("staff"):
            rows = rows.filter(staff=staff)
        if channel := values.get("channel"):
            rows = rows.filter(state=channel, half=False)  # as the code counts
        if first := values.get("added_from"):
            rows = rows.filter(added_at__gte=start_of(first))
        if last := values.get("added_to"):
            rows = rows.filter(added_at__lt=start_of(last + timedelta(days=1)))
        return rows.filter(**MEANT.get(values.get("state", ""), {}))


FRIENDSHIPS = ListPage(
    title=_("好友关系"),
    unit=_("段好友关系"),
    help=_("同一位客户被多名员工添加时，这里每段关系各占一行；按人去重的名单请看客户列表。"),
    columns=(
        Column(_("客户")),
        Column(_("员工")),
        Column(_("备注"), kind="wide"),
        Column(_("添加方式"), kind="wide"),
        Column(_("状态")),
        Column(_("添加时间"), sort="added_at", kind="time wide"),
    ),
    row="contacts/_friendship.html",
    order="-added_at",
    filters=FriendshipFilters,
    row_url=lambda follow: reverse("contacts:customer", args=[follow.customer_id]),
    empty=Empty(
        _("还没有好友关系"),
        _("接入企业微信并完成首次同步后，员工和客户的好友关系会出现在这里。"),
        _("去接入企业微信"),
        "callbacks:connection",
        picture="people",
    ),
)


@require_GET
@operator_required
def friendships(request: HttpRequest) -> HttpResponse:
    # two statements more: with joins all of 100,000 friendships are joined before they are sorted (140 ms; alone 15)
    rows = Follow.objects.visible_to(request.user).prefetch_related("customer", "staff")
    page = replace(FRIENDSHIPS, filters=partial(FriendshipFilters, operator=request.user))
    return page.respond(request, rows, fresh_at=last_sync(connection.tenant.pk))
