"""Events are hints, and some are lost while nobody answers WeCom: whose they may have been is compared once again.

A gap is noticed when no web process said for ten seconds that it answers (WeCom re-sends for about as long), when a
callback was refused for want of a place to store it, and when the spool was used.
"""

import random
import threading
import time
from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.db import DatabaseError, InterfaceError, connection

from callbacks.models import Gap
from contacts.reconcile import RECONCILE
from contacts.sync import SYNC
from tenants import jobs
from tenants.locks import alone_with
from tenants.models import Job, Tenant

log = structlog.get_logger(__name__)

BEAT_SECONDS = 3.0
SILENCE_SECONDS = 10.0
APART_SECONDS = 2.0  # between the comparisons of two companies, on the average
LONGEST_SPREAD = 900.0
LOCK_SPACE = 0x47415053  # "GAPS"
EVERYBODY = 0

NOTICE = """
INSERT INTO public.callbacks_gap (tenant_id, noticed_at)
SELECT DISTINCT tenant_id, statement_timestamp() FROM public.tenants_corpapp
WHERE lane <> 'suite' AND 0 = ANY(%(whose)s)
UNION SELECT id, statement_timestamp() FROM public.tenants_tenant WHERE id = ANY(%(whose)s)
ON CONFLICT (tenant_id) DO UPDATE SET noticed_at = excluded.noticed_at
"""
# two processes that start at once: the second waits for the row, and then sees the beat of the first
BEAT = """
WITH last AS (SELECT at FROM public.callbacks_beat WHERE id = 1 FOR UPDATE),
beat AS (
    INSERT INTO public.callbacks_beat (id, at) SELECT 1, statement_timestamp() FROM (SELECT count(*) FROM last) AS seen
    ON CONFLICT (id) DO UPDATE SET at = excluded.at)
SELECT EXISTS (SELECT FROM last WHERE at < statement_timestamp() - make_interval(secs => %s))
"""


class Watch:
    """Says every few seconds that this process answers WeCom, and what it could not store."""

    def __init__(self) -> None:
        self._refused: set[int] = set()
        self._thread: threading.Thread | None = None
        self._alive_since = time.monotonic()

    def start(self) -> None:
        """Once in each process that serves; not in those that only load the code."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="callback-watch", daemon=True)
            self._thread.start()

    def refused(self, tenant_ids: Iterable[int] = (EVERYBODY,)) -> None:
        """WeCom was told to come again, and it may not."""
        self._refused = self._refused.union(tenant_ids)

    def beat(self) -> bool:
        """One beat; whether nobody beat before it for too long.

        A process that lived through the silence could only not reach Postgres: its spool has what came meanwhile.
        """
        refused, self._refused = self._refused, set()
        try:
            alive = time.monotonic() - self._alive_since
            with connection.cursor() as cursor:
                cursor.execute(BEAT, [SILENCE_SECONDS + alive])
                is_gap = bool(cursor.fetchone()[0])
                if is_gap:
                    refused = refused | {EVERYBODY}
                if refused:
                    cursor.execute(NOTICE, {"whose": sorted(refused)})
        except (DatabaseError, InterfaceError):
            self._refused |= refused
            raise
        if is_gap:
            log.warning("callbacks were not answered for a while: every company will be compared")
        return is_gap

    def _run(self) -> None:
        self._alive_since, seen = time.monotonic(), time.time()
        while True:
            if time.time() - seen > SILENCE_SECONDS + BEAT_SECONDS:  # the machine slept
                self._alive_since = time.monotonic()
            seen = time.time()
            try:
                self.beat()
            except (DatabaseError, InterfaceError):
                connection.close()  # Postgres is away, which others say loud enough
            except Exception:
                log.exception("callback watch")
            time.sleep(BEAT_SECONDS)


watch = Watch()


def compare() -> int:
    """From the scheduler: starts a comparison for each company with a gap, spread over time; how many are new.

    The gap is closed by a comparison that begins after it was noticed, so one that was under way is waited for.
    """
    with alone_with(LOCK_SPACE, "compare") as mine:
        if not mine:
            return 0
        gaps = list(Gap.objects.filter(tenant__status=Tenant.Status.ACTIVE).select_related("tenant"))
        spread = min(len(gaps) * APART_SECONDS, LONGEST_SPREAD)
        return sum(_closed(gap, timedelta(seconds=random.uniform(0, spread))) for gap in gaps)


def _closed(gap: Gap, delay: timedelta) -> bool:
    syncs = Job.objects.filter(tenant=gap.tenant, kind=SYNC)
    if syncs.filter(state__in=jobs.OPEN).exists():
        return False  # it may have passed the places already that the lost events were about
    is_new = False
    if syncs.filter(state=Job.State.DONE).exists():
        with gap.tenant:
            job = jobs.start(RECONCILE, by="gap", delay=delay)
        is_new = job.created_at >= gap.noticed_at
        if not is_new and job.started_at is not None and job.started_at < gap.noticed_at:
            return False
    Gap.objects.filter(pk=gap.pk, noticed_at=gap.noticed_at).delete()
    return is_new
