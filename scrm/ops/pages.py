"""What the pages of the vendor console have in common: vendor staff see all of it, rows are deleted by no page."""

from typing import Any

from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline


class VendorPage(ModelAdmin):
    """Change what `editable` names; everything else is shown."""

    actions_on_bottom = False
    list_per_page = 50
    list_fullwidth = True
    compressed_fields = True
    show_full_result_count = False
    editable: tuple[str, ...] = ()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True  # the site lets nobody else in

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.editable)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [str(name) for name in self.fields or () if name not in self.editable]


class VendorInline(TabularInline):
    """Rows of a company, shown on its page."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def actor(request: HttpRequest) -> str:
    return f"ops:{request.user.get_username()}"


def names_of(model: type[models.Model], *without: str) -> list[str]:
    return [field.name for field in model._meta.fields if field.name not in without]
