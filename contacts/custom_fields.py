"""自定义字段: which fields a company has on its customers. Their values and one validation: `contacts/profile.py`."""

import re
from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import CustomField
from contacts.order import last_place
from contacts.profile import living_fields
from members.pinyin import letters

MOST = 30
MOST_CHOICES = 50
LONGEST_NAME, LONGEST_CHOICE, LONGEST_KEY = 20, 30, 32


@transaction.atomic
def add_field(name: str, kind: str, *, choices: Sequence[str] = (), in_sidebar: bool = True) -> CustomField:
    """At the end of the fields."""
    name = _checked_name(name)
    if living_fields().count() >= MOST:
        raise ValidationError({"name": _("最多 %(most)d 个自定义字段") % {"most": MOST}})
    return CustomField.objects.create(
        key=key_for(name),
        name=name,
        kind=kind,
        choices=_checked_choices(kind, choices),
        in_sidebar=in_sidebar,
        order=last_place(living_fields()),
    )


def change_field(field: CustomField, *, name: str, choices: Sequence[str], in_sidebar: bool) -> None:
    """The kind stays: values are stored in its form. An option that is taken away stays where it was chosen."""
    field.name = _checked_name(name, field)
    field.choices = _checked_choices(field.kind, choices)
    field.in_sidebar = in_sidebar
    field.save(update_fields=["name", "choices", "in_sidebar"])


def put_away(field: CustomField) -> None:
    """No longer shown; the values stay stored and come back with it."""
    field.archived_at = timezone.now()
    field.save(update_fields=["archived_at"])


@transaction.atomic
def bring_back(field: CustomField) -> None:
    """To the place it had, with the values that customers had in it."""
    _checked_name(field.name, field)
    if living_fields().count() >= MOST:
        raise ValidationError({"name": _("最多 %(most)d 个自定义字段") % {"most": MOST}})
    field.archived_at = None
    field.save(update_fields=["archived_at"])


def key_for(name: str) -> str:
    """The name as an identifier (预算 → yusuan): what the Open API and stored values call the field for ever."""
    plain = re.sub(r"[^a-z0-9]+", "_", letters(name)).strip("_")[: LONGEST_KEY - 3]
    stem = plain if plain and plain[0].isalpha() else f"field_{plain}".rstrip("_")
    taken = set(CustomField.objects.filter(key__startswith=stem).values_list("key", flat=True))
    return next(key for number in range(1, 1000) if (key := stem if number == 1 else f"{stem}_{number}") not in taken)


def _checked_name(name: str, field: CustomField | None = None) -> str:
    name = name.strip()
    if not name:
        raise ValidationError({"name": _("请填写字段名称")})
    if len(name) > LONGEST_NAME:
        raise ValidationError({"name": _("字段名称最多 %(most)d 个字") % {"most": LONGEST_NAME}})
    if living_fields().filter(name=name).exclude(pk=field.pk if field else 0).exists():
        raise ValidationError({"name": _("已有同名的字段")})
    return name


def _checked_choices(kind: str, choices: Sequence[str]) -> list[str]:
    if kind != CustomField.Kind.CHOICE:
        return []
    found = list(dict.fromkeys(one.strip() for one in choices if one.strip()))
    if len(found) < 2:
        raise ValidationError({"choices": _("请至少填写两个选项，每行一个")})
    if len(found) > MOST_CHOICES:
        raise ValidationError({"choices": _("最多 %(most)d 个选项") % {"most": MOST_CHOICES}})
    if any(len(one) > LONGEST_CHOICE for one in found):
        raise ValidationError({"choices": _("每个选项最多 %(most)d 个字") % {"most": LONGEST_CHOICE}})
    return found
