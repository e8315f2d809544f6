"""同意情况: who agreed to be archived, with whom and in which group."""

from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from archive import consents as consent_job
from archive import showing
from archive.models import Consent
from archive.scope import consents_of
from console.access import operator_required, role_required
from console.answers import done
from console.audit import record
from console.lists import Column, Empty, Filters, ListPage
from contacts.models import Customer, GroupChat


class ConsentFilters(Filters):
    searched_by = "q"

    q = forms.CharField(label=_("搜索客户昵称、备注"), max_length=64)
    status = forms.ChoiceField(label=_("状态"), choices=[("", _("全部状态")), *Consent.Status.choices])

    def apply(self, rows: QuerySet[Any], values: Any) -> QuerySet[Any]:
        if term := values.get("q"):
            named = Customer.objects.search(term).filter(external_userid=OuterRef("external_userid"))
            rows = rows.filter(Exists(named))
        if status := values.get("status"):
            rows = rows.filter(status=status)
        return rows


CONSENTS = ListPage(
    title=_("同意情况"),
    unit=_("条"),
    help=_(
        "客户是否同意会话存档，按客户与员工、客户与群分别记录。每天与企业微信核对一次，客户在会话中表态时立即更新。"
    ),
    columns=(
        Column(_("客户")),
        Column(_("员工或群"), kind="wide"),
        Column(_("状态")),
        Column(_("表态时间"), kind="time wide"),
        Column(_("核对时间"), sort="checked_at", kind="time wide"),
    ),
    row="archive/_consent_row.html",
    order="-checked_at",
    filters=ConsentFilters,
    empty=Empty(_("还没有记录"), _("接入会话存档后，每天夜里核对一次；也可以立即核对。"), picture="people"),
    template="archive/consents.html",
)


@require_GET
@operator_required
def consents(request: HttpRequest) -> HttpResponse:
    return CONSENTS.respond(request, consents_of(request.user), prepare=with_names)


def with_names(rows: list[Consent]) -> list[Consent]:
    people = showing.people_named(one for row in rows for one in (row.external_userid, row.userid))
    customers = Customer.objects.filter(external_userid__in=[row.external_userid for row in rows])
    groups = dict(GroupChat.objects.filter(chat_id__in=[row.chat_id for row in rows]).values_list("chat_id", "name"))
    pages = dict(customers.values_list("external_userid", "pk"))
    for row in rows:
        row.customer = people[row.external_userid]  # type: ignore[attr-defined]
        row.customer_pk = pages.get(row.external_userid)  # type: ignore[attr-defined]
        row.with_whom = people[row.userid].name if row.userid else groups.get(row.chat_id) or row.chat_id  # type: ignore[attr-defined]
    return rows


@require_POST
@role_required("owner", "admin")
def check_consents(request: HttpRequest) -> HttpResponse:
    job = consent_job.check_later(by=request.user.get_username())
    if job is None:
        return done(request, _now("请先接入会话存档"), back_to="archive:consents", level="warning", leave=True)
    record(request, "archive.consents")
    return done(request, _now("正在核对，完成后刷新列表"), back_to="archive:consents", leave=True)
