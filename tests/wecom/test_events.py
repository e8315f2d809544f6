import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wecom.events import KNOWN_EVENTS, BadCallback, parse_event

PAYLOADS = Path(__file__).parent.parent / "payloads" / "wecom"
FILES = sorted(PAYLOADS.iterdir())
CUSTOMER = "wmQx7DEAAAk3Vv0bq1nZt9LkP2sYhJrw"


def event(name):
    return parse_event((PAYLOADS / name).read_bytes())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_captured_payload_is_read(path):
    found = parse_event(path.read_bytes())

    assert found.key in KNOWN_EVENTS or "unknown" in path.name
    assert found.at.tzinfo is UTC
    assert found.at.year in (2024, 2025)
    assert found.order_key


def test_every_known_event_has_a_payload():
    assert {parse_event(path.read_bytes()).key for path in FILES} >= set(KNOWN_EVENTS)


def test_a_new_customer_is_read():
    found = event("add_external_contact__with_state.xml")

    assert found.key == "change_external_contact.add_external_contact"
    assert (found.corp_id, found.user_id, found.external_user_id) == ("ww1f0e2d3c4b5a6978", "chenmei", CUSTOMER)
    assert (found.state, found.welcome_code) == ("q1_store07", "k7Zt0Qm2Vx9cB4nR1sPwLd8hJf3gYu6e")
    assert found.at == datetime.fromtimestamp(1735707661, UTC)
    assert found.order_key == f"c:{CUSTOMER}"
    assert found.agent_id is None
    assert found.suite_id is None


def test_the_form_for_providers_says_the_same():
    found = event("add_external_contact__third_party.xml")

    assert found.key == "change_external_contact.add_external_contact"
    assert (found.corp_id, found.suite_id) == ("wpKq3CEAAA2m0v7Z", "ww9a8b7c6d5e4f3021")
    assert (found.user_id, found.external_user_id) == ("woKq3CEAAAz81tV2", "wmKq3CEAAAh7Pq5c")
    assert found.at == datetime.fromtimestamp(1735707661, UTC)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".json"], ids=lambda path: path.name)
def test_a_json_payload_reads_like_its_xml_twin(path):
    assert parse_event(path.read_bytes()) == parse_event(path.with_suffix(".xml").read_bytes())


def test_changed_group_members_are_a_list_even_when_there_is_one():
    assert event("change_external_chat__add_member.xml").listed("MemChangeList") == [CUSTOMER, "liqiang"]
    assert event("change_external_chat__add_one_member.xml").listed("MemChangeList") == [CUSTOMER]
    assert event("change_external_chat__add_member_without_list.xml").listed("MemChangeList") == []
    assert event("change_external_chat__add_member.xml").order_key == "g:wrQx7DEAAAbT5k2h1Yp0Xc8vQm4Zn6Ls"


def test_repeated_elements_are_lists_even_when_there_is_one():
    accounts = event("kf_account_auth_change__several.xml")

    assert accounts.listed("AuthAddOpenKfId") == ["wkA", "wkB"]
    assert accounts.listed("AuthDelOpenKfId") == ["wkC"]
    assert [account["ActiveCode"] for account in event("auto_activate__one.xml").fields["AccountList"]] == ["AC01"]
    assert len(event("auto_activate__two.xml").fields["AccountList"]) == 2


def test_the_misspelt_answers_of_a_card_read_like_the_right_spelling():
    misspelt = event("template_card_event__misspelt.xml")

    assert misspelt == event("template_card_event__spelt_right.xml")
    assert misspelt.fields["SelectedItems"] == [{"QuestionKey": "q1", "OptionIds": ["o2"]}]
    assert event("template_card_event__two_answers.xml").fields["SelectedItems"][0]["OptionIds"] == ["o2", "o3"]
    assert misspelt.user_id == "chenmei"
    assert misspelt.agent_id == 1000007


def test_a_member_keeps_what_was_told_and_nothing_else():
    created = event("change_contact__create_user.xml")
    updated = event("change_contact__update_user.xml")

    assert created.listed("Department") == ["2", "7"]
    assert created.fields["ExtAttr"][1]["Web"] == {"Title": "me", "Url": "https://example.com"}
    assert created.order_key == "s"
    assert event("change_contact__update_tag.xml").order_key == "st:4"
    assert event("change_contact__third_party_update_tag.xml").order_key == "st:4"
    assert "Name" not in updated.fields
    assert updated.text("NewUserID") == "sunli2"
    assert len(event("change_contact__update_user_one_attribute.xml").fields["ExtAttr"]) == 1


def test_blanks_around_values_do_not_count():
    assert event("suite_ticket__plain.xml").name == "suite_ticket"
    assert event("suite_ticket__plain.xml").corp_id == ""


def test_unknown_changes_and_fields_are_kept():
    found = event("change_external_contact__unknown_change.xml")

    assert found.change_type == "change_linkable_members"
    assert found.text("LinkableRange") == "all"


def test_a_members_message_is_an_event_of_its_own():
    found = event("message__text.xml")

    assert (found.key, found.user_id) == ("message.text", "chenmei")
    assert found.text("MsgId") == "7100000000000000000"


def test_the_tag_library_keeps_its_order_as_a_whole():
    assert event("change_external_tag__update_tag.xml").order_key == "t"
    assert event("change_external_tag__shuffle_groups.xml").order_key == "t"
    assert event("kf_msg_or_event__plain.xml").order_key == "kf_msg_or_event"


BASE = {"ToUserName": "ww1", "CreateTime": "1735707661", "MsgType": "event", "Event": "enter_agent"}


@pytest.mark.parametrize(
    "change",
    [
        {"CreateTime": ""},
        {"CreateTime": "soon"},
        {"CreateTime": "-5"},
        {"CreateTime": "99999999999999999"},
        {"CreateTime": {"a": 1}},
        {"MsgType": ""},
        {"MsgType": {"a": "b"}},
        {"Event": ""},
        {"Event": "x" * 65},
        {"Event": ["a", "b"]},
        {"ChangeType": ["a", "b"]},
        {"UserID": "u" * 129},
        {"ExternalUserID": ["a", "b"]},
        {"ChatId": {"a": "b"}},
        {"ToUserName": ["a"]},
        {"InfoType": ""},
        {"InfoType": "change_auth", "TimeStamp": "soon"},
        {"Deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": {}}}}}}}}}}}},
    ],
)
def test_what_cannot_be_an_event_is_refused(change):
    with pytest.raises(BadCallback):
        parse_event(json.dumps(BASE | change).encode())


@pytest.mark.parametrize("payload", [b"", b"   ", b"{}", b"[]", b"null", b"<xml/>", b"<xml>text</xml>", b"{", b"\xff"])
def test_what_is_no_payload_is_refused(payload):
    with pytest.raises(BadCallback):
        parse_event(payload)


def test_a_nul_never_reaches_the_database():
    payload = json.dumps(BASE | {"State": "a\0b", "Count": 3, "Flag": True, "None": None}).encode()

    assert parse_event(payload).fields["State"] == "ab"
    assert [parse_event(payload).fields[name] for name in ("Count", "Flag", "None")] == ["3", "1", ""]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    [*BASE, "InfoType", "TimeStamp", "SuiteId", "AgentID", "MemChangeList", "AccountList", "UserID"]
)


@given(st.dictionaries(names, json_values))
@settings(max_examples=500, deadline=None)
def test_no_json_raises_anything_else(fields):
    try:
        found = parse_event(json.dumps(BASE | fields).encode())
    except BadCallback:
        return
    texts = (found.user_id, found.external_user_id, found.chat_id, found.welcome_code, found.state, found.order_key)
    assert all(isinstance(text, str) for text in texts)
    assert all(isinstance(text, str) for name in found.fields for text in found.listed(name))


@given(st.sampled_from(FILES), st.data())
@settings(max_examples=800, deadline=None)
def test_no_mutated_payload_raises_anything_else(path, data):
    mutated = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(mutated)))
        mutated[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=6))

    try:
        found = parse_event(bytes(mutated))
    except BadCallback:
        return
    assert isinstance(found.order_key, str)
