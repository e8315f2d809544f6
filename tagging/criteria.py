"""The single conditions of a 人群包: what each may ask, its SQL over the facts, and how it is said in Chinese."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.timezone import make_aware
from django.utils.translation import gettext as _now

from contacts.models import GroupChat, Stage, Tag
from contacts.wording import add_way
from members.models import Department, Staff

Text = Any  # str or a lazy translation
Leaf = Mapping[str, Any]
Names = Mapping[Any, str]
NO_STAGE = 0  # stands for "no stage yet" among the ids of stages
MAX_PICKED = 500
MAX_DAYS = 3650
YEARS = range(1900, 2101)

CODE_NAMES: list[Callable[[Collection[str] | None], dict[str, str]]] = []
"""Names of channel codes by their state (None: of all in use); filled by the app that has them."""


@dataclass(slots=True)
class Where:
    """A condition in SQL, with its parameters."""

    sql: str
    params: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reach:
    """Over whom a tree is compiled: the alias of the facts, the staff whose friendships may be looked at, the moment.

    What is said of friendships is said of those in the range alone; stage, fields and activity belong to the customer.
    """

    f: str
    staff: list[int] | None
    now: datetime

    def of_follows(self, column: str, kind: str) -> Where:
        """An array over the friendships in range, for a column of the facts that sums up all of them."""
        links = "JOIN contacts_followtag l ON l.follow_id = w.id" if column == "l.tag_id" else ""
        living = "AND w.ended_at IS NULL" if links else ""
        return Where(
            f"ARRAY(SELECT {column}::{kind} FROM contacts_follow w {links} WHERE w.customer_id = {self.f}.customer_id"  # noqa: S608
            f" AND w.staff_id = ANY(%s::bigint[]) {living})",
            [self.staff],
        )

    def since(self, days: int) -> datetime:
        return self.now - timedelta(days=days)


@dataclass(frozen=True)
class Criterion:
    """One kind of condition. `ops`: what may be asked, each with its words in the builder and its editor."""

    key: str
    label: Text
    ops: Mapping[str, tuple[Text, str]]

    def clean(self, leaf: Leaf) -> dict[str, Any]:
        op = str(leaf.get("op"))
        if op not in self.ops:
            raise ValidationError(_now("“%(label)s”的条件不完整") % {"label": self.label})
        cleaned: dict[str, Any] = {"is": self.key, "op": op}
        if editor := self.ops[op][1]:
            cleaned["value"] = self.clean_value(editor, leaf.get("value"))
        return cleaned

    def clean_value(self, editor: str, value: Any) -> Any:
        cleaned = CLEAN[editor](value)
        if cleaned is None:
            raise ValidationError(_now("请填写“%(label)s”的内容") % {"label": self.label})
        return cleaned

    def sql(self, leaf: Leaf, reach: Reach) -> Where:
        raise NotImplementedError

    def words(self, leaf: Leaf, names: Names) -> str:
        raise NotImplementedError


# -- what an editor of the builder gives -------------------------------------------------------------------------------


def clean_picks(value: Any) -> list[Any] | None:
    if not isinstance(value, list) or not value:
        return None
    if len(value) > MAX_PICKED:
        raise ValidationError(_now("一个条件最多选 %(max)d 项") % {"max": MAX_PICKED})
    return list(dict.fromkeys(plain(str(one)[:64]) for one in value))


def clean_days(value: Any) -> int | None:
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit():
        return None
    if len(str(value)) > 9 or not 1 <= int(value) <= MAX_DAYS:
        raise ValidationError(_now("天数须在 1 到 %(max)d 之间") % {"max": MAX_DAYS})
    return int(value)


def clean_range(value: Any, parse: Callable[[str], Any]) -> dict[str, Any] | None:
    """From, to or both; the later end last."""
    if not isinstance(value, Mapping):
        return None
    ends = {}
    for name in ("from", "to"):
        given = value.get(name)
        if given in (None, ""):
            continue
        try:
            ends[name] = parse(str(given))
        except ValueError:
            return None
    if len(ends) == 2 and ends["from"] > ends["to"]:
        raise ValidationError(_now("起始值不能大于结束值"))
    return ends or None


def a_date(text: str) -> str:
    day = date.fromisoformat(text)
    if day.year not in YEARS:
        raise ValueError(text)
    return day.isoformat()


def a_number(text: str) -> float | int:
    number = float(text)
    if abs(number) > 1e15 or number != number:  # noqa: PLR0124  not a number
        raise ValueError(text)
    return int(number) if number.is_integer() else number


def plain(text: str) -> str:
    """Without what no text in Postgres may hold."""
    return "".join(char for char in text if char != "\x00" and not 0xD800 <= ord(char) <= 0xDFFF)


CLEAN: dict[str, Callable[[Any], Any]] = {
    "picks": clean_picks,
    "days": clean_days,
    "dates": lambda value: clean_range(value, a_date),
    "numbers": lambda value: clean_range(value, a_number),
    "text": lambda value: plain(str(value or "")).strip()[:200] or None,
}


def ends_of(value: Mapping[str, str]) -> dict[str, datetime]:
    """The moments of a range of days; the last day is meant to its end."""
    ends = {}
    if "from" in value:
        ends["from"] = make_aware(datetime.combine(date.fromisoformat(value["from"]), time.min))
    if "to" in value:
        ends["to"] = make_aware(datetime.combine(date.fromisoformat(value["to"]) + timedelta(days=1), time.min))
    return ends


def said_names(names: Iterable[str]) -> str:
    return _now("、").join(_now("“%(name)s”") % {"name": name} for name in names)


def said_range(label: Text, value: Mapping[str, Any], *, dates: bool) -> str:
    if "from" in value and "to" in value:
        said = _now("%(label)s在 %(from)s 到 %(to)s 之间")
    elif "from" in value:
        said = _now("%(label)s不早于 %(from)s") if dates else _now("%(label)s不小于 %(from)s")
    else:
        said = _now("%(label)s不晚于 %(to)s") if dates else _now("%(label)s不大于 %(to)s")
    return said % {"label": label, **value}


# -- conditions on sets ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Picked(Criterion):
    """Some of a list: `any`, `all` or `none` of the picked ones."""

    named: Callable[[Collection[Any]], Names] = field(default=lambda keys: {})
    said: Mapping[str, Text] = field(default_factory=dict)  # by op
    number: bool = True

    def clean_value(self, editor: str, value: Any) -> list[Any]:
        picked = super().clean_value(editor, value)
        if self.number:
            if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in picked):
                raise ValidationError(_now("请填写“%(label)s”的内容") % {"label": self.label})
            picked = [int(one) for one in picked]
        known = self.named(picked)
        if any(one not in known for one in picked):
            raise ValidationError(_now("“%(label)s”中有已被删除的选项，请去掉后再保存") % {"label": self.label})
        return list(picked)

    def sql(self, leaf: Leaf, reach: Reach) -> Where:
        found = self.has(leaf["value"], leaf["op"] == "all", reach)
        return Where(f"({found.sql}) IS NOT TRUE", found.params) if leaf["op"] == "none" else found

    def has(self, value: list[Any], every: bool, reach: Reach) -> Where:
        raise NotImplementedError

    def words(self, leaf: Leaf, names: Names) -> str:
        op = "one" if leaf["op"] != "none" and len(leaf["value"]) == 1 and "one" in self.said else leaf["op"]
        return str(self.said[op]) % {"names": self.listed(leaf["value"], names)}

    def listed(self, value: list[Any], names: Names) -> str:
        gone = _now("已删除的%(label)s") % {"label": self.label}
        return said_names(names.get(one) or gone for one in value)


@dataclass(frozen=True)
class InArray(Picked):
    """Against an array of the facts; within a data scope against the friendships in range as well, index first."""

    column: str = ""
    kind: str = "bigint"
    truth: str = ""  # the column of the friendship that it sums up

    def has(self, value: list[Any], every: bool, reach: Reach) -> Where:
        compare = "@>" if every else "&&"
        sql, params = f"{reach.f}.{self.column} {compare} %s::{self.kind}[]", [value]
        if reach.staff is None:
            return Where(sql, params)
        seen = reach.of_follows(self.truth, self.kind)
        return Where(f"{sql} AND {seen.sql} {compare} %s::{self.kind}[]", [*params, *seen.params, value])


class IsFriend(Picked):
    """Friends with the picked staff now, as far as these are in range."""

    def has(self, value: list[Any], every: bool, reach: Reach) -> Where:
        staff = self.staff(value)
        if reach.staff is not None:
            staff = sorted(set(staff) & set(reach.staff))
        return Where(f"{reach.f}.staff_ids && %s::bigint[]", [staff])

    def staff(self, value: list[Any]) -> list[int]:
        return value


_STAFF_BELOW = """
SELECT DISTINCT p.staff_id FROM members_staffdepartment p JOIN members_department d ON d.id = p.department_id
WHERE d.deleted_at IS NULL AND d.path && ARRAY(SELECT r.wecom_id FROM members_department r WHERE r.id = ANY(%s))
ORDER BY p.staff_id
"""


class InDepartment(IsFriend):
    """Friends with staff of these departments and those below them, as they stand at this moment."""

    def staff(self, value: list[Any]) -> list[int]:
        """In one statement: counting while somebody types asks for them each time."""
        with connection.cursor() as cursor:
            cursor.execute(_STAFF_BELOW, [value])
            return [row[0] for row in cursor.fetchall()]


class AtStage(Picked):
    def has(self, value: list[Any], every: bool, reach: Reach) -> Where:
        at = f"{reach.f}.stage_id"
        stages = [one for one in value if one != NO_STAGE]
        if NO_STAGE not in value:
            return Where(f"{at} = ANY(%s::bigint[])", [stages])
        return Where(f"{at} IS NULL OR {at} = ANY(%s::bigint[])", [stages]) if stages else Where(f"{at} IS NULL")


class InChat(Picked):
    """In a customer group now."""

    def has(self, value: list[Any], every: bool, reach: Reach) -> Where:
        return Where(
            f"EXISTS (SELECT FROM contacts_groupmember m WHERE m.customer_id = {reach.f}.customer_id"
            " AND m.left_at IS NULL AND m.chat_id = ANY(%s::bigint[]))",
            [value],
        )


# -- conditions on times, on activity and on the company's own fields --------------------------------------------------


class Added(Criterion):
    """When the newest friendship was made."""

    def sql(self, leaf: Leaf, reach: Reach) -> Where:
        at, params = f"{reach.f}.added_at", []
        if reach.staff is not None:
            newest = "SELECT max(w.added_at) FROM contacts_follow w WHERE w.customer_id ="
            at, params = f"({newest} {reach.f}.customer_id AND w.staff_id = ANY(%s::bigint[]))", [reach.staff]
        op, value = leaf["op"], leaf["value"]
        if op == "last":
            return Where(f"{at} >= %s", [*params, reach.since(value)])
        if op == "before":
            return Where(f"{at} < %s", [*params, reach.since(value)])
        ends = ends_of(value)
        parts = [f"{at} {compare} %s" for name, compare in (("from", ">="), ("to", "<")) if name in ends]
        given = [end for name in ("from", "to") if name in ends for end in [*params, ends[name]]]
        return Where(" AND ".join(parts), given)

    def words(self, leaf: Leaf, names: Names) -> str:
        said = {"last": _now("最近 %(n)s 天内添加"), "before": _now("添加已超过 %(n)s 天")}
        if leaf["op"] in said:
            return said[leaf["op"]] % {"n": leaf["value"]}
        return said_range(_now("添加日期"), leaf["value"], dates=True)


class Lost(Criterion):
    def sql(self, leaf: Leaf, reach: Reach) -> Where:
        gone = leaf["op"] == "yes"
        if reach.staff is None:
            return Where(f"{reach.f}.lost_at IS {'NOT ' if gone else ''}NULL")
        return Where(f"{'NOT ' if gone else ''}{reach.f}.staff_ids && %s::bigint[]", [reach.staff])

    def words(self, leaf: Leaf, names: Names) -> str:
        return str(self.ops[leaf["op"]][0])


@dataclass(frozen=True)
class Active(Criterion):
    """The last time of something, or never."""

    column: str = ""
    said: Mapping[str, Text] = field(default_factory=dict)

    def sql(self, leaf: Leaf, reach: Reach) -> Where:
        at, since = f"{reach.f}.{self.column}", reach.since(leaf["value"])
        return Where(f"{at} >= %s" if leaf["op"] == "within" else f"({at} >= %s) IS NOT TRUE", [since])

    def words(self, leaf: Leaf, names: Names) -> str:
        return str(self.said[leaf["op"]]) % {"n": leaf["value"]}


# -- names of what is picked -------------------------------------------------------------------------------------------


def names_of_tags(keys: Collection[Any]) -> Names:
    return dict(Tag.objects.filter(pk__in=keys, deleted_at=None).values_list("pk", "name"))


def names_of_stages(keys: Collection[Any]) -> Names:
    stages = dict(Stage.objects.filter(pk__in=keys, archived_at=None).values_list("pk", "name"))
    return stages | {NO_STAGE: _now("未设置阶段")}


def names_of_staff(keys: Collection[Any]) -> Names:
    return {one.pk: str(one) for one in Staff.objects.filter(pk__in=keys)}


def names_of_departments(keys: Collection[Any]) -> Names:
    return dict(Department.objects.filter(pk__in=keys, deleted_at=None).values_list("pk", "name"))


def names_of_chats(keys: Collection[Any]) -> Names:
    return {one.pk: one.name or _now("未命名的客户群") for one in GroupChat.objects.filter(pk__in=keys)}


def names_of_ways(keys: Collection[Any]) -> Names:
    return {key: add_way(key) for key in keys}


def names_of_codes(keys: Collection[Any] | None) -> Names:
    return {state: name for found in CODE_NAMES for state, name in found(keys).items()}


def picks(**words: Text) -> dict[str, tuple[Text, str]]:
    return {op: (said, "picks") for op, said in words.items()}


def days(**words: Text) -> dict[str, tuple[Text, str]]:
    return {op: (said, "days") for op, said in words.items()}
