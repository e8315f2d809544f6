"""流失提醒: who deleted whom and when, whether a colleague is still a friend, and whom a loss is told to."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any

from django import forms
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.timezone import make_aware
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from console.access import operator_required, role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitModelForm
from console.lists import Column, Empty, Filters, ListPage
from contacts.friendships import channels_of
from contacts.losses import loss_alert
from contacts.models import Customer, Follow, LossAlert
from contacts.views import last_sync, staff_choices
from members.models import Staff

DAYS = 7
OTHERS = [("", _("不限")), ("none", _("没有其他好友")), ("some", _("还有同事是好友"))]


class LossFilters(Filters):
    searched_by = "q"
    more = ("ended_from", "ended_to")

    q = forms.CharField(label=_("搜索昵称、备注、企业"), max_length=64)
    staff = forms.ModelChoiceField(Staff.objects.none(), label=_("员工"), empty_label=_("全部员工"))
    by = forms.ChoiceField(label=_("怎样流失"), choices=[("", _("全部")), *Follow.EndedBy.choices])
    others = forms.ChoiceField(label=_("其他好友"), choices=OTHERS)
    channel = forms.ChoiceField(label=_("渠道活码"))  # there for who comes from the numbers of a code
    ended_from = forms.DateField(label=_("流失日期从"), widget=forms.DateInput(attrs={"type": "date"}))
    ended_to = forms.DateField(label=_("流失日期到"), widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operator = operator
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
        if by := values.get("by"):
            rows = rows.filter(ended_by=by)
        if channel := values.get("channel"):
            rows = rows.filter(state=channel, half=False)  # as the code counts
        if others := values.get("others"):
            there = Exists(friends_of(OuterRef("customer"), self.operator))
            rows = rows.filter(~there if others == "none" else there)
        if start := values.get("ended_from"):
            rows = rows.filter(ended_at__gte=make_aware(datetime.combine(start, time.min)))
        if end := values.get("ended_to"):
            rows = rows.filter(ended_at__lt=make_aware(datetime.combine(end + timedelta(days=1), time.min)))
        return rows


def friends_of(customer: Any, operator: Any) -> QuerySet[Follow]:
    """Friendships that go on, of those the operator may see."""
    return Follow.objects.visible_to(operator).living().filter(customer=customer)


LOSSES = ListPage(
    title=_("流失提醒"),
    unit=_("段结束的好友关系"),
    help=_("客户与员工的好友关系一结束就记在这里：谁删除了谁、认识了多久、还有没有同事是好友。"),
    columns=(
        Column(_("客户")),
        Column(_("怎样流失")),
        Column(_("员工"), kind="wide"),
        Column(_("成为好友多久"), kind="wide"),
        Column(_("还是好友的同事"), kind="wide"),
        Column(_("流失时间"), sort="ended_at", kind="time wide"),
    ),
    row="contacts/_loss.html",
    order="-ended_at",
    filters=LossFilters,
    row_url=lambda follow: reverse("contacts:customer", args=[follow.customer_id]),
    empty=Empty(_("还没有客户流失"), _("客户删除员工，或员工删除客户，都会出现在这里。"), picture="done"),
    template="contacts/losses.html",
)


@require_GET
@operator_required
def losses(request: HttpRequest) -> HttpResponse:
    ended = Follow.objects.visible_to(request.user).exclude(ended_at=None)
    page = replace(LOSSES, filters=partial(LossFilters, operator=request.user))
    prepare = partial(with_colleagues, operator=request.user)
    context = {"week": of_the_week(ended, request.user), "alert": loss_alert(), "since": since()}
    rows = ended.select_related("customer", "staff")
    return page.respond(request, rows, prepare=prepare, fresh_at=last_sync(connection.tenant.pk), context=context)


def since() -> str:
    return (timezone.localdate() - timedelta(days=DAYS - 1)).isoformat()


def of_the_week(ended: QuerySet[Follow], operator: Any) -> dict[str, int]:
    """The tiles: the last seven days, today included."""
    start = make_aware(datetime.combine(timezone.localdate() - timedelta(days=DAYS - 1), time.min))
    alone = ~Exists(friends_of(OuterRef("customer"), operator))
    counts: dict[str, int] = ended.filter(ended_at__gte=start).aggregate(
        by_customer=Count("pk", filter=Q(ended_by=Follow.EndedBy.CUSTOMER)),
        by_staff=Count("pk", filter=Q(ended_by=Follow.EndedBy.STAFF)),
        alone=Count("pk", filter=alone),
    )
    return counts


def with_colleagues(follows: list[Follow], operator: Any) -> list[Follow]:
    """Who of the staff is still a friend of the customers on one page."""
    living = Follow.objects.visible_to(operator).living().filter(customer__in=[one.customer_id for one in follows])
    colleagues: dict[int, list[str]] = {}
    for follow in living.select_related("staff").order_by("added_at", "id"):
        colleagues.setdefault(follow.customer_id, []).append(str(follow.staff))
    for follow in follows:
        follow.colleagues = colleagues.get(follow.customer_id, [])  # type: ignore[attr-defined]
        span = (follow.ended_at or follow.added_at) - follow.added_at
        follow.known_days = max(0, span.days)  # type: ignore[attr-defined]
    return follows


class LossAlertForm(KitModelForm):
    class Meta:
        model = LossAlert
        fields = ("on_deleted_by_customer", "on_deleted_by_staff", "to_staff", "to_manager")
        help_texts = {
            "on_deleted_by_staff": _("员工自己删除客户时只提醒部门负责人"),
            "to_manager": _("员工所在部门在企业微信通讯录里的负责人；没有负责人时提醒上级部门的负责人"),
        }


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def settings(request: HttpRequest) -> HttpResponse:
    form = LossAlertForm(request.POST or None, instance=loss_alert())
    if request.method == "POST" and form.is_valid():
        form.save()
        record(request, "loss_alert.save", detail={name: form.cleaned_data[name] for name in form.changed_data})
        return done(request, _now("已保存"), back_to="contacts:losses", leave=True)
    context = {
        "title": _now("流失提醒设置"),
        "note": _now("提醒以应用消息发给在应用可见范围内的员工"),
        "form": form,
        "submit": _now("保存"),
    }
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))
