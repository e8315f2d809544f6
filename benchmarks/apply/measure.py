"""`python -m benchmarks.apply.measure EVENTS`: one worker; its result as a line of JSON.

WeCom's answers come from memory: what its network costs is WeCom's quota and no merit or fault of ours.
"""

import copy
import gc
import json
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
import django

django.setup()
logging.disable(logging.WARNING)  # a line for each task would be measured, too

from celery import shared_task  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from acquisition.models import Welcome  # noqa: E402
from benchmarks.apply import bare  # noqa: E402
from benchmarks.common.report import percentile  # noqa: E402
from benchmarks.common.servers import new_port, wait_for  # noqa: E402
from benchmarks.sync.measure import pairs, prepare  # noqa: E402
from callbacks import partitions, record, urgent  # noqa: E402
from callbacks.drain import drain  # noqa: E402
from callbacks.insert import Inserter  # noqa: E402
from contacts.events import apply_customers  # noqa: E402
from contacts.models import Customer, Follow, FollowTag, Tag, TimelineEntry  # noqa: E402
from members.models import Staff  # noqa: E402
from scrm.garbage import look_seldom  # noqa: E402
from scrm.up.folder import port_is_free  # noqa: E402
from tenants.events import EVENT_OWNERS, Owner, Reading  # noqa: E402
from tenants.models import Receiver, Tenant  # noqa: E402
from tenants.provision import Connection, create_tenant  # noqa: E402
from tenants.sending import deliver_due  # noqa: E402
from wecom.crypto import CallbackCrypto  # noqa: E402
from wecom.events import Event, parse_event  # noqa: E402
from wecom.objects import CustomerDetail  # noqa: E402

CORP, TOKEN, AES_KEY = "wwbench000000001", "benchToken", "b" * 42 + "A"
ORM_EVENTS = 400
BURST = 10_000
ROUND = 4_000  # a lane's share of it is some full sets: the peer's are full, too
XML = (
    "<xml><ToUserName>{corp}</ToUserName><FromUserName>sys</FromUserName><CreateTime>{at}</CreateTime>"
    "<MsgType>event</MsgType><Event>change_external_contact</Event><ChangeType>{change}</ChangeType>"
    "<UserID>{userid}</UserID><ExternalUserID>{customer}</ExternalUserID>{more}</xml>"
)
People = Sequence[tuple[Any, Any]]
answers: dict[str, CustomerDetail] = {}


def main() -> None:
    look_seldom()  # as in a worker of the product
    events = int(sys.argv[1])
    tenant = company("apply")
    partitions.maintain()
    EVENT_OWNERS["change_external_contact"] = Owner(apply=apply_customers, read=read)
    with tenant:
        prepare()
        bare.prepare()
    chance = random.Random(7)
    people = adding(chance, events // 2)
    ours, reference, waited = 0.0, 0.0, 0.0
    for change, before, told in (("add", None, people), ("edit", people, editing(chance, people))):
        know(told)
        for start in range(0, len(told), ROUND):  # by turns, so that both meet the machine in the same mood
            some = slice(start, start + ROUND)
            fill(tenant, told[some], f"{change}_external_contact")
            inbox = bare.arrive(tenant.pk)
            ours += timed(empty, tenant)
            with tenant:
                seconds, of_commit = bare.write(told[some], before and before[some], inbox)
                reference, waited = reference + seconds, waited + of_commit
                bare.analyze()
    with tenant:
        bare.check()
    orm = task_per_event(company("orm", agent_id=1000003), people[:ORM_EVENTS])
    burst, delays = burst_with_welcomes(tenant, chance)
    rate = events / ours
    found = {
        "bare": reference / ours,
        "bare_note": f"{rate:.0f}/s against {events / reference:.0f}/s; {waited / reference:.0%} of the latter are its"
        " commits: deferred checks, and the disk",
        "orm": rate / orm,
        "orm_note": f"{rate:.0f}/s against {orm:.0f}/s",
        "burst": burst,
        "p99": percentile(delays, 0.99),
        "p99_note": f"{len(delays)} welcomes, median {percentile(delays, 0.5) * 1e3:.0f} ms",
    }
    print(json.dumps(found))


def company(schema: str, *, agent_id: int = 1000002) -> Tenant:
    wecom = Connection(CORP, agent_id, "s" * 43, TOKEN, AES_KEY)
    return create_tenant(schema, name="Bench", connection_to_wecom=wecom)


def adding(chance: random.Random, count: int, first: int = 0) -> People:
    """Newly made friends: WeCom's event comes when the friendship does."""
    people = [pair for start in range(first, first + count, 1000) for pair in pairs(chance, start)][:count]
    for _, follow in people:
        follow.created_at = datetime.fromtimestamp(int(time.time()), UTC)
    return people


def editing(chance: random.Random, people: People) -> People:
    """The same people with another remark and one tag changed."""
    changed = []
    for contact, follow in people:
        other = copy.copy(follow)
        other.remark, other.tag_ids = f"改{follow.remark}", [*follow.tag_ids[:3], f"t{chance.randrange(200)}"]
        changed.append((contact, other))
    return changed


def know(people: People) -> None:
    answers.update({f"c:{contact.external_userid}": CustomerDetail(contact, [follow]) for contact, follow in people})
    gc.freeze()  # what the benchmark holds is not the worker's to look through for garbage


def read(events: Sequence[Event]) -> Reading:
    return Reading(found={key: answers.get(key) for key in dict.fromkeys(event.order_key for event in events)})


# -- the inbox ---------------------------------------------------------------------------------------------------------


def fill(tenant: Tenant, people: People, change: str, more: str = "") -> None:
    """Rows as the door leaves them: sealed bodies."""
    receiver = Receiver.objects.get(tenant=tenant)
    crypto = CallbackCrypto(TOKEN, AES_KEY, frozenset({CORP}))
    records = []
    for contact, follow in people:
        at = int(follow.created_at.timestamp())
        values = {"corp": CORP, "at": at, "change": change, "userid": follow.userid, "more": more}
        plaintext = XML.format(customer=contact.external_userid, **values).encode()
        event = parse_event(plaintext)
        records.append(
            record.Record(
                *(record.day_of(event.at), record.dedupe_key(str(receiver.pk), plaintext), tenant.pk),
                *(str(receiver.pk), 1, record.short_name(event), record.lane_of(event.order_key), bool(more), False),
                *(at, time.time(), crypto.deliver(plaintext, CORP, at, "n").body, ""),
            )
        )
    inserter = Inserter()
    for start in range(0, len(records), 500):
        inserter.insert(records[start : start + 500])
    inserter.close()


def empty(tenant: Tenant) -> None:
    for lane in range(record.LANES):
        drain(tenant.pk, lane)


def timed(act: Any, *given: Any) -> float:
    begun = time.perf_counter()
    act(*given)
    return time.perf_counter() - begun


# -- a task per event --------------------------------------------------------------------------------------------------


@shared_task
def handle_one(*, external_userid: str) -> None:
    """As most open peers do it."""
    detail = answers[f"c:{external_userid}"]
    contact, follow = detail.contact, detail.follows[0]
    with transaction.atomic():
        customer, _ = Customer.objects.update_or_create(
            external_userid=external_userid, defaults={"name": contact.name, "gender": contact.gender, "kind": 1}
        )
        staff = Staff.objects.get(userid_key=follow.userid)
        values = {"remark": follow.remark, "added_at": follow.created_at, "state": follow.state}
        row, _ = Follow.objects.update_or_create(customer=customer, staff=staff, defaults=values)
        for tag_id in follow.tag_ids:
            FollowTag.objects.get_or_create(follow=row, tag=Tag.objects.get(wecom_id=tag_id))
        values = {"customer": customer, "kind": "follow_added", "at": follow.created_at}
        TimelineEntry.objects.get_or_create(key=f"added:{row.pk}", defaults=values)


def task_per_event(tenant: Tenant, people: People) -> float:
    """Events a second. The broker is left out, which flatters it."""
    with tenant:
        prepare(twins=False)
        begun = time.perf_counter()
        for contact, _ in people:
            handle_one.apply(kwargs={"external_userid": contact.external_userid}, throw=True)
        return len(people) / (time.perf_counter() - begun)


# -- a burst and its welcomes ------------------------------------------------------------------------------------------


def burst_with_welcomes(tenant: Tenant, chance: random.Random) -> tuple[float, list[float]]:
    """One worker empties 10,000 events while a customer with a welcome code comes every quarter of a second."""
    people, newcomers = adding(chance, BURST, 1_000_000), adding(chance, 2000, 2_000_000)
    know(people)
    know(newcomers)
    fill(tenant, people, "add_external_contact")
    with tenant:
        Welcome.objects.create(reach=Welcome.Reach.DEFAULT, enabled=True, text="您好，欢迎！")
    come_at: dict[str, float] = {}
    over = threading.Event()

    def greet() -> None:
        while not over.is_set():
            urgent.drain_urgent(tenant.pk)
            deliver_due(urgent=True)
            time.sleep(0.05)
        connection.close()

    def come() -> None:
        for contact, follow in newcomers:
            if over.wait(0.25):
                break
            come_at[contact.external_userid] = time.monotonic()
            code = f"<WelcomeCode>{contact.external_userid}</WelcomeCode>"
            fill(tenant, [(contact, follow)], "add_external_contact", code)
        connection.close()

    threads = [threading.Thread(target=greet), threading.Thread(target=come)]
    with answering() as heard:
        for thread in threads:
            thread.start()
        seconds = timed(empty, tenant)
        looked = time.monotonic()
        time.sleep(2)
        over.set()
        for thread in threads:
            thread.join()
        arrived = dict(line.split() for line in heard.read_text().splitlines())
    if not arrived:
        raise RuntimeError("no welcome message was sent")
    return seconds, [float(arrived.get(key, at + 60)) - at for key, at in come_at.items() if at < looked]


@contextmanager
def answering() -> Iterator[Path]:
    """A WeCom that only takes welcome messages, in a process of its own; the file tells when each one came in."""
    with TemporaryDirectory() as folder:
        heard = Path(folder) / "heard"
        heard.touch()
        port = new_port()
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.apply.stub", str(port), str(heard)])
        try:
            wait_for(lambda: not port_is_free(port), "the stub", process)
            settings.WECOM_API_BASE = f"http://127.0.0.1:{port}"
            yield heard
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
