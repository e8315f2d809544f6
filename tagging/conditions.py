"""The condition tree of a 人群包: cleaned once, then compiled to one parameterised WHERE, or said in plain Chinese.

A group is `{"match": "all" | "any" | "none", "of": […]}`, a condition `{"is": "tags", "op": "any", "value": […]}`; what
a condition may be about stands in `tagging.vocabulary`. An empty tree means everyone.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts.models import CustomField
from members.scope import visible_staff
from tagging.criteria import Criterion, Names, Picked, Reach, Where
from tagging.vocabulary import CRITERIA, OF_FIELD, own_fields, stored_field

Tree = dict[str, Any]
MATCHES = ("all", "any", "none")
MAX_CONDITIONS = 30
MAX_DEPTH = 3


def clean(tree: Any) -> Tree:
    """The tree with nothing in it that means nothing. Raises ValidationError in the words of the builder."""
    if tree in (None, {}, []):
        return {}
    criteria = CRITERIA | {one.key: one for one in own_fields()}
    cleaned = _clean_group(tree, criteria, 1)
    if sum(1 for _leaf in leaves(cleaned)) > MAX_CONDITIONS:
        raise ValidationError(_("一个人群包最多 %(max)d 个条件") % {"max": MAX_CONDITIONS})
    return cleaned if cleaned["of"] else {}


def _clean_group(node: Any, criteria: Mapping[str, Criterion], depth: int) -> Tree:
    if not isinstance(node, Mapping) or node.get("match") not in MATCHES or not isinstance(node.get("of"), list):
        raise ValidationError(_("条件的格式不正确"))
    if depth > MAX_DEPTH:
        raise ValidationError(_("条件组最多套 %(max)d 层") % {"max": MAX_DEPTH})
    of: list[Tree] = []
    for one in node["of"]:
        if isinstance(one, Mapping) and "match" in one:
            group = _clean_group(one, criteria, depth + 1)
            of += [group] if group["of"] else []
        else:
            of.append(_clean_leaf(one, criteria))
    return {"match": node["match"], "of": of}


def _clean_leaf(leaf: Any, criteria: Mapping[str, Criterion]) -> Tree:
    if not isinstance(leaf, Mapping):
        raise ValidationError(_("条件的格式不正确"))
    criterion = criteria.get(str(leaf.get("is")))
    if criterion is None:
        raise ValidationError(_("有条件已不可用，请去掉后再保存"))
    return criterion.clean(leaf)


def is_sound(tree: Any) -> bool:
    """A stored tree that is not of the shape above means nobody, never everyone."""
    if not isinstance(tree, Mapping) or tree.get("match") not in MATCHES:
        return False
    of = tree.get("of")
    return isinstance(of, list) and bool(of) and all(is_sound(one) or _is_sound_leaf(one) for one in of)


def _is_sound_leaf(leaf: Any) -> bool:
    key = leaf.get("is") if isinstance(leaf, Mapping) else None
    if not isinstance(key, str) or (key not in CRITERIA and not key.startswith(OF_FIELD)):
        return False
    ops = criterion_of(key, {}).ops
    return leaf.get("op") in ops and (not ops[leaf["op"]][1] or "value" in leaf)


def leaves(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for one in tree.get("of", ()):
        if "match" in one:
            yield from leaves(one)
        else:
            yield one


# -- in SQL ------------------------------------------------------------------------------------------------------------


def compile(
    tree: Tree,
    *,
    operator: Any = None,
    staff_ids: Iterable[int] | None = None,
    now: datetime | None = None,
    alias: str = "f",
) -> Where:
    """One WHERE over `contacts_customerfacts` as `alias`, for customers in the range of the operator or of these staff.

    Without either it is the whole company's.
    """
    staff = None if staff_ids is None else sorted(set(staff_ids))
    if operator is not None and (seen := visible_staff(operator)) is not None:
        mine = set(seen.values_list("pk", flat=True))
        staff = sorted(mine if staff is None else mine & set(staff))
    reach = Reach(alias, staff, now or timezone.now())
    parts = [Where(f"{alias}.added_at IS NOT NULL")]  # not those whose first event is still on its way
    if staff is not None:
        parts.append(Where(f"{alias}.known_by && %s::bigint[]", [staff]))
    if tree:
        parts.append(_compile_group(tree, reach) if is_sound(tree) else Where("false"))
    return Where(" AND ".join(one.sql for one in parts), [given for one in parts for given in one.params])


def _compile_group(group: Tree, reach: Reach) -> Where:
    parts = [_compile_group(one, reach) if "match" in one else _compile_leaf(one, reach) for one in group["of"]]
    joined = (" AND " if group["match"] == "all" else " OR ").join(f"({one.sql})" for one in parts)
    sql = f"(({joined}) IS NOT TRUE)" if group["match"] == "none" else f"({joined})"
    return Where(sql, [given for one in parts for given in one.params])


def _compile_leaf(leaf: Tree, reach: Reach) -> Where:
    return criterion_of(leaf["is"], {}).sql(leaf, reach)


def criterion_of(key: str, labels: Mapping[str, str]) -> Criterion:
    return stored_field(key, labels) if key.startswith(OF_FIELD) else CRITERIA[key]


# -- in words ----------------------------------------------------------------------------------------------------------


class Vocabulary:
    """The names that some trees use, looked up together."""

    def __init__(self, trees: Iterable[Tree]) -> None:
        used: dict[str, set[Any]] = {}
        for tree in filter(is_sound, trees):
            for leaf in leaves(tree):
                picked = leaf.get("value")
                used.setdefault(leaf["is"], set()).update(picked if isinstance(picked, list) else ())
        self.names: dict[str, Names] = {
            key: criterion.named(picked)
            for key, picked in used.items()
            if isinstance(criterion := CRITERIA.get(key), Picked)
        }
        self.labels: dict[str, str] = {}
        if any(key.startswith(OF_FIELD) for key in used):
            self.labels = dict(CustomField.objects.values_list("key", "name"))

    def say(self, tree: Tree) -> str:
        if not tree:
            return _("全部客户")
        if not is_sound(tree):
            return _("条件已损坏，请重新编辑")
        said = self._group(tree)
        return _("全部客户，%(said)s") % {"said": said} if tree["match"] == "none" else said

    def _group(self, group: Tree) -> str:
        said = [self._part(one, alone=len(group["of"]) == 1) for one in group["of"]]
        if group["match"] == "all":
            return _("，并且").join(said)
        either = _("，或者").join(said)
        return _("排除（%(said)s）") % {"said": either} if group["match"] == "none" else either

    def _part(self, node: Tree, *, alone: bool) -> str:
        if "match" not in node:
            return criterion_of(node["is"], self.labels).words(node, self.names.get(node["is"], {}))
        said = self._group(node)
        return said if alone or len(node["of"]) == 1 or node["match"] == "none" else f"（{said}）"


def in_words(tree: Tree) -> str:
    """The tree as a sentence."""
    return Vocabulary([tree]).say(tree)
