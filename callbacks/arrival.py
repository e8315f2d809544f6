"""A callback between the request that brought it, which waits, and the flusher's thread, which reads and stores it."""

import enum
import threading
import time

from callbacks.receivers import Doorkeeper
from callbacks.record import Record, day_of, dedupe_key, is_suspect, lane_of, short_name
from wecom.crypto import read_query
from wecom.errors import BadCallback
from wecom.events import parse_event


class Outcome(enum.Enum):
    STORED = "stored"
    SPOOLED = "spooled"
    REFUSED = "refused"
    FAILED = "failed"
    FULL = "full"
    TIMED_OUT = "timed out"


class Arrival:
    """Its lock is taken until the outcome is known; a request that gave up hurts nobody."""

    __slots__ = (
        *("app_id", "body", "done", "error", "for_suite", "keeper", "opened", "outcome", "query", "received_at"),
        "record",
    )

    record: Record
    error: BadCallback

    def __init__(self, keeper: Doorkeeper, query: str, body: bytes) -> None:
        self.keeper = keeper
        self.query = query
        self.body = body
        self.received_at = time.time()
        self.opened = False
        self.for_suite = False
        self.app_id = ""
        self.outcome: Outcome | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def settle(self, outcome: Outcome) -> None:
        if self.outcome is None:
            self.outcome = outcome
            self.done.release()

    def read(self) -> None:
        """Verifies, decrypts and parses it into `record`; raises BadCallback and nothing else."""
        keeper = self.keeper
        version, opened = keeper.open(read_query(self.query), self.body)
        self.opened = True
        event = parse_event(opened.plaintext)
        suspect = is_suspect(opened.timestamp, self.received_at)
        self.for_suite = opened.receive_id == keeper.suite_id
        company = keeper.whose(event, opened.receive_id)
        self.app_id = company.app_id
        self.record = Record(
            event_day=day_of(event.at),
            dedupe_key=dedupe_key(keeper.receiver_id, opened.plaintext),
            tenant_id=company.tenant_id,
            receiver_id=keeper.receiver_id,
            key_version=version,
            name=short_name(event),
            lane=lane_of(event.order_key),
            urgent=not suspect and event.welcome_code != "" and (keeper.companies is None or company.app_id != ""),
            suspect=suspect,
            event_at=int(event.at.timestamp()),
            received_at=self.received_at,
            body=self.body,
            schema=company.schema,
        )
