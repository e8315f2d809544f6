import re
import secrets
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.management.base import CommandError

from callbacks.receivers import receiver_keys
from tenants.commands import Command as TenantsCommand
from tenants.models import Receiver
from tenants.provision import Refused, tenant_by_schema
from tenants.recycling import PUBLIC

TIMEOUT = 5  # as long as WeCom waits
CREATED = re.compile(rb"(<(?:CreateTime|TimeStamp)>|\"(?:CreateTime|TimeStamp)\":\s*\"?)\d+")


class Command(TenantsCommand):
    help = "Signs and encrypts a plain payload as WeCom would, and posts it to a running server."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the decrypted payload, XML or JSON; - reads it from standard input")
        parser.add_argument("--tenant", metavar="SCHEMA", default="", help="needed when there is more than one")
        parser.add_argument("--receiver", metavar="ID", default="", help="the id in the callback URL")
        parser.add_argument("--url", default=settings.INTERNAL_URL)
        parser.add_argument(
            "--repeat", type=int, default=1, metavar="N", help="deliver it N times, as WeCom repeats itself"
        )
        parser.add_argument("--now", action="store_true", help="set the payload's time to now: a new event, no repeat")

    def run(self, options: dict[str, Any]) -> Any:
        plaintext = sys.stdin.buffer.read() if options["file"] == "-" else Path(options["file"]).read_bytes()
        if options["now"]:
            plaintext = CREATED.sub(rb"\g<1>%d" % time.time(), plaintext, count=1)
        receiver = _receiver(options["tenant"], options["receiver"])
        usable = receiver_keys(receiver, with_retired=False)
        if not usable:
            raise Refused(f"receiver {receiver.public_id} has no keys: connect the company first")
        answers: Counter[tuple[int, str]] = Counter()
        for _ in range(max(1, options["repeat"])):
            delivery = usable[0][1].deliver(plaintext, receiver.app.corp_id, int(time.time()), secrets.token_hex(5))
            path = f"/wecom/callback/{receiver.public_id}/?{urlencode(delivery.query)}"
            answers[_post(options["url"], path, delivery.body)] += 1
        return {
            "receiver": receiver.public_id,
            "answers": [{"status": code, "body": body, "times": times} for (code, body), times in answers.items()],
        }

    def tell(self, result: Any) -> None:
        for answer in result["answers"]:
            self.stdout.write(f"{answer['times']} × {answer['status']} {answer['body']}".rstrip())

    def finish(self, result: Any) -> None:
        refused = next((answer for answer in result["answers"] if answer["status"] != 200), None)
        if refused:
            raise CommandError(f"not accepted: {refused['status']} {refused['body']}")


def _receiver(schema: str, public_id: str) -> Receiver:
    """The address to post to: named, or the only one there can be."""
    found = Receiver.objects.select_related("app").filter(retired_at=None).order_by("created_at")
    found = found.exclude(tenant__schema_name=PUBLIC)
    if schema:
        found = found.filter(tenant=tenant_by_schema(schema))
    if public_id:
        found = found.filter(public_id=public_id)
    receivers = list(found)
    if not receivers:
        raise Refused("there is no such receiver: tenant_list shows the tenants, their page 企业微信接入 the addresses")
    if len({receiver.tenant_id for receiver in receivers}) > 1:
        raise Refused("there is more than one tenant: choose with --tenant SCHEMA or --receiver ID")
    return receivers[0]


def _post(url: str, path: str, body: bytes) -> tuple[int, str]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Refused(f"--url {url!r}: expected http://host:port")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT)
    try:
        connection.request("POST", path, body, {"Content-Type": "text/xml"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace").strip()
    except (OSError, HTTPException) as error:
        raise Refused(f"{url} does not answer: {error}") from error
    finally:
        connection.close()
