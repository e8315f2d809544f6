"""What the pages of materials and of scripts share: folders beside a list, and what is done to several at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from console import answers, audit
from console.access import role_required
from console.lists import Filters
from content import folders
from content.material_forms import MoveForm
from content.models import Folder

manager = role_required("owner", "admin")
Words = str | Promise


class ShelfFilters(Filters):
    """By words and by folder; what words mean says `find`."""

    searched_by = "q"
    of: ClassVar[str]

    folder = forms.ModelChoiceField(Folder.objects.none(), label=_("文件夹"), widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["folder"].queryset = Folder.objects.filter(of=self.of)

    def find(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        return rows.filter(title__icontains=text)

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        if text := values.get("q"):
            rows = self.find(rows, text)
        if folder := values.get("folder"):
            rows = rows.filter(folder__in=folders.with_below(folder))
        return rows


@dataclass(frozen=True)
class Shelf:
    """One of the two libraries. The words take %(n)d; `noun` begins the names of its acts in 审计日志."""

    of: Folder.Of
    model: type[Model]
    noun: str
    page: str
    restore_page: str
    moved: Words
    deleted: Words
    restored: Words

    @property
    def living(self) -> QuerySet[Any]:
        return self.model._default_manager.filter(archived_at=None)

    def beside(self, request: HttpRequest) -> dict[str, Any]:
        """The tree of folders, for the template of the list."""
        chosen = request.GET.get("folder", "")
        return {"tree": folders.tree(self.of), "of": self.of, "total": self.living.count(), "chosen": chosen}

    @method_decorator(manager)
    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def move(self, request: HttpRequest) -> HttpResponse:
        ids = ids_of(request)
        form = MoveForm(request.POST if "folder" in request.POST else None, of=self.of)
        if request.method == "POST" and form.is_valid():
            count = self.living.filter(pk__in=ids).update(folder=form.cleaned_data["folder"])
            return answers.done(request, self.moved % {"n": count}, back_to=self.page, leave=True)
        values = {"form": form, "title": _("移动到文件夹"), "submit": _("移动"), "ids": ids}
        return answers.drawer(request, "content/move.html", values)

    @method_decorator(manager)
    @method_decorator(require_POST)
    def delete(self, request: HttpRequest) -> HttpResponse:
        """Out of the library; messages that hold them say so, and for 30 days they can be taken back."""
        ids = ids_of(request)
        count = self.living.filter(pk__in=ids).update(archived_at=timezone.now())
        audit.record(request, f"{self.noun}.delete", str(count), {"ids": ids[:50]})
        undo = f"{reverse(self.restore_page)}?{'&'.join(f'ids={one}' for one in ids)}"
        leave = request.GET.get("leave") == "1"
        return answers.done(request, self.deleted % {"n": count}, back_to=self.page, undo=undo, leave=leave)

    @method_decorator(manager)
    @method_decorator(require_POST)
    def restore(self, request: HttpRequest) -> HttpResponse:
        gone = self.model._default_manager.exclude(archived_at=None)
        count = gone.filter(pk__in=ids_of(request)).update(archived_at=None)
        audit.record(request, f"{self.noun}.restore", str(count))
        return answers.done(request, self.restored % {"n": count}, back_to=self.page)


def ids_of(request: HttpRequest) -> list[int]:
    given = request.POST.getlist("ids") or request.GET.getlist("ids")
    return [int(one) for one in given if one.isdecimal() and len(one) < 19][:500]
