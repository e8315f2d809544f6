"""What this layer does by the clock; scrm/wiring.py puts it in the schedule."""

from datetime import timedelta

from tenants import checks, due, outbox, polling, schedule
from tenants.schedule import Periodic, Poller

NIGHT = timedelta(hours=19)  # 03:00 in China

PERIODIC = [
    Periodic("check-apps", timedelta(minutes=1), checks.check_waiting_apps),
    Periodic("prune-outbox", timedelta(days=1), outbox.prune, offset=NIGHT),
    Periodic("prune-ledger", timedelta(days=1), schedule.prune_ledger, offset=NIGHT),
]
POLLERS = [
    Poller("outbox", polling.poll_outbox),
    Poller("jobs", polling.poll_jobs),
    Poller("due", due.poll),
]
