"""搜索会话: by words, sender, type, state and day; each hit opens the place where it was said."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from archive import finding, kinds, showing, watching
from archive.models import ArchivedMessage, Conversation
from archive.scope import conversations_of, seen_ids
from archive.viewer import number
from console.access import operator_required
from console.audit import record
from console.forms import KitForm
from members.models import Staff
from members.scope import visible_staff

SENDERS = [("", _("不限")), ("customer", _("客户")), ("staff", _("员工"))]
STATES = [("", _("不限")), ("sent", _("未撤回")), ("revoked", _("已撤回"))]
DAY = {"type": "date"}


class SearchForm(KitForm):
    q = forms.CharField(
        label=_("消息内容"),
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("至少 2 个字")}),
    )
    staff = forms.ModelChoiceField(Staff.objects.none(), label=_("员工"), required=False, empty_label=_("全部员工"))
    sender = forms.ChoiceField(label=_("发送者"), choices=SENDERS, required=False)
    kind = forms.ChoiceField(label=_("消息类型"), required=False)
    state = forms.ChoiceField(label=_("状态"), choices=STATES, required=False)
    start = forms.DateField(label=_("日期从"), required=False, widget=forms.DateInput(attrs=DAY))
    end = forms.DateField(label=_("日期到"), required=False, widget=forms.DateInput(attrs=DAY))

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = visible_staff(operator)
        rows = Staff.objects.all() if mine is None else mine
        self.fields["staff"].queryset = rows.order_by("pinyin", "id")
        self.fields["kind"].choices = [("", _("全部类型")), *kinds.WORDS.items()]

    def clean_q(self) -> str:
        text = " ".join(str(self.cleaned_data["q"]).split())
        if 0 < len(text) < finding.SHORTEST:
            raise ValidationError(_("请至少输入 2 个字"))
        return text


@require_GET
@operator_required
def search(request: HttpRequest) -> HttpResponse:
    form = SearchForm(request.GET or None, operator=request.user)
    talk = one_talk(request)
    context: dict[str, Any] = {"form": form, "talk": talk, "asked": False}
    if form.is_bound and form.is_valid() and any([*form.cleaned_data.values(), talk]):
        wanted = wanted_by(request, form.cleaned_data, talk)
        rows = finding.find(wanted)
        given = {name: str(value) for name, value in form.cleaned_data.items() if value}
        record(request, "archive.search", target=wanted.text, detail=given)
        context |= {"asked": True, "hits": hits(rows[: wanted.limit], wanted.text)}
        if len(rows) > wanted.limit:
            query = request.GET.copy()
            query["before"] = str(rows[wanted.limit - 1].pk)
            context["next"] = query.urlencode()
    context["filtered"] = any(request.GET.get(name) for name in form.fields if name != "q")
    if talk is not None:
        context["talk_entry"] = showing.entries([talk])[0]
    wrong = form.is_bound and not form.is_valid()
    return render(request, "archive/search.html", context, status=422 if wrong else 200)


def one_talk(request: HttpRequest) -> Conversation | None:
    asked = request.GET.get("c")
    return get_object_or_404(conversations_of(request.user), pk=number(asked)) if asked else None


def wanted_by(request: HttpRequest, values: dict[str, Any], talk: Conversation | None) -> finding.Wanted:
    return finding.Wanted(
        text=values["q"],
        staff_ids=seen_ids(request.user),
        staff=values["staff"].pk if values["staff"] else None,
        conversation=talk.pk if talk else None,
        sender=values["sender"],
        kind=values["kind"],
        state=values["state"],
        start=values["start"],
        end=values["end"],
        before=number(request.GET.get("before")),
    )


def hits(rows: list[ArchivedMessage], text: str) -> list[dict[str, Any]]:
    people = showing.people_named(row.sender for row in rows)
    talks = {
        one.row.pk: one
        for one in showing.entries(list({row.conversation.pk: row.conversation for row in rows}.values()))
    }
    return [
        {
            "row": row,
            "person": people[row.sender],
            "talk": talks[row.conversation_id],
            "words": watching.excerpt(row.text.replace("\n", " "), text, 40),
        }
        for row in rows
    ]
