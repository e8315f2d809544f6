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
from django.views.decorators.http import require_http_methods, require_POST

from console import answers, audit
from console.access import operator_required, role_required
from console.lists import Column, Empty, Filters, ListPage
from content import folders, messages, scripts
from content.folders import FolderField
from content.forms import MessageField
from content.library import ids_of
from content.material_forms import MoveForm, WithFolder
from content.models import Folder, Script

manager = role_required("owner", "admin")


class ScriptFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索标题或内容"), max_length=40)
    folder = forms.ModelChoiceField(Folder.objects.none(), label=_("文件夹"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["folder"].queryset = Folder.objects.filter(of=Folder.Of.SCRIPTS)

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        if text := values.get("q"):
            rows = scripts.search(rows, text)
        if folder := values.get("folder"):
            rows = rows.filter(folder__in=folders.with_below(folder))
        return rows


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
    values = {"tree": folders.tree(Folder.Of.SCRIPTS), "of": Folder.Of.SCRIPTS, "total": scripts.living().count()}
    values["chosen"] = request.GET.get("folder", "")
    return SCRIPTS.respond(request, scripts.living().select_related("folder"), prepare=with_parts, context=values)


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


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest) -> HttpResponse:
    ids = ids_of(request)
    form = MoveForm(request.POST if "folder" in request.POST else None)
    form.fields["folder"].of = Folder.Of.SCRIPTS
    form.fields["folder"].fill()
    if request.method == "POST" and form.is_valid():
        count = scripts.move(ids, form.cleaned_data["folder"])
        return answers.done(request, _now("已移动 %(n)d 条话术") % {"n": count}, back_to="content:scripts", leave=True)
    values = {"form": form, "title": _("移动到文件夹"), "submit": _("移动"), "ids": ids}
    return answers.drawer(request, "content/move.html", values)


@manager
@require_POST
def delete(request: HttpRequest) -> HttpResponse:
    ids = ids_of(request)
    count = scripts.delete(ids)
    audit.record(request, "script.delete", str(count), {"ids": ids[:50]})
    undo = f"{reverse('content:restore_scripts')}?{'&'.join(f'ids={one}' for one in ids)}"
    text = _now("已删除 %(n)d 条话术") % {"n": count}
    return answers.done(request, text, back_to="content:scripts", undo=undo, leave=request.GET.get("leave") == "1")


@manager
@require_POST
def restore(request: HttpRequest) -> HttpResponse:
    count = scripts.restore(ids_of(request))
    audit.record(request, "script.restore", str(count))
    return answers.done(request, _now("已恢复 %(n)d 条话术") % {"n": count}, back_to="content:scripts")
