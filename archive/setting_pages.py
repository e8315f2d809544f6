"""会话存档接入: the secret, the keys by version, and how it stands. Secrets go in and never come out."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from archive import access, library, retention, tasks
from archive.lag import standing
from archive.models import ArchivedMedia, ArchivedMessage, Envelope
from console.access import role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm, PickFile
from tenants import provision
from tenants.models import Credential

LARGEST_PEM = 16 * 1024
KEPT = _("已保存，不再显示；填写后替换")


class SecretForm(KitForm):
    secret = forms.CharField(
        label=_("会话存档 Secret"),
        min_length=8,
        max_length=200,
        help_text=_("企业微信管理后台「管理工具 → 会话内容存档」中查看"),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, stored: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if stored:
            self.fields["secret"].widget.attrs["placeholder"] = KEPT


class KeyForm(KitForm):
    """A key that the company has used before us; WeCom's admin shows its version."""

    version = forms.IntegerField(
        label=_("公钥版本"), min_value=1, max_value=32767, help_text=_("企业微信管理后台显示的公钥版本号")
    )
    file = forms.FileField(
        label=_("私钥文件"),
        help_text=_("PEM 格式，RSA 2048 位；加密保存，不再显示"),
        widget=PickFile(attrs={"accept": ".pem,.key,.txt"}),
        error_messages={"required": _("请先选择私钥文件")},
    )

    def clean_version(self) -> int:
        version = int(self.cleaned_data["version"])
        if any(row.version == version for row in access.key_rows()):
            words = _("这个版本的私钥已经保存。如果当时选错了文件，请填一个没有用过的版本号：解密时会自动试用所有私钥")
            raise ValidationError(words)
        return version

    def clean_file(self) -> str:
        upload = self.cleaned_data["file"]
        if upload.size > LARGEST_PEM:
            raise ValidationError(_("文件太大，请确认选择的是私钥文件"))
        try:
            pem = upload.read().decode("ascii")
            access.private_key(pem)
        except (UnicodeDecodeError, access.NotAKey):
            raise ValidationError(_("这不是没有密码的 2048 位 RSA 私钥（PEM 格式）")) from None
        return pem


@require_GET
@role_required("owner", "admin")
def settings(request: HttpRequest, form: SecretForm | None = None) -> HttpResponse:
    now, rows = standing(), access.key_rows()
    closed = Envelope.objects.exclude(state=Envelope.State.OPENED)
    context = {
        "app": access.main_app(),
        "library": library.find() is not None,
        "standing": now,
        "form": form or SecretForm(stored=now.connected),
        "keys": [{"row": row, "waiting": closed.filter(key_version=row.version).count()} for row in rows],
        "newest": rows[0].version if rows else 0,
        "messages_count": ArchivedMessage.objects.count() if now.connected else 0,
        "files_waiting": ArchivedMedia.objects.filter(state=ArchivedMedia.State.WAITING).count(),
        "days_kept": retention.days_kept(),
        "closed": closed.filter(state=Envelope.State.BROKEN).order_by("-seq")[:20],
    }
    return render(request, "archive/settings.html", context, status=422 if form and form.errors else 200)


@require_POST
@role_required("owner")
def save_secret(request: HttpRequest) -> HttpResponse:
    form, app = SecretForm(request.POST), access.main_app()
    if app is None:
        return done(request, _now("请先接入企业微信"), back_to="archive:settings", level="warning", leave=True)
    if not form.is_valid():
        request.method = "GET"
        return settings(request, form)
    provision.store_secret(app, Credential.Kind.ARCHIVE_SECRET, form.cleaned_data["secret"])
    tasks.soon()
    record(request, "archive.secret", target=str(app))
    return done(request, _now("已保存，正在尝试拉取"), back_to="archive:settings", leave=True)


@require_POST
@role_required("owner")
def new_key(request: HttpRequest) -> HttpResponse:
    """A key pair made here: the private half never leaves, the public half is pasted into WeCom's admin."""
    app = access.main_app()
    if app is None:
        return done(request, _now("请先接入企业微信"), back_to="archive:settings", level="warning", leave=True)
    row = access.add_key(app, access.new_pem())
    record(request, "archive.key", target=str(row.version), detail={"made": True})
    text = _now("已生成版本 {version} 的密钥，请把公钥粘贴到企业微信管理后台").format(version=row.version)
    return done(request, text, back_to="archive:settings", leave=True)


@require_http_methods(["GET", "POST"])
@role_required("owner")
def add_key(request: HttpRequest) -> HttpResponse:
    app = access.main_app()
    form = KeyForm(request.POST or None, request.FILES or None)
    if app is not None and request.method == "POST" and form.is_valid():
        row = access.add_key(app, form.cleaned_data["file"], version=form.cleaned_data["version"])
        tasks.soon()
        record(request, "archive.key", target=str(row.version), detail={"made": False})
        return done(request, _now("已保存，缺少这个私钥的消息会自动解密"), back_to="archive:settings", leave=True)
    context = {"form": form, "title": _now("添加已有私钥"), "submit": _now("保存")}
    return drawer(request, "archive/_key_form.html", context, wrong=bool(form.errors))


@require_GET
@role_required("owner", "admin")
def public_key(request: HttpRequest, version: int) -> HttpResponse:
    app = access.main_app()
    rows = Credential.objects.filter(app=app, kind=Credential.Kind.ARCHIVE_KEY, retired_at=None)
    row = get_object_or_404(rows, version=version) if app else get_object_or_404(rows.none())
    pem = access.public_pem(access.private_key(access.opened(row)))
    title = _now("版本 {version} 的公钥").format(version=version)
    return drawer(request, "archive/_public_key.html", {"pem": pem, "title": title, "version": version})


@require_POST
@role_required("owner", "admin")
def pull_now(request: HttpRequest) -> HttpResponse:
    tasks.soon()
    record(request, "archive.pull")
    return done(request, _now("已开始拉取，稍后刷新查看"), back_to="archive:settings", leave=True)
