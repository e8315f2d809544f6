from tests.isolation import test_every_route as T
from tests.isolation.test_every_route import asker, _an_api_without_a_rate, test_every_text_of_the_other_company_is_marked  # noqa
MINE = [r for r in T.ROUTES if not r.place.startswith("console/archive") and any(x in r.place for x in ("console/material", "console/script", "folders", "t/<", "t/cover", "files/", "api/v1/mat", "api/v1/scr"))]
def test_mine(world, asker, lines):
    walk = T.Walk(world, asker, lines)
    for route in MINE:
        for method in ("GET", "POST"):
            for kinds in T.variants(route):
                walk.ask(route, method, *kinds)
        if asker.may_enter(route) and not route.arguments:
            for query in T.queries(world):
                walk.ask(route, "GET", query=query)
    assert len(MINE) > 20
    assert not walk.faults, "\n".join(["", *walk.faults])
