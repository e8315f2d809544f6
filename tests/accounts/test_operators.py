"""操作员: who may do what to whom, and what the page shows of it."""

import pytest
from django.test import Client

from accounts.models import Operator
from console.models import AuditEntry
from tenants.models import Tenant
from tests.cast import PASSWORD
from tests.people import add_operator, client_as, signed_in

URL = "/console/operators/"
HTMX = {"HX-Request": "true"}
NEW = {"name": "赵敏", "username": "zhaomin", "role": "staff", "scope": "department"}


def stored(tenant: Tenant, username: str) -> Operator:
    with tenant:
        return Operator.objects.get(username=username)


def test_a_new_operator_gets_a_password_that_is_shown_once(acme: Tenant, acme_client: Client) -> None:
    page = client_as(acme, "owner").post(f"{URL}new/", NEW)
    password = page.context["password"]

    assert password in page.content.decode()
    assert password not in stored(acme, "zhaomin").password
    response = acme_client.post("/console/sign-in/", {"username": "zhaomin", "password": password}, follow=True)
    assert response.redirect_chain[-1][0] == "/console/account/password/"
    with acme:
        assert AuditEntry.objects.filter(action="operator.create", target="zhaomin").exists()
        assert password not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("by", "role", "granted"),
    [
        ("owner", "owner", True),
        ("owner", "admin", True),
        ("owner", "staff", True),
        ("admin", "owner", False),
        ("admin", "admin", True),
        ("admin", "staff", True),
    ],
)
def test_who_may_grant_which_role(acme: Tenant, by: str, role: str, granted: bool) -> None:
    response = client_as(acme, by).post(f"{URL}new/", {**NEW, "role": role})

    assert response.status_code == (200 if granted else 422)
    with acme:
        assert Operator.objects.filter(username="zhaomin").exists() == granted


@pytest.mark.parametrize("act", ["", "deactivate/", "activate/", "password/", "second-factor/"])
def test_an_administrator_cannot_touch_an_owner(acme: Tenant, act: str) -> None:
    owner = add_operator(acme, "boss", "owner")

    response = client_as(acme, "admin").post(f"{URL}{owner.pk}/{act}", {**NEW, "name": "changed"})

    assert response.status_code == 403
    unchanged = stored(acme, "boss")
    assert (unchanged.name, unchanged.is_active) == ("boss", True)
    assert unchanged.check_password(PASSWORD)


@pytest.mark.parametrize("act", ["", "deactivate/", "password/"])
def test_nobody_manages_the_own_account_here(acme: Tenant, act: str) -> None:
    owner = add_operator(acme, "boss", "owner")

    assert signed_in(acme, owner).post(f"{URL}{owner.pk}/{act}", NEW).status_code == 403


def test_an_account_name_is_taken_in_any_case(acme: Tenant) -> None:
    add_operator(acme, "zhaomin", "staff")

    response = client_as(acme).post(f"{URL}new/", {**NEW, "username": "ZhaoMin"})

    assert response.status_code == 422
    assert "这个账号已存在" in response.content.decode()


def test_a_change_of_role_stands_in_the_audit_log_with_both_values(acme: Tenant) -> None:
    zhang = add_operator(acme, "zhang", "staff", scope="self")
    client = client_as(acme)

    response = client.post(f"{URL}{zhang.pk}/", {"name": "zhang", "role": "admin", "scope": "all"}, headers=HTMX)

    assert response.status_code == 204
    assert "drawer:close" in response.headers["HX-Trigger"]
    assert stored(acme, "zhang").role == "admin"
    page = client.get("/console/audit/?action=operator.change").content.decode()
    assert "员工 → 管理员" in page
    assert "本人 → 全部" in page


def test_a_deactivated_operator_can_be_brought_back_by_the_undo_of_the_message(acme: Tenant) -> None:
    zhang = add_operator(acme, "zhang", "staff")
    client = client_as(acme)

    response = client.post(f"{URL}{zhang.pk}/deactivate/", headers=HTMX)
    assert not stored(acme, "zhang").is_active
    assert f"{URL}{zhang.pk}/activate/" in response.headers["HX-Trigger"]

    client.post(f"{URL}{zhang.pk}/activate/", headers=HTMX)
    assert stored(acme, "zhang").is_active


def test_a_reset_password_ends_the_sessions_and_lifts_the_lock(acme: Tenant, acme_client: Client) -> None:
    zhang = add_operator(acme, "zhang", "staff")
    session = signed_in(acme, zhang)
    for _try in range(5):
        acme_client.post("/console/sign-in/", {"username": "zhang", "password": "wrong"})

    password = client_as(acme).post(f"{URL}{zhang.pk}/password/").context["password"]

    assert session.get("/console/account/").status_code == 302
    answer = acme_client.post("/console/sign-in/", {"username": "zhang", "password": password})
    assert answer.status_code == 302


def test_an_operator_of_another_company_is_not_there(acme: Tenant, globex: Tenant) -> None:
    other = add_operator(globex, "heidi", "staff")
    client = client_as(acme)

    assert client.get(f"{URL}{other.pk}/").status_code == 404
    assert client.post(f"{URL}{other.pk}/deactivate/").status_code == 404
    assert "heidi" not in client.get(URL).content.decode()


def test_the_list_finds_by_name_and_filters_by_role(acme: Tenant) -> None:
    client = client_as(acme)
    add_operator(acme, "zhang", "staff", name="张伟")
    add_operator(acme, "li", "admin", name="李想", is_active=False)

    assert [row.username for row in client.get(f"{URL}?q=张").context["list"].rows] == ["zhang"]
    assert [row.username for row in client.get(f"{URL}?role=admin&active=0").context["list"].rows] == ["li"]
