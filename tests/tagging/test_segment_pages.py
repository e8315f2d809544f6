"""人群包 in the console: built with a live count, saved, looked at, watched and put away."""

import json
import os
from html import unescape
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from broadcasts.models import Broadcast
from contacts.models import Customer, GroupChat, GroupMember
from sop import plans
from sop.models import Assignment, Step
from tagging import segments
from tagging.models import Segment
from tests.browser import WIDTHS, Console, console, fits
from tests.pages import assert_no_axe_faults, assert_strict
from tests.pages_of_apps.company import Company

__all__ = ["console"]


@pytest.fixture
def company(in_acme, clean_cache) -> Company:
    company = Company(in_acme).found()
    company.add("韩梅梅", "wang", tags=["重要客户"])
    company.add("李雷", "li", tags=["一般客户"], days=40)
    company.add("Lucy", "zhao", days=10, add_way=3)
    return company


def tree(*conditions, match="all"):
    return {"match": match, "of": list(conditions)}


def vip(company):
    return {"is": "tags", "op": "any", "value": [company.tags["重要客户"].pk]}


def saved(company, name="重要客户包", **values):
    from tagging import segments

    return segments.save(Segment(**values), name=name, tree=tree(vip(company)), by="wang")


def test_a_segment_is_built_saved_and_shown_with_its_people_and_its_words(company):
    wang = company.client("admin")
    assert_strict(wang.get("/console/segments/new/"))

    saving = {"name": "重要客户包", "tree": json.dumps(tree(vip(company), {"is": "lost", "op": "no"}))}
    answer = wang.post("/console/segments/new/", saving, follow=True)

    assert_strict(answer)
    assert "有标签“重要客户”，并且未流失" in answer.text
    assert "韩梅梅" in answer.text and "李雷" not in answer.text
    listed = wang.get("/console/segments/")
    assert_strict(listed)
    assert "重要客户包" in listed.text and "有标签“重要客户”，并且未流失" in listed.text


def test_what_is_wrong_stands_beside_the_form_and_nothing_is_lost(company):
    wang = company.client("admin")
    saved(company)
    picked = json.dumps(tree({"is": "tags", "op": "any", "value": []}))
    for name, conditions, words in (
        ("", json.dumps(tree(vip(company))), "必填"),
        ("新的", "", "请至少添加一个条件"),
        ("新的", picked, "请填写“标签”的内容"),
        ("重要客户包", json.dumps(tree(vip(company))), "已有同名的人群包"),
    ):
        answer = wang.post("/console/segments/new/", {"name": name, "tree": conditions})
        assert answer.status_code == 422
        assert words in answer.text
    assert Segment.objects.count() == 1
    assert "data-conditions-value" in answer.text and "tags" in answer.text


def test_the_live_count_says_how_many_who_and_what(company):
    wang = company.client("admin")
    answer = wang.post("/console/segments/told/?of=tree", {"tree": json.dumps(tree(vip(company)))})
    assert "共 <strong>1</strong> 位客户" in answer.text
    assert "韩梅梅" in answer.text and "有标签“重要客户”" in answer.text
    unfinished = wang.post("/console/segments/told/?of=tree", {"tree": json.dumps(tree({"is": "tags", "op": "any"}))})
    assert "请填写“标签”的内容" in unfinished.text
    everyone = wang.post("/console/segments/told/?of=tree", {"tree": ""})
    assert "共 <strong>3</strong> 位客户" in everyone.text and "全部客户" in everyone.text
    assert wang.post("/console/segments/told/?of=tree", {"tree": "[{"}).status_code == 200


def test_counting_that_takes_too_long_becomes_an_estimate(company, monkeypatch):
    from tagging import segments

    monkeypatch.setattr(segments, "PATIENCE", 1)
    slow = "pg_sleep(0.05) IS NOT NULL"
    monkeypatch.setattr(segments, "compile", lambda *given, **more: type("W", (), {"sql": slow, "params": []})())
    assert segments.count({}, patience=1).exact is False


def test_each_operator_sees_the_people_in_range_alone(company):
    found = saved(company)
    found.tree = tree({"is": "lost", "op": "no"})
    found.save()
    li = company.client("staff", scope="self", staff="li")
    page = li.get(reverse("tagging:segment", args=[found.pk]))
    assert "李雷" in page.text and "韩梅梅" not in page.text and "共 <strong>1</strong>" in page.text
    counted = li.post("/console/segments/told/?of=tree", {"tree": json.dumps(tree(vip(company)))})
    assert "共 <strong>0</strong> 位客户" in counted.text
    found.count = 4711
    found.save()
    assert "4,711" not in li.get("/console/segments/").text
    segments.watch(found)
    assert "最近 7 天进入 1 次" in li.get(reverse("tagging:segment", args=[found.pk])).text
    entries = li.get(reverse("tagging:segment_entries", args=[found.pk]))
    assert_strict(entries)
    assert "李雷" in entries.text and "仍在其中" in entries.text and entries.context["list"].count == 1


def test_a_segment_is_put_away_and_taken_back(company):
    wang, found = company.client("admin"), saved(company)
    wang.post(reverse("tagging:archive_segment", args=[found.pk]))
    assert wang.get(reverse("tagging:segment", args=[found.pk])).status_code == 404
    assert "共 <strong>0</strong> 个人群包" in wang.get("/console/segments/").text
    wang.post(reverse("tagging:restore_segment", args=[found.pk]))
    assert wang.get(reverse("tagging:segment", args=[found.pk])).status_code == 200


def test_what_needs_a_segment_is_named_and_it_cannot_be_deleted(company):
    wang, found = company.client("admin"), saved(company)
    page = reverse("tagging:segment", args=[found.pk])
    assert "使用情况" not in wang.get(page).text
    now, content = timezone.now(), {"text": "您好", "materials": []}
    draft = Broadcast.objects.create(title="草稿群发", segment=found, content=content)
    put_off = Broadcast.objects.create(title="定时群发", segment=found, content=content, state="scheduled", send_at=now)
    Assignment.objects.create(
        title="派过的任务", segment=found, starts_at=now, ends_at=now, state="ended", split_at=now
    )
    plan = plans.create(name="入包培育", trigger={"on": "segment", "segment": found.pk}, exits={}, by="wang")
    plans.save_step(plan, Step(after_minutes=0, title="问候", content=content), by="wang")
    plans.publish(plan, by="wang")
    plans.switch(plan, on=True)
    found.refresh_from_db()
    assert found.watched

    shown = wang.get(page)
    assert_strict(shown)
    for name in ("草稿群发", "定时群发", "派过的任务", "入包培育", "正在使用，不能删除"):
        assert name in shown.text
    refused = wang.post(reverse("tagging:archive_segment", args=[found.pk]), follow=True).text
    assert "人群包正在使用，不能删除：客户SOP“入包培育”（已启用）、群发“定时群发”（待发送）" in unescape(refused)
    assert "草稿群发”（草稿）。请先" not in unescape(refused)
    refused = wang.post(reverse("tagging:watch_segment", args=[found.pk]), follow=True).text
    assert "不能停止记录进出：客户SOP“入包培育”" in unescape(refused)

    plans.switch(plan, on=False)
    Broadcast.objects.filter(pk=put_off.pk).update(state="draft")
    assert "这些草稿需要重新选择受众" in wang.get(page).text
    wang.post(reverse("tagging:archive_segment", args=[found.pk]))
    assert wang.get(page).status_code == 404
    assert Broadcast.objects.get(pk=draft.pk).segment == found


def test_pages_ask_a_fixed_number_of_statements(company, django_assert_max_num_queries):
    wang, found = company.client("admin"), saved(company)
    found.tree = tree({"is": "lost", "op": "no"})
    found.save()
    company.crowd(25)
    for number in range(5):
        saved(company, name=f"人群{number}")
    with django_assert_max_num_queries(18):
        wang.get("/console/segments/")
    with django_assert_max_num_queries(20):
        wang.get(reverse("tagging:segment", args=[found.pk]))


SHOTS = os.environ.get("SHOTS", "")


def shoot(page, name):
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}-{page.viewport_size['width']}.png", full_page=True)


def test_the_builder_in_a_browser(db_commits, acme, clean_cache, console: Console):
    with acme:
        company = Company(acme).found()
        company.add("韩梅梅", "wang", tags=["重要客户"])
        company.add("李雷", "li", tags=["一般客户"], days=40)
        company.add("Lucy", "zhao", days=10, add_way=3)
        chat = GroupChat.objects.create(chat_id="wr1", name="新品群")
        lucy = Customer.objects.get(name="Lucy")
        GroupMember.objects.create(chat=chat, member_id="x", kind=2, customer=lucy, joined_at=lucy.first_added_at)
    page = console.open(acme, "/console/segments/new/", role="admin")
    told = page.locator(".conditions-told")
    told.get_by_text("共 3 位客户").wait_for()
    page.get_by_label("人群包名称").fill("两类人")
    page.get_by_role("button", name="添加条件", exact=True).click()
    told.get_by_text("请填写“标签”的内容").wait_for()
    page.locator(".cond-row").nth(1).locator("summary").click()
    page.get_by_label("重要客户").check()
    page.locator(".cond-row").nth(1).locator("summary").get_by_text("重要客户").wait_for()
    told.get_by_text("共 1 位客户").wait_for()
    page.keyboard.press("Escape")
    page.get_by_label("条件之间的关系").select_option("any")
    page.locator(".cond-row").nth(0).get_by_label("条件", exact=True).select_option("added")
    page.locator(".cond-row").nth(0).get_by_label("天数").fill("15")
    told.get_by_text("共 2 位客户").wait_for()
    page.get_by_role("button", name="添加条件组").click()
    row = page.locator(".cond-row").nth(2)
    row.get_by_label("条件", exact=True).select_option("chat")
    row.locator("summary").click()
    page.get_by_label("新品群").check()
    told.get_by_text("最近 15 天内添加，或者有标签“重要客户”，或者在客户群“新品群”中").wait_for()
    page.keyboard.press("Escape")
    shoot(page, "builder")
    assert_no_axe_faults(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert fits(page)
        shoot(page, "builder")
    page.get_by_role("button", name="保存").click()
    page.get_by_text("人群包已保存").wait_for()
    page.get_by_text("Lucy").first.wait_for()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert fits(page)
        shoot(page, "segment")
    page.get_by_role("button", name="记录进出").click()
    page.get_by_text("正在记录谁进入、谁离开").wait_for()
    shoot(page, "watched")
    page.get_by_role("link", name="编辑条件").click()
    page.locator(".cond-row").nth(1).locator("summary").get_by_text("重要客户").wait_for()
    assert page.locator(".cond-row").count() == 3
    page.goto("/console/segments/")
    assert_no_axe_faults(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert fits(page)
        shoot(page, "segments")
