"""The vendor's side: tickets, consent, permanent codes, tokens of 代开发 and 第三方, and what their callbacks hear."""

import itertools
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from tests.sandbox.lab import AES_KEY, TOKEN, Corp, Receiver
from tests.sandbox.little_app import authorize, code_of

numbers = itertools.count(1)


class Vendor:
    """A vendor with one suite or template, who hears its callback and calls the API as WeCom publishes it."""

    def __init__(self, sandbox, receiver, prefix, **wish):
        self.sandbox, self.receiver = sandbox, receiver
        receiver.word = b"success"
        self.id = f"{prefix}{next(numbers):016x}"
        callback = {"url": receiver.url, "token": TOKEN, "aes_key": AES_KEY}
        self.made = sandbox.post("/_sandbox/suites", suite_id=self.id, callback=callback, **wish)
        self.path = f"/_sandbox/suites/{self.id}"
        self.settle()

    def settle(self):
        return self.sandbox.post("/_sandbox/wait", corp_id=self.id, timeout=5)["counts"]

    def heard(self, name):
        self.settle()
        return [event for event in self.receiver.fields() if event.get("InfoType") == name]

    def service(self, api, query=None, **body):
        url = f"{self.sandbox.url}/cgi-bin/service/{api}"
        return requests.post(url, params=query, json=body, timeout=20).json()

    def suite_token(self, **body):
        known = {"suite_id": self.id, "suite_secret": self.made["secret"]}
        ticket = self.heard("suite_ticket")[-1]["SuiteTicket"]
        return self.service("get_suite_token", **known | {"suite_ticket": ticket} | body)

    def by_suite(self, api, **body):
        return self.service(api, {"suite_access_token": self.suite_token()["suite_access_token"]}, **body)

    def by_provider(self, api, **body):
        known = {"corpid": self.made["provider_corp_id"], "provider_secret": self.made["provider_secret"]}
        token = self.service("get_provider_token", **known)["provider_access_token"]
        return self.service(api, {"provider_access_token": token}, **body)

    def play(self, what, corp, **wish):
        return self.sandbox.post(f"{self.path}/{what}", corp_id=corp.id, **wish)

    def authorise(self, corp):
        """The admin scans, and the permanent code is fetched: (the corp's id as the vendor knows it, the code)."""
        found = self.by_suite("v2/get_permanent_code", auth_code=self.play("install", corp)["auth_code"])
        return found["auth_corp_info"]["corpid"], found["permanent_code"]

    def consent(self, url, corp):
        """The admin's browser: (what the page says, where it sends him)."""
        answer = requests.post(url, data={"sandbox_corp": corp.id}, allow_redirects=False, timeout=20)
        return answer.text, answer.headers.get("Location", "")


@pytest.fixture
def template(sandbox, receiver):
    return Vendor(sandbox, receiver, "dk")


@pytest.fixture
def suite(sandbox, receiver):
    return Vendor(sandbox, receiver, "ww00")


@pytest.fixture
def second():
    running = Receiver()
    yield running
    running.close()


def test_a_saved_callback_is_verified_for_the_vendor_and_gets_a_ticket(template):
    assert template.made["verification"]["ok"] and template.made["kind"] == "template"
    (ticket,) = template.heard("suite_ticket")
    assert ticket["SuiteId"] == template.id and ticket["SuiteTicket"] == template.made["ticket"]
    assert template.receiver.receive_ids == {template.id}
    again = template.sandbox.post(f"{template.path}/ticket")["suite_ticket"]
    assert template.heard("suite_ticket")[-1]["SuiteTicket"] == again != ticket["SuiteTicket"]
    for still_valid in (again, ticket["SuiteTicket"]):
        assert template.suite_token(suite_ticket=still_valid)["suite_access_token"]


def test_tickets_come_again_and_again_and_lose_their_value(sandbox, receiver):
    vendor = Vendor(sandbox, receiver, "dk", ticket_every=0.1, ticket_lifetime=0.3)
    old = vendor.made["ticket"]
    time.sleep(0.6)
    assert len(vendor.heard("suite_ticket")) >= 3
    assert vendor.suite_token(suite_ticket=old)["errcode"] == 40085
    assert vendor.suite_token()["suite_access_token"]


def test_a_suite_token_wants_the_right_suite_secret_and_ticket(template):
    token = template.suite_token()
    assert set(token) == {"suite_access_token", "expires_in"}
    assert template.suite_token()["suite_access_token"] == token["suite_access_token"]
    wrong = {"suite_id": 40083, "suite_secret": 40080, "suite_ticket": 40085}
    assert {name: template.suite_token(**{name: "x"})["errcode"] for name in wrong} == wrong
    assert template.service("v2/get_permanent_code", {"suite_access_token": "x"}, auth_code="x")["errcode"] == 40082
    assert template.sandbox.post("/_sandbox/expire_tokens", suite_id=template.id) == {"expired": 1}
    assert template.service("get_admin_list", token, auth_corpid="x")["errcode"] == 42009
    assert template.by_suite("v2/get_permanent_code", auth_code="x")["errcode"] == 40078
    calls = template.sandbox.get("/_sandbox/calls", corp_id=template.id)["counts"]
    assert calls["service/get_suite_token"] == {"0": 3, "40080": 1, "40085": 1}


def test_a_scanned_template_makes_a_self_built_app(template, corp):
    asked = template.by_provider("get_customized_auth_url", state="tenant42", templateid_list=[template.id])
    assert (asked["errcode"], asked["expires_in"]) == (0, 864_000)
    assert corp.view["name"] in requests.get(asked["qrcode_url"], timeout=20).text
    said, _ = template.consent(asked["qrcode_url"], corp)
    assert "授权成功" in said
    (created,) = template.heard("create_auth")
    assert (created["SuiteId"], created["State"]) == (template.id, "tenant42")
    found = template.by_suite("v2/get_permanent_code", auth_code=created["AuthCode"])
    open_id, code = found["auth_corp_info"]["corpid"], found["permanent_code"]
    assert open_id.startswith("wp") and open_id != corp.id and found["state"] == "tenant42"
    assert template.by_suite("v2/get_permanent_code", auth_code=created["AuthCode"])["errcode"] == 40078
    info = template.by_suite("v2/get_auth_info", auth_corpid=open_id, permanent_code=code)
    (agent,) = info["auth_info"]["agent"]
    assert agent["is_customized_app"] and info["auth_corp_info"]["corp_name"] == corp.view["name"]
    token = corp.sandbox.get("/cgi-bin/gettoken", corpid=open_id, corpsecret=code)["access_token"]
    assert corp.get("agent/get", token, agentid=agent["agentid"])["agentid"] == agent["agentid"]
    assert corp.get("externalcontact/get_follow_user_list", token)["follow_user"] == corp.sellers
    login = code_of(authorize(corp, "http://a.test/", corp.sellers[0], appid=open_id, agentid=agent["agentid"]))
    assert corp.get("auth/getuserinfo", token, code=login)["userid"] == corp.sellers[0]
    assert template.by_suite("get_corp_token", auth_corpid=open_id, permanent_code=code)["errcode"] == 48002
    for corpid, wrong in ((corp.id, 40001), (open_id.swapcase(), 40013)):
        assert corp.sandbox.get("/cgi-bin/gettoken", corpid=corpid, corpsecret=code)["errcode"] == wrong
    assert "已授权" in template.consent(asked["qrcode_url"], corp)[0]


def test_only_templates_of_the_vendor_are_offered_by_qr_code(template, suite):
    def asked(*ids):
        return template.by_provider("get_customized_auth_url", state="", templateid_list=list(ids))["errcode"]

    assert asked(template.id) == 0
    assert asked(suite.id) == asked("dk_nobody") == 842003
    assert asked(*[template.id] * 10) == 842004
    wrong = template.service("get_provider_token", corpid=template.made["provider_corp_id"], provider_secret="x")
    assert wrong["errcode"] == 40001


def test_the_app_of_a_template_hears_its_corp_under_the_vendors_name_for_it(template, corp, second):
    open_id, _ = template.authorise(corp)
    answer = corp.sandbox.post(f"{template.path}/apps/{corp.id}/callback", url=second.url, token=TOKEN, aes_key=AES_KEY)
    assert answer["saved"], answer
    added = corp.act("customer_adds", userid=corp.sellers[0], state="q1")
    corp.sandbox.post("/_sandbox/wait", corp_id=corp.id)
    (event,) = second.fields()
    assert (event["ToUserName"], event["Event"], event["State"]) == (open_id, "change_external_contact", "q1")
    assert event["ExternalUserID"] == added["external_userid"] and second.receive_ids == {open_id}
    assert not template.heard("change_external_contact")


def test_a_suite_installs_from_the_vendors_page_and_comes_back_with_the_code(suite, corp):
    token = suite.suite_token()
    pre = corp.sandbox.get("/cgi-bin/service/get_pre_auth_code", suite_access_token=token["suite_access_token"])
    assert pre["expires_in"] == 1200
    info = {"pre_auth_code": pre["pre_auth_code"], "session_info": {"auth_type": 1}}
    assert suite.by_suite("set_session_info", **info)["errcode"] == 0
    assert suite.by_suite("set_session_info", **info | {"pre_auth_code": "x"})["errcode"] == 40077
    query = {"suite_id": suite.id, "pre_auth_code": pre["pre_auth_code"], "state": "s1"}
    url = f"{corp.sandbox.url}/3rdapp/install?{urlencode(query | {'redirect_uri': 'http://a.test/b?c=1'})}"
    assert "同意授权" in requests.get(url, timeout=20).text
    back = urlsplit(suite.consent(url, corp)[1])
    told = {name: values[0] for name, values in parse_qs(back.query).items()}
    assert back.netloc == "a.test" and {**told, "auth_code": ""} == {
        "c": "1",
        "auth_code": "",
        "expires_in": "1200",
        "state": "s1",
    }
    assert not suite.heard("create_auth")
    found = suite.by_suite("get_permanent_code", auth_code=told["auth_code"])
    assert not found["auth_info"]["agent"][0]["is_customized_app"]
    assert corp.get("department/list", found["access_token"])["errcode"] == 0
    assert "链接已失效" in suite.consent(url, corp)[0]


def test_a_suites_token_is_had_from_get_corp_token_alone(suite, corp):
    open_id, code = suite.authorise(corp)
    known = {"auth_corpid": open_id, "permanent_code": code}
    answer = suite.by_suite("get_corp_token", **known)
    assert set(answer) == {"access_token", "expires_in"}
    assert suite.by_suite("get_corp_token", **known) == answer
    assert corp.get("externalcontact/get_follow_user_list", answer["access_token"])["follow_user"] == corp.sellers
    assert corp.get("auth/getuserinfo", answer["access_token"], code="x")["errcode"] == 48002
    member = corp.get("user/get", answer["access_token"], userid=corp.sellers[0])
    assert member["name"] == corp.sellers[0]
    login = code_of(authorize(corp, "http://a.test/", corp.sellers[0], appid=suite.id))
    token = suite.suite_token()["suite_access_token"]
    who = corp.sandbox.get("/cgi-bin/service/auth/getuserinfo3rd", suite_access_token=token, code=login)
    assert (who["corpid"], who["userid"]) == (open_id, corp.sellers[0])
    assert corp.sandbox.get("/cgi-bin/gettoken", corpid=open_id, corpsecret=code)["errcode"] == 40001
    assert suite.by_suite("get_corp_token", **known | {"permanent_code": "x"})["errcode"] == 40084
    assert suite.by_suite("get_corp_token", **known | {"auth_corpid": corp.id})["errcode"] == 40013
    suite.play("cancel", corp)
    assert suite.heard("cancel_auth")[0]["AuthCorpId"] == open_id
    assert corp.get("department/list", answer["access_token"])["errcode"] == 40014
    assert suite.by_suite("get_corp_token", **known)["errcode"] == 40084
    assert suite.by_suite("get_admin_list", auth_corpid=open_id, agentid=1)["errcode"] == 48004
    again, fresh = suite.authorise(corp)
    assert again == open_id and fresh != code


def test_a_suite_hears_all_its_corps_at_one_address_in_the_info_form(suite, corp):
    other = Corp(corp.sandbox)
    ids = {suite.authorise(one)[0] for one in (corp, other)}
    for one in (corp, other):
        one.act("customer_adds", userid=one.sellers[0], state="q1")
        one.sandbox.post("/_sandbox/wait", corp_id=one.id)
    heard = suite.heard("change_external_contact")
    assert {event["AuthCorpId"] for event in heard} == ids
    assert {(event["SuiteId"], event["ChangeType"]) for event in heard} == {(suite.id, "add_external_contact")}
    assert not {"ToUserName", "Event", "MsgType"} & set(heard[0]) and suite.receiver.receive_ids == {suite.id}


def test_callbacks_of_suites_are_sent_again_until_they_are_answered_with_the_word(suite, corp):
    requests.patch(suite.sandbox.url + suite.path, json={"delivery": {"resend_wait": 0.05}}, timeout=20)
    suite.receiver.word = b"ok"
    suite.play("install", corp)
    counts = suite.settle()
    assert (counts["resends"], counts["failed"]) == (3, 1)
    suite.receiver.word = b"success"
    suite.play("change", corp)
    assert suite.settle()["delivered"] == 2
    log = suite.sandbox.get("/_sandbox/deliveries", corp_id=suite.id)["deliveries"]
    assert [(row["name"], row["within"]) for row in log[-2:]] == [("create_auth", 1.0), ("change_auth", 0.0)]
    assert "not the text success" in log[-2]["attempts"][0]["problem"]


def test_a_reset_secret_comes_as_a_code_without_a_corp(template, corp):
    open_id, old = template.authorise(corp)
    token = corp.sandbox.get("/cgi-bin/gettoken", corpid=open_id, corpsecret=old)["access_token"]
    template.play("reset", corp)
    (told,) = template.heard("reset_permanent_code")
    assert "AuthCorpId" not in told
    assert corp.get("department/list", token)["errcode"] == 40014
    assert corp.sandbox.get("/cgi-bin/gettoken", corpid=open_id, corpsecret=old)["errcode"] == 40001
    found = template.by_suite("v2/get_permanent_code", auth_code=told["AuthCode"])
    assert found["auth_corp_info"]["corpid"] == open_id and found["permanent_code"] != old
    fresh = corp.sandbox.get("/cgi-bin/gettoken", corpid=open_id, corpsecret=found["permanent_code"])
    assert fresh["errcode"] == 0


def test_a_changed_range_is_told_and_holds(template, corp):
    open_id, code = template.authorise(corp)
    template.play("change", corp, visible_parties=[], visible_users=[corp.sellers[0]])
    assert template.heard("change_auth")[0]["AuthCorpId"] == open_id
    info = template.by_suite("v2/get_auth_info", auth_corpid=open_id, permanent_code=code)
    assert info["auth_info"]["agent"][0]["privilege"]["allow_user"] == [corp.sellers[0]]
    token = corp.sandbox.get("/cgi-bin/gettoken", corpid=open_id, corpsecret=code)["access_token"]
    assert corp.get("externalcontact/get_follow_user_list", token)["follow_user"] == [corp.sellers[0]]


def test_faults_strike_the_calls_of_a_suite(template):
    template.sandbox.post("/_sandbox/faults", corp_id=template.id, kind="errcode", errcode=-1, times=1)
    assert [template.suite_token().get("errcode", 0) for _ in range(2)] == [-1, 0]


def test_people_have_other_ids_for_a_vendor_who_is_on_encrypted_ids(template, corp, second):
    requests.patch(template.sandbox.url + template.path, json={"encrypt_ids": True}, timeout=20)
    open_id, code = template.authorise(corp)
    path = f"{template.path}/apps/{corp.id}/callback"
    assert corp.sandbox.post(path, url=second.url, token=TOKEN, aes_key=AES_KEY)["saved"]
    token = corp.sandbox.get("/cgi-bin/gettoken", corpid=open_id, corpsecret=code)["access_token"]
    added = corp.act("customer_adds", userid=corp.sellers[0])["external_userid"]
    corp.sandbox.post("/_sandbox/wait", corp_id=corp.id)
    (event,) = second.fields()
    userid, customer = event["UserID"], event["ExternalUserID"]
    assert userid[:2] == "wo" and customer[:2] == "wm" and {userid, customer}.isdisjoint({corp.sellers[0], added})
    assert corp.get("externalcontact/get_follow_user_list", token)["follow_user"][0] == userid
    assert customer in corp.get("externalcontact/list", token, userid=userid)["external_userid"]
    found = corp.get("externalcontact/get", token, external_userid=customer)
    assert found["external_contact"]["external_userid"] == customer and "unionid" not in found["external_contact"]
    assert [follow["userid"] for follow in found["follow_user"]] == [userid]
    assert corp.get("user/get", token, userid=userid)["userid"] == userid
    assert corp.get("user/get", token, userid=corp.sellers[0])["errcode"] == 60111
    assert corp.get("externalcontact/get", token, external_userid=added)["errcode"] == 40096
    remark = {"userid": userid, "external_userid": customer, "remark": "vip"}
    assert corp.post("externalcontact/remark", token, **remark)["errcode"] == 0
    assert corp.get("externalcontact/get", external_userid=added)["follow_user"][0]["remark"] == "vip"
