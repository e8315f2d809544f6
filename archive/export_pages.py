"""导出会话: asking for a copy of a conversation, and fetching it while it is kept."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import operator_of
from archive import exporting, showing
from archive.models import Conversation, TalkExport
from archive.scope import conversations_of
from console.access import role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from console.lists import Column, Empty, ListPage
from content.storage import Missing, store
from tenants.current import current_tenant
from tenants.models import Job

State = TalkExport.State


class ExportForm(KitForm):
    form = forms.ChoiceField(label=_("格式"), choices=TalkExport.Form.choices, initial=TalkExport.Form.HTML)
    start = forms.DateField(label=_("开始日期"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(
        label=_("结束日期"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("不填则导出全部消息；图片和文件只列出名称"),
    )

    def __init__(self, *args: Any, talk: Conversation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.talk = talk

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        start, end = values.get("start"), values.get("end")
        if start and end and start > end:
            raise ValidationError(_("结束日期不能早于开始日期"))
        count = exporting.messages_of(self.talk, start, end).count()
        if not self.errors and not count:
            raise ValidationError(_("这段时间没有消息"))
        if count > exporting.MOST:
            text = _("共 %(n)s 条消息，超过一次可导出的 %(most)s 条，请缩小日期范围")
            raise ValidationError(text, params={"n": count, "most": exporting.MOST})
        return values


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def export(request: HttpRequest, pk: int) -> HttpResponse:
    talk = get_object_or_404(conversations_of(request.user), pk=pk)
    form = ExportForm(request.POST or None, talk=talk)
    name = showing.entries([talk])[0].name
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        row = exporting.ask_for(talk, **values, operator=operator_of(request))
        said = {key: str(value) for key, value in values.items() if value}
        record(request, "archive.export", target=name, detail={"conversation": talk.pk, "export": row.pk, **said})
        return done(request, _now("正在生成，完成后可在此下载"), back_to="archive:exports", leave=True)
    context = {
        "form": form,
        "title": _now("导出会话"),
        "submit": _now("导出"),
        "lead": _now("导出「{name}」。文件带有您的姓名和时间水印，保留 7 天，导出和下载会记入审计日志。").format(
            name=name
        ),
    }
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))


EXPORTS = ListPage(
    title=_("会话导出"),
    unit=_("个"),
    help=_("您导出的会话。文件带有导出人和时间水印，7 天后自动删除。"),
    columns=(
        Column(_("会话")),
        Column(_("格式"), kind="wide"),
        Column(_("消息数"), kind="number wide"),
        Column(_("状态")),
        Column(_("导出时间"), sort="at", kind="time wide"),
        Column("", kind="actions"),
    ),
    row="archive/_export_row.html",
    order="-at",
    empty=Empty(_("还没有导出"), _("打开一个会话，点击「导出」。"), picture="chat"),
)


def mine(request: HttpRequest) -> QuerySet[TalkExport]:
    """One's own, of conversations that one still may see."""
    rows = TalkExport.objects.filter(operator_id=operator_of(request).pk)
    return rows.filter(conversation__in=conversations_of(request.user)).select_related("conversation")


@require_GET
@role_required("owner", "admin")
def exports(request: HttpRequest) -> HttpResponse:
    return EXPORTS.respond(request, mine(request), prepare=with_names)


def with_names(rows: list[TalkExport]) -> list[TalkExport]:
    names = {one.row.pk: one.name for one in showing.entries([row.conversation for row in rows])}
    failed = Job.objects.filter(tenant=current_tenant(), kind=exporting.JOB, state__in=["failed", "cancelled"])
    lost = set(failed.filter(subject__in=[str(row.pk) for row in rows]).values_list("subject", flat=True))
    for row in rows:
        row.name = names[row.conversation_id]  # type: ignore[attr-defined]
        if row.state == State.WAITING and str(row.pk) in lost:
            row.state = State.FAILED
    return rows


@require_GET
@role_required("owner", "admin")
def file(request: HttpRequest, pk: int) -> Any:
    row = get_object_or_404(mine(request), pk=pk, state=State.DONE)
    try:
        stream = store().open(row.key)
    except Missing:
        raise Http404 from None
    name = exporting.file_name(row)
    record(request, "archive.export_file", target=name, detail={"conversation": row.conversation_id, "export": row.pk})
    kind = exporting.TYPES[TalkExport.Form(row.form)]
    answer = FileResponse(stream, as_attachment=True, filename=name, content_type=kind)
    answer["Cache-Control"] = "private, no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
