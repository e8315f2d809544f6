"""Every type of message: kept, readable, found; what is unknown stays whole."""

import pytest

from archive import arrivals, finding, kinds
from archive.models import ArchivedMedia, ArchivedMessage, Consent

# by the sandbox's examples: two characters that stand in the message, or in the name of its type
TWO = {
    "text": "停车",
    "location": "广州",
    "link": "护肤",
    "weapp": "优惠",
    "todo": "回访",
    "redpacket": "发财",
    "external_redpacket": "感谢",
    "docmsg": "报名",
    "markdown": "目标",
    "qydiskfile": "价目",
    "solitaire": "团购",
    "voiptext": "通话",
    "sphfeed": "换季",
    "meeting_notification": "开始",
    "image": "图片",
    "voice": "语音",
    "video": "视频",
    "file": "报价",
    "emotion": "表情",
    "card": "名片",
    "chatrecord": "断货",
    "vote": "周六",
    "vote_joined": "活动",
    "collect": "姓名",
    "meeting": "方案",
    "meeting_answered": "沟通",
    "calendar": "盘点",
    "news": "新品",
    "mixed": "混排",
    "meeting_voice_call": "方案",
    "voip_doc_share": "方案",
    "note": "清爽",
    "unheard_of": "下午",
    "agree": "同意",
    "disagree": "不同",
    "revoke": "撤回",
}


def test_a_message_of_every_type_is_found_by_two_of_its_characters(archive):
    archive.examples()
    told = archive.pull()
    truth = {row["seq"]: row["plain"] for row in archive.truth()}
    assert told["still_closed"] == 0 and ArchivedMessage.objects.count() == len(truth)

    for row in ArchivedMessage.objects.all():
        assert row.payload == truth[row.seq]
    seqs = archive.sandbox.control("POST", "corps/wwacme0000000001/archive/examples", userid=archive.pair[0])["seqs"]
    assert set(TWO) == set(seqs)
    for name, word in TWO.items():
        kind = {"vote_joined": "vote", "meeting_answered": "meeting", "unheard_of": "tea_party"}.get(name, name)
        found = finding.find(finding.Wanted(text=word, kind=kind))
        assert found, (name, word)


def test_files_are_fetched_block_by_block_and_kept(archive):
    archive.examples(types=["image", "video", "file", "mixed", "meeting_voice_call"])
    told = archive.pull()

    assert told["files"] == 5
    sizes = set(ArchivedMedia.objects.values_list("state", "mime"))
    assert ("stored", "video/mp4") in sizes and ("stored", "image/jpeg") in sizes
    video = ArchivedMedia.objects.get(message__kind="video")
    assert video.size > 512 * 1024


def test_a_revoke_finds_its_message_in_either_order(archive):
    said = archive.text("说错了")
    archive.push(said | {"msgid": "one"})
    archive.push(
        archive.text("", action="recall", msgtype="revoke", revoke={"pre_msgid": "one"}),
        archive.text("", action="recall", msgtype="revoke", revoke={"pre_msgid": "two"}),
    )
    archive.pull()
    assert ArchivedMessage.objects.get(msgid="one").revoked_at is not None

    archive.push(said | {"msgid": "two"})  # its revoke was faster
    archive.pull()
    assert ArchivedMessage.objects.get(msgid="two").revoked_at is not None


def test_consent_is_kept_as_it_was_said(archive):
    archive.examples(types=["agree"])
    archive.pull()
    assert Consent.objects.get().status == "agree"

    archive.examples(types=["disagree"])
    archive.pull()
    assert Consent.objects.get().status == "disagree"


@pytest.mark.parametrize(
    "content",
    ["\x00", "😀" * 5000, "[" * 900 + "]" * 900, "1" * 100_000],
    ids=["nul", "long", "brackets", "digits"],
)
def test_odd_text_is_kept(archive, content):
    archive.push(archive.text(f"前{content}后"))
    archive.says("后面的照常")

    archive.pull()

    assert archive.texts()[-1] == "后面的照常" and len(archive.texts()) == 2


def test_a_shape_that_nobody_foresaw_does_not_stop_the_others(archive):
    for odd in (None, [], "x", 5, {"content": {"a": [1]}}, {"content": None}):
        archive.push(archive.text("") | {"text": odd})
    archive.push({"msgtype": "chatrecord", "chatrecord": {"item": [None, 3, {"type": 9, "content": "{"}]}})
    archive.says("后面的照常")

    told = archive.pull()

    assert told["still_closed"] == 0 and archive.texts()[-1] == "后面的照常"


def test_half_a_character_is_json_that_postgres_refuses_and_is_mended():
    payload = arrivals.payload_of('{"msgtype":"text","text":{"content":"前\\ud83d后"}}')
    assert payload.value["text"]["content"] == "前?后"
    assert arrivals.payload_of('["no object"]') is None and arrivals.payload_of("{") is None


def test_only_web_addresses_become_links():
    link = {"msgtype": "link", "link": {"title": "x", "link_url": "javascript:alert(1)"}}
    assert kinds.read(link).url == ""
