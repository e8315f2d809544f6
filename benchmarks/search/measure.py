"""`python -m benchmarks.search.measure MESSAGES`: builds that many messages and searches them; its result as JSON."""

import json
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

# by Zipf: the first are in thousands of messages, the last in a handful
COMMON = tuple(
    "您好谢谢好的可以我们这个什么时候现在没有一下今天明天方便看看需要知道价格东西发货"[n : n + 2]
    for n in range(0, 40, 2)
)
STAFF, CUSTOMERS, ROUNDS = 200, 20_000, 3


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    django.setup()
    print(json.dumps(searches(int(sys.argv[1]))))


def searches(size: int) -> dict[str, Any]:
    from archive.finding import Wanted, find
    from benchmarks.sync.measure import company

    dice = random.Random(11)
    with company("search", "wwbench000000010", 1000002, "bench-secret", "bench-secret"):
        begun = time.monotonic()
        texts = build(size, dice)
        found: dict[str, Any] = {"build": time.monotonic() - begun}
        two, four = parts_of(texts, 2, dice), parts_of(texts, 4, dice)
        team, one = list(range(1, 21)), [7]
        asked = {
            "two characters": [Wanted(text=text) for text in [*COMMON, *two]],
            "four characters": [Wanted(text=text) for text in four],
            "two characters, a range of 20 staff": [Wanted(text=text, staff_ids=team) for text in [*COMMON, *two]],
            "two characters, one's own": [Wanted(text=text, staff_ids=one) for text in [*COMMON, *two]],
            "four characters, one's own": [Wanted(text=text, staff_ids=one) for text in four],
            "not there": [Wanted(text=f"{text}龘") for text in two[:20]],
        }
        for label, queries in asked.items():
            times: list[tuple[float, str]] = []
            for _ in range(ROUNDS):
                for wanted in queries:
                    begun = time.perf_counter()
                    find(wanted)
                    times.append(((time.perf_counter() - begun) * 1000, wanted.text))
            times.sort()
            found[label] = {
                "p50": times[len(times) // 2][0],
                "p95": times[int(len(times) * 0.95)][0],
                "max": times[-1][0],
                "worst": times[-1][1],
                "queries": len(queries),
            }
    return found


def build(size: int, dice: random.Random) -> list[str]:
    """Messages of 4 to 40 characters; the words by Zipf, the rest of the characters by their own."""
    from django.db import connection

    from tenants.staging import copy

    letters = [chr(0x4E00 + number) for number in range(3500)]
    weights = [1 / (rank + 1) for rank in range(len(letters))]
    sample: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO archive_conversation (id, key, kind, staff_ids, chat_id, title, messages, last_text)"
            " SELECT n, 'p:s' || n %% %s || '|wm' || n, 'customer', ARRAY[n %% %s + 1], '', '', 0, ''"
            " FROM generate_series(1, %s) n",
            [STAFF, STAFF, CUSTOMERS],
        )
        columns = ["msgid", "seq", "conversation_id", "action", "kind", "sender"]
        columns += ["from_customer", "at", "text", "payload", "revokes"]
        for start in range(0, size, 20_000):
            rows = []
            for number in range(start, min(start + 20_000, size)):
                text = sentence(letters, weights, dice)
                if number % max(1, size // 400) == 0:
                    sample.append(text)
                talk = dice.randrange(CUSTOMERS) + 1
                rows.append((f"m{number}", number, talk, "send", "text", "s", False, moment(number), text, "{}", ""))
            copy(cursor, "archive_archivedmessage", columns, rows)
        cursor.execute(
            "UPDATE archive_conversation c SET messages = t.messages FROM (SELECT conversation_id, count(*) AS messages"
            " FROM archive_archivedmessage GROUP BY 1) t WHERE t.conversation_id = c.id"
        )
        cursor.execute("VACUUM ANALYZE archive_archivedmessage, archive_conversation")
    return sample


def moment(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)


def sentence(letters: list[str], weights: list[float], dice: random.Random) -> str:
    rest = dice.choices(letters, weights, k=dice.randrange(2, 36))
    for _ in range(dice.randrange(0, 3)):
        word = COMMON[min(int(dice.paretovariate(0.8)) - 1, len(COMMON) - 1)]
        rest.insert(dice.randrange(len(rest) + 1), word)
    return "".join(rest)


def parts_of(texts: list[str], length: int, dice: random.Random) -> list[str]:
    long = [text for text in texts if len(text) >= length]
    found = []
    for _ in range(60):
        text = dice.choice(long)
        place = dice.randrange(len(text) - length + 1)
        found.append(text[place : place + length])
    return found


if __name__ == "__main__":
    main()
