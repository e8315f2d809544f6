"""The pages that every console has: the search palette, the audit log, a job's progress."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from console import audit, jobs
from console.access import operator_required, role_required
from console.lists import Column, Empty, Filters, ListPage
from console.models import AuditEntry
from console.shell import SEARCHES, Hit, rail
from console.words import ACTIONS, action_words
from tenants.jobs import cancel
from tenants.models import Job

HITS = 5


@operator_required
@require_http_methods(["GET", "HEAD"])
def home(request: HttpRequest) -> HttpResponse:
    """The first page of the rail, as long as no app above has put its own page here."""
    links = [link for section in rail(request) for link in section.links if not link.active]
    return redirect(links[0].url if links else "accounts:account")


@operator_required
@require_http_methods(["GET", "HEAD"])
def search(request: HttpRequest) -> HttpResponse:
    """Ctrl+K: pages by name, then whatever the apps find within the operator's scope."""
    text = request.GET.get("q", "").strip()[:64]
    if not text:
        return HttpResponse("")
    pages = [
        Hit(link.label, link.url, link.icon, section.label)
        for section in rail(request)
        for link in section.links
        if text.lower() in str(link.label).lower()
    ]
    found = [(_("页面"), pages[:HITS])] if pages else []
    for kind in SEARCHES:
        hits = list(kind.find(request, text, HITS))
        found += [(kind.label, hits)] if hits else []
    return render(request, "console/kit/hits.html", {"found": found, "text": text})


# -- the audit log -----------------------------------------------------------------------------------------------------


class AuditFilters(Filters):
    q = forms.CharField(label=_("操作人或对象"), max_length=64)
    action = forms.ChoiceField(label=_("操作"))
    since = forms.DateField(label=_("从"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("到"), widget=forms.DateInput(attrs={"type": "date"}))
    searched_by = "q"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"].choices = [("", _("全部")), *ACTIONS.items()]  # type: ignore[attr-defined]

    def apply(self, rows: QuerySet[Any], values: Mapping[str, Any]) -> QuerySet[Any]:
        if text := values.get("q"):
            rows = rows.filter(Q(actor__icontains=text) | Q(target__icontains=text))
        if action := values.get("action"):
            rows = rows.filter(action=action)
        if since := values.get("since"):
            rows = rows.filter(at__gte=timezone.make_aware(datetime.combine(since, time.min)))
        if until := values.get("until"):
            rows = rows.filter(at__lt=timezone.make_aware(datetime.combine(until + timedelta(days=1), time.min)))
        return rows


AUDIT_LOG = ListPage(
    title=_("审计日志"),
    help=_("谁在什么时候做了什么。记录不能修改或删除。"),
    columns=(
        Column(_("时间"), sort="at", kind="time wide"),
        Column(_("操作人")),
        Column(_("操作")),
        Column(_("对象"), kind="wide"),
        Column(_("详情"), kind="wide"),
        Column(_("来源 IP"), kind="wide"),
    ),
    row="console/_audit_row.html",
    order="-at",
    filters=AuditFilters,
    empty=Empty(_("还没有操作记录"), _("登录、改动成员与设置、查看敏感信息等操作会记录在这里。")),
)


@role_required("owner", "admin")
@require_http_methods(["GET", "HEAD"])
def audit_log(request: HttpRequest) -> HttpResponse:
    return AUDIT_LOG.respond(request, AuditEntry.objects.all(), prepare=action_words)


# -- jobs --------------------------------------------------------------------------------------------------------------


@operator_required
@require_http_methods(["GET", "HEAD"])
def job(request: HttpRequest, key: int) -> HttpResponse:
    """Asked while it goes on; once it is over, the page around it has other numbers."""
    found = get_object_or_404(Job, pk=key, tenant=request.tenant)
    response = render(request, "console/kit/job.html", jobs.told(found))
    if found.state not in jobs.OPEN and request.headers.get("HX-Request"):
        response["HX-Refresh"] = "true"
    return response


@role_required("owner", "admin")
@require_POST
def cancel_job(request: HttpRequest, key: int) -> HttpResponse:
    """Asks the job to stop at its next checkpoint; what it has done stays."""
    found = get_object_or_404(Job, pk=key, tenant=request.tenant)
    if found.state in jobs.OPEN and not found.cancel_requested:
        cancel(found, by=request.user.get_username())
        audit.record(request, "job.cancel", f"{found.kind} #{found.pk}")
        found.refresh_from_db()
    return render(request, "console/kit/job.html", jobs.told(found))
