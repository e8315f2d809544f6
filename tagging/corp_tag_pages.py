"""标签 in the console: groups and tags made, renamed, put in order and deleted, and what WeCom refused of that."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access import operator_required, role_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm
from contacts.models import Follow, FollowTag, Tag, TagGroup, TimelineEntry
from tagging import corp_tags
from tagging.models import TagOrigin, TagRule
from tenants.current import current_tenant
from tenants.faults import words_for
from tenants.models import OutgoingCall

manager = role_required("owner", "admin")
CONSOLE = TimelineEntry.Source.CONSOLE
TOLD_FOR = timedelta(days=1)
SENT = _("已提交，企业微信确认后生效")
ACTS = {"tags_add": _("新建标签"), "tag_edit": _("修改标签"), "tags_delete": _("删除标签")}


class Lines(forms.CharField):
    """One name on each line."""

    widget = forms.Textarea(attrs={"rows": 6})

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in str(super().clean(value)).splitlines() if line.strip()]


class NewTagsForm(KitForm):
    names = Lines(label=_("标签"), help_text=_("每行一个，每个最多 30 个字"), max_length=20_000)


class NewGroupForm(NewTagsForm):
    group_name = forms.CharField(label=_("标签组名称"), max_length=30)
    field_order = ("group_name", "names")


class NameForm(KitForm):
    name = forms.CharField(label=_("名称"), max_length=30)


def changes_of_tags() -> dict[str, Any]:
    """What is under way, and what WeCom refused within a day."""
    mine = OutgoingCall.objects.filter(tenant=current_tenant(), subject=corp_tags.SUBJECT).defer("body")
    failed = Q(state=OutgoingCall.State.DEAD, finished_at__gte=timezone.now() - TOLD_FOR)
    calls = list(mine.filter(failed | Q(state__in=corp_tags.WAITING)).order_by("-id"))
    waits = [call for call in calls if call.state != OutgoingCall.State.DEAD]
    refused = []
    for call in [call for call in calls if call.state == OutgoingCall.State.DEAD][:5]:
        words = words_for(call.result_code)
        name = call.context.get("was") or _now("、").join(call.context.get("names", ())[:3])
        what = str(ACTS.get(call.purpose, ""))
        refused.append({"what": what, "name": name, "why": f"{words.cause}{words.fix}", "at": call.finished_at})
    moving = any(call.state in (OutgoingCall.State.PENDING, OutgoingCall.State.LEASED) for call in waits)
    return {"waits": len(waits), "moving": moving, "refused": refused, "left": corp_tags.room_left(waits)}


def may_edit(request: HttpRequest) -> bool:
    return request.user.role in ("owner", "admin")


@require_GET
@operator_required
def group(request: HttpRequest, pk: int) -> HttpResponse:
    """A group with its tags in order; htmx asks for the part after a change."""
    found = get_object_or_404(corp_tags.living_groups(), pk=pk)
    links = FollowTag.objects.filter(tag=OuterRef("pk"), follow__in=Follow.objects.visible_to(request.user).living())
    carried = links.order_by().values("tag").annotate(n=Count("follow__customer", distinct=True)).values("n")
    tags = list(corp_tags.tags_in(found).annotate(customers=Coalesce(Subquery(carried), 0)))
    ids = [found.wecom_id, *(tag.wecom_id for tag in tags)]
    origins = dict(TagOrigin.objects.filter(wecom_id__in=ids).values_list("wecom_id", "ours"))
    for one in (found, *tags):
        one.foreign = origins.get(one.wecom_id) is False  # type: ignore[attr-defined]
    rules = TagRule.objects.filter(archived_at=None).values_list("add", "remove")
    used = Counter(tag for add, remove in rules for tag in {*add, *remove})
    for tag in tags:
        tag.rules = used[tag.pk]  # type: ignore[attr-defined]
    context = {
        "group": found,
        "tags": tags,
        "may_edit": may_edit(request),
        "known": origins.get(found.wecom_id) is True,
        **changes_of_tags(),
    }
    part = request.headers.get("HX-Target") == "tag-group"
    return render(request, "tagging/_tags_of_group.html" if part else "tagging/group.html", context)


def write(
    request: HttpRequest, form: KitForm, save: Callable[[], Any], *, title: str, action: str, target: str, back_to: str
) -> HttpResponse:
    """A drawer's form: show it, or ask WeCom and say so."""
    if request.method == "POST" and form.is_valid():
        try:
            save()
        except ValidationError as error:
            form.add_error(None, error)
        else:
            record(request, action, target=target, detail=dict(form.cleaned_data))
            return done(request, SENT, back_to=back_to)
    context = {"title": title, "form": form, "submit": _now("保存")}
    return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))


def by(request: HttpRequest) -> dict[str, Any]:
    return {"by": request.user.get_username(), "source": str(CONSOLE)}


@require_http_methods(["GET", "POST"])
@manager
def new_group(request: HttpRequest) -> HttpResponse:
    form = NewGroupForm(request.POST or None)
    return write(
        request,
        form,
        lambda: corp_tags.add_tags(**form.cleaned_data, **by(request)),
        title=_now("新建标签组"),
        action="tag.create",
        target=form.data.get("group_name", ""),
        back_to="tagging:tags",
    )


@require_http_methods(["GET", "POST"])
@manager
def add_tags(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(corp_tags.living_groups(), pk=pk)
    form = NewTagsForm(request.POST or None)
    return write(
        request,
        form,
        lambda: corp_tags.add_tags(**form.cleaned_data, group=found, **by(request)),
        title=_now("在“%(name)s”中新建标签") % {"name": found.name},
        action="tag.create",
        target=found.name,
        back_to=page_of(found),
    )


def page_of(found: TagGroup) -> str:
    return reverse("tagging:group", args=[found.pk])


def row_or_404(kind: str, pk: int) -> Tag | TagGroup:
    if kind == "group":
        return get_object_or_404(corp_tags.living_groups(), pk=pk)
    living = Tag.objects.filter(deleted_at=None, group__deleted_at=None).exclude(group__wecom_id="")
    return get_object_or_404(living.select_related("group"), pk=pk)


def place_of(row: Tag | TagGroup) -> str:
    return page_of(row.group if isinstance(row, Tag) else row)


@require_http_methods(["GET", "POST"])
@manager
def rename(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    row = row_or_404(kind, pk)
    form = NameForm(request.POST or None, initial={"name": row.name})
    return write(
        request,
        form,
        lambda: corp_tags.rename(row, form.cleaned_data["name"], **by(request)),
        title=_now("重命名标签组") if kind == "group" else _now("重命名标签"),
        action="tag.rename",
        target=row.name,
        back_to=place_of(row),
    )


@require_POST
@manager
def shift(request: HttpRequest, pk: int, kind: str, step: int) -> HttpResponse:
    row = row_or_404(kind, pk)
    back = "tagging:tags" if kind == "group" else place_of(row)
    try:
        corp_tags.shift(row, step, **by(request))
    except ValidationError as error:
        return done(request, " ".join(error.messages), back_to=back, level="error")
    return done(request, SENT, back_to=back)


@require_POST
@manager
def delete(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    row = row_or_404(kind, pk)
    back = "tagging:tags" if kind == "group" else place_of(row)
    try:
        corp_tags.delete([row], **by(request))
    except ValidationError as error:
        return done(request, " ".join(error.messages), back_to=back, level="error")
    record(request, "tag.delete", target=row.name)
    return done(request, SENT, back_to=back, leave=kind == "group")
