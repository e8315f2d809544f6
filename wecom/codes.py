"""WeCom's error codes: what each means and which error it becomes (path/90313)."""

from collections.abc import Iterable
from typing import NamedTuple

from wecom.errors import (
    CodeUsed,
    GroupDissolved,
    MediaExpired,
    NoCustomerRight,
    NoRight,
    NotAFriend,
    NotVisible,
    StaleCursor,
    TagGone,
    WeComBusy,
    WeComError,
    WeComMisconfigured,
    WeComRateLimited,
    WeComRefused,
    WeComUnavailable,
    WelcomeBusy,
    WelcomeExpired,
    WelcomeTaken,
)


class Code(NamedTuple):
    """One row of the table."""

    error: type[WeComError]
    meaning: str


TOKEN_REFUSED = frozenset({40014, 42001, 40082, 42009})
"""A new access token may help, once; the last two are said of a suite's. 40014 also means a token of the wrong kind, so
a second refusal is final."""

_RETRY: dict[int, str] = {
    -1: "WeCom is busy",
    6000: "another writer changed the same data at the same moment",
    41063: "the mass message is still being dispatched",
    41079: "the moment is being dispatched",
    42001: "the access token has expired",
    42009: "the suite access token has expired",
}

_CONFIGURATION: dict[int, str] = {
    40001: "the secret is wrong, was reset, or the app is stopped",
    40013: "the corp id is wrong",
    40014: "the access token is invalid or of the wrong kind for this API",
    40056: "the agent id is wrong",
    40080: "the suite secret is wrong",
    40082: "the suite access token is invalid",
    40083: "the suite id is wrong",
    40084: "the permanent code is invalid: authorisation withdrawn, or of another provider",
    40085: "the suite ticket is invalid or has expired",
    40093: "the JS-SDK signature is wrong",
    41001: "the access token is missing",
    41002: "the corp id is missing",
    41004: "the secret is missing",
    41011: "the agent id is missing",
    42012: "the jsapi ticket is of the wrong kind or of another app",
    43009: "the company is not verified",
    45024: "the company's account limit is reached",
    48003: "the suite id does not match",
    48004: "the authorisation of the suite is gone",
    48006: "the app's API rights were withdrawn because it was long unused",
    48007: "the customer service account was not granted to the app",
    50001: "the redirect domain is not trusted for this app",
    50002: "the member is outside the app's visible range",
    50003: "the app is disabled",
    50006: "the system app is disabled",
    60020: "the calling IP is not in the app's trusted IPs",
    60031: "the app may no longer call APIs",
    81012: "the app has no visible range",
    85005: "the ownership of the domain was not verified",
    301002: "the agent id does not belong to this token",
    301007: "the company was dissolved or banned",
    301042: "the session archive is not enabled",
    301048: "the session archive has no permitted range",
    301052: "the session archive has expired",
    301053: "the calling IP is not in the session archive's trusted IPs",
    301058: "the session archive does not allow this call",
    301059: "the session archive does not allow this call",
    301060: "the session archive does not allow this call",
    301061: "the session archive does not allow this call",
    701008: "the member has no valid interop licence",
    701170: "the free trial of group QR codes is over",
    710601: "the data zone refuses the call",
}

_DATA: dict[int, str] = {
    40003: "the member id is wrong or not in contacts",
    40004: "the media type is invalid",
    40005: "the file type is invalid",
    40006: "the file's size is invalid",
    40008: "the message type is invalid",
    40009: "the picture's size is invalid",
    40011: "the video's size is invalid",
    40029: "the sign-in code is invalid, used or older than five minutes",
    40031: "the list of ids is invalid",
    40032: "the list of ids is too long",
    40033: "the body holds escaped characters this API refuses",
    40035: "a parameter is invalid",
    40054: "the URL of a sub-menu is invalid",
    40055: "the URL of a menu is invalid",
    40058: "a parameter is invalid or too long",
    40063: "a required parameter is empty",
    40066: "the list of departments is invalid",
    40070: "the range of tags is invalid",
    40071: "a tag of that name exists",
    40072: "the tag name is invalid",
    40077: "the pre-authorisation code is invalid",
    40094: "the URL is invalid",
    40097: "the member handing over has not resigned",
    40098: "the member taking over is not real-name verified",
    40099: "the member taking over has reached the customer limit",
    40100: "the customer is already being handed over",
    40123: "the picture's format is invalid",
    40126: "the company has reached its 3,000 customer tags",
    40128: "the customer was handed over twice in 90 days",
    40129: "the customer is being handed over",
    40130: "both members of the hand-over are the same",
    40131: "the member does not follow this customer",
    40143: "the member taking over is banned",
    40201: "the content was held back as spam",
    40204: "the content was held back as sensitive",
    40205: "the member did not sign in within a year",
    40206: "the body is too large",
    41046: "the mass message id is missing",
    41047: "the mass message id is invalid",
    41048: "the mass message reaches nobody",
    41049: "the welcome code is missing",
    41052: "the send time is invalid",
    41053: "the customer has not agreed to the session archive",
    41054: "the contact way's parameters are invalid",
    41055: "the company has reached its 100 group welcome templates",
    41058: "the group welcome template belongs to another app",
    41059: "the moment id is missing",
    41060: "the moment id is invalid",
    41061: "the moment is not this member's",
    41062: "the moment is not yet published",
    41064: "too many attachments",
    41065: "the attachment type is invalid",
    41067: "the moment is of the wrong kind for this call",
    41072: "the attachment was uploaded for another use",
    41078: "too many moment tasks at once",
    41080: "the attachment is too large",
    41081: "the attachment's resolution is too large",
    41082: "the video is too long",
    41088: "the attachment is empty",
    41089: "the attachment's format is invalid",
    41090: "the attachment is invalid",
    41091: "a join way holds more than five groups",
    41093: "the mass message was cancelled",
    41094: "members were reminded too often",
    41095: "the company has reached its acquisition links",
    42003: "the sign-in code has expired",
    42007: "the pre-authorisation code has expired",
    42022: "the sign-in code was used",
    42052: "the message is older than 24 hours and cannot be recalled",
    43004: "the member has no WeChat bound",
    44001: "the uploaded file is empty",
    44004: "the text is empty",
    45001: "the file is too large",
    45002: "the text is too long",
    45007: "the voice message is too long",
    45008: "more than eight articles",
    45029: "the answer would be too large: read by department",
    46004: "the member does not exist",
    60004: "the parent department does not exist",
    60140: "the response code of the card is invalid",
    81011: "the tag belongs to another app",
    81013: "none of the receivers is valid",
    81017: "too many ids",
    82001: "no receiver was given",
    82002: "too many departments",
    82003: "too many tags",
    84014: "the user ticket has expired",
    84015: "the user ticket is invalid",
    84083: "the member is not a service member",
    91040: "the ticket type is invalid",
    710006: "the temporary id is invalid or has expired",
    730000: "the temporary id is invalid",
}

_NOT_VISIBLE: dict[int, str] = {
    40096: "the customer id is unknown here, or its followers are outside the visible range",
    60003: "the department does not exist",
    60011: "no right on this member, department or tag",
    60021: "the member is outside the visible range",
    60030: "the member is outside the visible range",
    60111: "the member is unknown, has left, or is outside the visible range",
    60123: "the department is invalid",
    60136: "there is no such record",
    84084: "the member does not follow this customer, or is outside the visible range",
}

_NAMED: dict[int, Code] = {
    40007: Code(MediaExpired, "the media id has expired or was uploaded for another use"),
    40068: Code(TagGone, "the tag id is invalid"),
    40078: Code(CodeUsed, "the authorisation code is invalid or used"),
    41050: Code(WelcomeExpired, "the welcome code is invalid, used or older than 20 seconds"),
    41051: Code(WelcomeTaken, "the customer already chats with the member"),
    41096: Code(WelcomeBusy, "another app is sending the welcome message"),
    45009: Code(WeComRateLimited, "the call rate limit is reached"),
    45033: Code(WeComBusy, "too many calls of this API at once"),
    48001: Code(NoRight, "the API is not enabled for this company or app"),
    48002: Code(NoRight, "the app has no right to this API"),
    48005: Code(NoRight, "the API is retired"),
    48009: Code(NoRight, "contact sync may not read details from this IP"),
    49008: Code(GroupDissolved, "the group was dissolved"),
    50100: Code(StaleCursor, "the page cursor is no longer valid"),
    84061: Code(NotAFriend, "there is no friendship between this member and this customer"),
    84074: Code(NoCustomerRight, "the member has no customer contact right"),
}

_RANGES: list[tuple[range, Code]] = [
    (range(41003, 41011), Code(WeComRefused, "a required parameter is missing")),
    (range(41021, 41026), Code(WeComRefused, "a suite parameter is missing")),
    (range(41035, 41046), Code(WeComRefused, "the contact way's parameters are invalid")),
    (range(41068, 41072), Code(WeComRefused, "the intercept rule's parameters are invalid")),
    (range(41076, 41078), Code(WeComRefused, "the intercept rule's parameters are invalid")),
    (range(41083, 41085), Code(WeComRefused, "the intercept rule's parameters are invalid")),
    (range(42014, 42052), Code(WeComRefused, "the message card's parameters are invalid")),
    (range(60251, 60254), Code(WeComRefused, "the customer service account or member is invalid")),
    (range(90100, 90107), Code(WeComRefused, "the external profile is invalid")),
    (range(90200, 90209), Code(WeComRefused, "the mini-program notice is invalid")),
    (range(90500, 90512), Code(WeComRefused, "the customer group cannot be used so")),
    (range(92000, 92004), Code(WeComMisconfigured, "the data belongs to another app or company, or is not granted")),
    (range(95000, 95032), Code(WeComRefused, "WeChat customer service refused the call")),
    (range(610014, 610019), Code(WeComRefused, "the WeChat account's subject does not match")),
    (range(670001, 670100), Code(WeComRefused, "the up- and downstream company cannot be used so")),
    (range(701001, 701041), Code(WeComMisconfigured, "the interface licence order or activation was refused")),
    (range(701081, 701091), Code(WeComMisconfigured, "the interface licence order or activation was refused")),
    (range(701099, 701100), Code(WeComMisconfigured, "the interface licence order or activation was refused")),
    (range(701129, 701136), Code(WeComMisconfigured, "the interface licence order or activation was refused")),
    (range(790000, 790009), Code(WeComMisconfigured, "the data zone refuses the call")),
    (range(830001, 830004), Code(WeComRefused, "the upload by URL failed")),
    (range(842002, 842007), Code(WeComMisconfigured, "the app template cannot be used so")),
    (range(845001, 845004), Code(WeComRefused, "the WeChat account's subject does not match")),
    (range(846000, 846001), Code(WeComMisconfigured, "the app template cannot be used so")),
]


def _table() -> dict[int, Code]:
    """Ranges first, so that a code with its own line wins over the range it lies in."""
    table: dict[int, Code] = {}
    for codes, row in _RANGES:
        table.update(dict.fromkeys(codes, row))
    families: Iterable[tuple[type[WeComError], dict[int, str]]] = (
        (WeComUnavailable, _RETRY),
        (WeComMisconfigured, _CONFIGURATION),
        (WeComRefused, _DATA),
        (NotVisible, _NOT_VISIBLE),
    )
    for error, meanings in families:
        table.update({code: Code(error, meaning) for code, meaning in meanings.items()})
    return table | _NAMED


CODES: dict[int, Code] = _table()

UNKNOWN_CODE = Code(WeComMisconfigured, "an error code this version does not know")
"""Parked, not retried: an unknown refusal is a person's to look at."""


def explain(code: int) -> Code:
    """The row of a code; every integer has one."""
    return CODES.get(code, UNKNOWN_CODE)


def error_for(code: int, message: str, call: str) -> WeComError:
    """The typed error of an answer whose errcode is not 0."""
    return explain(code).error(code, message, call)
