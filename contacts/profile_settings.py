"""设置 / 自定义字段与阶段: the company's pipeline and the fields of its own on customers."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access import role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from contacts import custom_fields, stages
from contacts.models import Customer, CustomField, Stage
from contacts.order import shift
from contacts.profile import living_fields

manager = role_required("owner", "admin")
BACK = "contacts:profile_settings"


@require_GET
@manager
def page(request: HttpRequest) -> HttpResponse:
    """The page, or the part that htmx asks for after a change."""
    mine = Customer.objects.visible_to(request.user).exclude(first_added_at=None)
    counts = dict(mine.order_by().values_list("stage").annotate(n=Count("pk")))
    pipeline = list(stages.living_stages())
    for one in pipeline:
        one.customer_count = counts.get(one.pk, 0)  # type: ignore[attr-defined]
    context = {
        "stages": pipeline,
        "old_stages": Stage.objects.exclude(archived_at=None).order_by("-archived_at", "-id"),
        "fields": living_fields(),
        "old_fields": CustomField.objects.exclude(archived_at=None).order_by("-archived_at", "-id"),
    }
    part = request.headers.get("HX-Target") == "profile-settings"
    return render(request, "contacts/_profile_settings.html" if part else "contacts/profile_settings.html", context)


class StageForm(KitForm):
    name = forms.CharField(label=_("阶段名称"), max_length=20)
    outcome = forms.ChoiceField(
        label=_("含义"),
        choices=Stage.Outcome.choices,
        help_text=_("“成交”和“放弃”是这条路的终点，用于统计成交客户和不再跟进的客户"),
    )


class FieldForm(KitForm):
    name = forms.CharField(label=_("字段名称"), max_length=20)
    kind = forms.ChoiceField(label=_("类型"), choices=CustomField.Kind.choices)
    choices = forms.CharField(
        label=_("选项"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=_("只用于“单选”，每行一个选项"),
    )
    in_sidebar = forms.BooleanField(label=_("显示在侧边栏"), required=False, initial=True)

    def __init__(self, *args: Any, fixed: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if fixed:  # stored values are of this kind
            self.fields["kind"].disabled = True
            self.fields["kind"].help_text = _("创建后不能更改")

    @property
    def lines(self) -> list[str]:
        return self.cleaned_data["choices"].splitlines()


def write(request: HttpRequest, form: KitForm, save: Callable[[], Any], *, title: str, action: str) -> HttpResponse:
    """A drawer's form: show it, or save it and say so."""
    if request.method == "POST" and form.is_valid():
        try:
            save()
        except ValidationError as error:
            form.add_error(None, error)
        else:
            record(request, action, target=form.cleaned_data["name"])
            return done(request, _now("已保存"), back_to=BACK)
    context = {"title": title, "form": form, "submit": _now("保存")}
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))


# -- stages ------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@manager
def new_stage(request: HttpRequest) -> HttpResponse:
    form = StageForm(request.POST or None)
    title = _now("新建阶段")
    return write(request, form, lambda: stages.add_stage(**form.cleaned_data), title=title, action="stage.create")


@require_http_methods(["GET", "POST"])
@manager
def stage(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(stages.living_stages(), pk=pk)
    form = StageForm(request.POST or None, initial={"name": found.name, "outcome": found.outcome})
    title = _now("修改阶段")
    return write(
        request, form, lambda: stages.change_stage(found, **form.cleaned_data), title=title, action="stage.change"
    )


@require_POST
@manager
def stage_away(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(stages.living_stages(), pk=pk)
    stages.put_away(found)
    record(request, "stage.put_away", target=found.name)
    undo = reverse("contacts:stage_back", args=[found.pk])
    return done(request, _now("已停用阶段“%(name)s”") % {"name": found.name}, back_to=BACK, undo=undo)


@require_POST
@manager
def stage_back(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Stage.objects.exclude(archived_at=None), pk=pk)
    return restored(request, lambda: stages.bring_back(found), found.name, "stage.bring_back")


@require_POST
@manager
def stage_shift(request: HttpRequest, pk: int, step: int) -> HttpResponse:
    found = get_object_or_404(stages.living_stages(), pk=pk)
    shift(stages.living_stages(), found, step)
    return moved(request)


# -- fields ------------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@manager
def new_field(request: HttpRequest) -> HttpResponse:
    form = FieldForm(request.POST or None)

    def save() -> None:
        values = form.cleaned_data
        custom_fields.add_field(values["name"], values["kind"], choices=form.lines, in_sidebar=values["in_sidebar"])

    return write(request, form, save, title=_now("新建字段"), action="field.create")


@require_http_methods(["GET", "POST"])
@manager
def field(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(living_fields(), pk=pk)
    initial = {
        "name": found.name,
        "kind": found.kind,
        "choices": "\n".join(found.choices),
        "in_sidebar": found.in_sidebar,
    }
    form = FieldForm(request.POST or None, initial=initial, fixed=True)

    def save() -> None:
        values = form.cleaned_data
        custom_fields.change_field(found, name=values["name"], choices=form.lines, in_sidebar=values["in_sidebar"])

    return write(request, form, save, title=_now("修改字段"), action="field.change")


@require_POST
@manager
def field_away(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(living_fields(), pk=pk)
    custom_fields.put_away(found)
    record(request, "field.put_away", target=found.name)
    undo = reverse("contacts:field_back", args=[found.pk])
    return done(request, _now("已停用字段“%(name)s”") % {"name": found.name}, back_to=BACK, undo=undo)


@require_POST
@manager
def field_back(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(CustomField.objects.exclude(archived_at=None), pk=pk)
    return restored(request, lambda: custom_fields.bring_back(found), found.name, "field.bring_back")


@require_POST
@manager
def field_shift(request: HttpRequest, pk: int, step: int) -> HttpResponse:
    found = get_object_or_404(living_fields(), pk=pk)
    shift(living_fields(), found, step)
    return moved(request)


# -- both --------------------------------------------------------------------------------------------------------------


def restored(request: HttpRequest, bring_back: Callable[[], Any], name: str, action: str) -> HttpResponse:
    try:
        bring_back()
    except ValidationError as error:
        return done(request, " ".join(error.messages), back_to=BACK, level="error")
    record(request, action, target=name)
    return done(request, _now("已恢复“%(name)s”") % {"name": name}, back_to=BACK)


def moved(request: HttpRequest) -> HttpResponse:
    return done(request, _now("顺序已保存"), back_to=BACK)
