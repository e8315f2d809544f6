"""Companies, their hosts, their WeCom apps and receivers."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Greatest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from scrm.ops.pages import VendorInline, VendorPage, actor
from scrm.ops.site import site
from tenants import authorising, closing
from tenants.credentials import keys_to_copy
from tenants.middleware import hosts
from tenants.models import Authorisation, CorpApp, Credential, Domain, DomainFile, Receiver, Tenant
from tenants.provision import Refused, callback_url, check_aes_key, check_host, store_receiver_key, store_secret
from tenants.recycling import PUBLIC
from tenants.tokens import forget_tokens


class DomainInline(VendorInline):
    model = Domain
    fields = readonly_fields = ("domain", "is_primary")


class AppInline(VendorInline):
    model = CorpApp
    fields = readonly_fields = ("name", "lane", "corp_id", "agent_id", "state", "checked_at")


class DomainFileInline(VendorInline):
    model = DomainFile
    fields = readonly_fields = ("name", "content", "created_at")


class SeatsFilter(admin.SimpleListFilter):
    title = _("席位")
    parameter_name = "seats"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("full", _("已用完")), ("free", _("有空余"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> QuerySet[Tenant]:
        full = Q(seats_used__gte=F("seats"))
        return queryset.filter(full if self.value() == "full" else ~full) if self.value() else queryset


@admin.register(Tenant, site=site)
class TenantPage(VendorPage):
    editable = ("name", "plan", "seats")
    list_display = ("name", "schema_name", "state", "plan", "seats_of_company", "migration_state", "created_at")
    list_filter = ("status", "plan", SeatsFilter)
    search_fields = ("name", "schema_name", "domains__domain", "apps__corp_id")
    fields = (
        *("name", "schema_name", "status", "plan", "seats", "seats_used"),
        *("uid", "migration_state", "created_at", "suspended_at"),
    )
    inlines = (DomainInline, AppInline, DomainFileInline)
    actions = ("suspend", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        return super().get_queryset(request).exclude(schema_name=PUBLIC)

    @display(description=_("席位（已用 / 购买）"), ordering=F("seats_used") * 1.0 / Greatest("seats", 1))
    def seats_of_company(self, tenant: Tenant) -> str:
        return f"{tenant.seats_used} / {tenant.seats}"

    @display(
        description=_("状态"),
        ordering="status",
        label={"使用中": "success", "已停用": "danger", "维护中": "warning"},
    )
    def state(self, tenant: Tenant) -> tuple[str, str]:
        colours = {"active": "使用中", "suspended": "已停用", "maintenance": "维护中"}
        return colours[tenant.status], tenant.get_status_display()

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        with transaction.atomic():
            obj.save(update_fields=list(self.editable))
            changed = {name: form.cleaned_data[name] for name in form.changed_data}
            closing.audit(obj, "tenant_changed", by=actor(request), **changed)
        hosts.forget()

    @admin.action(description=_("停用"))
    def suspend(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        for tenant in tenants:
            closing.suspend(tenant, by=actor(request))
        self.message_user(request, ngettext("已停用 %d 家企业", "已停用 %d 家企业", len(tenants)) % len(tenants))

    @admin.action(description=_("恢复使用"))
    def resume(self, request: HttpRequest, tenants: QuerySet[Tenant]) -> None:
        for tenant in tenants:
            try:
                closing.resume(tenant, by=actor(request))
            except Refused as refused:
                self.message_user(request, str(refused), messages.ERROR)
            else:
                self.message_user(request, _("%s 已恢复使用") % tenant.name)


class DomainForm(forms.ModelForm):
    class Meta:
        model = Domain
        fields = ("tenant", "domain", "is_primary")

    def clean_domain(self) -> str:
        try:
            return check_host(self.cleaned_data["domain"])
        except Refused as refused:
            raise forms.ValidationError(_("请填写域名，不含端口和路径，例如 scrm.example.com")) from refused


@admin.register(Domain, site=site)
class DomainPage(VendorPage):
    editable = fields = ("tenant", "domain", "is_primary")
    form = DomainForm
    list_display = ("domain", "tenant", "is_primary")
    search_fields = ("domain", "tenant__name", "tenant__schema_name")
    list_select_related = ("tenant",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def has_delete_permission(self, request: HttpRequest, obj: Domain | None = None) -> bool:
        return obj is not None and not obj.is_primary

    def save_model(self, request: HttpRequest, obj: Domain, form: Any, change: bool) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            closing.audit(obj.tenant, "domain_saved", by=actor(request), domain=obj.domain)
        hosts.forget()

    def delete_model(self, request: HttpRequest, obj: Domain) -> None:
        with transaction.atomic():
            closing.audit(obj.tenant, "domain_deleted", by=actor(request), domain=obj.domain)
            super().delete_model(request, obj)
        hosts.forget()


def secret_field(label: Any, *, required: bool = False, help_text: Any = "") -> forms.CharField:
    """Typed in, never shown again: empty leaves the stored one as it is."""
    return forms.CharField(
        label=label,
        required=required,
        strip=True,
        max_length=512,
        help_text=help_text or (_("保存后不再显示") if required else _("留空则不修改；保存后不再显示")),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )


class AppForm(forms.ModelForm):
    company = forms.ModelChoiceField(
        label=_("分配给企业"),
        queryset=Tenant.objects.exclude(schema_name=PUBLIC),
        required=False,
        help_text=_("企业在应用市场自行安装、尚未对应到账号时，在这里选择它的账号"),
        widget=UnfoldAdminSelectWidget,
    )
    new_app_secret = secret_field(_("新的应用 Secret（服务商授权：永久授权码）"))
    new_contact_secret = secret_field(_("新的客户联系 Secret"))

    class Meta:
        model = CorpApp
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.tenant.schema_name != PUBLIC:
            self.fields["company"].disabled = True
            self.fields["company"].initial = self.instance.tenant
        if self.instance.lane == CorpApp.Lane.PROVIDER:  # it has its permanent code and no other secret
            self.fields["new_contact_secret"].disabled = True


@admin.register(CorpApp, site=site)
class AppPage(VendorPage):
    editable = ("name", "company", "new_app_secret", "new_contact_secret")
    form = AppForm
    list_display = ("company_name", "name", "lane", "corp_id", "agent_id", "state", "state_code", "checked_at")
    list_filter = ("lane", "state")
    search_fields = ("tenant__name", "tenant__schema_name", "corp_id", "corp_name", "suite_id")
    list_select_related = ("tenant",)
    fields = (
        *("tenant", "lane", "name", "corp_id", "corp_name", "agent_id", "suite_id", "is_main"),
        *("state", "state_code", "state_call"),
        *("authorised_at", "checked_at", "secrets", "company", "new_app_secret", "new_contact_secret"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CorpApp]:
        return super().get_queryset(request).exclude(lane=CorpApp.Lane.SUITE)

    @display(description=_("企业"), ordering="tenant__name")
    def company_name(self, app: CorpApp) -> str:
        if app.tenant.schema_name != PUBLIC:
            return app.tenant.name
        return _now("未分配：%s") % (app.corp_name or app.corp_id)

    @admin.display(description=_("已保存的凭证"))
    def secrets(self, app: CorpApp) -> str:
        kept = Credential.objects.filter(app=app, retired_at=None).order_by("kind", "version")
        return str(_("、")).join(f"{one.get_kind_display()} v{one.version}" for one in kept) or "—"

    def save_model(self, request: HttpRequest, obj: CorpApp, form: Any, change: bool) -> None:
        secrets = {
            obj.own_secret: form.cleaned_data["new_app_secret"],
            Credential.Kind.CONTACT_SECRET: form.cleaned_data["new_contact_secret"],
        }
        company = form.cleaned_data["company"]
        with transaction.atomic():
            obj.save(update_fields=["name"])
            if company is not None and obj.tenant.schema_name == PUBLIC:
                problem = authorising.assign(obj, company)
                if problem:
                    self.message_user(request, Authorisation.Problem(problem).label, messages.ERROR)
                else:
                    closing.audit(company, "app_assigned", by=actor(request), app=str(obj.pk), corp=obj.corp_id)
            for kind, secret in secrets.items():
                if secret:
                    store_secret(obj, kind, secret)
                    forget_tokens(obj)
                    closing.audit(obj.tenant, "secret_replaced", by=actor(request), app=str(obj.pk), kind=kind)


class ReceiverForm(forms.ModelForm):
    new_token = secret_field(_("新的 Token"))
    new_aes_key = secret_field(_("新的 EncodingAESKey"))

    class Meta:
        model = Receiver
        fields: tuple[str, ...] = ()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if bool(data.get("new_token")) != bool(data.get("new_aes_key")):
            raise forms.ValidationError(_("Token 和 EncodingAESKey 需要一起更换"))
        if data.get("new_aes_key"):
            try:
                check_aes_key(data["new_aes_key"])
            except Refused as refused:
                raise forms.ValidationError({"new_aes_key": _("EncodingAESKey 为 43 位字母和数字")}) from refused
            if not data["new_token"].isalnum() or not data["new_token"].isascii() or len(data["new_token"]) > 32:
                raise forms.ValidationError({"new_token": _("Token 为 32 位以内的字母和数字")})
        return data


@admin.register(Receiver, site=site)
class ReceiverPage(VendorPage):
    editable = ("new_token", "new_aes_key")
    form = ReceiverForm
    list_display = ("tenant", "public_id", "app", "purpose", "verified_at", "last_event_at", "retired_at")
    search_fields = ("tenant__name", "tenant__schema_name", "public_id")
    list_select_related = ("tenant", "app")
    fields = (
        *("tenant", "app", "purpose", "url", "verified_at", "last_event_at", "created_at", "retired_at"),
        *("new_token", "new_aes_key"),
    )
    actions_detail = ("show_key",)

    def has_show_key_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """What a company entered in its own admin is shown to its own owner alone."""
        entered_by_us = Receiver.objects.exclude(app__lane=CorpApp.Lane.SELF_BUILT)
        return object_id is not None and entered_by_us.filter(pk=object_id).exists()

    @action(description=_("查看 Token 和 EncodingAESKey"), url_path="key", permissions=["show_key"])
    def show_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """For the provider's own admin, where the addresses of suites and of apps made from templates are entered."""
        receiver = get_object_or_404(Receiver, pk=object_id)
        shown = keys_to_copy(receiver)
        if shown is None:
            raise Http404
        closing.audit(receiver.tenant, "receiver_key_shown", by=actor(request), receiver=receiver.public_id)
        context = {**site.each_context(request), **shown, "url": callback_url(receiver), "receiver": receiver}
        return render(request, "ops/receiver_key.html", context | {"title": _("Token 和 EncodingAESKey")})

    @admin.display(description=_("回调 URL"))
    def url(self, receiver: Receiver) -> str:
        """It is one long word: on a phone it breaks anywhere."""
        return format_html('<span style="overflow-wrap: anywhere">{}</span>', callback_url(receiver))

    def save_model(self, request: HttpRequest, obj: Receiver, form: Any, change: bool) -> None:
        if form.cleaned_data["new_token"]:
            with transaction.atomic():
                store_receiver_key(obj, form.cleaned_data["new_token"], form.cleaned_data["new_aes_key"])
                closing.audit(obj.tenant, "receiver_key_replaced", by=actor(request), receiver=obj.public_id)
