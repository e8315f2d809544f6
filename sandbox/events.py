"""The event bodies WeCom sends (wecom-api.md 2): fields in order, as XML or its JSON twin."""

from __future__ import annotations

import json
from typing import Any

Fields = dict[str, Any]


def event(corp_id: str, at: int, name: str, change_type: str, **fields: Any) -> Fields:
    head: Fields = {"ToUserName": corp_id, "FromUserName": "sys", "CreateTime": at, "MsgType": "event", "Event": name}
    if change_type:
        head["ChangeType"] = change_type
    return head | {key: value for key, value in fields.items() if value is not None}


def info(suite_id: str, corp_as: str, fields: Fields) -> Fields:
    """The same event as a third-party suite hears it: what `Event` names is its InfoType (wecom-api.md 2)."""
    head = {"SuiteId": suite_id, "AuthCorpId": corp_as, "InfoType": fields["Event"], "TimeStamp": fields["CreateTime"]}
    envelope = ("ToUserName", "FromUserName", "CreateTime", "MsgType", "Event")
    return head | {name: value for name, value in fields.items() if name not in envelope}


def element(name: str, value: Any) -> str:
    if isinstance(value, int):
        return f"<{name}>{value}</{name}>"
    if isinstance(value, list):
        return f"<{name}>{''.join(element('Item', item) for item in value)}</{name}>"
    if isinstance(value, tuple):  # the element itself, several times
        return "".join(element(name, item) for item in value)
    if isinstance(value, dict):
        return f"<{name}>{''.join(element(key, item) for key, item in value.items())}</{name}>"
    return f"<{name}><![CDATA[{str(value).replace(']]>', ']]]]><![CDATA[>')}]]></{name}>"


def to_xml(fields: Fields) -> bytes:
    return f"<xml>{''.join(element(name, value) for name, value in fields.items())}</xml>".encode()


def to_json(fields: Fields) -> bytes:
    plain = {name: {"Item": value} if isinstance(value, list) else value for name, value in fields.items()}
    return json.dumps(plain, ensure_ascii=False).encode()
