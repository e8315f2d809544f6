"""How a tenant is connected to WeCom: its apps, their credentials by version, and the receivers of their callbacks."""

import secrets
import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.tenant import Tenant


def new_public_id() -> str:
    return secrets.token_hex(12)


class CorpApp(models.Model):
    """One app of one corp: self-built with its own secret, or authorised to us as a provider."""

    class Lane(models.TextChoices):
        SELF_BUILT = "self_built", _("自建应用")
        PROVIDER = "provider", _("服务商授权")

    class State(models.TextChoices):
        UNCHECKED = "unchecked", _("未检查")
        OK = "ok", _("正常")
        BROKEN = "broken", _("异常")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="apps", verbose_name=_("企业"))
    lane = models.CharField(_("接入方式"), max_length=16, choices=Lane, default=Lane.SELF_BUILT)
    name = models.CharField(_("应用名称"), max_length=64, blank=True)
    corp_id = models.CharField(_("企业ID"), max_length=64)
    agent_id = models.BigIntegerField(_("应用ID"), null=True)
    suite_id = models.CharField(_("套件ID"), max_length=64, blank=True)
    is_main = models.BooleanField(_("主应用"), default=True)
    state = models.CharField(_("状态"), max_length=16, choices=State, default=State.UNCHECKED)
    state_code = models.IntegerField(_("错误码"), null=True)
    state_call = models.CharField(_("接口"), max_length=80, blank=True)
    checked_at = models.DateTimeField(_("检查时间"), null=True)
    broken_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)

    class Meta:
        verbose_name = verbose_name_plural = _("企业微信应用")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(is_main=True), name="one_main_app_per_tenant"
            ),
            models.UniqueConstraint(fields=["tenant", "corp_id", "agent_id", "suite_id"], name="corp_app_once"),
        ]

    def __str__(self) -> str:
        return f"{self.corp_id}/{self.agent_id or self.suite_id}"

    @property
    def id_space(self) -> str:
        """Ids of customers and staff are unique only within this space (wecom-api: id encryption for providers)."""
        return "corp" if self.lane == self.Lane.SELF_BUILT else "vendor"

    @property
    def own_secret(self) -> "Credential.Kind | None":
        """What gettoken takes: of an app made from a template (代开发) its permanent code is the secret (wecom-api.md
        3.2). The tokens of other suites are made from a suite ticket, which nobody keeps yet."""
        if self.lane == self.Lane.SELF_BUILT:
            return Credential.Kind.APP_SECRET
        return Credential.Kind.PERMANENT_CODE if self.suite_id.startswith("dk") else None


class Credential(models.Model):
    """A secret of an app. Old versions stay: an archive key decrypts the messages of its time."""

    class Kind(models.TextChoices):
        APP_SECRET = "app_secret", _("应用 Secret")
        CONTACT_SECRET = "contact_secret", _("客户联系 Secret")
        ARCHIVE_SECRET = "archive_secret", _("会话存档 Secret")
        ARCHIVE_KEY = "archive_key", _("会话存档私钥")
        PERMANENT_CODE = "permanent_code", _("永久授权码")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    app = models.ForeignKey(CorpApp, on_delete=models.CASCADE, related_name="credentials")
    kind = models.CharField(max_length=16, choices=Kind)
    version = models.PositiveSmallIntegerField(default=1)
    sealed = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app", "kind", "version"], name="credential_version")]


class Receiver(models.Model):
    """A callback URL given to WeCom: `/wecom/callback/<public_id>/`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    public_id = models.CharField(_("接收标识"), max_length=32, unique=True, default=new_public_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="receivers", verbose_name=_("企业"))
    app = models.ForeignKey(CorpApp, on_delete=models.CASCADE, related_name="receivers", verbose_name=_("企业微信应用"))
    verified_at = models.DateTimeField(_("验证时间"), null=True)
    last_event_at = models.DateTimeField(_("最近事件"), null=True)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)

    class Meta:
        verbose_name = verbose_name_plural = _("回调接收")

    def __str__(self) -> str:
        return str(self.public_id)


class ReceiverKey(models.Model):
    """Token and EncodingAESKey of a receiver. Inbox rows name the version they are encrypted with."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    receiver = models.ForeignKey(Receiver, on_delete=models.CASCADE, related_name="keys")
    version = models.PositiveSmallIntegerField(default=1)
    token = models.BinaryField()
    aes_key = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["receiver", "version"], name="receiver_key_version")]


class AccessToken(models.Model):
    """WeCom's access token of one secret, shared by all processes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    app = models.ForeignKey(CorpApp, on_delete=models.CASCADE, related_name="tokens")
    kind = models.CharField(max_length=16, choices=Credential.Kind)
    sealed = models.BinaryField()
    expires_at = models.DateTimeField()
    fetched_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app", "kind"], name="one_token_per_secret")]
