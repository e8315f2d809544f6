"""企业微信接入: a company enters its app, copies our URL into WeCom's admin, and watches the checks turn green."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from callbacks.authorise import to_offer
from callbacks.health import health_of, last_heard
from callbacks.other_apps import main_app_of, other_apps_of, refuse_twin
from callbacks.receiver_pages import receivers_of
from console.access import role_required
from console.answers import done
from console.audit import record
from console.forms import KitForm, PickFile
from contacts.unseen import last_unseen
from tenants import jobs, provision
from tenants.checks import check_app
from tenants.current import current_tenant
from tenants.models import CorpApp, Credential, DomainFile, Job, Tenant
from tenants.tokens import forget_tokens
from tenants.views import store_domain_file

KEPT = _("已保存，不再显示；留空则不修改")


class AppForm(KitForm):
    """The self-built app as WeCom's admin shows it. Secrets go in and never come out."""

    corp_id = forms.CharField(
        label=_("企业ID"), max_length=64, help_text=_("企业微信管理后台「我的企业 → 企业信息」最下方")
    )
    agent_id = forms.IntegerField(
        label=_("应用ID（AgentId）"), min_value=1, help_text=_("「应用管理 → 自建应用」详情页")
    )
    app_secret = forms.CharField(
        label=_("应用 Secret"), max_length=200, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )
    contact_secret = forms.CharField(
        label=_("客户联系 Secret"),
        max_length=200,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("仅老企业需要；应用已勾选「可调用接口的应用」时可不填"),
    )

    def __init__(self, *args: Any, app: CorpApp | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app = app
        if app is not None:
            self.fields["corp_id"].initial, self.fields["agent_id"].initial = app.corp_id, app.agent_id
            self.fields["app_secret"].required = False
            for kind, name in (
                (Credential.Kind.APP_SECRET, "app_secret"),
                (Credential.Kind.CONTACT_SECRET, "contact_secret"),
            ):
                if app.credentials.filter(kind=kind, retired_at=None).exists():
                    self.fields[name].widget.attrs["placeholder"] = KEPT

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        refuse_twin(values.get("corp_id", ""), values.get("agent_id"), self.app)
        return values

    def clean_corp_id(self) -> str:
        corp_id = str(self.cleaned_data["corp_id"]).strip()
        if not provision.CORP_ID.fullmatch(corp_id):
            raise ValidationError(_("企业ID 由 4–64 位字母和数字组成，请从企业微信管理后台复制"))
        if self.app is not None and corp_id != self.app.corp_id and other_apps_of(self.app.tenant).exists():
            raise ValidationError(_("「其他应用」属于原来的企业；更换企业前，请先移除其他应用"))
        return corp_id

    @transaction.atomic
    def save(self, tenant: Tenant) -> CorpApp:
        values = self.cleaned_data
        app = self.app or CorpApp(tenant=tenant)
        app.corp_id, app.agent_id, app.state = values["corp_id"], values["agent_id"], CorpApp.State.UNCHECKED
        app.save(update_fields=["corp_id", "agent_id", "state"] if self.app else None)
        for kind, name in (
            (Credential.Kind.APP_SECRET, "app_secret"),
            (Credential.Kind.CONTACT_SECRET, "contact_secret"),
        ):
            if values[name]:
                provision.store_secret(app, kind, values[name])
        forget_tokens(app)
        if not receivers_of(tenant).exists():
            provision.add_receiver(app)
        return app


class VerifyFileForm(KitForm):
    """`WW_verify_*.txt`, uploaded as WeCom gave it."""

    file = forms.FileField(
        label=_("校验文件"),
        help_text=_("形如 WW_verify_xxxxxxxx.txt，从企业微信管理后台下载"),
        widget=PickFile(attrs={"accept": ".txt"}),
        error_messages={"required": _("请先选择校验文件")},
    )

    def clean_file(self) -> tuple[str, str]:
        upload = self.cleaned_data["file"]
        if upload.size > 256:
            raise ValidationError(_("校验文件只有几十个字节，这个文件太大，请确认选对了文件"))
        try:
            content = upload.read().decode("ascii").strip()
        except UnicodeDecodeError:
            content = ""
        if not content.isalnum() or upload.name != f"WW_verify_{content}.txt":
            raise ValidationError(_("这不是企业微信的校验文件：文件名应为 WW_verify_ 加文件内容，请重新下载，不要改名"))
        return upload.name, content


def page(
    request: HttpRequest, *, app_form: AppForm | None = None, file_form: VerifyFileForm | None = None
) -> HttpResponse:
    tenant = current_tenant()
    app = main_app_of(tenant)
    receivers = list(receivers_of(tenant).select_related("app"))
    wrong = any(form is not None and form.errors for form in (app_form, file_form))
    context = {
        "app": app,
        "app_form": app_form or AppForm(app=app),
        "file_form": file_form or VerifyFileForm(),
        "files": DomainFile.objects.filter(tenant=tenant).order_by("-created_at"),
        "offered": to_offer(app),
        "receivers": [(receiver, provision.callback_url(receiver)) for receiver in receivers],
        "verified": sum(receiver.verified_at is not None for receiver in receivers),
        "others": CorpApp.objects.filter(tenant=tenant, is_main=False).order_by("created_at"),
        "health": health_of(tenant.pk),
        "last_heard": last_heard(receivers),
        "gaps": last_unseen(tenant.pk),
        "host": request.get_host(),
    }
    return render(request, "callbacks/connection.html", context, status=422 if wrong else 200)


@require_GET
@role_required("owner", "admin")
def connection(request: HttpRequest) -> HttpResponse:
    return page(request)


@require_POST
@role_required("owner")
def save_app(request: HttpRequest) -> HttpResponse:
    tenant = current_tenant()
    app = main_app_of(tenant)
    if app is not None and app.lane != CorpApp.Lane.SELF_BUILT:
        words = _now("主应用由服务商授权接入，不需要填写 Secret")
        return done(request, words, level="error", back_to="callbacks:connection", leave=True)
    form = AppForm(request.POST, app=app)
    if not form.is_valid():
        return page(request, app_form=form)
    app = form.save(tenant)
    record(request, "connection.save", target=str(app), detail={"secret": bool(form.cleaned_data["app_secret"])})
    return done(request, _now("已保存，正在检查连接"), back_to="callbacks:connection")


@require_GET
@role_required("owner", "admin")
def checks(request: HttpRequest) -> HttpResponse:
    """The live checks, loaded after the page: each asks WeCom."""
    tenant = current_tenant()
    app = main_app_of(tenant)
    rows = check_app(app) if app else []
    context = {
        "checks": rows,
        "app": app,
        "good": sum(bool(row.ok) for row in rows),
        "asked_again": app is not None and any(row.name in ("callback", "event") and not row.ok for row in rows),
        "syncing": app is not None and app.state == CorpApp.State.OK and first_sync(tenant, request),
    }
    return render(request, "callbacks/_checks.html", context)


def first_sync(tenant: Tenant, request: HttpRequest) -> Job | None:
    """The customers that are there come in as soon as the connection is green. The job, while it is open."""
    job = Job.objects.filter(tenant=tenant, kind="sync").order_by("-id").first()
    if job is None:
        job = jobs.start("sync", by=request.user.get_username())
        record(request, "sync.start")
    return job if job.state in jobs.OPEN else None


@require_POST
@role_required("owner", "admin")
def save_file(request: HttpRequest) -> HttpResponse:
    form = VerifyFileForm(request.POST, request.FILES)
    if not form.is_valid():
        return page(request, file_form=form)
    name, content = form.cleaned_data["file"]
    store_domain_file(current_tenant(), name, content)
    record(request, "connection.verify_file", target=name)
    return done(
        request, _now("校验文件已生效，请回到企业微信管理后台点击校验"), back_to="callbacks:connection", leave=True
    )
