"""素材库: the pages of materials."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Count, Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from console import answers, audit
from console.access import asked_by_htmx, operator_required
from console.lists import Column, Empty, ListPage
from console.shell import Hit
from console.uses import Hold
from content import folders, materials, scripts
from content.material_forms import FORMS, MaterialForm, UploadForm
from content.material_uses import uses_of
from content.messages import USES, bubbles_of
from content.models import Folder, LinkOpen, Material
from content.shelves import Shelf, ShelfFilters, ids_of, manager
from content.uploads import was_too_large

Kind = Material.Kind
PICKED = 60


class MaterialFilters(ShelfFilters):
    of = Folder.Of.MATERIALS

    q = forms.CharField(label=_("搜索标题"), max_length=40)
    kind = forms.ChoiceField(label=_("类型"), choices=[("", _("全部类型")), *Kind.choices])
    view = forms.ChoiceField(choices=[("", ""), ("list", "list")], widget=forms.HiddenInput)

    @property
    def given(self) -> dict[str, Any]:
        """How it is drawn is no condition."""
        return {name: value for name, value in super().given.items() if name != "view"}

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        rows = super().apply(rows, values)
        return rows.filter(kind=values["kind"]) if values.get("kind") else rows


MATERIALS = ListPage(
    title=_("素材库"),
    help=_("欢迎语、群发、SOP、侧边栏都从这里取内容。上传时就按企业微信的限制检查，发送时不会失败。"),
    unit=_("个素材"),
    columns=(
        Column(_("素材")),
        Column(_("文件夹"), kind="wide"),
        Column(_("使用次数"), sort="uses", kind="number"),
        Column(_("更新时间"), sort="updated_at", kind="time"),
    ),
    row="content/_material_row.html",
    row_url=lambda material: reverse("content:material", args=[material.pk]),
    order="-updated_at",
    filters=MaterialFilters,
    drawer=True,
    bulk="content/_material_bulk.html",
    empty=Empty(_("素材库还是空的"), _("上传图片、文件、视频，或者添加链接和小程序，发送时直接选用。"), picture="list"),
    page_size=48,
)


SHELF = Shelf(
    of=Folder.Of.MATERIALS,
    model=Material,
    noun="material",
    page="content:materials",
    restore_page="content:restore_materials",
    moved=_("已移动 %(n)d 个素材"),
    deleted=_("已删除 %(n)d 个素材，30 天内可恢复"),
    restored=_("已恢复 %(n)d 个素材"),
)
move, restore = SHELF.move, SHELF.restore


def living() -> QuerySet[Material]:
    return Material.objects.filter(archived_at=None).select_related("file", "folder")


@operator_required
@require_http_methods(["GET", "HEAD"])
def index(request: HttpRequest) -> HttpResponse:
    """As cards, or as a table with `view=list`."""
    shown = MATERIALS.read(request, living())
    as_list = request.GET.get("view") == "list"
    part = "console/kit/table.html" if as_list else "content/_cards.html"
    partial = asked_by_htmx(request) and request.headers.get("HX-Target") == "list"
    values = {"list": shown, "page": MATERIALS, "part": part, "as_list": as_list}
    if not partial:
        values |= SHELF.beside(request) | {"kinds": Kind.choices}
    response = render(request, part if partial else "content/materials.html", values)
    if partial:
        response["HX-Push-Url"] = request.path + shown.here
    return response


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, kind: str) -> HttpResponse:
    material = Material(kind=kind, created_by=request.user.get_username()[:80])
    return _form(request, material, _("新建%(kind)s") % {"kind": Kind(kind).label}, _("创建"))


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    material = get_object_or_404(living(), pk=pk)
    return _form(request, material, _("修改素材"), _("保存"))


def _form(request: HttpRequest, material: Material, title: Any, submit: Any) -> HttpResponse:
    initial = {"folder": request.GET.get("folder", "")}
    posted = request.method == "POST"
    form: MaterialForm = FORMS[material.kind](
        request.POST if posted else None, request.FILES if posted else None, material=material, initial=initial
    )
    if posted and was_too_large(request):
        form.add_error(None, _("文件太大，没有上传"))
    fresh = material.pk is None
    if posted and form.is_valid() and (saved := form.save()) is not None:
        audit.record(request, "material.create" if fresh else "material.change", saved.title)
        return answers.done(request, _now("素材已保存"), back_to="content:materials")
    values = {"form": form, "title": title, "submit": submit, "material": material}
    return answers.drawer(request, "content/material_form.html", values, wrong=bool(form.errors))


@operator_required
@require_http_methods(["GET", "HEAD"])
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What the customer sees, and what became of it."""
    material = get_object_or_404(Material.objects.select_related("file", "folder"), pk=pk)
    values: dict[str, Any] = {
        "material": material,
        "title": material.title,
        "bubble": bubbles_of([material], {})[0],
        "uses": uses_of([material.pk], request.user).get(material.pk, []),
        "media": material.file.media_ids.all() if material.file else [],
    }
    if material.kind == Kind.LINK:
        values["opened"] = material.links.aggregate(opens=Sum("opens"), links=Count("pk"))
        values["last"] = LinkOpen.objects.filter(link__material=material).aggregate(at=Max("at"))["at"]
    return answers.drawer(request, "content/material.html", values)


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest) -> HttpResponse:
    """Asks first, and says which messages would lose it. What somebody is still to get by one that runs stays."""
    ids = ids_of(request)
    chosen = list(living().filter(pk__in=ids).order_by("title", "pk"))
    uses = uses_of({row.pk for row in chosen}, request.user)
    for row in chosen:
        row.held = uses.get(row.pk, [])
        row.needed = any(use.hold == Hold.NEEDED for use in row.held)
    refused = [row for row in chosen if row.needed]
    if request.method == "POST" and not refused:
        return SHELF.delete(request)
    free = [row for row in chosen if not row.needed]
    title = _now("删除 %(n)d 个素材？") % {"n": len(chosen)} if len(chosen) != 1 else _now("删除这个素材？")
    values = {"title": title, "refused": refused, "free": free, "poorer": [row for row in free if row.held]}
    return answers.drawer(request, "content/delete.html", values, wrong=request.method == "POST")


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Several files at once; those that cannot be taken are named with their reason, the others are in."""
    posted = request.POST if request.method == "POST" else None
    form = UploadForm(posted, initial={"folder": request.GET.get("folder", "")})
    values: dict[str, Any] = {"form": form, "title": _("上传素材"), "submit": _("上传")}
    if request.method == "POST":
        if was_too_large(request):
            values["refused"] = [("", _("这次选择的文件合计超过 64 MB，请分几次上传"))]
        elif form.is_valid():
            done, refused = _take_in(request, form.cleaned_data["folder"])
            if done and not refused:
                return answers.done(request, _now("已上传 %(n)d 个素材") % {"n": done}, back_to="content:materials")
            values |= {"refused": refused or [("", _("请选择文件"))], "done": done}
    return answers.drawer(request, "content/upload.html", values, wrong="refused" in values)


def _take_in(request: HttpRequest, folder: Folder | None) -> tuple[int, list[tuple[str, Any]]]:
    done = 0
    refused: list[tuple[str, Any]] = []
    given: list[UploadedFile] = request.FILES.getlist("files")
    for one in given[:10]:
        try:
            made = materials.from_upload(one, folder=folder, by=request.user.get_username())
        except ValidationError as error:
            refused.append((one.name or "", " ".join(error.messages)))
        else:
            done += 1
            audit.record(request, "material.create", made.title)
    refused += [(one.name or "", _("一次最多上传 10 个文件")) for one in given[10:]]
    return done, refused


@operator_required
@require_http_methods(["GET", "HEAD"])
def pick(request: HttpRequest) -> HttpResponse:
    """The list that the composer chooses from."""
    asked = MaterialFilters(request.GET)
    given = asked.given
    rows = asked.apply(living(), given).order_by("-updated_at", "-pk")[: PICKED + 1]
    found = list(rows)
    values = {
        "bubbles": bubbles_of(found[:PICKED], {}),
        "more": len(found) > PICKED,
        "anything": bool(given),
        "kinds": Kind.choices,
        "folders": folders.flat(folders.tree(Folder.Of.MATERIALS)),
        "q": given.get("q", ""),
        "kind": given.get("kind", ""),
        "folder": given["folder"].pk if "folder" in given else None,
        "use": request.GET.get("use", "") if request.GET.get("use", "") in USES else "mass",
    }
    return render(request, "content/_picker.html", values)


def find(request: HttpRequest, text: str, limit: int) -> list[Hit]:
    """For Ctrl+K: materials by title, scripts by title and text."""
    found = [
        Hit(row.title, reverse("content:materials") + f"?q={quote(row.title)}", "photo", row.get_kind_display())
        for row in living().filter(title__icontains=text).order_by("-uses", "-pk")[:limit]
    ]
    known = [
        Hit(row.title, reverse("content:script", args=[row.pk]), "message-2", row.text[:40])
        for row in scripts.best(text, limit=limit)
    ]
    return (found + known)[:limit]
