"""Events that came, calls that go out, long jobs, and what the vendor's people did: to be read, retried or ignored."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from callbacks import inbox
from console.jobs import JOB_NAMES
from scrm.models import InboxRow
from scrm.ops.pages import VendorPage, actor, names_of
from scrm.ops.site import site
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
    list_display = ("id", "tenant", "name", "status", "attempts", "suspect", "received_at", "due_at", "last_error")
    list_filter = ("status", "suspect", "event_day", "name")
    search_fields = ("tenant__name", "tenant__schema_name", "name")
    fields = names_of(InboxRow)
    actions = ("replay", "ignore")

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
    list_display = ("id", "tenant", "api", "purpose", "state", "attempts", "due_at", "result_code", "result_message")
    list_filter = ("state", "priority", "api")
    search_fields = ("tenant__name", "tenant__schema_name", "api", "idem_key")
    fields = names_of(OutgoingCall, "body", "context", "result")
    actions = ("retry", "ignore")

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
    list_filter = ("state", "kind")
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
    list_display = ("at", "actor", "action", "tenant", "detail")
    list_filter = ("action",)
    search_fields = ("actor", "action", "tenant__name", "tenant__schema_name")
    fields = names_of(VendorAudit)
