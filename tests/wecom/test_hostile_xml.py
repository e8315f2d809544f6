"""Fifty hostile documents (entities, document types, bombs, encodings) as envelope and as payload."""

import pytest

from tests.wecom.forgery import CORP, TIME, crypto, plain, sealed, signed
from wecom.crypto import BadCallback
from wecom.events import parse_event

BOMB = "".join(f'<!ENTITY b{n} "{("&b" + str(n - 1) + ";") * 10 if n else "ha"}">' for n in range(12))
SECRETS = [
    "file:///etc/passwd",
    "file:///etc/hostname",
    "http://127.0.0.1:9/x",
    "https://example.com/x",
    "ftp://127.0.0.1/x",
    "gopher://127.0.0.1:70/x",
    "php://filter/resource=/etc/passwd",
    "jar:file:///tmp/x.jar!/x",
    "netdoc:///etc/passwd",
    "expect://id",
]
BODY = "<ToUserName>{0}</ToUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>{0}</Event>"
BODY += "<Encrypt>{0}</Encrypt>"


def document(doctype, value="&x;", head=""):
    return f"{head}{doctype}<xml>{BODY.format(value)}</xml>"


HOSTILE = [
    *(document(f'<!DOCTYPE xml [<!ENTITY x SYSTEM "{secret}">]>') for secret in SECRETS),
    *(document(f'<!DOCTYPE xml SYSTEM "{secret}">', "enter_agent") for secret in SECRETS),
    *(document(f'<!DOCTYPE xml [<!ENTITY % p SYSTEM "{secret}"> %p;]>', "enter_agent") for secret in SECRETS),
    *(document(f'<!DOCTYPE xml PUBLIC "-//x" "{secret}">', "enter_agent") for secret in SECRETS),
    document(f"<!DOCTYPE xml [{BOMB}]>", "&b11;"),
    document(f'<!DOCTYPE xml [<!ENTITY x "{"A" * 40_000}">]>', "&x;" * 500),
    document('<!DOCTYPE xml [<!ENTITY x "&x;">]>'),
    document("<!DOCTYPE xml>", "enter_agent"),
    document("<!DOCTYPE xml []>", "enter_agent"),
    document('<!DOCTYPE xml [<!ATTLIST xml a CDATA "b">]>', "enter_agent"),
    document("", "&x;"),
    document("", "&#0;"),
    document("", "\x0b"),
    "<xml>" + "<a>" * 300 + "</a>" * 300 + "</xml>",
    "<xml>" + "<a>" * 12 + "</a>" * 12 + "</xml>",
    "<xml",
    "<!DOCTYPE",
    "<!DOCTYPE xml [",
]
OTHER_ENCODINGS = [
    document('<!DOCTYPE xml [<!ENTITY x "enter_agent">]>', head='<?xml version="1.0" encoding="utf-16"?>').encode(name)
    for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")
] + [
    document("+ADwAIQ-DOCTYPE xml+AD4-", "enter_agent", head='<?xml version="1.0" encoding="utf-7"?>').encode(),
    document("", "é", head='<?xml version="1.0" encoding="latin-1"?>').encode("latin-1"),
]
ALL = [text.encode() for text in HOSTILE] + OTHER_ENCODINGS


@pytest.mark.parametrize("body", ALL, ids=range(len(ALL)))
def test_a_hostile_payload_is_refused(body):
    with pytest.raises(BadCallback):
        parse_event(body)


@pytest.mark.parametrize("body", ALL, ids=range(len(ALL)))
def test_a_hostile_envelope_is_refused(body):
    with pytest.raises(BadCallback):
        crypto.open({"msg_signature": "x", "timestamp": "1", "nonce": "n"}, body)


def test_an_entity_never_becomes_the_signed_text():
    encrypted = sealed(plain())
    body = f'<!DOCTYPE xml [<!ENTITY x "{encrypted}">]><xml><Encrypt>&x;</Encrypt></xml>'.encode()

    with pytest.raises(BadCallback, match="document type"):
        crypto.open(signed(encrypted), body)


def test_the_same_letters_inside_text_are_harmless():
    payload = (
        b"<xml><ToUserName>ww1</ToUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>change_contact</Event>"
        b"<ChangeType>create_user</ChangeType><UserID>a</UserID><Name><![CDATA[<!DOCTYPE & <!ENTITY]]></Name></xml>"
    )

    opened = crypto.open(*crypto.deliver(payload, CORP, TIME, "n"))

    assert parse_event(opened.plaintext).text("Name") == "<!DOCTYPE & <!ENTITY"
