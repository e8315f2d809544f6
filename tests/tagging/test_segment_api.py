"""人群包 over the Open API: conditions by WeCom's ids, counts and members."""

import pytest

from contacts.models import Customer, Follow, Tag
from tagging.models import Segment


@pytest.fixture
def tag(mirrored) -> Tag:
    return Tag.objects.filter(links__follow__in=Follow.objects.living()).order_by("id")[0]


def carriers(tag: Tag) -> set[str]:
    found = Customer.objects.filter(follows__in=Follow.objects.living().filter(tag_links__tag=tag))
    return set(found.values_list("external_userid", flat=True))


def test_a_segment_is_made_counted_and_read(api, tag, acme):
    conditions = {
        "match": "all",
        "of": [{"is": "tags", "op": "any", "value": [tag.wecom_id]}, {"is": "lost", "op": "no"}],
    }
    made = api.post("segments", {"name": "有标签", "conditions": conditions})
    assert made.status_code == 201
    segment = made.json()
    assert segment["conditions"] == conditions
    assert segment["in_words"] == f"有标签“{tag.name}”，并且未流失"
    assert api.get(f"segments/{segment['id']}") == segment
    assert api.get("segments")["data"] == [segment]
    with acme:
        wanted = carriers(tag)
    assert segment["count"] == len(wanted) > 0
    assert api.get(f"segments/{segment['id']}/count") == {"count": len(wanted), "exact": True}
    pages = api.pages(f"segments/{segment['id']}/members", limit=2)
    assert {one["external_userid"] for page in pages for one in page} == wanted


def test_what_is_unknown_or_makes_no_sense_is_refused_by_field(api, tag):
    def answer(conditions, name="新的"):
        response = api.post("segments", {"name": name, "conditions": conditions})
        return response.status_code, list(response.json().get("field_errors", {}))

    def group(*conditions):
        return {"match": "all", "of": list(conditions)}

    assert answer(group({"is": "tags", "op": "any", "value": ["etNOBODY"]})) == (400, ["conditions"])
    assert answer(group({"is": "department", "op": "any", "value": ["x"]})) == (400, ["conditions"])
    assert answer(group({"is": "tags", "op": "any", "value": [None]})) == (400, ["conditions"])
    assert answer(group({"is": "moon", "op": "any"})) == (400, ["conditions"])
    assert answer(group({"is": ["tags"], "op": "any", "value": []})) == (400, ["conditions"])
    assert answer(group({"is": "tags", "op": "any", "value": ["\x00", "\ud800"]})) == (400, ["conditions"])
    deep = {"is": "lost", "op": "no"}
    for _ in range(400):
        deep = group(deep)
    assert answer(deep) == (400, ["conditions"])
    assert answer("everyone") == (400, ["conditions"])
    assert answer(["everyone"]) == (400, ["conditions"])
    assert answer(group({"is": "stage", "op": "any", "value": [None]})) == (201, [])
    assert answer(group(), name="新的") == (400, ["name"])


def test_a_segment_put_away_or_of_nobody_is_not_found(api, tag, acme):
    made = api.post(
        "segments", {"name": "有标签", "conditions": {"match": "all", "of": [{"is": "lost", "op": "no"}]}}
    ).json()
    with acme:
        from tagging import segments

        segments.archive(Segment.objects.get(pk=made["id"]))
    for path in (
        f"segments/{made['id']}",
        f"segments/{made['id']}/count",
        f"segments/{made['id']}/members",
        "segments/0",
    ):
        assert api.status(path) == 404


def test_a_page_of_segments_asks_a_fixed_number_of_statements(api, tag, acme, django_assert_max_num_queries):
    conditions = {"match": "all", "of": [{"is": "tags", "op": "any", "value": [tag.wecom_id]}]}
    for number in range(4):
        api.post("segments", {"name": f"人群{number}", "conditions": conditions})
    with django_assert_max_num_queries(12):
        assert len(api.get("segments")["data"]) == 4
