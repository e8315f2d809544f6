"""The tenant of the current schema, its WeCom app, and a client that speaks for it."""

from django.conf import settings
from django.db import connection

from tenants.isolation import require_tenant
from tenants.keys import unseal
from tenants.limits import gate_for, watch_for
from tenants.models import CorpApp, Credential, OutgoingCall, Tenant
from tenants.tokens import PostgresTokens, token_key
from wecom.client import AppCredentials, WeComClient
from wecom.errors import WeComMisconfigured

KINDS = {
    "contact": Credential.Kind.CONTACT_SECRET,
    "archive": Credential.Kind.ARCHIVE_SECRET,
}


def current_tenant() -> Tenant:
    """The tenant whose schema is set; refuses the public schema."""
    schema = require_tenant()
    tenant = getattr(connection, "tenant", None)
    return tenant if isinstance(tenant, Tenant) else Tenant.objects.get(schema_name=schema)


def main_app() -> CorpApp:
    """The app by which the tenant is connected; a tenant without one is a matter of configuration."""
    return app_of(current_tenant())


def app_of(tenant: Tenant) -> CorpApp:
    app = CorpApp.objects.filter(tenant=tenant, is_main=True).first()
    if app is None:
        raise WeComMisconfigured(41002, "no WeCom app is connected", "gettoken")
    return app


def wecom_client(secret: str = "contact", *, priority: int = OutgoingCall.Priority.SYNC) -> WeComClient:
    """A client of the current tenant's main app. Calls wait for their share of the budget, bulk work longest."""
    return client_for(main_app(), secret, priority=priority)


def client_for(
    app: CorpApp, secret: str = "app", *, priority: int = OutgoingCall.Priority.SYNC, insist: bool = False
) -> WeComClient:
    """A client of this app; without a contact secret of its own (WeCom gives none since 2023-12) the app's is used."""
    kinds = [kind for kind in (KINDS.get(secret), app.own_secret) if kind is not None]
    credential = next((found for kind in kinds if (found := newest_credential(app, kind)) is not None), None)
    if credential is None:
        raise WeComMisconfigured(41004, "no secret is stored", "gettoken")
    plain = unseal(app.tenant_id, credential_name(credential), bytes(credential.sealed)).decode()
    return WeComClient(
        AppCredentials(key_of_token(app, credential), app.corp_id, plain),
        PostgresTokens(app, credential.kind, insist=insist),
        base_url=settings.WECOM_API_BASE,
        gate=gate_for(app, priority),
        watch=watch_for(app, priority),
        trusted_hosts=frozenset(getattr(settings, "WECOM_TRUSTED_HOSTS", ())),
    )


def newest_credential(app: CorpApp, kind: str) -> Credential | None:
    return Credential.objects.filter(app=app, kind=kind, retired_at=None).order_by("-version").first()


def key_of_token(app: CorpApp, credential: Credential) -> str:
    """A new secret, or the same of another corp, has no token yet: the live check of it is one of itself."""
    return token_key(app.pk, credential.kind, f"{app.corp_id}:{credential.version}")


def credential_name(credential: Credential) -> str:
    """What a credential's seal is bound to."""
    return f"tenants_credential|sealed|{credential.pk}"
