"""What a call to WeCom can end in. Callers catch a family or a named case and never compare code numbers."""

import re

_HINT = re.compile(r"hint: \[([^\]]{1,80})\]")
_SOURCE_IP = re.compile(r"from ip: ([0-9a-fA-F.:]{2,45})")


class WeComError(Exception):
    """A call that did not succeed. `code` is WeCom's errcode, an HTTP status below 600, or 0 for the network."""

    def __init__(self, code: int, message: str, call: str) -> None:
        super().__init__(code, message, call)  # all three, or the error cannot be unpickled by a task queue
        self.code = code
        self.message = message
        self.call = call

    def __str__(self) -> str:
        return f"{self.call}: {self.message} ({self.code})"

    @property
    def hint(self) -> str:
        """The id WeCom prints in its errmsg and asks for in a support ticket."""
        found = _HINT.search(self.message)
        return found.group(1) if found else ""

    @property
    def source_ip(self) -> str:
        """The address WeCom saw us call from: what the admin must enter as trusted IP after a 60020."""
        found = _SOURCE_IP.search(self.message)
        return found.group(1) if found else ""


class WeComUnavailable(WeComError):
    """WeCom is down, slow or limiting us, and did nothing. Try again later."""


class WeComRateLimited(WeComUnavailable):
    """45009 or HTTP 429: the ban lasts as long as the exceeded window (a minute, an hour, a day)."""


class WeComBusy(WeComUnavailable):
    """45033: too many calls of this API at once for this company. Lower the concurrency."""


class WeComMisconfigured(WeComError):
    """A secret, right, trusted IP or licence is wrong. Nothing helps until a person mends it: park the call."""


class NoRight(WeComMisconfigured):
    """48002 and its like: WeCom keeps this one API from the app. What the app asks elsewhere is not concerned."""


class NoCustomerRight(WeComMisconfigured):
    """84074: the member has no 客户联系 right. Where many members are asked for, a matter of that one alone."""


class WeComRefused(WeComError):
    """WeCom understood and refused this very call. Repeating it will not help."""


class NotAFriend(WeComRefused):
    """84061: no friendship between that member and that customer, the member deleted it or it is one-way."""


class GroupDissolved(WeComRefused):
    """49008: the customer group is gone, and says so."""


class NotVisible(WeComRefused):
    """The member, department or customer is unknown to this app or outside its visible range."""


class WelcomeExpired(WeComRefused):
    """41050: the welcome code is used, invalid or older than 20 seconds."""


class WelcomeTaken(WeComRefused):
    """41051: they already chat, so no welcome message is wanted."""


class WelcomeBusy(WeComRefused):
    """41096: another app is sending a welcome message right now. May be tried again inside the window."""


class CodeUsed(WeComRefused):
    """40078: the authorisation code was used before, or its ten minutes are over."""


class StaleCursor(WeComRefused):
    """50100: the page cursor is no longer valid; the listing starts again."""


class MediaExpired(WeComRefused):
    """40007: the media_id is older than three days or of the wrong upload kind; upload again."""


class TagGone(WeComRefused):
    """40068: of the tags in the call one at least is unknown, or deleted; WeCom does not say which, and did nothing."""


class WeComUnknown(WeComError):
    """The request may have reached WeCom and no usable answer came back. Look it up before repeating it."""


class BadCallback(Exception):
    """A callback that is not from WeCom, not for us or broken. `reason` is for the log, never for the answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OtherReceiver(BadCallback):
    """It opens with our key, and names another company than those whom the key is for."""

    def __init__(self, receive_id: str) -> None:
        super().__init__("addressed to another receiver")
        self.receive_id = receive_id
