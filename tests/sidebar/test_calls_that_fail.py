"""Each call of the JS-SDK failing, as WeCom's client words it: the person is told and can go on; nothing is counted."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from contacts.models import Follow, GroupChat
from content.models import Material, Script, Sending
from sop.models import StaffTask
from tenants.models import Tenant
from tests.at_work import at_work, door
from tests.pages import assert_no_axe_faults
from tests.sandbox_server import Sandbox
from tests.sidebar.at_the_client import Pane, pane

__all__ = ["at_work", "door", "pane"]

SILENT = "企业微信没有回应"
OPENING = [  # call, how it fails, what the panel says, what the diagnosis names
    ("agentConfig", "invalid_signature", "页面签名没有通过", "invalid signature"),
    ("agentConfig", "wrong_ticket", "页面签名没有通过", "ticket"),
    ("agentConfig", "wrong_corp", "这个页面属于另一个企业", "corpid not match"),
    ("agentConfig", "unreliable_domain", "可信域名", "reliable domain"),
    ("agentConfig", "no_permission", "您没有使用这个应用的权限", "no permission"),
    ("agentConfig", "fail", "企业微信没有接受这个页面", "agentConfig"),
    ("agentConfig", "silent", SILENT, "step: register"),
    ("getContext", "fail", "不知道是从哪里打开的", "getContext:fail"),
    ("getContext", "not_supported", "企业微信版本太旧", "function not exist"),
    ("getContext", "silent", SILENT, "step: context"),
    ("getCurExternalContact", "no_permission", "没有拿到当前客户", "no permission"),
    ("getCurExternalContact", "no_context", "没有拿到当前客户", "without context"),
    ("getCurExternalContact", "silent", SILENT, "step: contact"),
]
SENDING = [
    ("cancel", "已取消，没有发送", "sendChatMessage:cancel"),
    ("no_permission", "没有发送的权限", "no permission"),
    ("invalid_media", "文件在企业微信里已过期", "media"),
    ("not_supported", "企业微信版本太旧", "function not exist"),
    ("fail", "没有发出去", "sendChatMessage:fail"),
    ("silent", "不确定是否发出", "no answer"),
]
LATE = [  # what the person does while the client has not answered, and what the customer gets by it
    ("waits", 1),
    ("sends again", 2),
]
LATE_OF_A_TASK = [  # which of its two parts is answered late, and what is asked of the person then
    (0, "刚才的已发出，还有内容没有发"),
    (1, ""),
]
CHATS = [
    ("cancel", "已取消，没有打开聊天", "openEnterpriseChat:cancel"),
    ("no_permission", "没有打开聊天", "no permission"),
    ("silent", SILENT, "step: open"),
]


@pytest.fixture
def follow(at_work: Tenant) -> Follow:
    with at_work:
        found = Follow.objects.filter(ended_at=None).select_related("staff", "customer").order_by("pk").first()
        assert found is not None
        Script.objects.create(title="报价说明", text="{客户昵称}，这是报价。")
    return found


def patient(page: Page) -> None:
    """Eight seconds of silence pass at once."""
    page.clock.install()


def unanswered(sandbox: Sandbox, call: str) -> bool:
    return any(one["name"] == call and not one["said"] for one in sandbox.effects("jsapi"))


def told(pane: Pane, box: str, words: str, detail: str, *, silent: str = "") -> None:
    """The words, and a diagnosis to copy that names the call and what WeCom said; `silent` is a call without answer."""
    page = pane.page
    if silent:
        while not unanswered(pane.sandbox, silent):
            page.wait_for_timeout(20)
        expect(page.locator(box)).not_to_contain_text(words)
        page.clock.fast_forward(9_000)
    expect(page.locator(box)).to_contain_text(words)
    page.locator(box).get_by_role("button", name="复制诊断信息").click()
    expect(page.locator("#toast")).to_contain_text("诊断信息已复制")
    assert detail in page.evaluate("diagnosis()"), page.evaluate("diagnosis()")
    assert "member: " in page.evaluate("diagnosis()")


def gone_out(sandbox: Sandbox) -> int:
    return len([one for one in sandbox.effects("jsapi") if one["name"] == "sendChatMessage" and one["said"] == "ok"])


def in_doubt(pane: Pane, messages: int) -> None:
    """So many messages went out, and of the last one the client has said nothing for longer than we wait."""
    while gone_out(pane.sandbox) < messages:
        pane.page.wait_for_timeout(20)
    pane.page.clock.fast_forward(9_000)
    expect(pane.page.locator("#notice")).to_contain_text("不确定是否发出")


def counted(acme: Tenant) -> tuple[int, int]:
    with acme:
        return Sending.objects.count(), Script.objects.get().uses


def test_a_call_that_fails_while_the_sidebar_opens(pane: Pane, follow: Follow) -> None:
    patient(pane.page)
    page = pane.beside_customer(follow)
    mended = set()
    for call, failure, words, detail in OPENING:
        pane.fails(call, failure)
        page.reload()
        pane.until("typeof ww === 'object'")
        told(pane, "#panel", words, detail, silent=call if failure == "silent" else "")
        expect(page.get_by_role("link", name="看我的今日任务和客户")).to_be_visible()
        pane.works()
        if call not in mended:
            mended.add(call)
            page.get_by_role("button", name="重试").click()
            expect(page.get_by_role("heading", name=follow.customer.name)).to_be_visible()

    page.reload()
    page.route("**/sidebar/content/**", lambda route: route.abort())
    page.get_by_role("button", name="内容", exact=True).click()
    told(pane, "#panel", "连接不上服务器", "panel")
    page.unroute("**/sidebar/content/**")
    page.get_by_role("button", name="重试").click()
    expect(page.get_by_role("button", name="发送 报价说明")).to_be_visible()

    pane.fails("agentConfig", "fail")  # the way on needs none of it
    page.reload()
    page.get_by_role("link", name="看我的今日任务和客户").click()
    expect(page.get_by_role("link", name=follow.customer.name)).to_be_visible()


def test_what_the_client_does_not_send_is_not_counted(
    at_work: Tenant, pane: Pane, follow: Follow, sandbox: Sandbox
) -> None:
    patient(pane.page)
    page = pane.beside_customer(follow)
    page.get_by_role("button", name="内容", exact=True).click()
    send = page.get_by_role("button", name="发送 报价说明")
    for failure, words, detail in SENDING:
        pane.fails("sendChatMessage", failure)
        send.click()
        told(pane, "#notice", words, detail, silent="sendChatMessage" if failure == "silent" else "")
        pane.works()
        page.locator("#notice").get_by_role("button", name="关闭").click()
        expect(send).to_be_enabled()
    assert (gone_out(sandbox), counted(at_work)) == (0, (0, 0))

    pane.fails("sendChatMessage", "fail", times=1)
    send.click()
    page.locator("#notice").get_by_role("button", name="重试").click()
    expect(page.locator("#toast")).to_contain_text("已发送")
    assert (gone_out(sandbox), counted(at_work)) == (1, (1, 1))


def task_of_two_parts(acme: Tenant, follow: Follow) -> StaffTask:
    now = timezone.now()
    with acme:
        link = Material.objects.create(kind="link", title="新品页", body={"url": "https://shop.example.com/"})
        return StaffTask.objects.create(
            staff=follow.staff, customer=follow.customer, title="新品", starts_at=now, ends_at=now + timedelta(hours=8),
            content={"text": "看看新品", "materials": [link.pk]},
        )  # fmt: skip


def test_half_of_a_task_is_half_done(at_work: Tenant, pane: Pane, follow: Follow, sandbox: Sandbox) -> None:
    """The link is refused, the text before it went out: 重试 sends the link alone."""
    task = task_of_two_parts(at_work, follow)
    page = pane.beside_customer(follow)
    page.get_by_role("button", name="任务", exact=False).last.click()
    pane.fails("sendChatMessage", "no_permission", skip=1)
    page.get_by_role("button", name="发送 新品").click()
    expect(page.locator("#notice")).to_contain_text("没有发送的权限")
    with at_work:
        task.refresh_from_db()
        assert (task.state, task.sent) == ("open", ["text"])

    pane.works()
    page.locator("#notice").get_by_role("button", name="重试").click()
    expect(page.get_by_text("看看新品")).to_be_hidden()
    with at_work:
        task.refresh_from_db()
        assert (task.state, Sending.objects.count()) == ("done", 2)
    assert gone_out(sandbox) == 2


def test_a_success_that_is_told_late_is_a_success(
    at_work: Tenant, pane: Pane, follow: Follow, sandbox: Sandbox
) -> None:
    """The doubt is taken back, nobody is made to send twice, and a sending counts once."""
    patient(pane.page)
    page = pane.beside_customer(follow)
    page.get_by_role("button", name="内容", exact=True).click()
    send = page.get_by_role("button", name="发送 报价说明")
    messages = 0
    for number, (act, more) in enumerate(LATE, start=1):
        pane.fails("sendChatMessage", "late", times=1)
        send.click()
        in_doubt(pane, messages + 1)
        if act == "sends again":
            send.click()
            expect(page.locator("#toast:visible")).to_have_text("已发送")
        pane.works()
        expect(page.locator("#toast:visible")).to_have_text("已发送")
        expect(page.locator(".mishap")).to_have_count(0)
        messages += more
        while page.evaluate("kept().length"):
            page.wait_for_timeout(20)
        assert (gone_out(sandbox), counted(at_work)) == (messages, (number, number)), act
        page.clock.fast_forward(3_000)  # the words go

    for skip, asked in LATE_OF_A_TASK:
        task = task_of_two_parts(at_work, follow)
        page.get_by_role("button", name="客户", exact=True).click()
        expect(page.locator("[data-count]")).to_have_text("1")
        page.get_by_role("button", name="任务", exact=False).last.click()
        pane.fails("sendChatMessage", "late", times=1, skip=skip)
        page.get_by_role("button", name="发送 新品").click()
        in_doubt(pane, messages + 1 + skip)
        pane.works()
        if asked:
            expect(page.locator("#notice")).to_contain_text(asked)
            page.locator("#notice").get_by_role("button", name="重试").click()
        expect(page.get_by_text("看看新品")).to_be_hidden()
        expect(page.locator("[data-count]")).to_be_hidden()
        messages += 2
        with at_work:
            task.refresh_from_db()
            sendings = Sending.objects.filter(task_id=task.pk).count()
            assert (task.state, sendings, gone_out(sandbox)) == ("done", 2, messages)


def test_windows_that_do_not_open_and_a_group_that_is_not_told(
    at_work: Tenant, pane: Pane, follow: Follow, sandbox: Sandbox
) -> None:
    patient(pane.page)
    page = pane.beside(follow.staff, entry="normal")
    chat_with = page.get_by_role("button", name=f"聊天 {follow.customer.name}").first
    for failure, words, detail in CHATS:
        pane.fails("openEnterpriseChat", failure)
        chat_with.click()
        told(pane, "#notice", words, detail, silent="openEnterpriseChat" if failure == "silent" else "")
        pane.works()
        page.locator("#notice").get_by_role("button", name="重试").click()
        expect(page.locator("#toast")).to_contain_text("已打开聊天")

    page.get_by_role("button", name="内容", exact=True).click()
    page.get_by_role("button", name="发送 报价说明").click()
    expect(page.locator("#notice")).to_contain_text("这里没有打开聊天，不能发送")
    assert_no_axe_faults(page)
    assert (gone_out(sandbox), counted(at_work)) == (0, (0, 0))

    pane.fails("agentConfig", "fail")  # the page of a customer needs no chat, and the client only to open one
    pane.open(f"customers/{follow.customer_id}/")
    expect(page.get_by_role("heading", name=follow.customer.name)).to_be_visible()
    page.get_by_role("button", name="打开聊天").click()
    expect(page.locator("#notice")).to_contain_text("企业微信没有接受这个页面")
    pane.works()
    page.locator("#notice").get_by_role("button", name="重试").click()
    pane.until("typeof ww === 'object' && !document.querySelector('.mishap')")
    page.get_by_role("button", name="打开聊天").click()
    expect(page.locator("#toast")).to_contain_text("已打开聊天")

    with at_work:
        chat = GroupChat.objects.select_related("owner").first()
    pane.fails("getCurExternalChat", "no_permission")
    pane.beside_group(chat, chat.owner)
    told(pane, "#panel", "没有拿到当前客户群", "getCurExternalChat")
    pane.works()
    page.get_by_role("button", name="重试").click()
    expect(page.get_by_role("heading", name=chat.name)).to_be_visible()
