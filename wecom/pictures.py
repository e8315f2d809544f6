"""Pictures that WeCom's answers point at, such as the QR code of a contact way: fetched from its hosts alone."""

from urllib.parse import urlsplit

from wecom.errors import WeComUnavailable
from wecom.wire import Wire, WireFault

PICTURE_HOSTS = frozenset({"p.qpic.cn", "wework.qpic.cn", "wx.qlogo.cn"})
MAX_PICTURE = 2 * 1024 * 1024


class NotAPicture(ValueError):
    """An address that is none of WeCom's picture hosts, or an answer that is no picture."""


def fetch_picture(url: str, *, trusted_hosts: frozenset[str] = frozenset()) -> bytes:
    """The bytes behind a picture's address; always over https, but for hosts the deployment trusts and this machine.

    Raises NotAPicture for an address we do not fetch, WeComUnavailable when it cannot be had now.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    scheme = "https" if host in PICTURE_HOSTS else parts.scheme
    port = f":{parts.port}" if parts.port and host not in PICTURE_HOSTS else ""
    try:
        wire = Wire(f"{scheme}://{host}{port}", trusted_hosts=trusted_hosts | PICTURE_HOSTS)
    except ValueError as error:
        raise NotAPicture(url[:200]) from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        answer = wire.request("GET", target, None, repeatable=True)
    except WireFault as fault:
        raise WeComUnavailable(0, fault.reason, "picture") from None
    finally:
        wire.close()
    if answer.status != 200:
        raise WeComUnavailable(answer.status, f"HTTP {answer.status}", "picture")
    if not answer.body.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8")) or len(answer.body) > MAX_PICTURE:
        raise NotAPicture(url[:200])
    return answer.body
