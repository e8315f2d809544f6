from tenants.events import URGENT_HANDLERS
from tests.contacts.conftest import events
from tests.sandbox_server import sandbox, sandbox_process
from wecom.events import Event

__all__ = ["events", "greet", "sandbox", "sandbox_process"]


def greet(event: Event) -> None:
    """As the urgent lane does it."""
    welcome = URGENT_HANDLERS[event.key]
    welcome.apply(event, welcome.read(event))
