"""话术: found by any two characters, sent with its materials, counted when it was really sent."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from contacts.models import Follow, TimelineEntry
from content import scripts, sendings
from content.models import Folder, Material, Script, Sending
from content.signals import sent
from tenants.models import Tenant
from tests.content.made import material
from tests.content.test_library import Operator


def script(title: str, text: str = "", **more: object) -> Script:
    return scripts.save(
        Script(), title=title, content={"text": text or title, "materials": more.pop("materials", [])}, **more
    )


@pytest.fixture
def shelf(in_acme: Tenant) -> list[Script]:
    return [
        script("价格能便宜吗", "会员日两件八八折，我可以申请小样"),
        script("多久到货", "现货当天发出，江浙沪次日到"),
        script("敏感肌能用吗", "不含酒精香精，先在耳后试一天"),
    ]


@pytest.mark.parametrize(
    ("term", "title"),
    [
        ("便宜", "价格能便宜吗"),
        ("小样", "价格能便宜吗"),
        ("次日", "多久到货"),
        ("敏", "敏感肌能用吗"),
        ("酒精", "敏感肌能用吗"),
        (" 现货 ", "多久到货"),
    ],
)
def test_two_characters_of_title_or_text_find_it(term: str, title: str, shelf: list[Script]) -> None:
    assert [one.title for one in scripts.best(term)] == [title]


@pytest.mark.parametrize("term", ["没有这个", "%", "_", "'", "\\", "（）", "会货"])
def test_what_is_not_there_is_not_found(term: str, shelf: list[Script]) -> None:
    assert scripts.best(term) == []


def test_the_index_answers_a_search_of_the_text(shelf: list[Script]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = scripts.living().alias().filter(pk__gt=0)
    from contacts.search import ZhBigrams

    plan = plan.alias(grams=ZhBigrams("text")).filter(grams__zh="小样")
    assert "script_search" in plan.explain()


def test_a_hit_in_the_title_comes_first_then_what_is_used_most(shelf: list[Script]) -> None:
    script("便宜", "标题里有")
    Script.objects.filter(title="价格能便宜吗").update(uses=9)
    script("活动说明", "现在买最便宜")
    assert [one.title for one in scripts.best("便宜")] == ["价格能便宜吗", "便宜", "活动说明"]
    assert scripts.best()[0].title == "价格能便宜吗"


def test_a_script_keeps_its_materials_in_order(in_acme: Tenant) -> None:
    made = [material("link", f"链接{number}").pk for number in range(3)]
    kept = script("新品", "看看", materials=[made[2], made[0]])
    assert scripts.content_of(kept) == {"text": "看看", "materials": [made[2], made[0]]}
    scripts.save(kept, title="新品", content={"text": "看看", "materials": [made[0], made[1], made[2]]})
    assert scripts.content_of(kept)["materials"] == made


def test_the_list_takes_as_many_statements_for_many_as_for_few(shelf: list[Script], in_acme: Tenant) -> None:
    operator = Operator(in_acme)
    operator.get("/console/scripts/")
    with CaptureQueriesContext(connection) as few:
        operator.get("/console/scripts/")
    for number in range(20):
        script(f"更多{number}", "内容", materials=[material("link").pk])
    with CaptureQueriesContext(connection) as many:
        page = operator.get("/console/scripts/").content.decode()
    assert "共 <strong>23</strong>" in page
    assert len(many) <= len(few) + 1


def test_a_script_is_written_changed_and_deleted_in_the_console(in_acme: Tenant) -> None:
    operator = Operator(in_acme)
    place = Folder.objects.create(of=Folder.Of.SCRIPTS, name="问候")
    link = material("link")
    values = {"title": "首次问候", "content_text": "{客户昵称}您好", "content_materials": [link.pk], "folder": place.pk}
    operator.post("/console/scripts/new/", **values)
    made = Script.objects.get()
    assert (made.title, made.text, made.folder, list(made.materials.all())) == (
        "首次问候",
        "{客户昵称}您好",
        place,
        [link],
    )

    operator.post(f"/console/scripts/{made.pk}/", **{**values, "content_text": "您好"})
    made.refresh_from_db()
    assert made.text == "您好"

    page = operator.post(f"/console/scripts/{made.pk}/", **{**values, "content_text": "{客户姓名}"})
    assert (page.status_code, "没有变量" in page.content.decode()) == (422, True)

    operator.post("/console/scripts/delete/", ids=[made.pk])
    assert not scripts.living().exists()
    operator.post(f"/console/scripts/restore/?ids={made.pk}")
    assert scripts.living().exists()


# -- what was sent -----------------------------------------------------------------------------------------------------


def test_one_tap_is_one_sending_however_often_it_is_told(follow: Follow) -> None:
    heard: list[list[int]] = []
    sent.connect(lambda sending_ids, **_: heard.append(sending_ids), weak=False, dispatch_uid="test")
    known, link = script("问候", "您好"), material("link")
    try:
        for _ in range(3):
            row, new = sendings.record("tap-1", follow.staff, customer=follow.customer, script=known)
        sendings.record("tap-2", follow.staff, customer=follow.customer, material=link, task_id=7)
    finally:
        sent.disconnect(dispatch_uid="test")

    known.refresh_from_db()
    link.refresh_from_db()
    assert (known.uses, link.uses, new) == (1, 1, False)
    assert heard == [[row.pk], [Sending.objects.get(key="tap-2").pk]]
    told = TimelineEntry.objects.filter(kind="content_sent").order_by("pk")
    assert [entry.payload["script"] or entry.payload["material"] for entry in told] == ["问候", "春季上新"]
    assert {entry.customer_id for entry in told} == {follow.customer_id}


def test_what_was_sent_survives_what_it_was(follow: Follow) -> None:
    link = material("link")
    sendings.record("tap", follow.staff, customer=follow.customer, material=link)
    Material.objects.filter(pk=link.pk).update(archived_at="2026-01-01T00:00:00Z")
    assert next(iter(sendings.recent_of(follow.staff))).material == link
