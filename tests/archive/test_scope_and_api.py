"""Who sees what: in the viewer, the search, the files, and in the Open API."""

import pytest

from archive import finding
from archive.models import ArchivedMedia, ArchivedMessage, Conversation
from members.models import Staff
from tests.integrations.caller import Caller
from tests.pages_of_apps.company import Browser
from tests.people import add_operator

# A search goes by how many messages there are: with these limits the few of a test stand for a large archive.
WAYS: list[dict[str, int]] = [
    {},  # in the talks of the range alone
    {"SMALL": -1},  # through the newest messages of all
    {"SMALL": -1, "PROBED": 0},  # through the few that hold the word
    {"SMALL": -1, "PROBED": 0, "FEW": 0},  # through the newer ones that hold it
    {"SMALL": -1, "PROBED": 0, "FEW": 0, "NEAR": 0},  # through all that hold it
    {"TALKS": 0, "PROBED": 1, "FEW": 1, "NEAR": 1},
]


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


def test_every_way_of_searching_keeps_to_the_talks_of_the_range(two_talks, monkeypatch):
    """Another takes the customer over: her talk is hers, the earlier one is not. A group is of all who are in it."""
    archive, (userid, customer) = two_talks, two_talks.pair
    other = next(pair[0] for pair in archive.sandbox.friendships() if pair[0] != userid)
    me, her = (Staff.objects.get(userid=one).pk for one in (userid, other))
    mine, hers, group = ["我的客户说的话"], ["同事的客户说的话", "接手后客户说的话"], ["群里客户说的话"]
    archive.push(archive.text(hers[1], tolist=[other]), archive.text(group[0], roomid="wrTEA"))
    archive.pull()

    def found(**wanted):
        """Page by page, one message each, the newest last."""
        texts, before = [], 0
        while rows := finding.find(finding.Wanted(text="客户", limit=1, before=before, **wanted)):
            texts, before = [rows[0].text, *texts], rows[0].pk
        return texts

    def every_way(**wanted):
        answers = []
        for limits in WAYS:
            with monkeypatch.context() as changed:
                for name, value in limits.items():
                    changed.setattr(finding, name, value)
                answers.append(found(**wanted))
        assert all(answer == answers[0] for answer in answers), answers
        return answers[0]

    assert every_way(staff_ids=[me]) == every_way(staff=me) == mine + group
    assert every_way(staff_ids=[her]) == hers
    assert every_way(staff_ids=[me], staff=her) == every_way(staff_ids=[]) == []
    assert every_way(staff_ids=[me, her]) == every_way() == mine + hers + group

    archive.push(archive.text("我也在群里", roomid="wrTEA", **{"from": other}) | {"tolist": [userid, customer]})
    archive.pull()
    assert every_way(staff_ids=[her]) == hers + group  # what was said before she came, too


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
