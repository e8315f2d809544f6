"""Folders of the library: a tree two levels deep, drawn with counts, changed in a drawer."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from console import answers, audit
from console.access import role_required
from console.forms import KitModelForm
from content.models import Folder

manager = role_required("owner", "admin")
MOST = 200
DEEPEST = 3
INDENT = "　"


@dataclass(frozen=True)
class Branch:
    """A folder with what is below it; `count` is of all its content, folders below included."""

    folder: Folder
    below: list["Branch"]
    count: int


def tree(of: str) -> list[Branch]:
    counts = Count(of, filter=Q(**{f"{of}__archived_at": None}))
    rows = list(Folder.objects.filter(of=of).annotate(own=counts).order_by("order", "name", "pk"))
    children: dict[int | None, list[Any]] = {}
    for row in rows:
        children.setdefault(row.parent_id, []).append(row)

    def grow(parent: int | None) -> list[Branch]:
        branches = []
        for row in children.get(parent, ()):
            below = grow(row.pk)
            branches.append(Branch(row, below, row.own + sum(one.count for one in below)))
        return branches

    return grow(None)


def flat(branches: Iterable[Branch], depth: int = 0) -> list[tuple[Folder, str]]:
    """For a select: each folder with its indent."""
    lines: list[tuple[Folder, str]] = []
    for branch in branches:
        lines += [(branch.folder, INDENT * depth), *flat(branch.below, depth + 1)]
    return lines


def choices(of: str) -> list[tuple[Any, Any]]:
    return [("", _("不放进文件夹")), *((one.pk, f"{indent}{one.name}") for one, indent in flat(tree(of)))]


def with_below(folder: Folder) -> list[int]:
    """The folder and all folders in it."""
    found, level = [folder.pk], [folder.pk]
    for _depth in range(DEEPEST):
        level = list(Folder.objects.filter(parent__in=level).values_list("pk", flat=True))
        found += level
    return found


def page_of(folder: Folder) -> str:
    return "content:scripts" if folder.of == Folder.Of.SCRIPTS else "content:materials"


class FolderForm(KitModelForm):
    class Meta:
        model = Folder
        fields = ["name", "parent"]

    def __init__(self, *args: Any, of: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.of = of
        parent = self.fields["parent"]
        parent.label, parent.required, parent.empty_label = _("上级文件夹"), False, _("最上层")
        parent.queryset = Folder.objects.filter(of=of).order_by("name")
        if self.instance.pk:
            parent.queryset = parent.queryset.exclude(pk__in=with_below(self.instance))

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        parent, name = values.get("parent"), values.get("name")
        deep, above = 1, parent
        while above is not None:
            deep, above = deep + 1, above.parent
        if deep > DEEPEST:
            self.add_error("parent", _("文件夹最多三层"))
        twins = Folder.objects.filter(of=self.instance.of, parent=parent, name=name).exclude(pk=self.instance.pk)
        if name and twins.exists():
            self.add_error("name", _("这里已经有同名的文件夹"))
        if self.instance.pk is None and Folder.objects.filter(of=self.instance.of).count() >= MOST:
            raise ValidationError(_("最多创建 200 个文件夹"))
        return values


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, of: str) -> HttpResponse:
    kind = Folder.Of(of)
    form = FolderForm(
        request.POST if request.method == "POST" else None, of=kind, initial={"parent": request.GET.get("parent")}
    )
    if request.method == "POST" and form.is_valid():
        folder = form.save()
        audit.record(request, "folder.create", folder.name)
        return answers.done(request, _now("文件夹已创建"), back_to=page_of(folder), leave=True)
    values = {"form": form, "title": _("新建文件夹"), "submit": _("创建")}
    return answers.drawer(request, "console/kit/form_drawer.html", values, wrong=bool(form.errors))


@manager
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    folder = get_object_or_404(Folder, pk=pk)
    form = FolderForm(request.POST if request.method == "POST" else None, instance=folder, of=folder.of)
    if request.method == "POST" and form.is_valid():
        form.save()
        audit.record(request, "folder.change", folder.name)
        return answers.done(request, _now("文件夹已保存"), back_to=page_of(folder), leave=True)
    values = {"form": form, "title": _("修改文件夹"), "submit": _("保存"), "folder": folder}
    return answers.drawer(request, "content/folder.html", values, wrong=bool(form.errors))


@manager
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """What is in it moves one level up: nothing is deleted with a folder."""
    folder = get_object_or_404(Folder, pk=pk)
    back = reverse(page_of(folder))
    twins = set(Folder.objects.filter(of=folder.of, parent=folder.parent).values_list("name", flat=True))
    if any(child.name in twins for child in folder.children.all()):
        words = _now("上一级已有同名的文件夹，请先改名")
        return answers.done(request, words, back_to=back, level="error", leave=True)
    folder.children.update(parent=folder.parent)
    folder.materials.update(folder=folder.parent)
    folder.scripts.update(folder=folder.parent)
    folder.delete()
    audit.record(request, "folder.delete", folder.name)
    return answers.done(request, _now("文件夹已删除，里面的内容移到了上一级"), back_to=back, leave=True)


class FolderField(forms.TypedChoiceField):
    """A folder of the tree, or none."""

    def __init__(self, of: str, **kwargs: Any) -> None:
        self.of = of
        super().__init__(coerce=self._folder, empty_value=None, required=False, label=_("文件夹"), **kwargs)

    def _folder(self, value: Any) -> Folder:
        return Folder.objects.get(pk=value, of=self.of)

    def fill(self) -> None:
        """The choices of now: called by the form that holds the field."""
        self.choices = choices(self.of)
