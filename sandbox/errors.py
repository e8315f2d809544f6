"""WeCom's errors as the API answers them: HTTP 200, errcode, errmsg with a hint (wecom-api.md 10.1, A)."""

from __future__ import annotations

import secrets
import time

MESSAGES = {
    -1: "system busy",
    6000: "data version conflict",
    40001: "invalid credential",
    40003: "invalid UserID",
    40007: "invalid media_id",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40032: "invalid user list size",
    40056: "invalid agentid",
    40058: "invalid request parameter",
    40063: "some parameters are empty",
    40068: "invalid tagid",
    40071: "tag name already exists",
    40096: "invalid external userid",
    40126: "tag number out of limit",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "secret missing",
    41009: "userid missing",
    41011: "agentid missing",
    41049: "welcome code missing",
    41050: "invalid welcome code",
    41051: "customer has started chatting",
    41064: "invalid attachments size",
    41065: "invalid attachments type",
    41096: "welcome message is being sent",
    42001: "access_token expired",
    44004: "empty content",
    45002: "content size out of limit",
    45008: "article size out of limit",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    48001: "api unauthorized",
    48002: "api forbidden",
    48005: "api deprecated",
    49008: "group has been dissolved",
    50001: "redirect_url unauthorized",
    50003: "app is disabled",
    50100: "invalid cursor",
    60003: "department not found",
    60011: "no privilege to access/modify contact/party/agent",
    60020: "not allow to access from your ip",
    60111: "userid not found",
    81011: "no permission to use tag, not the owner",
    81013: "user & party & tag all invalid",
    81017: "user list size out of limit",
    82001: "all of touser, toparty, totag are empty",
    82002: "toparty size out of limit",
    82003: "totag size out of limit",
    84061: "not external contact",
    84074: "no external contact privilege",
    301002: "not allow operate another agent with this accesstoken",
    301007: "corp is dissolved or banned",
}


class ApiError(Exception):
    """Ends an API call with an errcode."""

    def __init__(self, code: int, note: str = "") -> None:
        super().__init__(code, note)
        self.code = code
        self.note = note


def errmsg(code: int, note: str, ip: str) -> str:
    """WeCom's wording: the reason, a hint nobody can look up here, the caller's address and the help page."""
    reason = MESSAGES.get(code, "unknown error")
    if note:
        reason = f"{reason}, {note}"
    hint = f"{int(time.time())}_{secrets.randbelow(90) + 10}_{secrets.token_hex(16)}"
    page = f"https://open.work.weixin.qq.com/devtool/query?e={code}"
    return f"{reason}, hint: [{hint}], from ip: {ip}, more info at {page}"
