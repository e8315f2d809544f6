"""Silent sign-in: for members alone, for the browser that began it, and leading nowhere else."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from django.utils import timezone

from accounts import lockout
from members.models import Staff
from tenants.models import Tenant
from tests.pages import assert_strict
from tests.sandbox_server import Sandbox
from tests.sidebar.conftest import Seller, at_wecom, browser, sign_in


def test_outside_wecom_the_page_says_where_it_belongs(acme_client) -> None:
    page = acme_client.get("/sidebar/")
    assert page.status_code == 200
    assert "请在企业微信客户会话的工具栏中打开" in page.content.decode()
    assert_strict(page)


def test_a_member_is_signed_in_without_being_asked(seller: Seller) -> None:
    page = seller.client.get("/sidebar/")
    assert page.status_code == 200
    assert seller.staff.userid in page.content.decode()
    assert page["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    assert_strict(page)


def test_without_a_sign_in_each_kind_of_request_is_told_so(in_acme: Tenant, sandbox: Sandbox) -> None:
    client = browser(in_acme)
    assert client.get("/sidebar/")["Location"].startswith("/sidebar/sign-in/?next=")
    assert client.get("/sidebar/content/", headers={"HX-Request": "true"})["HX-Redirect"].startswith(
        "/sidebar/sign-in/"
    )
    answer = client.post("/sidebar/sent/", {"key": "12345678"}, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in")


def test_a_state_that_is_not_ours_opens_nothing(seller: Seller, in_acme: Tenant, sandbox: Sandbox) -> None:
    """F44: somebody else's code, a state of another browser, a code that was used."""
    mine, other = browser(in_acme), browser(in_acme)
    back = at_wecom(sandbox, mine.get("/sidebar/sign-in/")["Location"], seller.staff.userid)
    other.get("/sidebar/sign-in/")
    assert other.get(back).status_code == 403
    assert browser(in_acme).get(back).status_code == 403
    assert mine.get(back).status_code == 302
    assert mine.get(back).status_code == 403  # the state counts once


def test_a_used_code_starts_the_trip_again_once(seller: Seller, in_acme: Tenant, sandbox: Sandbox) -> None:
    client = browser(in_acme)
    sandbox.fault("errcode", "auth/getuserinfo", errcode=40029)
    back = at_wecom(sandbox, client.get("/sidebar/sign-in/")["Location"], seller.staff.userid)
    again = client.get(back)
    assert again.status_code == 302
    assert "/connect/oauth2/authorize" in again["Location"]
    assert client.get(at_wecom(sandbox, again["Location"], seller.staff.userid)).status_code == 403


def test_an_address_that_makes_codes_up_is_turned_away_before_wecom_is_asked(
    in_acme: Tenant, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lockout.LIMITS, "seller", 3)
    client = browser(in_acme)
    for _ in range(5):
        query = dict(parse_qsl(urlsplit(client.get("/sidebar/sign-in/")["Location"]).query))
        answer = client.get("/sidebar/signed-in/", {"code": "made-up", "state": query["state"]})
    assert (answer.status_code, "15 分钟" in answer.text) == (403, True)
    assert len(sandbox.calls("auth/getuserinfo")) == 3


@pytest.mark.parametrize(
    "then",
    [
        "https://evil.example/",
        "//evil.example/sidebar/",
        "/console/",
        "/sidebar/\\evil",
        "/sidebar/sign-in/",
        "javascript:x",
    ],
)
def test_the_way_back_leads_to_the_sidebar_alone(seller: Seller, in_acme: Tenant, sandbox: Sandbox, then: str) -> None:
    client = browser(in_acme)
    leave = client.get("/sidebar/sign-in/", {"next": then})
    assert client.get(at_wecom(sandbox, leave["Location"], seller.staff.userid))["Location"] == "/sidebar/"


def test_who_is_not_known_or_has_left_is_told_why(seller: Seller, in_acme: Tenant, sandbox: Sandbox) -> None:
    Staff.objects.filter(pk=seller.staff.pk).update(left_at=timezone.now())
    refused = sign_in(sandbox, browser(in_acme), seller.staff.userid)
    assert refused.status_code == 403
    assert "还没有您的员工资料" in refused.content.decode()
    assert seller.client.get("/sidebar/content/").status_code == 302  # F39: the open sidebar is closed as well
    assert seller.client.get(seller.url()).status_code == 302


def test_the_first_opening_takes_a_seat_and_finds_none_when_all_are_taken(
    seller: Seller, in_acme: Tenant, sandbox: Sandbox
) -> None:
    assert Tenant.objects.get(pk=in_acme.pk).seats_used == 1  # the fixture signed one member in
    Tenant.objects.filter(pk=in_acme.pk).update(seats=1)
    other = Staff.objects.filter(left_at=None, visible=True).exclude(pk=seller.staff.pk).first()
    assert other is not None

    refused = sign_in(sandbox, browser(in_acme), other.userid)

    assert refused.status_code == 403
    assert "席位已用完" in refused.text
    assert_strict(refused)
    other.refresh_from_db()
    assert other.sidebar == "refused"
    assert sign_in(sandbox, browser(in_acme), seller.staff.userid).status_code == 302  # seated before

    Staff.objects.filter(pk=seller.staff.pk).update(sidebar="off")
    assert seller.client.get(seller.url()).status_code == seller.client.get("/sidebar/content/").status_code == 302
    assert "管理员已停用您的侧边栏" in sign_in(sandbox, browser(in_acme), seller.staff.userid).text
    assert sign_in(sandbox, browser(in_acme), other.userid).status_code == 302  # the seat is free


def test_a_cookie_of_one_company_opens_nothing_in_another(seller: Seller, globex: Tenant) -> None:
    seller.client.defaults["HTTP_HOST"] = "globex.localhost"
    answer = seller.client.get("/sidebar/content/", headers={"host": "globex.localhost"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sidebar/sign-in/")


def test_only_our_own_pages_are_signed(seller: Seller) -> None:
    good = seller.client.post("/sidebar/signature/", {"whose": "agent", "url": "http://acme.localhost/sidebar/#x"})
    assert set(good.json()) == {"timestamp", "nonceStr", "signature"}
    bad = seller.client.post("/sidebar/signature/", {"whose": "agent", "url": "https://evil.example/"})
    assert (bad.status_code, bad.json()["code"]) == (400, "foreign_address")
