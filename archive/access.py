"""The secret and the keys of a company's archive. Keys are kept by version: each opens the messages of its time."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import transaction
from django.db.models import Q

from archive.models import Envelope
from tenants import provision
from tenants.credentials import credential_name, newest_credential
from tenants.current import current_tenant
from tenants.keys import unseal
from tenants.models import CorpApp, Credential

BITS = 2048  # WeCom takes no other (wecom-api.md 7.1)
Key = rsa.RSAPrivateKey


class Access(NamedTuple):
    corp_id: str
    secret: str


class NotAKey(ValueError):
    """The text is no private RSA key of 2048 bits in PEM."""


def main_app() -> CorpApp | None:
    return CorpApp.objects.filter(tenant=current_tenant(), is_main=True).first()


def access() -> Access | None:
    """None: the company has not connected its archive."""
    app = main_app()
    credential = newest_credential(app, Credential.Kind.ARCHIVE_SECRET) if app else None
    if app is None or credential is None:
        return None
    return Access(app.corp_id, opened(credential))


def connected_at() -> datetime | None:
    app = main_app()
    credential = newest_credential(app, Credential.Kind.ARCHIVE_SECRET) if app else None
    return credential.created_at if credential else None


def opened(credential: Credential) -> str:
    tenant_id = current_tenant().pk
    return unseal(tenant_id, credential_name(credential), bytes(credential.sealed)).decode()


def key_rows() -> list[Credential]:
    """The keys that are in use, newest version first."""
    app = main_app()
    rows = Credential.objects.filter(app=app, kind=Credential.Kind.ARCHIVE_KEY, retired_at=None)
    return list(rows.order_by("-version")) if app else []


def private_keys() -> Mapping[int, Key]:
    return {row.version: private_key(opened(row)) for row in key_rows()}


@lru_cache(maxsize=256)
def private_key(pem: str) -> Key:
    """Reading a key costs as much as opening a dozen messages with it."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotAKey("no private key in PEM") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != BITS:
        raise NotAKey(f"an RSA key of {BITS} bits is needed")
    return key


def public_pem(key: Key) -> str:
    """As it is pasted into WeCom's admin."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def new_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    form, no_password = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, no_password).decode()


@transaction.atomic
def add_key(app: CorpApp, pem: str, *, version: int | None = None) -> Credential:
    """A key of the next version, or of the one that WeCom's admin shows; what waited for it is opened next."""
    private_key(pem)
    credential = provision.store_secret(app, Credential.Kind.ARCHIVE_KEY, pem, version=version)
    no_key, broken = Envelope.State.NO_KEY, Envelope.State.BROKEN
    waiting = Q(state=no_key) | Q(state=broken, reason="wrong_key") | Q(state=broken, key_version=credential.version)
    Envelope.objects.filter(waiting).update(state=Envelope.State.CLOSED)
    return credential
