"""The real JS-SDK inside a window of the client: signatures, context, sending, and every way it fails."""

import json

import pytest
import requests

from sandbox.visitors import Visitor, cookie_of
from tests.sandbox.little_app import LittleApp

MARK = "wxwork/4.1.36"


@pytest.fixture
def app(corp):
    running = LittleApp(corp)
    yield running
    running.close()


class Client:
    """A member's client: opens pages of the app beside a chat."""

    def __init__(self, browser, app):
        self.corp, self.app, self.browser = app.corp, app, browser
        self.base = f"http://shop.localhost:{app.corp.sandbox.port}"
        self.contexts = []

    def open(self, person, path="/sidebar/", **visitor):
        context = self.browser.new_context()
        self.contexts.append(context)
        cookie = cookie_of(Visitor(self.corp.id, person, **visitor))
        context.add_cookies([{"name": "sandbox_visitor", "value": cookie, "url": self.base}])
        page = context.new_page()
        page.goto(self.base + path)
        heard(page, 1)
        return page


@pytest.fixture
def client(browser, app):
    opened = Client(browser, app)
    yield opened
    for context in opened.contexts:
        context.close()


def heard(page, count):
    page.wait_for_selector(f"html[data-told='{count}']", state="attached")


def ask(page, name, params=None):
    return page.evaluate(f"ask({json.dumps(name)}, {json.dumps(params or {})})")


def said(corp, userid, external_userid):
    path = f"/_sandbox/corps/{corp.id}/messages"
    lines = corp.sandbox.get(path, userid=userid, external_userid=external_userid)["messages"]
    return [(line["sender"], line["kind"], line["payload"], line["via"]) for line in lines if line["kind"] != "notice"]


def test_a_page_signs_in_silently_and_knows_whose_chat_it_stands_beside(client, corp):
    userid, external_userid = corp.pair()
    page = client.open(userid, entry="single_chat_tools", peer=external_userid)
    assert page.evaluate("document.body.dataset.user") == userid
    assert MARK in page.evaluate("document.body.dataset.agent"), "the server sees the client's name"
    assert page.url.split("#")[0] == f"{client.base}/sidebar/", "redirects to the app's own address stay in the window"
    assert page.evaluate("told") == ["agentConfig:ok"]
    assert ask(page, "getContext")["entry"] == "single_chat_tools"
    assert ask(page, "getCurExternalContact")["userId"] == external_userid


def test_one_tap_sends_into_the_chat(client, corp):
    userid, external_userid = corp.pair()
    page = client.open(userid, entry="single_chat_tools", peer=external_userid)
    page.click("#send")
    heard(page, 2)
    assert page.evaluate("told[1]") == "sendChatMessage:ok"
    assert said(corp, userid, external_userid) == [(userid, "text", {"content": "from the sidebar"}, "sidebar")]
    news = {"link": "http://x.cn/1", "title": "T", "desc": "D", "imgUrl": ""}
    assert ask(page, "sendChatMessage", {"msgtype": "news", "news": news})["errMsg"] == "sendChatMessage:ok"
    assert said(corp, userid, external_userid)[1][1:3] == (
        "link",
        {"title": "T", "desc": "D", "url": "http://x.cn/1", "picurl": ""},
    )


def test_media_must_be_alive(client, corp):
    userid, external_userid = corp.pair()
    url = f"{corp.sandbox.url}/cgi-bin/media/upload"
    picture = ("a.png", b"\x89PNG\r\n\x1a\n" + b"0" * 40, "image/png")
    query = {"access_token": corp.token, "type": "image"}
    media_id = requests.post(url, params=query, files={"media": picture}, timeout=20).json()["media_id"]
    page = client.open(userid, entry="single_chat_tools", peer=external_userid)
    image = {"msgtype": "image", "image": {"mediaid": media_id}}
    assert ask(page, "sendChatMessage", image)["errMsg"] == "sendChatMessage:ok"
    corp.change(limits={"media_seconds": 0})
    dead = ask(page, "sendChatMessage", image)
    assert dead["errCode"] == 40007 and dead["errMsg"] == "sendChatMessage:fail,invalid mediaid"
    assert len(said(corp, userid, external_userid)) == 1


def test_who_deleted_the_member_gets_nothing(client, corp):
    userid, external_userid = corp.pair()
    page = client.open(userid, entry="single_chat_tools", peer=external_userid)
    corp.act("customer_deletes_staff", userid=userid, external_userid=external_userid)
    assert ask(page, "sendChatMessage", {"msgtype": "text", "text": {"content": "x"}})["errMsg"].startswith(
        "sendChatMessage:fail"
    )
    assert said(corp, userid, external_userid) == []


def test_a_group_has_a_chat_and_no_customer(client, corp):
    found = corp.sandbox.get(f"/_sandbox/corps/{corp.id}/groups")["groups"][0]
    page = client.open(found["owner"], entry="group_chat_tools", chat_id=found["chat_id"])
    assert ask(page, "getCurExternalChat")["chatId"] == found["chat_id"]
    refused = ask(page, "getCurExternalContact")
    assert refused["errMsg"] == "getCurExternalContact:without context of external contact" and refused["errCode"] == -1
    page.click("#send")
    heard(page, 2)
    lines = corp.sandbox.get(f"/_sandbox/corps/{corp.id}/messages", chat_id=found["chat_id"])["messages"]
    assert [line["payload"] for line in lines if line["kind"] == "text"] == [{"content": "from the sidebar"}]


def test_the_workbench_has_no_chat(client, corp):
    page = client.open(corp.sellers[0], "/home/")
    assert ask(page, "getContext")["entry"] == "normal"
    text = {"msgtype": "text", "text": {"content": "x"}}
    assert ask(page, "sendChatMessage", text)["errMsg"] == "sendChatMessage:no permission"


def test_two_members_in_one_browser_have_sessions_of_their_own(client, corp):
    userid, external_userid = corp.pair()
    page = client.open(userid, entry="single_chat_tools", peer=external_userid)
    other = next(one for one in corp.sellers if one != userid)
    cookie = cookie_of(Visitor(corp.id, other, "normal"))
    page.context.add_cookies([{"name": "sandbox_visitor", "value": cookie, "url": client.base}])
    page.reload()
    assert page.evaluate("document.body.dataset.user") == other


def test_a_signature_of_the_other_ticket_is_refused(client, app, corp):
    app.swapped = True
    userid, external_userid = corp.pair()
    page = client.open(userid, entry="single_chat_tools", peer=external_userid)
    assert page.evaluate("told") == ["agentConfig:fail,jsapi ticket unusable"]
    assert ask(page, "getContext")["errCode"] == 42012, "without agentConfig every call fails as it did"


def test_a_signature_of_a_withdrawn_ticket_is_refused(client, app, corp, monkeypatch):
    ticket = corp.get("ticket/get", type="agent_config")
    corp.sandbox.post("/_sandbox/expire_tickets", corp_id=corp.id)
    monkeypatch.setattr(
        corp, "get", lambda api, **query: ticket if api == "ticket/get" else type(corp).get(corp, api, **query)
    )
    page = client.open(corp.sellers[0], "/home/")
    assert page.evaluate("told") == ["agentConfig:fail,invalid signature"]


def test_a_domain_the_app_does_not_trust_is_refused(client, app, corp):
    page = client.open(corp.sellers[0], "/home/")
    corp.sandbox.post(f"/_sandbox/corps/{corp.id}/apps", agent_id=corp.view["agent_id"], trusted_domains=["a.cn"])
    page.reload()
    heard(page, 1)
    assert page.evaluate("told") == ["agentConfig:fail,not match any reliable domain"]


def test_without_the_right_of_customer_contact_customers_are_out_of_reach(client, corp):
    userid, external_userid = corp.pair()
    corp.act("staff_updates", userid=userid, customer_contact=False)
    page = client.open(userid, entry="single_chat_tools", peer=external_userid)
    assert ask(page, "getCurExternalContact")["errMsg"] == "getCurExternalContact:no permission"
    assert ask(page, "getContext")["errMsg"] == "getContext:ok"


def test_calls_fail_on_demand(client, corp):
    userid, external_userid = corp.pair()
    page = client.open(userid, entry="single_chat_tools", peer=external_userid)
    for failure, words in (
        ("cancel", "sendChatMessage:cancel"),
        ("no_permission", "sendChatMessage:no permission"),
        ("fail", "sendChatMessage:fail"),
    ):
        corp.sandbox.post("/_sandbox/mishaps", corp_id=corp.id, api="sendChatMessage", failure=failure, times=1)
        text = {"msgtype": "text", "text": {"content": "x"}}
        assert ask(page, "sendChatMessage", text)["errMsg"] == words
    assert said(corp, userid, external_userid) == []
    corp.sandbox.post("/_sandbox/mishaps", corp_id=corp.id, api="getContext", failure="silent", times=1)
    assert (
        page.evaluate("Promise.race([ask('getContext'), new Promise((r) => setTimeout(r, 400, 'waits'))])") == "waits"
    )


def test_sharing_reaches_those_who_are_still_friends(client, corp):
    userid, first = corp.pair()
    second = corp.get("externalcontact/list", userid=userid)["external_userid"][0]
    page = client.open(userid, entry="single_chat_tools", peer=first)
    wish = {"externalUserIds": [first, second], "text": {"content": "news"}}
    assert ask(page, "shareToExternalContact", wish)["errMsg"] == "shareToExternalContact:ok"
    assert len(said(corp, userid, first)) == len(said(corp, userid, second)) == 1


def test_a_group_is_made_with_those_who_were_named(client, corp):
    userid, external_userid = corp.pair()
    page = client.open(userid, entry="single_chat_tools", peer=external_userid)
    other = next(one for one in corp.sellers if one != userid)
    wish = {"userIds": [other], "externalUserIds": [external_userid], "groupName": "三人", "chatId": ""}
    made = ask(page, "openEnterpriseChat", wish)
    group = corp.sandbox.get(f"/_sandbox/corps/{corp.id}/groups", chat_id=made["chatId"])["group"]
    assert {seat["userid"] for seat in group["member_list"]} == {userid, other, external_userid}


def test_a_window_says_when_the_apps_server_does_not_answer(app, corp):
    app.close()
    host = {"Host": f"shop.localhost:{corp.sandbox.port}"}
    answer = requests.get(f"{corp.sandbox.url}/sidebar/", headers=host, timeout=20)
    assert answer.status_code == 502 and "没有应答" in answer.text
    assert requests.get(f"{corp.sandbox.url}/", timeout=20).status_code == 200, "without the name it is the sandbox"


def test_a_window_passes_bodies_and_headers_on(app, corp):
    url = f"{corp.sandbox.url}/sidebar/echo"
    host = {"Host": f"shop.localhost:{corp.sandbox.port}", "X-CSRFToken": "t", "Cookie": "sid=stolen; other=1"}
    answer = requests.post(url, data={"a": "1"}, headers=host, timeout=20).json()
    assert answer["body"] == "a=1" and answer["host"] == host["Host"] and answer["token"] == "t"
    assert answer["cookie"] is None, "cookies of the browser are not those of the member's client"
