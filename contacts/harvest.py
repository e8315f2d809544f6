"""All friendships of a company: several readers of WeCom's pages, one writer, a checkpoint with every set of rows."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from contacts import bulk
from contacts.events import announce
from contacts.models import ListedPage
from tenants.current import wecom_client
from tenants.db import commit_asynchronously
from tenants.jobs import JobRun
from tenants.models import Tenant
from wecom.client import WeComClient
from wecom.errors import NoCustomerRight, NotAFriend, StaleCursor, WeComRefused
from wecom.objects import CustomerPage

READERS = 6  # WeCom answers 45033 to too many reads of one company at once
PAGE = 100
SET = 1000  # friendships in one transaction
AHEAD = 8  # pages read and not yet written
MAX_RESTARTS = 3


def concerns_a_member(error: Exception) -> bool:
    """Whether WeCom refused because of one of the members asked for."""
    return isinstance(error, WeComRefused | NoCustomerRight)


@dataclass(slots=True)
class Progress:
    """Where the listing stands. `cursors` has the place of each begun portion, None when it is read to the end."""

    portions: list[list[str]]
    cursors: dict[str, str | None] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)  # members whose customers WeCom does not show

    @classmethod
    def over(cls, userids: Sequence[str]) -> "Progress":
        """Portions small enough that all readers have work, of 100 members at most."""
        size = min(100, max(1, -(-len(userids) // (2 * READERS))))
        return cls([list(userids[start : start + size]) for start in range(0, len(userids), size)])

    @property
    def open(self) -> list[int]:
        return [number for number in range(len(self.portions)) if self.cursors.get(str(number), "") is not None]

    @property
    def finished(self) -> int:
        return sum(1 for cursor in self.cursors.values() if cursor is None)

    @property
    def listed_userids(self) -> list[str]:
        """Members whose customers were listed to the end."""
        return [
            userid
            for number, portion in enumerate(self.portions)
            if self.cursors.get(str(number), "") is None
            for userid in portion
        ]

    def as_dict(self) -> dict[str, Any]:
        return {"portions": self.portions, "cursors": self.cursors, "refused": self.refused}


@dataclass(slots=True)
class Page:
    """What a reader hands to the writer: rows and the place after them, or why there are none."""

    portion: int
    read_at: datetime
    answer: CustomerPage | None = None
    refused: bool = False
    error: Exception | None = None


class Readers:
    """Threads that read portions, each page by page, and stop when told to."""

    def __init__(self, client: WeComClient, progress: Progress) -> None:
        self.client, self.tenant = client, connection.tenant
        self.todo: queue.SimpleQueue[tuple[int, list[str], str]] = queue.SimpleQueue()
        self.pages: queue.Queue[Page] = queue.Queue(AHEAD)
        self.stop = threading.Event()
        for number in progress.open:
            self.add(number, progress.portions[number], progress.cursors.get(str(number)) or "")
        self.threads = [
            threading.Thread(target=self._run, args=(self.tenant,), daemon=True)
            for _ in range(min(READERS, len(progress.open)))
        ]

    def add(self, number: int, userids: list[str], cursor: str) -> None:
        self.todo.put((number, userids, cursor))

    def _run(self, tenant: Tenant) -> None:
        try:
            with tenant:
                self._work()
        finally:
            connection.close()

    def _work(self) -> None:
        while not self.stop.is_set():
            try:
                number, userids, cursor = self.todo.get(timeout=0.2)
            except queue.Empty:
                continue
            self._read(number, userids, cursor)

    def _read(self, number: int, userids: list[str], cursor: str) -> None:
        restarts = 0
        while not self.stop.is_set():
            read_at = timezone.now()
            try:
                answer = self.client.customers_of(userids, cursor, limit=PAGE)
            except StaleCursor as error:
                restarts += 1
                if restarts > MAX_RESTARTS:
                    self._hand_over(Page(number, read_at, error=error))
                    return
                cursor = ""
                continue
            except NotAFriend:
                answer = CustomerPage([], "")
            except Exception as error:  # noqa: BLE001  the writer raises it where the job can see it
                refused = concerns_a_member(error)
                self._hand_over(Page(number, read_at, refused=refused, error=None if refused else error))
                return
            self._hand_over(Page(number, read_at, answer))
            cursor = answer.next_cursor
            if not cursor:
                return

    def _hand_over(self, page: Page) -> None:
        while not self.stop.is_set():
            try:
                self.pages.put(page, timeout=0.2)
            except queue.Full:
                continue
            return

    @contextmanager
    def at_work(self) -> Iterator[None]:
        for thread in self.threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in self.threads:
                thread.join()


class Writer:
    """Takes pages from the readers and writes them in sets, each with the places after it."""

    def __init__(self, run: JobRun, checkpoint: dict[str, Any], progress: Progress, source: str) -> None:
        self.run, self.checkpoint, self.progress, self.source = run, checkpoint, progress, source
        self.held: list[Page] = []

    def work(self) -> None:
        """Until every portion is read to the end. Raises what a reader met, after writing what came before."""
        if not self.progress.open:
            return
        readers = Readers(wecom_client(), self.progress)
        with readers.at_work():
            while self._pending():
                self.run.proceed()
                try:
                    page = readers.pages.get(timeout=1)
                except queue.Empty:
                    continue
                if page.error is not None:
                    self._write()
                    raise page.error
                self._take(page, readers)
            self._write()

    def _pending(self) -> bool:
        ended = {page.portion for page in self.held if page.answer is not None and not page.answer.next_cursor}
        return any(number not in ended for number in self.progress.open)

    def _take(self, page: Page, readers: Readers) -> None:
        if page.refused:
            self._split(page.portion, readers)
            return
        self.held.append(page)
        if sum(len(held.answer.rows) for held in self.held if held.answer) >= SET:
            self._write()

    def _split(self, number: int, readers: Readers) -> None:
        """One member without the right makes WeCom refuse the whole portion: ask for each alone."""
        progress, portion = self.progress, self.progress.portions[number]
        if len(portion) == 1:
            progress.refused.extend(portion)
        else:
            for userid in portion:
                readers.add(len(progress.portions), [userid], "")
                progress.portions.append([userid])
        progress.portions[number] = []
        progress.cursors[str(number)] = None
        self._write()

    def _write(self) -> None:
        told = bulk.Told(read_at=min((page.read_at for page in self.held), default=None))
        at = timezone.now()
        cursors: dict[str, str | None] = {}
        for page in self.held:
            if page.answer is None:
                continue
            for row in page.answer.rows:
                told.add_contact(row.contact)
                told.add_listed(row.contact.external_userid, row.follow)
            cursors[str(page.portion)] = page.answer.next_cursor or None
            self.progress.refused.extend(page.answer.unlicensed)
        self.held = []
        with transaction.atomic():
            commit_asynchronously()
            written = bulk.write_told(told, at=at, source=self.source)
            if written.listed:
                ListedPage.objects.create(job_id=self.run.job.pk, of=ListedPage.Of.FOLLOWS, ids=written.listed)
            announce(written, self.source)
            self.progress.cursors.update(cursors)
            self.run.save(
                self.checkpoint | {"customers": self.progress.as_dict()},
                done=self.run.job.done + len(told.listed),
                **written.counts,
            )


def harvest(run: JobRun, checkpoint: dict[str, Any], userids: Sequence[str], *, source: str) -> Progress:
    """List every friendship of these members; goes on where an earlier run stopped."""
    saved = checkpoint.get("customers")
    progress = Progress(**saved) if saved else Progress.over(userids)
    Writer(run, checkpoint, progress, source).work()
    return progress


def started_at(checkpoint: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(checkpoint["started"])
