"""A company from nothing: schema, key, domain, WeCom app, secrets and receiver, all of it or nothing."""

import base64
import binascii
import re
import secrets
import string
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from tenants import keys
from tenants.db import connection
from tenants.isolation import stamp_schema
from tenants.migrate import state_of_code
from tenants.models import CorpApp, Credential, Domain, Receiver, ReceiverKey, Tenant
from tenants.recycling import PUBLIC
from tenants.rotation import place_of
from tenants.template import build_schema

SCHEMA = re.compile(r"[a-z][a-z0-9_]{1,30}")
HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
CORP_ID = re.compile(r"[A-Za-z0-9_-]{4,64}")
TOKEN = re.compile(r"[A-Za-z0-9]{1,32}")
AES_KEY = re.compile(r"[A-Za-z0-9]{43}")
ALPHABET = string.ascii_letters + string.digits
RESERVED = frozenset({"public", "information_schema", "ops", "www", "api", "template", "admin"})


class Refused(ValueError):
    """What was asked for cannot be done; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What a company copies from WeCom's admin for its self-built app, and what it will type in there."""

    corp_id: str
    agent_id: int
    agent_secret: str = field(repr=False)
    token: str = field(repr=False)
    aes_key: str = field(repr=False)
    contact_secret: str = field(default="", repr=False)
    archive_secret: str = field(default="", repr=False)
    archive_keys: tuple[str, ...] = field(default=(), repr=False)  # PEM, the first is version 1

    def check(self) -> None:
        if not CORP_ID.fullmatch(self.corp_id):
            raise Refused(f"corp id {self.corp_id!r}: 4–64 letters and digits, as on 我的企业 in WeCom's admin")
        if self.agent_id <= 0:
            raise Refused("agent id: a positive number, the AgentId of the app")
        if not self.agent_secret.strip():
            raise Refused("agent secret: empty")
        if not TOKEN.fullmatch(self.token):
            raise Refused("token: 1–32 letters and digits, as WeCom's admin makes it")
        check_aes_key(self.aes_key)
        for number, pem in enumerate(self.archive_keys, start=1):
            if "PRIVATE KEY-----" not in pem:
                raise Refused(f"archive key {number}: not a private key in PEM")


def check_aes_key(aes_key: str) -> None:
    try:
        decodes = AES_KEY.fullmatch(aes_key) and len(base64.b64decode(aes_key + "=")) == 32
    except binascii.Error:
        decodes = False
    if not decodes:
        raise Refused("EncodingAESKey: exactly 43 letters and digits, as WeCom's admin makes it")


def check_schema_name(schema: str) -> None:
    if not SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise Refused(
            f"schema {schema!r}: 2–31 lower-case letters, digits and _, a letter first, not starting with pg_"
        )
    if schema in RESERVED or schema == settings.TEMPLATE_SCHEMA:
        raise Refused(f"schema {schema!r}: this name is the platform's own")


def default_domain(schema: str) -> str:
    return f"{schema.replace('_', '-')}.{settings.BASE_DOMAIN}"


def check_host(host: str) -> str:
    host = host.strip().rstrip(".").lower()
    if not HOST.fullmatch(host) or host.replace(".", "").isdigit():
        raise Refused(f"domain {host!r}: a host name without port or path, such as scrm.example.com")
    return host


def create_tenant(
    schema: str,
    *,
    name: str,
    domain: str = "",
    connection_to_wecom: Connection | None = None,
    plan: str = Tenant.Plan.TRIAL,
    seats: int = 50,
) -> Tenant:
    """Make a company in one transaction. Fails with `Refused` before anything is made."""
    check_schema_name(schema)
    host = check_host(domain or default_domain(schema))
    name = name.strip()
    if not name or len(name) > 100:
        raise Refused("name: 1–100 characters")
    if seats < 1:
        raise Refused("seats: at least 1, the first owner takes one")
    if connection_to_wecom:
        connection_to_wecom.check()
    _refuse_what_is_there(schema, host, connection_to_wecom)
    connection.set_schema_to_public()
    with transaction.atomic():
        tenant = Tenant(schema_name=schema, name=name, plan=plan, seats=seats, migration_state=state_of_code()[:16])
        tenant.save()
        keys.first_key(tenant.pk)
        build_schema(schema)
        stamp_schema(schema, tenant.pk)
        Domain.objects.create(tenant=tenant, domain=host)
        if connection_to_wecom:
            connect(tenant, connection_to_wecom)
    return tenant


def _refuse_what_is_there(schema: str, host: str, wecom: Connection | None) -> None:
    if Tenant.objects.filter(schema_name__iexact=schema).exists():
        raise Refused(f"schema {schema!r}: there is a tenant of this name")
    if Domain.objects.filter(domain=host).exists():
        raise Refused(f"domain {host!r}: it belongs to another tenant")
    if wecom:
        _refuse_apps_of_others(wecom)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema])
        if cursor.fetchone():
            raise Refused(f"schema {schema!r}: the database has a schema of this name that is no tenant's")


def _refuse_apps_of_others(wecom: Connection) -> None:
    """An app is connected once on this platform: its events and its limits belong to one account."""
    twin = CorpApp.objects.filter(corp_id=wecom.corp_id, agent_id=wecom.agent_id).select_related("tenant").first()
    if twin is not None:
        raise Refused(
            f"agent {wecom.agent_id} of corp {wecom.corp_id!r}: tenant {twin.tenant.schema_name!r} has this app; "
            "take another self-built app, or change that tenant's connection first"
        )


def connect(tenant: Tenant, wecom: Connection) -> Receiver:
    """Store the company's own app with its secrets, and the receiver of its callbacks."""
    wecom.check()
    with transaction.atomic():
        app = CorpApp.objects.create(tenant=tenant, corp_id=wecom.corp_id, agent_id=wecom.agent_id)
        store_secret(app, Credential.Kind.APP_SECRET, wecom.agent_secret)
        if wecom.contact_secret:
            store_secret(app, Credential.Kind.CONTACT_SECRET, wecom.contact_secret)
        if wecom.archive_secret:
            store_secret(app, Credential.Kind.ARCHIVE_SECRET, wecom.archive_secret)
        for version, pem in enumerate(wecom.archive_keys, start=1):
            store_secret(app, Credential.Kind.ARCHIVE_KEY, pem, version=version)
        receiver = Receiver.objects.create(tenant=tenant, app=app)
        store_receiver_key(receiver, wecom.token, wecom.aes_key)
    return receiver


def store_secret(app: CorpApp, kind: str, secret: str, *, version: int | None = None) -> Credential:
    """A new version of a secret. Archive keys of before stay in use, any other secret is retired by the next one."""
    kept = Credential.objects.filter(app=app, kind=kind)
    if version is None:
        newest = kept.order_by("-version").values_list("version", flat=True).first()
        version = (newest or 0) + 1
    if kind != Credential.Kind.ARCHIVE_KEY:
        retire(kept)
    credential = Credential(app=app, kind=kind, version=version)
    credential.sealed = keys.seal(app.tenant_id, place_of(credential, "sealed"), secret.strip())
    credential.save()
    return credential


def retire(rows: models.QuerySet[Any]) -> None:
    rows.filter(retired_at=None).update(retired_at=timezone.now())


def store_receiver_key(receiver: Receiver, token: str, aes_key: str) -> ReceiverKey:
    """A new version of Token and EncodingAESKey. The one before stays: what waits in the inbox is encrypted with it."""
    if not TOKEN.fullmatch(token):
        raise Refused("token: 1–32 letters and digits, as WeCom's admin makes it")
    check_aes_key(aes_key)
    kept = ReceiverKey.objects.filter(receiver=receiver)
    newest = kept.order_by("-version").values_list("version", flat=True).first()
    retire(kept)
    key = ReceiverKey(receiver=receiver, version=(newest or 0) + 1)
    key.token = keys.seal(receiver.tenant_id, place_of(key, "token"), token)
    key.aes_key = keys.seal(receiver.tenant_id, place_of(key, "aes_key"), aes_key)
    key.save()
    return key


@transaction.atomic
def add_receiver(app: CorpApp, purpose: str = Receiver.Purpose.APP) -> Receiver:
    """An address of ours for WeCom's callbacks, with a Token and EncodingAESKey made here."""
    receiver = Receiver.objects.create(tenant=app.tenant, app=app, purpose=purpose)
    renew_key(receiver)
    return receiver


def renew_key(receiver: Receiver) -> ReceiverKey:
    return store_receiver_key(receiver, _random_text(24), _random_text(43))


def _random_text(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _i in range(length))


def callback_url(receiver: Receiver) -> str:
    domain = Domain.objects.filter(tenant_id=receiver.tenant_id, is_primary=True).first()
    scheme = "https" if settings.HTTPS else "http"
    host = domain.domain if domain else settings.BASE_DOMAIN
    return f"{scheme}://{host}{settings.PUBLIC_URL_SUFFIX}/wecom/callback/{receiver.public_id}/"


def tenant_by_schema(schema: str) -> Tenant:
    """The company a command is about; the public schema is not one."""
    tenant: Tenant | None = Tenant.objects.exclude(schema_name=PUBLIC).filter(schema_name=schema).first()
    if tenant is None:
        raise Refused(f"there is no tenant {schema!r}: tenant_list shows those that there are")
    return tenant
