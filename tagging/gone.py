"""Tags that WeCom has no more: taken out of the calls that name them, so that the other tags are not lost with them."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.translation import gettext as _

from contacts.models import Tag
from tagging.corp_tags import forget
from tenants.current import wecom_client
from tenants.models import OutgoingCall

NAMED = 5  # in one sentence


def mend(call: OutgoingCall, body: dict[str, Any]) -> dict[str, Any] | None:
    """The body of a mark_tag without the tags for which WeCom refused all of it (40068), None where nothing is left.

    Who asks first looks them up and puts them away here; the calls of the same run that come after know it already.
    """
    wanted = [*body.get("add_tag", ()), *body.get("remove_tag", ())]
    if call.purpose != "mark_tag" or len(wanted) < 2:
        return None
    tags = list(Tag.objects.filter(wecom_id__in=wanted).select_related("group"))
    gone = [tag for tag in tags if tag.deleted_at is not None]
    if not gone:
        gone = _ask([tag for tag in tags if tag.group.strategy_id is None], call.priority)
    if not gone or len(gone) == len(wanted):
        return None
    _note(call, [tag.pk for tag in gone])
    ids = {tag.wecom_id for tag in gone}
    left = {name: [one for one in body.get(name, ()) if one not in ids] for name in ("add_tag", "remove_tag")}
    rest = {name: value for name, value in body.items() if name not in left}
    return rest | {name: value for name, value in left.items() if value}


def _ask(tags: Sequence[Tag], priority: int) -> list[Tag]:
    """All of the living are read: what an id that never was one answers is not documented (path/92117)."""
    groups = wecom_client(priority=priority).corp_tags()
    living = {tag.id for group in groups if not group.deleted for tag in group.tags if not tag.deleted}
    if not living:  # such a list says nothing: contacts/emptied.py
        return []
    gone = [tag for tag in tags if tag.wecom_id not in living]
    if gone:
        forget([tag.pk for tag in gone], [])
    return gone


def _note(call: OutgoingCall, gone: list[int]) -> None:
    """The outcome tells of what was really asked."""
    context = dict(call.context)
    for name in ("add", "remove"):
        context[name] = [pk for pk in context[name] if pk not in gone]
    context["gone"] = [*context.get("gone", ()), *gone]
    call.context = context
    OutgoingCall.objects.filter(pk=call.pk).update(context=context)


def in_words(keys: Iterable[int], *, alone: bool = False) -> str:
    """Which tags could not be put on as WeCom has them no more; "" for none. `alone`: nothing else was asked for."""
    names = list(Tag.objects.filter(pk__in=list(keys)).order_by("pk").values_list("name", flat=True))
    if not names:
        return _("标签在企业微信中已不存在。") if alone else ""
    said = _("、").join(f"“{name}”" for name in names[:NAMED])
    if len(names) > NAMED:
        said = _("%(names)s等 %(n)d 个") % {"names": said, "n": len(names)}
    if alone:
        return _("标签%(names)s在企业微信中已不存在。") % {"names": said}
    return _("标签%(names)s在企业微信中已不存在，没有改动；其余标签已处理。") % {"names": said}
