"""The secrets of an app as they are used: the newest of a kind, opened, and the name of the token it gives."""

from tenants.keys import unseal
from tenants.models import CorpApp, Credential, Receiver, ReceiverKey
from tenants.rotation import place_of
from tenants.tokens import token_key


def newest_credential(app: CorpApp, kind: str) -> Credential | None:
    return Credential.objects.filter(app=app, kind=kind, retired_at=None).order_by("-version").first()


def opened(app: CorpApp, credential: Credential) -> str:
    return unseal(app.tenant_id, credential_name(credential), bytes(credential.sealed)).decode()


def keys_to_copy(receiver: Receiver) -> dict[str, str] | None:
    """`token` and `aes_key` in use, for whoever enters them in WeCom's admin; None where there are none."""
    key = ReceiverKey.objects.filter(receiver=receiver, retired_at=None).order_by("-version").first()
    if key is None:
        return None
    return {
        name: unseal(receiver.tenant_id, place_of(key, name), getattr(key, name)).decode()
        for name in ("token", "aes_key")
    }


def key_of_token(app: CorpApp, credential: Credential) -> str:
    """A new secret, or the same of another corp, has no token yet: the live check of it is one of itself."""
    return token_key(app.pk, credential.kind, f"{app.corp_id}:{credential.version}")


def credential_name(credential: Credential) -> str:
    """What a credential's seal is bound to."""
    return f"tenants_credential|sealed|{credential.pk}"
