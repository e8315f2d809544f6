"""Companies, their hosts, their WeCom apps and receivers."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from scrm.ops.pages import VendorInline, VendorPage, actor
from scrm.ops.site import site
from tenants import closing
from tenants.middleware import hosts
from tenants.models import CorpApp, Credential, Domain, DomainFile, Receiver, Tenant
from tenants.provision import Refused, callback_url, check_aes_key, check_host, store_receiver_key, store_secret
from tenants.recycling import PUBLIC


class DomainInline(VendorInline):
    model = Domain
    fields = readonly_fields = ("domain", "is_primary")


class AppInline(VendorInline):
    model = CorpApp
    fields = readonly_fields = ("name", "lane", "corp_id", "agent_id", "state", "checked_at")


class DomainFileInline(VendorInline):
    model = DomainFile
    fields = readonly_fields = ("name", "content", "created_at")


@admin.register(Tenant, site=site)
class TenantPage(VendorPage):
    editable = ("name", "plan", "seats")
    list_display = ("name", "schema_name", "state", "plan", "seats", "migration_state", "created_at")
    list_filter = ("status", "plan")
    search_fields = ("name", "schema_name", "domains__domain", "apps__corp_id")
    fields = (
        *("name", "schema_name", "status", "plan", "seats", "uid", "migration_state", "created_at", "suspended_at"),
    )
    inlines = (DomainInline, AppInline, DomainFileInline)
    actions = ("suspend", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        return super().get_queryset(request).exclude(schema_name=PUBLIC)

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


def secret_field(label: Any) -> forms.CharField:
    """Typed in, never shown again: empty leaves the stored one as it is."""
    return forms.CharField(
        label=label,
        required=False,
        strip=True,
        max_length=512,
        help_text=_("留空则不修改；保存后不再显示"),
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )


class AppForm(forms.ModelForm):
    new_app_secret = secret_field(_("新的应用 Secret（服务商授权：永久授权码）"))
    new_contact_secret = secret_field(_("新的客户联系 Secret"))

    class Meta:
        model = CorpApp
        fields = ("name",)


@admin.register(CorpApp, site=site)
class AppPage(VendorPage):
    editable = ("name", "new_app_secret", "new_contact_secret")
    form = AppForm
    list_display = ("tenant", "name", "lane", "corp_id", "agent_id", "state", "state_code", "checked_at")
    list_filter = ("lane", "state")
    search_fields = ("tenant__name", "tenant__schema_name", "corp_id")
    list_select_related = ("tenant",)
    fields = (
        *("tenant", "lane", "name", "corp_id", "agent_id", "suite_id", "is_main", "state", "state_code", "state_call"),
        *("checked_at", "secrets", "new_app_secret", "new_contact_secret"),
    )

    @admin.display(description=_("已保存的凭证"))
    def secrets(self, app: CorpApp) -> str:
        kept = Credential.objects.filter(app=app, retired_at=None).order_by("kind", "version")
        return str(_("、")).join(f"{one.get_kind_display()} v{one.version}" for one in kept) or "—"

    def save_model(self, request: HttpRequest, obj: CorpApp, form: Any, change: bool) -> None:
        secrets = {
            obj.own_secret or Credential.Kind.PERMANENT_CODE: form.cleaned_data["new_app_secret"],
            Credential.Kind.CONTACT_SECRET: form.cleaned_data["new_contact_secret"],
        }
        with transaction.atomic():
            obj.save(update_fields=["name"])
            for kind, secret in secrets.items():
                if secret:
                    store_secret(obj, kind, secret)
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
    list_display = ("tenant", "public_id", "app", "verified_at", "last_event_at")
    search_fields = ("tenant__name", "tenant__schema_name", "public_id")
    list_select_related = ("tenant", "app")
    fields = ("tenant", "app", "url", "verified_at", "last_event_at", "created_at", "new_token", "new_aes_key")

    @admin.display(description=_("回调 URL"))
    def url(self, receiver: Receiver) -> str:
        """It is one long word: on a phone it breaks anywhere."""
        return format_html('<span style="overflow-wrap: anywhere">{}</span>', callback_url(receiver))

    def save_model(self, request: HttpRequest, obj: Receiver, form: Any, change: bool) -> None:
        if form.cleaned_data["new_token"]:
            with transaction.atomic():
                store_receiver_key(obj, form.cleaned_data["new_token"], form.cleaned_data["new_aes_key"])
                closing.audit(obj.tenant, "receiver_key_replaced", by=actor(request), receiver=obj.public_id)
