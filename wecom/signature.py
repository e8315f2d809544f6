"""The signature of JS-SDK pages (path/90506)."""

import hashlib


def js_signature(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """SHA-1 over the raw values; `url` is the page's full address up to, not including, its `#`."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
