"""A partition a day: made ahead, dropped whole, never with something open in it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from callbacks import partitions
from tests.callbacks.door import Door, count, event_xml, rows


def names() -> list[str]:
    return sorted(name for name in partitions._partitions() if name != "callbacks_inbox_other")


@pytest.fixture(autouse=True)
def _without_partitions(committed: None) -> Iterator[None]:
    drop_all()
    yield
    drop_all()


def drop_all() -> None:
    with connection.cursor() as cursor:
        for name in names():
            cursor.execute(f"DROP TABLE public.{name}")


def test_nine_days_are_made_once(door: Door) -> None:
    now = datetime(2027, 3, 1, 17, tzinfo=UTC)  # the second of March in China
    assert partitions.maintain(now)[0] == 9
    assert names()[0] == "callbacks_inbox_20270301"
    assert names()[-1] == "callbacks_inbox_20270309"
    assert partitions.maintain(now) == (0, 0)


def test_what_came_before_its_partition_is_moved_into_it(door: Door) -> None:
    door.post(event_xml())
    assert rows("tableoid::regclass::text") == [("callbacks_inbox_other",)]
    before = rows("id, dedupe_key")
    partitions.maintain()
    assert rows("id, dedupe_key") == before
    assert rows("tableoid::regclass::text")[0][0] in names()
    door.post(event_xml())  # its like may come again: still one row
    assert count() in (1, 2)  # the second may be another second of CreateTime


def test_a_repeat_meets_its_first_across_the_move(door: Door) -> None:
    plain = event_xml()
    door.post(plain)
    partitions.maintain()
    door.post(plain)
    assert count() == 1


def test_old_days_go_when_nothing_is_open_in_them(door: Door) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=40)
    partitions.maintain(old)
    for age, status in ((40, "done"), (38, "dead")):
        door.post(event_xml(at=int(time.time()) - age * 86_400, State=status))
        with connection.cursor() as cursor:
            cursor.execute("UPDATE public.callbacks_inbox SET status = %s WHERE status = 'new'", [status])
    made, dropped = partitions.maintain(now)
    assert made == 9
    assert dropped == 8  # nine days of then, but the one of the dead event
    assert rows("status") == [("dead",)]


def test_the_door_is_open_while_partitions_are_made(door: Door) -> None:
    partitions.maintain()
    assert door.post(event_xml()).status == 200
    assert partitions.maintain() == (0, 0)


def test_what_came_for_a_company_that_was_deleted_does_not_wait_for_ever(door: Door) -> None:
    door.post(event_xml())
    with connection.cursor() as cursor:  # the door knew it for a minute more
        cursor.execute("UPDATE public.callbacks_inbox SET tenant_id = 2147483647")
    door.post(event_xml(State="of one that is there"))
    partitions.maintain()
    assert rows("tenant_id") == [(door.tenant.pk,)]
