import pickle

import pytest

from wecom.codes import CODES, error_for, explain
from wecom.errors import (
    GroupDissolved,
    MediaExpired,
    NoCustomerRight,
    NoRight,
    NotAFriend,
    NotVisible,
    StaleCursor,
    TagGone,
    WeComBusy,
    WeComError,
    WeComMisconfigured,
    WeComRateLimited,
    WeComRefused,
    WeComUnavailable,
    WeComUnknown,
    WelcomeBusy,
    WelcomeExpired,
    WelcomeTaken,
)

ERRORS = [
    WeComError,
    WeComUnavailable,
    WeComRateLimited,
    WeComBusy,
    WeComMisconfigured,
    WeComRefused,
    NotAFriend,
    NotVisible,
    WelcomeExpired,
    WelcomeTaken,
    WelcomeBusy,
    StaleCursor,
    MediaExpired,
    WeComUnknown,
]


@pytest.mark.parametrize("error", ERRORS)
def test_errors_survive_a_task_queue(error):
    sent = error(60020, "not allow to access from your ip", "user/get")

    received = pickle.loads(pickle.dumps(sent))

    assert type(received) is error
    assert (received.code, received.message, received.call) == (60020, sent.message, "user/get")


def test_every_error_is_in_exactly_one_family():
    families = (WeComUnavailable, WeComMisconfigured, WeComRefused, WeComUnknown)

    assert all(sum(issubclass(error, family) for family in families) == 1 for error in ERRORS[1:])


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (-1, WeComUnavailable),
        (6000, WeComUnavailable),
        (45009, WeComRateLimited),
        (45033, WeComBusy),
        (41063, WeComUnavailable),
        (40001, WeComMisconfigured),
        (40013, WeComMisconfigured),
        (48002, NoRight),
        (60020, WeComMisconfigured),
        (701008, WeComMisconfigured),
        (84061, NotAFriend),
        (84074, NoCustomerRight),
        (60111, NotVisible),
        (40096, NotVisible),
        (41050, WelcomeExpired),
        (41051, WelcomeTaken),
        (41096, WelcomeBusy),
        (49008, GroupDissolved),
        (50100, StaleCursor),
        (40007, MediaExpired),
        (40068, TagGone),
        (40058, WeComRefused),
        (42030, WeComRefused),
        (95016, WeComRefused),
        (999999, WeComMisconfigured),
    ],
)
def test_a_code_becomes_its_error(code, error):
    assert type(error_for(code, "…", "user/get")) is error


# Every code and range of the official list that this product can meet.
MET = """
-1 6000 40001
40003 40007 40013 40014 40029 40031 40032 40033 40035 40054 40055 40056 40058 40063 40066 40068 40070-40072
40077 40078 40080 40082-40085 40093 40094 40096-40100 40126 40128-40131 40143 40201 40204-40206 41001-41011 41021-41025
41035-41055 41058-41065 41067-41072 41076-41084 41088-41091 41093-41096 42001 42003 42007 42009 42012 42014-42052 43004
43009 44001 44004 45001 45002 45007-45009 45024 45029 45033 46004 48001-48007 48009 49008 50001-50003 50006 50100
60003 60004 60011 60020 60021 60030 60031 60111 60123 60136 60140 60251-60253 81011-81013 81017 82001-82003 84014 84015
84061 84074 84083 84084 85005 90100-90106 90200-90208 90500-90511 91040 92000-92003 95000-95031 301002 301007 301042
301048 301052 301053 301058-301061 610014-610018 670001 701001-701040 701081-701090 701099 701129-701135 701170 710006
730000 790000-790008 830001-830003 842002-842006 845001-845003 846000
"""


def test_every_code_the_product_can_meet_is_explained():
    missing = []
    for entry in MET.split():
        first, _, last = entry.partition("-") if not entry.startswith("-") else (entry, "", "")
        missing += [code for code in range(int(first), int(last or first) + 1) if code not in CODES]

    assert missing == []
    assert all(row.meaning for row in CODES.values())


def test_an_unknown_code_is_parked_for_a_person():
    assert explain(123456789).error is WeComMisconfigured


def test_an_error_tells_the_hint_and_the_address_that_wecom_saw():
    message = "not allow to access from your ip, hint: [1735750000_11_0f], from ip: 203.0.113.7, more info at https://…"

    error = WeComMisconfigured(60020, message, "user/get")

    assert error.hint == "1735750000_11_0f"
    assert error.source_ip == "203.0.113.7"
    assert WeComRefused(1, "", "x").hint == ""
