"""客户列表 and 客户详情."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.forms.models import ModelChoiceIterator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import trigger_client_event

from console.access import operator_required
from console.answers import done, drawer
from console.audit import record
from console.forms import KitForm, PickMany
from console.keyset import paginate
from console.lists import Column, Empty, Filters, ListPage
from console.shell import Hit
from contacts.models import Customer, CustomerFacts, Follow, FollowTag, GroupChat, GroupMember, Tag, TimelineEntry
from contacts.profile_pages import follow_ups_of, profile_of, stages_to_filter
from contacts.queries import NO_STAGE
from contacts.remark import change_remark, refuse_if_gone
from contacts.unseen import last_unseen
from contacts.wording import ADD_WAYS, CODES
from members.models import Staff
from members.scope import visible_staff
from tenants.models import Job, OutgoingCall

STATES = [
    ("", _("全部状态")),
    ("friends", _("好友")),
    ("lost", _("已流失")),
    ("deleted_by_customer", _("被客户删除")),
    ("deleted_by_staff", _("被员工删除")),
]
OPEN_CALLS = [
    OutgoingCall.State.PENDING,
    OutgoingCall.State.LEASED,
    OutgoingCall.State.PARKED,
    OutgoingCall.State.UNKNOWN,
]


class ByGroup(ModelChoiceIterator):
    """The tags of a group stand together under its name."""

    def __iter__(self) -> Iterator[Any]:
        for group, tags in groupby(self.queryset, key=lambda tag: tag.group.title):
            yield group, [self.choice(tag) for tag in tags]


class TagsField(forms.ModelMultipleChoiceField):
    iterator = ByGroup

    def label_from_instance(self, tag: Any) -> str:
        return str(tag.title)


def living_tags() -> QuerySet[Tag]:
    """In the order of WeCom's own admin."""
    living = Tag.objects.filter(deleted_at=None, group__deleted_at=None).select_related("group")
    return living.order_by("-group__order", "group_id", "-order", "id")


class CustomerFilters(Filters):
    searched_by = "q"
    more = ("added_from", "added_to", "lost_from", "lost_to", "add_way", "kind")

    q = forms.CharField(label=_("搜索昵称、备注、企业"), max_length=64)
    staff = forms.ModelChoiceField(Staff.objects.none(), label=_("跟进员工"), empty_label=_("全部员工"))
    state = forms.ChoiceField(label=_("状态"), choices=STATES)
    stage = forms.ChoiceField(label=_("客户阶段"))
    tags = TagsField(Tag.objects.none(), label=_("标签（任一）"), widget=PickMany)
    added_from = forms.DateField(label=_("添加日期从"), widget=forms.DateInput(attrs={"type": "date"}))
    added_to = forms.DateField(label=_("添加日期到"), widget=forms.DateInput(attrs={"type": "date"}))
    lost_from = forms.DateField(label=_("流失日期从"), widget=forms.DateInput(attrs={"type": "date"}))
    lost_to = forms.DateField(label=_("流失日期到"), widget=forms.DateInput(attrs={"type": "date"}))
    add_way = forms.TypedChoiceField(label=_("添加方式"), coerce=int, empty_value=None)
    kind = forms.TypedChoiceField(label=_("客户类型"), coerce=int, empty_value=None)

    def __init__(self, *args: Any, operator: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["staff"].queryset = staff_choices(operator)
        self.fields["tags"].queryset = living_tags()
        self.fields["stage"].choices = [("", _("全部阶段")), *stages_to_filter(), (NO_STAGE, _("未设阶段"))]
        self.fields["add_way"].choices = [("", _("全部方式")), *ADD_WAYS.items()]
        self.fields["kind"].choices = [("", _("全部类型")), *Customer.Kind.choices]

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        return rows.matching(**values)


def staff_choices(operator: Any) -> QuerySet[Staff]:
    """Those in the operator's range who have or had customers, or may get some."""
    seen = visible_staff(operator)
    rows = Staff.objects.all() if seen is None else seen
    with_customers = Exists(Follow.objects.filter(staff=OuterRef("pk")))
    return rows.filter(Q(can_follow=True) | with_customers).order_by("pinyin", "id")


CUSTOMERS = ListPage(
    title=_("客户列表"),
    unit=_("位客户（去重）"),
    help=_("同一位客户被多名员工添加时只算一位，打开详情可以看到每一段好友关系。"),
    columns=(
        Column(_("客户")),
        Column(_("跟进员工"), kind="wide"),
        Column(_("标签"), kind="wide"),
        Column(_("阶段"), kind="wide"),
        Column(_("状态")),
        Column(_("添加时间"), sort="added_at", kind="time wide"),
    ),
    row="contacts/_customer.html",
    bulk="tagging/_customer_bulk.html",  # the room of tags is above this one: its page names the buttons
    order="-added_at",
    filters=CustomerFilters,
    row_url=lambda customer: reverse("contacts:customer", args=[customer.pk]),
    empty=Empty(
        _("还没有客户"),
        _("接入企业微信并完成首次同步后，员工的客户会出现在这里。"),
        _("去接入企业微信"),
        "callbacks:connection",
        picture="people",
    ),
)


def seen_by(request: HttpRequest) -> QuerySet[Customer]:
    return Customer.objects.visible_to(request.user).exclude(first_added_at=None)


def last_sync(tenant_id: int) -> Any:
    jobs = Job.objects.filter(tenant_id=tenant_id, kind="sync", state=Job.State.DONE).order_by("-id")
    return jobs.values_list("finished_at", flat=True).first()


def people_of(rows: Iterable[CustomerFacts], operator: Any) -> list[Customer]:
    """The customers of one page of facts, in its order: the wide rows are read only when the page is known."""
    keys = [row.pk for row in rows]
    found = Customer.objects.select_related("stage").in_bulk(keys)
    return with_friends([found[key] for key in keys], operator)


def with_friends(customers: list[Customer], operator: Any) -> list[Customer]:
    """The staff and the tags of one page of customers, in three statements."""
    by_id = {customer.pk: customer for customer in customers}
    for customer in customers:
        customer.friends, customer.tag_names = [], {}  # type: ignore[attr-defined]
    mine = Follow.objects.visible_to(operator).filter(customer_id__in=by_id)
    links = FollowTag.objects.filter(follow__in=mine, tag__deleted_at=None)
    for follow in mine.select_related("staff").order_by("-added_at", "id"):
        by_id[follow.customer_id].friends.append(follow)  # type: ignore[attr-defined]
    for customer in customers:
        customer.is_friend = any(follow.ended_at is None for follow in customer.friends)  # type: ignore[attr-defined]
        customer.friends.sort(key=lambda follow: follow.ended_at is not None)  # type: ignore[attr-defined]
        customer.gone = newest_ended(customer.friends)  # type: ignore[attr-defined]
    for link in links.select_related("tag__group", "follow").order_by("tag__group_id", "tag_id"):
        by_id[link.follow.customer_id].tag_names[link.tag.title] = link.tag.group.title  # type: ignore[attr-defined]
    return customers


def newest_ended(follows: list[Follow]) -> Follow | None:
    ended = [follow for follow in follows if follow.ended_at is not None]
    return max(ended, key=lambda follow: follow.ended_at or follow.added_at, default=None)


@require_GET
@operator_required
def customers(request: HttpRequest) -> HttpResponse:
    page = replace(CUSTOMERS, filters=partial(CustomerFilters, operator=request.user))
    prepare = partial(people_of, operator=request.user)
    rows = CustomerFacts.objects.visible_to(request.user).known()
    tenant_id = connection.tenant.pk
    context = {"gaps": [] if request.user.role == "staff" else last_unseen(tenant_id)}
    return page.respond(request, rows, prepare=prepare, fresh_at=last_sync(tenant_id), context=context)


@require_GET
@operator_required
def customer(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Customer.objects.visible_to(request.user).select_related("stage"), pk=pk)
    chats = GroupChat.objects.visible_to(request.user)
    groups = GroupMember.objects.filter(customer=found, chat__in=chats).select_related("chat").order_by("-joined_at")
    friendships = follows_of(found, request.user)
    context = {
        "customer": found,
        "follows": friendships,
        "waiting": moves(friendships),
        "is_friend": any(follow.ended_at is None for follow in friendships),
        "gone": [follow for follow in friendships if follow.ended_at is not None],
        **profile_of(found),
        **follow_ups_of(request, found),
        "groups": groups[:50],
        "timeline": timeline_page(request, found),
    }
    return render(request, "contacts/customer.html", context)


def follows_of(customer: Customer, operator: Any) -> list[Follow]:
    """Friendships with tags, and with the changes that WeCom has not confirmed yet."""
    links = (
        FollowTag.objects.filter(tag__deleted_at=None).select_related("tag__group").order_by("tag__group_id", "tag_id")
    )
    follows = (
        Follow.objects.visible_to(operator)
        .filter(customer=customer)
        .select_related("staff")
        .prefetch_related(Prefetch("tag_links", links))
    )
    rows = list(follows.order_by("ended_at", "-added_at"))
    open_calls = OutgoingCall.objects.filter(
        tenant_id=connection.tenant.pk,
        state__in=OPEN_CALLS,
        subject__in=[f"pair:{row.staff.userid}/{customer.external_userid}" for row in rows],
    )
    waiting: dict[int, list[OutgoingCall]] = {}
    for call in open_calls.defer("body").order_by("id"):
        waiting.setdefault(call.context.get("follow", 0), []).append(call)
    states = {row.state for row in rows if row.state}
    codes = {state: name for found in CODES for state, name in found(states).items()} if states else {}
    for row in rows:
        row.channel = codes.get(row.state, row.state)  # type: ignore[attr-defined]
        row.waiting = waiting.get(row.pk, [])  # type: ignore[attr-defined]
        row.may_change = may_change(row)  # type: ignore[attr-defined]
    return rows


def may_change(follow: Follow) -> bool:
    try:
        refuse_if_gone(follow)
    except ValidationError:
        return False
    return True


def moves(follows: list[Follow]) -> bool:
    """Something is on its way to WeCom and will be settled soon, by itself."""
    soon = {OutgoingCall.State.PENDING, OutgoingCall.State.LEASED}
    return any(call.state in soon for follow in follows for call in follow.waiting)  # type: ignore[attr-defined]


@require_GET
@operator_required
def follows(request: HttpRequest, pk: int) -> HttpResponse:
    """The friendships alone: asked again every two seconds while a change waits for WeCom."""
    found = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    friendships = follows_of(found, request.user)
    context = {"customer": found, "follows": friendships, "waiting": moves(friendships)}
    response = render(request, "contacts/_follows.html", context)
    if not context["waiting"]:  # what was waited for stands on the timeline now
        trigger_client_event(response, "timeline:refresh", {})
    return response


TIMELINE_SIDES = {
    "customer": [
        "follow_added",
        "follow_half_added",
        "deleted_by_customer",
        "archive_agreed",
        "group_joined",
        "group_left",
    ],
    "staff": [
        "deleted_by_staff",
        "remark_changed",
        "remark_failed",
        "tags_changed",
        "tags_failed",
        "transferred",
        "stage_changed",
        "fields_changed",
        "followed_up",
        "task_done",
        "task_skipped",
    ],
    "system": [
        *("welcome_sent", "welcome_failed", "follow_vanished", "transfer_failed"),
        *("sop_enrolled", "sop_exited"),
    ],
}


def timeline_page(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    side = request.GET.get("side", "")
    entries = TimelineEntry.objects.visible_to(request.user).filter(customer=customer).select_related("staff", "chat")
    if side in TIMELINE_SIDES:
        entries = entries.filter(kind__in=TIMELINE_SIDES[side])
    page = paginate(entries, "-at", request.GET.get("before", ""), 20)
    return {"entries": page.rows, "next": page.next, "side": side, "first": not request.GET.get("before")}


@require_GET
@operator_required
def timeline(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Customer.objects.visible_to(request.user), pk=pk)
    return render(request, "contacts/_timeline.html", {"customer": found, "timeline": timeline_page(request, found)})


class RemarkForm(KitForm):
    remark = forms.CharField(label=_("备注"), max_length=20, required=False)
    description = forms.CharField(
        label=_("描述"), max_length=150, required=False, widget=forms.Textarea(attrs={"rows": 4})
    )


@require_http_methods(["GET", "POST"])
@operator_required
def remark(request: HttpRequest, pk: int) -> HttpResponse:
    follow = get_object_or_404(Follow.objects.visible_to(request.user).select_related("staff", "customer"), pk=pk)
    form = RemarkForm(request.POST or None, initial={"remark": follow.remark, "description": follow.description})
    context = {
        "title": _now("修改备注"),
        "note": _now("%(staff)s 对这位客户的备注，会同步到企业微信") % {"staff": follow.staff},
        "form": form,
        "submit": _now("保存"),
    }
    if request.method == "GET" or not form.is_valid():
        return drawer(request, "console/kit/form_drawer.html", context, wrong=bool(form.errors))
    try:
        change_remark(follow, **form.cleaned_data, by=request.user.get_username(), source=TimelineEntry.Source.CONSOLE)
    except ValidationError as error:
        form.add_error(None, error)
        return drawer(request, "console/kit/form_drawer.html", context, wrong=True)
    record(request, "customer.remark", target=follow.customer.external_userid)
    return done(
        request, _now("已提交，企业微信确认后生效"), back_to=reverse("contacts:customer", args=[follow.customer_id])
    )


def find(request: HttpRequest, text: str, limit: int) -> list[Hit]:
    """Customers for Ctrl+K."""
    found = seen_by(request).search(text).order_by("-last_added_at", "-id")[:limit]
    return [Hit(str(one), reverse("contacts:customer", args=[one.pk]), "user", one.corp_name) for one in found]
