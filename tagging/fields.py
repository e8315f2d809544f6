"""The condition builder as a form field: for segments, and for every room that speaks to some of the customers.

audience = ConditionsField(label=_("发给谁"))
…
form.fields["audience"].of(operator)   # whom the live count and the lists of staff are for
"""

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from contacts.models import GroupChat, Stage
from contacts.views import living_tags, staff_choices
from contacts.wording import ADD_WAYS
from members.models import Department
from members.scope import visible_staff
from tagging.conditions import CRITERIA, MAX_DEPTH, Tree, clean, leaves
from tagging.criteria import NO_STAGE, names_of_codes
from tagging.vocabulary import OwnField, own_fields

CHATS = 300
"""So many customer groups are offered, the newest; those picked before stay."""

Options = list[tuple[str, list[tuple[Any, str]]]]  # by the heading that they stand under


class ConditionsWidget(forms.Widget):
    use_fieldset = True
    operator: Any = None

    def format_value(self, value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value or {}, ensure_ascii=False)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return data.get(name)

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        text = self.format_value(value)
        own = own_fields()
        specs = {
            key: {op: [str(label), editor] for op, (label, editor) in criterion.ops.items()}
            for key, criterion in (CRITERIA | {one.key: one for one in own}).items()
        }
        context = {
            "name": name,
            "value": text,
            "id": (attrs or {}).get("id", ""),
            "specs": json.dumps(specs, ensure_ascii=False),
            "criteria": CRITERIA.values(),
            "own": own,
            "depth": MAX_DEPTH,
            "options": options(self.operator, stored(text), own),
        }
        return render_to_string("tagging/_conditions.html", context)


class ConditionsField(forms.Field):
    """Cleans to a tree for `tagging.conditions` and `tagging.segments`; empty means everyone, where it may be empty."""

    widget = ConditionsWidget
    default_error_messages = {"required": _("请至少添加一个条件"), "invalid": _("条件的格式不正确")}

    def of(self, operator: Any) -> None:
        self.widget.operator = operator

    def to_python(self, value: Any) -> Tree:
        if isinstance(value, str):
            try:
                value = json.loads(value or "{}")
            except ValueError:
                raise ValidationError(self.error_messages["invalid"], code="invalid") from None
        return clean(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        widget: Any = self.widget
        return stored(widget.format_value(initial)) != stored(data)


def stored(text: Any) -> Tree:
    """What the hidden field holds, as far as it can be read."""
    try:
        tree = json.loads(text or "{}")
    except (TypeError, ValueError):
        return {}
    return tree if isinstance(tree, dict) and isinstance(tree.get("of"), list) else {}


def options(operator: Any, tree: Tree, own: Iterable[OwnField]) -> dict[str, Options]:
    """What can be picked, by kind of condition."""
    tags = groupby(living_tags(), key=lambda tag: tag.group.name)
    stages = Stage.objects.filter(archived_at=None).order_by("order", "id").values_list("pk", "name")
    departments = Department.objects.filter(deleted_at=None).order_by("path")
    return {
        "tags": [(group, [(tag.pk, tag.name) for tag in found]) for group, found in tags],
        "stage": [("", [*stages, (NO_STAGE, _now("未设置阶段"))])],
        "staff": [("", [(one.pk, str(one)) for one in staff_choices(operator)] if operator else [])],
        "department": [("", [(one.pk, "　" * (len(one.path) - 1) + one.name) for one in departments])],
        "chat": [("", chats(operator, tree))],
        "add_way": [("", [(key, str(label)) for key, label in ADD_WAYS.items()])],
        "code": [("", list(names_of_codes(None).items()))],
        **{one.key: [("", [(choice, choice) for choice in one.choices])] for one in own if one.choices},
    }


def chats(operator: Any, tree: Tree) -> list[tuple[int, str]]:
    seen = visible_staff(operator) if operator else None
    rows = GroupChat.objects.all() if seen is None else GroupChat.objects.visible_to(operator)
    unnamed = _now("未命名的客户群")
    newest = rows.filter(dismissed_at=None).order_by("-opened_at", "-id")[:CHATS]
    found = {one.pk: one.name or unnamed for one in newest}
    picked = {
        int(pk)
        for leaf in safe_leaves(tree)
        if leaf.get("is") == "chat" and isinstance(leaf.get("value"), list)
        for pk in leaf["value"]
        if str(pk).isdigit()
    }
    found |= {one.pk: one.name or unnamed for one in rows.filter(pk__in=picked - found.keys())}
    return list(found.items())


def safe_leaves(tree: Tree) -> list[Any]:
    """Of a tree that nobody has cleaned yet."""
    try:
        return [leaf for leaf in leaves(tree) if isinstance(leaf, dict)]
    except (TypeError, AttributeError):
        return []
