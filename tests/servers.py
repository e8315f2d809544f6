"""Loaded by pytest before Django's settings: throw-away servers for the whole run, never those of `var/`."""

import os

import pytest

from scrm import catalogue
from scrm.up.throwaway import Throwaway

MARK = "SCRM_TEST_SERVERS"  # in the environment of everything that the first process starts: xdist's workers above all

servers: Throwaway | None = None
if MARK not in os.environ:
    servers = Throwaway()
    catalogue.compile_all()
    for name in (
        "SCRM_SECRET_KEY_FILE",
        "SCRM_KEK_FILE",
        "DATABASE_URL_FILE",
        "REDIS_URL_FILE",
        "WECOM_API_BASE",
        "SANDBOX_URL",
    ):
        os.environ.pop(name, None)  # the environment of someone's `make up` says nothing to a test
    os.environ |= servers.environment | {MARK: "1", "SCRM_BASE_DOMAIN": "localhost"}
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps an event loop in the thread of the tests


def pytest_unconfigure(config: pytest.Config) -> None:
    if servers is not None:
        servers.close()
