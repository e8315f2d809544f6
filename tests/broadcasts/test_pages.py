"""群发 in the console: composed, checked, sent with the numbers that were read, followed, reminded and stopped."""

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from broadcasts import audience, results, sending
from broadcasts.models import Broadcast, BroadcastSender, Delivery, Receipts, ReceiveRule
from contacts.models import Customer, TimelineEntry
from members.models import Staff
from tagging.models import Segment
from tests.broadcasts.conftest import Office
from tests.browser import WIDTHS, Console, fits
from tests.pages import assert_no_axe_faults, assert_strict
from tests.pages_of_apps.company import Browser, Company

FRIENDS = {"match": "all", "of": [{"is": "lost", "op": "no"}]}


@pytest.fixture
def company(in_acme: Any, clean_cache: None) -> Company:
    company = Company(in_acme).found()
    company.add("韩梅梅", "wang", "li", tags=["重要客户"])
    company.add("李雷", "li", days=40)
    company.add("Lucy", "zhao", days=10)
    company.group("老客户群", "wang", "韩梅梅")
    return company


def draft_of(**values: Any) -> Broadcast:
    facts = {"title": "店庆通知", "content": {"text": "周六店庆", "materials": []}, "tree": FRIENDS, "created_by": "x"}
    return Broadcast.objects.create(**{**facts, **values})


def test_composed_and_checked_before_anything_is_sent(company: Company) -> None:
    wang = company.client("admin")
    assert_strict(wang.get("/console/broadcasts/"))
    assert_strict(wang.get("/console/broadcasts/new/"))
    filled = {"title": "店庆通知", "segment": "", "tree": json.dumps(FRIENDS), "content_text": "周六店庆，九折"}

    page = wang.post("/console/broadcasts/new/", filled, follow=True)

    assert_strict(page)
    draft = Broadcast.objects.get()
    assert (draft.state, draft.created_by) == ("draft", "admin-all-")
    assert "4 段好友关系，去重后" in page.text
    assert "将通知 2 名员工" in page.text and "通知 2 名员工发送" in page.text
    assert "由他们确认后发给 3 位客户" in page.text
    assert "周六店庆，九折" in page.text


def test_what_is_wrong_stands_beside_its_field(company: Company) -> None:
    wang = company.client("admin")
    past = (timezone.localtime() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    wrong = {"title": "", "tree": json.dumps(FRIENDS), "content_text": "{客户昵称}您好", "send_at": past}
    page = wang.post("/console/broadcasts/new/", wrong)
    assert page.status_code == 422
    assert "必填" in page.text and "不能使用变量“客户昵称”" in page.text and "90 天内" in page.text
    assert not Broadcast.objects.exists()


def test_it_is_sent_with_the_numbers_that_were_read(company: Company) -> None:
    wang, draft = company.client("admin"), draft_of()
    found = audience.preflight(draft)
    send = reverse("broadcasts:send", args=[draft.pk])
    stale = wang.post(send, {"receivers": "99", "senders": "9"}, follow=True)
    assert "人数刚刚有变化" in stale.text
    page = wang.post(send, {"receivers": found.receivers, "senders": len(found.senders)}, follow=True)
    assert_strict(page)
    draft.refresh_from_db()
    assert draft.state == "planning" and draft.preflight["receivers"] == found.receivers
    again = wang.post(send, {"receivers": found.receivers, "senders": len(found.senders)}, follow=True)
    assert "已经提交" in again.text


def test_the_lists_behind_the_numbers_name_the_very_people(company: Company) -> None:
    wang, full = company.client("admin"), company.customers["Lucy"]
    Receipts.objects.create(kind="customers", receiver=full.pk, day=timezone.localdate(), count=31)
    draft = draft_of()
    page = wang.get(reverse("broadcasts:left_out", args=[draft.pk, "at_limit"]))
    assert_strict(page)
    assert "Lucy" in page.text and "韩梅梅" not in page.text
    assert wang.get(reverse("broadcasts:left_out", args=[draft.pk, "other"])).status_code == 404
    check = wang.get(reverse("broadcasts:check", args=[draft.pk]))
    tiles = re.findall(r'class="stat" href="([^"]+)"', check.text)
    told = check.context["found"]
    numbers = [told.matched, 0, 0, 1, told.receivers]  # deleted, without a sender, at the limit
    assert [wang.get(url).context["list"].count for url in tiles] == numbers


def test_who_has_a_message_waiting_for_its_staff_may_not_get_this_one(company: Company) -> None:
    ReceiveRule.objects.create(span="day")
    wang, lucy = company.client("admin"), company.customers["Lucy"].pk
    half_done(company)  # 李雷 is still to be sent it, 韩梅梅 got it, Lucy's staff member was never asked
    Receipts.objects.create(kind="customers", receiver=lucy, day=timezone.localdate() - timedelta(days=1), count=1)
    BroadcastSender.objects.filter(state="created").update(poll_at=timezone.now())
    draft = draft_of()
    check = wang.get(reverse("broadcasts:check", args=[draft.pk]))
    assert_strict(check)
    found = check.context["found"]
    assert (found.receivers, found.crowded, found.left_out) == (3, 1, {})
    assert "其中 1 可能收不到" in check.text
    (*_, behind) = re.findall(r'class="stat" href="([^"]+)"', check.text)
    page = wang.get(behind)
    assert (page.context["list"].count, "李雷" in page.text) == (1, True)
    connection.set_tenant(company.tenant)
    BroadcastSender.objects.filter(state="created").update(state="stopped", poll_at=None)
    assert audience.preflight(draft).crowded == 0


def test_what_was_sent_meanwhile_is_neither_overwritten_nor_deleted(company: Company) -> None:
    wang, draft = company.client("admin"), draft_of()
    stale = Broadcast.objects.get(pk=draft.pk)
    found = audience.preflight(draft)
    sent = {"receivers": found.receivers, "senders": len(found.senders)}
    wang.post(reverse("broadcasts:send", args=[draft.pk]), sent)
    connection.set_tenant(company.tenant)
    assert not sending.keep_draft(stale) and not sending.drop_draft(stale)
    assert Broadcast.objects.get(pk=draft.pk).state == "planning"


def test_a_draft_whose_segment_staff_or_time_are_gone_does_not_grow(company: Company) -> None:
    segment = Segment.objects.create(name="老客户", tree=FRIENDS, archived_at=timezone.now())
    gone = company.staff["zhao"]
    Staff.objects.filter(pk=gone.pk).update(left_at=timezone.now())
    draft = draft_of(segment=segment, tree={}, staff_ids=[gone.pk], send_at=timezone.now() - timedelta(minutes=1))
    wang = company.client("admin")
    form = wang.get(reverse("broadcasts:edit", args=[draft.pk])).context["form"]
    assert form.initial["tree"] == FRIENDS
    assert gone in form.fields["staff"].queryset
    connection.set_tenant(company.tenant)
    Broadcast.objects.filter(pk=draft.pk).update(segment=None, tree=FRIENDS, staff_ids=[])
    page = wang.post(reverse("broadcasts:send", args=[draft.pk]), follow=True)
    assert "定时发送的时间已过" in page.text
    connection.set_tenant(company.tenant)
    assert Broadcast.objects.get(pk=draft.pk).state == "draft"


def test_put_off_and_taken_back(company: Company) -> None:
    wang, draft = company.client("admin"), draft_of(send_at=timezone.now() + timedelta(days=1))
    found = audience.preflight(draft)
    sent = {"receivers": found.receivers, "senders": len(found.senders)}
    page = wang.post(reverse("broadcasts:send", args=[draft.pk]), sent, follow=True)
    assert "已定时" in page.text and "取消定时" in page.text
    page = wang.post(reverse("broadcasts:unschedule", args=[draft.pk]), follow=True)
    draft.refresh_from_db()
    assert draft.state == "draft" and "已取消定时" in page.text


def test_a_copy_is_a_draft_of_its_own_and_drafts_can_be_deleted(company: Company) -> None:
    wang, draft = company.client("admin"), draft_of(state="ended", sent_at=timezone.now())
    page = wang.post(reverse("broadcasts:copy", args=[draft.pk]), follow=True)
    made = Broadcast.objects.exclude(pk=draft.pk).get()
    assert (made.title, made.state, made.content) == ("店庆通知 副本", "draft", draft.content)
    assert_strict(page)
    assert wang.post(reverse("broadcasts:delete", args=[draft.pk])).status_code == 404
    wang.post(reverse("broadcasts:delete", args=[made.pk]))
    assert list(Broadcast.objects.all()) == [draft]


def test_the_limit_the_company_chose_is_kept(company: Company) -> None:
    wang = company.client("admin")
    wang.post("/console/broadcasts/rule/", {"span": "day"})
    assert ReceiveRule.objects.get().span == "day"


def test_the_monitor_tells_by_staff_and_by_customer_and_why(office: Office, boss: Any, in_acme: Any) -> None:
    draft = office.send(office.draft())
    first = draft.senders.select_related("staff").order_by("-total", "id")[0]
    one, two = first.receivers[:2]
    Delivery.objects.create(sender=first, receiver=one, state="sent", at=timezone.now())
    Delivery.objects.create(sender=first, receiver=two, state="at_limit")
    results.count([first.pk])
    client = Browser(in_acme)
    client.force_login(boss)
    page = client.get(f"/console/broadcasts/{draft.pk}/")
    assert_strict(page)
    assert str(first.staff) in page.text and "催办未完成" in page.text and "已达接收上限 1" in page.text
    by_customer = f"/console/broadcasts/{draft.pk}/customers/"
    assert_strict(client.get(by_customer))
    full = client.get(f"{by_customer}?state=at_limit")
    assert str(Customer.objects.get(pk=two)) in full.text and "企业微信没有再送达" in full.text
    assert "共 <strong>1</strong>" in full.text
    waiting = client.get(f"{by_customer}?state=waiting")
    assert f"共 <strong>{draft.preflight['receivers'] - 2}</strong>" in waiting.text
    assert "在企业微信中确认" in waiting.text


def test_each_operator_sees_what_concerns_the_own_staff(company: Company) -> None:
    draft = draft_of(state="sending", sent_at=timezone.now())
    for name, total in (("wang", 2), ("zhao", 1)):
        receivers = [company.customers["Lucy"].pk] * total
        draft.senders.create(staff=company.staff[name], receivers=receivers, total=total, state="created")
    li, zhao = company.client("staff", scope="self", staff="li"), None
    assert li.get(f"/console/broadcasts/{draft.pk}/").status_code == 404
    assert "店庆通知" not in li.get("/console/broadcasts/").text
    zhao = company.client("admin", scope="self", staff="zhao")
    page = zhao.get(f"/console/broadcasts/{draft.pk}/")
    assert "员工zhao" in page.text and "员工wang" not in page.text
    others = company.customers["李雷"].pk
    draft.left_out.create(reason="at_limit", receivers=[others], total=1)
    (reason, _words, number), *_rest = zhao.get(f"/console/broadcasts/{draft.pk}/").context["left_out"]
    behind = zhao.get(reverse("broadcasts:left_out", args=[draft.pk, reason])).context["list"].count
    assert number == behind == 0, "nobody of the own range"
    assert "停止这条群发" not in page.text
    for act in ("stop", "remind", "retry"):
        assert "管理范围以外" in zhao.post(reverse(f"broadcasts:{act}", args=[draft.pk]), follow=True).text
    assert "停止这条群发" in company.client("admin").get(f"/console/broadcasts/{draft.pk}/").text


def test_the_timeline_says_who_sent_what(company: Company) -> None:
    customer = company.customers["李雷"]
    TimelineEntry.objects.create(
        key="b", customer=customer, staff=company.staff["li"], kind="broadcast_sent", at=timezone.now(),
        source="system", payload={"title": "店庆通知"},
    )  # fmt: skip
    page = company.client("admin").get(f"/console/customers/{customer.pk}/timeline/")
    assert "收到员工li 发送的群发“店庆通知”" in page.text


def test_the_pages_fit_and_have_no_faults(db_commits: None, acme: Any, clean_cache: None, console: Console) -> None:
    """With SHOTS set to a folder the pages are kept as pictures, to be looked at."""
    with acme:
        company = Company(acme).found()
        company.add("韩梅梅", "wang", "li", tags=["重要客户"])
        company.add("李雷", "li", days=40)
        company.add("Lucy", "zhao", days=10)
        company.group("老客户群", "wang", "韩梅梅")
        draft, sent = draft_of(), half_done(company)
    places = {
        "list": "/console/broadcasts/",
        "new": "/console/broadcasts/new/",
        "groups": "/console/broadcasts/new-for-groups/",
        "check": f"/console/broadcasts/{draft.pk}/check/",
        "monitor": f"/console/broadcasts/{sent.pk}/",
        "customers": f"/console/broadcasts/{sent.pk}/customers/",
        "left-out": f"/console/broadcasts/{sent.pk}/left-out/at_limit/",
    }
    page = console.open(acme, "/console/broadcasts/")
    for name, place in places.items():
        page.goto(place)
        page.wait_for_load_state("networkidle")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if shots := os.environ.get("SHOTS"):
                Path(shots).mkdir(parents=True, exist_ok=True)
                page.screenshot(path=Path(shots) / f"{name}-{width}.png", full_page=True)
            assert fits(page), (name, width)
        assert_no_axe_faults(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(places["check"])
    page.get_by_role("button", name="通知 3 名员工发送").or_(
        page.get_by_role("button", name="通知 2 名员工发送")
    ).click()
    page.get_by_text("由他们确认后发给 3 位客户").wait_for()
    if shots := os.environ.get("SHOTS"):
        page.screenshot(path=Path(shots) / "confirm-1440.png")


def half_done(company: Company) -> Broadcast:
    now = timezone.now()
    sent = draft_of(title="上周的群发", state="sending", sent_at=now, polled_at=now)
    li, wang = company.customers["李雷"].pk, company.customers["韩梅梅"].pk
    waiting = {"state": "created", "msgid": "m1", "reminded": 1, "reminded_at": now - timedelta(hours=2)}
    sent.senders.create(staff=company.staff["li"], receivers=[li], total=1, **waiting)
    got = {"state": "confirmed", "msgid": "m2", "sent": 1, "confirmed_at": now}
    one = sent.senders.create(staff=company.staff["wang"], receivers=[wang], total=1, **got)
    failed = {"state": "failed", "reason": "已离职，没有通知"}
    sent.senders.create(staff=company.staff["zhao"], receivers=[company.customers["Lucy"].pk], total=1, **failed)
    Delivery.objects.create(sender=one, receiver=wang, state="sent", at=now)
    sent.left_out.create(reason="at_limit", receivers=[li], total=1)
    return sent
