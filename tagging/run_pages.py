"""批量打标签 in the console: from any filtered list of customers, with what became of each friendship."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access import operator_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import CustomerFacts, Follow, Tag
from contacts.views import CustomerFilters, TagsField
from tagging import runs, segments
from tagging.models import Segment, TagRun, TagRunItem
from tagging.views import PickTags, changeable_tags
from tenants.current import current_tenant
from tenants.models import Job

SURE_ABOVE = 100


class RunForm(KitForm):
    add = TagsField(Tag.objects.none(), label=_("添加标签"), required=False, widget=PickTags)
    remove = TagsField(Tag.objects.none(), label=_("移除标签"), required=False, widget=PickTags)
    ids = forms.CharField(required=False, widget=forms.HiddenInput)
    all = forms.CharField(required=False, widget=forms.HiddenInput)
    query = forms.CharField(required=False, widget=forms.HiddenInput)
    segment = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("add", "remove"):
            self.fields[name].queryset = changeable_tags()

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        runs.refuse_nonsense(list(values.get("add", ())), list(values.get("remove", ())))
        return values


class Chosen:
    """Whom a list's bulk bar means: the rows that were ticked, or all that its filters let through."""

    def __init__(self, request: HttpRequest, data: QueryDict) -> None:
        seen: QuerySet[Any] = CustomerFacts.objects.visible_to(request.user).known()
        self.words: list[str] = []
        staff = None
        ids = [part for value in data.getlist("ids") for part in value.split(",")]
        self.ids = [int(one) for one in ids if one.isascii() and one.isdigit() and len(one) < 19][:1000]
        self.all = data.get("all") == "1"
        self.query, self.segment = data.get("query", ""), data.get("segment", "")
        if not self.all:
            self.customers = seen.filter(pk__in=self.ids)
        elif self.segment.isascii() and self.segment.isdigit():
            found = get_object_or_404(Segment, pk=int(self.segment), archived_at=None)
            self.customers = seen.filter(pk__in=segments.facts_of(found, request.user).values("pk"))
            self.words = [_now("人群包：%(name)s") % {"name": found.name}]
        else:
            filters = CustomerFilters(QueryDict(self.query.removeprefix("?")), operator=request.user)
            given = filters.given
            self.customers = filters.apply(seen, given) if given else seen
            staff = given.get("staff")
            self.words = [f"{filters[name].label}：{filters.in_words(name, value)}" for name, value in given.items()]
        self.follows = runs.friendships(self.customers, request.user, staff=staff)

    @property
    def hidden(self) -> dict[str, str]:
        ids = ",".join(map(str, self.ids))
        return {"ids": ids, "all": "1" if self.all else "", "query": self.query, "segment": self.segment}

    @property
    def filters(self) -> dict[str, Any]:
        return {"all": self.all, "query": self.query, "segment": self.segment, "words": self.words}


@require_http_methods(["GET", "POST"])
@operator_required
def new_run(request: HttpRequest) -> HttpResponse:
    """The form for the chosen customers; a POST that comes from the list itself, without scripts, shows it too."""
    chosen = Chosen(request, request.POST if request.method == "POST" else request.GET)
    form = RunForm(request.POST if "sent" in request.POST else None, initial=chosen.hidden)
    if form.is_bound and form.is_valid():
        try:
            run = runs.begin(
                chosen.follows,
                add=list(form.cleaned_data["add"]),
                remove=list(form.cleaned_data["remove"]),
                by=request.user.get_username(),
                filters=chosen.filters,
            )
        except ValidationError as error:
            form.add_error(None, error)
        else:
            detail = {name: [str(tag) for tag in form.cleaned_data[name]] for name in ("add", "remove")}
            record(request, "tag_run.start", target=str(run.pk), detail=detail)
            return done(request, _now("已开始，可以在这里查看每位客户的结果"), back_to=page_of(run), leave=True)
    customers, follows = chosen.customers.count(), chosen.follows.count()
    context = {"form": form, "customers": customers, "follows": follows, "words": chosen.words, "all": chosen.all}
    context |= {"title": _now("批量打标签"), "confirm": follows > SURE_ABOVE}
    return drawer(request, "tagging/run_drawer.html", context, wrong=bool(form.errors))


def page_of(run: TagRun) -> str:
    return reverse("tagging:run", args=[run.pk])


def runs_of(request: HttpRequest) -> QuerySet[TagRun]:
    """Managers look after all of them, others after their own."""
    rows = TagRun.objects.all()
    return rows if request.user.role in ("owner", "admin") else rows.filter(by=request.user.get_username())


RUNS = ListPage(
    title=_("批量打标签记录"),
    unit=_("次"),
    help=_("在客户列表或人群包中勾选客户，点“打标签”。每次操作都可以看到每位客户的结果，也可以撤销。"),
    columns=(
        Column(_("改动")),
        Column(_("结果")),
        Column(_("操作人"), kind="wide"),
        Column(_("时间"), sort="created_at", kind="time wide"),
    ),
    row="tagging/_run.html",
    row_url=page_of,
    order="-created_at",
    empty=Empty(
        _("还没有批量打过标签"),
        _("在客户列表中勾选客户，或先筛选再选全部，一次给他们添加或移除标签。"),
        _("去客户列表"),
        "contacts:customers",
        picture="tag",
    ),
)


@require_GET
@operator_required
def run_list(request: HttpRequest) -> HttpResponse:
    return RUNS.respond(request, runs_of(request), prepare=told)


def told(rows: list[TagRun]) -> list[TagRun]:
    """The names of tags and the numbers of a page, in two statements."""
    names = names_of(key for row in rows for key in (*row.add, *row.remove))
    numbers = runs.progress_of(rows)
    for row in rows:
        row.words = in_words(row.add, row.remove, names)  # type: ignore[attr-defined]
        row.progress = numbers[row.pk]  # type: ignore[attr-defined]
        row.failed = numbers[row.pk].counts.get(TagRunItem.State.FAILED, 0)  # type: ignore[attr-defined]
    return rows


def names_of(keys: Iterable[int]) -> dict[int, str]:
    return {tag.pk: tag.title for tag in Tag.objects.filter(pk__in=set(keys))}


def in_words(add: Iterable[int], remove: Iterable[int], names: dict[int, str]) -> str:
    """添加 重要客户、门店；移除 新客户"""
    parts = []
    for words, keys in ((_now("添加 %(tags)s"), add), (_now("移除 %(tags)s"), remove)):
        if named := [names.get(key, _now("已删除的标签")) for key in keys]:
            parts.append(words % {"tags": _now("、").join(named)})
    return _now("；").join(parts)


class ItemFilters(Filters):
    state = forms.ChoiceField(label=_("结果"), choices=[("", _("全部结果")), *TagRunItem.State.choices])

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        return rows.filter(state=values["state"])


ITEMS = ListPage(
    title=_("批量打标签"),
    unit=_("段好友关系"),
    columns=(Column(_("客户")), Column(_("员工"), kind="wide"), Column(_("结果")), Column(_("实际改动"), kind="wide")),
    row="tagging/_run_item.html",
    row_url=lambda item: reverse("contacts:customer", args=[item.follow.customer_id]),
    order="id",
    filters=ItemFilters,
    template="tagging/run.html",
)


@require_GET
@operator_required
def run(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(runs_of(request).select_related("undo_of"), pk=pk)
    seen = Follow.objects.visible_to(request.user)
    items = TagRunItem.objects.filter(run=found, follow__in=seen).select_related("follow__staff", "follow__customer")
    return ITEMS.respond(request, items, prepare=with_words, context=standing(found))


def with_words(rows: list[TagRunItem]) -> list[TagRunItem]:
    names = names_of(key for row in rows for key in (*row.added, *row.removed))
    for row in rows:
        row.words = in_words(row.added, row.removed, names)  # type: ignore[attr-defined]
    return rows


def standing(found: TagRun) -> dict[str, Any]:
    """How far it has come, and what can be done about it."""
    told([found])
    job = Job.objects.filter(pk=found.job_id or 0, tenant=current_tenant()).first()
    counts = found.progress.counts  # type: ignore[attr-defined]
    working = job is not None and job.state in (Job.State.QUEUED, Job.State.RUNNING)
    planned = counts.get(TagRunItem.State.PLANNED, 0)
    return {
        "run": found,
        "parts": [(key, label, counts[key]) for key, label in TagRunItem.State.choices if counts.get(key)],
        "stuck": planned and not working,
        "error": job.error if job is not None and planned and not working else "",
        "undone_by": TagRun.objects.filter(undo_of=found).first(),
        "may_undo": not found.progress.open and found.undo_of_id is None and counts.get(TagRunItem.State.DONE, 0),  # type: ignore[attr-defined]
    }


@require_GET
@operator_required
def run_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The head of a run's page alone, asked again while it goes on."""
    found = get_object_or_404(runs_of(request).select_related("undo_of"), pk=pk)
    return render(request, "tagging/_run_progress.html", standing(found))


@require_POST
@operator_required
def cancel_run(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(runs_of(request), pk=pk)
    count = runs.cancel(found, by=request.user.get_username())
    record(request, "tag_run.cancel", target=str(found.pk), detail={"count": count})
    text = _now("已停止，%(n)d 段好友关系没有改动") % {"n": count}
    return done(request, text, back_to=page_of(found), leave=True)


@require_POST
@operator_required
def resume_run(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(runs_of(request), pk=pk)
    runs.resume(found)
    return done(request, _now("已继续"), back_to=page_of(found), leave=True)


@require_POST
@operator_required
def undo_run(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(runs_of(request), pk=pk)
    try:
        back = runs.undo(found, by=request.user.get_username())
    except ValidationError as error:
        return done(request, " ".join(error.messages), back_to=page_of(found), level="error", leave=True)
    record(request, "tag_run.undo", target=str(found.pk))
    return done(request, _now("正在撤销"), back_to=page_of(back), leave=True)
