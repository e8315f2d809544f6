"""待办与异常: what is stuck is told in words and set going again from the page."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from callbacks.models import InboxEvent
from console.models import AuditEntry
from tenants.models import OutgoingCall, Tenant
from tests.pages import assert_strict
from tests.pages_of_apps.company import Company
from tests.people import client_as

EVENTS, CALLS = "/console/trouble/events/", "/console/trouble/calls/"
HTMX = {"HX-Request": "true"}
NOBODY = {"follow": 0, "add": [], "remove": [], "source": "console"}
numbers = count(1)
INSERT = """
INSERT INTO public.callbacks_inbox (event_day, dedupe_key, tenant_id, receiver_id, key_version, name, lane, status,
    attempts, due_at, event_at, received_at, last_error, body, urgent, suspect)
VALUES (current_date, %s, %s, %s, 1, %s, 0, %s, 3, now(), now(), now(), %s, '', false, false) RETURNING id
"""


def event(tenant: Tenant, status: str, error: str = "", name: str = "add_external_contact") -> int:
    with connection.cursor() as cursor:
        key = next(numbers).to_bytes(32, "big")
        receiver = tenant.receivers.get().pk
        cursor.execute(INSERT, [key, tenant.pk, receiver, f"change_external_contact.{name}", status, error])
        return int(cursor.fetchone()[0])


def call(tenant: Tenant, state: str, **values: Any) -> OutgoingCall:
    facts: dict[str, Any] = {
        "api": "externalcontact/mark_tag",
        "purpose": "mark_tag",
        "body": b"",
        "context": NOBODY,
        "app": tenant.apps.get(is_main=True),
    } | values
    return OutgoingCall.objects.create(
        tenant=tenant,
        idem_key=f"k{next(numbers)}",
        state=state,
        due_at=timezone.now(),
        **facts,
    )


def status_of(pk: int) -> str:
    return InboxEvent.objects.values_list("status", flat=True).get(pk=pk)


@pytest.mark.parametrize("url", [EVENTS, CALLS])
def test_nothing_wrong_says_so(company: Company, url: str) -> None:
    page = company.client().get(url)

    assert_strict(page)
    assert "一切正常" in page.content.decode()


EVENT_ERRORS = [
    ("parked", "WeComMisconfigured: externalcontact/get: not allow to access from your ip (60020)", "可信IP"),
    ("parked", "KeyFault: no key", "加密密钥"),
    ("dead", "BadCallback: broken", "无法解密或识别"),
    ("dead", "NotVisible: user/get: no privilege (60011)", "没有权限查看"),
    ("dead", "WeComUnavailable: externalcontact/get: HTTP 502 (502)", "连不上企业微信"),
    ("dead", "WeComRateLimited: externalcontact/get: freq out of limit (45009)", "过于频繁"),
    ("dead", "ValueError: surprise", "系统处理时出错"),
]


@pytest.mark.parametrize(("status", "error", "words"), EVENT_ERRORS)
def test_an_event_tells_cause_and_fix_in_words_and_the_code_for_support(
    company: Company, status: str, error: str, words: str
) -> None:
    event(company.tenant, status, error)

    page = company.client().get(EVENTS)

    assert_strict(page)
    row = page.context["list"].rows[0]
    assert words in str(row.reason.cause)
    assert row.reason.fix
    assert "自动继续" not in str(row.reason.fix)
    text = page.content.decode()
    assert "新增客户" in text
    assert error in text


CALL_ERRORS = [
    ("dead", {"result_code": 84061, "result_message": "not external contact"}, "不是好友关系"),
    ("parked", {"result_code": 48002, "result_message": "api forbidden"}, "没有调用这个接口的权限"),
    ("parked", {"result_code": 60020, "result_message": "ip"}, "可信IP"),
    ("unknown", {"result_message": "read timeout"}, "没有给出结果"),
    ("dead", {"result_message": "internal: KeyError"}, "系统处理时出错"),
    ("dead", {"result_code": 99999, "result_message": "who knows"}, "未收录的错误"),
    ("expired", {"result_message": ""}, "超过了可以发送的时间"),
    ("expired", {"result_code": 41050, "result_message": "welcome code"}, "欢迎语凭证"),
    ("ignored", {"note": "ignored by boss: 客户已转交"}, "已忽略"),
    ("ok", {"result_code": 41051}, "已经和客户开始聊天"),
]


@pytest.mark.parametrize(("state", "facts", "words"), CALL_ERRORS)
def test_a_call_tells_cause_and_fix_in_words(company: Company, state: str, facts: dict[str, Any], words: str) -> None:
    call(company.tenant, state, **facts)

    page = company.client().get(CALLS, {"state": state})

    assert_strict(page)
    row = page.context["list"].rows[0]
    assert words in str(row.reason.cause)
    assert row.reason.fix or state == "ok"
    if state == "ignored":
        assert row.reason.fix == "boss：客户已转交"


def test_a_call_names_the_customer_to_those_who_may_see_it(company: Company) -> None:
    company.add("韩梅梅", "chen")
    call(company.tenant, "dead", context={"follow": company.follow("韩梅梅", "chen").pk})

    assert "韩梅梅" in company.client().get(CALLS).content.decode()
    assert "韩梅梅" not in company.client("staff", "self", "wang").get(CALLS).content.decode()


def test_tiles_tabs_and_badge_count_what_the_lists_show(company: Company) -> None:
    for status in ("new", "new", "parked", "dead", "done", "ignored"):
        event(company.tenant, status, "no handler")
    for state in ("pending", "leased", "parked", "unknown", "dead", "dead", "expired", "ok", "ignored"):
        call(company.tenant, state)
    client = company.client()

    def listed(url: str, **query: str) -> int:
        return int(client.get(url, query).context["list"].count)

    health = client.get(EVENTS).context["health"]
    assert listed(EVENTS, status="new") == health.inbox.pending == 2
    assert listed(EVENTS, status="parked") == health.inbox.parked == 1
    assert listed(EVENTS, status="dead") == health.inbox.dead == 1
    assert listed(EVENTS) == health.events_in_trouble == 2
    assert listed(CALLS, state="waiting") == health.outbox.pending == 2
    assert listed(CALLS, state="dead") == health.outbox.dead == 2
    assert listed(CALLS, state="expired") == health.outbox.expired == 1
    assert listed(CALLS) == health.calls_in_trouble == 4
    assert "6 项待处理" in client.get("/console/").content.decode()
    assert listed(EVENTS, status="all") == 6
    assert listed(CALLS, state="all") == 9


def test_the_page_opens_on_the_side_where_more_waits(company: Company) -> None:
    call(company.tenant, "dead")

    assert company.client().get("/console/trouble/").headers["Location"] == CALLS


def test_filters_by_event_and_purpose(company: Company) -> None:
    event(company.tenant, "dead", "x")
    event(company.tenant, "dead", "x", name="del_follow_user")
    call(company.tenant, "dead")
    call(company.tenant, "dead", purpose="remark")
    client = company.client()

    assert client.get(EVENTS, {"name": "change_external_contact.del_follow_user"}).context["list"].count == 1
    assert client.get(CALLS, {"purpose": "remark"}).context["list"].count == 1


# -- acting ------------------------------------------------------------


def test_one_some_or_all_events_are_tried_again(company: Company) -> None:
    one, two, three = (event(company.tenant, "dead", "x") for _n in range(3))
    parked, done = event(company.tenant, "parked", "x"), event(company.tenant, "done")
    client = company.client("admin")

    assert client.post(f"{EVENTS}retry/", {"ids": [one]}, headers=HTMX).status_code == 204
    assert [status_of(pk) for pk in (one, two, three)] == ["new", "dead", "dead"]
    client.post(f"{EVENTS}retry/", {"all": "1"})
    assert [status_of(pk) for pk in (two, three, parked, done)] == ["new", "new", "new", "done"]
    assert AuditEntry.objects.filter(action="inbox.replay").count() == 2


def test_one_some_or_all_calls_are_sent_again_but_none_that_is_too_late(company: Company) -> None:
    one, two, unknown = (call(company.tenant, state) for state in ("dead", "parked", "unknown"))
    late = call(company.tenant, "dead", purpose="welcome", deadline=timezone.now() - timedelta(seconds=1))
    client = company.client("admin")

    client.post(f"{CALLS}retry/", {"ids": [one.pk]}, headers=HTMX)
    one.refresh_from_db()
    assert (one.state, one.note) == ("pending", "retry by admin-all-")
    client.post(f"{CALLS}retry/", {"all": "1"}, headers=HTMX)
    states = dict(OutgoingCall.objects.values_list("pk", "state"))
    assert [states[row.pk] for row in (two, unknown, late)] == ["pending", "pending", "dead"]
    answer = client.post(f"{CALLS}retry/", {"ids": [late.pk]}, headers=HTMX)
    assert "warning" in answer.headers["HX-Trigger"]


def test_ignoring_asks_for_a_reason_and_keeps_it(company: Company) -> None:
    pk, sent = event(company.tenant, "dead", "x"), call(company.tenant, "unknown")
    client = company.client("admin")

    for url, key in ((EVENTS, pk), (CALLS, sent.pk)):
        form = client.get(f"{url}ignore/", {"ids": [key]}, headers=HTMX)
        assert f'value="{key}"' in form.content.decode()
        assert_strict(client.get(f"{url}ignore/", {"ids": [key]}))
        assert client.post(f"{url}ignore/", {"ids": [key], "reason": " "}, headers=HTMX).status_code == 422
        assert client.post(f"{url}ignore/", {"ids": [key], "reason": "已人工处理"}, headers=HTMX).status_code == 204

    row = InboxEvent.objects.get(pk=pk)
    assert (row.status, row.last_error) == ("ignored", "已人工处理")
    sent.refresh_from_db()
    assert (sent.state, sent.note) == ("ignored", "ignored by admin-all-: 已人工处理")
    for action in ("inbox.ignore", "outbox.ignore"):
        assert AuditEntry.objects.get(action=action).detail == {"count": 1, "reason": "已人工处理"}
    answer = client.post(f"{CALLS}ignore/", {"reason": "无"}, headers=HTMX)
    assert "warning" in answer.headers["HX-Trigger"]


def test_rows_of_another_company_are_neither_shown_nor_moved(company: Company, globex: Tenant) -> None:
    pk, sent = event(company.tenant, "dead", "x"), call(company.tenant, "dead")
    stranger = client_as(globex)

    assert stranger.get(EVENTS, {"status": "all"}).context["list"].count == 0
    assert stranger.get(CALLS, {"state": "all"}).context["list"].count == 0
    for wish in ({"ids": [pk, sent.pk]}, {"all": "1"}):
        for url in (f"{EVENTS}retry/", f"{CALLS}retry/", f"{EVENTS}ignore/", f"{CALLS}ignore/"):
            stranger.post(url, wish | {"reason": "x"})

    sent.refresh_from_db()
    assert (status_of(pk), sent.state) == ("dead", "dead")


def test_ids_that_are_none_change_nothing(company: Company) -> None:
    pk = event(company.tenant, "dead", "x")

    answer = company.client().post(f"{EVENTS}retry/", {"ids": ["x", "-1", "²", "9" * 40]})

    assert answer.status_code == 302
    assert status_of(pk) == "dead"


def test_staff_look_but_do_not_touch(company: Company) -> None:
    pk = event(company.tenant, "dead", "x")
    client = company.client("staff", "self", "wang")

    assert f"{EVENTS}retry/" not in client.get(EVENTS).content.decode()
    assert client.post(f"{EVENTS}retry/", {"ids": [pk]}).status_code == 403
    assert "项待处理" not in client.get("/console/").content.decode()
