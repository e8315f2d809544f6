from tests.contacts.conftest import events
from tests.sandbox_server import sandbox, sandbox_process

__all__ = ["events", "sandbox", "sandbox_process"]
