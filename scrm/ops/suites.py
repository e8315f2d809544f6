"""服务商应用: the templates and suites by which companies are connected with a scan."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.timesince import timesince
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from callbacks import inbox
from scrm.ops.companies import secret_field
from scrm.ops.pages import VendorPage, actor
from scrm.ops.site import site
from tenants import closing, suites
from tenants.credentials import newest_credential
from tenants.faults import words_for
from tenants.models import CorpApp, Credential, Suite
from tenants.provision import CORP_ID, callback_url, store_secret
from tenants.tokens import forget_tokens, mark_well
from wecom.errors import WeComError
from wecom.suites import is_template


class NewSuite(forms.ModelForm):
    secret = secret_field(_("服务商应用 Secret"), required=True)
    provider_secret = secret_field(
        _("服务商 Secret"), help_text=_("代开发模板需要：在服务商后台「应用管理 → 通用开发参数」查看")
    )

    class Meta:
        model = Suite
        fields = ("name", "suite_id", "corp_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = self.fields["suite_id"].required = True
        self.fields["suite_id"].help_text = _("代开发模板以 dk 开头，第三方应用以 ww 开头")
        self.fields["corp_id"].label = _("服务商的企业ID")

    def clean_suite_id(self) -> str:
        suite_id = _checked_id(self.cleaned_data["suite_id"])
        if Suite.objects.filter(suite_id=suite_id).exists():
            raise forms.ValidationError(_("这个服务商应用已经添加过"))
        return suite_id

    def clean_corp_id(self) -> str:
        return _checked_id(self.cleaned_data["corp_id"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if is_template(data.get("suite_id", "")) and not data.get("provider_secret"):
            raise forms.ValidationError({"provider_secret": _("代开发模板用它生成授权二维码，请填写")})
        return data


class SuiteForm(forms.ModelForm):
    secret = secret_field(_("新的服务商应用 Secret"))
    provider_secret = secret_field(_("新的服务商 Secret"))

    class Meta:
        model = Suite
        fields = ("name",)


@admin.register(Suite, site=site)
class SuitePage(VendorPage):
    editable = ("name", "secret", "provider_secret")
    list_display = ("name", "suite_id", "kind", "state", "ticket", "verified", "companies")
    search_fields = ("name", "suite_id")
    actions = ("check",)
    actions_detail = ("show_key",)
    fields = (
        *("name", "suite_id", "corp_id", "kind", "state", "state_code", "url", "verified", "ticket", "kept"),
        *("companies", "secret", "provider_secret"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def get_form(self, request: HttpRequest, obj: Suite | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **kwargs | {"form": SuiteForm if obj else NewSuite})

    def get_fields(self, request: HttpRequest, obj: Suite | None = None) -> Any:
        return self.fields if obj else ("name", "suite_id", "corp_id", "secret", "provider_secret")

    def get_readonly_fields(self, request: HttpRequest, obj: Suite | None = None) -> list[str]:
        return super().get_readonly_fields(request, obj) if obj else []

    @admin.display(description=_("类型"))
    def kind(self, suite: Suite) -> str:
        return _now("代开发模板") if is_template(suite.suite_id) else _now("第三方应用")

    @admin.display(description=_("最近的 suite_ticket"))
    def ticket(self, suite: Suite) -> str:
        """WeCom pushes one every ten minutes: without it nothing can be authorised."""
        kept = newest_credential(suite, Credential.Kind.SUITE_TICKET)
        if kept is None:
            return _now("还没有收到：请在服务商后台保存回调地址，或点击「重新推送」")
        age = _now("%s前") % timesince(kept.created_at)
        return age if suites.ticket_of(suite) else _now("%s，已过期") % age

    @admin.display(description=_("回调地址"))
    def url(self, suite: Suite) -> str:
        receiver = suite.receivers.get()
        return format_html('<span style="overflow-wrap: anywhere">{}</span>', callback_url(receiver))

    @admin.display(description=_("回调已验证"), boolean=True)
    def verified(self, suite: Suite) -> bool:
        return suite.receivers.filter(verified_at__isnull=False).exists()

    @admin.display(description=_("已授权企业"))
    def companies(self, suite: Suite) -> str:
        """Opens the apps it counts."""
        count = CorpApp.objects.filter(lane=CorpApp.Lane.PROVIDER, suite_id=suite.suite_id).count()
        listed = f"{reverse('admin:tenants_corpapp_changelist')}?{urlencode({'q': suite.suite_id})}"
        return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', listed, count)

    @admin.display(description=_("已保存的凭证"))
    def kept(self, suite: Suite) -> str:
        rows = Credential.objects.filter(app=suite, retired_at=None).order_by("kind")
        return str(_("、")).join(str(row.get_kind_display()) for row in rows)

    def save_model(self, request: HttpRequest, obj: Suite, form: Any, change: bool) -> None:
        data = form.cleaned_data
        with transaction.atomic():
            if change:
                obj.save(update_fields=["name"])
                _replace(obj, data)
            else:
                made = suites.add(
                    data["suite_id"],
                    name=data["name"],
                    provider_corp_id=data["corp_id"],
                    secret=data["secret"],
                    provider_secret=data["provider_secret"],
                )
                obj.pk, obj.tenant = made.pk, made.tenant
            closing.audit(None, "suite_saved", by=actor(request), suite=obj.suite_id)

    @action(description=_("查看 Token 和 EncodingAESKey"), url_path="key")
    def show_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        receiver = get_object_or_404(Suite, pk=object_id).receivers.get()
        return HttpResponseRedirect(reverse("admin:tenants_receiver_show_key", args=[receiver.pk]))

    @admin.action(description=_("检查"))
    def check(self, request: HttpRequest, rows: QuerySet[Suite]) -> None:
        for suite in rows:
            try:
                suites.client_of(suite, insist=True).check()
            except WeComError as error:
                words = words_for(error.code)
                self.message_user(request, f"{suite.name}：{words.cause}{words.fix}", messages.ERROR)
            else:
                mark_well(suite)
                inbox.resume_parked(suite.tenant_id)  # what WeCom told meanwhile
                self.message_user(request, _("%s 正常") % suite.name)


def _checked_id(given: str) -> str:
    if not CORP_ID.fullmatch(given.strip()):
        raise forms.ValidationError(_("由 4–64 位字母和数字组成，请从企业微信服务商后台复制"))
    return given.strip()


def _replace(suite: Suite, data: dict[str, Any]) -> None:
    kinds = {"secret": Credential.Kind.SUITE_SECRET, "provider_secret": Credential.Kind.PROVIDER_SECRET}
    for name, kind in kinds.items():
        if data[name]:
            store_secret(suite, kind, data[name])
            forget_tokens(suite)
