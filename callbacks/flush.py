"""Group commit: one thread per process writes whatever arrived during the previous commit, then releases who
waits. It reads them too, many in a row: between two switches of threads the same code takes twice as long."""

import os
import threading
import time
from queue import Empty, SimpleQueue

import psycopg2
import structlog

from callbacks import spool
from callbacks.arrival import Arrival, Outcome
from callbacks.insert import Inserter
from callbacks.record import Record
from callbacks.wake import waker
from wecom.errors import BadCallback

log = structlog.get_logger(__name__)

BATCH = 500
MAX_WAITING = 1_000
WAIT_SECONDS = 3.0  # WeCom hangs up after five
RETRY_SECONDS = 1.0  # between two attempts to reach Postgres; meanwhile the spool takes everything
MARK_SECONDS = 30.0  # how exactly a receiver knows its last event

HEARD = "UPDATE public.tenants_receiver SET last_event_at = now() WHERE id = ANY(%s::uuid[])"
HEARD_OF = "UPDATE public.tenants_corpapp SET last_event_at = now() WHERE id = ANY(%s::uuid[])"
VERIFIED = "UPDATE public.tenants_receiver SET verified_at = now() WHERE id = ANY(%s::uuid[])"


class Flusher:
    """The process's one writer. It starts with the first callback, in the process that serves it."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._queue: SimpleQueue[Arrival | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._inserter = Inserter()
        self._spool = spool.Spool()
        self._down_until = 0.0
        self._verified: set[str] = set()
        self._marked: dict[str, float] = {}

    def store(self, arrival: Arrival) -> Outcome:
        """Returns when the callback is on disk, or is known not to be."""
        if self._thread is None:
            self.start()
        if self._queue.qsize() >= MAX_WAITING:
            return Outcome.FULL
        self._queue.put(arrival)
        arrival.done.acquire(timeout=WAIT_SECONDS)
        return arrival.outcome or Outcome.TIMED_OUT

    def start(self) -> None:
        """Ahead of the first callback where possible, so that it does not wait for a connection."""
        with self._starting:
            if self._thread is None:
                spool.recover_soon()
                thread = threading.Thread(target=self._run, name="inbox-flusher", daemon=True)
                thread.start()
                self._thread = thread

    def note_verified(self, receiver_id: str) -> None:
        """Written by the flusher's thread: WeCom's second must not wait for it."""
        if self._thread is None:
            self.start()
        self._verified.add(receiver_id)
        self._queue.put(None)

    def _run(self) -> None:
        while True:
            arrivals = self._take()
            try:
                batch = [arrival for arrival in arrivals if _read(arrival)]
                if batch:
                    self._flush(batch)
                self._mark(batch)
            except Exception:
                log.exception("inbox flusher")
            for arrival in arrivals:
                arrival.settle(Outcome.FAILED)

    def _take(self) -> list[Arrival]:
        """Waits for one, then takes all that are there."""
        first = self._queue.get()
        arrivals = [] if first is None else [first]
        try:
            while len(arrivals) < BATCH:
                if (arrival := self._queue.get_nowait()) is not None:
                    arrivals.append(arrival)
        except Empty:
            pass
        return arrivals

    def _flush(self, batch: list[Arrival]) -> None:
        refused: list[Record] = []
        records = [arrival.record for arrival in batch]
        outcome = self._write(records, refused)
        try:
            if outcome is Outcome.STORED:
                waker.wake(records)
        finally:  # last: a thread that is released while we still run only wakes to wait for the interpreter
            for arrival in batch:
                arrival.settle(Outcome.FAILED if refused and arrival.record in refused else outcome)

    def _write(self, records: list[Record], refused: list[Record]) -> Outcome:
        if time.monotonic() >= self._down_until:
            try:
                refused += self._inserter.insert(records)
            except psycopg2.Error as error:
                self._inserter.close()
                self._down_until = time.monotonic() + RETRY_SECONDS
                log.error("inbox not reachable, spooling", error=str(error).strip()[:200])
            else:
                if self._spool.used:  # Postgres is back: what was spooled follows while new ones go straight in
                    self._spool.release()
                    spool.recover_soon()
                return Outcome.STORED
        try:
            self._spool.append(records)
        except spool.SpoolFailed:
            log.exception("callbacks can be stored nowhere")
            return Outcome.FAILED
        return Outcome.SPOOLED

    def _mark(self, batch: list[Arrival]) -> None:
        """A receiver tells when it last heard of WeCom, for the page of the connection. Not worth a retry."""
        now = time.monotonic()
        heard = {arrival.record.receiver_id for arrival in batch if arrival.outcome is Outcome.STORED}
        heard = {name for name in heard if now - self._marked.get(name, -MARK_SECONDS) >= MARK_SECONDS}
        verified, self._verified = self._verified, set()
        apps = {arrival.app_id for arrival in batch if arrival.app_id and arrival.outcome is Outcome.STORED}
        apps = {name for name in apps if now - self._marked.get(name, -MARK_SECONDS) >= MARK_SECONDS}
        for statement, names in ((HEARD, heard), (HEARD_OF, apps), (VERIFIED, verified)):
            if names:
                try:
                    self._inserter.execute(statement, (list(names),))
                except psycopg2.Error:
                    log.warning("receiver not marked", exc_info=True)
        self._marked.update(dict.fromkeys(heard | apps, now))


def _read(arrival: Arrival) -> bool:
    """Whether there is something to store. One that cannot be read harms none of the others."""
    try:
        arrival.read()
    except BadCallback as error:
        arrival.error = error
        arrival.settle(Outcome.REFUSED)
        return False
    except Exception:
        log.exception("callback could not be read")
        arrival.settle(Outcome.FAILED)
        return False
    return True


flusher = Flusher()
