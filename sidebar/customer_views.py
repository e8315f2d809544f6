"""The panel of one customer: who this is, and what can be noted with a tap or two."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from contacts.models import Follow, Stage, Tag, TimelineEntry
from contacts.profile import change_fields, write_follow_up
from contacts.stages import living_stages, move_to_stage
from contacts.views import living_tags
from contacts.wording import add_way, story
from members.models import Staff
from sidebar.access import claimed_by, seller_required, to_sign_in, told_by
from sidebar.card import card_of
from tagging.marking import change_tags
from tenants.models import OutgoingCall

SHOWN = 15
UNCHANGED: dict[str, Any] = {"toast": "", "noted": False, "coming": ()}
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


def again(staff: Staff, external_userid: str, **extra: Any) -> HttpResponse:
    """The card as it is now, with a word on what was done."""
    found = card_of(staff.pk, external_userid)
    if found is None:
        raise Http404
    return page_of(found, **extra)


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
    return again(staff, external_userid, toast=_("阶段已更新"))


@require_http_methods(["GET", "POST"])
@seller_required
def tags(request: HttpRequest, staff: Staff, external_userid: str) -> HttpResponse:
    """GET: all tags to pick from. POST `add` or `remove`, the id of one tag: asked of WeCom at once."""
    follow = own_follow(staff, external_userid)
    if request.method == "GET":
        own = set(follow.tag_links.values_list("tag_id", flat=True))
        return render(
            request, "sidebar/tags.html", {"tags": living_tags(), "own": own, "external_userid": external_userid}
        )
    add, remove = (chosen(request.POST.get(name, "")) for name in ("add", "remove"))
    try:
        call = change_tags(follow, add=add, remove=remove, key=request.POST.get("key", "")[:64], **told_by(staff))
    except ValidationError as error:
        return refused(request, error)
    return again(staff, external_userid, **waiting(call, add, remove))


def chosen(pk: str) -> list[Tag]:
    return list(living_tags().filter(pk=int(pk))) if pk.isdecimal() and len(pk) < 19 else []


def waiting(call: OutgoingCall, add: list[Tag], remove: list[Tag]) -> dict[str, Any]:
    """What was asked of WeCom shows at once, marked as on its way; it can be taken back by the opposite."""
    undo = {"name": "remove" if add else "add", "tag": (add or remove)[0]} if add or remove else None
    words = _("已添加标签“%(name)s”") if add else _("已移除标签“%(name)s”")
    return {
        "toast": words % {"name": (add or remove)[0].name},
        "undo": undo,
        "coming": [{"id": tag.pk, "name": tag.name} for tag in add],
        "going": [tag.pk for tag in remove],
        "undo_key": f"undo-{call.pk}",
    }


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
    return again(staff, external_userid, toast=_("跟进已保存"), noted=True)


@require_POST
@seller_required
def fields(request: HttpRequest, staff: Staff, external_userid: str) -> HttpResponse:
    follow = own_follow(staff, external_userid)
    values = {name.removeprefix("field_"): value for name, value in request.POST.items() if name.startswith("field_")}
    try:
        change_fields(follow.customer, values, **told_by(staff))
    except ValidationError as error:
        return refused(request, error)
    return again(staff, external_userid, toast=_("资料已保存"))


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
