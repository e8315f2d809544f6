"""Acme with people in three departments, with customers, groups and tags: something for every page."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Operator
from contacts import bulk
from contacts.models import Customer, Follow, FollowTag, GroupChat, GroupMember, Tag, TagGroup, TimelineEntry
from members.models import Department, Staff, StaffDepartment
from tenants.models import Tenant
from tests.people import add_operator


class Browser(Client):
    """The test stays inside the company after each request, which ends outside of all."""

    def __init__(self, tenant: Tenant) -> None:
        super().__init__(headers={"host": f"{tenant.schema_name}.localhost"})
        self.tenant = tenant

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        connection.set_tenant(self.tenant)
        return response


@dataclass
class Company:
    """wang leads 华南 with li in 门店七 below; zhao stands in 华北."""

    tenant: Tenant
    staff: dict[str, Staff] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    groups: dict[str, GroupChat] = field(default_factory=dict)

    def found(self) -> "Company":
        head = Department.objects.create(wecom_id=1, name="总部", path=[1])
        south = Department.objects.create(wecom_id=2, name="华南", parent_wecom_id=1, path=[1, 2])
        shop = Department.objects.create(wecom_id=7, name="门店七", parent_wecom_id=2, path=[1, 2, 7])
        north = Department.objects.create(wecom_id=9, name="华北", parent_wecom_id=1, path=[1, 9])
        for name, department in (("chen", head), ("wang", south), ("li", shop), ("zhao", north)):
            one = Staff.objects.create(userid=name, userid_key=name, name=f"员工{name}", pinyin=name, can_follow=True)
            StaffDepartment.objects.create(staff=one, department=department)
            self.staff[name] = one
        for wecom_id, group_name, names in (("g1", "客户等级", ("重要客户", "一般客户")), ("g2", "来源", ("门店",))):
            group = TagGroup.objects.create(wecom_id=wecom_id, name=group_name)
            for name in names:
                self.tags[name] = Tag.objects.create(wecom_id=f"t-{name}", name=name, group=group)
        return self

    def add(self, name: str, *staff: str, days: float = 3, tags: Iterable[str] = (), **values: Any) -> Customer:
        """A customer whom these members of staff added so many days ago, with the tags on the first friendship."""
        at = timezone.now() - timedelta(days=days)
        customer = Customer.objects.create(external_userid=f"wm{name}", name=name)
        facts = {"add_way": 1, **{key: value for key, value in values.items() if key != "kind"}}
        rows = [Follow.objects.create(customer=customer, staff=self.staff[one], added_at=at, **facts) for one in staff]
        FollowTag.objects.bulk_create(FollowTag(follow=rows[0], tag=self.tags[tag]) for tag in tags)
        for row in rows:
            key = f"added-{row.pk}"
            TimelineEntry.objects.create(
                key=key, customer=customer, staff=row.staff, kind="follow_added", at=at, source="sync"
            )
        bulk.refresh_customers([customer.pk])
        customer.refresh_from_db()
        self.customers[name] = customer
        return customer

    def crowd(self, count: int, staff: str = "wang", **values: Any) -> None:
        for number in range(count):
            self.add(f"顾客{number:03}", staff, days=1 + number / 100, **values)

    def group(self, name: str, owner: str, *members: str) -> GroupChat:
        chat = GroupChat.objects.create(
            chat_id=f"wr{name}", name=name, owner=self.staff[owner], opened_at=timezone.now(), member_count=len(members)
        )
        for member in members:
            customer = self.customers.get(member)
            GroupMember.objects.create(
                chat=chat,
                member_id=customer.external_userid if customer else member,
                kind=2,
                customer=customer,
                name=member,
                joined_at=timezone.now(),
            )
        self.groups[name] = chat
        return chat

    def follow(self, customer: str, staff: str) -> Follow:
        return Follow.objects.get(customer=self.customers[customer], staff=self.staff[staff])

    def operator(self, role: str = "owner", scope: str = "all", staff: str = "") -> Operator:
        made = add_operator(self.tenant, f"{role}-{scope}-{staff}", role, scope=scope)
        if staff:
            Staff.objects.filter(pk=self.staff[staff].pk).update(operator=made)
        return made

    def client(self, role: str = "owner", scope: str = "all", staff: str = "") -> Browser:
        browser = Browser(self.tenant)
        browser.force_login(self.operator(role, scope, staff))
        return browser
