"""What the company writes itself on a customer's page: stage, custom fields, 跟进记录; and the list 待跟进."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from console.access import operator_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import Customer, CustomField, FollowUp, Stage, TimelineEntry
from contacts.profile import change_fields, finish_follow_up, reopen_follow_up, shown_fields, write_follow_up
from contacts.stages import living_stages, move_to_stage
from members.models import Staff

CONSOLE = TimelineEntry.Source.CONSOLE
SHOWN = 10


def customer_or_404(request: HttpRequest, pk: int) -> Customer:
    return get_object_or_404(Customer.objects.visible_to(request.user).select_related("stage"), pk=pk)


def page_of(customer_id: int) -> str:
    return reverse("contacts:customer", args=[customer_id])


def told(response: HttpResponse) -> HttpResponse:
    """What was done stands on the timeline now."""
    return trigger_client_event(response, "timeline:refresh", {})


# -- stage and fields --------------------------------------------------------------------------------------------------


def profile_of(customer: Customer) -> dict[str, Any]:
    """For the part of the page: the pipeline, with the customer's own stage even when it was put away."""
    stages = list(living_stages())
    if customer.stage and customer.stage not in stages:
        stages.append(customer.stage)
    return {"customer": customer, "stages": stages, "fields": shown_fields(customer)}


@require_GET
@operator_required
def profile(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "contacts/_profile.html", profile_of(customer_or_404(request, pk)))


@require_POST
@operator_required
def stage(request: HttpRequest, pk: int) -> HttpResponse:
    """Move the customer; `to` is the stage's id, empty for none. The undo posts it in the address."""
    found = customer_or_404(request, pk)
    asked = request.POST.get("to", request.GET.get("to", ""))
    if asked and not (asked.isascii() and asked.isdigit()):
        raise Http404
    to = get_object_or_404(living_stages(), pk=asked) if asked else None
    before = found.stage
    if not move_to_stage([found.pk], to, by=request.user.get_username(), source=CONSOLE):
        return done(request, _now("阶段没有变化"), back_to=page_of(pk), level="info")
    names = [str(one) if one else _now("未设阶段") for one in (before, to)]
    record(request, "customer.stage", target=found.external_userid, detail={"stage": names})
    undo = f"{request.path}?to={before.pk if before else ''}" if before is None or before.archived_at is None else ""
    return told(done(request, _now("阶段已改为“%(stage)s”") % {"stage": names[1]}, back_to=page_of(pk), undo=undo))


def fields_form(customer: Customer) -> type[KitForm]:
    """The company's fields as inputs. What may stand in them is said by `clean_fields` alone."""
    inputs = {field.key: input_of(field, value) for field, value in shown_fields(customer)}
    return type("FieldsForm", (KitForm,), dict(inputs))


def input_of(field: CustomField, value: Any) -> forms.Field:
    given: dict[str, Any] = {"label": field.name, "required": False, "initial": value}
    if field.kind == CustomField.Kind.CHOICE:
        kept = [value] if value and value not in field.choices else []
        options = [("", _now("未填写")), *((one, one) for one in [*field.choices, *kept])]
        return forms.ChoiceField(choices=options, **given)
    kinds = {CustomField.Kind.NUMBER: {"inputmode": "decimal"}, CustomField.Kind.DATE: {"type": "date"}}
    return forms.CharField(widget=forms.TextInput(attrs=kinds.get(CustomField.Kind(field.kind), {})), **given)


@require_http_methods(["GET", "POST"])
@operator_required
def fields(request: HttpRequest, pk: int) -> HttpResponse:
    found = customer_or_404(request, pk)
    form = fields_form(found)(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            changes = change_fields(found, form.cleaned_data, by=request.user.get_username(), source=CONSOLE)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            if not changes:
                return done(request, _now("资料没有变化"), back_to=page_of(pk), level="info")
            names = {field.key: field.name for field, _value in shown_fields(found)}
            detail = {names[key]: ["—" if one is None else one for one in pair] for key, pair in changes.items()}
            record(request, "customer.fields", target=found.external_userid, detail=detail)
            return told(done(request, _now("已保存"), back_to=page_of(pk)))
    context = {"title": _now("编辑资料"), "note": str(found), "form": form, "submit": _now("保存")}
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))


# -- 跟进记录 ----------------------------------------------------------------------------------------------------------


def follow_ups_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    rows = FollowUp.objects.visible_to(request.user).filter(customer=customer).select_related("staff")
    found = list(rows.order_by("-created_at", "-id")[: SHOWN + 1])
    return {"customer": customer, "follow_ups": found[:SHOWN], "more": len(found) > SHOWN, "now": timezone.now()}


@require_GET
@operator_required
def follow_ups(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "contacts/_follow_ups.html", follow_ups_of(request, customer_or_404(request, pk)))


class FollowUpForm(KitForm):
    text = forms.CharField(
        label=_("跟进内容"), max_length=2000, widget=forms.Textarea(attrs={"rows": 5, "autofocus": True})
    )
    next_at = forms.DateTimeField(
        label=_("下次跟进时间"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("到时间会发应用消息提醒，并出现在“待跟进”里；不填就只留下记录"),
    )


@require_http_methods(["GET", "POST"])
@operator_required
def write(request: HttpRequest, pk: int) -> HttpResponse:
    found = customer_or_404(request, pk)
    form = FollowUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        me = Staff.objects.filter(operator=request.user.pk).first()
        try:
            write_follow_up(found, **form.cleaned_data, staff=me, by=request.user.get_username(), source=CONSOLE)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return told(done(request, _now("已记录"), back_to=page_of(pk)))
    context = {"title": _now("写跟进"), "note": str(found), "form": form, "submit": _now("保存")}
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))


@require_POST
@operator_required
def finish(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(FollowUp.objects.visible_to(request.user), pk=pk)
    undo = reverse("contacts:reopen_follow_up", args=[row.pk]) if finish_follow_up(row) else ""
    return done(request, _now("已完成这次跟进"), back_to=reverse("contacts:due"), undo=undo)


@require_POST
@operator_required
def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """The way back from `finish`."""
    reopen_follow_up(get_object_or_404(FollowUp.objects.visible_to(request.user), pk=pk))
    return done(request, _now("已放回待跟进"), back_to=reverse("contacts:due"))


# -- 待跟进 ------------------------------------------------------------------------------------------------------------

STATES = [("", _("全部待跟进")), ("due", _("今天及以前")), ("week", _("今后 7 天")), ("done", _("已完成"))]
WHOSE = [("", _("所有人")), ("own", _("只看我的"))]


def end_of_today() -> Any:
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


class DueFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索客户"), max_length=64)
    state = forms.ChoiceField(label=_("时间"), choices=STATES)
    whose = forms.ChoiceField(label=_("范围"), choices=WHOSE)
    staff = forms.ModelChoiceField(Staff.objects.none(), label=_("跟进人"), empty_label=_("全部员工"))

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.operator = operator
        wrote = FollowUp.objects.visible_to(operator).filter(staff=OuterRef("pk"))
        self.fields["staff"].queryset = Staff.objects.filter(Exists(wrote)).order_by("pinyin", "id")

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(customer__in=Customer.objects.search(term))
        if staff := values.get("staff"):
            rows = rows.filter(staff=staff)
        if values.get("whose"):
            rows = rows.own(self.operator)
        if values.get("state") == "due":
            rows = rows.filter(next_at__lt=end_of_today())
        elif values.get("state") == "week":
            rows = rows.filter(next_at__gte=timezone.now(), next_at__lt=end_of_today() + timedelta(days=6))
        return rows


DUE = ListPage(
    title=_("待跟进"),
    unit=_("条"),
    help=_("写跟进时约好的下次时间，到期前后都在这里；完成一条，或再写一次跟进，它就不再提醒。"),
    columns=(
        Column(_("客户")),
        Column(_("跟进内容"), kind="wide"),
        Column(_("跟进人"), kind="wide"),
        Column(_("下次跟进"), sort="next_at", kind="time wide"),
        Column(_("操作"), kind="actions"),
    ),
    row="contacts/_due.html",
    order="next_at",
    filters=DueFilters,
    row_url=lambda row: page_of(row.customer_id),
    empty=Empty(
        _("没有待跟进的客户"),
        _("在客户详情里写跟进并填上下次时间，就会出现在这里。"),
        _("去客户列表"),
        "contacts:customers",
        picture="done",
    ),
)


@require_GET
@operator_required
def due(request: HttpRequest) -> HttpResponse:
    rows = FollowUp.objects.visible_to(request.user).select_related("customer", "staff")
    done_ones = request.GET.get("state") == "done"
    rows = rows.exclude(next_at=None).exclude(next_done_at=None) if done_ones else rows.open()
    page = replace(DUE, filters=partial(DueFilters, operator=request.user))
    return page.respond(request, rows, context={"now": timezone.now()})


def due_of(request: HttpRequest) -> list[QuerySet[Any]]:
    """The badge: what the operator has to come back for until the end of today."""
    return [FollowUp.objects.open().own(request.user).filter(next_at__lt=end_of_today())]


def stages_to_filter() -> list[tuple[Any, Any]]:
    """The pipeline, and what was put away while somebody is still in it."""
    used = Exists(Customer.objects.filter(stage=OuterRef("pk")))
    stages = sorted(
        Stage.objects.filter(Q(archived_at=None) | used).order_by("order", "id"),
        key=lambda one: one.archived_at is not None,
    )
    return [
        (one.pk, _now("%(name)s（已停用）") % {"name": one.name} if one.archived_at else one.name) for one in stages
    ]
