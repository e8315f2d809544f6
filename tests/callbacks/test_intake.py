"""The door: what is accepted becomes one committed row, everything else gets its one answer."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from callbacks import intake as gate
from callbacks import receivers as receivers_module
from callbacks.arrival import Outcome
from callbacks.flush import MAX_WAITING, Flusher
from tenants.models import CorpApp, ReceiverKey, Tenant
from tenants.provision import store_receiver_key
from tests.callbacks.door import Door, count, event_xml, request, rows
from tests.sizes import in_two_sizes
from wecom.crypto import MAX_BYTES, CallbackCrypto

PAYLOADS = sorted((Path(__file__).parent.parent / "payloads" / "wecom").glob("*.*"))


def test_an_event_is_a_row_before_wecom_hears_200(door: Door) -> None:
    answer = door.post(event_xml(WelcomeCode="k7Zt0Qm2Vx9cB4nR1sPwLd8hJf3gYu6e"))
    assert (answer.status, answer.body) == (200, b"")
    [row] = rows("tenant_id, name, urgent, suspect, status, key_version")
    assert row == (door.tenant.pk, "change_external_contact.add_external_contact", True, False, "new", 1)


def test_the_body_stays_as_wecom_encrypted_it(door: Door) -> None:
    query, body = door.delivery(event_xml())
    request("POST", door.path, query, body)
    [(stored,)] = rows("body")
    assert bytes(stored) == body
    assert b"chenmei" not in body


def test_the_address_works_without_its_last_slash(door: Door) -> None:
    query, body = door.delivery(event_xml())
    assert request("POST", door.path.rstrip("/"), query, body).status == 200


def test_other_paths_go_to_django() -> None:
    assert request("GET", "/console/").body == b"django"


def test_wecom_verifies_the_address_within_a_second(door: Door) -> None:
    begun = time.process_time()
    answer = request("GET", door.path, door.challenge())
    assert (answer.status, answer.body) == (200, b"1616140317555161061")
    assert time.process_time() - begun < 1
    for _ in range(50):
        door.receiver.refresh_from_db()
        if door.receiver.verified_at:
            break
        time.sleep(0.05)
    assert door.receiver.verified_at


def test_a_json_envelope_with_a_json_payload_is_an_event_too(door: Door) -> None:
    now = int(time.time())
    plain = f'{{"ToUserName":"{door.company.wecom.corp_id}","FromUserName":"sys","CreateTime":{now},"MsgType":"event",'
    plain += '"Event":"change_external_chat","ChangeType":"create","ChatId":"wrx7HWCgAA"}'
    challenge = door.crypto.challenge(plain, door.company.wecom.corp_id, now, "n")
    encrypted = challenge.pop("echostr")
    answer = request("POST", door.path, challenge, f'{{"encrypt":"{encrypted}"}}'.encode())
    assert answer.status == 200
    assert rows("name") == [("change_external_chat.create",)]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda path: path.name)
def test_every_known_payload_is_accepted(door: Door, payload: Path) -> None:
    assert door.post(payload.read_bytes()).status == 200
    assert count() == 1


def test_an_unknown_event_is_stored(door: Door) -> None:
    assert door.post(event_xml("reserved_for_2031", event="not_invented_yet")).status == 200
    assert rows("name") == [("not_invented_yet.reserved_for_2031",)]


def test_names_of_any_length_that_the_parser_allows_fit(door: Door) -> None:
    assert door.post(event_xml("y" * 64, event="x" * 64)).status == 200
    assert len(rows("name")[0][0]) == 80


def post_for_suite(door: Door, name: str, inner: str) -> tuple[int, bytes]:
    CorpApp.objects.filter(tenant=door.tenant).update(suite_id="ww4asffe99e54c0f4c")
    wecom = door.company.wecom
    crypto = CallbackCrypto(wecom.token, wecom.aes_key, frozenset({"ww4asffe99e54c0f4c"}))
    plain = f"<xml><SuiteId>ww4asffe99e54c0f4c</SuiteId><InfoType> <![CDATA[{name}]]></InfoType>"
    plain += f"<TimeStamp>{int(time.time())}</TimeStamp>{inner}</xml>"
    found = crypto.deliver(plain.encode(), "ww4asffe99e54c0f4c", int(time.time()), "n")
    answer = request("POST", door.path, found.query, found.body)
    return answer.status, answer.body


def test_a_suite_hears_success(door: Door) -> None:
    ticket = "<SuiteTicket>asdfasfdasdfasdf</SuiteTicket>"
    assert post_for_suite(door, "suite_ticket", ticket) == (200, b"success")


def test_of_a_suite_a_company_takes_its_own_events_alone(door: Door, other_door: Door) -> None:
    """One key seals the events of all companies that installed the suite."""
    added = "<ChangeType>add_external_contact</ChangeType><UserID>chenmei</UserID><ExternalUserID>wm1</ExternalUserID>"
    for company, status in ((other_door.company, 400), (door.company, 200)):
        told = f"<AuthCorpId>{company.wecom.corp_id}</AuthCorpId>{added}"
        assert post_for_suite(door, "change_external_contact", told)[0] == status
    assert rows("name") == [("change_external_contact.add_external_contact",)]


def test_events_of_a_suspended_company_wait_in_the_inbox(door: Door) -> None:
    Tenant.objects.filter(pk=door.tenant.pk).update(status=Tenant.Status.SUSPENDED)
    assert door.post(event_xml()).status == 200
    assert count("status = 'new'") == 1


# -- repeats -----------------------------------------------------------------------------------------------------------


def test_a_repeat_in_another_envelope_is_the_same_row(door: Door) -> None:
    plain = event_xml()
    assert [door.post(plain).status for _ in range(4)] == [200] * 4
    assert count() == 1


def test_each_event_ten_times_at_once_is_one_row_each(door: Door) -> None:
    events = [event_xml(ExternalUserID=f"wm{number}") for number in range(50)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(door.post, events * 10))
    assert {answer.status for answer in answers} == {200}
    assert count() == 50


def test_a_tag_group_and_its_50_tags_in_one_second_are_51_rows(door: Door) -> None:
    """F20: all of them `sys` in the same second; FromUserName + CreateTime would make them one."""
    now = int(time.time())
    events = [event_xml("create", event="change_external_tag", at=now, Id="etGroup", TagType="tag_group")]
    events += [event_xml("create", event="change_external_tag", at=now, Id=f"et{n}", TagType="tag") for n in range(50)]
    assert {door.post(event).status for event in events} == {200}
    assert count() == 51


def test_the_same_event_at_two_companies_is_two_rows(door: Door, other_door: Door) -> None:
    plain = event_xml()
    assert door.post(plain).status == other_door.post(plain).status == 200
    assert sorted(rows("tenant_id")) == sorted([(door.tenant.pk,), (other_door.tenant.pk,)])


@in_two_sizes("events", 10, 10_000)
def test_captured_callbacks_played_again_change_nothing(door: Door, events: int) -> None:
    """F24: an hour later and eight days later, the signature of then."""
    now = int(time.time())
    for age in (3600, 8 * 86_400):
        for number in range(events // 2):
            plain = event_xml(at=now - age, ExternalUserID=f"wm{number}")
            query, body = door.delivery(plain, at=now - age)
            assert {request("POST", door.path, query, body).status for _ in range(4)} == {200}
    assert count() == events
    assert count("suspect") == events


def test_a_replay_of_what_came_in_time_is_nothing_at_all(door: Door) -> None:
    old = int(time.time()) - 3600
    door.post(event_xml(at=old))  # signed now: it was late at WeCom, which is not suspect
    assert count("NOT suspect") == 1
    query, body = door.delivery(event_xml(at=old), at=old)
    assert request("POST", door.path, query, body).status == 200
    assert count() == 1


@pytest.mark.parametrize(("skew", "suspect"), [(-590, False), (590, False), (-660, True), (660, True)])
def test_a_clock_that_is_wrong_loses_no_event(door: Door, skew: int, suspect: bool) -> None:
    """F25"""
    at = int(time.time()) + skew
    assert door.post(event_xml(at=at, WelcomeCode="code"), at=at).status == 200
    assert rows("suspect, urgent") == [(suspect, not suspect)]


@pytest.mark.parametrize("at", [0, 1, 1_009_814_400, 4_102_444_799])
def test_an_absurd_time_is_stored_in_the_default_partition(door: Door, at: int) -> None:
    assert door.post(event_xml(at=at)).status == 200
    assert rows("tableoid::regclass::text") == [("callbacks_inbox_other",)]


# -- wrong input -------------------------------------------------------------------------------------------------------


def test_an_unknown_address_is_404(door: Door) -> None:
    query, body = door.delivery(event_xml())
    for path in (
        "/wecom/callback/",
        "/wecom/callback/0123456789abcdef01234567/",
        "/wecom/callback/../../etc/passwd",
        f"{door.path}more/",
        f"/wecom/callback/{door.receiver.public_id.upper()}/x",
        "/wecom/callback/' OR 1=1 --/",
        "/wecom/callback/\xff\xfe/",
    ):
        answer = request("POST", path, query, body)
        assert (answer.status, answer.body) == (404, gate.UNKNOWN.body), path


@pytest.mark.parametrize("method", ["PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_another_method_is_405(door: Door, method: str) -> None:
    answer = request(method, door.path)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, POST"


def test_a_huge_body_is_413_before_it_is_read(door: Door) -> None:
    query, _ = door.delivery(event_xml())
    unread = io.BytesIO(b"x" * 100)
    for length in (str(MAX_BYTES + 1), "10485760", "9" * 50):
        answer = request("POST", door.path, query, CONTENT_LENGTH=length, **{"wsgi.input": unread})
        assert answer.status == 413
    assert unread.tell() == 0


def test_a_huge_body_without_a_length_is_413(door: Door) -> None:
    query, _ = door.delivery(event_xml())
    chunked = {"wsgi.input": io.BytesIO(b"x" * (10 << 20)), "wsgi.input_terminated": True}
    assert request("POST", door.path, query, CONTENT_LENGTH="", **chunked).status == 413


def test_a_body_without_a_length_is_read_to_its_end(door: Door) -> None:
    query, body = door.delivery(event_xml())
    chunked = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}
    assert request("POST", door.path, query, CONTENT_LENGTH="", **chunked).status == 200


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "٣", "0x10", " "])
def test_a_length_that_is_none_is_400(door: Door, length: str) -> None:
    query, body = door.delivery(event_xml())
    assert request("POST", door.path, query, body, CONTENT_LENGTH=length).status == 400


def test_what_is_not_signed_for_this_address_is_400_without_a_row(door: Door, other_door: Door) -> None:
    """F23: wrong token, time, nonce, key, addressee; another company's signature; parts missing or twice."""
    plain = event_xml()
    query, body = door.delivery(plain)
    wecom, corp = door.company.wecom, door.company.wecom.corp_id
    other = other_door.company.wecom
    wrong_key = CallbackCrypto(wecom.token, other.aes_key, frozenset({corp}))
    wrong_token = CallbackCrypto(other.token, wecom.aes_key, frozenset({corp}))
    now = int(time.time())
    attempts: list[tuple[dict[str, str] | str, bytes]] = [
        ({**query, "msg_signature": "0" * 40}, body),
        ({**query, "timestamp": str(now + 1)}, body),
        ({**query, "nonce": "1"}, body),
        ({name: value for name, value in query.items() if name != "nonce"}, body),
        ("", body),
        ("msg_signature=a&msg_signature=b&timestamp=1&nonce=2", body),
        ("%ff=%fe&" * 10, body),
        (query, body[:-40]),
        (query, body.replace(b"<Encrypt>", b"<encrypt>")),
        (query, b""),
        (query, plain),
        other_door.delivery(plain),
        *(tuple(crypto.deliver(plain, corp, now, "n")) for crypto in (wrong_key, wrong_token)),
        tuple(door.crypto.deliver(plain, other.corp_id, now, "n")),
        tuple(door.crypto.deliver(b"not an event", corp, now, "n")),
        tuple(door.crypto.deliver(b"", corp, now, "n")),
    ]
    for number, (given, content) in enumerate(attempts):
        answer = request("POST", door.path, given, content)
        assert (answer.status, answer.body) == (400, gate.REFUSED.body), number
    assert request("GET", door.path, {**door.challenge(), "nonce": "x"}).status == 400
    assert request("GET", door.path, other_door.challenge()).status == 400
    assert count() == 0


DTDS = [
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Event>&a;</Event></xml>',
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:9/x">]><xml><Encrypt>&a;</Encrypt></xml>',
    b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><xml/>',
    b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]><xml/>',
    b'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;&l;&l;&l;&l;">]><xml>&m;</xml>',
    b"<!DOCTYPE xml [<!ELEMENT xml ANY>]><xml><Encrypt>x</Encrypt></xml>",
]


@pytest.mark.parametrize("bomb", DTDS, ids=range(len(DTDS)))
def test_documents_with_a_dtd_are_refused_outside_and_inside(door: Door, bomb: bytes) -> None:
    """F22"""
    query, _ = door.delivery(event_xml())
    assert request("POST", door.path, query, bomb).status == 400
    assert door.post(bomb).status == 400
    assert door.post(bomb.replace(b"<xml", event_xml()[:-6] + b"<xml")).status == 400
    assert count() == 0


# -- keys --------------------------------------------------------------------------------------------------------------


def test_new_keys_work_at_once_and_the_old_ones_for_an_hour(door: Door) -> None:
    assert door.post(event_xml(State="before")).status == 200
    gate.receivers.get(door.receiver.public_id)
    receivers_module.RELOAD_SECONDS, kept = 0.0, receivers_module.RELOAD_SECONDS
    try:
        new = CallbackCrypto("newToken", "k" * 43, frozenset({door.company.wecom.corp_id}))
        store_receiver_key(door.receiver, "newToken", "k" * 43)
        assert door.post(event_xml(State="WeCom has the old ones still")).status == 200
        door.crypto, old = new, door.crypto
        assert door.post(event_xml(State="now it has the new ones")).status == 200
        assert sorted(rows("key_version")) == [(1,), (1,), (2,)]
        ReceiverKey.objects.filter(version=1).update(retired_at=timezone.now() - receivers_module.GRACE)
        gate.receivers.clear()
        door.crypto = old
        assert door.post(event_xml(State="long gone")).status == 400
    finally:
        receivers_module.RELOAD_SECONDS = kept


def test_a_flood_of_forgeries_costs_one_query_in_two_seconds(door: Door, django_assert_num_queries: object) -> None:
    assert door.post(event_xml()).status == 200
    query, body = door.delivery(event_xml(State="forged"))
    for number in range(50):
        assert request("POST", door.path, {**query, "nonce": str(number)}, body).status == 400
    queries: list[str] = []
    with connection.execute_wrapper(lambda execute, sql, *rest: (queries.append(sql), execute(sql, *rest))[1]):
        for number in range(50):
            request("POST", door.path, {**query, "nonce": str(number)}, body)
    assert len(queries) <= 4


# -- too much ----------------------------------------------------------------------------------------------------------


def test_past_a_thousand_waiters_wecom_is_asked_to_come_again(door: Door) -> None:
    door.post(event_xml())
    full = Flusher()
    full._thread = object()  # type: ignore[assignment]  # a writer that is stuck
    for _ in range(MAX_WAITING):
        full._queue.put(None)
    gate.flusher, kept = full, gate.flusher
    try:
        answer = door.post(event_xml(State="one too many"))
    finally:
        gate.flusher = kept
    assert answer.status == 503
    assert "Retry-After" in answer.headers


def test_a_caller_waits_three_seconds_at_most(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callbacks.flush.WAIT_SECONDS", 0.2)
    stuck = Flusher()
    stuck._thread = object()  # type: ignore[assignment]
    monkeypatch.setattr(gate, "flusher", stuck)
    assert door.post(event_xml()).status == 503
    [waiter] = [stuck._queue.get_nowait()]
    assert waiter is not None
    waiter.settle(Outcome.STORED)  # too late, and harmless
