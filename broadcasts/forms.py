"""The composer's form: to whom, what, when."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from broadcasts.models import Broadcast, ReceiveRule
from broadcasts.sending import use_of
from console.forms import KitForm, KitModelForm, PickMany
from contacts.views import staff_choices
from content.forms import MessageField
from members.models import Staff
from tagging.fields import ConditionsField
from tagging.models import Segment

Kind = Broadcast.Kind
HOURS = (2, 4, 8, 24, 48)
FARTHEST = timedelta(days=90)
FRIENDS_ONLY = {"match": "all", "of": [{"is": "lost", "op": "no"}]}


class StaffField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, staff: Any) -> str:
        return str(staff)


def conditions_of(broadcast: Broadcast) -> dict[str, Any]:
    """A segment deleted since is offered no more: its conditions stand in, or the draft would mean everyone."""
    segment = broadcast.segment
    gone = segment is not None and segment.archived_at is not None
    return dict(broadcast.tree or (segment.tree if segment is not None and gone else {}))


class BroadcastForm(KitForm):
    title = forms.CharField(label=_("群发名称"), max_length=40, help_text=_("只在后台显示，客户看不到"))
    segment = forms.ModelChoiceField(
        Segment.objects.none(), label=_("人群包"), required=False, empty_label=_("不使用人群包，按条件筛选")
    )
    tree = ConditionsField(label=_("筛选条件"), required=False)
    staff = StaffField(Staff.objects.none(), label=_("只通过这些员工发送"), widget=PickMany, required=False)
    send_at = forms.DateTimeField(
        label=_("定时发送"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("留空则确认后立即通知员工；定时到点时会重新计算受众"),
    )

    remind_after = forms.TypedChoiceField(
        label=_("自动催办"),
        required=False,
        choices=[("", _("不自动催办")), *((hours, format_lazy(_("{n} 小时未确认"), n=hours)) for hours in HOURS)],
        coerce=int,
        empty_value=None,
        help_text=_("到时间还没有发送的员工会收到提醒：每天最多一次，22:00 至次日 8:00 不提醒，7 天后停止"),
    )

    def __init__(self, *args: Any, broadcast: Broadcast, operator: Any, **kwargs: Any) -> None:
        initial = {
            "title": broadcast.title,
            "segment": broadcast.segment_id,
            "tree": conditions_of(broadcast) if broadcast.pk else FRIENDS_ONLY,
            "staff": broadcast.staff_ids,
            "remind_after": broadcast.remind_after,
            "content": broadcast.content,
            "send_at": timezone.localtime(broadcast.send_at) if broadcast.send_at else None,
        }
        super().__init__(*args, initial=initial, **kwargs)
        self.broadcast = broadcast
        self.fields["content"] = MessageField(label=_("群发内容"), use=use_of(broadcast))
        able = Q(left_at=None, can_follow=True)  # those chosen before stay: with nobody chosen it is through all
        self.fields["staff"].queryset = staff_choices(operator).filter(able | Q(pk__in=broadcast.staff_ids))
        if broadcast.kind == Kind.GROUPS:
            del self.fields["segment"], self.fields["tree"]
            self.fields["staff"].label = _("群主")
            self.fields["staff"].help_text = _("不选则发到所有客户群；由群主确认后发出")
        elif broadcast.origin:
            del self.fields["segment"], self.fields["tree"], self.fields["staff"]
        else:
            living = Segment.objects.filter(archived_at=None).order_by("name")
            self.fields["segment"].queryset = living
            self.fields["tree"].of(operator)
            self.fields["staff"].help_text = _("不选则由与客户最近沟通的员工发送")

    def clean_send_at(self) -> datetime | None:
        at: datetime | None = self.cleaned_data["send_at"]
        now = timezone.now()
        if at is not None and not now < at < now + FARTHEST:
            raise ValidationError(_("请选择将来 90 天内的时间"))
        return at

    def filled(self) -> Broadcast:
        values, row = self.cleaned_data, self.broadcast
        row.title, row.content, row.send_at = values["title"].strip(), values["content"], values["send_at"]
        row.staff_ids = [one.pk for one in values.get("staff", ())]
        row.remind_after = values["remind_after"]
        row.segment = values.get("segment")
        row.tree = {} if row.segment else values.get("tree") or {}
        return row


class RuleForm(KitModelForm):
    class Meta:
        model = ReceiveRule
        fields = ("span",)
        help_texts = {"span": _("与企业微信“客户联系 → 群发助手”中管理员的设置保持一致，预检据此计算谁已达上限")}
