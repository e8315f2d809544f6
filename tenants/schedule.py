"""What happens by the clock. Schedulers may be many: a slot of the ledger belongs to the one that holds its lock."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from tenants.locks import alone_with
from tenants.models import Tick

logger = logging.getLogger(__name__)

LOCK_SPACE = 0x5449434B  # "TICK"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEDGER_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work of every so often. Slots are cut from the epoch on, shifted by `offset`: a day cut at 19:00 UTC is 03:00
    in China. A slot that nobody worked in is not made up for; the one that is there now is run once."""

    name: str
    every: timedelta
    run: Callable[[], object]
    offset: timedelta = timedelta(0)

    def slot(self, now: datetime) -> datetime:
        return EPOCH + (now - EPOCH - self.offset) // self.every * self.every + self.offset


@dataclass(frozen=True, slots=True)
class Poller:
    """Looks for rows that wait, again and again: what makes a lost message harmless."""

    name: str
    look: Callable[[], object]
    every: float = 1.0


PERIODIC: list[Periodic] = []  # filled by scrm/wiring.py
POLLERS: list[Poller] = []  # filled by scrm/wiring.py


def tick(now: datetime | None = None) -> list[str]:
    """Run what is due in the current slots, one after the other; the names of what was run here."""
    now = now or timezone.now()
    return [periodic.name for periodic in PERIODIC if run_slot(periodic, periodic.slot(now)) == "ran"]


def run_slot(periodic: Periodic, slot: datetime) -> str:
    """ "ran" here, "done" before, or "taken" by another scheduler at this moment.

    The lock lives as long as its connection: the slot of a scheduler that died in the middle is run again.
    """
    with alone_with(LOCK_SPACE, periodic.name) as mine:
        if not mine:
            return "taken"
        row, _ = Tick.objects.get_or_create(job=periodic.name, slot=slot)
        if row.done_at is not None:
            return "done"
        try:
            periodic.run()
        except (DatabaseError, InterfaceError):
            raise
        except Exception:
            logger.exception("%s failed; its next slot tries again", periodic.name)
        Tick.objects.filter(pk=row.pk).update(done_at=timezone.now())
    return "ran"


def prune_ledger() -> int:
    return Tick.objects.filter(slot__lt=timezone.now() - LEDGER_KEPT).delete()[0]
