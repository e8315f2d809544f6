"""首页: how many, how fresh, and where each number comes from."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.views.decorators.http import require_GET, require_POST

from console.access import operator_required, role_required
from console.answers import done
from console.audit import record
from console.jobs import told
from contacts.models import Customer
from contacts.unseen import last_unseen
from contacts.views import with_friends
from insights.overview import freshness, overview_for
from insights.trend import friendships_by_day, tasks_by_day
from tenants import jobs
from tenants.current import current_tenant
from tenants.models import CorpApp


@require_GET
@operator_required
def home(request: HttpRequest) -> HttpResponse:
    tenant = current_tenant()
    operator: Any = request.user
    fresh = freshness(tenant.pk)
    context = {
        **fresh,
        "numbers": overview_for(operator),
        "job": told(fresh["open_sync"]) if fresh["open_sync"] else None,
        "gaps": [] if operator.role == "staff" else last_unseen(tenant.pk),
        "connected": CorpApp.objects.filter(tenant=tenant, is_main=True).first(),
        "today": timezone.localdate().isoformat(),
        "newest": newest(operator),
        "trend": friendships_by_day(operator),
        "tasks": tasks_by_day(operator),
    }
    return render(request, "insights/home.html", context)


def newest(operator: Any) -> list[Customer]:
    """The last few who came."""
    rows = Customer.objects.visible_to(operator).exclude(first_added_at=None).order_by("-last_added_at", "-id")
    return with_friends(list(rows[:6]), operator)


@require_POST
@role_required("owner", "admin")
def sync(request: HttpRequest) -> HttpResponse:
    """Compare everything with WeCom now. One such job runs at a time; asking twice joins it."""
    jobs.start("sync", by=request.user.get_username())
    record(request, "sync.start")
    return done(request, _now("同步已开始，可以离开本页"), back_to="console:home", leave=True)
