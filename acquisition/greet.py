"""欢迎语: the one message that goes out by itself, within WeCom's 20 seconds, once."""

import hashlib
from datetime import datetime, timedelta

from django.utils import timezone

from acquisition.models import Welcome
from contacts import bulk
from contacts.models import TimelineEntry
from members.models import Staff
from tenants import outbox
from tenants.models import OutgoingCall
from wecom.events import Event

Kind = TimelineEntry.Kind
WINDOW = timedelta(seconds=18)  # WeCom accepts the code for 20 s from the event (path/92599); two are for the way
CHAT_HAS_BEGUN = 41051  # the outbox counts it as done, since nothing is left to do; but no greeting went out


def greet(event: Event) -> None:
    """Queue the greeting for a customer who has just been added. The same code is never used for two messages."""
    code = event.welcome_code
    welcome = Welcome.objects.filter(reach=Welcome.Reach.DEFAULT, enabled=True).first()
    if not code or welcome is None or not welcome.text.strip():
        return
    outbox.post(
        "externalcontact/send_welcome_msg",
        {"welcome_code": code, "text": {"content": welcome.text}},
        purpose="welcome",
        idem_key=f"welcome:{hashlib.sha256(code.encode()).hexdigest()[:40]}",
        priority=OutgoingCall.Priority.WELCOME,
        deadline=event.at + WINDOW,
        context={"external_userid": event.external_user_id, "userid": event.user_id, "at": event.at.isoformat()},
    )


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
                "state": call.state,
                "code": call.result_code,
                "reason": "" if sent else call.result_message,
                "seconds": round((finished_at - datetime.fromisoformat(call.context["at"])).total_seconds(), 1),
                "text": outbox.body_of(call)["text"]["content"][:200],
            },
        },
    )
