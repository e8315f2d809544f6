"""Opening a company's account: its tenant, the first owner of its console, a key of its Open API, or nothing."""

from typing import Any

from django.db import transaction

from accounts.models import Operator
from accounts.operators import one_time_password
from accounts.seats import changing as seats_change
from acquisition.models import Welcome
from integrations.authentication import issue_key
from tenants.closing import audit
from tenants.models import Receiver
from tenants.provision import Connection, callback_url, create_tenant

OWNER = "admin"
OPENED = "系统"
WELCOME = "您好，很高兴认识您！有任何问题，直接在这里发消息给我就好。"
"""Until the company writes its own on 欢迎语, or turns it off there."""


def open_company(
    schema: str, *, name: str, domain: str, wecom: Connection | None, plan: str, seats: int, by: str
) -> dict[str, Any]:
    """Returns what the company must be told. Password and key are shown once: only their hashes are kept.

    Without an app of its own the company connects by itself on 企业微信接入, and has no receiver before.
    """
    with transaction.atomic():
        tenant = create_tenant(schema, name=name, domain=domain, connection_to_wecom=wecom, plan=plan, seats=seats)
        with tenant:
            _, password = create_operator(OWNER, name="超级管理员", role=Operator.Role.OWNER)
            api_key = issue_key(name="tenant_create", by=by)
            Welcome.objects.create(reach=Welcome.Reach.DEFAULT, text=WELCOME, updated_by=OPENED)
        audit(tenant, "tenant_created", by=by, schema=schema, plan=plan, seats=seats)
        receiver = Receiver.objects.filter(tenant=tenant).first()
        return {
            "schema": tenant.schema_name,
            "domain": tenant.domains.get().domain,
            "receiver": receiver.public_id if receiver else "",
            "callback_url": callback_url(receiver) if receiver else "",
            "api_key": api_key,
            "operator": OWNER,
            "password": password,
        }


def create_operator(username: str, *, name: str, role: str) -> tuple[Operator, str]:
    """An operator of the current schema who sees all, and the password that must be changed at the first sign-in."""
    password = one_time_password()
    operator = Operator(username=username, name=name, role=role, scope=Operator.Scope.ALL, must_change_password=True)
    operator.set_password(password)
    with seats_change():
        operator.save()
    return operator, password
