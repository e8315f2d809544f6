"""The forms of the library: one for each kind of material, the upload of several files, the move to a folder."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from console.forms import SELECT, KitForm, PickFile
from content import files, materials
from content.folders import FolderField
from content.models import Folder, Material

Kind = Material.Kind


class WithFolder(KitForm):
    """Fills the folders at the moment the form is drawn."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        folder = self.fields.get("folder")
        if isinstance(folder, FolderField):
            folder.fill()


class MaterialForm(WithFolder):
    """Title, what the kind needs, folder. The rules stand in `content.kinds` and `content.uploads`."""

    parts: tuple[str, ...] = ()  # fields of the body
    title = forms.CharField(label=_("标题"), max_length=64)

    def __init__(self, *args: Any, material: Material, **kwargs: Any) -> None:
        self.material = material
        if material.pk is not None:
            told = {"title": material.title, "folder": material.folder_id or "", "tracked": material.tracked}
            kwargs["initial"] = {**told, **{name: material.body.get(name, "") for name in self.parts}}
        super().__init__(*args, **kwargs)
        if "file" in self.fields:
            rule = materials.rule_of(material.kind)
            if rule is not None:
                self.fields["file"].help_text = rule.words
                self.fields["file"].widget.attrs["accept"] = ",".join(f".{one}" for one in rule.extensions)
            if material.file is not None:
                self.fields["file"].required = False
                self.fields["file"].label = _("更换文件（不选则保留“%(name)s”）") % {"name": material.file.name}
        self.order_fields([name for name in self.fields if name != "folder"] + ["folder"])

    def save(self) -> Material | None:
        """None when the content is not what may be kept: the errors stand at the fields then."""
        values = self.cleaned_data
        upload, rule = values.get("file"), materials.rule_of(self.material.kind)
        try:
            file = files.keep(upload.file, upload.name, upload.size, rule) if upload and rule else None
        except ValidationError as error:
            self.add_error("file", error)
            return None
        try:
            return materials.save(
                self.material,
                title=values["title"],
                given={name: values.get(name, "") for name in self.parts},
                file=file,
                folder=values.get("folder"),
                tracked=values.get("tracked", True),
            )
        except ValidationError as error:
            self.add_error(None, error)
            return None


class TextForm(MaterialForm):
    parts = ("text",)
    text = forms.CharField(label=_("文本内容"), widget=forms.Textarea(attrs={"rows": 8}), strip=True)
    folder = FolderField(Folder.Of.MATERIALS)


class FileForm(MaterialForm):
    file = forms.FileField(label=_("文件"), widget=PickFile, allow_empty_file=True, max_length=255)
    folder = FolderField(Folder.Of.MATERIALS)


class LinkForm(MaterialForm):
    parts = ("url", "desc")
    url = forms.CharField(
        label=_("网址"), max_length=2048, widget=forms.URLInput(attrs={"placeholder": "https://", "inputmode": "url"})
    )
    desc = forms.CharField(label=_("摘要"), max_length=170, required=False)
    file = forms.FileField(label=_("封面图（选填）"), widget=PickFile, required=False, max_length=255)
    tracked = forms.BooleanField(label=_("轨迹链接：记录客户打开，并提醒发送的员工"), required=False, initial=True)
    folder = FolderField(Folder.Of.MATERIALS)


class ProgramForm(MaterialForm):
    parts = ("appid", "page")
    appid = forms.CharField(label=_("小程序 AppID"), max_length=32, help_text=_("小程序须已关联到企业微信"))
    page = forms.CharField(label=_("页面路径"), max_length=1024, help_text=_("例如 pages/index.html"))
    file = forms.FileField(label=_("封面图（建议 520 × 416）"), widget=PickFile, allow_empty_file=True, max_length=255)
    folder = FolderField(Folder.Of.MATERIALS)


FORMS: dict[str, type[MaterialForm]] = {
    Kind.TEXT: TextForm,
    Kind.IMAGE: FileForm,
    Kind.LINK: LinkForm,
    Kind.FILE: FileForm,
    Kind.VIDEO: FileForm,
    Kind.MINIPROGRAM: ProgramForm,
}


class UploadForm(WithFolder):
    """The files themselves are read by the view: Django's forms know one file per field."""

    folder = FolderField(Folder.Of.MATERIALS)


class MoveForm(KitForm):
    def __init__(self, *args: Any, of: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["folder"] = folder = FolderField(of, widget=forms.Select(attrs={"class": SELECT}))
        folder.fill()
