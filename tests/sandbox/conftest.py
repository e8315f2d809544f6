"""The sandbox in a process of its own, driven over HTTP as the product drives it."""

import pytest

from tests.sandbox.lab import Corp, Receiver, Sandbox


@pytest.fixture(scope="session")
def sandbox():
    running = Sandbox("--memory", "--no-corp")
    yield running
    assert running.stop() == 0


@pytest.fixture
def corp(sandbox):
    return Corp(sandbox)


@pytest.fixture
def receiver():
    running = Receiver()
    yield running
    running.close()
