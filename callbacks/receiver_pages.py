"""回调地址: the URLs of ours that a company enters in WeCom's admin, each with its own Token and EncodingAESKey."""

from typing import Any
from uuid import UUID

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from console.access import role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from tenants import provision
from tenants.credentials import keys_to_copy
from tenants.current import current_tenant
from tenants.keys import KeyFault
from tenants.models import CorpApp, Receiver, Tenant

Purpose = Receiver.Purpose
ENTERED_AT: dict[str, str | Promise] = {
    Purpose.APP: _("应用详情页「接收消息 → 设置API接收」"),
    Purpose.CONTACT: _("「客户联系 → API → 接收事件服务器」"),
    Purpose.DIRECTORY: _("「管理工具 → 通讯录同步 → 设置接收事件服务器」"),
    Purpose.ARCHIVE: _("「管理工具 → 会话内容存档 → 接收事件服务器」"),
    Purpose.SERVICE: _("「微信客服 → API → 接收事件服务器」"),
    Purpose.OTHER: _("要求填写 URL、Token 和 EncodingAESKey 的页面"),
}
"""Where in WeCom's admin (wecom-api.md 1.1)."""


def receivers_of(tenant: Tenant) -> QuerySet[Receiver]:
    """Those that WeCom may call, the first one first."""
    return Receiver.objects.filter(tenant=tenant, retired_at=None).order_by("created_at")


def missing_purpose(tenant: Tenant) -> str:
    """What a company most likely adds an address for: the first purpose that has none."""
    there = set(receivers_of(tenant).values_list("purpose", flat=True))
    return next((purpose for purpose in Purpose.values if purpose not in there), Purpose.OTHER)


class ReceiverForm(KitForm):
    """What an address is for. Whose app it is, is asked where the company has several."""

    purpose = forms.ChoiceField(
        label=_("用途"), choices=Purpose.choices, help_text=_("填在企业微信管理后台的哪一处，就选哪一个")
    )
    app = forms.ModelChoiceField(
        label=_("应用"),
        queryset=CorpApp.objects.none(),
        empty_label=None,
        help_text=_("「应用接收消息」填在哪个应用里，就选哪个应用；其他用途属于整个企业，选主应用即可"),
    )

    def __init__(self, tenant: Tenant, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        apps = CorpApp.objects.filter(tenant=tenant, lane=CorpApp.Lane.SELF_BUILT).order_by("-is_main", "created_at")
        self.apps = list(apps)
        if len(self.apps) > 1:
            choice = self.fields["app"]
            choice.queryset = apps  # type: ignore[attr-defined]
            choice.label_from_instance = words_of  # type: ignore[attr-defined]
        else:
            del self.fields["app"]

    def chosen_app(self) -> CorpApp:
        return self.cleaned_data.get("app") or self.apps[0]


def words_of(app: CorpApp) -> str:
    """How operators tell apps apart."""
    name = app.name or f"AgentId {app.agent_id}"
    return _now("%(name)s（主应用）") % {"name": name} if app.is_main else name


def found(pk: UUID) -> Receiver:
    return get_object_or_404(receivers_of(current_tenant()).select_related("app"), pk=pk)


@role_required("owner")
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    tenant = current_tenant()
    form = ReceiverForm(tenant, request.POST or None, initial={"purpose": missing_purpose(tenant)})
    if not form.apps:
        words = _now("请先填写自建应用，再新增回调地址")
        return done(request, words, level="error", back_to="callbacks:connection")
    if request.method == "POST" and form.is_valid():
        receiver = provision.add_receiver(form.chosen_app(), form.cleaned_data["purpose"])
        record(request, "connection.add_receiver", target=name_of(receiver), detail={"url": receiver.public_id})
        return with_keys(request, receiver, changed=True)
    values = {"form": form, "title": _now("新增回调地址"), "submit": _now("新增")}
    values["note"] = _now("保存后给出要复制的 URL、Token 和 EncodingAESKey。")
    return drawer(request, "console/kit/form_drawer.html", values, wrong=bool(form.errors))


@role_required("owner")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: UUID) -> HttpResponse:
    receiver = found(pk)
    told = {"purpose": receiver.purpose, "app": receiver.app_id}
    form = ReceiverForm(current_tenant(), request.POST or None, initial=told)
    if request.method == "POST" and form.apps and form.is_valid():
        before, receiver.purpose, receiver.app = receiver.purpose, form.cleaned_data["purpose"], form.chosen_app()
        receiver.save(update_fields=["purpose", "app"])
        detail = {"purpose": [before, receiver.purpose], "url": receiver.public_id}
        record(request, "connection.change_receiver", target=name_of(receiver), detail=detail)
        return done(request, _now("已保存"), back_to="callbacks:connection")
    values = {"form": form, "title": _now("修改用途"), "submit": _now("保存")}
    values["note"] = _now("网址、Token 和 EncodingAESKey 不变。")
    return drawer(request, "console/kit/form_drawer.html", values, wrong=bool(form.errors))


@require_POST
@role_required("owner")
def reveal(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Token and EncodingAESKey, to be copied into WeCom's admin; whoever looked stands in the audit log."""
    return with_keys(request, found(pk))


@require_POST
@role_required("owner")
def renew(request: HttpRequest, pk: UUID) -> HttpResponse:
    """New Token and EncodingAESKey; what waits in the inbox stays readable with the old ones."""
    receiver = found(pk)
    with transaction.atomic():
        provision.renew_key(receiver)
        Receiver.objects.filter(pk=receiver.pk).update(verified_at=None)
        record(request, "connection.renew_token", target=name_of(receiver), detail={"url": receiver.public_id})
    return with_keys(request, receiver, changed=True)


@require_POST
@role_required("owner")
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """WeCom is answered 404 from now on; what it brought before is opened with the keys that stay."""
    tenant = current_tenant()
    with transaction.atomic():
        live = {receiver.pk: receiver for receiver in receivers_of(tenant).select_for_update()}
        receiver = live.get(pk) or found(pk)
        if len(live) > 1:
            Receiver.objects.filter(pk=pk).update(retired_at=timezone.now())
            record(request, "connection.delete_receiver", target=name_of(receiver), detail={"url": receiver.public_id})
    if len(live) < 2:
        words = _now("这是唯一的回调地址，删除后收不到任何事件；请先新增一个")
        return done(request, words, level="error", back_to="callbacks:connection")
    words = _now("已删除，一分钟内停止接收；已收到的事件会继续处理")
    return done(request, words, back_to="callbacks:connection")


def with_keys(request: HttpRequest, receiver: Receiver, *, changed: bool = False) -> HttpResponse:
    """The drawer with what is to be copied. `changed`: the list behind it is read again."""
    try:
        shown = keys_to_copy(receiver)
    except KeyFault:
        shown = None
    if shown is None:
        words = _now("Token 和 EncodingAESKey 无法读取，请更换；仍不行时联系平台管理员")
        return done(request, words, level="error", back_to="callbacks:connection")
    record(request, "connection.reveal_token", target=name_of(receiver), detail={"url": receiver.public_id})
    values: dict[str, Any] = {
        **shown,
        "title": title_of(receiver),
        "entered_at": ENTERED_AT.get(receiver.purpose, ""),
    }
    values |= {"url": provision.callback_url(receiver), "changed": changed}
    response = drawer(request, "callbacks/_token.html", values)
    if changed:
        response["HX-Trigger"] = "list:refresh"
    return response


def title_of(receiver: Receiver) -> str:
    return _now("回调地址：%(purpose)s") % {"purpose": receiver.get_purpose_display()}


def name_of(receiver: Receiver) -> str:
    return f"{receiver.get_purpose_display()} · {receiver.app}"
