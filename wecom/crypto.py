"""Opens and seals callbacks (developer.work.weixin.qq.com/document/path/90968). Whatever comes in, only BadCallback
comes out."""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from wecom.errors import BadCallback, OtherReceiver
from wecom.flat import flat_fields
from wecom.payload import MAX_BYTES, checked, parse_json, parse_xml

__all__ = ["MAX_BYTES", "BadCallback", "CallbackCrypto", "Delivery", "Opened", "read_query"]

_BLOCK = 32  # to which WeCom pads
_AES_BLOCK = 16
_AES_KEY = re.compile(r"[A-Za-z0-9+/]{43}")
_MAX_DIGITS = 11
_MAX_QUERY = 8 * 1024
_MAX_FIELDS = 20

_OTHER = (
    rb"(?:\s*<(?:ToUserName|AgentID)>(?:<!\[CDATA\[[^\]<>&]{0,200}\]\]>|[^\]<>&]{0,200})</(?:ToUserName|AgentID)>)*"
)
_ORDINARY = re.compile(
    rb"<xml>" + _OTHER + rb"\s*<Encrypt><!\[CDATA\[([A-Za-z0-9+/=]+)\]\]></Encrypt>" + _OTHER + rb"\s*</xml>"
)
"""The envelope as WeCom writes it. Matching it costs a third of parsing it, and the door does this for every event."""


class Opened(NamedTuple):
    """What a callback held."""

    plaintext: bytes
    timestamp: int
    receive_id: str


class Delivery(NamedTuple):
    """A callback as WeCom would post it."""

    query: dict[str, str]
    body: bytes


class CallbackCrypto:
    """The Token and EncodingAESKey of one receiver. Build it once and keep it: the decoded key is reused."""

    def __init__(self, token: str, aes_key_b64: str, receive_ids: frozenset[str]) -> None:
        if not token or not token.isascii():
            raise ValueError("Token must be letters and digits")
        if not _AES_KEY.fullmatch(aes_key_b64):
            raise ValueError("EncodingAESKey must be 43 letters and digits")
        key = base64.b64decode(aes_key_b64 + "=")
        self._token = token.encode("ascii")
        self._receive_ids = receive_ids
        self._cipher = Cipher(AES(key), CBC(key[:16]))
        self._decryptors: list[CipherContext] = []

    def __repr__(self) -> str:
        return f"CallbackCrypto(receive_ids={sorted(self._receive_ids)})"

    def echo(self, query: Mapping[str, str]) -> str:
        """The plain text that proves to WeCom, within a second, that this URL is ours (path/91116)."""
        # A "+" that was decoded as a form's blank is still a "+": base64 holds no blanks.
        echostr = _parameter(query, "echostr").replace(b" ", b"+")
        self._verify(query, echostr)
        return self._decrypt(echostr)[0].decode("utf-8")

    def open(self, query: Mapping[str, str], body: bytes) -> Opened:
        """Verifies, then decrypts. The signature comes first, so a forger learns nothing from the padding."""
        encrypted = _encrypted(body)
        timestamp = self._verify(query, encrypted)
        plaintext, receive_id = self._decrypt(encrypted)
        return Opened(plaintext, timestamp, receive_id)

    def decrypt_body(self, body: bytes) -> Opened:
        """Opens a stored body whose signature was checked when it came in; its time is not known any more."""
        plaintext, receive_id = self._decrypt(_encrypted(body))
        return Opened(plaintext, 0, receive_id)

    def seal(self, plaintext: bytes, receive_id: str, timestamp: int, nonce: str) -> bytes:
        """The signed XML envelope of a passive reply (path/90241)."""
        encrypted = self._encrypt(plaintext, receive_id)
        return (
            f"<xml><Encrypt><![CDATA[{encrypted.decode('ascii')}]]></Encrypt>"
            f"<MsgSignature><![CDATA[{self._signature(str(timestamp), nonce, encrypted)}]]></MsgSignature>"
            f"<TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
        ).encode()

    def deliver(self, plaintext: bytes, receive_id: str, timestamp: int, nonce: str, agent_id: str = "") -> Delivery:
        """The query and body with which WeCom posts this payload: for `send_callback` and tests."""
        encrypted = self._encrypt(plaintext, receive_id)
        body = (
            f"<xml><ToUserName><![CDATA[{receive_id}]]></ToUserName>"
            f"<AgentID><![CDATA[{agent_id}]]></AgentID>"
            f"<Encrypt><![CDATA[{encrypted.decode('ascii')}]]></Encrypt></xml>"
        )
        return Delivery(self._signed(timestamp, nonce, encrypted), body.encode())

    def challenge(self, plaintext: str, receive_id: str, timestamp: int, nonce: str) -> dict[str, str]:
        """The query of the GET with which WeCom verifies a URL."""
        encrypted = self._encrypt(plaintext.encode(), receive_id)
        return {**self._signed(timestamp, nonce, encrypted), "echostr": encrypted.decode("ascii")}

    def _signed(self, timestamp: int, nonce: str, encrypted: bytes) -> dict[str, str]:
        signature = self._signature(str(timestamp), nonce, encrypted)
        return {"msg_signature": signature, "timestamp": str(timestamp), "nonce": nonce}

    def _signature(self, timestamp: str, nonce: str, encrypted: bytes) -> str:
        return self._digest(timestamp.encode(), nonce.encode(), encrypted)

    def _digest(self, timestamp: bytes, nonce: bytes, encrypted: bytes) -> str:
        parts = sorted((self._token, timestamp, nonce, encrypted))
        return hashlib.sha1(b"".join(parts), usedforsecurity=False).hexdigest()

    def _verify(self, query: Mapping[str, str], encrypted: bytes) -> int:
        given = _parameter(query, "msg_signature")
        timestamp = _parameter(query, "timestamp")
        expected = self._digest(timestamp, _parameter(query, "nonce"), encrypted)
        if not hmac.compare_digest(expected.encode("ascii"), given):
            raise BadCallback("signature does not match")
        if not timestamp.isdigit() or len(timestamp) > _MAX_DIGITS:
            raise BadCallback("timestamp is not a number")
        return int(timestamp)

    def _decrypt(self, encrypted: bytes) -> tuple[bytes, str]:
        try:
            sealed = binascii.a2b_base64(encrypted, strict_mode=True)
        except ValueError:  # binascii.Error is one
            raise BadCallback("not base64 of whole blocks") from None
        if len(sealed) % _AES_BLOCK:
            raise BadCallback("not base64 of whole blocks")
        plain = self._decrypt_blocks(sealed)
        if len(plain) < _BLOCK:
            raise BadCallback("ciphertext too short")
        pad = plain[-1]
        if not 1 <= pad <= _BLOCK or not plain.endswith(bytes((pad,)) * pad):
            raise BadCallback("padding is wrong")
        end = 20 + int.from_bytes(plain[16:20], "big")
        if end > len(plain) - pad:
            raise BadCallback("length is wrong")
        plaintext, receive_id = plain[20:end], plain[end:-pad]
        try:
            plaintext.decode("utf-8")
            receiver = receive_id.decode("utf-8")
        except UnicodeDecodeError:
            raise BadCallback("plaintext not UTF-8") from None
        if receiver not in self._receive_ids:
            raise OtherReceiver(receiver)
        return plaintext, receiver

    def _decrypt_blocks(self, sealed: bytes) -> bytes:
        """With a decryptor that was used before, as making one costs ten times its work: what CBC carries over from one
        message to the next falsifies the first block alone, and that is WeCom's 16 random bytes, which nobody reads."""
        try:
            decryptor = self._decryptors.pop()
        except IndexError:  # the first, or all are at work in other threads
            decryptor = self._cipher.decryptor()
        plain = decryptor.update(sealed)
        self._decryptors.append(decryptor)
        return plain

    def _encrypt(self, plaintext: bytes, receive_id: str) -> bytes:
        content = os.urandom(16) + len(plaintext).to_bytes(4, "big") + plaintext + receive_id.encode()
        pad = _BLOCK - len(content) % _BLOCK
        encryptor = self._cipher.encryptor()
        sealed = encryptor.update(content + bytes((pad,)) * pad) + encryptor.finalize()
        return base64.b64encode(sealed)


def read_query(query_string: str) -> dict[str, str]:
    """The parameters of a callback's URL. A name given twice is refused: two readers might choose differently."""
    if len(query_string) > _MAX_QUERY:
        raise BadCallback("query too long")
    if "%" not in query_string and "+" not in query_string and query_string.isascii():
        parts = [
            part.partition("=") for part in query_string.split("&") if part
        ]  # nothing to decode: as parse_qsl would
        if len(parts) <= _MAX_FIELDS:
            plain = {name: value for name, _, value in parts}
            if len(plain) == len(parts):
                return plain
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError:  # too many fields, or not UTF-8
        raise BadCallback("query unreadable") from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise BadCallback("parameter given twice")
    return query


def _parameter(query: Mapping[str, str], name: str) -> bytes:
    value: object = query.get(name)
    if not isinstance(value, str) or not value:
        raise BadCallback(f"{name} missing")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadCallback(f"{name} not UTF-8") from None


def _encrypted(body: bytes) -> bytes:
    """The Encrypt text of an envelope, XML or JSON (path/90968 and the JSON form of newer receivers)."""
    body = checked(body)
    text: Any
    if body[0] == 0x7B:  # {
        text = next((value for name, value in parse_json(body).items() if name.lower() == "encrypt"), None)
    elif (ordinary := _ORDINARY.fullmatch(body)) is not None:
        return bytes(ordinary[1])
    elif (flat := flat_fields(body)) is not None:
        text = flat.get("Encrypt")
    else:
        text = parse_xml(body).findtext("Encrypt")
    if not isinstance(text, str) or not (text := text.strip()):
        raise BadCallback("Encrypt missing")
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise BadCallback("Encrypt is not base64") from None
