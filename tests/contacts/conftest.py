"""A company whose WeCom is the imitation; its events are taken from there and handled as a worker would."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from contacts import jobs
from contacts.events import CUSTOMERS, GROUPS, TAGS
from members.events import CONTACT
from tenants.events import NotYet, Reading
from tenants.jobs import JOB_KINDS
from tenants.models import Tenant
from tests import cast
from tests.contacts.truth import assert_facts_are_true
from tests.sandbox_server import Sandbox, sandbox, sandbox_process  # noqa: F401
from wecom.events import Event, parse_event

OWNERS = {
    "change_external_contact": CUSTOMERS,
    "change_external_chat": GROUPS,
    "change_external_tag": TAGS,
    "change_contact": CONTACT,
}


def handle(events: Sequence[Event]) -> Reading:
    """What a worker does with a batch of one owner's events: read, then apply what could be read."""
    owner = OWNERS[events[0].name]
    reading = owner.read(events) if owner.read else Reading()
    for error in reading.errors.values():
        if not isinstance(error, NotYet):
            raise error
    owner.apply([event for event in events if event.order_key not in reading.errors], reading)
    return reading


JOB_KINDS.update(jobs.KINDS)


class Events:
    """What WeCom has sent since the last look."""

    def __init__(self, sandbox: Sandbox) -> None:  # noqa: F811
        self.sandbox, self.after = sandbox, 0

    def new(self, company: cast.Company = cast.ACME) -> list[Event]:
        """Events made since, in order, parsed from the plaintext that was delivered."""
        place = f"deliveries?corp_id={company.wecom.corp_id}&after={self.after}&limit=20000"
        found = self.sandbox.control("GET", place)
        events = []
        for delivery in found["deliveries"]:
            self.after = max(self.after, delivery["id"])
            events.append(parse_event(delivery["plaintext"].encode()))
        return events

    def handle_new(self) -> list[Event]:
        """Handles what is new, kind by kind, waiting for groups to settle."""
        events = self.new()
        for name in dict.fromkeys(event.name for event in events):
            batch = [event for event in events if event.name == name]
            for _ in range(50):
                reading = handle(batch)
                batch = [event for event in batch if isinstance(reading.errors.get(event.order_key), NotYet)]
                if not batch:
                    break
                time.sleep(0.1)
        return events


@pytest.fixture
def events(in_acme: Tenant, sandbox: Sandbox) -> Iterator[Events]:  # noqa: F811
    """Acme, whose WeCom sends its events to a receiver that is only looked at. Whatever a test does to it, the facts
    stay in step with the truth."""
    wecom = cast.ACME.wecom
    sandbox.control(
        "PATCH", f"corps/{wecom.corp_id}", delivery={"resends": 0, "timeout": 0.1}, limits={"group_delay": 0.1}
    )
    nowhere = {"url": "http://127.0.0.1:9/", "token": wecom.token, "aes_key": wecom.aes_key, "force": True}
    sandbox.control("POST", f"corps/{wecom.corp_id}/callback", **nowhere)
    yield Events(sandbox)
    with in_acme:
        assert_facts_are_true()


def payload(**fields: Any) -> Event:
    """An event as WeCom would send it."""
    at = fields.pop("at", int(time.time()))
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    head = f"<ToUserName>{cast.ACME.wecom.corp_id}</ToUserName><FromUserName>sys</FromUserName>"
    body = f"<xml>{head}<CreateTime>{at}</CreateTime><MsgType>event</MsgType>{inner}</xml>"
    return parse_event(body.encode())
