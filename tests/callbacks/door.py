"""WeCom's side of a callback, for tests: signs and posts to the very WSGI callable that is served."""

import io
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from callbacks import intake as gate
from tenants.models import Receiver, Tenant
from tests.cast import ACME, Company
from wecom.crypto import CallbackCrypto


def behind(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"django"]


application = gate.intake(behind)


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]


def request(method: str, path: str, query: dict[str, str] | str = "", body: bytes = b"", **environ: Any) -> Answer:
    got: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        got.update(status=int(status.split(maxsplit=1)[0]), headers=dict(headers))

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query if isinstance(query, str) else urlencode(query),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    content = b"".join(application(environ, start_response))
    return Answer(got["status"], content, got["headers"])


def event_xml(
    change_type: str = "add_external_contact",
    *,
    event: str = "change_external_contact",
    corp: str = ACME.wecom.corp_id,
    at: int | None = None,
    **fields: str,
) -> bytes:
    fields = {"UserID": "chenmei", "ExternalUserID": "wmQx7DEAAAk3Vv0bq1nZt9LkP2sYhJrw"} | fields
    inner = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
    return (
        f"<xml><ToUserName><![CDATA[{corp}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
        f"<CreateTime>{int(time.time()) if at is None else at}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        f"<Event><![CDATA[{event}]]></Event><ChangeType><![CDATA[{change_type}]]></ChangeType>{inner}</xml>"
    ).encode()


@dataclass
class Door:
    """The callback address of a company, with the keys that WeCom has."""

    company: Company = ACME
    crypto: CallbackCrypto = field(init=False)
    receiver: Receiver = field(init=False)

    def __post_init__(self) -> None:
        wecom = self.company.wecom
        self.crypto = CallbackCrypto(wecom.token, wecom.aes_key, frozenset({wecom.corp_id}))
        self.receiver = Receiver.objects.get(tenant__schema_name=self.company.schema)

    @property
    def tenant(self) -> Tenant:
        return self.receiver.tenant

    @property
    def path(self) -> str:
        return f"/wecom/callback/{self.receiver.public_id}/"

    def delivery(
        self, plaintext: bytes, *, at: int | None = None, nonce: str = "263014780"
    ) -> tuple[dict[str, str], bytes]:
        found = self.crypto.deliver(plaintext, self.company.wecom.corp_id, at or int(time.time()), nonce)
        return found.query, found.body

    def post(self, plaintext: bytes, *, at: int | None = None) -> Answer:
        query, body = self.delivery(plaintext, at=at)
        return request("POST", self.path, query, body)

    def challenge(self, text: str = "1616140317555161061") -> dict[str, str]:
        return self.crypto.challenge(text, self.company.wecom.corp_id, int(time.time()), "263014780")


def rows(columns: str = "*", where: str = "true") -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM public.callbacks_inbox WHERE {where} ORDER BY id")
        return list(cursor.fetchall())


def count(where: str = "true") -> int:
    return len(rows("id", where))
