"""会话存档: three panes — staff, conversations, messages — and what a click brings into the third."""

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Func, Q, QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from archive import media, showing
from archive.lag import standing
from archive.models import ArchivedMedia, ArchivedMessage, Conversation
from archive.scope import conversations_of
from console.access import operator_required
from console.audit import record
from content.storage import Missing, store
from members.models import Staff
from members.scope import visible_staff

PEOPLE, TALKS, MESSAGES, AROUND = 200, 60, 40, 20
NEWEST = ("-at", "-id")


@dataclass(slots=True)
class Window:
    """A piece of a conversation, in the order it was said, and whether there is more on each side."""

    lines: list[showing.Line]
    before: int = 0
    after: int = 0


@require_GET
@operator_required
def viewer(request: HttpRequest) -> HttpResponse:
    """`staff`, `c` (conversation) and `at` (message) say what is open, so that every view has an address."""
    seen = conversations_of(request.user)
    open_one = one_of(seen, request.GET.get("c"))
    people = staff_in(seen, request)
    person = chosen(people, request, open_one)
    kind, term = request.GET.get("kind", ""), request.GET.get("q", "").strip()[:64]
    talks = talks_of(seen, person, kind, term) if person else Conversation.objects.none()
    context: dict[str, Any] = {
        "people": people[:PEOPLE],
        "person": person,
        "kind": kind,
        "kinds": Conversation.Kind.choices,
        "q": term,
        "who": request.GET.get("who", ""),
        "talks": showing.entries(list(talks[:TALKS]), person),
        "standing": standing(),
        "depth": "talk" if open_one else "talks" if request.GET.get("staff") else "staff",
        "may_see_raw": request.user.role != "staff",
    }
    if open_one is not None:
        at = number(request.GET.get("at"))
        context |= {"open": showing.entries([open_one], person)[0], "window": window(open_one, at)}
        context["consents"] = showing.consents_in(open_one.chat_id)
        record(request, "archive.read", target=context["open"].name, detail={"conversation": open_one.pk})
    return render(request, "archive/viewer.html", context)


@require_GET
@operator_required
def more(request: HttpRequest, pk: int) -> HttpResponse:
    """Older or newer messages than one of a conversation that is open."""
    talk = get_object_or_404(conversations_of(request.user), pk=pk)
    piece = window(talk, before=number(request.GET.get("before")), after=number(request.GET.get("after")))
    record(request, "archive.read", target=talk.title or talk.key, detail={"conversation": talk.pk, "more": True})
    context = {"window": piece, "talk": talk, "may_see_raw": request.user.role != "staff"}
    return render(request, "archive/_window.html", context)


@require_GET
@operator_required
def file(request: HttpRequest, pk: int) -> Any:
    """A file of a message. Only pictures and films are shown by the browser; anything else is a download."""
    row = get_object_or_404(ArchivedMedia.objects.select_related("message__conversation"), pk=pk)
    if not conversations_of(request.user).filter(pk=row.message.conversation_id).exists():
        raise Http404
    if row.state != ArchivedMedia.State.STORED:
        raise Http404
    shown = row.mime in media.SHOWN and "download" not in request.GET
    name = media.name_of(row) or f"{row.message.kind}-{row.pk}{ENDINGS.get(row.mime, '')}"
    if not shown:
        record(request, "archive.file", target=name, detail={"message": row.message_id})
    try:
        stream = store().open(row.key)
    except Missing:
        raise Http404 from None
    answer = FileResponse(stream, as_attachment=not shown, filename=name, content_type=row.mime)
    answer["Cache-Control"] = "private, max-age=3600"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


ENDINGS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "video/mp4": ".mp4",
    "audio/amr": ".amr",
    "application/pdf": ".pdf",
}


def number(value: str | None) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 19 else 0


def one_of(seen: QuerySet[Conversation], asked: str | None) -> Conversation | None:
    return get_object_or_404(seen, pk=number(asked)) if asked else None


def staff_in(seen: QuerySet[Conversation], request: HttpRequest) -> list[Staff]:
    """Those of the range who have conversations here."""
    ids = seen.annotate(one=Func(F("staff_ids"), function="unnest")).values_list("one", flat=True).distinct()
    mine = visible_staff(request.user)
    rows = Staff.objects.filter(pk__in=list(ids)) if mine is None else mine.filter(pk__in=list(ids))
    if who := request.GET.get("who", "").strip()[:64]:
        rows = rows.filter(Q(name__icontains=who) | Q(pinyin__icontains=who) | Q(userid_key__contains=who.lower()))
    return list(rows.order_by("pinyin", "id")[: PEOPLE + 1])


def chosen(people: list[Staff], request: HttpRequest, talk: Conversation | None) -> Staff | None:
    asked = number(request.GET.get("staff"))
    by_id = {one.pk: one for one in people}
    if asked in by_id:
        return by_id[asked]
    if talk is not None:
        return next((by_id[pk] for pk in talk.staff_ids if pk in by_id), None)
    return people[0] if people else None


def talks_of(seen: QuerySet[Conversation], person: Staff, kind: str, term: str) -> QuerySet[Conversation]:
    rows = seen.filter(staff_ids__contains=[person.pk])
    if kind in Conversation.Kind.values:
        rows = rows.filter(kind=kind)
    if term:
        rows = rows.filter(title__icontains=term)
    return rows.order_by(F("last_at").desc(nulls_last=True), "-id")


# -- messages ----------------------------------------------------------------------------------------------------------


def window(talk: Conversation, at: int = 0, *, before: int = 0, after: int = 0) -> Window:
    """The newest messages; with `at` those around one; with `before` or `after` what stands on that side of one."""
    rows = ArchivedMessage.objects.filter(conversation=talk)
    marked = rows.filter(pk=at or before or after).first()
    if marked is None:
        return piece(rows, list(rows.order_by(*NEWEST)[:MESSAGES])[::-1])
    older = rows.filter(Q(at__lt=marked.at) | Q(at=marked.at, pk__lt=marked.pk)).order_by(*NEWEST)
    newer = rows.filter(Q(at__gt=marked.at) | Q(at=marked.at, pk__gt=marked.pk)).order_by("at", "id")
    if before:
        return piece(rows, list(older[:MESSAGES])[::-1], down=False)
    if after:
        return piece(rows, list(newer[:MESSAGES]), up=False)
    around = [*list(older[:AROUND])[::-1], marked, *newer[:AROUND]]
    return piece(rows, around, wanted=marked.pk)


def piece(
    rows: QuerySet[ArchivedMessage],
    found: list[ArchivedMessage],
    *,
    up: bool = True,
    down: bool = True,
    wanted: int = 0,
) -> Window:
    made = Window(showing.lines(found, wanted=wanted))
    if found:
        first, last = found[0], found[-1]
        older = Q(at__lt=first.at) | Q(at=first.at, pk__lt=first.pk)
        newer = Q(at__gt=last.at) | Q(at=last.at, pk__gt=last.pk)
        made.before = first.pk if up and rows.filter(older).exists() else 0
        made.after = last.pk if down and rows.filter(newer).exists() else 0
    return made
