"""A company authorises one of our suites or templates: asked by a state, answered by a code, kept as its app."""

import hashlib
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tenants import provision
from tenants.credentials import newest_credential, opened
from tenants.locks import in_turn
from tenants.models import Authorisation, CorpApp, Credential, Tenant
from tenants.recycling import PUBLIC
from tenants.suites import client_of, suite_of
from tenants.tokens import forget_tokens, mark_broken
from wecom.errors import CodeUsed, WeComError, WeComUnavailable
from wecom.suites import Authorised, is_template

log = structlog.get_logger(__name__)

Problem = Authorisation.Problem
VALID = timedelta(days=10)
"""Of the code that a template is authorised by (wecom-api.md 3.2)."""
LOCK_SPACE = 0x41555448  # "AUTH"
WAIT_SECONDS = 15.0


def ask(tenant: Tenant, suite: CorpApp, *, by: str, back_to: str) -> tuple[Authorisation, str]:
    """Where the company's admin says yes: the content of a QR code for a template, a page of WeCom's for a suite."""
    client = client_of(suite)
    asked = Authorisation.objects.create(tenant=tenant, suite=suite, by=by)
    try:
        if is_template(suite.suite_id):
            return asked, client.scan_to_authorise(asked.state)
        return asked, client.install_page(asked.state, back_to, site=settings.WECOM_INSTALL_BASE)
    except WeComError:
        asked.delete()
        raise


def accept(suite: CorpApp, auth_code: str, state: str = "", *, at: datetime | None = None) -> CorpApp | None:
    """Exchanges the code for the company's permanent code, and keeps that at once: WeCom gives it once. None when the
    same answer was accepted before, as it may come by the event and by the browser, at one moment even."""
    at = at or timezone.now().replace(microsecond=0)
    digest = hashlib.sha256(auth_code.encode()).hexdigest()
    try:
        with in_turn(LOCK_SPACE, digest, seconds=WAIT_SECONDS):
            asked = _asked(suite, state, at)
            app = CorpApp.objects.filter(
                lane=CorpApp.Lane.PROVIDER, suite_id=suite.suite_id, accepted_code=digest
            ).first()
            is_new = app is None
            if app is None:
                answer = _exchanged(suite, auth_code, asked)
                asked = _asked(suite, answer.state, at) or asked
                app = _keep(suite, answer, digest, at)
            if asked is not None and asked.done_at is None:  # it is good for one company
                _note(asked, assign(app, asked.tenant))
    except TimeoutError:
        raise WeComUnavailable(0, "the code is being exchanged", "service/v2/get_permanent_code") from None
    if not is_new:
        return None
    try:
        learn(app)
    except WeComError as error:  # asked again when the app is checked
        log.warning("app of an authorisation not read", app=str(app.pk), error=str(error))
    return app


def _asked(suite: CorpApp, state: str, at: datetime) -> Authorisation | None:
    """The invitation that is answered. One that is over brings nobody anywhere any more."""
    if not state:
        return None
    found = Authorisation.objects.filter(state=state, suite=suite, created_at__gt=at - VALID)
    return found.select_related("tenant").first()


def _exchanged(suite: CorpApp, auth_code: str, asked: Authorisation | None) -> Authorised:
    try:
        return client_of(suite).permanent_code(auth_code)
    except CodeUsed:
        if asked is not None and asked.done_at is None:
            _note(asked, Problem.REFUSED)
        raise


@transaction.atomic
def _keep(suite: CorpApp, answer: Authorised, digest: str, at: datetime) -> CorpApp:
    """With the platform while it is nobody's. To which tenant it goes is decided after that, as the code is safe then
    whatever goes wrong."""
    suite = CorpApp.objects.select_for_update().get(pk=suite.pk)  # one authorisation of a suite at a time
    apps = CorpApp.objects.filter(lane=CorpApp.Lane.PROVIDER)
    app = apps.filter(suite_id=suite.suite_id, corp_id=answer.corp_id).select_for_update().first()
    if app is None:
        app = CorpApp(
            tenant=suite.tenant,
            lane=CorpApp.Lane.PROVIDER,
            corp_id=answer.corp_id,
            suite_id=suite.suite_id,
            is_main=False,
        )
    app.corp_name = answer.corp_name[:100] or app.corp_name
    app.authorised_at, app.accepted_code = at, digest
    app.save()
    provision.store_secret(app, Credential.Kind.PERMANENT_CODE, answer.permanent_code)
    forget_tokens(app)
    CorpApp.objects.filter(pk=app.pk).update(state=CorpApp.State.UNCHECKED, state_code=None, state_call="")
    return app


@transaction.atomic
def assign(app: CorpApp, tenant: Tenant) -> str:
    """Gives a company's app, which belongs to nobody yet, to its tenant; or why not. A tenant is one company, known by
    the ids of one kind."""
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)  # two apps that come at once: one is the main one
    CorpApp.objects.select_for_update().get(pk=app.pk)
    app.refresh_from_db()
    if app.tenant_id == tenant.pk:
        return ""
    if app.tenant.schema_name != PUBLIC:
        return Problem.TAKEN
    there = CorpApp.objects.filter(tenant=tenant)
    if there.filter(lane=CorpApp.Lane.SELF_BUILT).exists():
        return Problem.SELF_BUILT
    if there.exclude(corp_id=app.corp_id).exists():
        return Problem.OTHER_CORP
    code = newest_credential(app, Credential.Kind.PERMANENT_CODE)
    plain = opened(app, code) if code is not None else ""
    app.credentials.all().delete()  # sealed under the platform's key
    app.tenant = tenant
    app.is_main = not there.filter(is_main=True).exists()
    app.save(update_fields=["tenant", "is_main"])
    if plain:
        provision.store_secret(app, Credential.Kind.PERMANENT_CODE, plain)
    if is_template(app.suite_id) and not app.receivers.exists():
        # a suite hears of all its companies at one address; each app made from a template has one of its own
        provision.add_receiver(app)
    return ""


def _note(asked: Authorisation, problem: str) -> None:
    asked.problem, asked.done_at = problem, None if problem else timezone.now()
    asked.save(update_fields=["problem", "done_at"])


def learn(app: CorpApp) -> None:
    """What WeCom says of the app in the company: its number there, and its name."""
    code = newest_credential(app, Credential.Kind.PERMANENT_CODE)
    if code is None:
        return
    found = client_of(suite_of(app.suite_id)).app_at(app.corp_id, opened(app, code))
    app.agent_id, app.name = found.agent_id, (found.name or app.name)[:64]
    app.corp_name = found.corp_name[:100] or app.corp_name
    app.save(update_fields=["agent_id", "name", "corp_name"])


@transaction.atomic
def withdrawn(app: CorpApp, at: datetime) -> bool:
    """The company removed the app: its code is dead. False when it was authorised again since, at this moment even."""
    app = CorpApp.objects.select_for_update().get(pk=app.pk)
    if app.authorised_at is not None and app.authorised_at > at:
        return False
    provision.retire(app.credentials.filter(kind=Credential.Kind.PERMANENT_CODE))
    forget_tokens(app)
    mark_broken(app, 48004, "cancel_auth")
    return True
