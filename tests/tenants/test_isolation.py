"""The known ways in which one company's data reach another (reliability: I1–I6), each tried and each refused."""

import re
import threading
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError, connection, transaction

from contacts.models import Customer
from tenants.isolation import NoTenant, each_tenant, redis_key, stamp_schema, tenant_models, tenant_path
from tenants.models import Tenant, TenantModel, TenantQuerySet, WrongTenant
from tenants.recycling import TENANTS_A_CONNECTION

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def twins(acme, globex):
    """The same row number in both companies."""
    for tenant in (acme, globex):
        with tenant:
            Customer.objects.create(pk=7, external_userid=f"wm-{tenant.schema_name}", name=tenant.name)


def test_a_query_made_in_one_tenant_is_not_answered_by_another(acme, globex, twins):
    with acme:
        late = Customer.objects.filter(pk=7)

    with globex:
        for read in (
            list,
            len,
            bool,
            TenantQuerySet.count,
            TenantQuerySet.exists,
            TenantQuerySet.first,
            TenantQuerySet.delete,
        ):
            with pytest.raises(WrongTenant):
                read(late.all())
        with pytest.raises(WrongTenant):
            late.update(name="x")
        with pytest.raises(WrongTenant):
            list(late.values_list("name"))
        with pytest.raises(WrongTenant):
            list(Customer.objects.filter(pk__in=late))
    with acme:
        assert late.get().name == "艾可美美妆"


def test_a_query_is_not_answered_outside_of_its_tenant(acme, twins):
    with acme:
        late = Customer.objects.all()

    with pytest.raises(WrongTenant):
        list(late)


def test_a_row_loaded_in_one_tenant_cannot_be_written_in_another(acme, globex, twins):
    with acme:
        customer = Customer.objects.get(pk=7)
        customer.name = "改名"

    with globex:
        for write in (customer.save, customer.delete, customer.refresh_from_db):
            with pytest.raises(WrongTenant):
                write()
        with pytest.raises(WrongTenant):
            Customer.objects.bulk_update([customer], ["name"])
        assert Customer.objects.get(pk=7).name == "环球优选"


def test_the_database_refuses_a_row_with_another_tenants_number(acme, globex):
    with acme:
        for number in (globex.pk, 0):
            with pytest.raises(IntegrityError, match="of_tenant"), transaction.atomic():
                Customer.objects.create(external_userid="wm-x", tenant_id=number)
        assert Customer.objects.create(external_userid="wm-x").tenant_id is not None
        assert Customer.objects.get().tenant_id == acme.pk


def test_every_table_of_a_tenant_carries_the_stamp(acme, globex):
    tables = {model._meta.db_table for model in tenant_models()}
    for tenant in (acme, globex):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT t.relname, pg_get_constraintdef(c.oid)"
                " FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
                " WHERE c.conname = 'of_tenant' AND t.relnamespace = %s::regnamespace",
                [tenant.schema_name],
            )
            stamped = dict(cursor.fetchall())
        assert tables <= set(stamped)
        assert set(stamped.values()) == {f"CHECK ((tenant_id = {tenant.pk}))"}


def test_stamping_twice_changes_nothing(acme):
    stamp_schema("acme", acme.pk)

    with acme:
        assert Customer.objects.create(external_userid="wm-x") and Customer.objects.get().tenant_id == acme.pk


@pytest.mark.parametrize("model", apps.get_models(), ids=lambda model: model._meta.label)
def test_no_table_of_a_tenant_is_without_its_guard(model):
    of_tenant = model._meta.app_config.name in settings.TENANT_APPS and model._meta.app_label != "sessions"

    assert issubclass(model, TenantModel) == of_tenant
    if of_tenant:
        assert isinstance(model._default_manager.none(), TenantQuerySet)


def test_a_new_thread_is_in_nobodys_schema(in_acme):
    seen = []
    thread = threading.Thread(target=lambda: seen.append(connection.schema_name))
    thread.start()
    thread.join()

    assert seen == ["public"]


def test_two_threads_inside_tenants_do_not_take_each_others_way_back(acme, globex):
    """The library keeps one list of the tenants before for all threads."""
    inside, seen = threading.Barrier(2), {}

    def work(tenant: Tenant) -> None:
        with tenant:
            inside.wait()
            with tenant:
                inside.wait()
            seen[tenant.schema_name] = connection.schema_name
            inside.wait()
        seen[f"after {tenant.schema_name}"] = connection.schema_name

    threads = [threading.Thread(target=work, args=(tenant,)) for tenant in (acme, globex)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == {"acme": "acme", "globex": "globex", "after acme": "public", "after globex": "public"}


def test_an_exception_leads_back_to_where_one_was(acme, globex):
    with acme:
        with pytest.raises(ZeroDivisionError), globex:
            _ = 1 / 0
        assert connection.schema_name == "acme"
    assert connection.schema_name == "public"


def test_a_rolled_back_transaction_does_not_leave_the_path_of_before(acme, globex, twins):
    with acme, pytest.raises(ZeroDivisionError), transaction.atomic():
        Customer.objects.get(pk=7)
        with globex:
            Customer.objects.get(pk=7)
            _ = 1 / 0
    with acme:
        assert Customer.objects.get(pk=7).name == "艾可美美妆"
    with globex:
        assert Customer.objects.get(pk=7).name == "环球优选"


def test_a_cached_value_belongs_to_its_tenant(acme, globex, clean_cache):
    with acme:
        cache.set("rights", "acme's")
    with globex:
        assert cache.get("rights") is None
    assert cache.get("rights") is None
    with acme:
        assert cache.get("rights") == "acme's"


def test_every_key_in_redis_names_its_tenant(acme, clean_cache):
    import redis

    server = redis.Redis.from_url(settings.REDIS_URL)
    with acme:
        cache.set("a", 1)
        server.set(redis_key("lock", "sync"), 1)
    cache.set("b", 1)

    found = sorted(key.decode() for key in server.scan_iter("*"))
    assert found == ["t:acme::1:a", "t:acme:lock:sync", "t:public::1:b"]


def test_files_stand_in_the_tenants_folder(in_acme):
    assert tenant_path("media", "a.jpg") == Path(settings.DATA_DIR) / "files" / "acme" / "media" / "a.jpg"
    for part in ("..", "../globex", "/etc/passwd", "a/b", "", "a\x00"):
        with pytest.raises(ValueError, match="file name"):
            tenant_path("media", part)


def test_files_without_a_tenant_are_refused(db):
    with pytest.raises(NoTenant):
        tenant_path("a.jpg")


def test_a_round_over_all_tenants_survives_the_failure_of_one(acme, globex):
    seen = []

    def act(tenant: Tenant) -> None:
        seen.append((tenant.schema_name, connection.schema_name))
        if tenant == acme:
            raise ZeroDivisionError

    failures = each_tenant(act)

    assert seen == [("acme", "acme"), ("globex", "globex")]
    assert list(failures) == ["acme"]
    assert connection.schema_name == "public"


def test_a_round_leaves_out_the_closed(acme, globex):
    Tenant.objects.filter(pk=globex.pk).update(status=Tenant.Status.SUSPENDED)
    seen = []

    each_tenant(lambda tenant: seen.append(tenant.schema_name))

    assert seen == ["acme"]


def test_a_connection_that_served_many_tenants_is_replaced(db_commits):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        before = cursor.fetchone()
        for number in range(TENANTS_A_CONNECTION):
            with Tenant(schema_name=f"t{number}"):
                pass
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != before


BANNED = {
    r"search_path": "the search path is the library's: enter a tenant with `with tenant:`",
    r"\.set_tenant\(|\.set_schema\(|\.activate\(\)|schema_context|tenant_context": "enter a tenant with `with tenant:`",
    r"\.delay\(|\.apply_async\(|send_task\(|_on_commit\(": "start tasks with tenants.tasks.enqueue",
}
OURS = ["accounts", "acquisition", "callbacks", "console", "contacts", "integrations", "members", "scrm", "tagging"]


@pytest.mark.parametrize(("pattern", "rule"), BANNED.items())
def test_nothing_outside_of_tenants_switches_tenants_by_hand(pattern, rule):
    found = [
        f"{file.relative_to(ROOT)}:{number}: {rule}"
        for app in OURS
        for file in (ROOT / app).rglob("*.py")
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if re.search(pattern, line) and not line.strip().startswith("#")
    ]
    assert found == []
