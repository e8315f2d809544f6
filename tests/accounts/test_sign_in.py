"""The way in: passwords, locks, codes, languages, and the ways out."""

import time
from datetime import timedelta

import pyotp
import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.utils import timezone

from accounts import second_factor
from accounts.models import Operator, SignInFailures
from console.models import AuditEntry
from tenants.models import Tenant
from tests.cast import PASSWORD
from tests.people import add_operator, client_as, signed_in

SIGN_IN = "/console/sign-in/"
CODE = "/console/sign-in/code/"


@pytest.fixture
def wang(acme: Tenant) -> Operator:
    return add_operator(acme, "wang", "owner")


def enter(client: Client, password: str = PASSWORD, username: str = "wang", **more: str) -> object:
    return client.post(SIGN_IN, {"username": username, "password": password, **more})


def set_up_factor(acme: Tenant, operator: Operator) -> pyotp.TOTP:
    """A confirmed second factor whose first code was used long ago."""
    codes = pyotp.TOTP(second_factor.new_secret())
    with acme:
        assert second_factor.confirm(operator, codes.secret, codes.now())
        Operator.objects.filter(pk=operator.pk).update(totp_last_step=1)
    return codes


def test_the_right_password_opens_the_console(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    response = enter(acme_client)

    assert response.status_code == 302
    assert response.headers["Location"] == "/console/"
    assert acme_client.get("/console/account/").status_code == 200
    with acme:
        assert AuditEntry.objects.get().action == "session.sign_in"


def test_an_account_name_is_the_same_in_any_case(acme_client: Client, wang: Operator) -> None:
    assert enter(acme_client, username="WANG").status_code == 302


def test_the_session_key_changes_at_the_sign_in(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    acme_client.post("/console/language/", {"language": "en"})
    before = acme_client.cookies[settings.SESSION_COOKIE_NAME].value

    enter(acme_client)

    assert acme_client.cookies[settings.SESSION_COOKIE_NAME].value != before


def test_a_session_of_one_company_is_nothing_in_another(acme: Tenant, globex: Tenant, wang: Operator) -> None:
    client = signed_in(acme, wang)

    response = client.get("/console/account/", headers={"host": "globex.localhost"})

    assert response.status_code == 302
    assert response.headers["Location"].startswith(SIGN_IN)


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(acme_client: Client, wang: Operator) -> None:
    wrong = enter(acme_client, "not the password")
    unknown = enter(acme_client, "not the password", "nobody")

    assert wrong.status_code == unknown.status_code == 422
    assert "账号或密码不正确" in wrong.content.decode()
    assert "账号或密码不正确" in unknown.content.decode()


def test_an_unknown_name_costs_a_hash_like_a_known_one(
    acme: Tenant, acme_client: Client, wang: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode
    monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *a: hashed.append("once") or encode(*a))

    enter(acme_client, "not the password")
    known = len(hashed)
    enter(acme_client, "not the password", "nobody")

    assert known == len(hashed) - known == 1


@pytest.mark.parametrize("username", ["wang", "nobody"])
def test_five_wrong_passwords_lock_the_name_for_fifteen_minutes(
    acme_client: Client, wang: Operator, username: str
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        answers = [enter(acme_client, "wrong", username).content.decode() for _try in range(5)]
        assert "还可以再试 1 次" in answers[3]
        assert "已暂停登录" in answers[4]

        locked = enter(acme_client, PASSWORD, username).content.decode()
        assert "已暂停登录" in locked
        assert "约 15 分钟" in locked

        clock.shift(timedelta(minutes=15, seconds=1))
        assert enter(acme_client, PASSWORD, username).status_code == (302 if username == "wang" else 422)


def test_wrong_passwords_that_are_far_apart_lock_nothing(acme_client: Client, wang: Operator) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _try in range(8):
            enter(acme_client, "wrong")
            clock.shift(timedelta(minutes=16))

        assert enter(acme_client).status_code == 302


def test_thirty_wrong_passwords_close_the_address(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    for number in range(30):
        enter(acme_client, "wrong", f"guess{number}")

    assert "已暂停登录" in enter(acme_client).content.decode()
    assert (
        acme_client.post(SIGN_IN, {"username": "wang", "password": PASSWORD}, REMOTE_ADDR="10.9.9.9").status_code == 302
    )


def test_the_right_password_forgets_the_wrong_ones(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    for _try in range(4):
        enter(acme_client, "wrong")
    enter(acme_client)

    with acme:
        assert not SignInFailures.objects.filter(subject="user:wang").exists()


def test_a_deactivated_operator_is_out_with_the_next_click(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    client = signed_in(acme, wang)
    assert client.get("/console/account/").status_code == 200

    with acme:
        Operator.objects.update(is_active=False)

    assert client.get("/console/account/").headers["Location"].startswith(SIGN_IN)
    assert enter(acme_client).status_code == 422


def test_eight_idle_hours_end_the_session_and_work_does_not(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        enter(acme_client)
        for _hour in range(12):
            clock.shift(timedelta(hours=1))
            assert acme_client.get("/console/account/").status_code == 200
        clock.shift(timedelta(hours=8, minutes=1))
        assert acme_client.get("/console/account/").status_code == 302


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/x", "javascript:alert(1)", "\\\\evil", ""])
def test_the_sign_in_never_leads_to_another_host(acme_client: Client, wang: Operator, target: str) -> None:
    assert enter(acme_client, next=target).headers["Location"] == "/console/"


def test_the_sign_in_leads_back_to_where_one_was(acme_client: Client, wang: Operator) -> None:
    asked = acme_client.get("/console/operators/?role=admin")
    assert asked.headers["Location"] == "/console/sign-in/?next=%2Fconsole%2Foperators%2F%3Frole%3Dadmin"

    assert (
        enter(acme_client, next="/console/operators/?role=admin").headers["Location"]
        == "/console/operators/?role=admin"
    )


def test_a_part_of_a_page_sends_the_whole_page_to_the_sign_in(acme_client: Client) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://acme.localhost/console/audit/?q=li"}
    response = acme_client.get("/console/search/?q=x", headers=headers)

    assert response.headers["HX-Redirect"] == "/console/sign-in/?next=%2Fconsole%2Faudit%2F%3Fq%3Dli"


def test_signing_out_ends_the_session_on_the_server(acme: Tenant, wang: Operator) -> None:
    client = signed_in(acme, wang)
    kept = client.cookies[settings.SESSION_COOKIE_NAME].value

    client.post("/console/sign-out/")
    client.cookies[settings.SESSION_COOKIE_NAME] = kept

    assert client.get("/console/account/").status_code == 302


def test_a_form_without_the_csrf_token_is_refused_in_words(acme: Tenant, wang: Operator) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "acme.localhost"})

    response = client.post(SIGN_IN, {"username": "wang", "password": PASSWORD})

    assert response.status_code == 403
    assert "页面已过期" in response.content.decode()


# -- the second factor -------------------------------------------------------------------------------------------------


def test_with_a_second_factor_the_password_alone_opens_nothing(
    acme: Tenant, acme_client: Client, wang: Operator
) -> None:
    codes = set_up_factor(acme, wang)

    assert enter(acme_client, next="/console/audit/").headers["Location"] == CODE
    assert acme_client.get("/console/account/").status_code == 302

    response = acme_client.post(CODE, {"code": codes.now()})
    assert response.headers["Location"] == "/console/audit/"
    assert acme_client.get("/console/account/").status_code == 200


def test_a_code_is_accepted_once(acme: Tenant, wang: Operator) -> None:
    codes = set_up_factor(acme, wang)
    code = codes.now()
    first, second = (Client(headers={"host": "acme.localhost"}) for _browser in range(2))
    enter(first)
    enter(second)

    assert first.post(CODE, {"code": code}).status_code == 302
    again = second.post(CODE, {"code": code})

    assert again.status_code == 422
    assert "已使用过" in again.content.decode()


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_phone_may_be_one_step_off(
    acme: Tenant, acme_client: Client, wang: Operator, steps: int, accepted: bool
) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        codes = set_up_factor(acme, wang)
        enter(acme_client)

        response = acme_client.post(CODE, {"code": codes.at(int(time.time()) + 30 * steps)})

    assert response.status_code == (302 if accepted else 422)


def test_an_older_code_is_refused_after_a_newer_one(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        codes = set_up_factor(acme, wang)
        enter(acme_client)
        acme_client.post(CODE, {"code": codes.now()})
        acme_client.post("/console/sign-out/")
        enter(acme_client)

        assert acme_client.post(CODE, {"code": codes.at(int(time.time()) - 30)}).status_code == 422


def test_wrong_codes_lock_like_wrong_passwords(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    codes = set_up_factor(acme, wang)
    enter(acme_client)
    wrong = "000000" if codes.now() != "000000" else "111111"

    answers = [acme_client.post(CODE, {"code": wrong}).content.decode() for _try in range(5)]

    assert "已暂停登录" in answers[4]
    assert acme_client.post(CODE, {"code": codes.now()}).status_code == 422


def test_the_code_must_come_within_five_minutes(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        codes = set_up_factor(acme, wang)
        enter(acme_client)
        clock.shift(timedelta(minutes=6))

        assert acme_client.post(CODE, {"code": codes.now()}).headers["Location"] == SIGN_IN


def test_setting_up_a_second_factor_asks_for_a_code_first(acme: Tenant, wang: Operator) -> None:
    client = signed_in(acme, wang)
    page = client.get("/console/account/second-factor/")
    secret = page.context["secret"].replace(" ", "")

    assert client.post("/console/account/second-factor/", {"code": "12345"}).status_code == 422
    response = client.post("/console/account/second-factor/", {"code": pyotp.TOTP(secret).now()})

    assert response.status_code == 302
    with acme:
        stored = Operator.objects.get(pk=wang.pk)
        assert stored.has_second_factor
        assert secret.encode() not in bytes(stored.totp_sealed or b"")


def test_the_second_factor_goes_off_with_the_password_only(acme: Tenant, wang: Operator) -> None:
    set_up_factor(acme, wang)
    client = signed_in(acme, wang)

    assert client.post("/console/account/second-factor/remove/", {"password": "wrong"}).status_code == 422
    assert client.post("/console/account/second-factor/remove/", {"password": PASSWORD}).status_code == 302
    with acme:
        assert not Operator.objects.get(pk=wang.pk).has_second_factor


def test_where_it_is_required_nothing_else_opens_before_it(
    acme: Tenant, wang: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SECOND_FACTOR_REQUIRED", True)
    client = signed_in(acme, wang)

    assert client.get("/console/audit/").headers["Location"] == "/console/account/second-factor/"
    assert client.get("/console/account/second-factor/").status_code == 200
    assert client_as(acme, "staff").get("/console/account/").status_code == 200


# -- passwords and languages -------------------------------------------------------------------------------------------


def test_a_password_given_by_another_must_be_changed_first(acme: Tenant) -> None:
    client = signed_in(acme, add_operator(acme, "li", "staff", must_change_password=True))
    assert client.get("/console/account/").headers["Location"] == "/console/account/password/"

    new = "a quite different one"
    response = client.post("/console/account/password/", {"password": PASSWORD, "new": new, "again": new})

    assert response.headers["Location"] == "/console/account/"
    assert client.get("/console/account/").status_code == 200


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"password": "wrong"}, "当前密码不正确"),
        ({"again": "something else!"}, "两次输入的新密码不一致"),
        ({"new": "short", "again": "short"}, "10"),
        ({"new": "password123", "again": "password123"}, "常见"),
        ({"new": PASSWORD, "again": PASSWORD}, "不能与当前密码相同"),
    ],
)
def test_a_new_password_that_will_not_do_is_refused_in_words(
    acme: Tenant, wang: Operator, values: dict[str, str], words: str
) -> None:
    given = {"password": PASSWORD, "new": "a quite different one", "again": "a quite different one", **values}

    response = signed_in(acme, wang).post("/console/account/password/", given)

    assert response.status_code == 422
    assert words in response.content.decode()


def test_a_new_password_ends_the_other_sessions(acme: Tenant, wang: Operator) -> None:
    here, there = signed_in(acme, wang), signed_in(acme, wang)
    new = "a quite different one"

    here.post("/console/account/password/", {"password": PASSWORD, "new": new, "again": new})

    assert here.get("/console/account/").status_code == 200
    assert there.get("/console/account/").status_code == 302


def test_the_language_follows_the_operator(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    signed_in(acme, wang).post("/console/language/", {"language": "en"})

    enter(acme_client)

    assert 'lang="en"' in acme_client.get("/console/account/").content.decode()


def test_a_language_chosen_at_the_door_becomes_the_operators(acme: Tenant, acme_client: Client, wang: Operator) -> None:
    acme_client.post("/console/language/", {"language": "en", "next": SIGN_IN})
    assert 'lang="en"' in acme_client.get(SIGN_IN).content.decode()

    enter(acme_client)

    with acme:
        assert Operator.objects.get(pk=wang.pk).language == "en"


def test_a_language_that_we_do_not_have_is_refused(acme_client: Client) -> None:
    assert acme_client.post("/console/language/", {"language": "tlh"}).status_code == 400
