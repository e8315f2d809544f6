from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from callbacks import flush
from callbacks.intake import receivers
from callbacks.stored import keyring
from tests.callbacks.door import Door
from tests.cast import GLOBEX

AS_IT_WAS = """
TRUNCATE public.callbacks_inbox, public.callbacks_beat, public.callbacks_gap;
DELETE FROM public.tenants_receiverkey WHERE version > 1;
UPDATE public.tenants_receiverkey SET retired_at = NULL;
UPDATE public.tenants_receiver SET verified_at = NULL, last_event_at = NULL;
UPDATE public.tenants_corpapp SET suite_id = '';
UPDATE public.tenants_tenant SET status = 'active';
"""


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The door commits over connections of its own. What it leaves behind is removed by hand: a new database for
    each test would take most of the time."""
    monkeypatch.setattr(flush, "WAIT_SECONDS", 30.0)  # the disk is busy with other tests
    with django_db_blocker.unblock():
        receivers.clear()
        keyring.clear()
        yield
        connection.set_schema_to_public()
        with connection.cursor() as cursor:
            cursor.execute(AS_IT_WAS)
        connection.close()


@pytest.fixture
def door(committed: None) -> Door:
    return Door()


@pytest.fixture
def other_door(committed: None) -> Door:
    return Door(GLOBEX)
