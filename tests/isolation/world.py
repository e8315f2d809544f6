"""Two companies with the same row numbers and the same WeCom ids, and a mark in every text that is not the asker's.

The rows are made from the models themselves: a new model, or a new column of one, is marked without a word here.
"""

import datetime
import hashlib
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.models import Session
from django.db import connection, models
from django.utils import timezone

from archive.models import Alert, ArchivedMedia, ArchivedMessage, Conversation, TalkExport
from broadcasts.models import Broadcast
from callbacks.models import InboxEvent
from contacts import bulk
from contacts.models import Customer, Follow, FollowUp, GroupChat, GroupMember, TimelineEntry
from members.models import Staff
from sop.models import Assignment, StaffTask
from tenants.isolation import tenant_models
from tenants.models import (
    AccessToken,
    ApiBreaker,
    Authorisation,
    CorpApp,
    Credential,
    Domain,
    DomainFile,
    Job,
    OutgoingCall,
    Receiver,
    ReceiverKey,
    Tenant,
    VendorAudit,
)
from tenants.provision import Connection

NEEDLE = "蓝鲸"  # part of every long text of both companies: what the searches look for
SHORTEST = 8  # a column of fewer characters holds no mark
MINE, HIDDEN, FOREIGN = 1, 2, 3  # the asker's own row, a colleague's, and one that only the other company has

# in the order in which one may point at another
SHARED: tuple[type[models.Model], ...] = (
    *(Domain, DomainFile, CorpApp, Authorisation, Credential, Receiver, ReceiverKey, AccessToken, OutgoingCall),
    *(ApiBreaker, Job, VendorAudit, InboxEvent),
)
SCOPED: tuple[type[models.Model], ...] = (
    *(Alert, ArchivedMedia, ArchivedMessage, Conversation, TalkExport),
    Assignment,
    Broadcast,
    Customer,
    Follow,
    FollowUp,
    GroupChat,
    GroupMember,
    TimelineEntry,
    Staff,
    StaffTask,
)
TOO_SHORT: set[str] = set()
FACTS: dict[str, dict[str, Any]] = {
    "Operator": {"is_active": True, "must_change_password": False, "role": "staff", "scope": "self"},
    "Staff": {"can_follow": True, "visible": True, "status": 1},
    "Customer": {"active_follows": 1, "first_added_at": timezone.now},
    "FollowUp": {"next_at": timezone.now},
    "GroupMember": {"kind": 2},
    "Domain": {"is_primary": False},
    "CorpApp": {"is_main": False},
    "TimelineEntry": {"kind": "remark_changed"},
    "OutgoingCall": {"state": "dead", "deadline": None, "priority": 1},
    "InboxEvent": {"status": "dead", "urgent": False},
    "Job": {"state": "done"},
    "TagRule": {"trigger": "stage"},
    "PlanVersion": {"published_at": timezone.now},  # what was published has runs; a draft has none
    "Step": {"after_minutes": None, "day": 0, "at": lambda: datetime.time(9)},
}


def mark() -> str:
    return "zq" + secrets.token_hex(3)


@dataclass
class World:
    """`rows[schema][model name][number]`; the marks are random in every run."""

    acme: Tenant
    globex: Tenant
    foreign: str = field(default_factory=mark)  # in everything of globex
    hidden: str = field(default_factory=mark)  # in what acme's asker may not see of acme's own
    rows: dict[str, dict[str, dict[int, models.Model]]] = field(default_factory=dict)

    def row(self, schema: str, model: str, number: int) -> Any:
        return self.rows[schema][model][number]

    def fill(self) -> "World":
        for tenant in (self.acme, self.globex):
            made = self.rows[tenant.schema_name] = {}
            with tenant:
                for model in in_order(tenant_models()):
                    numbers = (MINE, HIDDEN) if tenant == self.acme else (MINE, HIDDEN, FOREIGN)
                    made[model.__name__] = {number: self.make(tenant, model, number) for number in numbers}
                bulk.rebuild_facts()  # what lists go by follows from the other rows
                end = timezone.now() + datetime.timedelta(days=1)
                Session.objects.create(
                    session_key=f"{NEEDLE}1", session_data=self.said(tenant, Session, MINE), expire_date=end
                )
            for model in SHARED:
                made[model.__name__] = {number: self.make(tenant, model, number) for number in (MINE, HIDDEN, FOREIGN)}
        self._mark_what_was_there()
        return self

    # -- one row -------------------------------------------------------------------------------------------------------

    def make(self, tenant: Tenant, model: type[models.Model], number: int) -> models.Model:
        values = {
            column.attname: self.value(tenant, model, column, number)
            for column in model._meta.concrete_fields
            if column.name != "tenant_id" or model is InboxEvent
        }
        values |= {name: value() if callable(value) else value for name, value in FACTS.get(model.__name__, {}).items()}
        if model is Staff:
            values["userid"] = values["userid_key"]
        if model is InboxEvent:
            return insert_inbox_row(values)
        if model is Conversation:
            values["staff_ids"] = [number_of(Staff, number, None, Staff._meta.pk)]
        row = model(**values)
        model._base_manager.bulk_create([row])
        return row

    def value(self, tenant: Tenant, model: type[models.Model], column: Any, number: int) -> Any:
        foreign = tenant == self.globex
        shared = model in SHARED
        if column.name in {"tenant", "tenant_id"}:
            return tenant.pk
        if column.name == "only":  # a table of one row: the others are not it
            return number == MINE
        if isinstance(column, models.ForeignKey) and column.related_model == model:
            return None
        if isinstance(column, models.ForeignKey):  # a OneToOneField is one
            if not shared or column.related_model in SHARED:
                return self.rows[tenant.schema_name][column.related_model.__name__][number].pk
            return None
        if column.primary_key:
            return number_of(model, number, tenant if shared else None, column)
        if isinstance(column, models.UUIDField):
            return uuid.uuid4()
        if is_text(column):
            return self.text(tenant, model, column, number)
        if isinstance(column, models.BinaryField):
            return None if column.null and not foreign else f"{self.said(tenant, model, number)}{number}".encode()
        if isinstance(column, models.JSONField):
            said = self.said(tenant, model, number)
            return {"source": "api", said: [said], "note": said}
        return plain(column, number)

    def text(self, tenant: Tenant, model: type[models.Model], column: Any, number: int) -> str:
        said = self.said(tenant, model, number)
        longest = column.max_length or 1000
        if is_identity(model, column):
            prefix = "WW_verify_" if model is DomainFile else ""
            suffix = ".txt" if model is DomainFile else ""
            # the same in both companies; the shared schema allows that for none of its rows
            other = tenant.schema_name if model in SHARED else "other" if number == FOREIGN else ""
            return f"{prefix}{column.name[:5].replace('_', '')}{other}{number}{suffix}"[:longest]
        if column.choices and tenant == self.acme:
            return str(column.choices[0][0])
        if longest < SHORTEST:
            TOO_SHORT.add(f"{model.__name__}.{column.name}")
            return "x"
        return f"{said}{NEEDLE}"[:longest]

    def said(self, tenant: Tenant, model: type[models.Model], number: int) -> str:
        if tenant == self.globex:
            return self.foreign
        return self.hidden if model in SCOPED and number == HIDDEN else "own text "

    def _mark_what_was_there(self) -> None:
        """The rows with which globex was founded."""
        self.globex.name = f"{self.foreign}{NEEDLE}"
        self.globex.save(update_fields=["name"])
        CorpApp.objects.filter(tenant=self.globex).update(name=self.foreign, state_call=self.foreign)

    def secrets_of_founding(self, wecom: Connection) -> list[str]:
        return [wecom.corp_id, wecom.agent_secret, wecom.contact_secret, wecom.token, wecom.aes_key]


def is_text(column: Any) -> bool:
    return isinstance(column, models.CharField | models.TextField) and not isinstance(column, models.UUIDField)


def is_identity(model: type[models.Model], column: Any) -> bool:
    """WeCom's ids and names that are there once: equal in both companies, so that one may be taken for the other's."""
    alone = [one.fields for one in model._meta.constraints if isinstance(one, models.UniqueConstraint)]
    return column.unique or any(column.name in fields for fields in alone if column.name not in {"kind", "api"})


def in_order(chosen: list[type[Any]]) -> list[type[Any]]:
    """Models after those at which they point."""
    left, done = list(chosen), []
    while left:
        ready = [
            model
            for model in left
            if not any(
                isinstance(column, models.ForeignKey) and column.related_model in left and column.related_model != model
                for column in model._meta.concrete_fields
            )
        ]
        assert ready, f"a circle of foreign keys: {left}"
        done += ready
        left = [model for model in left if model not in ready]
    return done


def number_of(model: type[models.Model], number: int, owner: Tenant | None, column: Any) -> Any:
    number += owner.pk * 1000 if owner else 9000  # above what the sequences give
    return uuid.UUID(int=number) if isinstance(column, models.UUIDField) else number


def plain(column: Any, number: int) -> Any:
    if isinstance(column, ArrayField):
        return [plain(column.base_field, number)]
    if isinstance(column, models.BooleanField):
        return bool(column.default) if column.has_default() else False
    if isinstance(column, models.GenericIPAddressField):
        return "10.9.8.7"
    if isinstance(column, models.DateTimeField):
        return None if column.null else timezone.now()
    if isinstance(column, models.DateField):
        return datetime.date(2026, 1, 5)
    if isinstance(column, models.TimeField):
        return datetime.time(9)
    return None if column.null and not column.choices else number


def insert_inbox_row(values: dict[str, Any]) -> InboxEvent:
    """Its numbers are given by the database."""
    values.pop("id")
    names = ", ".join(values)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO public.callbacks_inbox ({names}) VALUES ({', '.join(['%s'] * len(values))}) RETURNING id",
            list(values.values()),
        )
        return InboxEvent(id=cursor.fetchone()[0], **values)


# -- fingerprints ------------------------------------------------------------------------------------------------------


WRITTEN = """
SELECT sum(pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
           + pg_stat_get_xact_tuples_deleted(oid))
FROM (SELECT place::regclass AS oid FROM unnest(%s) AS place
      UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = ANY(%s::regclass[])) AS tables
"""


class Fingerprint:
    """Of every row of a company, in its own schema and in the shared one."""

    SHARED_ROWS = {
        "tenants_domain": "tenant_id = %(pk)s",
        "tenants_domainfile": "tenant_id = %(pk)s",
        "tenants_tenant": "id = %(pk)s",
        "tenants_tenantkey": "tenant_id = %(pk)s",
        "tenants_corpapp": "tenant_id = %(pk)s",
        "tenants_receiver": "tenant_id = %(pk)s",
        "tenants_outgoingcall": "tenant_id = %(pk)s",
        "tenants_job": "tenant_id = %(pk)s",
        "tenants_vendoraudit": "tenant_id = %(pk)s",
        "callbacks_inbox": "tenant_id = %(pk)s",
        "tenants_credential": "app_id IN (SELECT id FROM public.tenants_corpapp WHERE tenant_id = %(pk)s)",
        "tenants_accesstoken": "app_id IN (SELECT id FROM public.tenants_corpapp WHERE tenant_id = %(pk)s)",
        "tenants_apibreaker": "app_id IN (SELECT id FROM public.tenants_corpapp WHERE tenant_id = %(pk)s)",
        "tenants_receiverkey": "receiver_id IN (SELECT id FROM public.tenants_receiver WHERE tenant_id = %(pk)s)",
    }

    def __init__(self, tenant: Tenant, tables: list[str] | None = None) -> None:
        own = tables if tables is not None else self._tables(tenant)
        places = [(f"{tenant.schema_name}.{table}", "true") for table in own]
        if tables is None:
            places += [(f"public.{table}", which) for table, which in self.SHARED_ROWS.items()]
        rows = "coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')"
        self.sql = " UNION ALL ".join(
            f"SELECT '{place}', {rows} FROM {place} t WHERE {which}" for place, which in places
        )
        self.values = {"pk": tenant.pk}
        self.places = [place for place, _ in places]

    @staticmethod
    def _tables(tenant: Tenant) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [tenant.schema_name])
            return sorted(name for (name,) in cursor.fetchall())

    def written(self) -> int:
        """Rows written in these tables since the transaction began, undone ones too: the same number before and after
        says that nothing happened, for a hundredth of what `take` costs."""
        with connection.cursor() as cursor:
            cursor.execute(WRITTEN, [self.places, self.places])
            return int(cursor.fetchone()[0])

    def take(self) -> dict[str, str]:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.values)
            return {place: hashlib.md5(rows.encode()).hexdigest() for place, rows in cursor.fetchall()}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [place for place in before if before[place] != after[place]]
