"""素材, 话术 and 轨迹链接: what is sent to customers, and what became of it."""

import secrets

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from contacts.models import Customer, GroupChat
from contacts.search import ZhBigrams
from members.models import Staff
from tenants.models import TenantModel


def new_token() -> str:
    return secrets.token_urlsafe(9)


class Folder(TenantModel):
    """A place in the tree of materials or of scripts."""

    class Of(models.TextChoices):
        MATERIALS = "materials", _("素材")
        SCRIPTS = "scripts", _("话术")

    of = models.CharField(max_length=12, choices=Of)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    name = models.CharField(_("名称"), max_length=30)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["of", "parent", "name"], nulls_distinct=False, name="folder_name_once")
        ]

    def __str__(self) -> str:
        return self.name


class StoredFile(TenantModel):
    """An uploaded file, stored once however often it is used."""

    sha256 = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=128)
    mime = models.CharField(max_length=80)
    size = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    key = models.CharField(max_length=200)  # where the storage keeps it
    created_at = models.DateTimeField(auto_now_add=True)


class MediaId(TenantModel):
    """WeCom's name for an uploaded file. It lives three days there, so it is renewed in time."""

    class Use(models.TextChoices):
        IMAGE = "image", _("图片")
        VIDEO = "video", _("视频")
        FILE = "file", _("文件")

    file = models.ForeignKey(StoredFile, on_delete=models.CASCADE, related_name="media_ids", db_index=False)
    use = models.CharField(max_length=12, choices=Use)
    media_id = models.CharField(max_length=256, blank=True)
    former_id = models.CharField(max_length=256, blank=True)  # a call that waits may still carry it
    expires_at = models.DateTimeField(null=True)
    wanted_at = models.DateTimeField(db_default=Now())  # the last time something was to be sent with it
    failed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "use"], name="media_id_once")]
        indexes = [models.Index(fields=["expires_at"], name="media_id_ending")]


class Material(TenantModel):
    """素材: something that can be sent. `body` holds what its kind needs, see `content.kinds`."""

    class Kind(models.TextChoices):
        TEXT = "text", _("文本")
        IMAGE = "image", _("图片")
        LINK = "link", _("链接")
        FILE = "file", _("文件")
        VIDEO = "video", _("视频")
        MINIPROGRAM = "miniprogram", _("小程序")

    folder = models.ForeignKey(Folder, on_delete=models.PROTECT, null=True, related_name="materials")
    kind = models.CharField(_("类型"), max_length=12, choices=Kind)
    title = models.CharField(_("标题"), max_length=64)
    body = models.JSONField(default=dict)
    file = models.ForeignKey(StoredFile, on_delete=models.PROTECT, null=True, related_name="materials")
    tracked = models.BooleanField(_("记录客户打开"), default=True)  # links only
    uses = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.title


class Script(TenantModel):
    """话术: an answer that sales keep at hand, with or without materials."""

    folder = models.ForeignKey(Folder, on_delete=models.PROTECT, null=True, related_name="scripts")
    title = models.CharField(_("标题"), max_length=40)
    text = models.TextField(_("话术内容"), max_length=2000, blank=True)
    materials: "models.ManyToManyField[Material, models.Model]" = models.ManyToManyField(
        Material, through="ScriptMaterial"
    )
    order = models.PositiveSmallIntegerField(default=0)
    uses = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=80, blank=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [GinIndex(ZhBigrams("text"), name="script_search")]

    def __str__(self) -> str:
        return self.title


class ScriptMaterial(TenantModel):
    script = models.ForeignKey(Script, on_delete=models.CASCADE, related_name="parts", db_index=False)
    material = models.ForeignKey(Material, on_delete=models.PROTECT, related_name="+")
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["script", "material"], name="script_material_once")]


class TrackedLink(TenantModel):
    """轨迹链接: one address per material, staff member and customer; without a customer it is one for many."""

    token = models.CharField(max_length=16, unique=True, default=new_token)
    material = models.ForeignKey(Material, on_delete=models.CASCADE, related_name="links", db_index=False)
    staff = models.ForeignKey(Staff, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="+")
    opens = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["material", "staff", "customer"], nulls_distinct=False, name="tracked_link_once"
            )
        ]


class LinkOpen(TenantModel):
    """One visit to a tracked link. The visitor is a random number in a cookie of this site, nothing of the person."""

    link = models.ForeignKey(TrackedLink, on_delete=models.CASCADE, related_name="visits", db_index=False)
    visitor = models.CharField(max_length=32, blank=True)
    at = models.DateTimeField(db_default=Now())
    told_at = models.DateTimeField(null=True)  # when the staff member was told

    class Meta:
        indexes = [models.Index(fields=["link", "-at"], name="link_opens")]


class Sending(TenantModel):
    """Something a staff member sent with our help: the proof that a task was done, and what use counts rest on."""

    class Via(models.TextChoices):
        SIDEBAR = "sidebar", _("侧边栏")
        MASS = "mass", _("群发助手")

    staff = models.ForeignKey(Staff, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    chat = models.ForeignKey(GroupChat, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    material = models.ForeignKey(Material, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    script = models.ForeignKey(Script, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    task_id = models.BigIntegerField(null=True)  # of sop
    via = models.CharField(max_length=8, choices=Via)
    key = models.CharField(max_length=64, unique=True)  # one tap is one sending, however often it is reported
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["customer", "-at"], name="sendings_to"),
            models.Index(fields=["staff", "-at"], name="sendings_by"),
        ]
