"""The callback's seal: AES-256-CBC with a pad to 32 bytes, and a SHA-1 signature (wecom-api.md 1.2, 1.3)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from Crypto.Cipher import AES

BLOCK = 32


class BadSeal(ValueError):
    """The text was not sealed with these keys."""


class Seal:
    def __init__(self, token: str, aes_key: str, receive_id: str) -> None:
        if len(aes_key) != 43 or not aes_key.isascii() or not aes_key.isalnum():
            raise BadSeal("EncodingAESKey must be 43 letters and digits")
        if not token or len(token) > 32 or not token.isascii() or not token.isalnum():
            raise BadSeal("Token must be 1 to 32 letters and digits")
        self.token = token
        self.receive_id = receive_id
        self.key = base64.b64decode(aes_key + "=")

    def sign(self, timestamp: str, nonce: str, encrypted: str) -> str:
        return hashlib.sha1("".join(sorted([self.token, timestamp, nonce, encrypted])).encode()).hexdigest()

    def encrypt(self, message: bytes) -> str:
        body = os.urandom(16) + len(message).to_bytes(4, "big") + message + self.receive_id.encode()
        pad = BLOCK - len(body) % BLOCK
        return base64.b64encode(
            AES.new(self.key, AES.MODE_CBC, self.key[:16]).encrypt(body + bytes([pad]) * pad)
        ).decode()

    def decrypt(self, encrypted: str) -> bytes:
        try:
            raw = AES.new(self.key, AES.MODE_CBC, self.key[:16]).decrypt(base64.b64decode(encrypted, validate=True))
        except ValueError as error:
            raise BadSeal("not a ciphertext") from error
        pad = raw[-1] if raw else 0
        if not 1 <= pad <= BLOCK:
            raise BadSeal("bad padding")
        end = 20 + int.from_bytes(raw[16:20], "big")
        message, receive_id = raw[20:end], raw[end : len(raw) - pad]
        if not hmac.compare_digest(receive_id, self.receive_id.encode()):
            raise BadSeal("sealed for another receiver")
        return message
