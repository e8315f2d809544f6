"""The scheduler's process: a thread for the clock and one for each poller, until it is told to stop."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from tenants import schedule
from tenants.schedule import Periodic

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 10.0
GRACE_SECONDS = 15.0


class Scheduler:
    """Survives restarts of Postgres and of the broker; any number of it may run."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._running: dict[str, threading.Thread] = {}
        self._settled: dict[str, datetime] = {}

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        threads = [self._thread("clock", self._tick, 1.0)]
        threads += [self._thread(poller.name, poller.look, poller.every) for poller in schedule.POLLERS]
        logger.info("scheduler: %s periodic jobs, %s pollers", len(schedule.PERIODIC), len(schedule.POLLERS))
        for thread in threads:
            thread.start()
        self._stop.wait()
        for thread in [*threads, *self._running.values()]:
            thread.join(GRACE_SECONDS / 3)
        logger.info("scheduler: stopped")

    def _thread(self, name: str, act: Callable[[], object], every: float) -> threading.Thread:
        return threading.Thread(target=self._again_and_again, args=(name, act, every), name=name, daemon=True)

    def _again_and_again(self, name: str, act: Callable[[], object], every: float) -> None:
        """Once every so often; a database that is away is asked again with growing pauses."""
        pause = every
        while not self._stop.is_set():
            try:
                act()
                if pause > every:
                    logger.warning("%s: the database is back", name)
                pause = every
            except (DatabaseError, InterfaceError) as error:
                pause = min(pause * 2, LONGEST_PAUSE)
                logger.error("%s: the database is away (%s), again in %.0f s", name, str(error).strip()[:200], pause)
                connection.close()
            except Exception:
                logger.exception("%s failed", name)
            self._stop.wait(pause)
        connection.close()

    def _tick(self) -> None:
        """Start what is due, each in a thread of its own, so that nothing slow holds up the rest."""
        now = timezone.now()
        for periodic in schedule.PERIODIC:
            slot = periodic.slot(now)
            running = self._running.get(periodic.name)
            if self._settled.get(periodic.name) == slot or (running and running.is_alive()):
                continue
            thread = threading.Thread(target=self._slot, args=(periodic, slot), name=periodic.name, daemon=True)
            self._running[periodic.name] = thread
            thread.start()

    def _slot(self, periodic: Periodic, slot: datetime) -> None:
        try:
            if schedule.run_slot(periodic, slot) != "taken":
                self._settled[periodic.name] = slot
        except (DatabaseError, InterfaceError) as error:
            logger.error("%s: the database is away (%s)", periodic.name, str(error).strip()[:200])
            self._stop.wait(2)
        finally:
            connection.close()
