"""All that the conditions of a 人群包 may be about. A new kind of condition is one entry here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from contacts.models import CustomField
from tagging import criteria
from tagging.criteria import (
    Active,
    Added,
    AtStage,
    Criterion,
    InArray,
    InChat,
    InDepartment,
    IsFriend,
    Leaf,
    Lost,
    Names,
    Reach,
    Text,
    Where,
    days,
    picks,
    said_names,
    said_range,
)

OF_FIELD = "field:"
ANY_OR_NONE = picks(any=_("是其中之一"), none=_("都不是"))

CRITERIA: dict[str, Criterion] = {
    one.key: one
    for one in (
        InArray(
            "tags",
            _("标签"),
            picks(any=_("有任一"), all=_("全部都有"), none=_("都没有")),
            named=criteria.names_of_tags,
            said={
                "one": _("有标签%(names)s"),
                "any": _("有标签%(names)s之一"),
                "all": _("同时有标签%(names)s"),
                "none": _("没有标签%(names)s"),
            },
            column="tag_ids",
            truth="l.tag_id",
        ),
        AtStage(
            "stage",
            _("客户阶段"),
            ANY_OR_NONE,
            named=criteria.names_of_stages,
            said={"any": _("阶段是%(names)s"), "none": _("阶段不是%(names)s")},
        ),
        IsFriend(
            "staff",
            _("好友员工"),
            ANY_OR_NONE,
            named=criteria.names_of_staff,
            said={"any": _("是%(names)s的好友"), "none": _("不是%(names)s的好友")},
        ),
        InDepartment(
            "department",
            _("员工所在部门（含下级）"),
            ANY_OR_NONE,
            named=criteria.names_of_departments,
            said={
                "any": _("是%(names)s（含下级部门）员工的好友"),
                "none": _("不是%(names)s（含下级部门）员工的好友"),
            },
        ),
        InChat(
            "chat",
            _("客户群"),
            picks(any=_("在其中之一"), none=_("都不在")),
            named=criteria.names_of_chats,
            said={"any": _("在客户群%(names)s中"), "none": _("不在客户群%(names)s中")},
        ),
        Added(
            "added",
            _("添加时间"),
            {
                "last": (_("在最近几天内"), "days"),
                "before": (_("已超过几天"), "days"),
                "between": (_("在日期之间"), "dates"),
            },
        ),
        InArray(
            "add_way",
            _("添加方式"),
            ANY_OR_NONE,
            named=criteria.names_of_ways,
            said={"any": _("添加方式是%(names)s"), "none": _("添加方式不是%(names)s")},
            column="add_ways",
            kind="integer",
            truth="w.add_way",
        ),
        InArray(
            "code",
            _("渠道活码"),
            ANY_OR_NONE,
            named=criteria.names_of_codes,
            said={"any": _("来自渠道活码%(names)s"), "none": _("不是来自渠道活码%(names)s")},
            number=False,
            column="states",
            kind="text",
            truth="w.state",
        ),
        Lost("lost", _("流失状态"), {"no": (_("未流失"), ""), "yes": (_("已流失"), "")}),
        Active(
            "message",
            _("最近消息"),
            days(within=_("最近几天内有消息"), absent=_("最近几天内没有消息")),
            column="last_message_at",
            said={"within": _("最近 %(n)s 天内有消息"), "absent": _("最近 %(n)s 天内没有消息")},
        ),
        Active(
            "opened",
            _("打开链接"),
            days(within=_("最近几天内打开过"), absent=_("最近几天内没有打开过")),
            column="last_opened_at",
            said={"within": _("最近 %(n)s 天内打开过链接"), "absent": _("最近 %(n)s 天内没有打开过链接")},
        ),
    )
}

BLANK = {"empty": (_("没有填写"), ""), "filled": (_("已填写"), "")}
OPS_OF_FIELD: dict[str, dict[str, tuple[Text, str]]] = {
    CustomField.Kind.TEXT: {"equals": (_("等于"), "text"), "contains": (_("包含"), "text"), **BLANK},
    CustomField.Kind.NUMBER: {"range": (_("在数值之间"), "numbers"), **BLANK},
    CustomField.Kind.DATE: {"dates": (_("在日期之间"), "dates"), **BLANK},
    CustomField.Kind.CHOICE: {"any": (_("是其中之一"), "picks"), **BLANK},
}
EVERY_OP = {op: said for ops in OPS_OF_FIELD.values() for op, said in ops.items()}


@dataclass(frozen=True)
class OwnField(Criterion):
    """A custom field. What is stored compiles by itself, whatever became of the field since."""

    name: str = ""
    choices: list[str] = field(default_factory=list)

    def clean_value(self, editor: str, value: Any) -> Any:
        cleaned = super().clean_value(editor, value)
        if editor == "picks" and not set(cleaned) <= set(self.choices):
            raise ValidationError(_now("“%(label)s”中有已被删除的选项，请去掉后再保存") % {"label": self.label})
        return cleaned

    def sql(self, leaf: Leaf, reach: Reach) -> Where:
        at, op, value = f"{reach.f}.fields", leaf["op"], leaf.get("value")
        if op == "equals":
            return Where(f"{at} @> %s::jsonb", [json.dumps({self.name: value})])
        if op == "any":
            each = " OR ".join([f"{at} @> %s::jsonb"] * len(value or ()))
            return Where(each, [json.dumps({self.name: one}) for one in value or ()])
        if op == "contains":
            return Where(f"strpos(lower({at} ->> %s), lower(%s)) > 0", [self.name, value])
        if op in ("empty", "filled"):
            return Where(f"COALESCE({at} ->> %s, '') {'=' if op == 'empty' else '<>'} ''", [self.name])
        stored = f'({at} ->> %s) COLLATE "C"'
        given: list[Any] = [self.name]
        if op == "range":  # a value of another kind, of before a change of the field, is none
            stored = f"CASE jsonb_typeof({at} -> %s) WHEN 'number' THEN ({at} ->> %s)::numeric END"
            given = [self.name, self.name]
        ends = [
            (compare, (value or {})[end]) for end, compare in (("from", ">="), ("to", "<=")) if end in (value or {})
        ]
        return Where(
            " AND ".join(f"{stored} {compare} %s" for compare, _end in ends),
            [one for _compare, end in ends for one in (*given, end)],
        )

    def words(self, leaf: Leaf, names: Names) -> str:
        op, value = leaf["op"], leaf.get("value")
        if op in ("range", "dates"):
            return said_range(self.label, value or {}, dates=op == "dates")
        said = {
            "equals": _now("%(field)s是%(value)s"),
            "contains": _now("%(field)s包含%(value)s"),
            "any": _now("%(field)s是%(value)s"),
            "empty": _now("%(field)s没有填写"),
            "filled": _now("%(field)s已填写"),
        }[op]
        shown = said_names(value if isinstance(value, list) else [str(value)])
        return said % {"field": self.label, "value": shown}


def own_fields() -> list[OwnField]:
    """Those in use, in the company's order."""
    rows = CustomField.objects.filter(archived_at=None).order_by("order", "id")
    return [OwnField(OF_FIELD + row.key, row.name, OPS_OF_FIELD[row.kind], row.key, list(row.choices)) for row in rows]


def stored_field(key: str, labels: Mapping[str, str]) -> OwnField:
    """A field as a saved tree names it, also when it was put away."""
    name = key.removeprefix(OF_FIELD)
    return OwnField(key, labels.get(name) or _now("已删除的字段"), EVERY_OP, name)
