"""任务: what is due for this customer, and 今日, where a member's day begins."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from contacts import losses
from contacts.models import Customer, Follow, FollowUp
from content import messages
from members.models import Staff
from members.scope import leads
from sidebar.access import seller_required
from sidebar.content_views import as_parts, customer_asked
from sidebar.customer_views import refused
from sidebar.views import opened
from sop import tasks
from sop.models import StaffTask

SHOWN = 50


@require_GET
@seller_required
def index(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Of the open chat: `to` names the customer, `chat` the group."""
    customer = customer_asked(request, staff)
    rows = tasks.open_tasks(staff, customer=customer) if customer else StaffTask.objects.none()
    return render(request, "sidebar/tasks.html", {"tasks": with_previews(staff, rows), "customer": customer})


def with_previews(staff: Staff, rows: QuerySet[StaffTask]) -> list[StaffTask]:
    """As each customer will read it."""
    found = list(rows.select_related("customer", "assignment")[:SHOWN])
    for task in found:
        names = messages.names_of(staff, task.customer)
        task.bubbles = messages.preview(task.content, names)  # type: ignore[attr-defined]
        task.left = [part for part in messages.parts_of(task.content) if part not in task.sent]  # type: ignore[attr-defined]
    return found


def mine(staff: Staff, pk: int) -> StaffTask:
    return get_object_or_404(StaffTask.objects.filter(staff=staff).select_related("customer"), pk=pk)


@require_GET
@seller_required
def parts(request: HttpRequest, staff: Staff, pk: int) -> HttpResponse:
    """The parts of the task that did not go out yet, while somebody is still to get them."""
    task = mine(staff, pk)
    left = [part for part in messages.parts_of(task.content) if part not in task.sent]
    if left and (why := tasks.ask_to_send(task)):
        return JsonResponse({"code": "task", "message": why}, status=409)
    content: dict[str, Any] = {
        "text": task.content.get("text", "") if "text" in left else "",
        "materials": [pk for pk in task.content.get("materials", []) if f"m{pk}" in left],
    }
    return as_parts(content, staff, task.customer)


@require_POST
@seller_required
def skip(request: HttpRequest, staff: Staff, pk: int) -> HttpResponse:
    """Not done, with a reason that the manager sees."""
    task = mine(staff, pk)
    try:
        tasks.skip(task, request.POST.get("reason", ""), by=str(staff))
    except ValidationError as error:
        return refused(request, error)
    return settled(request, staff, task, _("已跳过"))


@require_POST
@seller_required
def done(request: HttpRequest, staff: Staff, pk: int) -> HttpResponse:
    """A tick, where there is no content whose sending could prove it."""
    task = mine(staff, pk)
    try:
        tasks.tick(task, by=str(staff))
    except ValidationError as error:
        return refused(request, error)
    return settled(request, staff, task, _("已完成"))


def settled(request: HttpRequest, staff: Staff, task: StaffTask, words: str) -> HttpResponse:
    """In the task's place, with how many are left for its customer."""
    left = tasks.open_tasks(staff, task.customer).count()
    return render(request, "sidebar/_settled.html", {"task": task, "words": words, "left": left})


@require_GET
@seller_required
def today(request: HttpRequest, staff: Staff) -> HttpResponse:
    """The workbench's entry: my tasks, whom to come back to, and my customers by recent activity. A link of ours to
    it brings the shell, which asks for it."""
    if not request.htmx:  # type: ignore[attr-defined]  # by django-htmx
        return opened(request, staff, page=True)
    now = timezone.now()
    follow_ups = FollowUp.objects.filter(staff=staff, next_done_at=None, next_at__lt=now + timedelta(days=1))
    customers = Customer.objects.filter(follows__staff=staff, follows__ended_at=None).select_related("facts", "stage")
    latest = Greatest("facts__last_message_at", "facts__last_opened_at")
    recent = customers.annotate(last_at=latest).order_by(F("last_at").desc(nulls_last=True), "-last_added_at", "-id")
    rows = tasks.open_tasks(staff)
    shown = with_previews(staff, rows)
    context = {
        "staff": staff,
        "leads": leads(staff),
        "tasks": shown,
        "number": len(shown) if len(shown) < SHOWN else rows.count(),
        "lost": list(losses.lately(staff.follows.all(), by=[Follow.EndedBy.CUSTOMER])[:10]),
        "follow_ups": list(follow_ups.select_related("customer").order_by("next_at")[:20]),
        "customers": list(recent[:20]),
        "now": now,
    }
    return render(request, "sidebar/today.html", context)
