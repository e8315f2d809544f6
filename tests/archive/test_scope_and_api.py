"""Who sees what: in the viewer, the search, the files, and in the Open API."""

import pytest

from archive.models import ArchivedMedia, ArchivedMessage, Conversation
from members.models import Staff
from tests.integrations.caller import Caller
from tests.pages_of_apps.company import Browser
from tests.people import add_operator


@pytest.fixture
def two_talks(archive):
    """One of the member, one of a colleague with a customer of hers."""
    friendships = archive.sandbox.friendships()
    userid = archive.pair[0]
    other = next(pair for pair in friendships if pair[0] != userid)
    archive.says("我的客户说的话")
    archive.push(archive.text("同事的客户说的话", **{"from": other[1]}) | {"tolist": [other[0]]})
    archive.examples(types=["image"])
    archive.pull()
    return archive


def as_staff(archive, userid):
    operator = add_operator(archive.tenant, "one", "staff", scope="self")
    Staff.objects.filter(userid=userid).update(operator=operator)
    browser = Browser(archive.tenant)
    browser.force_login(operator)
    return browser


def test_one_sees_ones_own_conversations_alone(two_talks):
    browser = as_staff(two_talks, two_talks.pair[0])
    mine, theirs = (ArchivedMessage.objects.get(text=f"{who}的客户说的话") for who in ("我", "同事"))

    found = browser.get("/console/archive/search/?q=客户说的").content.decode()

    assert f"&amp;at={mine.pk}" in found and f"&amp;at={theirs.pk}" not in found
    assert browser.get(f"/console/archive/?c={mine.conversation_id}").status_code == 200
    assert browser.get(f"/console/archive/?c={theirs.conversation_id}").status_code == 404
    assert browser.get(f"/console/archive/talks/{theirs.conversation_id}/").status_code == 404


def test_a_picture_is_shown_to_who_sees_its_conversation(two_talks, owner):
    picture = ArchivedMedia.objects.get()
    answer = owner.get(f"/console/archive/files/{picture.pk}/")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")

    stranger = next(one.userid for one in Staff.objects.all() if one.userid != two_talks.pair[0])
    assert as_staff(two_talks, stranger).get(f"/console/archive/files/{picture.pk}/").status_code == 404


def test_older_messages_come_page_by_page(archive, owner):
    archive.push(*(archive.text(f"第{number:03}条") for number in range(100)))
    archive.pull()
    talk = Conversation.objects.get()
    first = owner.get(f"/console/archive/?c={talk.pk}").content.decode()
    assert "第099条" in first and "第060条" in first and "第059条" not in first

    oldest = ArchivedMessage.objects.get(text="第060条")
    more = owner.get(f"/console/archive/talks/{talk.pk}/?before={oldest.pk}").content.decode()
    assert "第059条" in more and "第020条" in more and "第060条" not in more


def test_the_open_api_lists_messages_in_order_of_arrival(two_talks, clean_cache):
    api = Caller.of(two_talks.tenant)

    rows = api.get("archive/messages")["data"]

    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert rows[0]["text"] == "我的客户说的话" and rows[0]["type"] == "text" and rows[0]["from_customer"]
    assert len(api.get("archive/messages", staff=two_talks.pair[0])["data"]) == 2
    assert len(api.get("archive/messages", customer=two_talks.pair[1], type="image")["data"]) == 1
    assert api.get("archive/messages", id_after=rows[1]["id"])["data"] == rows[2:]
