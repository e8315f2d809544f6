"""Suites and templates of the provider: what they are known by, the ticket WeCom pushes, and a client for each."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tenants import provision
from tenants.credentials import key_of_token, newest_credential, opened
from tenants.keys import seal
from tenants.limits import gate_for
from tenants.migrate import ensure_public
from tenants.models import CorpApp, Credential, OutgoingCall, Suite
from tenants.rotation import place_of
from tenants.tokens import PostgresTokens
from wecom.errors import WeComMisconfigured
from wecom.suites import SuiteClient, SuiteCredentials, is_template, no_ticket
from wecom.wire import shared_wire

TICKET_LIFE = timedelta(minutes=30)
"""WeCom pushes a new one every ten minutes (wecom-api.md 2.7)."""


def suite_of(suite_id: str) -> Suite:
    """The suite that an app was authorised to; one we no longer have is a matter of configuration."""
    suite = Suite.objects.filter(suite_id=suite_id).first()
    if suite is None:
        raise WeComMisconfigured(40083, f"there is no suite {suite_id}", "service/get_suite_token")
    return suite


def offered() -> list[Suite]:
    """Those that a company can authorise now: complete, with a ticket that lives."""
    return [suite for suite in Suite.objects.order_by("created_at") if is_complete(suite) and ticket_of(suite)]


def is_complete(suite: CorpApp) -> bool:
    kinds = {Credential.Kind.SUITE_SECRET}
    if is_template(suite.suite_id):
        kinds.add(Credential.Kind.PROVIDER_SECRET)
    kept = Credential.objects.filter(app=suite, retired_at=None).values_list("kind", flat=True)
    return kinds <= set(kept)


def ticket_of(suite: CorpApp) -> Credential | None:
    """The newest ticket while WeCom accepts it."""
    found = newest_credential(suite, Credential.Kind.SUITE_TICKET)
    return found if found is not None and is_good(found) else None


def is_good(ticket: Credential) -> bool:
    return timezone.now() - ticket.created_at < TICKET_LIFE


@transaction.atomic
def add(suite_id: str, *, name: str, provider_corp_id: str, secret: str, provider_secret: str = "") -> Suite:
    """A suite or template as the provider's admin shows it, with the receiver that is to be entered there."""
    suite_id, corp_id = suite_id.strip(), provider_corp_id.strip()
    if not provision.CORP_ID.fullmatch(suite_id) or not provision.CORP_ID.fullmatch(corp_id):
        raise provision.Refused("suite id and corp id: 4–64 letters and digits, as the provider's admin shows them")
    if Suite.objects.filter(suite_id=suite_id).exists():
        raise provision.Refused(f"suite {suite_id!r} is there already")
    platform = ensure_public()
    suite = Suite.objects.create(
        tenant=platform,
        lane=CorpApp.Lane.SUITE,
        name=name[:64],
        corp_id=corp_id,
        suite_id=suite_id,
        is_main=False,
    )
    provision.store_secret(suite, Credential.Kind.SUITE_SECRET, secret)
    if provider_secret:
        provision.store_secret(suite, Credential.Kind.PROVIDER_SECRET, provider_secret)
    provision.add_receiver(suite)
    return suite


@transaction.atomic
def keep_ticket(suite_id: str, ticket: str, at: datetime) -> None:
    """The newest by WeCom's own time, whatever order they come in: one that was captured and is played again is old."""
    suite = Suite.objects.select_for_update().filter(suite_id=suite_id).first()
    if suite is None or not ticket:
        return
    kept = newest_credential(suite, Credential.Kind.SUITE_TICKET)
    if kept is not None and kept.created_at >= at:
        return
    row = kept or Credential(app=suite, kind=Credential.Kind.SUITE_TICKET)
    row.sealed = seal(suite.tenant_id, place_of(row, "sealed"), ticket)
    row.save()
    Credential.objects.filter(pk=row.pk).update(created_at=at)


def client_of(
    suite: CorpApp, *, priority: int = OutgoingCall.Priority.INTERACTIVE, insist: bool = False
) -> SuiteClient:
    """Speaks as the suite, and of a template as its provider too. Without a ticket there is nothing to speak with, but
    for the token that the one before gave: a ticket that is late, or came while we were away, stops nobody for that."""
    secret = newest_credential(suite, Credential.Kind.SUITE_SECRET)
    if secret is None:
        raise WeComMisconfigured(41004, "no suite secret is stored", "service/get_suite_token")
    key, tokens = key_of_token(suite, secret), PostgresTokens(suite, secret.kind, insist=insist)
    ticket = newest_credential(suite, Credential.Kind.SUITE_TICKET)
    if ticket is None or (not is_good(ticket) and tokens.get(key) is None):
        raise no_ticket(suite.suite_id)
    provider = newest_credential(suite, Credential.Kind.PROVIDER_SECRET)
    credentials = SuiteCredentials(
        key=key,
        suite_id=suite.suite_id,
        secret=opened(suite, secret),
        ticket=opened(suite, ticket),
        provider_corp_id=suite.corp_id,
        provider_key=key_of_token(suite, provider) if provider else "",
        provider_secret=opened(suite, provider) if provider else "",
    )
    return SuiteClient(
        credentials,
        tokens,
        PostgresTokens(suite, Credential.Kind.PROVIDER_SECRET, insist=insist),
        shared_wire(settings.WECOM_API_BASE, frozenset(getattr(settings, "WECOM_TRUSTED_HOSTS", ()))),
        gate_for(suite, priority),
    )
