"""F21: whatever is sent to the door, it answers in its few ways, quickly, and does not grow."""

import gc
import logging
import random
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.callbacks.door import Door, count, event_xml, request
from tests.sizes import in_two_sizes
from wecom.crypto import MAX_BYTES

WARM_UP = 2_000  # then parsers, caches and the allocator have their memory


@pytest.fixture(autouse=True)
def _without_a_log() -> Iterator[None]:
    """pytest would keep every line of it."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def mutated(pick: random.Random, body: bytes) -> bytes:
    kind = pick.randrange(9)
    if kind == 0:
        return pick.randbytes(pick.randrange(2_000))
    if kind == 1:
        return body[: pick.randrange(len(body))]
    if kind == 2:
        return body.decode().encode(pick.choice(["utf-16", "utf-32", "utf-8-sig", "cp037"]))
    if kind == 3:
        return b"<" * pick.randrange(1, 5_000)
    if kind == 4:
        return b"<a>" * pick.randrange(1, 3_000) + body
    if kind == 5:
        return b'{"Encrypt":' + b"[" * pick.randrange(3_000) + b"}"
    if kind == 6:
        return body + pick.randbytes(pick.choice([1, 10, MAX_BYTES, 3 * MAX_BYTES]))
    changed = bytearray(body)
    for _ in range(pick.randint(1, 8)):
        place = pick.randrange(len(changed))
        changed[place : place + pick.randrange(3)] = pick.choice([b"", b"\0", b"<", b"]]>", b"&", pick.randbytes(2)])
    return bytes(changed)


def mutated_query(pick: random.Random, query: dict[str, str]) -> dict[str, str] | str:
    kind = pick.randrange(6)
    if kind < 3:
        return query
    if kind == 3:
        return "&".join(
            pick.choices(["a", "=", "%", "%zz", "%00", "nonce=", "timestamp=٣", "\xff", "&&"], k=pick.randrange(40))
        )
    name = pick.choice(list(query))
    return {**query, name: pick.choice(["", "0", "-1", "9" * 30, "\0", "é", query[name][::-1]])}


def resident() -> int:
    """Bytes that stay after all that is garbage is gone."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


@in_two_sizes("bodies", 20_000, 100_000)
def test_fuzzed_callbacks(door: Door, bodies: int) -> None:
    pick = random.Random(20_000)
    query, body = door.delivery(event_xml())
    assert request("POST", door.path, query, body).status == 200
    for _ in range(WARM_UP):
        request("POST", door.path, mutated_query(pick, query), mutated(pick, body))
    before = resident()
    took: list[float] = []
    statuses: dict[int, int] = {}
    for _ in range(bodies):
        given, content = mutated_query(pick, query), mutated(pick, body)
        begun = time.thread_time()  # other processes on the machine are not the door's matter
        answer = request("POST", door.path, given, content)
        took.append(time.thread_time() - begun)
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
    assert set(statuses) <= {200, 400, 413}, statuses
    assert statuses[400] > 0.7 * bodies
    assert statuses[413] > 0.02 * bodies
    assert sorted(took)[int(bodies * 0.99)] < 0.05
    assert resident() - before < 20 << 20
    assert count() == 1  # what a mutation left whole is the same event


def test_two_thousand_fuzzed_contents_under_a_good_signature(door: Door) -> None:
    """A company's own keys may sign anything: it is stored or refused, and never an error."""
    pick = random.Random(2_000)
    plain = event_xml()
    statuses = {door.post(mutated(pick, plain)[: MAX_BYTES // 2]).status for _ in range(2_000)}
    assert statuses <= {200, 400}
