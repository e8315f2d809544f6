"""Events that came, calls that go out, long jobs, and what the vendor's people did: to be read, retried or ignored."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from callbacks import inbox
from callbacks.words import EVENT_NAMES, PURPOSES
from console.jobs import JOB_NAMES
from scrm.models import InboxRow
from scrm.ops.pages import VendorPage, actor, names_of
from scrm.ops.site import site
from scrm.ops.words import ACTS, in_words, named
from tenants import closing, outbox
from tenants.models import Job, OutgoingCall, Tenant, VendorAudit


def by_tenant(rows: QuerySet[Any]) -> list[tuple[Tenant, list[Any]]]:
    found: dict[Tenant, list[Any]] = defaultdict(list)
    for row in rows.select_related("tenant"):
        found[row.tenant].append(row)
    return list(found.items())


class WorkPage(VendorPage):
    """Rows of many companies: an action enters each of them for its own."""

    ordering = ("-pk",)
    list_select_related = ("tenant",)

    def for_each(
        self, request: HttpRequest, rows: QuerySet[Any], action: str, act: Callable[[Tenant, list[Any]], int]
    ) -> None:
        done = 0
        for tenant, own in by_tenant(rows):
            with tenant:
                count = act(tenant, own)
            closing.audit(tenant, action, by=actor(request), ids=[row.pk for row in own][:200], count=count)
            done += count
        self.message_user(request, _("已处理 %d 条") % done)


@admin.register(InboxRow, site=site)
class InboxPage(WorkPage):
    list_display = ("id", "tenant", "event", "status", "attempts", "suspect", "received_at", "due_at", "last_error")
    list_filter = ("status", "suspect", "event_day", ("name", named(EVENT_NAMES)))
    search_fields = ("tenant__name", "tenant__schema_name", "name")
    fields = names_of(InboxRow)
    actions = ("replay", "ignore")

    @admin.display(description=_("事件"), ordering="name")
    def event(self, row: InboxRow) -> Any:
        return EVENT_NAMES.get(row.name, row.name)

    @admin.action(description=_("重新处理"))
    def replay(self, request: HttpRequest, rows: QuerySet[InboxRow]) -> None:
        self.for_each(
            request,
            rows,
            "inbox_replayed",
            lambda tenant, own: inbox.replay(tenant.pk, ids=[row.pk for row in own]),
        )

    @admin.action(description=_("忽略"))
    def ignore(self, request: HttpRequest, rows: QuerySet[InboxRow]) -> None:
        self.for_each(
            request,
            rows,
            "inbox_ignored",
            lambda tenant, own: inbox.ignore(tenant.pk, [row.pk for row in own], reason=actor(request)),
        )


@admin.register(OutgoingCall, site=site)
class OutboxPage(WorkPage):
    list_display = (
        "id",
        "tenant",
        "api",
        "purpose_in_words",
        "state",
        "attempts",
        "due_at",
        "result_code",
        "result_message",
    )
    list_filter = ("state", "priority", "api")
    search_fields = ("tenant__name", "tenant__schema_name", "api", "idem_key")
    fields = names_of(OutgoingCall, "body", "context", "result")
    actions = ("retry", "ignore")

    @admin.display(description=_("用途"), ordering="purpose")
    def purpose_in_words(self, call: OutgoingCall) -> Any:
        return PURPOSES.get(call.purpose, call.purpose)

    @admin.action(description=_("重试"))
    def retry(self, request: HttpRequest, rows: QuerySet[OutgoingCall]) -> None:
        self.for_each(request, rows, "outbox_retried", lambda tenant, own: outbox.retry_many(own, actor(request)))

    @admin.action(description=_("忽略"))
    def ignore(self, request: HttpRequest, rows: QuerySet[OutgoingCall]) -> None:
        def act(tenant: Tenant, own: list[OutgoingCall]) -> int:
            done = 0
            for call in own:
                try:
                    outbox.ignore(call, actor(request), "vendor console")
                except outbox.NotAllowed:
                    continue
                done += 1
            return done

        self.for_each(request, rows, "outbox_ignored", act)


@admin.register(Job, site=site)
class JobPage(VendorPage):
    ordering = ("-pk",)
    list_select_related = ("tenant",)
    list_display = (
        "id",
        "tenant",
        "kind_in_words",
        "state",
        "stage_in_words",
        "done",
        "total",
        "heartbeat_at",
        "error",
    )
    list_filter = ("state", ("kind", named(JOB_NAMES)))
    search_fields = ("tenant__name", "tenant__schema_name", "kind")
    fields = names_of(Job, "checkpoint", "params", "fence")

    @admin.display(description=_("类型"), ordering="kind")
    def kind_in_words(self, job: Job) -> Any:
        return JOB_NAMES.get(job.kind, job.kind)

    @admin.display(description=_("阶段"), ordering="stage")
    def stage_in_words(self, job: Job) -> Any:
        return JOB_NAMES.get(job.stage, job.stage) or "-"


@admin.register(VendorAudit, site=site)
class AuditPage(VendorPage):
    ordering = ("-pk",)
    list_select_related = ("tenant",)
    list_display = ("at", "actor", "act", "tenant", "what")
    list_filter = (("action", named(ACTS)),)
    search_fields = ("actor", "action", "tenant__name", "tenant__schema_name")
    fields = readonly_fields = ("at", "actor", "act", "tenant", "what")

    @admin.display(description=_("操作"), ordering="action")
    def act(self, row: VendorAudit) -> Any:
        return ACTS.get(row.action, row.action)

    @admin.display(description=_("详情"))
    def what(self, row: VendorAudit) -> str:
        return in_words(row.detail)
