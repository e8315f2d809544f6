"""A database for each process of the run, copied from one that is built once, and the cast that lives in it."""

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client, TransactionTestCase
from django.utils import timezone

from accounts.models import Operator
from callbacks.intake import receivers
from callbacks.stored import keyring
from contacts import bulk
from contacts.models import Customer, Follow
from members.models import Staff
from tenants import keys
from tenants.middleware import hosts
from tenants.models import Tenant
from tests import cast
from tests.sandbox_server import forget as forget_wecom

ROOT = Path(__file__).resolve().parent.parent
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
LOCK = 4242


def use_own_redis() -> None:
    """A numbered database of the server for each process: what one test run clears, no other one misses."""
    number = int(WORKER.removeprefix("gw")) + 1 if WORKER.startswith("gw") else 0
    url = urlsplit(settings.REDIS_URL)._replace(path=f"/{number}").geturl()
    os.environ["REDIS_URL"] = settings.REDIS_URL = settings.CELERY_BROKER_URL = url
    settings.CACHES["default"]["LOCATION"] = url


use_own_redis()
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # no manifest yet
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a slow one would be all of the run


class Databases:
    """CREATE DATABASE … TEMPLATE: a tenth of a second instead of the migrations of three schemas."""

    def __init__(self) -> None:
        self.place = settings.DATABASES["default"]
        self.mine = f"test_{WORKER}_{os.getpid()}"
        self.spare = f"{self.mine}_next"
        self.ahead = ThreadPoolExecutor(1)
        self.making: Future[None] | None = None
        self.template = f"test_template_{fingerprint()}"
        self.server = psycopg2.connect(
            dbname="postgres",
            user=self.place["USER"],
            password=self.place["PASSWORD"],
            host=self.place["HOST"],
            port=self.place["PORT"],
        )
        self.server.autocommit = True

    def run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self.server.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def point_at(self, name: str) -> None:
        connections["default"].close()
        connections["default"].settings_dict["NAME"] = self.place["NAME"] = name
        where = "{USER}:{PASSWORD}@{HOST}:{PORT}".format_map(self.place)
        os.environ["DATABASE_URL"] = f"postgresql://{where}/{name}"  # for processes that a test starts

    def ensure_template(self) -> None:
        self.run("SELECT pg_advisory_lock(%s)", LOCK)
        try:
            if not self.run("SELECT 1 FROM pg_database WHERE datname = %s", self.template):
                self._build()
        finally:
            self.run("SELECT pg_advisory_unlock(%s)", LOCK)

    def _build(self) -> None:
        half = f"{self.template}_half"
        self.run(f'DROP DATABASE IF EXISTS "{half}" WITH (FORCE)')
        self.run(f'CREATE DATABASE "{half}"')
        self.point_at(half)
        call_command("migrate_all", verbosity=0, skip_checks=True)
        cast.ACME.create()
        cast.GLOBEX.create()
        connections["default"].close()
        self.run(f'ALTER DATABASE "{half}" RENAME TO "{self.template}"')

    def copy(self) -> None:
        """A fresh one, and the one after it meanwhile: a test that commits seldom comes alone."""
        connections["default"].close()
        self._drop(self.mine)
        if self.making is None:
            self._make(self.mine)
        else:
            self.making.result()
            self.run(f'ALTER DATABASE "{self.spare}" RENAME TO "{self.mine}"')
        if connections["default"].settings_dict["NAME"] == self.mine:  # not the first time
            self.making = self.ahead.submit(self._make, self.spare)
        self.point_at(self.mine)
        connections["default"].set_schema_to_public()

    def _make(self, name: str) -> None:
        for attempt in range(50):
            try:
                self.run(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"')
                break
            except psycopg2.errors.ObjectInUse:  # another process copies it at this moment
                if attempt == 49:
                    raise
                time.sleep(0.1)

    def _drop(self, name: str) -> None:
        self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def drop(self) -> None:
        connections["default"].close()
        self.ahead.shutdown()
        self._drop(self.mine)
        self._drop(self.spare)
        self.server.close()


def fingerprint() -> str:
    """Of all that the template is made of: a server that is kept between runs builds a new one when that changes."""
    files = sorted(ROOT.glob("*/migrations/0*.py")) + sorted((ROOT / "tenants").glob("*.py")) + [Path(cast.__file__)]
    seen = hashlib.sha256(repr([settings.KEKS, settings.TENANT_APPS, settings.SHARED_APPS]).encode())
    for file in files:
        seen.update(file.read_bytes())
    return seen.hexdigest()[:12]


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Names of databases are given below."""


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    databases = Databases()

    def fresh(self: TransactionTestCase) -> None:
        """After a test that committed. Django's flush would empty the table of tenants and leave their schemas full."""
        databases.copy()
        forget()

    with django_db_blocker.unblock():
        databases.ensure_template()
        databases.copy()
    TransactionTestCase._fixture_teardown = fresh  # type: ignore[method-assign]
    yield
    with django_db_blocker.unblock():
        databases.drop()


def forget() -> None:
    """What this process remembers of a database that is rolled back or gone, and of another test's WeCom."""
    keys.forget()
    hosts.forget()
    receivers.clear()
    keyring.clear()
    forget_wecom()


# what threads that ask WeCom side by side commit over connections of their own, in a test that is rolled back
OF_THREADS = """
DELETE FROM public.tenants_accesstoken;
DELETE FROM public.tenants_apibreaker;
UPDATE public.tenants_corpapp SET state = 'unchecked', state_code = NULL, state_call = '', checked_at = NULL
WHERE state <> 'unchecked';
"""


@pytest.fixture(autouse=True)
def _nobody_before_and_after(request: pytest.FixtureRequest) -> Iterator[None]:
    forget()
    yield
    connection.set_schema_to_public()
    if {"db", "sandbox"} <= set(request.fixturenames) and "transactional_db" not in request.fixturenames:
        with request.getfixturevalue("django_db_blocker").unblock(), connection.cursor() as cursor:
            cursor.execute(OF_THREADS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first (`--dist loadfile`): the workers have small ones left to end together."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def db_commits(transactional_db: None) -> None:
    """For tests that need real commits (threads, processes, on_commit): a database of their own, thrown away after."""


@pytest.fixture
def clean_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def acme(db: None) -> Tenant:
    return Tenant.objects.get(schema_name="acme")


@pytest.fixture
def globex(db: None) -> Tenant:
    return Tenant.objects.get(schema_name="globex")


@pytest.fixture
def platform(db: None) -> Tenant:
    """The public schema's own row: the vendor."""
    return Tenant.objects.get(schema_name="public")


@pytest.fixture
def in_acme(acme: Tenant) -> Iterator[Tenant]:
    """The test runs inside acme."""
    with acme:
        yield acme


@pytest.fixture
def acme_client(acme: Tenant) -> Client:
    return Client(headers={"host": "acme.localhost"})


@pytest.fixture
def globex_client(globex: Tenant) -> Client:
    return Client(headers={"host": "globex.localhost"})


@pytest.fixture
def ops_client(platform: Tenant) -> Client:
    return Client(headers={"host": "ops.localhost"})


@pytest.fixture
def wang(acme: Tenant) -> Operator:
    """王芳 runs acme's console: an administrator who sees all."""
    return operator_of(acme, "wang", name="王芳", role=Operator.Role.ADMIN, scope=Operator.Scope.ALL)


@pytest.fixture
def li(acme: Tenant) -> Operator:
    """李娜 may sign in and sees nothing."""
    return operator_of(acme, "li", name="李娜", role=Operator.Role.STAFF, scope=Operator.Scope.SELF)


@pytest.fixture
def zhang(acme: Tenant) -> Staff:
    """张伟 of acme's sales, who sees what is his own."""
    operator = operator_of(acme, "zhang", name="张伟", role=Operator.Role.STAFF, scope=Operator.Scope.SELF)
    with acme:
        return Staff.objects.create(
            userid="ZhangWei", userid_key="zhangwei", name="张伟", can_follow=True, operator=operator
        )


@pytest.fixture
def han(acme: Tenant, zhang: Staff) -> Customer:
    """韩梅梅, a customer whom 张伟 added."""
    with acme:
        customer = Customer.objects.create(external_userid="wmHanMeimei0000000000000000001", name="韩梅梅")
        Follow.objects.create(customer=customer, staff=zhang, added_at=timezone.now(), add_way=1)
        bulk.refresh_customers([customer.pk])
        customer.refresh_from_db()
        return customer


def operator_of(tenant: Tenant, username: str, **facts: Any) -> Operator:
    with tenant:
        operator = Operator(username=username, **facts)
        operator.set_password(cast.PASSWORD)
        operator.save()
        return operator
