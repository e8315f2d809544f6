"""The chat client in a real browser: a member on one side, a customer on the other, an app's page between them."""

import time

import pytest
from playwright.sync_api import expect

from tests.sandbox.little_app import LittleApp


@pytest.fixture
def app(corp):
    running = LittleApp(corp)
    yield running
    running.close()


@pytest.fixture
def client(browser, app, corp):
    """Opens the client for a member; at the end no script may have failed."""
    faults, contexts = [], []

    def open_for(userid, path="/chat/", width=1440):
        context = browser.new_context(viewport={"width": width, "height": 860}, locale="zh-CN")
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.goto(f"{corp.sandbox.url}{path}?corp={corp.id}&userid={userid}")
        page.wait_for_selector("body[data-ready]")
        return page

    yield open_for
    for context in contexts:
        context.close()
    assert not faults, faults


def say(page, text):
    page.fill("#composer textarea", text)
    page.press("#composer textarea", "Enter")


def chat_with(corp, page, userid, external_userid):
    corp.act("customer_says", userid=userid, external_userid=external_userid, text="在吗")
    page.click(f"#list [data-room='{external_userid}']")


def test_the_client_moves_to_the_name_of_the_app(client, app, corp):
    page = client(corp.sellers[0])
    assert page.url.startswith(f"http://shop.localhost:{corp.sandbox.port}/chat/")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_both_sides_talk(client, corp):
    userid, external_userid = corp.pair()
    page = client(userid)
    chat_with(corp, page, userid, external_userid)
    expect(page.locator("#lines .bubble")).to_contain_text(["在吗"])
    say(page, "您好，在的")
    expect(page.locator("#lines .bubble.mine")).to_contain_text(["您好，在的"])
    phone = page.locator(".phone")
    expect(phone.locator(".bubble", has_text="您好，在的")).to_be_visible()
    phone.locator(".say input").fill("周末开门吗")
    phone.locator(".say button").click()
    expect(page.locator("#lines .bubble", has_text="周末开门吗")).to_be_visible()


def test_the_sidebar_stands_beside_the_chat_and_sends_into_it(client, corp):
    userid, external_userid = corp.pair()
    page = client(userid)
    chat_with(corp, page, userid, external_userid)
    pane = page.frame_locator("iframe[name=pane]")
    expect(pane.locator("b")).to_have_text(userid)
    pane.locator("html[data-told='1']").wait_for(state="attached")
    pane.locator("#send").click()
    expect(page.locator("#lines .bubble.mine", has_text="from the sidebar")).to_be_visible()
    expect(page.locator(".phone .bubble", has_text="from the sidebar")).to_be_visible()


def test_sharing_asks_the_member_first(client, corp):
    userid, external_userid = corp.pair()
    page = client(userid)
    chat_with(corp, page, userid, external_userid)
    frame = page.wait_for_selector("iframe[name=pane]").content_frame()
    frame.wait_for_selector("html[data-told='1']", state="attached")
    wish = f"{{externalUserIds: ['{external_userid}'], text: {{content: '新品'}}}}"
    for button, words in (("取消", "shareToExternalContact:cancel"), ("发送", "shareToExternalContact:ok")):
        frame.evaluate(f"void (window.shared = ask('shareToExternalContact', {wish}))")
        page.locator("#dialog").get_by_role("button", name=button, exact=True).click()
        assert frame.evaluate("shared.then((answer) => answer.errMsg)") == words
    expect(page.locator("#lines .bubble.mine")).to_contain_text(["新品"])


def test_a_customer_scans_a_code_and_is_greeted(client, corp, receiver):
    corp.listen(receiver)
    userid, external_userid = corp.pair()
    other = next(one for one in corp.sellers if one != userid)
    corp.post("externalcontact/add_contact_way", type=1, scene=2, user=[other], state="q1", remark="门店 7")
    page = client(userid)
    chat_with(corp, page, userid, external_userid)
    page.locator(".phone").get_by_role("button", name="‹ 返回").click()
    page.locator(".phone").get_by_role("button", name="扫一扫").click()
    page.locator(".phone .code").click()
    for _ in range(100):
        codes = [event["WelcomeCode"] for event in receiver.fields() if "WelcomeCode" in event]
        if codes:
            break
        time.sleep(0.1)
    assert (
        corp.post("externalcontact/send_welcome_msg", welcome_code=codes[0], text={"content": "欢迎光临"})["errcode"]
        == 0
    )
    expect(page.locator(".phone .bubble", has_text="欢迎光临")).to_be_visible()


def test_mass_messages_wait_for_the_member(client, corp):
    userid, external_userid = corp.pair()
    wish = {
        "chat_type": "single",
        "sender": userid,
        "external_userid": [external_userid],
        "text": {"content": "会员日"},
    }
    assert corp.post("externalcontact/add_msg_template", **wish)["errcode"] == 0
    page = client(userid)
    expect(page.locator("#mass-badge")).to_have_text("1")
    page.click(".rail [data-view=mass]")
    task = page.locator("#lines .task")
    expect(task).to_contain_text("待发送给 1 位")
    task.get_by_role("button", name="发送", exact=True).click()
    expect(task).to_contain_text("已发送")
    page.click(".rail [data-view=chats]")
    page.click(f"#list [data-room='{external_userid}']")
    expect(page.locator(".phone .bubble", has_text="会员日")).to_be_visible()


def test_messages_of_the_app_open_their_pages_in_the_pane(client, app, corp):
    userid = corp.sellers[0]
    card = {"title": "今日任务", "description": "3 位客户", "url": f"{app.url}/home/?task=1", "btntxt": "去看看"}
    sent = corp.post("message/send", touser=userid, msgtype="textcard", agentid=corp.view["agent_id"], textcard=card)
    assert sent["errcode"] == 0
    page = client(userid)
    page.click("#list [data-room=notices]")
    page.locator("#lines a.card").click()
    page.wait_for_timeout(2_000)  # longer than the client takes to look for news
    expect(page.frame_locator("iframe[name=pane]").locator("b")).to_have_text(userid)
    frame = page.query_selector("iframe[name=pane]").content_frame()
    assert frame.evaluate("ask('getContext').then((answer) => answer.entry)") == "normal"


def test_a_link_opens_on_the_customers_phone_as_in_wechat(client, app, corp):
    userid, external_userid = corp.pair()
    page = client(userid)
    chat_with(corp, page, userid, external_userid)
    say(page, f"看看这个 {app.url}/t/abc")
    with page.expect_request("**/t/abc?sandbox_as=*"):
        page.locator(".phone .bubble a").click()
    expect(page.locator(".phone .sheet iframe")).to_be_visible()
    assert any("MicroMessenger" in agent and "wxwork" not in agent for agent in app.agents)


def test_members_talk_in_groups_with_the_groups_sidebar(client, corp):
    group = corp.sandbox.get(f"/_sandbox/corps/{corp.id}/groups")["groups"][0]
    corp.act("group_says", chat_id=group["chat_id"], sender=group["owner"], text="大家好")
    page = client(group["owner"])
    page.click(f"#list [data-room='{group['chat_id']}']")
    say(page, "今晚八点直播")
    expect(page.locator("#lines .bubble.mine", has_text="今晚八点直播")).to_be_visible()
    frame = page.wait_for_selector("iframe[name=pane]").content_frame()
    frame.wait_for_selector("html[data-told='1']", state="attached")
    assert frame.evaluate("ask('getCurExternalChat').then((answer) => answer.chatId)") == group["chat_id"]


def test_a_moment_is_published_and_liked(client, corp):
    userid, external_userid = corp.pair()
    corp.act("mass_habit", userid=userid, kind="by_hand")
    wish = {"text": {"content": "新品到店"}, "visible_range": {"sender_list": {"user_list": [userid]}}}
    assert corp.post("externalcontact/add_moment_task", **wish)["errcode"] == 0
    page = client(userid)
    chat_with(corp, page, userid, external_userid)
    page.click(".rail [data-view=mass]")
    page.locator("#lines [data-moment]").get_by_role("button", name="发表").click()
    expect(page.locator("#lines [data-moment]")).to_contain_text("已发表")
    phone = page.locator(".phone")
    phone.get_by_role("button", name="‹ 返回").click()
    phone.get_by_role("button", name="朋友圈").click()
    phone.get_by_role("button", name="赞").click()
    expect(phone.locator(".moment")).to_contain_text("♥")


def test_a_customer_who_asks_is_accepted(client, corp):
    userid = corp.sellers[0]
    corp.post("externalcontact/add_contact_way", type=1, scene=2, user=[userid], skip_verify=False, state="q1")
    way = corp.sandbox.get(f"/_sandbox/corps/{corp.id}/contact_ways")["contact_ways"][0]
    asked = corp.act("customer_scans", config_id=way["config_id"], name="想加好友的人")
    page = client(userid)
    page.click(".rail [data-view=people]")
    page.click(f"#list [data-request='{asked['external_userid']}']")
    expect(page.locator(f"#list [data-room='{asked['external_userid']}']")).to_be_visible()


def test_a_profile_and_the_attachments_are_entries_of_their_own(client, corp):
    userid, external_userid = corp.pair()
    page = client(userid)
    chat_with(corp, page, userid, external_userid)
    for button, entry in (("资料", "contact_profile"), ("附件栏", "chat_attachment")):
        page.locator("#room-tools").get_by_role("button", name=button).click()
        page.wait_for_timeout(1_700)  # the page stays though the client looks for news
        frame = page.wait_for_selector("iframe[name=pane]").content_frame()
        frame.wait_for_selector("html[data-told='1']", state="attached")
        assert frame.evaluate("ask('getContext').then((answer) => answer.entry)") == entry
