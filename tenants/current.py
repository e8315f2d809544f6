"""The tenant of the current schema, its WeCom app, and a client that speaks for it."""

from functools import partial

from django.conf import settings
from django.db import connection

from tenants.credentials import key_of_token, newest_credential, opened
from tenants.isolation import require_tenant
from tenants.limits import gate_for, watch_for
from tenants.models import CorpApp, Credential, OutgoingCall, Tenant
from tenants.suites import client_of, suite_of
from tenants.tokens import PostgresTokens
from wecom import grants
from wecom.client import AppCredentials, WeComClient
from wecom.errors import WeComMisconfigured
from wecom.exchange import Exchange

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
    """A client of this app; without a contact secret of its own (WeCom gives none since 2023-12) the app's is used. An
    app of a provider has its permanent code and no other secret."""
    kinds = [app.own_secret]
    if app.lane == CorpApp.Lane.SELF_BUILT and secret in KINDS:
        kinds.insert(0, KINDS[secret])
    credential = next((found for kind in kinds if (found := newest_credential(app, kind)) is not None), None)
    if credential is None:
        raise _nothing_to_show(app)
    plain = opened(app, credential)
    through_suite = app.is_of_suite
    return WeComClient(
        AppCredentials(key_of_token(app, credential), app.corp_id, plain),
        PostgresTokens(app, credential.kind, insist=insist),
        base_url=settings.WECOM_API_BASE,
        gate=gate_for(app, priority),
        watch=watch_for(app, priority),
        trusted_hosts=frozenset(getattr(settings, "WECOM_TRUSTED_HOSTS", ())),
        grant=grants.of_authorised_corp(app.corp_id, plain) if through_suite else None,
        by=partial(_suite, app.suite_id, priority) if through_suite else None,
    )


def _suite(suite_id: str, priority: int) -> Exchange:
    """Asks for the tokens of the companies that installed a suite; needed every two hours, so made when it is."""
    return client_of(suite_of(suite_id), priority=priority).exchange


def _nothing_to_show(app: CorpApp) -> WeComMisconfigured:
    if app.lane == CorpApp.Lane.PROVIDER:
        return WeComMisconfigured(48004, "the company withdrew its authorisation", "cancel_auth")
    return WeComMisconfigured(41004, "no secret is stored", "gettoken")
