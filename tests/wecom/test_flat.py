"""The quick reader and the parser never disagree: what the first reads, the second reads alike."""

import random
from pathlib import Path

import pytest

from wecom.errors import BadCallback
from wecom.flat import flat_fields
from wecom.payload import _from_element, parse_xml

PAYLOADS = sorted((Path(__file__).parent.parent / "payloads" / "wecom").glob("*.xml"))
USUAL = (
    "<xml><ToUserName><![CDATA[ww1]]></ToUserName><CreateTime>1735707661</CreateTime><State><![CDATA[]]></State></xml>"
)


def parsed(body: bytes) -> object:
    try:
        return _from_element(parse_xml(body), 1)
    except BadCallback:
        return None


def test_the_usual_form_is_read() -> None:
    assert flat_fields(USUAL.encode()) == {"ToUserName": "ww1", "CreateTime": "1735707661", "State": ""}


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda path: path.name)
def test_every_known_payload_is_read_alike_or_left_to_the_parser(payload: Path) -> None:
    body = payload.read_bytes().strip()
    flat = flat_fields(body)
    assert flat is None or flat == parsed(body)


@pytest.mark.parametrize(
    "text",
    [
        "<xml><A>1</A><A>2</A></xml>",
        "<xml><A><B>1</B></A></xml>",
        "<xml><A x='1'>1</A></xml>",
        "<xml><A>&amp;</A></xml>",
        "<xml><A>1</A>loose</xml>",
        "<xml><A><![CDATA[x]]>y</A></xml>",
        "<xml><A><![CDATA[x]]y]]></A></xml>",
        "<xml><A><![CDATA[x]]><![CDATA[y]]></A></xml>",
        "<xml><A>\x01</A></xml>",
        "<xml><A>\r\n</A></xml>",
        "<xml><A>\ufffe</A></xml>",
        "<xml><A/></xml>",
        "<xml><!-- --><A>1</A></xml>",
        "<!DOCTYPE x><xml><A>1</A></xml>",
        "<xml></xml>",
        "<xml><A>1</B></xml>",
        "<xml><1>1</1></xml>",
        "<xml><xml>1</xml></xml><xml></xml>",
        "<xml><é>1</é></xml>",
    ],
)
def test_anything_unusual_is_left_to_the_parser(text: str) -> None:
    flat = flat_fields(text.encode())
    assert flat is None or flat == parsed(text.encode())


def test_twenty_thousand_mutations_are_read_alike_or_not_at_all() -> None:
    """A character is changed, dropped, doubled or moved anywhere: whatever is still read is what the parser reads."""
    pick = random.Random(7)
    alphabet = "<>/[]!CDATA&;'\" \t\n\r\x00\x1fxml01é中\u2028"
    read = 0
    for _ in range(20_000):
        text = list(USUAL)
        for _ in range(pick.randint(1, 3)):
            place = pick.randrange(len(text))
            text[place : place + pick.randint(0, 2)] = pick.choice([pick.choice(alphabet), "", text[place] * 2])
        body = "".join(text).strip().encode()
        flat = flat_fields(body)
        if flat is not None:
            read += 1
            assert flat == parsed(body), body
    assert read > 1_000
