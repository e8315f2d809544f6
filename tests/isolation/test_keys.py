"""What is kept outside of Postgres says whose it is: keys in Redis, cookies, files (F37)."""

import re
from pathlib import Path

import pytest
import redis
from django.apps import apps
from django.conf import settings
from django.db import models
from django.test import Client

from callbacks import wake
from integrations.authentication import issue_key
from tenants import budgets
from tenants.isolation import REDIS_KEY
from tenants.models import Tenant
from tests.cast import ACME, PASSWORD
from tests.people import add_operator, client_as

ROOT = Path(__file__).resolve().parents[2]
OURS = [
    *("accounts", "acquisition", "archive", "broadcasts", "callbacks", "console", "contacts", "content", "insights"),
    *("integrations", "members", "sidebar", "sop", "tagging"),
]


@pytest.fixture
def server(clean_cache: None) -> redis.Redis:
    found = redis.Redis.from_url(settings.REDIS_URL)
    found.flushdb()
    return found


@pytest.fixture
def signed(acme: Tenant, acme_client: Client) -> Client:
    """Signed in as a person does it."""
    add_operator(acme, "wang")
    answer = acme_client.post("/console/sign-in/", {"username": "wang", "password": PASSWORD})
    assert answer.status_code == 302
    return acme_client


def test_every_key_in_redis_says_whose_it_is(acme: Tenant, signed: Client, server: redis.Redis) -> None:
    with acme:
        key = issue_key("ERP")
    assert signed.get("/console/").status_code == 200
    headers = {"host": ACME.host, "authorization": f"Bearer {key}"}
    assert Client().get("/api/v1/tags", headers=headers).status_code == 200
    assert budgets.take(ACME.wecom.corp_id, "user/get", bulk=False) == 0
    budgets.slow_down(ACME.wecom.corp_id, "user/get")
    for lane in ("0", wake.URGENT):
        wake.send_quietly(server, ("acme", lane))

    found = [key.decode() for key in server.scan_iter("*")]

    assert [key for key in found if not REDIS_KEY.fullmatch(key)] == []
    for part in ("t:acme::1:overview:", "t:acme::1:throttle:", "t:public:budget:", "t:acme:wake:", "celery:"):
        assert any(key.startswith(part) for key in found), f"{part} was not seen in {found}"
    assert {key.split(":")[1] for key in found if key.startswith("t:")} == {"acme", "public"}


@pytest.mark.parametrize("key", ["overview:1", "acme:lock", "t:acme", "t::lock", "t:*:lock", "session:1"])
def test_a_key_of_nobody_is_none_of_ours(key: str) -> None:
    assert not REDIS_KEY.fullmatch(key)


def test_cookies_belong_to_one_host(signed: Client) -> None:
    signed.post("/console/language/", {"language": "en"})
    signed.get("/console/")
    assert {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, settings.LANGUAGE_COOKIE_NAME} <= set(
        signed.cookies
    )
    for name, cookie in signed.cookies.items():
        assert not cookie["domain"], f"{name} is sent to other hosts"
        assert cookie["httponly"] and cookie["samesite"] == "Lax", name


@pytest.mark.parametrize("host", ["globex.localhost", "ops.localhost"])
def test_a_session_opens_no_other_host(acme: Tenant, globex: Tenant, host: str) -> None:
    """Nor when the other company has an operator of the same number."""
    client = client_as(acme)
    with acme:
        number = client.session["_auth_user_id"]
    add_operator(globex, "the-owner", pk=number)

    answer = client.get("/console/" if host.startswith("globex") else "/", headers={"host": host})

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(("/console/sign-in/", "/login/"))


@pytest.mark.parametrize("host", ["globex.localhost", "ops.localhost"])
def test_an_api_key_opens_no_other_host(acme: Tenant, globex: Tenant, clean_cache: None, host: str) -> None:
    with acme:
        key = issue_key("ERP")
    for path in ("/api/v1/customers", "/api/v1/health"):
        answer = Client().get(path, headers={"host": host, "authorization": f"Bearer {key}"})
        assert answer.status_code in {401, 302, 404}
        assert b'"data"' not in answer.content and b'"inbox"' not in answer.content


def test_no_model_keeps_a_file_by_a_path_of_its_own() -> None:
    fields = [
        str(field)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.FileField)
    ]

    assert fields == []


def test_files_are_written_below_the_tenants_folder_only() -> None:
    """Through `tenant_path`, which no test of this suite could otherwise prove of every caller."""
    elsewhere = re.compile(
        r"MEDIA_ROOT|default_storage|FileSystemStorage|\bDATA_DIR\b|tempfile\.|\.write_(?:text|bytes)\("
    )
    allowed = {
        "callbacks/spool.py",  # callbacks of all companies while the database is down, encrypted as they came
        "content/storage.py",  # the door to the tenants' files itself: tests/content/test_storage.py
        "archive/exporting.py",  # files without a name, gone when they are closed
    }
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for app in OURS
        for file in (ROOT / app).rglob("*.py")
        if str(file.relative_to(ROOT)) not in allowed
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if elsewhere.search(line)
    ]

    assert found == []
