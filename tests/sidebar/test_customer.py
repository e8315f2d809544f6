"""The customer's card in the sidebar: one statement, the member's own customers, and what two or three taps change."""

import re
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from contacts import bulk
from contacts.models import CustomField, Follow, FollowUp, Stage, Tag, TimelineEntry
from contacts.profile import change_fields
from contacts.stages import move_to_stage
from members.models import Staff
from sidebar import customer_views
from tenants import outbox
from tenants.models import OutgoingCall
from tests.pages import assert_strict, faults_of
from tests.sandbox_server import Sandbox
from tests.sidebar.conftest import Seller

PANEL = {"HX-Request": "true"}


def text_of(answer: Any) -> str:
    return answer.content.decode()


def test_the_card_shows_who_this_is_in_two_statements(seller: Seller) -> None:
    stage = Stage.objects.create(name="意向")
    CustomField.objects.create(key="budget", name="预算", kind="number")
    move_to_stage([seller.customer.pk], stage, by="lin", source="console")
    change_fields(seller.customer, {"budget": 3000}, by="lin", source="console")
    tag = Tag.objects.filter(deleted_at=None).first()
    seller.follow.tag_links.get_or_create(tag=tag)
    bulk.refresh_customers([seller.customer.pk])
    with CaptureQueriesContext(connection) as caught:
        card = seller.client.get(seller.url())
    page = text_of(card)
    assert len(caught) <= 2, [one["sql"][:80] for one in caught]
    chosen = f'<option value="{stage.pk}" selected>意向</option>'
    for words in (seller.customer.name, f'<span class="chip">{tag.name}</span>', chosen, "预算", "3000", "写跟进"):
        assert words in page
    assert not faults_of(page)
    assert "写跟进" not in text_of(seller.client.get(seller.url(), headers={"Accept-Language": "en"}))
    assert text_of(seller.client.get(seller.url())) == page


def test_a_colleagues_customer_is_not_shown(seller: Seller) -> None:
    other = Follow.objects.exclude(customer__follows__staff=seller.staff).select_related("customer", "staff").first()
    page = text_of(seller.client.get(f"/sidebar/customer/{other.customer.external_userid}/"))
    assert "不是您的客户" in page
    assert other.customer.name not in page
    denied = seller.client.post(f"/sidebar/customer/{other.customer.external_userid}/note/", {"text": "x"})
    assert denied.status_code == 404


def test_a_note_of_a_colleague_is_not_shown(seller: Seller) -> None:
    colleague = Staff.objects.exclude(pk=seller.staff.pk).first()
    FollowUp.objects.create(customer=seller.customer, staff=seller.staff, text="自己写的")
    FollowUp.objects.create(customer=seller.customer, staff=colleague, text="同事写的")
    page = text_of(seller.client.get(seller.url()))
    assert "自己写的" in page and "同事写的" not in page


def test_somebody_nobody_knows_yet_is_said_so(seller: Seller) -> None:
    assert "还没有这位客户的资料" in text_of(seller.client.get("/sidebar/customer/wmNobody/"))


def test_a_tag_in_one_tap_reaches_wecom_and_can_be_taken_back(seller: Seller, sandbox: Sandbox) -> None:
    own = seller.follow.tag_links.values("tag")
    tag = Tag.objects.filter(deleted_at=None).exclude(pk__in=own).first()
    assert tag.name in text_of(seller.client.get(seller.url("tags/")))
    answer = seller.client.post(seller.url("tags/"), {"add": tag.pk})
    assert f"已添加标签“{tag.name}”" in text_of(answer)
    assert "chip-coming" in text_of(answer)
    assert "chip-coming" in text_of(seller.client.get(asked_by(answer)))  # the card asks, and WeCom has not said it yet
    outbox.deliver_due(urgent=False)
    assert seller.follow.tag_links.filter(tag=tag).exists()
    confirmed = text_of(seller.client.get(asked_by(answer)))
    assert f'<span class="chip">{tag.name}</span>' in confirmed
    assert "chip-coming" not in confirmed and "hx-trigger" not in confirmed
    entry = TimelineEntry.objects.filter(customer=seller.customer, kind="tags_changed").latest("pk")
    assert (entry.source, entry.actor) == ("sidebar", str(seller.staff))

    undo = {"remove": tag.pk, "key": "undo-1"}
    seller.client.post(seller.url("tags/"), undo)
    seller.client.post(seller.url("tags/"), undo)
    assert OutgoingCall.objects.filter(idem_key="mark_tag:undo-1").count() == 1
    outbox.deliver_due(urgent=False)
    assert not seller.follow.tag_links.filter(tag=tag).exists()


def asked_by(answer: Any) -> str:
    """Where a card that waits for WeCom asks again by itself."""
    found = re.search(r'hx-get="([^"]+asked=[^"]+)"', text_of(answer))
    assert found is not None
    return unescape(found[1])


def test_a_tag_that_wecom_refuses_is_taken_off_the_card_in_words(seller: Seller, sandbox: Sandbox) -> None:
    tag = Tag.objects.filter(deleted_at=None).exclude(pk__in=seller.follow.tag_links.values("tag")).first()
    sandbox.fault("errcode", "externalcontact/mark_tag", errcode=84061, times=1)
    answer = seller.client.post(seller.url("tags/"), {"add": tag.pk})
    outbox.deliver_due(urgent=False)
    told = text_of(seller.client.get(asked_by(answer)))
    assert f"标签“{tag.name}”没有添加成功" in told and "84061" in told
    assert "chip-coming" not in told


def test_a_tag_of_which_wecom_says_nothing_is_asked_for_a_few_times(seller: Seller) -> None:
    tag = Tag.objects.filter(deleted_at=None).exclude(pk__in=seller.follow.tag_links.values("tag")).first()
    answer = seller.client.post(seller.url("tags/"), {"add": tag.pk})
    for _turn in customer_views.ASKS:
        answer = seller.client.get(asked_by(answer))
    assert "企业微信还没有确认标签" in text_of(answer)
    assert "chip-coming" in text_of(answer) and "hx-trigger" not in text_of(answer)
    assert "chip-coming" in text_of(seller.client.post(seller.url("stage/"), {"stage": ""}))  # other news hide it not


def test_the_stage_is_one_tap(seller: Seller) -> None:
    stage = Stage.objects.create(name="报价")
    answer = seller.client.post(seller.url("stage/"), {"stage": stage.pk})
    assert "阶段已更新" in text_of(answer)
    seller.customer.refresh_from_db()
    assert seller.customer.stage == stage
    assert TimelineEntry.objects.get(kind="stage_changed").source == "sidebar"


def test_a_note_sent_twice_is_one_note(seller: Seller) -> None:
    draft = {"text": "约了周五看样品", "next_at": "", "draft_key": "d-1"}
    for _ in range(2):
        assert "跟进已保存" in text_of(seller.client.post(seller.url("note/"), draft))
    note = FollowUp.objects.get()
    assert (note.text, note.staff) == ("约了周五看样品", seller.staff)
    assert "约了周五看样品" in text_of(seller.client.get(seller.url()))


@pytest.mark.parametrize(
    ("wish", "words"), [({"text": " "}, "请填写跟进内容"), ({"text": "字" * 2001}, "最多 2000 个字")]
)
def test_a_note_that_cannot_be_kept_says_why(seller: Seller, wish: dict[str, str], words: str) -> None:
    answer = seller.client.post(seller.url("note/"), wish)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert not FollowUp.objects.exists()


def test_fields_are_checked_as_everywhere(seller: Seller) -> None:
    CustomField.objects.create(key="budget", name="预算", kind="number")
    assert seller.client.post(seller.url("fields/"), {"field_budget": "很多"}).status_code == 422
    assert "资料已保存" in text_of(seller.client.post(seller.url("fields/"), {"field_budget": "5000"}))
    seller.customer.refresh_from_db()
    assert seller.customer.fields == {"budget": 5000}


def test_the_timeline_holds_no_dealings_of_colleagues(seller: Seller) -> None:
    other = Staff.objects.exclude(pk=seller.staff.pk).first()
    rows = [(seller.staff, "mine", "自己的备注"), (other, "theirs", "同事的备注")]
    for staff, key, remark in rows:
        TimelineEntry.objects.create(
            key=key, kind="remark_changed", customer=seller.customer, staff=staff, at=timezone.now(),
            source="sidebar", payload={"remark": remark},
        )  # fmt: skip
    page = text_of(seller.client.get(seller.url("timeline/")))
    assert "自己的备注" in page
    assert "同事的备注" not in page


def test_today_keeps_the_policy(seller: Seller) -> None:
    day = text_of(seller.client.get("/sidebar/today/", headers=PANEL))
    assert f'href="/sidebar/customers/{seller.customer.pk}/"' in day
    assert seller.customer.name in day
    assert_strict(seller.client.get("/sidebar/today/"))
