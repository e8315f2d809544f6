"""The panel of one customer: who this is, and what can be noted with a tap or two."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from contacts.models import Follow, Stage, Tag, TimelineEntry
from contacts.profile import change_fields, write_follow_up
from contacts.remark import pair_of
from contacts.stages import living_stages, move_to_stage
from contacts.views import OPEN_CALLS, living_tags
from contacts.wording import add_way, story
from members.models import Staff
from sidebar.access import claimed_by, seller_required, to_sign_in, told_by
from sidebar.card import card_of
from tagging.marking import change_tags, why
from tenants.current import current_tenant
from tenants.models import OutgoingCall

SHOWN = 15
ASKS = (1, 2, 4, 8, 15)
"""After how many seconds the card asks again whether WeCom has the tags; then it says that it takes longer."""

TURNS = [str(number) for number in range(len(ASKS) + 1)]
MOST_ASKED = 20

NO_CALLS: dict[str, Any] = {"coming": (), "wait": 0, "asked": "", "turn": 0, "longer": False, "refusals": ()}
UNCHANGED: dict[str, Any] = {"toast": "", "noted": False, **NO_CALLS}
"""What a change says on the card. Named here too: a template looks everywhere for a name that is nowhere."""


@require_GET
def card(request: HttpRequest, external_userid: str) -> HttpResponse:
    """Who asks, whether they may, and the whole card are one statement."""
    pk = claimed_by(request)
    found = None if pk is None else card_of(pk, external_userid)
    response = to_sign_in(request) if found is None else shown_or_refused(found)
    add_never_cache_headers(response)
    return response


def shown_or_refused(found: dict[str, Any]) -> HttpResponse:
    """Somebody unknown and somebody else's customer are told apart, in words and by the status."""
    status = 404 if found["customer"] is None else 403 if found["follow"] is None else 200
    return page_of(found, status=status)


def page_of(found: dict[str, Any], *, status: int = 200, going: Sequence[int] = (), **extra: Any) -> HttpResponse:
    """Without what each request gives the templates of the console: it costs half as much again as this rendering."""
    return HttpResponse(render_to_string("sidebar/customer.html", {**shown(found, going), **extra}), status=status)


def shown(found: dict[str, Any], going: Sequence[int] = ()) -> dict[str, Any]:
    """The card with times as times and values beside their fields, without the tags about to go."""
    customer, follow, note, seen = found["customer"], found["follow"], found["note"], found["seen"] or {}
    if follow:
        follow["added_at"] = datetime.fromisoformat(follow["added_at"])
        follow["way"] = add_way(follow["add_way"])
    if note:
        note["at"] = datetime.fromisoformat(note["at"])
        note["next_at"] = datetime.fromisoformat(note["next_at"]) if note["next_at"] else None
    for field in found["fields"]:
        field["value"] = customer["fields"].get(field["key"]) if customer else None
    moments = [datetime.fromisoformat(at) for at in seen.values() if at]
    return {
        **UNCHANGED,
        **found,
        "last_at": max(moments, default=None),
        "stages": [(stage["id"], stage["name"]) for stage in found["stages"]],
        "tags": [tag["name"] for tag in found["tags"] if tag["id"] not in going],
    }


def own_follow(staff: Staff, external_userid: str) -> Follow:
    """The member's own friendship with the customer: what is written here is written through it."""
    follows = Follow.objects.select_related("customer", "customer__stage", "staff")
    return get_object_or_404(follows, staff=staff, customer__external_userid=external_userid)


def refused(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return render(request, "sidebar/_refused.html", {"messages": error.messages}, status=422)


def again(follow: Follow, **extra: Any) -> HttpResponse:
    """The card as it is now, with a word on what was done."""
    return page_of(card_now(follow), **on_the_way(follow), **extra)


def card_now(follow: Follow) -> dict[str, Any]:
    found = card_of(follow.staff_id, follow.customer.external_userid)
    if found is None:
        raise Http404
    return found


@require_POST
@seller_required
def stage(request: HttpRequest, staff: Staff, external_userid: str) -> HttpResponse:
    follow = own_follow(staff, external_userid)
    wanted = request.POST.get("stage", "")
    found: Stage | None = get_object_or_404(living_stages(), pk=wanted) if wanted.isdecimal() else None
    try:
        move_to_stage([follow.customer_id], found, **told_by(staff))
    except ValidationError as error:
        return refused(request, error)
    return again(follow, toast=_("阶段已更新"))


@require_http_methods(["GET", "POST"])
@seller_required
def tags(request: HttpRequest, staff: Staff, external_userid: str) -> HttpResponse:
    """GET: all tags to pick from; with `asked`, what became of these calls. POST `add` or `remove`, the id of one tag:
    asked of WeCom at once."""
    follow = own_follow(staff, external_userid)
    if request.method == "GET" and "asked" in request.GET:
        return tags_now(follow, numbers_of(request.GET["asked"]), request.GET.get("turn", ""))
    if request.method == "GET":
        own = set(follow.tag_links.values_list("tag_id", flat=True))
        return render(
            request, "sidebar/tags.html", {"tags": living_tags(), "own": own, "external_userid": external_userid}
        )
    add, remove = (chosen(request.POST.get(name, "")) for name in ("add", "remove"))
    if not add and not remove:
        return refused(request, ValidationError(_("这个标签已被删除，请重新选择")))
    try:
        call = change_tags(follow, add=add, remove=remove, key=request.POST.get("key", "")[:64], **told_by(staff))
    except ValidationError as error:
        return refused(request, error)
    return again(follow, **told_of(call, add, remove))


def chosen(pk: str) -> list[Tag]:
    return list(living_tags().filter(pk=int(pk))) if pk.isdecimal() and len(pk) < 19 else []


def told_of(call: OutgoingCall, add: list[Tag], remove: list[Tag]) -> dict[str, Any]:
    """What was asked of WeCom can be taken back by the opposite."""
    undo = {"name": "remove" if add else "add", "tag": (add or remove)[0]}
    words = _("已添加标签“%(name)s”") if add else _("已移除标签“%(name)s”")
    return {"toast": words % {"name": (add or remove)[0].name}, "undo": undo, "undo_key": f"undo-{call.pk}"}


def on_the_way(follow: Follow, turn: int = 0) -> dict[str, Any]:
    """What WeCom has not confirmed yet shows at once, marked as on its way; the card asks again by itself."""
    calls = OutgoingCall.objects.filter(tenant=current_tenant(), subject=pair_of(follow), state__in=OPEN_CALLS)
    open_calls = list(calls.filter(purpose="mark_tag").order_by("pk"))
    if not open_calls:
        return {}
    changes: dict[int, bool] = {}
    for call in open_calls:  # the last word on a tag counts
        changes |= dict.fromkeys(call.context["add"], True) | dict.fromkeys(call.context["remove"], False)
    tags = Tag.objects.filter(pk__in=[pk for pk, there in changes.items() if there], deleted_at=None)
    return {
        "coming": [{"id": tag.pk, "name": tag.name} for tag in tags.exclude(links__follow=follow).order_by("pk")],
        "going": [pk for pk, there in changes.items() if not there],
        "asked": "-".join(str(call.pk) for call in open_calls[-MOST_ASKED:]),
        "turn": turn + 1,
        "wait": ASKS[turn] if turn < len(ASKS) else 0,
        "longer": turn >= len(ASKS),
    }


def tags_now(follow: Follow, asked: list[int], turn: str) -> HttpResponse:
    """The tags alone, so that a note being typed stays: with words for each change that WeCom refused."""
    calls = OutgoingCall.objects.filter(tenant=current_tenant(), subject=pair_of(follow), purpose="mark_tag")
    ended = calls.filter(pk__in=asked).exclude(state__in=[*OPEN_CALLS, OutgoingCall.State.OK]).order_by("pk")
    way = on_the_way(follow, int(turn) if turn in TURNS else len(ASKS))
    found = shown(card_now(follow), way.pop("going", ()))
    here = reverse("sidebar:card", args=[follow.customer.external_userid])
    context = {**found, **way, "here": here, "refusals": [refusal(call) for call in ended]}
    return HttpResponse(render_to_string("sidebar/_tags.html", context))


def refusal(call: OutgoingCall) -> str:
    tags = Tag.objects.in_bulk([*call.context["add"], *call.context["remove"]])
    values = {"names": _("、").join(tag.name for tag in tags.values()), "why": why(call)}
    if call.state == OutgoingCall.State.IGNORED:
        return _("标签“%(names)s”没有更改：管理员没有继续提交。") % values
    if call.context["add"]:
        return _("标签“%(names)s”没有添加成功：%(why)s") % values
    return _("标签“%(names)s”没有移除成功：%(why)s") % values


def numbers_of(given: str) -> list[int]:
    return [int(one) for one in given.split("-")[:MOST_ASKED] if one.isdecimal() and len(one) < 19]


@require_POST
@seller_required
def note(request: HttpRequest, staff: Staff, external_userid: str) -> HttpResponse:
    """写跟进. The draft's key makes a second tap, or a repeat after a broken line, the same note."""
    follow = own_follow(staff, external_userid)
    given = request.POST.get("next_at", "")
    try:
        next_at = parse_datetime(given) if given else None
    except ValueError:
        next_at = None
    if next_at is not None and next_at.tzinfo is None:
        next_at = next_at.astimezone()
    try:
        write_follow_up(
            follow.customer,
            text=request.POST.get("text", ""),
            next_at=next_at,
            staff=staff,
            draft_key=request.POST.get("draft_key", ""),
            **told_by(staff),
        )
    except ValidationError as error:
        return refused(request, error)
    return again(follow, toast=_("跟进已保存"), noted=True)


@require_POST
@seller_required
def fields(request: HttpRequest, staff: Staff, external_userid: str) -> HttpResponse:
    follow = own_follow(staff, external_userid)
    values = {name.removeprefix("field_"): value for name, value in request.POST.items() if name.startswith("field_")}
    try:
        change_fields(follow.customer, values, **told_by(staff))
    except ValidationError as error:
        return refused(request, error)
    return again(follow, toast=_("资料已保存"))


@require_GET
@seller_required
def timeline(request: HttpRequest, staff: Staff, external_userid: str) -> HttpResponse:
    """The last entries of the member's own customer; a colleague's dealings are not shown."""
    follow = own_follow(staff, external_userid)
    entries = TimelineEntry.objects.filter(customer=follow.customer_id, staff__in=[staff.pk]) | (
        TimelineEntry.objects.filter(customer=follow.customer_id, staff=None)
    )
    rows = list(entries.select_related("staff", "chat").order_by("-at", "-id")[:SHOWN])
    return render(request, "sidebar/timeline.html", {"entries": [{"at": row.at, "text": story(row)} for row in rows]})
