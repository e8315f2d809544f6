"""我的团队: what a leader without an account in the console is told of by our cards, to look at and nothing more."""

from datetime import datetime, time

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.timezone import make_aware
from django.views.decorators.http import require_GET

from archive.models import Alert
from contacts import losses
from contacts.models import Follow
from members.models import Staff
from members.scope import led_by
from sidebar.access import seller_required
from sidebar.views import opened
from sop.models import StaffTask

SHOWN = 100
State = StaffTask.State
ENDED_BY = Follow.EndedBy


@require_GET
@seller_required
def team(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Today's tasks of each member they lead, whom the team lost lately, and who waits for an answer."""
    if not request.htmx:  # type: ignore[attr-defined]  # by django-htmx
        return opened(request, staff, page=True, first="team")
    people = led_by(staff)
    rows, of_team = list(today_of(people)[:SHOWN]), Follow.objects.filter(staff__in=people.values("pk"))
    context = {
        "people": rows,
        "more": max(0, people.count() - SHOWN) if len(rows) == SHOWN else 0,
        "lost": list(losses.lately(of_team, by=[ENDED_BY.CUSTOMER, ENDED_BY.STAFF])[:20]),  # a leader is told of both
        "waiting": list(waiting_for(staff)),
    }
    return render(request, "sidebar/team.html", context)


def today_of(people: QuerySet[Staff]) -> QuerySet[Staff]:
    """Each with `to_do` and `done` of today, who has most to do first."""
    now = timezone.now()
    midnight = make_aware(datetime.combine(timezone.localdate(), time.min))
    due = StaffTask.objects.filter(state=State.OPEN, starts_at__lte=now, ends_at__gt=now)
    done = StaffTask.objects.filter(state=State.DONE, settled_at__gte=midnight)
    counted = people.annotate(to_do=number_of(due), done=number_of(done))
    return counted.order_by("-to_do", "-done", "pinyin", "pk")


def number_of(tasks: QuerySet[StaffTask]) -> Coalesce:
    """By an index each: joined, all tasks these people ever had would be read."""
    own = tasks.filter(staff=OuterRef("pk")).order_by().values("staff").annotate(number=Count("pk"))
    return Coalesce(Subquery(own.values("number")), 0)


def waiting_for(staff: Staff) -> QuerySet[Alert]:
    """The alerts of overdue replies that end at this person; without the message, as on the card."""
    rows = Alert.objects.filter(assigned_to=staff, state=Alert.State.OPEN, kind=Alert.Kind.OVERDUE)
    rows = rows.exclude(conversation__waiting_since=None)
    return rows.select_related("conversation", "staff").annotate(since=F("conversation__waiting_since"))[:20]
