"""Secrets at rest: AES-256-GCM under a data key per tenant, which is itself wrapped by a key of the platform.

A sealed value carries the version of its data key, so two versions may live while a rotation is under way, and is bound
by its AAD to the tenant and to the place it stands in: moved to another row or tenant it does not open.
"""

import base64
import binascii
import re
import threading
import time
from dataclasses import dataclass
from functools import lru_cache

from Crypto.Cipher import AES
from Crypto.Random import get_random_bytes
from django.conf import settings
from django.db import transaction

from tenants.models.tenant import TenantKey

FORMAT = 1
HEAD = 3  # format, version of the data key
NONCE = 12
TAG = 16
KEY = 32
KEPT = 300.0  # seconds a data key stays in memory: after a deletion elsewhere it is gone here, too
CURRENT_KEPT = 30.0  # seconds before another process's new version is used here
KEK_NAME = re.compile(r"[A-Za-z0-9_-]{1,16}")


class KeyFault(RuntimeError):
    """A secret can neither be sealed nor opened."""


class KekMisconfigured(KeyFault):
    """SCRM_KEK does not say what it must."""


class KekMissing(KeyFault):
    """A tenant's data key was wrapped by a key that SCRM_KEK no longer names."""


class NoTenantKey(KeyFault):
    """The tenant has no data key: it was never provisioned, or it was deleted and its secrets are gone for good."""


class Unsealable(KeyFault):
    """The sealed bytes were changed, cut, or belong to another tenant or row."""


@dataclass(frozen=True, slots=True)
class Kek:
    name: str
    key: bytes


@lru_cache(maxsize=8)
def parse_keks(text: str) -> tuple[Kek, ...]:
    """ "id:base64 of 32 bytes", newest first, comma separated. The value itself is never in the error."""
    keks: list[Kek] = []
    for number, part in enumerate(text.split(","), start=1):
        name, colon, encoded = part.strip().partition(":")
        if not colon or not KEK_NAME.fullmatch(name):
            raise KekMisconfigured(
                f"SCRM_KEK, key {number}: expected `id:base64` with an id of 1–16 letters, digits, - or _; "
                'make one with: echo "k1:$(openssl rand -base64 32)"'
            )
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY:
            raise KekMisconfigured(f"SCRM_KEK, key {number} ({name}): expected the base64 of 32 bytes after `{name}:`")
        if any(kek.name == name for kek in keks):
            raise KekMisconfigured(f"SCRM_KEK names the id {name} twice")
        keks.append(Kek(name, key))
    return tuple(keks)


def keks() -> tuple[Kek, ...]:
    """The platform's keys, the one that wraps first. The key of the source tree never guards a real company."""
    if settings.KEKS == settings.INSECURE_KEK and not insecure_is_allowed():
        raise KekMisconfigured("SCRM_KEK is not set: secrets of real companies are not sealed with a published key")
    return parse_keks(settings.KEKS)


def insecure_is_allowed() -> bool:
    domain = str(settings.BASE_DOMAIN)
    return bool(settings.DEBUG) or domain == "localhost" or domain.endswith(".localhost")


def encrypt(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    nonce = get_random_bytes(NONCE)
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG)
    cipher.update(aad)
    ciphertext, tag = cipher.encrypt_and_digest(plaintext)
    return nonce + tag + ciphertext


def decrypt(key: bytes, blob: bytes, aad: bytes) -> bytes:
    nonce, tag, ciphertext = blob[:NONCE], blob[NONCE : NONCE + TAG], blob[NONCE + TAG :]
    if len(nonce) != NONCE or len(tag) != TAG:
        raise Unsealable("the sealed value is cut")
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG)
    cipher.update(aad)
    try:
        return cipher.decrypt_and_verify(ciphertext, tag)
    except ValueError as error:
        raise Unsealable("the sealed value was changed, or belongs to another tenant or row") from error


def _wrap_aad(tenant_id: int, version: int) -> bytes:
    return f"{tenant_id}|tenants_tenantkey|wrapped|{version}".encode()


def _unwrap(row: TenantKey) -> bytes:
    kek = next((kek for kek in keks() if kek.name == row.kek_id), None)
    if kek is None:
        raise KekMissing(f"SCRM_KEK does not name the key {row.kek_id!r} that wraps a key of tenant {row.tenant_id}")
    return decrypt(kek.key, bytes(row.wrapped), _wrap_aad(row.tenant_id, row.version))


def first_key(tenant_id: int) -> None:
    """The data key of a tenant that is being made; one that is there stays."""
    if not TenantKey.objects.filter(tenant_id=tenant_id).exists():
        _add_key(tenant_id, 1)


def next_key(tenant_id: int) -> int:
    """A new version of the tenant's data key. Committed before it is used: a key that is rolled back would take what
    was sealed with it along."""
    with transaction.atomic(durable=True):
        last = TenantKey.objects.select_for_update().filter(tenant_id=tenant_id).order_by("-version").first()
        version = last.version + 1 if last else 1
        _add_key(tenant_id, version)
    _ring.forget(tenant_id)
    return version


def _add_key(tenant_id: int, version: int) -> None:
    kek = keks()[0]
    wrapped = encrypt(kek.key, get_random_bytes(KEY), _wrap_aad(tenant_id, version))
    TenantKey.objects.create(tenant_id=tenant_id, version=version, kek_id=kek.name, wrapped=wrapped)


def rewrap(row: TenantKey) -> bool:
    """Wrap a data key by the platform's newest key; False when it already is."""
    kek = keks()[0]
    if row.kek_id == kek.name:
        return False
    plain = _unwrap(row)
    row.kek_id, row.wrapped = kek.name, encrypt(kek.key, plain, _wrap_aad(row.tenant_id, row.version))
    row.save(update_fields=["kek_id", "wrapped"])
    return True


class _Ring:
    """Data keys in this process's memory, for minutes. Read from committed rows only, never ahead of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[tuple[int, int], tuple[float, bytes]] = {}
        self._current: dict[int, tuple[float, int]] = {}

    def key(self, tenant_id: int, version: int) -> bytes:
        now = time.monotonic()
        found = self._keys.get((tenant_id, version))
        if found and found[0] > now:
            return found[1]
        row = TenantKey.objects.filter(tenant_id=tenant_id, version=version).first()
        if row is None:
            raise NoTenantKey(f"tenant {tenant_id} has no key of version {version}")
        key = _unwrap(row)
        with self._lock:
            if len(self._keys) > 10_000:
                self._keys.clear()
            self._keys[tenant_id, version] = (now + KEPT, key)
        return key

    def current(self, tenant_id: int) -> int:
        now = time.monotonic()
        found = self._current.get(tenant_id)
        if found and found[0] > now:
            return found[1]
        newest = TenantKey.objects.filter(tenant_id=tenant_id).order_by("-version").values_list("version", flat=True)
        version = newest.first()
        if version is None:
            raise NoTenantKey(f"tenant {tenant_id} has no key: create it with tenant_create or migrate_all")
        with self._lock:
            self._current[tenant_id] = (now + CURRENT_KEPT, version)
        return version

    def forget(self, tenant_id: int | None = None) -> None:
        with self._lock:
            if tenant_id is None:
                self._keys.clear()
                self._current.clear()
                return
            self._current.pop(tenant_id, None)
            for place in [place for place in self._keys if place[0] == tenant_id]:
                del self._keys[place]


_ring = _Ring()
forget = _ring.forget


def _aad(tenant_id: int, name: str) -> bytes:
    return f"{tenant_id}|{name}".encode()


def seal(tenant_id: int, name: str, plaintext: bytes | str) -> bytes:
    """Encrypt under the tenant's newest key. `name` says where the value stands: "table|column|pk"."""
    version = _ring.current(tenant_id)
    data = plaintext.encode() if isinstance(plaintext, str) else plaintext
    head = bytes([FORMAT]) + version.to_bytes(2, "big")
    return head + encrypt(_ring.key(tenant_id, version), data, _aad(tenant_id, name))


def unseal(tenant_id: int, name: str, blob: bytes | memoryview) -> bytes:
    """Open what `seal` made for the same tenant and place; anything else raises `Unsealable`."""
    blob = bytes(blob)
    version = sealed_version(blob)
    return decrypt(_ring.key(tenant_id, version), blob[HEAD:], _aad(tenant_id, name))


def sealed_version(blob: bytes | memoryview) -> int:
    """The version of the data key that a sealed value needs."""
    head = bytes(blob[:HEAD])
    if len(head) != HEAD or head[0] != FORMAT:
        raise Unsealable("this is not a sealed value")
    return int.from_bytes(head[1:], "big")
