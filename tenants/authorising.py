"""A company authorises one of our suites or templates: asked by a state, answered by a code, kept as its app."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tenants import provision
from tenants.credentials import newest_credential, opened
from tenants.models import Authorisation, CorpApp, Credential, Tenant
from tenants.recycling import PUBLIC
from tenants.suites import client_of, suite_of
from tenants.tokens import forget_tokens, mark_broken
from wecom.errors import CodeUsed, WeComError
from wecom.suites import Authorised, is_template

log = structlog.get_logger(__name__)

Problem = Authorisation.Problem
VALID = timedelta(days=10)
"""Of the code that a template is authorised by (wecom-api.md 3.2)."""


def ask(tenant: Tenant, suite: CorpApp, *, by: str, back_to: str) -> tuple[Authorisation, str]:
    """Where the company's admin says yes: the content of a QR code for a template, a page of WeCom's for a suite."""
    asked = Authorisation.objects.create(tenant=tenant, suite=suite, by=by)
    client = client_of(suite)
    try:
        if is_template(suite.suite_id):
            return asked, client.scan_to_authorise(asked.state)
        return asked, client.install_page(asked.state, back_to, site=settings.WECOM_INSTALL_BASE)
    except WeComError:
        asked.delete()
        raise


def accept(suite: CorpApp, auth_code: str, state: str = "", *, at: datetime | None = None) -> CorpApp | None:
    """Exchanges the code for the company's permanent code, and keeps that at once: WeCom gives it once. None when the
    same answer was accepted before, as it may come by the event and by the browser."""
    asked = Authorisation.objects.filter(state=state, suite=suite).first() if state else None
    client = client_of(suite)
    try:
        answer = client.permanent_code(auth_code)
    except CodeUsed:
        if asked is not None and asked.done_at is not None:
            return None
        _note(asked, Problem.REFUSED)
        raise
    if asked is None and answer.state:
        asked = Authorisation.objects.filter(state=answer.state, suite=suite).first()
    app = _keep(suite, answer, asked, at or timezone.now().replace(microsecond=0))
    try:
        learn(app)
    except WeComError as error:  # asked again when the app is checked
        log.warning("app of an authorisation not read", app=str(app.pk), error=str(error))
    return app


@transaction.atomic
def _keep(suite: CorpApp, answer: Authorised, asked: Authorisation | None, at: datetime) -> CorpApp:
    suite = CorpApp.objects.select_for_update().get(pk=suite.pk)  # one authorisation of a suite at a time
    apps = CorpApp.objects.filter(lane=CorpApp.Lane.PROVIDER)
    app = apps.filter(suite_id=suite.suite_id, corp_id=answer.corp_id).select_related("tenant").first()
    if app is None:
        app = CorpApp(
            tenant=suite.tenant,
            lane=CorpApp.Lane.PROVIDER,
            corp_id=answer.corp_id,
            suite_id=suite.suite_id,
            is_main=False,
        )
    app.name = app.name or answer.corp_name[:64]
    app.authorised_at = at
    app.save()
    provision.store_secret(app, Credential.Kind.PERMANENT_CODE, answer.permanent_code)
    forget_tokens(app)
    CorpApp.objects.filter(pk=app.pk).update(state=CorpApp.State.UNCHECKED, state_code=None, state_call="")
    if asked is not None:
        _note(asked, _joined(app, asked.tenant))
    return app


def _joined(app: CorpApp, tenant: Tenant) -> str:
    """Why the app did not become this tenant's; nothing when it is."""
    if app.tenant_id == tenant.pk:
        return ""
    if app.tenant.schema_name != PUBLIC:
        return Problem.TAKEN
    return assign(app, tenant)


@transaction.atomic
def assign(app: CorpApp, tenant: Tenant) -> str:
    """Gives a company's app, which belongs to nobody yet, to its tenant; or why not. A tenant is one company."""
    others = CorpApp.objects.filter(tenant=tenant, lane=CorpApp.Lane.PROVIDER).exclude(corp_id=app.corp_id)
    if others.exists():
        return Problem.OTHER_CORP
    code = newest_credential(app, Credential.Kind.PERMANENT_CODE)
    plain = opened(app, code) if code is not None else ""
    app.credentials.all().delete()  # sealed under the platform's key
    app.tenant = tenant
    app.is_main = not CorpApp.objects.filter(tenant=tenant, is_main=True).exists()
    app.save(update_fields=["tenant", "is_main"])
    if plain:
        provision.store_secret(app, Credential.Kind.PERMANENT_CODE, plain)
    if is_template(app.suite_id) and not app.receivers.exists():
        # a suite hears of all its companies at one address; each app made from a template has one of its own
        provision.add_receiver(app)
    return ""


def _note(asked: Authorisation | None, problem: str) -> None:
    if asked is not None:
        asked.problem, asked.done_at = problem, None if problem else timezone.now()
        asked.save(update_fields=["problem", "done_at"])


def learn(app: CorpApp) -> None:
    """What WeCom says of the app in the company: its number there, and its name."""
    code = newest_credential(app, Credential.Kind.PERMANENT_CODE)
    if code is None:
        return
    found = client_of(suite_of(app.suite_id)).app_at(app.corp_id, opened(app, code))
    app.agent_id, app.name = found.agent_id, (found.name or app.name)[:64]
    CorpApp.objects.filter(pk=app.pk).update(agent_id=app.agent_id, name=app.name)


def withdrawn(app: CorpApp, at: datetime) -> bool:
    """The company removed the app: its code is dead. False when it was authorised again since."""
    if app.authorised_at is not None and app.authorised_at > at:
        return False
    provision.retire(app.credentials.filter(kind=Credential.Kind.PERMANENT_CODE))
    forget_tokens(app)
    mark_broken(app, 48004, "cancel_auth")
    return True
