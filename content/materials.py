"""What can happen to a material: made, changed, moved, deleted and taken back."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import IO, Any, cast

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from content import files, media
from content.kinds import DOCUMENT, FILE_RULES, NEEDS_FILE, PICTURE, VIDEO, FileRule, clean_body, clean_title
from content.models import Folder, Material, StoredFile

Kind = Material.Kind
MOST = 20_000


def rule_of(kind: str) -> FileRule | None:
    return FILE_RULES.get(kind)


def kind_of(filename: str) -> str:
    """As what a dropped file is kept: pictures and videos as such, anything else as a file."""
    extension = filename.rpartition(".")[2].lower()
    if extension in PICTURE.extensions:
        return Kind.IMAGE
    return Kind.VIDEO if extension in VIDEO.extensions else Kind.FILE


def from_upload(upload: UploadedFile, *, folder: Folder | None, by: str) -> Material:
    """A material of the file alone: its title is the file's name."""
    name = upload.name or ""
    kind = kind_of(name)
    rule = rule_of(kind) or DOCUMENT
    return save(
        Material(kind=kind, folder=folder, created_by=by[:80]),
        title=PurePath(name).stem[:64],
        given={},
        file=files.keep(cast(IO[bytes], upload.file), name, upload.size or 0, rule),
    )


@transaction.atomic
def save(
    material: Material,
    *,
    title: str,
    given: Mapping[str, Any],
    file: StoredFile | None = None,
    folder: Folder | None = None,
    tracked: bool = True,
) -> Material:
    """The material with these values, new or changed; ValidationError by field. `file`: a new one."""
    material.title = clean_title(material.kind, title)
    if not material.title:
        raise ValidationError({"title": _("请填写标题")})
    material.body = clean_body(material.kind, given)
    material.file = file or material.file
    if material.kind in NEEDS_FILE and material.file is None:
        raise ValidationError({"file": _("请选择文件")})
    if material.pk is None and Material.objects.filter(archived_at=None).count() >= MOST:
        raise ValidationError(_("素材已达 20,000 个，请先清理不用的素材"))
    material.folder = folder if folder is not None or material.pk is not None else material.folder
    material.tracked = tracked
    material.save()
    if pair := media.file_of(material):
        media.want([pair])  # ready before it is first sent
    return material
