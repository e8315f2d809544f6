"""其他应用: self-built apps of the same corp beside the main one, and which of them is the main one."""

from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from callbacks.receiver_pages import Purpose, receivers_of, words_of
from console.access import role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from members.reach import address
from tenants import provision
from tenants.checks import check_app
from tenants.current import current_tenant
from tenants.models import CorpApp, Credential, OutgoingCall, Receiver, Tenant
from tenants.tokens import forget_tokens

BACK = "callbacks:connection"
State = OutgoingCall.State
OPEN = (State.PENDING, State.LEASED, State.UNKNOWN, State.PARKED)
OF_THE_CORP = (Credential.Kind.CONTACT_SECRET, Credential.Kind.ARCHIVE_SECRET, Credential.Kind.ARCHIVE_KEY)
"""What the main app holds for the whole company."""
SENDS_AS_ITSELF = "message/send"


class Refused(Exception):
    """What was asked for would break the connection; the text says what comes first."""


def main_app_of(tenant: Tenant) -> CorpApp | None:
    return CorpApp.objects.filter(tenant=tenant, is_main=True).first()


def other_apps_of(tenant: Tenant) -> QuerySet[CorpApp]:
    return CorpApp.objects.filter(tenant=tenant, is_main=False, lane=CorpApp.Lane.SELF_BUILT).order_by("created_at")


def refuse_twin(corp_id: str, agent_id: int | None, app: CorpApp | None) -> None:
    """An app is connected once on this platform: its events and its limits belong to one account."""
    twins = CorpApp.objects.filter(corp_id=corp_id, agent_id=agent_id)
    twin = twins.exclude(pk=app.pk).first() if app else twins.first()
    if twin is None:
        return
    if twin.tenant_id == current_tenant().pk:
        raise ValidationError(_("这个应用已经在本账号中，请在主应用或「其他应用」里修改"))
    raise ValidationError(_("这个应用已经接入了另一个账号；请换一个自建应用，或联系平台管理员"))


class OtherAppForm(KitForm):
    """A second app of the same corp."""

    name = forms.CharField(label=_("应用名称"), max_length=64, help_text=_("只在本系统中用来区分，例如「售后助手」"))
    agent_id = forms.IntegerField(
        label=_("应用ID（AgentId）"), min_value=1, max_value=2**31 - 1, help_text=_("「应用管理 → 自建应用」详情页")
    )
    app_secret = forms.CharField(
        label=_("应用 Secret"), max_length=200, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, corp_id: str, app: CorpApp | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.corp_id, self.app = corp_id, app
        if app is not None:
            self.fields["name"].initial, self.fields["agent_id"].initial = app.name, app.agent_id
            self.fields["app_secret"].required = False
            self.fields["app_secret"].widget.attrs["placeholder"] = _("已保存，不再显示；留空则不修改")

    def clean_agent_id(self) -> int:
        agent_id = int(self.cleaned_data["agent_id"])
        refuse_twin(self.corp_id, agent_id, self.app)
        return agent_id

    @transaction.atomic
    def save(self, tenant: Tenant) -> CorpApp:
        values = self.cleaned_data
        app = self.app or CorpApp(tenant=tenant, corp_id=self.corp_id, is_main=False)
        changed = app.agent_id != values["agent_id"] or bool(values["app_secret"])
        app.name, app.agent_id = values["name"], values["agent_id"]
        app.state = CorpApp.State.UNCHECKED if changed else app.state
        app.save(update_fields=["name", "agent_id", "state"] if self.app else None)  # it may become the main one now
        if values["app_secret"]:
            provision.store_secret(app, Credential.Kind.APP_SECRET, values["app_secret"])
        if changed:
            forget_tokens(app)
        return app


def found(pk: UUID) -> CorpApp:
    return get_object_or_404(other_apps_of(current_tenant()), pk=pk)


@role_required("owner")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    main = main_app_of(current_tenant())
    if main is None or main.lane != CorpApp.Lane.SELF_BUILT:
        return done(request, _now("请先填写自建应用，再添加其他应用"), level="error", back_to=BACK)
    return form_of(request, main.corp_id, None)


@role_required("owner")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    app = found(pk)
    return form_of(request, app.corp_id, app)


def form_of(request: HttpRequest, corp_id: str, app: CorpApp | None) -> HttpResponse:
    form = OtherAppForm(corp_id, app, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            saved = form.save(current_tenant())
        except IntegrityError:  # another operator added it a moment ago
            form.add_error("agent_id", _("这个应用刚刚已被添加，请刷新页面"))
        else:
            detail = {"secret": bool(form.cleaned_data["app_secret"]), "name": saved.name}
            record(request, "connection.save_other_app", target=str(saved), detail=detail)
            return done(request, _now("已保存，请点「检查」确认连接"), back_to=BACK)
    values = {"form": form, "submit": _now("保存"), "title": words_of(app) if app else _now("添加应用")}
    values["note"] = _now("同一企业（%(corp)s）的另一个自建应用。") % {"corp": corp_id}
    return drawer(request, "console/kit/form_drawer.html", values, wrong=bool(form.errors))


@require_GET
@role_required("owner", "admin")
def checks(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The live checks of this app; its line on the page is read again."""
    app = found(pk)
    rows = check_app(app)
    values = {"checks": rows, "good": sum(bool(row.ok) for row in rows), "title": words_of(app)}
    response = drawer(request, "callbacks/_app_checks.html", values)
    response["HX-Trigger"] = "list:refresh"
    return response


@role_required("owner")
@require_http_methods(["GET", "HEAD", "POST"])
def make_main(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What changes is read first; it is many things that stand in WeCom's admin and not here."""
    app, before = found(pk), main_app_of(current_tenant())
    if request.method == "POST":
        try:
            take_over(app)
        except Refused as refused:
            return done(request, refused, level="error", back_to=BACK)
        detail = {"main": [str(before), str(app)]}
        record(request, "connection.change_main_app", target=str(app), detail=detail)
        return done(request, _now("已设为主应用，正在检查连接"), back_to=BACK, leave=True)
    values = {
        "app": app,
        "name": words_of(app),
        "sidebar": address(reverse("sidebar:shell")),
        "contact_secret": before is not None
        and before.credentials.filter(kind=Credential.Kind.CONTACT_SECRET, retired_at=None).exists(),
        "title": _now("设为主应用"),
    }
    return drawer(request, "callbacks/_make_main.html", values)


@transaction.atomic
def take_over(app: CorpApp) -> None:
    """The company speaks by this app from now on. What belongs to the company goes with it: the secrets of 客户联系 and
    会话存档 with all keys, and the calls that wait, but for messages: only the app that they name may send them."""
    apps = {one.pk: one for one in CorpApp.objects.select_for_update().filter(tenant=app.tenant_id).order_by("pk")}
    before, after = next((one for one in apps.values() if one.is_main), None), apps.get(app.pk)
    if before is None or after is None or before.corp_id != after.corp_id or before.lane != CorpApp.Lane.SELF_BUILT:
        raise Refused(_now("只能在同一企业的自建应用之间更换主应用"))
    if after.state != CorpApp.State.OK:
        raise Refused(_now("这个应用还没有通过检查，请先检查并修复"))
    CorpApp.objects.filter(pk=before.pk).update(is_main=False)
    CorpApp.objects.filter(pk=after.pk).update(is_main=True)
    for kind in OF_THE_CORP:
        kept = Credential.objects.filter(app=after, kind=kind).values_list("version", flat=True)
        Credential.objects.filter(app=before, kind=kind).exclude(version__in=list(kept)).update(app=after)
    waiting = OutgoingCall.objects.filter(app=before, state__in=[*OPEN, State.DEAD]).exclude(api=SENDS_AS_ITSELF)
    waiting.update(app=after)


@require_POST
@role_required("owner")
def remove(request: HttpRequest, pk: UUID) -> HttpResponse:
    app = found(pk)
    named = str(app)
    try:
        take_away(app)
    except Refused as refused:
        return done(request, refused, level="error", back_to=BACK)
    record(request, "connection.remove_app", target=named, detail={"name": app.name})
    return done(request, _now("已移除"), back_to=BACK)


@transaction.atomic
def take_away(app: CorpApp) -> None:
    """Its secrets go. What it received and sent stays on record with the main app, which is of the same corp; the
    addresses that were entered at this app take nothing more."""
    main = CorpApp.objects.select_for_update().filter(tenant=app.tenant_id, is_main=True).first()
    live = list(receivers_of(app.tenant).select_for_update())
    own = [one.pk for one in live if one.app_id == app.pk and one.purpose == Purpose.APP]
    if main is None or main.pk == app.pk:
        raise Refused(_now("主应用不能移除，请先把另一个应用设为主应用"))
    if len(own) == len(live):
        raise Refused(_now("唯一的回调地址属于这个应用；请先为其他用途新增一个回调地址"))
    waiting = OutgoingCall.objects.filter(app=app, state__in=OPEN).count()
    if waiting:
        words = _now("还有 %(n)s 个调用要由这个应用发出，请先在「待办与异常」中处理")
        raise Refused(words % {"n": waiting})
    Receiver.objects.filter(pk__in=own).update(retired_at=timezone.now())
    Receiver.objects.filter(app=app).update(app=main)
    OutgoingCall.objects.filter(app=app).update(app=main)
    app.delete()
