"""The card of a customer group beside its chat: whose it is, who is in it, and what the member can do there."""

from playwright.sync_api import expect

from contacts.models import Follow, GroupChat, GroupMember
from content.models import Script, Sending
from members.models import Staff
from tenants.models import Tenant
from tests.at_work import at_work, door
from tests.browser import fits
from tests.pages import assert_no_axe_faults
from tests.sandbox_server import Sandbox
from tests.sidebar.at_the_client import Pane, pane

__all__ = ["at_work", "door", "pane"]


def group_of(acme: Tenant) -> tuple[GroupChat, Staff, Follow, GroupMember]:
    """A group, its owner, a customer of theirs who is in it, and a customer in it whom they do not know."""
    with acme:
        for chat in GroupChat.objects.select_related("owner").filter(owner__isnull=False):
            inside = chat.stays.filter(left_at=None, customer__isnull=False).select_related("customer")
            friends = Follow.objects.filter(staff=chat.owner, ended_at=None)
            friend = friends.filter(customer__in=inside.values("customer")).select_related("customer").first()
            stranger = inside.exclude(customer__in=friends.values("customer")).first()
            if friend and stranger:
                GroupChat.objects.filter(pk=chat.pk).update(notice="每周三上新")
                Script.objects.create(title="群问候", text="各位下午好")
                return chat, chat.owner, friend, stranger
    raise AssertionError("the sandbox has no such group")


def test_the_owner_sees_the_group_and_speaks_in_it(at_work: Tenant, pane: Pane, sandbox: Sandbox) -> None:
    chat, owner, friend, stranger = group_of(at_work)
    page = pane.beside_group(chat, owner)

    expect(page.get_by_role("heading", name=chat.name)).to_be_visible()
    card = page.locator("#panel")
    for words in ("您是群主", "每周三上新", "今日入群", "今日退群"):
        expect(card).to_contain_text(words)
    expect(card.locator(".numbers div").first).to_contain_text(str(chat.member_count))
    expect(card.locator("li", has_text=friend.customer.name).first).to_contain_text("您的客户")
    assert fits(page)
    assert_no_axe_faults(page)

    card.get_by_role("button", name=f"聊天 {friend.customer.name}").click()
    expect(page.locator("#toast")).to_contain_text("已打开聊天")
    card.get_by_role("button", name=f"加好友 {stranger.customer}").first.click()
    while "openUserProfile" not in [one["name"] for one in sandbox.effects("jsapi")]:
        page.wait_for_timeout(20)
    expect(page.locator(".mishap")).to_have_count(0)

    card.get_by_role("button", name="发内容到本群").click()
    page.get_by_role("button", name="发送 群问候").click()
    expect(page.locator("#toast")).to_contain_text("已发送")
    with at_work:
        sending = Sending.objects.get()
        assert (sending.chat, sending.customer, sending.staff) == (chat, None, owner)


def test_who_is_not_in_the_group_sees_nothing_of_it(at_work: Tenant, pane: Pane) -> None:
    chat, owner, _friend, _stranger = group_of(at_work)
    with at_work:
        inside = GroupMember.objects.filter(chat=chat, left_at=None).values("member_id")
        outsider = Staff.objects.exclude(pk=owner.pk).exclude(userid__in=inside).filter(left_at=None).first()
        assert outsider is not None
    page = pane.beside(outsider, entry="normal")
    expect(page.get_by_role("heading", name="今日")).to_be_visible()
    status = page.evaluate(f"fetch('group/{chat.chat_id}/').then((one) => one.status)")
    assert status == 404
