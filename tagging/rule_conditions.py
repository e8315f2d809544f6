"""The single conditions that triggers are put together from: their form, their test on a fact, and their words."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, time
from typing import Any, ClassVar, Protocol

from django import forms
from django.core.exceptions import ValidationError
from django.utils.timezone import localtime
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from console.forms import PickMany
from contacts.models import Stage
from contacts.stages import living_stages
from contacts.views import staff_choices
from tagging.criteria import names_of_codes, names_of_staff

MATERIAL_NAMES: list[Callable[[Collection[int] | None], dict[int, str]]] = []
"""Titles of materials that are links, by id (None: all in use); filled by the app that has them."""
MOST_WORDS = 50


class FactLike(Protocol):
    """What of a fact is looked at."""

    @property
    def at(self) -> datetime: ...

    @property
    def values(self) -> Mapping[str, Any]: ...


class Pick(PickMany):
    folded = False


class Condition:
    """`fields` and `stored` speak to the form, `met` to the facts: what met it, or None."""

    key: ClassVar[str]

    def fields(self, operator: Any, stored: Any = None) -> dict[str, forms.Field]:
        """`stored`: what the rule asks by now. It stays offered, or a rule changed in its name would act on more."""
        raise NotImplementedError

    def stored(self, cleaned: Mapping[str, Any]) -> Any:
        return cleaned.get(self.key)

    def initial(self, stored: Any) -> dict[str, Any]:
        return {self.key: stored}

    def met(self, wanted: Any, fact: FactLike) -> Any:
        """One of those picked."""
        value = fact.values.get(self.key)
        return value if value is not None and value in wanted else None

    def in_words(self, wanted: Any) -> str:
        raise NotImplementedError

    def because(self, met: Any) -> str:
        return self.in_words([met])


def named(label: str, names: Mapping[Any, str], wanted: Sequence[Any]) -> str:
    unknown = _now("已删除")
    return _now("%(label)s“%(names)s”") % {
        "label": label,
        "names": _now("、").join(names.get(one, unknown) for one in wanted),
    }


def kept(
    offered: Mapping[Any, str], stored: Sequence[Any] | None, names: Callable[[Collection[Any]], Mapping[Any, str]]
) -> list[tuple[Any, str]]:
    """What is offered, and behind it what was picked before and is no longer offered: put away, or out of range."""
    missing = [one for one in stored or () if one not in offered]
    known = names(missing) if missing else {}
    return [*offered.items(), *((one, known.get(one, _now("已删除"))) for one in missing)]


def whole(value: Any) -> int:
    return int(value)


class StaffIs(Condition):
    key = "staff"

    def fields(self, operator: Any, stored: Any = None) -> dict[str, forms.Field]:
        choices = {one.pk: str(one) for one in staff_choices(operator)}
        return {self.key: _many(_("员工"), kept(choices, stored, names_of_staff), _("不选表示全部员工"))}

    def in_words(self, wanted: Any) -> str:
        return named(_now("员工"), names_of_staff(wanted), wanted)


class StateIs(Condition):
    key = "state"

    def fields(self, operator: Any, stored: Any = None) -> dict[str, forms.Field]:
        choices = kept(names_of_codes(None), stored, names_of_codes)
        return {self.key: _many(_("渠道活码"), choices, _("不选表示不限来源"), coerce=str)}

    def in_words(self, wanted: Any) -> str:
        return named(_now("渠道活码"), names_of_codes(wanted), wanted)


class StageIs(Condition):
    key = "stage"

    def fields(self, operator: Any, stored: Any = None) -> dict[str, forms.Field]:
        choices = {one.pk: one.name for one in living_stages()}
        return {self.key: _many(_("阶段"), kept(choices, stored, names_of_stages), _("不选表示任意阶段"))}

    def in_words(self, wanted: Any) -> str:
        return named(_now("阶段"), names_of_stages(wanted), wanted)


def names_of_stages(keys: Collection[int]) -> dict[int, str]:
    """Those put away too."""
    return dict(Stage.objects.filter(pk__in=keys).values_list("pk", "name"))


class MaterialIs(Condition):
    key = "material"

    def fields(self, operator: Any, stored: Any = None) -> dict[str, forms.Field]:
        return {self.key: _many(_("链接素材"), kept(titles(None), stored, titles), _("不选表示任意链接"))}

    def in_words(self, wanted: Any) -> str:
        return named(_now("链接"), titles(wanted), wanted)


def titles(keys: Collection[int] | None) -> dict[int, str]:
    return {pk: title for names in MATERIAL_NAMES for pk, title in names(keys).items()}


class TimeOfDay(Condition):
    """From one time of the day to another, over midnight where the second is the earlier one."""

    key = "time"

    def fields(self, operator: Any, stored: Any = None) -> dict[str, forms.Field]:
        clock = {"type": "time"}
        return {
            "time_from": forms.TimeField(label=_("时间段从"), required=False, widget=forms.TimeInput(attrs=clock)),
            "time_to": forms.TimeField(
                label=_("时间段到"),
                required=False,
                widget=forms.TimeInput(attrs=clock),
                help_text=_("都不填表示全天；结束早于开始表示跨过零点"),
            ),
        }

    def stored(self, cleaned: Mapping[str, Any]) -> Any:
        start, end = cleaned.get("time_from"), cleaned.get("time_to")
        if start is None and end is None:
            return None
        if start is None or end is None:
            raise ValidationError({"time_to": _now("请同时填写开始和结束时间")})
        if start == end:
            raise ValidationError({"time_to": _now("开始和结束时间不能相同")})
        return {"from": f"{start:%H:%M}", "to": f"{end:%H:%M}"}

    def initial(self, stored: Any) -> dict[str, Any]:
        return {"time_from": stored["from"], "time_to": stored["to"]}

    def met(self, wanted: Any, fact: FactLike) -> Any:
        at = localtime(fact.at).time()
        start, end = time.fromisoformat(wanted["from"]), time.fromisoformat(wanted["to"])
        inside = start <= at < end if start < end else at >= start or at < end
        return f"{at:%H:%M}" if inside else None

    def in_words(self, wanted: Any) -> str:
        return _now("时间 %(from)s–%(to)s") % wanted

    def because(self, met: Any) -> str:
        return _now("时间 %(at)s") % {"at": met}


class KeywordIs(Condition):
    """Any of the words, in any case of letters."""

    key = "words"

    def fields(self, operator: Any, stored: Any = None) -> dict[str, forms.Field]:
        help_text = _("每行一个，命中任意一个即可，不区分大小写")
        return {
            self.key: forms.CharField(label=_("关键词"), widget=forms.Textarea(attrs={"rows": 4}), help_text=help_text)
        }

    def stored(self, cleaned: Mapping[str, Any]) -> Any:
        words = list(dict.fromkeys(line.strip() for line in cleaned.get(self.key, "").splitlines() if line.strip()))
        if not words:
            raise ValidationError({self.key: _now("请至少填写一个关键词")})
        if len(words) > MOST_WORDS or any(len(word) > 30 for word in words):
            raise ValidationError({self.key: _now("最多 50 个关键词，每个最多 30 个字")})
        return words

    def initial(self, stored: Any) -> dict[str, Any]:
        return {self.key: "\n".join(stored)}

    def met(self, wanted: Any, fact: FactLike) -> Any:
        text = str(fact.values.get("text", "")).casefold()
        return next((word for word in wanted if word.casefold() in text), None)

    def in_words(self, wanted: Any) -> str:
        return _now("关键词“%(words)s”") % {"words": _now("、").join(wanted)}


class SpokenBy(Condition):
    key = "speaker"
    CHOICES = (("customer", _("客户说的")), ("staff", _("员工说的")), ("", _("不限")))

    def fields(self, operator: Any, stored: Any = None) -> dict[str, forms.Field]:
        return {self.key: forms.ChoiceField(label=_("谁说的"), choices=self.CHOICES, required=False)}

    def met(self, wanted: Any, fact: FactLike) -> Any:
        said = "customer" if fact.values.get("from_customer") else "staff"
        return said if said == wanted else None

    def in_words(self, wanted: Any) -> str:
        return str(dict(self.CHOICES).get(wanted, wanted))

    def because(self, met: Any) -> str:
        return self.in_words(met)


def _many(label: Any, choices: Sequence[tuple[Any, str]], help_text: Any, coerce: Any = whole) -> forms.Field:
    return forms.TypedMultipleChoiceField(
        label=label,
        choices=[("", choices)] if choices else [],
        coerce=coerce,
        required=False,
        widget=Pick,
        help_text=help_text,
        empty_value=[],
    )
