"""Is a company's connection to WeCom in order? Live checks with cause and fix, and the resumption of what waited."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from tenants import outbox
from tenants.authorising import learn
from tenants.current import client_for
from tenants.faults import words_for
from tenants.judging import APP_WIDE
from tenants.keys import KeyFault
from tenants.models import CorpApp, Credential, OutgoingCall, Receiver, Tenant
from tenants.recycling import PUBLIC
from tenants.tokens import BAD_SECRET, OF_COMPANIES, mark_broken, mark_well
from wecom.client import WeComClient
from wecom.errors import WeComError, WeComMisconfigured, WeComRefused

logger = logging.getLogger(__name__)

WAITING: list[Callable[[], Iterable[int]]] = []
"""Which tenants have parked work of other kinds; filled by scrm/wiring.py."""
RESUMERS: list[Callable[[CorpApp], object]] = []
"""What starts again once an app's check is green; filled by scrm/wiring.py, called in the tenant's schema."""

# How often a refused secret that is unchanged is shown to WeCom again. Wrong secrets shut out our address for an hour,
# and with it all tenants (wecom-api.md 3.1); the number we know is five within an hour (appendix B 1). So all tenants
# together make at most four: the refusal itself, two tries while somebody is likely to be mending it in WeCom, where
# we see nothing of it, and from then on one in half an hour, of the app that waited longest. A new secret that is
# entered here is tried at once: that is how most are mended (F14).
SECRET_TRIED_SOON = timedelta(minutes=4)  # also what a person who presses "check" has to wait
SECRET_TRIED_SOON_FOR = timedelta(minutes=9)
SECRETS_APART = timedelta(minutes=30)
SECRET_HOPED_FOR = timedelta(hours=3)
SECRET_TRIED_SELDOM = timedelta(hours=6)  # once it was wrong for so long that nobody seems to be at it
PRIORITY = OutgoingCall.Priority.INTERACTIVE

BRING_CUSTOMERS = (Receiver.Purpose.APP, Receiver.Purpose.CONTACT, Receiver.Purpose.OTHER)
"""Which receivers may be told to receive the events of customers (wecom-api.md 1.1)."""

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the connection page. `ok` is None when it could not be found out now."""

    name: str
    title: Text
    ok: bool | None
    code: int | None = None
    cause_zh: Text = ""
    fix_zh: Text = ""
    detail: str = ""


def check_app(app: CorpApp) -> list[Check]:
    """All checks, in the order in which a company sets them up. Records the app's state and resumes what waited."""
    app.refresh_from_db()
    _learn(app)
    rows, fault = _live(app)
    rows += _callbacks(app)
    _record(app, fault)
    return rows


def _learn(app: CorpApp) -> None:
    """What was not heard of when the company authorised the app is asked for again."""
    if app.lane == CorpApp.Lane.PROVIDER and app.agent_id is None:
        try:
            learn(app)
        except (WeComError, KeyFault) as error:
            logger.warning("what the company authorised was not read: %s", error)


def _live(app: CorpApp) -> tuple[list[Check], WeComError | None]:
    """Ask WeCom until the first fault that makes further questions pointless."""
    rows: list[Check] = []
    fault: WeComError | None = None
    for name, title, ask in _questions(app):
        row, error = _asked(name, title, ask)
        if error is not None and error.code == 60020:
            row = Check(name, title, None)  # it is the address that was refused, which has a line of its own
        rows.append(row)
        fault = fault or error
        if error is not None and error.code in APP_WIDE:
            break
    rows.append(_trusted_ip(fault, rows))
    return rows, fault


def _questions(app: CorpApp) -> list[tuple[str, Text, Callable[[], object]]]:
    questions: list[tuple[str, Text, Callable[[], object]]] = [
        ("token", _("企业ID 与应用 Secret"), lambda: _token(app, "app"))
    ]
    contact = Credential.objects.filter(app=app, kind=Credential.Kind.CONTACT_SECRET, retired_at=None)
    if app.lane == CorpApp.Lane.SELF_BUILT and contact.exists():
        questions.append(("contact_token", _("客户联系 Secret"), lambda: _token(app, "contact")))
    if app.agent_id is not None:
        agent_id = app.agent_id
        questions.append(("agent", _("应用ID 与可见范围"), lambda: _client(app, "app").agent(agent_id)))
    if app.is_main:  # by any other app no customer is asked about
        questions.append(("customers", _("客户联系权限"), lambda: _client(app, "contact").follow_user_list()))
    return questions


def _asked(name: str, title: Text, ask: Callable[[], object]) -> tuple[Check, WeComError | None]:
    try:
        ask()
    except (WeComMisconfigured, WeComRefused) as error:
        words = words_for(error.code)
        return Check(name, title, False, error.code, words.cause, words.fix, error.message[:200]), error
    except WeComError as error:
        words = words_for(error.code)
        return Check(name, title, None, error.code, words.cause, words.fix), error
    return Check(name, title, True), None


def _trusted_ip(fault: WeComError | None, rows: list[Check]) -> Check:
    """WeCom names the address it saw us call from, which is what has to be entered."""
    title = _("企业可信IP")
    if fault is not None and fault.code == 60020:
        words = words_for(60020)
        return Check("trusted_ip", title, False, 60020, words.cause, words.fix, fault.source_ip)
    asked = any(row.ok for row in rows if row.name in ("agent", "customers"))
    return Check("trusted_ip", title, True if asked else None)


def _callbacks(app: CorpApp) -> list[Check]:
    """Of the main app: all addresses of the company that bring customers' events, and one of them is enough. Which one
    that is, is decided in WeCom's admin. Of another app: its own, if it has any."""
    if app.is_of_suite:  # WeCom calls the address of the suite, which is everyone's
        return [_event(app.last_event_at)]
    live = list(Receiver.objects.filter(tenant=app.tenant_id, retired_at=None).order_by("created_at"))
    if not app.is_main:
        own = [receiver for receiver in live if receiver.app_id == app.pk]
        return [_verified(own)] if own else []
    heard = [receiver for receiver in live if receiver.purpose in BRING_CUSTOMERS]
    received = max((receiver.last_event_at for receiver in heard if receiver.last_event_at), default=None)
    if app.lane == CorpApp.Lane.PROVIDER:
        return [_verified(heard, fix=_("请服务商在企业微信服务商后台填写这个应用的回调地址。")), _event(received)]
    return [_verified(heard, silent=[receiver for receiver in live if not receiver.verified_at]), _event(received)]


def _verified(receivers: list[Receiver], silent: Sequence[Receiver] = (), fix: Text = "") -> Check:
    """Green with one that WeCom verified; where there are several, those that it did not are named."""
    name, title = "callback", _("接收事件的网址")
    if any(receiver.verified_at for receiver in receivers):
        return Check(name, title, True, cause_zh=_named(_("还没有验证：{names}。"), silent) if silent else "")
    if not receivers:
        add = _("新增一个用途为「客户联系」的回调地址，填到企业微信管理后台。")
        return Check(name, title, False, None, _("没有接收客户事件的回调地址。"), add)
    cause: Text = _("企业微信还没有验证过接收事件的网址。")
    if len(receivers) > 1:
        cause = _named(_("企业微信还没有验证过接收事件的网址：{names}。"), receivers)
    fix = fix or _("在应用详情页「接收消息」和「客户联系 → API」中填写网址、Token 和 EncodingAESKey，并保存。")
    return Check(name, title, False, None, cause, fix)


def _event(received: datetime | None) -> Check:
    name, title = "event", _("收到事件")
    if received is not None:
        return Check(name, title, True, detail=received.isoformat())
    return Check(
        name, title, None, None, _("还没有收到过事件。"), _("用一个客户添加员工来试一次；事件应在几秒内到达。")
    )


def _named(words: Any, receivers: Sequence[Receiver]) -> Text:
    purposes = dict.fromkeys(str(receiver.get_purpose_display()) for receiver in receivers)
    return format_lazy(words, names=str(_("、")).join(purposes))


def _client(app: CorpApp, secret: str) -> WeComClient:
    """A secret that cannot be opened any more is as good as none: it has to be entered again."""
    try:
        return client_for(app, secret, priority=PRIORITY, insist=True)
    except KeyFault as fault:
        raise WeComMisconfigured(41004, "the stored secret cannot be opened", "gettoken") from fault


def _token(app: CorpApp, secret: str) -> None:
    """A secret that was just refused is not shown to WeCom again, as that would shut out our address."""
    if _refused_lately(app, SECRET_TRIED_SOON):
        raise WeComMisconfigured(app.state_code or 40001, "the secret was refused a moment ago", "gettoken")
    _client(app, secret).check_token()


def _refused_lately(app: CorpApp, span: timedelta) -> bool:
    if not _has_bad_secret(app) or app.checked_at is None:
        return False
    return not _has_new_secret(app) and timezone.now() - app.checked_at < span


def _has_new_secret(app: CorpApp) -> bool:
    return app.checked_at is not None and Credential.objects.filter(app=app, created_at__gt=app.checked_at).exists()


def _has_bad_secret(app: CorpApp) -> bool:
    return app.state == CorpApp.State.BROKEN and _is_bad_secret(app.state_code, app.state_call)


def _is_bad_secret(code: int | None, call: str) -> bool:
    return code in BAD_SECRET and call.startswith(tuple(OF_COMPANIES))


def _record(app: CorpApp, fault: WeComError | None) -> None:
    """Green, red, or as it was when WeCom could not be asked. A refused secret is recorded where it was refused."""
    was_green = app.state == CorpApp.State.OK
    if fault is None:
        mark_well(app)
        _start_again(app, was_green=was_green)
    elif isinstance(fault, WeComMisconfigured | WeComRefused) and not _is_bad_secret(fault.code, fault.call):
        mark_broken(app, fault.code, fault.call)
    app.refresh_from_db()


def _start_again(app: CorpApp, *, was_green: bool) -> None:
    count = outbox.try_parked(app) if was_green else outbox.resume(app)
    if count:
        logger.info("app %s is in order: %s parked calls go out", app.pk, count)
    if not app.is_main:  # what waits in the inbox and elsewhere waits for the main app
        return
    with app.tenant:
        for resume in RESUMERS:
            try:
                resume(app)
            except Exception:
                logger.exception("resuming after a green check failed")


# -- by ourselves, each minute ---------------------------------------------------------------------------------------


def check_waiting_apps() -> int:
    """Check the apps that are broken or were never checked, and those whose tenants have parked work."""
    parked = OutgoingCall.objects.filter(state=OutgoingCall.State.PARKED).values_list("tenant_id", flat=True).distinct()
    tenants = set(parked).union(*(waiting() for waiting in WAITING))
    apps = (
        CorpApp.objects.exclude(tenant__schema_name=PUBLIC)
        .filter(tenant__status=Tenant.Status.ACTIVE)
        .filter(Q(state__in=[CorpApp.State.BROKEN, CorpApp.State.UNCHECKED]) | Q(tenant__in=tenants))
    )
    checked = 0
    for app in apps.select_related("tenant").order_by("checked_at"):
        if _has_bad_secret(app) and not _may_try_secret(app):
            continue
        try:
            with app.tenant:
                check_app(app)
        except Exception:
            logger.exception("the check of app %s failed", app.pk)
        checked += 1
    return checked


def _may_try_secret(app: CorpApp) -> bool:
    """At once after a new secret was entered; else one of all tenants at a time, the one that waited longest."""
    if _has_new_secret(app):
        return True
    since = app.broken_since or app.checked_at
    broken_for = timezone.now() - since if since is not None else timedelta()
    if broken_for < SECRET_TRIED_SOON_FOR:
        span = SECRET_TRIED_SOON
    else:
        span = SECRETS_APART if broken_for < SECRET_HOPED_FOR else SECRET_TRIED_SELDOM
    if _refused_lately(app, span):
        return False
    others = CorpApp.objects.filter(
        state=CorpApp.State.BROKEN, state_call__startswith="gettoken", checked_at__gt=timezone.now() - SECRETS_APART
    )
    return not others.exclude(pk=app.pk).exists()
