"""`python -m benchmarks.segment.measure CUSTOMERS ROUNDS`: one process with a filled company, its results as JSON."""

import json
import os
import sys
import time
from datetime import datetime, timedelta
from typing import Any

from benchmarks.common.database import by_turns, fetched
from benchmarks.common.million import build

PAGE = 20
Query = tuple[str, list[dict[str, Any]], str, list[Any]]


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    django.setup()
    customers, rounds = int(sys.argv[1]), int(sys.argv[2])
    from tenants.provision import create_tenant

    with create_tenant("segment", name="Bench"):
        begun = time.perf_counter()
        build(customers, customers * 5)
        built = time.perf_counter() - begun
        found = {query[0]: measured(query, rounds) for query in queries()}
    print(json.dumps({"built": built, "queries": found}))


class Given:
    """What the queries ask for: tags by their share, a department, a stage."""

    def __init__(self) -> None:
        from django.utils import timezone

        share = "SELECT t, count(*)::float / (SELECT count(*) FROM contacts_customerfacts) FROM contacts_customerfacts,"
        self.shares: list[tuple[int, float]] = fetched(f"{share} unnest(tag_ids) t GROUP BY t ORDER BY 2 DESC")  # type: ignore[assignment]
        self.now = timezone.now()
        self.taken: set[int] = set()
        self.t30, self.t15, self.t10 = self.tag(0.3), self.tag(0.15), self.tag(0.1)
        self.t1, self.t02 = self.tag(0.01), self.tag(0.002)
        self.ten = [self.tag(0.01) for _ in range(10)]
        self.department = fetched("SELECT id FROM members_department WHERE wecom_id = 7")[0][0]
        self.staff = [row[0] for row in fetched(_OF_DEPARTMENT, [self.department])]
        self.stage = fetched("SELECT min(id) + 1 FROM contacts_stage")[0][0]

    def tag(self, share: float) -> int:
        """The one that comes nearest, each once."""
        free = [row for row in self.shares if row[0] not in self.taken]
        nearest = min(free, key=lambda row: abs(row[1] - share))[0]
        self.taken.add(nearest)
        return nearest

    def since(self, days: int) -> datetime:
        return self.now - timedelta(days=days)


_OF_DEPARTMENT = "SELECT staff_id FROM members_staffdepartment WHERE department_id = %s ORDER BY 1"


def is_(key: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"is": key, "op": op} | ({} if value is None else {"value": value})


def queries() -> list[Query]:
    """The eight of performance.md: a name, the conditions, and the same by hand."""
    g = Given()
    has, hasnt, stage = "tag_ids @> %s::bigint[]", "NOT tag_ids && %s::bigint[]", "stage_id = %s"
    since, friends = "added_at >= %s", "staff_ids && %s::bigint[]"
    city = "fields @> %s::jsonb"
    in_city = is_("field:city", "equals", "c6")

    def tags(op: str, *wanted: int) -> dict[str, Any]:
        return is_("tags", op, list(wanted))

    return [
        ("tag 30 % not 10 %", [tags("any", g.t30), tags("none", g.t10)], f"{has} AND {hasnt}", [[g.t30], [g.t10]]),
        ("tag 1 % not 10 %", [tags("any", g.t1), tags("none", g.t10)], f"{has} AND {hasnt}", [[g.t1], [g.t10]]),
        ("tag 0.2 % not 30 %", [tags("any", g.t02), tags("none", g.t30)], f"{has} AND {hasnt}", [[g.t02], [g.t30]]),
        (
            "tag, not, 90 days, stage, department, field",
            [
                *(tags("any", g.t30), tags("none", g.t10), is_("added", "last", 90), is_("stage", "any", [g.stage])),
                *(is_("department", "any", [g.department]), in_city),
            ],
            f"{has} AND {hasnt} AND {since} AND {stage} AND {friends} AND {city}",
            [[g.t30], [g.t10], g.since(90), g.stage, g.staff, '{"city": "c6"}'],
        ),
        (
            "two tags not 30 %, 365 days",
            [tags("all", g.t15, g.t10), tags("none", g.t30), is_("added", "last", 365)],
            f"{has} AND {hasnt} AND {since}",
            [[g.t15, g.t10], [g.t30], g.since(365)],
        ),
        (
            "any of 10 tags not 30 %",
            [tags("any", *g.ten), tags("none", g.t30)],
            f"tag_ids && %s::bigint[] AND {hasnt}",
            [g.ten, [g.t30]],
        ),
        (
            "30 days, stage, field",
            [is_("added", "last", 30), is_("stage", "any", [g.stage]), in_city],
            f"{since} AND {stage} AND {city}",
            [g.since(30), g.stage, '{"city": "c6"}'],
        ),
        (
            "tag 15 %, department, not lost",
            [tags("any", g.t15), is_("department", "any", [g.department]), is_("lost", "no")],
            f"{has} AND {friends} AND lost_at IS NULL",
            [[g.t15], g.staff],
        ),
    ]


def measured(query: Query, rounds: int) -> dict[str, Any]:
    """Milliseconds of ours and of the hand-written statement; and how many it finds."""
    from contacts.models import CustomField
    from tagging import segments
    from tagging.conditions import clean

    _name, conditions, where, params = query
    CustomField.objects.get_or_create(key="city", defaults={"name": "city"})
    tree = clean({"match": "all", "of": conditions})
    facts = f"FROM contacts_customerfacts WHERE {where}"
    newest = f"SELECT customer_id, added_at {facts} ORDER BY added_at DESC, customer_id DESC LIMIT {PAGE}"
    page = (
        f"SELECT c.* FROM ({newest}) p"
        " JOIN contacts_customer c ON c.id = p.customer_id ORDER BY p.added_at DESC, p.customer_id DESC"
    )
    number = segments.count(tree).number
    assert number == fetched(f"SELECT count(*) {facts}", params)[0][0], "both find the same"
    assert [one.pk for one in segments.newest(tree, limit=PAGE)] == [row[0] for row in fetched(page, params)][:PAGE]
    found = {
        "count": by_turns(lambda: segments.count(tree), lambda: fetched(f"SELECT count(*) {facts}", params), rounds),
        "page": by_turns(lambda: segments.newest(tree, limit=PAGE), lambda: fetched(page, params), rounds),
        "export": by_turns(
            lambda: segments.ids_of(tree), lambda: fetched(f"SELECT customer_id {facts}", params), rounds
        ),
    }
    return {"number": number} | {name: [one * 1000, other * 1000] for name, (one, other) in found.items()}


if __name__ == "__main__":
    main()
