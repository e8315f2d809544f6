"""`python -m benchmarks.list.measure CUSTOMERS ROUNDS`: pages of the customer list, its results as JSON."""

import json
import os
import sys
import time
from typing import Any

from benchmarks.common.database import by_turns, fetched
from benchmarks.common.million import build
from benchmarks.segment.measure import Given

PAGE = 30
DEPTHS = {"first": 0.0, "a tenth in": 0.1, "the middle": 0.5, "the end": 0.99}
ORDER = "ORDER BY added_at DESC, customer_id DESC"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings")
    import django

    django.setup()
    customers, rounds = int(sys.argv[1]), int(sys.argv[2])
    from tenants.provision import create_tenant

    with create_tenant("list", name="Bench"):
        begun = time.perf_counter()
        build(customers, customers * 5)
        built = time.perf_counter() - begun
        found = {name: measured(rounds, *query) for name, query in queries().items()}
    print(json.dumps({"built": built, "queries": found}))


def queries() -> dict[str, tuple[dict[str, Any], Any, str, list[Any]]]:
    """Three filters each: as the console names them, whose they are, and the same by hand."""
    g = Given()
    staff = fetched("SELECT id FROM members_staff ORDER BY id OFFSET 900 LIMIT 1")[0][0]
    scoped, seen = leader()
    tag, both = "tag_ids && %s::bigint[]", "tag_ids && %s::bigint[] AND lost_at IS NULL"
    carried = (
        "EXISTS (SELECT FROM contacts_follow w JOIN contacts_followtag l ON l.follow_id = w.id WHERE w.customer_id ="
        " f.customer_id AND w.ended_at IS NULL AND w.staff_id = ANY(%s::bigint[]) AND l.tag_id = ANY(%s::bigint[]))"
    )
    same = "w.customer_id = f.customer_id AND w.staff_id = %s AND w.added_at >= %s"
    together = f"EXISTS (SELECT FROM contacts_follow w WHERE {same})"
    named = "SELECT id FROM contacts_customer WHERE public.zh_bigrams(search_text) @@ public.zh_query(%s)"
    return {
        "tag, friends, stage": (
            {"tags": [g.t30], "state": "friends", "stage": g.stage},
            None,
            f"{both} AND stage_id = %s",
            [[g.t30], g.stage],
        ),
        "rare tag, friends, stage": (
            {"tags": [g.t02], "state": "friends", "stage": g.stage},
            None,
            f"{both} AND stage_id = %s",
            [[g.t02], g.stage],
        ),
        "any of ten tags, way of adding, stage": (
            {"tags": g.ten, "add_way": 3, "stage": g.stage},
            None,
            f"{tag} AND add_ways @> ARRAY[3] AND stage_id = %s",
            [g.ten, g.stage],
        ),
        "staff, tag, added within a year": (
            {"staff": staff, "tags": [g.t30], "added_from": g.since(365)},
            None,
            f"known_by @> ARRAY[%s]::bigint[] AND {tag} AND added_at >= %s AND {together}",
            [staff, [g.t30], g.since(365), staff, g.since(365)],
        ),
        "of one department: tag, friends, stage": (
            {"tags": [g.t30], "state": "friends", "stage": g.stage},
            scoped,
            f"staff_ids && %s::bigint[] AND {tag} AND stage_id = %s AND {carried}",
            [seen, [g.t30], g.stage, seen, [g.t30]],
        ),
        "name, tag, friends": (
            {"q": "户丙", "tags": [g.t30], "state": "friends"},
            None,
            f"{both} AND customer_id IN ({named} AND search_text LIKE %s)",
            [[g.t30], "户丙", "%户丙%"],
        ),
    }


def leader() -> tuple[Any, list[int]]:
    """An operator who sees one department of twenty."""
    from accounts.models import Operator
    from members.models import Staff
    from members.scope import visible_staff

    operator = Operator.objects.create(username="leader", name="leader", scope=Operator.Scope.DEPARTMENT)
    Staff.objects.filter(userid="s77").update(operator=operator)
    seen = visible_staff(operator)
    assert seen is not None
    return operator, sorted(seen.values_list("pk", flat=True))


def measured(rounds: int, wish: dict[str, Any], operator: Any, where: str, params: list[Any]) -> dict[str, Any]:
    from console.keyset import Cursor, paginate
    from contacts.models import Customer, CustomerFacts

    rows = CustomerFacts.objects.visible_to(operator) if operator else CustomerFacts.objects.all()
    rows = rows.known().matching(**wish)
    facts = f"FROM contacts_customerfacts f WHERE {where}"
    number = fetched(f"SELECT count(*) {facts}", params)[0][0]
    assert rows.count() == number, "both find the same"
    found: dict[str, Any] = {"number": number}
    for depth, share in DEPTHS.items():
        start = fetched(f"SELECT added_at, customer_id {facts} {ORDER} OFFSET {int(number * share)} LIMIT 1", params)
        if not start:
            continue
        cursor = str(Cursor("-added_at", False, *start[0])) if share else ""
        beyond = "AND (added_at, customer_id) < (%s, %s)" if share else ""
        given = [*params, *(start[0] if share else ())]
        page = (
            f"SELECT c.*, s.* FROM (SELECT customer_id, added_at {facts} {beyond} {ORDER} LIMIT {PAGE + 1}) p"
            " JOIN contacts_customer c ON c.id = p.customer_id LEFT JOIN contacts_stage s ON s.id = c.stage_id"
            " ORDER BY p.added_at DESC, p.customer_id DESC"
        )

        def ours(cursor: str = cursor) -> list[int]:
            keys = [row.pk for row in paginate(rows, "-added_at", cursor, PAGE).rows]
            customers = Customer.objects.select_related("stage").in_bulk(keys)
            return [customers[key].pk for key in keys]

        def bare(page: str = page, given: list[Any] = given) -> list[int]:
            return [row[0] for row in fetched(page, given)]

        if not bare():  # there are too few to be that deep
            continue
        assert ours() == bare()[:PAGE], "both show the same page"
        found[depth] = [1000 * seconds for seconds in by_turns(ours, bare, rounds)]
    counted = rows.order_by().values("pk")[:10_001]
    exact = f"SELECT count(*) FROM (SELECT 1 {facts} LIMIT 10001) s"
    found["count"] = [1000 * one for one in by_turns(counted.count, lambda: fetched(exact, params), rounds)]
    return found


if __name__ == "__main__":
    main()
