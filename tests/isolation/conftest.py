from collections.abc import Iterator

import pytest

from tenants.models import Tenant
from tests.isolation.lines import Lines
from tests.isolation.world import World

NOWHERE = "http://127.0.0.1:1"  # no WeCom answers there


@pytest.fixture
def world(acme: Tenant, globex: Tenant, clean_cache: None, settings) -> World:
    settings.WECOM_API_BASE = NOWHERE
    return World(acme, globex).fill()


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged while the test runs, as it would be written."""
    with Lines() as found:
        yield found
