"""自动标签 in the console: rules, what each would do, and the log of what it did with the reasons."""

from datetime import timedelta
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access import operator_required, role_required
from console.answers import done
from console.audit import record
from console.forms import KitForm
from console.lists import Column, Empty, Filters, ListPage
from contacts.daily import start_of
from contacts.models import Follow, Tag
from contacts.views import TagsField
from members.scope import visible_staff
from tagging import rules
from tagging.corp_tag_pages import may_edit
from tagging.models import RuleHit, TagRule
from tagging.run_pages import in_words
from tagging.triggers import TRIGGERS, Trigger
from tagging.views import PickTags, changeable_tags

manager = role_required("owner", "admin")
DAYS = 7


class RuleForm(KitForm):
    """The name, what the trigger asks, and the effect."""

    name = forms.CharField(label=_("规则名称"), max_length=30)
    add = TagsField(Tag.objects.none(), label=_("添加标签"), required=False, widget=PickTags)
    remove = TagsField(Tag.objects.none(), label=_("移除标签"), required=False, widget=PickTags)

    trigger: Trigger

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conditions: dict[str, Any] = {}
        for name in ("add", "remove"):
            self.fields[name].queryset = changeable_tags()

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.errors:
            self.conditions = self.trigger.stored(values)
        return values


def form_of(trigger: Trigger, operator: Any, conditions: dict[str, Any]) -> type[RuleForm]:
    """With the fields that the trigger asks for, between the name and the effect."""
    asked = trigger.fields(operator, conditions)
    order = ["name", *asked, "add", "remove"]
    return type("TriggerForm", (RuleForm,), {**asked, "trigger": trigger, "field_order": order})


class RuleFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索规则名称"), max_length=30)
    tag = forms.ModelChoiceField(Tag.objects.none(), label=_("标签"), empty_label=_("全部标签"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = self.data.get("tag", "")  # there for who comes from the number beside a tag
        if asked.isdecimal() and len(asked) < 19:
            self.fields["tag"].queryset = Tag.objects.filter(pk=asked)  # type: ignore[attr-defined]
        else:
            del self.fields["tag"]

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if term := values.get("q"):
            rows = rows.filter(name__icontains=term)
        if tag := values.get("tag"):
            rows = rows.filter(Q(add__contains=[tag.pk]) | Q(remove__contains=[tag.pk]))
        return rows


RULES = ListPage(
    title=_("自动标签"),
    unit=_("条规则"),
    help=_("客户有动作时自动添加或移除标签。规则只对启用之后发生的事起作用。"),
    columns=(
        Column(_("规则")),
        Column(_("改动"), kind="wide"),
        Column(_("最近 7 天"), kind="number"),
        Column(_("状态")),
        Column(_("修改时间"), sort="updated_at", kind="time wide"),
    ),
    row="tagging/_rule.html",
    row_url=lambda rule: reverse("tagging:rule", args=[rule.pk]),
    order="-updated_at",
    filters=RuleFilters,
    empty=Empty(
        _("还没有自动标签规则"),
        _("例如：通过展会活码添加的客户打上“展会”，打开报价单的客户打上“有意向”。"),
        picture="tag",
    ),
    template="tagging/rules.html",
)


@require_GET
@operator_required
def rule_list(request: HttpRequest) -> HttpResponse:
    context = {"may_edit": may_edit(request), "triggers": TRIGGERS.values()}
    return RULES.respond(request, rules.living_rules(), prepare=partial(told, operator=request.user), context=context)


def told(rows: list[TagRule], operator: Any) -> list[TagRule]:
    """In words, with the hits that the list behind the number shows to that operator."""
    used = {key for row in rows for key in (*row.add, *row.remove)}
    tags = Tag.objects.select_related("group").in_bulk(used)
    names = {pk: tag.title for pk, tag in tags.items()}
    living = {pk for pk, tag in tags.items() if tag.deleted_at is None and tag.group.deleted_at is None}
    since = timezone.localdate() - timedelta(days=DAYS - 1)
    hits = RuleHit.objects.filter(at__gte=start_of(since))
    if visible_staff(operator) is not None:
        hits = hits.filter(follow__in=Follow.objects.visible_to(operator))
    for row in rows:
        row.when = TRIGGERS[row.trigger].in_words(row.conditions)  # type: ignore[attr-defined]
        row.effect = in_words(row.add, row.remove, names)  # type: ignore[attr-defined]
        row.lately = hits.filter(rule=row).count()  # type: ignore[attr-defined]
        row.lately_url = f"{page_of(row)}?since={since.isoformat()}"  # type: ignore[attr-defined]
        row.broken = [key for key in (*row.add, *row.remove) if key not in living]  # type: ignore[attr-defined]
    return rows


@require_http_methods(["GET", "POST"])
@manager
def new_rule(request: HttpRequest) -> HttpResponse:
    trigger = request.GET.get("trigger", "added")
    if trigger not in TRIGGERS:
        raise Http404
    return edit(request, TagRule(trigger=trigger), {}, "tag_rule.create")


@require_http_methods(["GET", "POST"])
@manager
def edit_rule(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(rules.living_rules(), pk=pk)
    initial = TRIGGERS[found.trigger].initial(found.conditions)
    initial |= {"name": found.name, "add": found.add, "remove": found.remove}
    return edit(request, found, initial, "tag_rule.change")


def edit(request: HttpRequest, found: TagRule, initial: dict[str, Any], action: str) -> HttpResponse:
    trigger = TRIGGERS[found.trigger]
    form = form_of(trigger, request.user, found.conditions)(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = {name: form.cleaned_data[name] for name in ("name", "add", "remove")}
        try:
            rules.save(found, **values, conditions=form.conditions, by=request.user.get_username())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            record(request, action, target=found.name, detail={"when": trigger.in_words(found.conditions)})
            return done(request, _now("规则已保存"), back_to=page_of(found), leave=True)
    context = {"form": form, "rule": found, "trigger": trigger}
    return render(request, "tagging/rule_form.html", context, status=422 if form.errors else 200)


def page_of(found: TagRule) -> str:
    return reverse("tagging:rule", args=[found.pk])


class HitFilters(Filters):
    state = forms.ChoiceField(label=_("结果"), choices=[("", _("全部结果")), *RuleHit.State.choices])
    since = forms.DateField(label=_("触发日期从"), widget=forms.DateInput(attrs={"type": "date"}))

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if since := values.get("since"):
            rows = rows.filter(at__gte=start_of(since))
        return rows.filter(state=values["state"]) if "state" in values else rows


HITS = ListPage(
    title=_("自动标签"),
    unit=_("次触发"),
    columns=(Column(_("客户")), Column(_("原因"), kind="wide"), Column(_("结果")), Column(_("时间"), kind="time wide")),
    row="tagging/_hit.html",
    row_url=lambda hit: reverse("contacts:customer", args=[hit.follow.customer_id]),
    order="-id",
    filters=HitFilters,
    empty=Empty(_("还没有触发过"), _("启用之后，符合条件的事情一发生就会出现在这里。"), picture="list"),
    template="tagging/rule.html",
)


@require_GET
@operator_required
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(rules.living_rules(), pk=pk)
    told([found], request.user)
    seen = Follow.objects.visible_to(request.user)
    hits = RuleHit.objects.filter(rule=found, follow__in=seen).select_related("follow__staff", "follow__customer")
    trigger = TRIGGERS[found.trigger]

    def with_reasons(rows: list[RuleHit]) -> list[RuleHit]:
        for row in rows:
            row.why = trigger.because(row.reason) or str(trigger.label)  # type: ignore[attr-defined]
        return rows

    return HITS.respond(request, hits, prepare=with_reasons, context={"rule": found, "may_edit": may_edit(request)})


@require_GET
@operator_required
def try_rule(request: HttpRequest, pk: int) -> HttpResponse:
    """The dry run: what it would have done in the last thirty days, on the friendships that one may see."""
    found = get_object_or_404(rules.living_rules(), pk=pk)
    context = {"rule": found, "trial": rules.trial(found, operator=request.user), "days": rules.TRIAL_DAYS}
    return render(request, "tagging/_trial.html", context)


@require_POST
@manager
def switch_rule(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(rules.living_rules(), pk=pk)
    found.enabled = not found.enabled
    found.save(update_fields=["enabled", "updated_at"])
    record(request, "tag_rule.switch", target=found.name, detail={"enabled": found.enabled})
    text = _now("已启用，之后发生的事会自动打标签") if found.enabled else _now("已停用")
    return done(request, text, back_to=page_of(found), leave=True)


@require_POST
@manager
def delete_rule(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(rules.living_rules(), pk=pk)
    found.archived_at, found.enabled = timezone.now(), False
    found.save(update_fields=["archived_at", "enabled"])
    record(request, "tag_rule.delete", target=found.name)
    undo = reverse("tagging:restore_rule", args=[found.pk])
    text = _now("已删除规则“%(name)s”") % {"name": found.name}
    return done(request, text, back_to="tagging:rules", undo=undo, leave=True)


@require_POST
@manager
def restore_rule(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(TagRule.objects.exclude(archived_at=None), pk=pk)
    if rules.living_rules().filter(name=found.name).exists():
        return done(request, _now("已有同名的规则，不能恢复"), back_to="tagging:rules", level="error")
    found.archived_at = None
    found.save(update_fields=["archived_at"])
    record(request, "tag_rule.restore", target=found.name)
    return done(request, _now("已恢复，需要时请重新启用"), back_to="tagging:rules")
