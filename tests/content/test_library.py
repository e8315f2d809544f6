"""素材库: made, uploaded, moved, deleted and taken back in the console; each page keeps the page policy."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from acquisition.models import Welcome
from broadcasts.models import Broadcast
from console.models import AuditEntry
from content import files, reading, scripts
from content.models import Folder, Material, Script, StoredFile
from content.storage import Missing, store
from sop.models import Assignment, Plan, PlanVersion, Step
from tenants.models import Tenant
from tests.content.made import archive, jpeg, material, pdf, png, stored, upload
from tests.pages import assert_strict
from tests.people import client_as

HTMX = {"HTTP_HX_REQUEST": "true"}


class Operator:
    """Someone at the console; after each request the test is in its company again."""

    def __init__(self, tenant: Tenant, role: str = "admin") -> None:
        self.client: Client = client_as(tenant, role)
        connection.set_tenant(tenant)
        self.tenant = tenant

    def get(self, path: str, **query: Any) -> HttpResponse:
        answer = self.client.get(path, query)
        connection.set_tenant(self.tenant)
        return answer

    def post(self, path: str, **values: Any) -> HttpResponse:
        answer = self.client.post(path, values, **HTMX)
        connection.set_tenant(self.tenant)
        return answer


@pytest.fixture
def operator(in_acme: Tenant) -> Operator:
    return Operator(in_acme)


def folder(name: str = "新品", of: str = Folder.Of.MATERIALS, parent: Folder | None = None) -> Folder:
    return Folder.objects.create(of=of, name=name, parent=parent)


# -- making ------------------------------------------------------------------------------------------------------------


def test_a_link_is_made_and_written_down(operator: Operator) -> None:
    place = folder()
    answer = operator.post(
        "/console/materials/new/link/",
        title="春季上新",
        url="https://shop.example.com/spring",
        desc="三月",
        tracked="on",
        folder=place.pk,
    )

    assert answer.status_code == 204
    made = Material.objects.get()
    assert (made.title, made.body, made.tracked, made.folder) == (
        "春季上新",
        {"url": "https://shop.example.com/spring", "desc": "三月"},
        True,
        place,
    )
    assert AuditEntry.objects.get().action == "material.create"


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("link", {"title": "a", "url": "javascript:alert(1)"}, "请填写完整网址"),
        ("link", {"title": "长" * 43, "url": "https://a.com/"}, "标题太长"),
        ("miniprogram", {"title": "商城", "appid": "gh_1", "page": "index"}, "AppID"),
        ("image", {"title": "海报"}, "has-error"),
        ("image", {"title": "海报", "file": upload("a.png", b"<html>")}, "不符"),
        ("image", {"title": "海报", "file": upload("a.gif", b"GIF89a" + bytes(20))}, "JPG 或 PNG"),
        ("video", {"title": "片", "file": upload("a.mp4", png())}, "不符"),
        ("text", {"title": "地址", "text": "字" * 1400}, "超出"),
    ],
)
def test_what_wecom_would_refuse_is_said_beside_its_field(
    kind: str, values: dict[str, Any], words: str, operator: Operator
) -> None:
    answer = operator.post(f"/console/materials/new/{kind}/", **values)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Material.objects.exists()


def test_several_files_become_materials_of_their_kinds(operator: Operator) -> None:
    place = folder()
    given = [upload("海报.png", png()), upload("价目表.pdf", pdf()), upload("到店.jpg", jpeg())]
    assert operator.post("/console/materials/upload/", files=given, folder=place.pk).status_code == 204
    assert set(Material.objects.values_list("kind", "title", "folder")) == {
        ("image", "海报", place.pk),
        ("file", "价目表", place.pk),
        ("image", "到店", place.pk),
    }


def test_the_good_files_are_in_and_the_bad_ones_named(operator: Operator) -> None:
    given = [upload("海报.png", png()), upload("坏.zip", archive({"../x": b"1"})), upload("a.exe", b"MZ")]
    answer = operator.post("/console/materials/upload/", files=given)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "已上传 1 个" in page
    assert "坏.zip" in page
    assert "不安全的文件路径" in page
    assert Material.objects.get().title == "海报"


def test_a_body_larger_than_anything_we_take_is_not_read(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    from content import uploads

    monkeypatch.setattr(uploads, "LARGEST_BODY", 1000)
    answer = operator.post("/console/materials/upload/", files=[upload("大.pdf", pdf() + bytes(2000))])
    assert answer.status_code == 422
    assert "合计超过 64 MB" in answer.content.decode()
    answer = operator.post("/console/materials/new/image/", title="大", file=upload("大.png", png() + bytes(2000)))
    assert "文件太大" in answer.content.decode()


def test_the_same_content_is_stored_once_and_its_newest_name_counts(in_acme: Tenant) -> None:
    first = stored("旧名.png")
    again = stored("新名.png")
    assert (again.pk, again.name) == (first.pk, "新名.png")
    assert StoredFile.objects.count() == 1


def test_a_material_is_changed_and_keeps_its_file(operator: Operator) -> None:
    poster = material("image")
    assert operator.post(f"/console/materials/{poster.pk}/edit/", title="新标题").status_code == 204
    poster.refresh_from_db()
    assert (poster.title, poster.file is not None) == ("新标题", True)


# -- the pages ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def full(in_acme: Tenant) -> Folder:
    place = folder()
    folder("一月", parent=place)
    for kind in Material.Kind.values:
        material(kind, folder=place)
    return place


def test_every_page_keeps_the_page_policy(operator: Operator, full: Folder) -> None:
    pages = [
        "/console/materials/",
        "/console/materials/?view=list",
        f"/console/folders/{full.pk}/",
        "/console/scripts/new/",
    ]
    pages += [f"/console/materials/new/{kind}/" for kind in Material.Kind.values] + ["/console/materials/upload/"]
    pages += [f"/console/materials/{one.pk}/" for one in Material.objects.all()] + ["/console/materials/move/?ids=1"]
    pages += [f"/console/materials/{one.pk}/edit/" for one in Material.objects.all()] + [
        "/console/folders/new/scripts/"
    ]
    for page in pages:
        answer = operator.get(page)
        assert answer.status_code == 200, page
        assert_strict(answer)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 6),
        ({"q": "海报"}, 1),
        ({"kind": "link"}, 1),
        ({"q": "没有"}, 0),
        ({"view": "list"}, 6),
        ({"kind": "nonsense"}, 6),
    ],
)
def test_the_list_is_filtered(query: dict[str, str], found: int, operator: Operator, full: Folder) -> None:
    assert f"共 <strong>{found}</strong>" in operator.get("/console/materials/", **query).content.decode()


def test_a_folder_shows_what_lies_below_it_too(operator: Operator, full: Folder) -> None:
    deep = folder("二月", parent=Folder.objects.get(name="一月"))
    material("link", "深处", folder=deep)
    assert "共 <strong>7</strong>" in operator.get("/console/materials/", folder=full.pk).content.decode()
    assert "共 <strong>1</strong>" in operator.get("/console/materials/", folder=deep.pk).content.decode()


def test_the_number_of_statements_does_not_grow_with_the_list(
    operator: Operator, full: Folder, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        material("link", f"链接{number}", folder=full)
    with django_assert_max_num_queries(22):
        operator.get("/console/materials/")


def test_staff_look_and_change_nothing(in_acme: Tenant, full: Folder) -> None:
    sales = Operator(in_acme, "staff")
    page = sales.get("/console/materials/").content.decode()
    assert "新建文件夹" not in page
    assert sales.post("/console/materials/delete/", ids=[1]).status_code == 403


# -- moving and deleting -----------------------------------------------------------------------------------------------


def test_many_are_moved_and_deleted_and_taken_back(operator: Operator, full: Folder) -> None:
    ids = list(Material.objects.values_list("pk", flat=True))
    other = folder("别处")
    operator.post("/console/materials/move/", ids=ids[:2], folder=other.pk)
    assert other.materials.count() == 2

    answer = operator.post("/console/materials/delete/", ids=ids[:2])
    assert Material.objects.filter(archived_at=None).count() == 4
    undo = answer.headers["HX-Trigger"]
    assert "restore" in undo

    operator.post(f"/console/materials/restore/?ids={ids[0]}&ids={ids[1]}")
    assert Material.objects.filter(archived_at=None).count() == 6


def test_what_is_sent_by_something_that_runs_stays_and_what_others_lose_is_said(operator: Operator) -> None:
    poster, link, spare = material("image"), material("link"), material("file", "备用价目表")
    content = {"text": "您好", "materials": [poster.pk]}
    greeting = Welcome.objects.create(text="您好", materials=[poster.pk], enabled=True)
    plan = Plan.objects.create(name="新客培育", enabled=True)
    version = PlanVersion.objects.create(plan=plan, published_at=timezone.now())
    Step.objects.create(version=version, no=1, after_minutes=5, title="介绍", content=content)
    Broadcast.objects.create(title="店庆", state="scheduled", content=content)
    Broadcast.objects.create(title="去年的", state="ended", content=content)
    days = {"starts_at": timezone.now(), "ends_at": timezone.now() + timedelta(days=1)}
    Assignment.objects.create(title="回访", content={"text": "", "materials": [link.pk]}, **days)
    scripts.save(Script(), title="首次问候", content={"text": "看看", "materials": [link.pk]})
    every = {"ids": [poster.pk, link.pk, spare.pk]}

    asked = operator.get("/console/materials/delete/", **every)
    assert_strict(asked)
    refused, poorer = asked.content.decode().split("以下内容将不再包含它")
    assert [name in refused for name in ("全部员工", "新客培育 · 介绍", "店庆", "去年的")] == [True, True, True, False]
    assert [name in poorer for name in ("回访", "首次问候", "备用价目表")] == [True, True, False]
    assert f'href="/console/sop/{plan.pk}/"' in refused
    assert f'value="{poster.pk}"' not in refused

    assert operator.post("/console/materials/delete/", **every).status_code == 422
    assert Material.objects.filter(archived_at=None).count() == 3
    assert "全部员工" in operator.get(f"/console/materials/{poster.pk}/").content.decode()

    greeting.delete()
    Plan.objects.update(enabled=False)
    Broadcast.objects.filter(title="店庆").update(state="stopped")
    assert operator.post("/console/materials/delete/", **every).status_code == 204
    assert not Material.objects.filter(archived_at=None).exists()
    operator.post(f"/console/sop/{plan.pk}/switch/")
    operator.post(f"/console/tasks/assignments/{Assignment.objects.get().pk}/publish/")
    began = (Plan.objects.get().enabled, Assignment.objects.get().state)
    assert began == (False, "draft"), "what lost its picture does not begin"


def test_a_folder_that_goes_leaves_its_content_a_level_up(operator: Operator, full: Folder) -> None:
    inner = Folder.objects.get(name="一月")
    material("link", "深处", folder=inner)
    operator.post(f"/console/folders/{inner.pk}/delete/")
    assert Material.objects.get(title="深处").folder == full
    assert not Folder.objects.filter(name="一月").exists()


@pytest.mark.parametrize(("values", "words"), [({"name": "新品"}, "同名"), ({"name": ""}, "必填")])
def test_a_folder_needs_a_name_of_its_own(values: dict[str, str], words: str, operator: Operator, full: Folder) -> None:
    answer = operator.post("/console/folders/new/materials/", **values)
    assert words in answer.content.decode()


def test_folders_are_three_deep_at_most_and_never_in_themselves(operator: Operator, full: Folder) -> None:
    middle = Folder.objects.get(name="一月")
    deep = folder("二月", parent=middle)
    assert "三层" in operator.post("/console/folders/new/materials/", name="三月", parent=deep.pk).content.decode()
    operator.post(f"/console/folders/{full.pk}/", name="新品", parent=deep.pk)
    full.refresh_from_db()
    assert full.parent is None


def test_files_that_nothing_needs_any_more_are_gone_after_thirty_days(
    in_acme: Tenant, django_capture_on_commit_callbacks: Any
) -> None:
    poster, link = material("image"), material("link")
    file = poster.file
    long_ago = timezone.now() - timedelta(days=40)
    StoredFile.objects.update(created_at=long_ago)
    assert files.purge() == 0

    Material.objects.filter(pk=poster.pk).update(archived_at=long_ago)
    with django_capture_on_commit_callbacks(execute=True):
        assert files.purge() == 1

    poster.refresh_from_db()
    assert (poster.file, Material.objects.filter(pk=link.pk).exists()) == (None, True)
    with pytest.raises(Missing):
        store().open(file.key)


# -- reading -----------------------------------------------------------------------------------------------------------


def read(client: Client, address: str) -> HttpResponse:
    here = connection.tenant
    answer = client.get(address)
    connection.set_tenant(here)
    return answer


def test_a_file_is_read_at_its_signed_address_alone(
    in_acme: Tenant, acme_client: Client, globex_client: Client
) -> None:
    address = reading.file_url(stored("海报.png"))
    answer = read(acme_client, address)
    assert b"".join(answer.streaming_content) == png()
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert read(globex_client, address).status_code == 404
    assert read(acme_client, address.replace("/files/", "/files/x")).status_code == 404
    assert read(acme_client, "/files/1/a.png").status_code == 404


def test_an_address_ends(in_acme: Tenant, acme_client: Client) -> None:

    address = reading.file_url(stored("海报.png"))
    with time_machine.travel(timezone.now() + timedelta(hours=3)):
        assert read(acme_client, address).status_code == 404


def test_a_document_is_handed_out_as_a_download(in_acme: Tenant, acme_client: Client) -> None:
    answer = read(acme_client, reading.file_url(stored("价目表.pdf", pdf())))
    assert answer["Content-Disposition"].startswith("attachment")


def test_a_cover_lasts_and_opens_nothing_else(in_acme: Tenant, acme_client: Client) -> None:

    file = stored("封面.png")
    with time_machine.travel(timezone.now() + timedelta(days=900)):
        assert read(acme_client, reading.cover_url(file.pk)).status_code == 200
    signed = reading.cover_url(file.pk).split("/")[-2]
    assert read(acme_client, f"/files/{signed}/a.png").status_code == 404
