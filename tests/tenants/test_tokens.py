"""One access token for all processes: fetched once, renewed once, never begged for."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from tenants import tokens
from tenants.credentials import key_of_token
from tenants.current import client_for, wecom_client
from tenants.models import AccessToken, CorpApp, Credential, Tenant
from tenants.provision import store_secret
from tests.cast import ACME
from tests.sandbox_server import Sandbox, forget
from wecom.errors import WeComError, WeComMisconfigured, WeComUnavailable


def gettokens(sandbox: Sandbox) -> int:
    return len(sandbox.calls("gettoken"))


def key_in_use(row: AccessToken) -> str:
    return key_of_token(row.app, Credential.objects.get(app=row.app, kind=row.kind, retired_at=None))


def test_a_token_is_fetched_once_and_kept_sealed(sandbox: Sandbox, in_acme: Tenant) -> None:
    for _ in range(3):
        wecom_client("app").departments()
        forget()  # as another process would, it knows nothing but the database
    assert gettokens(sandbox) == 1
    row = AccessToken.objects.get()
    token = tokens.PostgresTokens(row.app, row.kind).get(key_in_use(row))
    assert token
    assert token.encode() not in bytes(row.sealed)


def test_without_a_contact_secret_the_apps_is_used(sandbox: Sandbox, in_acme: Tenant) -> None:
    Credential.objects.filter(kind=Credential.Kind.CONTACT_SECRET).delete()
    assert wecom_client("contact").follow_user_list()
    assert AccessToken.objects.get().kind == Credential.Kind.APP_SECRET


def test_the_permanent_code_of_a_template_is_its_secret(sandbox: Sandbox, in_acme: Tenant) -> None:
    """代开发 (wecom-api.md 3.2). A suite's code is never shown to gettoken: that would count as a wrong secret. And a
    suite that we do not have says nothing against the company's app."""
    app = CorpApp.objects.get(tenant=in_acme)
    Credential.objects.filter(app=app).delete()
    store_secret(app, Credential.Kind.PERMANENT_CODE, ACME.wecom.agent_secret)
    apps = CorpApp.objects.filter(pk=app.pk)
    apps.update(lane=CorpApp.Lane.PROVIDER, suite_id="ww9a8b7c6d5e4f3021")
    with pytest.raises(WeComMisconfigured, match="there is no suite"):
        wecom_client("app").departments()
    assert apps.get().state == CorpApp.State.UNCHECKED
    apps.update(suite_id="dk0a1b2c3d4e5f6071")
    assert wecom_client("app").departments()
    assert gettokens(sandbox) == 1
    assert AccessToken.objects.get().kind == Credential.Kind.PERMANENT_CODE


def test_a_token_that_wecom_took_back_is_renewed_once(sandbox: Sandbox, in_acme: Tenant) -> None:
    client = wecom_client("app")
    client.departments()
    sandbox.control("POST", "expire_tokens")
    client.departments()
    client.departments()
    assert gettokens(sandbox) == 2


def test_a_wecom_that_refuses_every_token_is_asked_for_one_new_one(sandbox: Sandbox, in_acme: Tenant) -> None:
    """F16: no loop, no recursion."""
    sandbox.fault("errcode", "department/list", errcode=42001)
    for _ in range(3):
        with pytest.raises(WeComUnavailable):
            wecom_client("app").departments()
    assert gettokens(sandbox) == 2


def test_dropping_a_stale_token_spares_the_new_one(sandbox: Sandbox, in_acme: Tenant) -> None:
    client = wecom_client("app")
    client.departments()
    row = AccessToken.objects.get()
    key = key_in_use(row)
    store = tokens.PostgresTokens(row.app, row.kind)
    fresh = store.get(key)
    store.drop(key, "some-older-token")
    forget()
    assert store.get(key) == fresh
    store.drop(key, fresh or "")
    assert store.get(key) is None


def test_a_wrong_secret_is_shown_to_wecom_once(sandbox: Sandbox, in_acme: Tenant) -> None:
    sandbox.app(secret="another")
    for _ in range(4):
        with pytest.raises(WeComMisconfigured) as refused:
            wecom_client("app").departments()
        assert refused.value.code == 40001
        forget()
    assert gettokens(sandbox) == 1
    app = CorpApp.objects.get(tenant=in_acme)
    assert (app.state, app.state_code) == (CorpApp.State.BROKEN, 40001)


def test_a_secret_that_was_replaced_is_asked_at_once(sandbox: Sandbox, in_acme: Tenant) -> None:
    sandbox.app(secret="another")
    with pytest.raises(WeComMisconfigured):
        wecom_client("app").departments()
    app = CorpApp.objects.get(tenant=in_acme)
    tokens.forget_tokens(app)
    sandbox.app(secret="acme-app-secret-000000000000000000000000001")
    assert client_for(app).departments()


@pytest.mark.usefixtures("db_commits")
def test_a_slow_wecom_has_one_fetch_in_flight(sandbox: Sandbox) -> None:
    """F15, short: many threads, each as blind as a process of its own, and a slow gettoken."""
    sandbox.fault("slow", "gettoken", delay=1.5)
    failures = in_threads(8, lambda: wecom_client("app").departments())
    assert failures == []
    assert gettokens(sandbox) == 1


@pytest.mark.usefixtures("db_commits")
def test_many_processes_with_the_same_stale_token_fetch_one(sandbox: Sandbox) -> None:
    with Tenant.objects.get(schema_name="acme"):
        wecom_client("app").departments()
    sandbox.control("POST", "expire_tokens")
    failures = in_threads(8, lambda: wecom_client("app").departments())
    assert failures == []
    assert gettokens(sandbox) == 2


def in_threads(count: int, act: Callable[[], object]) -> list[WeComError]:
    failures: list[WeComError] = []
    ready = threading.Barrier(count)

    def run() -> None:
        try:
            with Tenant.objects.get(schema_name="acme"):
                ready.wait(10)
                act()
        except WeComError as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    return failures
