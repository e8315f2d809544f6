"""OAuth inside the client, sign-in of a browser, tickets: what WeCom gives to whom, and when it refuses."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.sandbox.little_app import authorize, code_of

BACK = "http://app.localhost:9/back"


def test_a_member_passes_silently_and_his_code_names_him_once(corp):
    userid = corp.sellers[0]
    answer = authorize(corp, f"{BACK}?next=1", userid, state="abc1")
    place = urlsplit(answer.headers["Location"])
    assert (place.netloc, place.path) == ("app.localhost:9", "/back")
    assert parse_qs(place.query)["state"] == ["abc1"] and parse_qs(place.query)["next"] == ["1"]
    code = code_of(answer)
    assert corp.get("auth/getuserinfo", code=code) | {"errmsg": ""} == {"errcode": 0, "errmsg": "", "userid": userid}
    assert corp.get("auth/getuserinfo", code=code)["errcode"] == 40029
    assert corp.get("auth/getuserinfo", code="never")["errcode"] == 40029
    assert corp.get("auth/getuserinfo")["errcode"] == 41008


def test_a_code_lives_five_minutes(corp):
    assert corp.view["limits"]["oauth_code_seconds"] == 300
    corp.change(limits={"oauth_code_seconds": 0.05})
    code = code_of(authorize(corp, BACK, corp.sellers[0]))
    time.sleep(0.1)
    assert corp.get("auth/getuserinfo", code=code)["errcode"] == 42003


def test_an_untrusted_domain_ends_on_a_page_that_names_50001(corp):
    corp.sandbox.post(
        f"/_sandbox/corps/{corp.id}/apps", agent_id=corp.view["agent_id"], trusted_domains=["app.localhost:9"]
    )
    assert authorize(corp, BACK, corp.sellers[0]).status_code == 302
    refused = authorize(corp, "http://app.localhost:10/back", corp.sellers[0])
    assert refused.status_code == 200 and "50001" in refused.text and "app.localhost:10" in refused.text


@pytest.mark.parametrize(
    "wrong",
    [{"appid": "ww0"}, {"response_type": "token"}, {"scope": "all"}, {"state": "a-b"}, {"agentid": "7"}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_address_redirects_nowhere(corp, wrong):
    answer = authorize(corp, BACK, corp.sellers[0], **wrong)
    assert answer.status_code == 200 and "参数错误" in answer.text


def test_outside_the_client_nobody_is_signed_in(corp):
    answer = authorize(corp, BACK, "")
    assert answer.status_code == 200 and "请在企业微信客户端打开链接" in answer.text


def test_a_customer_is_named_by_his_openid_and_by_his_id_only_when_somebody_visible_knows_him(corp):
    _, external_userid = corp.pair()
    found = corp.get("auth/getuserinfo", code=code_of(authorize(corp, BACK, external_userid)))
    assert found["external_userid"] == external_userid and found["openid"].startswith("o") and "userid" not in found
    corp.sandbox.post(
        f"/_sandbox/corps/{corp.id}/apps", agent_id=corp.view["agent_id"], visible_parties=[], visible_users=["nobody"]
    )
    found = corp.get("auth/getuserinfo", code=code_of(authorize(corp, BACK, external_userid)))
    assert "external_userid" not in found and found["openid"]


def test_private_data_need_consent_and_a_ticket(corp):
    userid, agent = corp.sellers[0], corp.view["agent_id"]
    asked = authorize(corp, BACK, userid, scope="snsapi_privateinfo", agentid=agent)
    assert asked.status_code == 200 and "同意" in asked.text
    agreed = authorize(corp, BACK, userid, scope="snsapi_privateinfo", agentid=agent, consent="1")
    ticket = corp.get("auth/getuserinfo", code=code_of(agreed))["user_ticket"]
    assert corp.post("auth/getuserdetail", user_ticket=ticket)["mobile"].startswith("13")
    assert corp.post("auth/getuserdetail", user_ticket="x")["errcode"] == 84015
    corp.change(limits={"user_ticket_seconds": 0})
    assert corp.post("auth/getuserdetail", user_ticket=ticket)["errcode"] == 84014


def test_a_browser_signs_in_by_a_scan(corp):
    url = f"{corp.sandbox.url}/wwlogin/sso/login"
    query = {
        "login_type": "CorpApp",
        "appid": corp.id,
        "agentid": corp.view["agent_id"],
        "redirect_uri": BACK,
        "state": "s",
    }
    shown = requests.get(url, params=query, timeout=20)
    assert "扫码" in shown.text
    scanned = requests.get(url, params=query | {"sandbox_user": corp.sellers[0]}, allow_redirects=False, timeout=20)
    assert corp.get("auth/getuserinfo", code=code_of(scanned))["userid"] == corp.sellers[0]


def test_tickets_stay_the_same_for_two_hours_and_differ_by_kind(corp):
    of_corp, of_app = corp.get("get_jsapi_ticket"), corp.get("ticket/get", type="agent_config")
    assert of_corp["expires_in"] == of_app["expires_in"] == 7200
    assert of_corp["ticket"] != of_app["ticket"]
    assert corp.get("get_jsapi_ticket")["ticket"] == of_corp["ticket"]
    assert corp.get("ticket/get", type="wx_card")["errcode"] == 91040
    corp.sandbox.post("/_sandbox/expire_tickets", corp_id=corp.id)
    assert corp.get("get_jsapi_ticket")["ticket"] != of_corp["ticket"]


def test_tickets_may_be_asked_for_a_hundred_times_an_hour(corp):
    answers = [corp.get("ticket/get", type="agent_config")["errcode"] for _ in range(101)]
    assert answers == [0] * 100 + [45009]
