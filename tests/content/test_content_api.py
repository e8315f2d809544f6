"""素材 and 话术 in the Open API, each answer held against the document."""

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from content import scripts
from content.models import Folder, Material, Script
from tenants.models import Tenant
from tests.content.made import material, pdf
from tests.integrations.caller import Caller


@pytest.fixture
def api(in_acme: Tenant, clean_cache: None) -> Caller:
    place = Folder.objects.create(of=Folder.Of.MATERIALS, name="新品")
    below = Folder.objects.create(of=Folder.Of.MATERIALS, name="一月", parent=place)
    for kind in Material.Kind.values:
        material(kind, folder=below if kind == "file" else None)
    scripts.save(
        Script(),
        title="问候",
        content={"text": "您好", "materials": list(Material.objects.values_list("pk", flat=True))},
    )
    scripts.save(Script(), title="物流", content={"text": "当天发货", "materials": []})
    return Caller.of(in_acme)


@pytest.fixture(autouse=True)
def _stay_in_acme(acme: Tenant):
    yield
    connection.set_schema_to_public()


def test_materials_are_listed_with_what_their_kind_holds(api: Caller) -> None:
    found = {one["kind"]: one for one in api.get("materials")["data"]}
    assert set(found) == set(Material.Kind.values)
    assert found["link"]["body"] == {"url": "https://shop.example.com/spring?id=1", "desc": "春季上新"}
    assert found["miniprogram"]["body"]["appid"] == "wx1234567890abcdef"
    assert found["image"]["file"]["width"] == 2
    assert found["file"]["folder"]["name"] == "一月"
    assert api.get(f"materials/{found['link']['id']}") == found["link"]


def test_a_file_is_read_at_the_address_given(api: Caller) -> None:
    url = next(one for one in api.get("materials", kind="file")["data"])["file"]["url"]
    host, _, path = url.removeprefix("http://").partition("/")
    answer = Client(headers={"host": host}).get(f"/{path}")
    assert b"".join(answer.streaming_content) == pdf()


@pytest.mark.parametrize(
    ("query", "count"), [({"kind": "link"}, 1), ({"q": "海报"}, 1), ({"q": "没有"}, 0), ({"folder": "999"}, 0)]
)
def test_materials_are_filtered(query: dict[str, str], count: int, api: Caller, acme: Tenant) -> None:
    assert len(api.get("materials", **query)["data"]) == count
    with acme:
        folder = Folder.objects.get(name="新品").pk
    assert [one["kind"] for one in api.get("materials", folder=folder)["data"]] == ["file"]


def test_a_deleted_material_is_unknown(api: Caller, acme: Tenant) -> None:
    pk = api.get("materials", kind="link")["data"][0]["id"]
    with acme:
        Material.objects.filter(pk=pk).update(archived_at=timezone.now())
    assert api.ask("GET", f"materials/{pk}").status_code == 404


def test_scripts_are_listed_with_their_materials_and_searched(api: Caller) -> None:
    first, second = api.get("scripts")["data"]
    assert (first["title"], len(first["materials"]), second["text"]) == ("问候", 6, "当天发货")
    assert [one["title"] for one in api.get("scripts", q="发货")["data"]] == ["物流"]
    assert api.get(f"scripts/{first['id']}") == first


def test_a_wrong_filter_is_said_in_words(api: Caller) -> None:
    assert api.ask("GET", "materials", query={"kind": "nonsense"}).status_code == 400
    assert api.ask("GET", "scripts", query={"folder": "x"}).status_code == 400
