"""The only way to start a task: for the current tenant, once the current transaction commits."""

import time
from collections.abc import Iterable
from typing import Any

import structlog
from celery.signals import task_postrun, task_prerun
from django.db import transaction
from tenant_schemas_celery import app as library
from tenant_schemas_celery.task import TenantTask as LibraryTask

from tenants.db import connection
from tenants.hearing import hear
from tenants.isolation import NoTenant, current_schema
from tenants.models import Tenant
from tenants.recycling import PUBLIC

log = structlog.get_logger(__name__)

HEADER = "_schema_name"
AnyTask = Any  # celery's tasks are built from functions while they are registered

# The library switches schemas in signals, whose errors Celery swallows: the task of a deleted tenant would then run in
# the public schema. And it keeps the schema of before on the task, which all threads of a worker share.
task_prerun.disconnect(library.switch_schema, dispatch_uid="tenant_schemas_switch_schema")
task_postrun.disconnect(library.restore_schema, dispatch_uid="tenant_schemas_restore_schema")


class TenantTask(LibraryTask):  # type: ignore[misc]
    """Runs in the schema named by the message, and nowhere else. Base class of every task.

    A task of the platform itself says so: `@shared_task(of_platform=True)`.
    """

    abstract = True
    of_platform = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.request.called_directly:
            hear((self.request.delivery_info or {}).get("routing_key", ""))
        schema = self._schema()
        if self.of_platform:
            return self._in_public(*args, **kwargs)
        if schema == PUBLIC:
            raise NoTenant(f"{self.name} was sent without a tenant")
        with_id = structlog.contextvars.bound_contextvars(task=self.name, task_id=self.request.id)
        with with_id:
            tenant = self._tenant(schema)
            if tenant is None:
                return None
            with tenant:
                return self.run(*args, **kwargs)

    def _schema(self) -> str:
        """Named by the message; a task that is called like a function belongs to the tenant of its caller."""
        if self.request.called_directly:
            return current_schema()
        return str(library.get_schema_name_from_task(self, None) or PUBLIC)

    def _tenant(self, schema: str) -> Tenant | None:
        """The tenant in use; None when it is closed: its rows wait, nothing is done for it."""
        current = connection.tenant
        if self.request.called_directly and isinstance(current, Tenant):
            return current
        if connection.schema_name != PUBLIC and not self.request.is_eager:
            raise NoTenant(f"the worker was left in {connection.schema_name}")
        tenant: Tenant | None = Tenant.objects.filter(schema_name=schema).first()
        if tenant is None or tenant.status != Tenant.Status.ACTIVE:
            log.info("task_skipped", tenant=schema, reason="closed" if tenant else "deleted")
            return None
        return tenant

    def _in_public(self, *args: Any, **kwargs: Any) -> Any:
        before = connection.tenant
        connection.set_schema_to_public()
        try:
            return self.run(*args, **kwargs)
        finally:
            connection.set_tenant(before)


class _Wake:
    """One message to Celery. Losing it loses nothing: what is to be done is a row, and the poller finds it."""

    PAUSE = 5.0  # while the broker is down, a request does not wait for it again and again
    broker_down_until = 0.0

    def __init__(self, task: AnyTask, kwargs: dict[str, Any], schema: str) -> None:
        self.task, self.kwargs, self.schema = task, kwargs, schema
        self.key = (task.name, schema, repr(sorted(kwargs.items())))

    def __call__(self) -> None:
        if time.monotonic() < _Wake.broker_down_until:
            return
        try:
            send_now(self.task, self.schema, self.kwargs)
        except Exception as error:  # noqa: BLE001  redis, kombu and the socket each have their own
            _Wake.broker_down_until = time.monotonic() + self.PAUSE
            log.warning("broker_down", task=self.task.name, error=str(error))


def send_now(task: AnyTask, schema: str, kwargs: dict[str, Any], **options: Any) -> None:
    """Put a message for a tenant on the wire at once; raises when the broker is down. For who has neither a transaction
    nor a tenant, such as the thread that wakes workers for the intake: all others use `enqueue`."""
    task.apply_async(kwargs=kwargs, headers={HEADER: schema}, **options)


def enqueue(task: AnyTask, **kwargs: Any) -> None:
    """Run a task for the current tenant once the current transaction commits.

    The tenant is read now: at commit `with tenant:` may be over. Ten equal calls in a transaction send one message.
    Never fails when the broker is down.
    """
    schema = current_schema()
    if getattr(task, "of_platform", False):
        schema = PUBLIC
    elif schema == PUBLIC:
        raise NoTenant(f"{task.name} belongs to a tenant: enqueue it inside `with tenant:`")
    wake = _Wake(task, kwargs, schema)
    if not _is_waiting(wake):
        transaction.on_commit(wake, robust=True)


def _is_waiting(wake: _Wake) -> bool:
    """Whether the same message is sent anyway, whichever savepoint is rolled back."""
    here = set(connection.savepoint_ids)
    waiting: Iterable[Any] = connection.run_on_commit
    return any(isinstance(call, _Wake) and call.key == wake.key and sids <= here for sids, call, _ in waiting)
