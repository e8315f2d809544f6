"""企业标签: made, renamed, put in order and deleted in WeCom; our rows follow what WeCom answered."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from contacts import bulk
from contacts.bulk.facts import drop_tags
from contacts.models import FollowTag, Tag, TagGroup
from tagging.models import TagOrigin
from tenants import outbox
from tenants.current import current_tenant
from tenants.models import OutgoingCall
from wecom.client import WeComClient

ADD, EDIT, DELETE = (f"externalcontact/{act}_corp_tag" for act in ("add", "edit", "del"))
MOST = 3000  # corp tags and those of rule groups together (path/92117)
LONGEST = 30
MAX_ORDER = 2**32 - 1
SUBJECT = "corp_tags"
"""One after the other: WeCom's answer to one change may decide over the next."""

State = OutgoingCall.State
WAITING = (State.PENDING, State.LEASED, State.PARKED, State.UNKNOWN)
GONE, NOT_OURS = 40068, 81011
PURPOSES = ("tags_add", "tag_edit", "tags_delete")

Labelled = Tag | TagGroup


def living_groups() -> QuerySet[TagGroup]:
    """Groups of corp tags in WeCom's order, without the one that stands for rule groups."""
    groups = TagGroup.objects.filter(deleted_at=None).exclude(wecom_id="")
    return groups.order_by("-order", "id")


def tags_in(group: TagGroup) -> QuerySet[Tag]:
    return Tag.objects.filter(group=group, deleted_at=None).order_by("-order", "id")


def room_left(under_way: Iterable[OutgoingCall] | None = None) -> int:
    """How many more tags WeCom will take, those under way counted."""
    used = Tag.objects.filter(deleted_at=None, group__deleted_at=None).count()
    calls = waiting().defer("body") if under_way is None else under_way
    return max(0, MOST - used - sum(len(call.context["names"]) for call in calls if call.purpose == "tags_add"))


def waiting() -> QuerySet[OutgoingCall]:
    """Changes of tags that WeCom has not confirmed yet."""
    return OutgoingCall.objects.filter(tenant=current_tenant(), subject=SUBJECT, state__in=WAITING).order_by("id")


# -- asked of WeCom ----------------------------------------------------------------------------------------------------


def add_tags(
    names: Sequence[str],
    *,
    by: str,
    source: str,
    group: TagGroup | None = None,
    group_name: str = "",
) -> OutgoingCall:
    """New tags, in a group that is there or in a new one. Raises ValidationError in the user's words."""
    names = [clean_name(name, "names") for name in names]
    if not names:
        raise ValidationError({"names": _("请至少填写一个标签")})
    if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
        raise ValidationError({"names": _("标签“%(name)s”写了两次") % {"name": twice}})
    if group is None:
        group_name = clean_name(group_name, "group_name")
        group = living_groups().filter(name=group_name).first()  # WeCom adds to the group of that name
    elif not group.wecom_id:
        raise ValidationError({"names": _("规则组标签只能在企业微信中修改")})
    if group is not None and (known := tags_in(group).filter(name__in=names).first()):
        raise ValidationError({"names": _("这个标签组已有标签“%(name)s”") % {"name": known.name}})
    if len(names) > (left := room_left()):
        words = _("企业最多 3000 个标签，还可以新建 %(left)d 个") % {"left": left}
        raise ValidationError({"names": words})
    place: dict[str, Any] = {"group_id": group.wecom_id} if group else {"group_name": group_name}
    return _post(
        ADD,
        place | {"tag": [{"name": name} for name in names]},
        purpose="tags_add",
        context={"names": list(names), "group": group.name if group else group_name, "source": source},
        by=by,
    )


def rename(row: Labelled, name: str, *, by: str, source: str) -> OutgoingCall | None:
    """Another name for a tag or a group; None when it has that name."""
    refuse_if_foreign(row)
    name = clean_name(name, "name")
    if name == row.name:
        return None
    others = tags_in(row.group) if isinstance(row, Tag) else living_groups()
    if others.filter(name=name).exclude(pk=row.pk).exists():
        words = _("这个标签组已有同名标签") if isinstance(row, Tag) else _("已有同名的标签组")
        raise ValidationError({"name": words})
    return _edit(row, {"name": name}, by=by, source=source)


def shift(row: Labelled, step: int, *, by: str, source: str) -> int:
    """One place up (-1) or down (+1); how many rows WeCom is told of. Larger numbers stand first."""
    refuse_if_foreign(row)
    rows: list[Labelled] = list(tags_in(row.group) if isinstance(row, Tag) else living_groups())
    orders = _orders_to_be()
    for one in rows:
        one.order = orders.get(one.wecom_id, one.order)
    rows.sort(key=lambda one: (-one.order, one.pk))
    place = next((number for number, one in enumerate(rows) if one.pk == row.pk), None)
    if place is None or not 0 <= place + step < len(rows):
        return 0
    rows.insert(place + step, rows.pop(place))
    told, least = 0, -1
    for one in reversed(rows):
        if one.order <= least:
            if least >= MAX_ORDER:
                raise ValidationError(_("顺序的数值太大，请在企业微信管理后台调整"))
            one.order = least + 1
            _edit(one, {"order": one.order}, by=by, source=source)
            told += 1
        least = one.order
    return told


def _orders_to_be() -> dict[str, int]:
    """What the changes that still wait will make of the order: two clicks in a row are two steps."""
    edits = waiting().filter(purpose="tag_edit").values_list("context", flat=True)
    return {edit["id"]: edit["order"] for edit in edits if "order" in edit}


def delete(rows: Sequence[Labelled], *, by: str, source: str) -> OutgoingCall:
    """Tags and groups go, and come off every customer."""
    for row in rows:
        refuse_if_foreign(row)
    tags = [row for row in rows if isinstance(row, Tag)]
    groups = [row for row in rows if isinstance(row, TagGroup)]
    if not tags and not groups:
        raise ValidationError(_("请至少选择一个标签"))
    body: dict[str, Any] = {}
    if tags:
        body["tag_id"] = [tag.wecom_id for tag in tags]
    if groups:
        body["group_id"] = [group.wecom_id for group in groups]
    context = {"tags": [tag.pk for tag in tags], "groups": [group.pk for group in groups], "source": source}
    return _post(DELETE, body, purpose="tags_delete", context=context | {"names": [row.name for row in rows]}, by=by)


def clean_name(name: str, field: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise ValidationError({field: _("请填写名称")})
    if len(name) > LONGEST:
        words = _("“%(name)s”太长，最多 %(most)d 个字") % {"name": name[:40], "most": LONGEST}
        raise ValidationError({field: words})
    return name


def refuse_if_foreign(row: Labelled) -> None:
    """What WeCom would refuse anyhow."""
    group = row.group if isinstance(row, Tag) else row
    if not group.wecom_id or group.strategy_id is not None:
        raise ValidationError(_("规则组标签只能在企业微信中修改"))
    if row.deleted_at is not None:
        raise ValidationError(_("“%(name)s”在企业微信中已被删除") % {"name": row.name})
    if TagOrigin.objects.filter(wecom_id=row.wecom_id, ours=False).exists():
        raise ValidationError(_("“%(name)s”不是本应用创建的，只能在企业微信管理后台修改") % {"name": row.name})


def _edit(row: Labelled, change: dict[str, Any], *, by: str, source: str) -> OutgoingCall:
    kind = "tag" if isinstance(row, Tag) else "group"
    context = {"kind": kind, "row": row.pk, "id": row.wecom_id, "was": row.name, "source": source, **change}
    return _post(EDIT, {"id": row.wecom_id, **change}, purpose="tag_edit", context=context, by=by)


def _post(api: str, body: dict[str, Any], *, purpose: str, context: dict[str, Any], by: str) -> OutgoingCall:
    key = f"{purpose}:{uuid.uuid4()}"
    return outbox.post(api, body, purpose=purpose, idem_key=key, subject=SUBJECT, context=context, by=by)


# -- what WeCom said ---------------------------------------------------------------------------------------------------


def tags_added(call: OutgoingCall) -> None:
    """The rows of what was made, and that we made it."""
    group = (call.result or {}).get("tag_group")
    if call.state != State.OK or not isinstance(group, dict):
        return
    bulk.lock_customers()
    kept, _made = TagGroup.objects.update_or_create(
        wecom_id=group["group_id"],
        defaults={"name": str(group["group_name"])[:64], "order": group.get("order", 0), "deleted_at": None},
    )
    for tag in group.get("tag") or []:
        values = {"group": kept, "name": str(tag["name"])[:64], "order": tag.get("order", 0), "deleted_at": None}
        Tag.objects.update_or_create(wecom_id=tag["id"], defaults=values)
        _know(tag["id"], ours=True)
    if _made:
        _know(kept.wecom_id, ours=True)


def tag_edited(call: OutgoingCall) -> None:
    context = call.context
    model: type[Labelled] = Tag if context["kind"] == "tag" else TagGroup
    if call.state == State.OK:
        values = {name: context[name] for name in ("name", "order") if name in context}
        model.objects.filter(pk=context["row"]).update(**values)
    elif call.result_code == NOT_OURS:
        _know(context["id"], ours=False)


def tags_deleted(call: OutgoingCall) -> None:
    """Gone in WeCom, by us or by somebody before us: gone here, from every customer."""
    context = call.context
    if call.state == State.OK or (call.result_code == GONE and len(context["tags"] + context["groups"]) == 1):
        forget(context["tags"], context["groups"])
    elif call.result_code == NOT_OURS:
        for model, keys in ((Tag, context["tags"]), (TagGroup, context["groups"])):
            for wecom_id in model.objects.filter(pk__in=keys).values_list("wecom_id", flat=True):
                _know(wecom_id, ours=False)


@transaction.atomic
def forget(tags: list[int], groups: list[int]) -> None:
    """Gone in WeCom: off every customer here."""
    bulk.lock_customers()
    at = timezone.now()
    doomed = Tag.objects.filter(pk__in=tags) | Tag.objects.filter(group__in=groups)
    keys = list(doomed.filter(deleted_at=None).values_list("pk", flat=True))
    Tag.objects.filter(pk__in=keys).update(deleted_at=at)
    FollowTag.objects.filter(tag__in=keys).delete()
    with connection.cursor() as cursor:
        drop_tags(cursor, keys)
    emptied = TagGroup.objects.filter(deleted_at=None, tags__in=keys).exclude(tags__deleted_at=None)
    TagGroup.objects.filter(pk__in={*groups, *emptied.values_list("pk", flat=True)}).update(deleted_at=at)


def _know(wecom_id: str, *, ours: bool) -> None:
    TagOrigin.objects.update_or_create(wecom_id=wecom_id, defaults={"ours": ours})


def find_added(call: OutgoingCall, body: dict[str, Any], client: WeComClient) -> dict[str, Any] | None:
    """Whether tags whose answer was lost were made: all of their names stand in the group (path/92117)."""
    names = {tag["name"] for tag in body["tag"]}
    for group in client.corp_tags():
        here = group.id == body["group_id"] if "group_id" in body else group.name == body["group_name"]
        tags = [tag for tag in group.tags if tag.name in names and not tag.deleted]
        if here and not group.deleted and len(tags) == len(names):
            found = [{"id": tag.id, "name": tag.name, "order": tag.order} for tag in tags]
            return {"tag_group": {"group_id": group.id, "group_name": group.name, "order": group.order, "tag": found}}
    return None
