"""From WeCom's archive to our rows, through the real library and the sandbox's sealing."""

from archive import access
from archive.models import ArchivedMessage, Conversation, Envelope, PullCursor


def test_talk_is_pulled_opened_and_put_into_its_conversation(archive):
    archive.says("周末停车方便吗？😊")
    archive.answers("方便的，地下两层")

    told = archive.pull()

    assert (told["pulled"], told["opened"], told["still_closed"]) == (2, 2, 0)
    assert archive.texts() == ["周末停车方便吗？😊", "方便的，地下两层"]
    talk = Conversation.objects.get()
    assert (talk.kind, talk.messages, talk.customer_id) == ("customer", 2, archive.customer.pk)
    assert talk.last_text == "方便的，地下两层"
    first, second = ArchivedMessage.objects.order_by("seq")
    assert first.from_customer and not second.from_customer
    assert archive.customer.facts.last_message_at == second.at


def test_pulling_again_brings_only_what_is_new(archive):
    archive.says("第一条")
    archive.pull()
    assert archive.pull()["pulled"] == 0

    archive.says("第二条")
    assert archive.pull()["pulled"] == 1
    assert archive.texts() == ["第一条", "第二条"]


def test_what_is_pulled_twice_is_there_once(archive):
    archive.says("只有一次")
    archive.pull()
    PullCursor.objects.update(seq=0)
    Envelope.objects.all().delete()

    archive.pull()

    assert archive.texts() == ["只有一次"]
    assert Conversation.objects.get().messages == 1


def test_without_its_key_an_envelope_waits_and_opens_when_the_key_comes(archive):
    archive.new_key(ours=False)
    archive.says("用第二版密钥")
    told = archive.pull()
    assert told["missing_keys"] == [2] and archive.texts() == []

    archive.give_key(2)
    archive.pull()
    assert archive.texts() == ["用第二版密钥"]


def test_a_key_that_was_kept_under_another_number_opens_all_the_same(archive):
    archive.new_key(ours=False)
    archive.says("企业微信说这是第二版")
    assert archive.pull()["missing_keys"] == [2]
    access.add_key(archive.app, archive.kept[2], version=7)

    assert archive.pull()["still_closed"] == 0
    assert archive.texts() == ["企业微信说这是第二版"]


def test_what_nobody_can_open_is_kept_and_holds_up_nothing(archive):
    archive.push(archive.text("太短"), broken="short")
    archive.push(archive.text("乱码"), broken="garbled")
    archive.says("后面的照常")

    told = archive.pull()

    assert (told["opened"], told["broken"]) == (1, 2)
    assert archive.texts() == ["后面的照常"]
    assert Envelope.objects.filter(state="broken").exclude(body="").count() == 2
