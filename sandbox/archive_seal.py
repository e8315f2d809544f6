"""The envelope that WeCom's own library opens: a random key under RSA, the message under AES (wecom-api.md 7.3).

encrypt_chat_msg = 13 filler ‖ K0 (32) ‖ filler of pre_len ‖ C[:s_len] ‖ filler of s_len ‖ C[s_len:] ‖ filler of end_len
encrypt_key      = base64(IV ‖ AES-256-CBC(K0, protobuf{k1, pre_len, end_len, s_len}))
C                = base64(IV ‖ AES-256-CBC(k1, the message as JSON))
"""

from __future__ import annotations

import base64
import json
from random import Random
from typing import Any

from Crypto.Cipher import AES, PKCS1_v1_5
from Crypto.PublicKey import RSA
from Crypto.Util.Padding import pad

from sandbox.archive import Entry
from sandbox.archive_files import protobuf

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_keys: dict[str, RSA.RsaKey] = {}


def public_key(pem: str) -> RSA.RsaKey:
    """RSA of 2048 bits, as the console demands."""
    if pem not in _keys:
        key = RSA.import_key(pem)
        if key.has_private() or key.size_in_bits() != 2048:
            raise ValueError("a public key of 2048 bits is needed")
        _keys[pem] = key
    return _keys[pem]


def filler(dice: Random, length: int) -> str:
    return "".join(dice.choices(LETTERS, k=length))


def cbc(dice: Random, key: str, body: bytes) -> str:
    start = dice.randbytes(16)
    sealed = AES.new(key.encode(), AES.MODE_CBC, start).encrypt(pad(body, 16))
    return base64.b64encode(start + sealed).decode()


def seal_text(dice: Random, text: str) -> tuple[str, str]:
    """(encrypt_key, encrypt_chat_msg) of a plaintext."""
    outer, inner = filler(dice, 32), filler(dice, 32)
    body = cbc(dice, inner, text.encode())
    before, after = dice.randrange(1, 30), dice.randrange(1, 30)
    split = dice.randrange(1, min(40, len(body) // 2 - 1))
    key = cbc(dice, outer, protobuf(inner, before, after, split))
    parts = [filler(dice, 13), outer, filler(dice, before), body[:split], filler(dice, split), body[split:]]
    return key, "".join([*parts, filler(dice, after)])


def sealed(entry: Entry, pem: str) -> dict[str, Any]:
    """A row of getchatdata; the same row again when it is pulled again."""
    dice = Random(f"{entry.msgid}/{entry.version}")
    key, body = seal_text(dice, json.dumps(entry.plain, ensure_ascii=False))
    if entry.broken == "short":
        body = body[:10]
    elif entry.broken:
        body = body[:45] + body[45:][::-1]
    lock = PKCS1_v1_5.new(public_key(pem), randfunc=dice.randbytes)
    return {
        "seq": entry.seq,
        "msgid": entry.msgid,
        "publickey_ver": entry.version,
        "encrypt_random_key": base64.b64encode(lock.encrypt(key.encode())).decode(),
        "encrypt_chat_msg": body,
    }
