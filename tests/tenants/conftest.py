"""The imitation WeCom for the tests of the outgoing side."""

from tests.sandbox_server import sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]
