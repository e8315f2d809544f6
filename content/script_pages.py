"""话术库: the pages of scripts."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from console import answers, audit
from console.access import operator_required
from console.lists import Column, Empty, ListPage
from content import messages, scripts
from content.folders import FolderField
from content.forms import MessageField
from content.material_forms import WithFolder
from content.models import Folder, Script
from content.shelves import Shelf, ShelfFilters, manager


class ScriptFilters(ShelfFilters):
    of = Folder.Of.SCRIPTS

    q = forms.CharField(label=_("搜索标题或内容"), max_length=40)

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return scripts.search(rows, text)


SCRIPTS = ListPage(
    title=_("话术库"),
    help=_("销售在聊天侧边栏里搜索并一键发送。使用次数按实际发送统计。"),
    unit=_("条话术"),
    columns=(
        Column(_("话术")),
        Column(_("文件夹"), kind="wide"),
        Column(_("使用次数"), sort="uses", kind="number"),
        Column(_("更新时间"), sort="updated_at", kind="time wide"),
    ),
    row="content/_script_row.html",
    row_url=lambda script: reverse("content:script", args=[script.pk]),
    order="-uses",
    filters=ScriptFilters,
    bulk="content/_script_bulk.html",
    empty=Empty(_("还没有话术"), _("把常见问题的标准回答放进来，销售打开侧边栏就能一键发送。"), picture="chat"),
    template="content/scripts.html",
)


SHELF = Shelf(
    of=Folder.Of.SCRIPTS,
    model=Script,
    noun="script",
    page="content:scripts",
    restore_page="content:restore_scripts",
    moved=_("已移动 %(n)d 条话术"),
    deleted=_("已删除 %(n)d 条话术"),
    restored=_("已恢复 %(n)d 条话术"),
)
move, delete, restore = SHELF.move, SHELF.delete, SHELF.restore


def with_parts(rows: list[Any]) -> Iterable[Any]:
    """The materials of a page's scripts, in one statement."""
    found = Script.objects.filter(pk__in=[row.pk for row in rows]).prefetch_related("parts__material__file")
    parts = {one.pk: sorted(one.parts.all(), key=lambda part: (part.order, part.pk)) for one in found}
    for row in rows:
        row.attached = [part.material for part in parts[row.pk]]
    return rows


@operator_required
@require_http_methods(["GET", "HEAD"])
def index(request: HttpRequest) -> HttpResponse:
    rows = scripts.living().select_related("folder")
    return SCRIPTS.respond(request, rows, prepare=with_parts, context=SHELF.beside(request))


class ScriptForm(WithFolder):
    title = forms.CharField(label=_("标题"), max_length=40)
    folder = FolderField(Folder.Of.SCRIPTS)
    content = MessageField(use="sidebar", label=_("话术内容"))


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    script = Script(created_by=request.user.get_username()[:80])
    return _form(request, script, {"folder": request.GET.get("folder", "")})


@operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def script(request: HttpRequest, pk: int) -> HttpResponse:
    """The script; those who may change it get its form."""
    found = get_object_or_404(scripts.living(), pk=pk)
    content = scripts.content_of(found)
    if request.user.role == "staff":
        return render(request, "content/script.html", {"script": found, "bubbles": messages.preview(content)})
    return edit(request, found, content)


@manager
def edit(request: HttpRequest, found: Script, content: Mapping[str, Any]) -> HttpResponse:
    return _form(request, found, {"title": found.title, "folder": found.folder_id or "", "content": content})


def _form(request: HttpRequest, found: Script, initial: Mapping[str, Any]) -> HttpResponse:
    form = ScriptForm(request.POST if request.method == "POST" else None, initial=dict(initial))
    fresh = found.pk is None
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            scripts.save(found, title=values["title"], content=values["content"], folder=values["folder"])
        except ValidationError as error:
            form.add_error(None, error)
        else:
            audit.record(request, "script.create" if fresh else "script.change", found.title)
            return answers.done(request, _now("话术已保存"), back_to="content:scripts", leave=True)
    values = {"form": form, "script": found, "fresh": fresh}
    return render(request, "content/script_form.html", values, status=422 if form.errors else 200)
