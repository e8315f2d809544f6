"""The form of a channel code, with the greeting of its own."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from acquisition.codes import free_name
from acquisition.models import ChannelCode, Welcome
from console.forms import KitModelForm, PickMany
from contacts.models import Tag
from contacts.stages import living_stages
from contacts.views import TagsField
from content.forms import MessageField
from content.messages import is_empty
from members.models import Staff
from members.scope import visible_staff
from tagging.views import changeable_tags


class StaffField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, staff: Any) -> str:
        return str(staff)


def sellers(operator: Any, also: Iterable[int] = ()) -> QuerySet[Staff]:
    """Who may get customers, in the operator's range; `also` those who were chosen before, by whomever."""
    rows = Staff.objects.filter(can_follow=True, left_at=None).order_by("pinyin", "pk")
    seen = visible_staff(operator)
    return rows if seen is None else rows.filter(Q(pk__in=seen.values("pk")) | Q(pk__in=list(also)))


class CodeForm(KitModelForm):
    staff = StaffField(Staff.objects.none(), label=_("接待员工"), widget=PickMany(nothing=_("请选择")))
    backups = StaffField(
        Staff.objects.none(), label=_("备用员工"), widget=PickMany(nothing=_("未选择")), required=False,
        help_text=_("接待员工都不能接待时（离职、暂停、达到上限），由备用员工接待"),
    )  # fmt: skip
    tags = TagsField(Tag.objects.none(), label=_("自动打标签"), widget=PickMany(nothing=_("未选择")), required=False)
    own_welcome = forms.BooleanField(label=_("使用专属欢迎语"), required=False)
    welcome_content = MessageField(label=_("欢迎语"), use="welcome", required=False)

    class Meta:
        model = ChannelCode
        fields = ("name", "group", "staff", "backups", "skip_verify", "tags", "stage", "own_welcome", "welcome_content")

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        code: ChannelCode = self.instance
        places = list(code.places.values_list("staff_id", "backup")) if code.pk else []
        able = sellers(operator, also=[pk for pk, _backup in places])
        self.fields["staff"].queryset = self.fields["backups"].queryset = able
        self.fields["tags"].queryset = changeable_tags()
        self.fields["stage"].queryset = living_stages()
        self.fields["stage"].label, self.fields["stage"].empty_label = _("客户阶段"), _("不设置")
        if code.pk:
            self.initial["staff"] = [pk for pk, backup in places if not backup]
            self.initial["backups"] = [pk for pk, backup in places if backup]
            self.initial["tags"] = code.tag_ids
            self.initial["own_welcome"] = bool(code.welcome and code.welcome.enabled)
            self.initial["welcome_content"] = code.welcome.content if code.welcome else None

    def clean_name(self) -> str:
        try:
            return free_name(self.cleaned_data["name"], self.instance)
        except ValidationError as taken:
            raise ValidationError(taken.messages) from taken

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("own_welcome") and "welcome_content" not in self.errors and is_empty(values["welcome_content"]):
            self.add_error("welcome_content", _("请填写欢迎语内容，或者不使用专属欢迎语"))
        return values

    def filled(self) -> ChannelCode:
        """The code as the form wants it; its staff are put behind it by `codes`."""
        code: ChannelCode = self.save(commit=False)
        code.tag_ids = [tag.pk for tag in self.cleaned_data["tags"]]
        code.welcome = self._welcome(code.welcome)
        return code

    def _welcome(self, stored: Welcome | None) -> Welcome | None:
        if not self.cleaned_data["own_welcome"]:
            if stored is not None:
                stored.enabled = False
                stored.save(update_fields=["enabled"])
            return stored
        content = self.cleaned_data["welcome_content"]
        welcome = stored or Welcome(reach=Welcome.Reach.CODE)
        welcome.name, welcome.text, welcome.materials = self.cleaned_data["name"], content["text"], content["materials"]
        welcome.enabled = True
        welcome.save()
        return welcome
