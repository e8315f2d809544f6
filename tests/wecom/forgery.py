"""Builds callbacks that no honest sender would, with a key that the receiver knows."""

import base64
import hashlib

from wecom.crypto import CallbackCrypto

TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
CORP = "wx5823bf96d3bd56c7"
SUITE = "ww9a8b7c6d5e4f3021"
TIME = 1409659589
XML = "<xml><MsgType><![CDATA[event]]></MsgType><Name><![CDATA[孙莉 🍵]]></Name></xml>".encode()

crypto = CallbackCrypto(TOKEN, AES_KEY, frozenset({CORP, SUITE}))


def signed(encrypted, timestamp=str(TIME), nonce="n", token=TOKEN):
    """The query that a holder of the token would send with this Encrypt text."""
    signature = hashlib.sha1("".join(sorted([token, timestamp, nonce, encrypted])).encode()).hexdigest()
    return {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}


def sealed(content):
    """Any bytes as ciphertext under our key, to build what no honest sender would."""
    encryptor = crypto._cipher.encryptor()
    return base64.b64encode(encryptor.update(content) + encryptor.finalize()).decode()


def envelope(encrypted):
    return f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()


def plain(message=b"<xml/>", receive_id=b"wx5823bf96d3bd56c7", length=None, pad=None):
    content = bytes(16) + (len(message) if length is None else length).to_bytes(4, "big") + message + receive_id
    missing = 32 - len(content) % 32
    return content + (bytes((missing,)) * missing if pad is None else pad(missing))
