import signal
from types import FrameType
from typing import Any

from tenants.commands import Command as TenantsCommand
from tenants.scheduler import Scheduler


class Command(TenantsCommand):
    help = "Runs the clock and the pollers until SIGTERM. Two may run: nothing is done twice."

    def run(self, options: dict[str, Any]) -> Any:
        scheduler = Scheduler()

        def stop(number: int, frame: FrameType | None) -> None:
            scheduler.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        scheduler.run()
        return {"stopped": True}

    def tell(self, result: Any) -> None:
        """The log has said it."""
