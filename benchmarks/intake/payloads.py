"""Signed and encrypted callbacks, ready to be sent: no two carry the same event."""

import itertools
import os
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from wecom.crypto import CallbackCrypto

CORP_ID = "ww1f0e2d3c4b5a6978"
TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
_EVENT = (
    "<xml><ToUserName><![CDATA[{corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[{change}]]></ChangeType>"
    "<UserID><![CDATA[staff{staff:03d}]]></UserID><ExternalUserID><![CDATA[wmQx7DEAAA{run}{number:012d}]]></ExternalUserID>"
    "<State><![CDATA[q1_store{staff:03d}]]></State></xml>"
)
_numbers = itertools.count()
_run = os.urandom(4).hex()


@dataclass(frozen=True, slots=True)
class Sent:
    """A request for a path, and the event in it."""

    plaintext: bytes
    request: bytes


def make(path: str, count: int) -> list[Sent]:
    crypto = CallbackCrypto(TOKEN, AES_KEY, frozenset({CORP_ID}))
    return [_one(crypto, path) for _ in range(count)]


def _one(crypto: CallbackCrypto, path: str) -> Sent:
    number, now = next(_numbers), int(time.time())
    change = "edit_external_contact" if number % 3 else "add_external_contact"
    plaintext = _EVENT.format(corp=CORP_ID, at=now, change=change, staff=number % 50, run=_run, number=number).encode()
    delivery = crypto.deliver(plaintext, CORP_ID, now, str(number))
    head = (
        f"POST {path}?{urlencode(delivery.query)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\n"
        f"Content-Length: {len(delivery.body)}\r\n\r\n"
    )
    return Sent(plaintext, head.encode() + delivery.body)
