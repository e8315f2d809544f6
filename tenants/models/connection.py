"""How a tenant is connected to WeCom: its apps, their credentials by version, and the receivers of their callbacks."""

import secrets
import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.tenant import Tenant
from wecom.suites import is_template


def new_public_id() -> str:
    return secrets.token_hex(12)


def new_state() -> str:
    return secrets.token_hex(16)


class CorpApp(models.Model):
    """One app of one corp: self-built with its own secret, or authorised to us as a provider.

    A suite or template of the provider itself stands here too, as an app of the platform: it has secrets, tokens and a
    receiver like any other, and the apps of the companies that authorised it name its `suite_id`."""

    class Lane(models.TextChoices):
        SELF_BUILT = "self_built", _("自建应用")
        PROVIDER = "provider", _("服务商授权")
        SUITE = "suite", _("服务商应用")

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
    corp_name = models.CharField(_("企业微信名称"), max_length=100, blank=True, default="", db_default="")
    authorised_at = models.DateTimeField(_("授权时间"), null=True)
    last_event_at = models.DateTimeField(_("最近事件"), null=True)  # of a suite's company: its receiver is everyone's
    accepted_code = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)

    class Meta:
        verbose_name = verbose_name_plural = _("企业微信应用")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=models.Q(is_main=True), name="one_main_app_per_tenant"
            ),
            models.UniqueConstraint(fields=["tenant", "corp_id", "agent_id", "suite_id"], name="corp_app_once"),
            models.UniqueConstraint(
                fields=["suite_id", "corp_id"], condition=models.Q(lane="provider"), name="authorised_once"
            ),
            models.UniqueConstraint(fields=["suite_id"], condition=models.Q(lane="suite"), name="suite_once"),
        ]

    def __str__(self) -> str:
        return f"{self.corp_id}/{self.agent_id or self.suite_id}"

    @property
    def is_of_suite(self) -> bool:
        """Installed from the app market, so that it speaks through its suite; not made from a template (代开发)."""
        return self.lane == self.Lane.PROVIDER and not is_template(self.suite_id)

    @property
    def own_secret(self) -> "Credential.Kind":
        """What its tokens are asked for with."""
        return {
            self.Lane.SELF_BUILT: Credential.Kind.APP_SECRET,
            self.Lane.PROVIDER: Credential.Kind.PERMANENT_CODE,
            self.Lane.SUITE: Credential.Kind.SUITE_SECRET,
        }[self.Lane(self.lane)]


class Suites(models.Manager["Suite"]):
    def get_queryset(self) -> models.QuerySet["Suite"]:
        return super().get_queryset().filter(lane=CorpApp.Lane.SUITE)


class Suite(CorpApp):
    """A suite of the app market (第三方), or a template of apps for companies (代开发)."""

    objects: ClassVar[Suites] = Suites()

    class Meta:
        proxy = True
        verbose_name = verbose_name_plural = _("服务商应用")

    def __str__(self) -> str:
        return self.name or self.suite_id


class Credential(models.Model):
    """A secret of an app. Old versions stay: an archive key decrypts the messages of its time."""

    class Kind(models.TextChoices):
        APP_SECRET = "app_secret", _("应用 Secret")
        CONTACT_SECRET = "contact_secret", _("客户联系 Secret")
        ARCHIVE_SECRET = "archive_secret", _("会话存档 Secret")
        ARCHIVE_KEY = "archive_key", _("会话存档私钥")
        PERMANENT_CODE = "permanent_code", _("永久授权码")
        SUITE_SECRET = "suite_secret", _("服务商应用 Secret")
        SUITE_TICKET = "suite_ticket", _("suite_ticket")
        PROVIDER_SECRET = "provider_secret", _("服务商 Secret")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    app = models.ForeignKey(CorpApp, on_delete=models.CASCADE, related_name="credentials")
    kind = models.CharField(max_length=16, choices=Kind)
    version = models.PositiveSmallIntegerField(default=1)
    sealed = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app", "kind", "version"], name="credential_version")]


class Authorisation(models.Model):
    """A company was asked to authorise a suite or template; WeCom brings `state` back with the answer."""

    class Problem(models.TextChoices):
        TAKEN = "taken", _("扫码的企业已经接入了另一个账号")
        OTHER_CORP = "other_corp", _("扫码的企业与本账号已接入的企业不同")
        SELF_BUILT = "self_built", _("本账号已通过自建应用接入")
        REFUSED = "refused", _("企业微信没有接受授权码")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=32, unique=True, default=new_state, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name=_("企业"))
    suite = models.ForeignKey(CorpApp, on_delete=models.CASCADE, related_name="+", verbose_name=_("服务商应用"))
    by = models.CharField(_("发起人"), max_length=150)
    problem = models.CharField(_("未成功的原因"), max_length=16, choices=Problem, blank=True)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    done_at = models.DateTimeField(_("完成时间"), null=True)

    class Meta:
        verbose_name = verbose_name_plural = _("授权邀请")


class Receiver(models.Model):
    """A callback URL given to WeCom: `/wecom/callback/<public_id>/`. One that was deleted is retired: what it stored is
    opened with its keys."""

    class Purpose(models.TextChoices):
        """Where in WeCom's admin it is entered (wecom-api.md 1.1)."""

        APP = "app", _("应用接收消息")
        CONTACT = "contact", _("客户联系")
        DIRECTORY = "directory", _("通讯录同步")
        ARCHIVE = "archive", _("会话存档")
        SERVICE = "service", _("微信客服")
        OTHER = "other", _("其他")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    public_id = models.CharField(_("接收标识"), max_length=32, unique=True, default=new_public_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="receivers", verbose_name=_("企业"))
    app = models.ForeignKey(CorpApp, on_delete=models.CASCADE, related_name="receivers", verbose_name=_("企业微信应用"))
    purpose = models.CharField(_("用途"), max_length=16, choices=Purpose, default=Purpose.APP, db_default=Purpose.APP)
    verified_at = models.DateTimeField(_("验证时间"), null=True)
    last_event_at = models.DateTimeField(_("最近事件"), null=True)
    created_at = models.DateTimeField(_("创建时间"), auto_now_add=True)
    retired_at = models.DateTimeField(_("删除时间"), null=True)

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
