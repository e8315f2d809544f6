"""标签: the corp's tags with how many customers carry them, and changing the tags of one friendship."""

from functools import partial
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access import operator_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm, PickMany
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import Follow, FollowTag, Tag, TagGroup, TimelineEntry
from contacts.views import TagsField, last_sync, living_tags
from tagging.corp_tag_pages import changes_of_tags, may_edit
from tagging.marking import change_tags


class TagFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索标签或标签组"), max_length=30)

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        named = Tag.objects.filter(group=OuterRef("pk"), deleted_at=None, name__icontains=values["q"])
        return rows.filter(Q(name__icontains=values["q"]) | Exists(named))


TAGS = ListPage(
    title=_("标签"),
    unit=_("个标签组"),
    help=_(
        "企业标签以企业微信为准，那里的新增、改名、删除会自动同步到这里。数字是带有该标签的现有客户，点击查看名单。"
    ),
    columns=(Column(_("标签组")), Column(_("标签和客户数")), Column(_("标签数"), kind="number wide")),
    row="tagging/_group.html",
    row_url=lambda group: "" if group.is_of_rules else reverse("tagging:group", args=[group.pk]),
    template="tagging/tags.html",
    order="-order",
    filters=TagFilters,
    empty=Empty(
        _("还没有企业标签"),
        _("接入企业微信后，在管理后台「客户与上下游 → 客户标签」创建的标签会自动同步到这里，也可以直接新建。"),
        _("去接入企业微信"),
        "callbacks:connection",
        picture="tag",
    ),
)


@require_GET
@operator_required
def tags(request: HttpRequest) -> HttpResponse:
    rows = TagGroup.objects.filter(deleted_at=None).exclude(wecom_id="", tags=None)
    term = request.GET.get("q", "").strip()
    prepare = partial(with_tags, operator=request.user, term=term)
    context = {"may_edit": may_edit(request), **changes_of_tags()}
    return TAGS.respond(request, rows, prepare=prepare, fresh_at=last_sync(connection.tenant.pk), context=context)


def with_tags(groups: list[TagGroup], operator: Any, term: str) -> list[TagGroup]:
    """The tags of one page of groups; each number counts whom the operator may see, as the list behind it does."""
    links = FollowTag.objects.filter(tag=OuterRef("pk"), follow__in=Follow.objects.visible_to(operator).living())
    carried = links.order_by().values("tag").annotate(n=Count("follow__customer", distinct=True)).values("n")
    rows = living_tags().filter(group__in=groups).annotate(customers=Coalesce(Subquery(carried), 0))
    by_group: dict[int, list[Tag]] = {group.pk: [] for group in groups}
    for tag in rows:
        by_group[tag.group_id].append(tag)
    for group in groups:
        group.shown = by_group[group.pk]  # type: ignore[attr-defined]
        if term.lower() not in group.title.lower():
            group.shown = [tag for tag in by_group[group.pk] if term.lower() in tag.name.lower()]  # type: ignore[attr-defined]
        group.size = len(by_group[group.pk])  # type: ignore[attr-defined]
    return groups


def changeable_tags() -> QuerySet[Tag]:
    return living_tags().exclude(group__wecom_id="")


class PickTags(PickMany):
    folded = False


class TagsForm(KitForm):
    """What was ticked when the drawer opened comes back with it: a change made meanwhile elsewhere stays."""

    tags = TagsField(
        Tag.objects.none(),
        label=_("企业标签"),
        required=False,
        widget=PickTags,
        help_text=_("一位客户最多 3000 个标签。保存后提交到企业微信，确认后生效。"),
    )
    before = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tags"].queryset = changeable_tags()

    def changes(self) -> tuple[list[Tag], list[Tag]]:
        """Ticked and unticked since the drawer opened."""
        before = {int(part) for part in self.cleaned_data["before"].split(",") if part.isascii() and part.isdigit()}
        wanted = {tag.pk: tag for tag in self.cleaned_data["tags"]}
        add = [tag for pk, tag in wanted.items() if pk not in before]
        return add, list(changeable_tags().filter(pk__in=before - set(wanted)))


def follow_or_404(request: HttpRequest, pk: int) -> Follow:
    return get_object_or_404(Follow.objects.visible_to(request.user).select_related("staff", "customer"), pk=pk)


@require_http_methods(["GET", "POST"])
@operator_required
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    follow = follow_or_404(request, pk)
    had = list(follow.tag_links.order_by("tag_id").values_list("tag_id", flat=True))
    form = TagsForm(request.POST or None, initial={"tags": had, "before": ",".join(map(str, had))})
    context = {
        "title": _now("编辑标签"),
        "note": _now("%(staff)s 的客户 %(customer)s") % {"staff": follow.staff, "customer": follow.customer},
        "form": form,
        "submit": _now("保存"),
    }
    if request.method == "GET" or not form.is_valid():
        return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))
    add, remove = form.changes()
    if not add and not remove:
        return done(request, _now("标签没有变化"), back_to=customer_url(follow), level="info")
    try:
        mark(request, follow, add=add, remove=remove)
    except ValidationError as error:
        form.add_error(None, error)
        return drawer(request, "console/kit/form_drawer.html", context, wrong=True)
    return done(request, _now("已提交，企业微信确认后生效"), back_to=customer_url(follow))


@require_POST
@operator_required
def drop(request: HttpRequest, pk: int, tag_pk: int) -> HttpResponse:
    """Take one tag off."""
    follow = follow_or_404(request, pk)
    tag = get_object_or_404(Tag, pk=tag_pk)
    try:
        mark(request, follow, add=[], remove=[tag])
    except ValidationError as error:
        return done(request, " ".join(error.messages), back_to=customer_url(follow), level="error")
    text = _now("正在移除标签“%(name)s”") % {"name": tag.name}
    return done(request, text, back_to=customer_url(follow), undo=reverse("tagging:put", args=[follow.pk, tag.pk]))


@require_POST
@operator_required
def put(request: HttpRequest, pk: int, tag_pk: int) -> HttpResponse:
    """Put one tag on: the way back from taking it off."""
    follow = follow_or_404(request, pk)
    tag = get_object_or_404(living_tags(), pk=tag_pk)
    try:
        mark(request, follow, add=[tag], remove=[])
    except ValidationError as error:
        return done(request, " ".join(error.messages), back_to=customer_url(follow), level="error")
    return done(request, _now("正在添加标签“%(name)s”") % {"name": tag.name}, back_to=customer_url(follow))


def mark(request: HttpRequest, follow: Follow, *, add: list[Tag], remove: list[Tag]) -> None:
    change_tags(follow, add=add, remove=remove, by=request.user.get_username(), source=TimelineEntry.Source.CONSOLE)
    detail = {"add": [tag.name for tag in add], "remove": [tag.name for tag in remove]}
    record(request, "customer.tags", target=follow.customer.external_userid, detail=detail)


def customer_url(follow: Follow) -> str:
    return reverse("contacts:customer", args=[follow.customer_id])
