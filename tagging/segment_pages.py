"""人群包: the list, the builder with its live count, and who is in one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
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
from console.uses import Hold
from console.uses import in_words as in_words_of_uses
from contacts.models import Customer
from contacts.views import CUSTOMERS, people_of
from members.scope import visible_staff
from tagging import segments
from tagging.conditions import Tree, Vocabulary, in_words
from tagging.fields import ConditionsField
from tagging.models import Segment, SegmentMember
from tagging.segment_uses import refuse_if_watched, uses_of

SAMPLE = 8
LATELY = 7  # days
EVERYONE_LEFT_OUT: Tree = {"match": "all", "of": [{"is": "lost", "op": "no"}]}
"""What a new segment begins with: who deleted us cannot be reached."""


class SegmentFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索人群包名称"), max_length=30)

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        return rows.filter(name__icontains=values["q"])


SEGMENTS = ListPage(
    title=_("人群包"),
    unit=_("个人群包"),
    help=_("用条件描述一群客户。名单随客户变化自动更新，可用于群发、SOP 和任务。"),
    columns=(
        Column(_("名称和条件")),
        Column(_("客户数"), kind="number"),
        Column(_("记录进出"), kind="wide"),
        Column(_("修改时间"), sort="updated_at", kind="time wide"),
    ),
    row="tagging/_segment.html",
    row_url=lambda segment: reverse("tagging:segment", args=[segment.pk]),
    order="-updated_at",
    filters=SegmentFilters,
    empty=Empty(
        _("还没有人群包"),
        _("按标签、阶段、添加时间、最近互动等条件圈出一群客户，存下来反复使用。"),
        _("新建人群包"),
        "tagging:new_segment",
        picture="people",
    ),
    template="tagging/segments.html",
)


class SegmentForm(KitForm):
    name = forms.CharField(label=_("人群包名称"), max_length=30)
    tree = ConditionsField(label=_("条件"))

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tree"].of(operator)


def living() -> QuerySet[Segment]:
    return Segment.objects.filter(archived_at=None)


@require_GET
@operator_required
def segment_list(request: HttpRequest) -> HttpResponse:
    context = {"may_edit": may_edit(request)}
    return SEGMENTS.respond(request, living(), prepare=partial(told_in_words, operator=request.user), context=context)


def may_edit(request: HttpRequest) -> bool:
    return request.user.role in ("owner", "admin")


def told_in_words(rows: list[Segment], operator: Any) -> list[Segment]:
    """The names of all trees of a page together. The stored size is the whole company's: others count their own."""
    vocabulary = Vocabulary([row.tree for row in rows])
    sees_all = visible_staff(operator) is None
    for row in rows:
        row.words = vocabulary.say(row.tree)  # type: ignore[attr-defined]
        row.shown = row.count if sees_all else None  # type: ignore[attr-defined]
    return rows


@require_GET
@operator_required
def segment(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(living(), pk=pk)
    page = replace(
        CUSTOMERS,
        title=found.name,
        help=in_words(found.tree),
        filters=None,
        template="tagging/segment.html",
        empty=Empty(_("没有符合条件的客户"), _("条件或客户变化后，名单会自动更新。"), picture="people"),
    )
    uses = uses_of(found, request.user)
    drafts = in_words_of_uses([use for use in uses if use.hold == Hold.DRAFT])
    context = {
        "segment": found,
        "may_edit": may_edit(request),
        "entered": entered_lately(found, request.user).count() if found.watched else None,
        "uses": uses,
    }
    context |= {"needed": any(use.hold == Hold.NEEDED for use in uses), "drafts": drafts}
    prepare = partial(people_of, operator=request.user)
    return page.respond(request, segments.facts_of(found, request.user), prepare=prepare, context=context)


def entered_lately(found: Segment, operator: Any) -> QuerySet[SegmentMember]:
    """Each time that somebody whom the operator may see came in."""
    rows = SegmentMember.objects.filter(segment=found, entered_at__gte=timezone.now() - timedelta(days=LATELY))
    if visible_staff(operator) is not None:
        rows = rows.filter(customer__in=Customer.objects.visible_to(operator).values("pk"))
    return rows


ENTRIES = ListPage(
    title=_("进入记录"),
    unit=_("次进入"),
    columns=(Column(_("客户")), Column(_("现在")), Column(_("进入时间"), sort="entered_at", kind="time")),
    row="tagging/_entry.html",
    row_url=lambda entry: reverse("contacts:customer", args=[entry.customer_id]),
    order="-entered_at",
    template="tagging/entries.html",
    empty=Empty(_("最近 7 天没有客户进入"), picture="people"),
)


@require_GET
@operator_required
def entries(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(living(), pk=pk, watched=True)
    page = replace(ENTRIES, help=_now("最近 7 天进入“%(name)s”的客户，离开后再次进入的算两次") % {"name": found.name})
    rows = entered_lately(found, request.user).select_related("customer")
    return page.respond(request, rows, context={"segment": found})


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def new_segment(request: HttpRequest) -> HttpResponse:
    return edit(request, Segment(), initial={"tree": EVERYONE_LEFT_OUT})


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def edit_segment(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(living(), pk=pk)
    return edit(request, found, initial={"name": found.name, "tree": found.tree})


def edit(request: HttpRequest, found: Segment, initial: dict[str, Any]) -> HttpResponse:
    form = SegmentForm(request.POST or None, initial=initial, operator=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                segments.save(found, **form.cleaned_data, by=request.user.get_username())
                record(request, "segment.save", target=found.name, detail={"tree": in_words(found.tree)})
        except ValidationError as error:
            form.add_error(None, error)
        else:
            segments.recount(found)
            url = reverse("tagging:segment", args=[found.pk])
            return done(request, _now("人群包已保存"), back_to=url, leave=True)
    context = {"form": form, "segment": found}
    return render(request, "tagging/segment_form.html", context, status=422 if form.errors else 200)


@require_POST
@operator_required
def told(request: HttpRequest) -> HttpResponse:
    """How many the tree in a builder means, who they are for example, and what it says; for the person who asks."""
    field = ConditionsField(required=False)
    try:
        tree = field.clean(request.POST.get(request.GET.get("of", ""), ""))
    except ValidationError as error:
        return render(request, "tagging/_told.html", {"error": " ".join(error.messages)})
    counted = segments.count(tree, request.user, patience=segments.PATIENCE)
    people = patiently(lambda: segments.newest(tree, request.user, limit=SAMPLE)) if counted.number else []
    context = {"counted": counted, "people": people, "words": in_words(tree)}
    return render(request, "tagging/_told.html", context)


def patiently(ask: Callable[[], list[Customer]]) -> list[Customer]:
    """Nobody waits for examples that are hard to find."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [segments.PATIENCE])
            return ask()
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        return []


@require_POST
@role_required("owner", "admin")
def archive_segment(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(living(), pk=pk)
    try:
        segments.archive(found)
    except ValidationError as refused:
        back = reverse("tagging:segment", args=[found.pk])
        return done(request, " ".join(refused.messages), back_to=back, level="error", leave=True)
    record(request, "segment.archive", target=found.name)
    undo = reverse("tagging:restore_segment", args=[found.pk])
    text = _now("已删除人群包“%(name)s”") % {"name": found.name}
    return done(request, text, back_to="tagging:segments", undo=undo, leave=True)


@require_POST
@role_required("owner", "admin")
def restore_segment(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Segment.objects.exclude(archived_at=None), pk=pk)
    url = reverse("tagging:segments")
    if living().filter(name=found.name).exists():
        return done(request, _now("已有同名的人群包，不能恢复"), back_to=url, level="error")
    found.archived_at = None
    found.save(update_fields=["archived_at"])
    record(request, "segment.restore", target=found.name)
    return done(request, _now("已恢复人群包“%(name)s”") % {"name": found.name}, back_to=url)


@require_POST
@role_required("owner", "admin")
def watch_segment(request: HttpRequest, pk: int) -> HttpResponse:
    """Turn the record of who enters and leaves on, or off."""
    found = get_object_or_404(living(), pk=pk)
    if found.watched:
        try:
            refuse_if_watched(found)
        except ValidationError as refused:
            back = reverse("tagging:segment", args=[found.pk])
            return done(request, " ".join(refused.messages), back_to=back, level="error", leave=True)
        segments.unwatch(found)
        text = _now("已停止记录进出")
    else:
        segments.watch(found)
        text = _now("已开始记录进出，现在的名单不算新进入")
    record(request, "segment.watch", target=found.name, detail={"watched": found.watched})
    return redirect_with(request, text, found)


def redirect_with(request: HttpRequest, text: str, found: Segment) -> HttpResponse:
    return done(request, text, back_to=reverse("tagging:segment", args=[found.pk]), leave=True)
