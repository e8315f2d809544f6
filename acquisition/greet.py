"""欢迎语: the one message that goes out by itself, within WeCom's 20 seconds, once."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from acquisition.models import Welcome
from contacts import bulk
from contacts.models import Customer, TimelineEntry
from content import media, messages
from members.models import Staff
from tenants import outbox
from tenants.current import wecom_client
from tenants.models import OutgoingCall
from wecom.errors import WeComError
from wecom.events import Event

Kind = TimelineEntry.Kind
WINDOW = timedelta(seconds=18)  # WeCom accepts the code for 20 s from the event (path/92599); two are for the way
NAME_SECONDS = 3.0
NOT_READY, EMPTY = "not_ready", "empty"  # why nothing was even tried
CHAT_HAS_BEGUN = 41051  # the outbox counts it as done, since nothing is left to do; but no greeting went out


@dataclass(frozen=True, slots=True)
class Greeting:
    """Which one goes to whom, with the customer's name where it is part of the text."""

    welcome: Welcome
    staff: Staff | None
    known: Customer | None
    names: dict[str, str]


def greeting_for(event: Event) -> Greeting | None:
    """What a customer who has just been added is to be greeted with; WeCom may be asked for the name."""
    staff = Staff.objects.filter(userid_key=event.user_id.lower()).first()
    welcome = welcome_for(event.state, staff)
    if not event.welcome_code or welcome is None or messages.is_empty(welcome.content):
        return None
    known = Customer.objects.filter(external_userid=event.external_user_id).first()  # a link is theirs, if known yet
    names = {}
    if f"{{{messages.CUSTOMER_NAME}}}" in welcome.text and not (known and known.name):
        names[messages.CUSTOMER_NAME] = name_of(event.external_user_id)
    return Greeting(welcome, staff, known, names)


def greet(event: Event, greeting: Greeting | None) -> None:
    """Queue the greeting. The same code is never used for two messages."""
    if greeting is None:
        return
    body, left_out = body_of(greeting)
    if not body and not greeting.welcome.materials:
        return
    code = event.welcome_code
    context: dict[str, Any] = {
        "external_userid": event.external_user_id,
        "userid": event.user_id,
        "at": event.at.isoformat(),
        "welcome": greeting.welcome.pk,
        "left_out": left_out,
    }
    deadline = event.at + WINDOW
    if not body:  # counted and told as missed, without asking WeCom: the time to send it is over
        context["why"], deadline = NOT_READY if left_out else EMPTY, min(event.at, timezone.now())
    outbox.post(
        "externalcontact/send_welcome_msg",
        {"welcome_code": code, **body},
        purpose="welcome",
        idem_key=f"welcome:{hashlib.sha256(code.encode()).hexdigest()[:40]}",
        priority=OutgoingCall.Priority.WELCOME,
        deadline=deadline,
        context=context,
    )


def welcome_for(state: str, staff: Staff | None) -> Welcome | None:
    """The greeting of the code by which they came, else that of the staff member, else the default one."""
    enabled = Welcome.objects.filter(enabled=True)
    found: Welcome | None = enabled.filter(code__state=state).first() if state else None
    if found is None and staff is not None:
        found = enabled.filter(reach=Welcome.Reach.STAFF, staff_ids__contains=[staff.pk]).order_by("pk").first()
    return found or enabled.filter(reach=Welcome.Reach.DEFAULT).first()


def body_of(greeting: Greeting) -> tuple[dict[str, Any], int]:
    """What is sent, and how many attachments had to stay behind: their files did not lie at WeCom in time, and the
    rest alone is better than nothing."""
    welcome = greeting.welcome
    receiver: dict[str, Any] = {
        "use": "welcome", "staff": greeting.staff, "customer": greeting.known, "names": greeting.names
    }  # fmt: skip
    try:
        return messages.wecom_body(welcome.content, **receiver), 0
    except messages.MediaNotReady as late:
        attached = {one.pk: media.file_of(one) for one in messages.materials_of(welcome.content)}
        kept = [pk for pk, pair in attached.items() if pair is None or pair[0].pk not in late.files]
        return messages.wecom_body({**welcome.content, "materials": kept}, **receiver), len(attached) - len(kept)


def name_of(external_userid: str) -> str:
    """Asked of WeCom, as a new customer is not stored yet; without an answer in time the greeting goes without it."""
    try:
        client = wecom_client(priority=OutgoingCall.Priority.WELCOME)
        answer = client.call("externalcontact/get", {"external_userid": external_userid}, timeout=NAME_SECONDS)
    except WeComError:
        return ""
    contact = answer.get("external_contact")
    return str(contact.get("name", "")) if isinstance(contact, dict) else ""


def greeted(call: OutgoingCall) -> None:
    """The outcome stands on the customer's timeline: sent, too late, or why not."""
    sent = call.state == OutgoingCall.State.OK and call.result_code != CHAT_HAS_BEGUN
    finished_at = call.finished_at or timezone.now()
    TimelineEntry.objects.update_or_create(
        key=call.idem_key,
        defaults={
            "customer_id": bulk.known_as(call.context["external_userid"]),
            "staff": Staff.objects.filter(userid_key=call.context["userid"].lower()).first(),
            "kind": Kind.WELCOME_SENT if sent else Kind.WELCOME_FAILED,
            "at": finished_at,
            "source": TimelineEntry.Source.SYSTEM,
            "payload": {
                "state": call.context.get("why") or call.state,
                "code": call.result_code,
                "reason": "" if sent else call.result_message,
                "seconds": round((finished_at - datetime.fromisoformat(call.context["at"])).total_seconds(), 1),
                "text": outbox.body_of(call).get("text", {}).get("content", "")[:200],
                "left_out": call.context.get("left_out", 0),
            },
        },
    )
