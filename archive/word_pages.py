"""敏感词: the words that every new message is looked through for."""

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from archive.models import SensitiveWord
from console.access import role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from console.lists import Column, Empty, ListPage

MOST_WORDS = 500


class WordsForm(KitForm):
    words = forms.CharField(
        label=_("敏感词"), help_text=_("每行一个，2–32 个字"), widget=forms.Textarea(attrs={"rows": 6}), max_length=4000
    )
    by = forms.ChoiceField(label=_("谁说的"), choices=SensitiveWord.By.choices, initial=SensitiveWord.By.ANYONE)

    def clean_words(self) -> list[str]:
        words = list(
            dict.fromkeys(line.strip() for line in str(self.cleaned_data["words"]).splitlines() if line.strip())
        )
        if wrong := next((word for word in words if not 2 <= len(word) <= 32), None):
            raise ValidationError(_("「%(word)s」不是 2–32 个字"), params={"word": wrong[:40]})
        if SensitiveWord.objects.filter(archived_at=None).count() + len(words) > MOST_WORDS:
            raise ValidationError(_("敏感词最多 %(n)s 个"), params={"n": MOST_WORDS})
        return words


WORDS = ListPage(
    title=_("敏感词"),
    unit=_("个"),
    help=_("新消息命中任一敏感词时，会话预警会指派给员工的部门负责人，并发送应用消息。"),
    columns=(
        Column(_("敏感词")),
        Column(_("谁说的")),
        Column(_("添加人"), kind="wide"),
        Column(_("添加时间"), sort="created_at", kind="time wide"),
        Column("", kind="actions"),
    ),
    row="archive/_word_row.html",
    order="-created_at",
    empty=Empty(_("还没有敏感词"), _("添加后，从下一条消息开始检查。"), picture="list"),
    template="archive/words.html",
)


@require_GET
@role_required("owner", "admin")
def words(request: HttpRequest) -> HttpResponse:
    return WORDS.respond(request, SensitiveWord.objects.filter(archived_at=None))


@require_http_methods(["GET", "POST"])
@role_required("owner", "admin")
def new_words(request: HttpRequest) -> HttpResponse:
    form = WordsForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        SensitiveWord.objects.bulk_create(
            [SensitiveWord(word=word, by=values["by"], created_by=str(request.user)[:80]) for word in values["words"]],
            ignore_conflicts=True,
        )
        record(request, "word.create", detail={"words": values["words"][:50], "by": values["by"]})
        return done(request, _now("已添加，从下一条消息开始检查"), back_to="archive:words")
    context = {"form": form, "title": _now("添加敏感词"), "submit": _now("添加")}
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))


@require_POST
@role_required("owner", "admin")
def delete_word(request: HttpRequest, pk: int) -> HttpResponse:
    word = get_object_or_404(SensitiveWord, pk=pk, archived_at=None)
    SensitiveWord.objects.filter(pk=word.pk).update(archived_at=timezone.now())
    record(request, "word.delete", target=word.word)
    return done(request, _now("已删除"), back_to="archive:words")
