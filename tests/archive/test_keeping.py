"""How long messages are kept: what is old goes with its files, what an open alert needs stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from archive import alerts, retention
from archive.models import (
    Alert,
    ArchivedMedia,
    ArchivedMessage,
    Conversation,
    Dropped,
    Envelope,
    Retention,
    TalkExport,
)
from console.models import AuditEntry
from content.storage import Missing, store
from tenants import jobs
from tenants.schedule import PERIODIC

PAGE = "/console/settings/archive/keeping/"


@pytest.fixture
def talk(company):
    """A hundred days of one message a day, the newest today, and a file in the oldest."""
    row = Conversation.objects.create(
        key="p:wang|wmGu", kind="customer", staff_ids=[company.staff["wang"].pk], messages=100, last_at=timezone.now()
    )
    ArchivedMessage.objects.bulk_create(
        ArchivedMessage(
            msgid=f"m{day}",
            seq=100 - day,
            conversation=row,
            kind="text",
            sender="wang",
            at=timezone.now() - timedelta(days=day, minutes=1),
            text=f"第{day}天",
            payload={"msgtype": "text", "text": {"content": f"第{day}天"}},
        )
        for day in range(99, -1, -1)
    )
    return row


@pytest.fixture
def files(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def tonight(days=30):
    retention.keep_for(days, by="wang")
    job = retention.tonight()
    return jobs.run_to_end(job) if job else None


def days_left():
    return sorted(int(text[1:-1]) for text in ArchivedMessage.objects.values_list("text", flat=True))


def test_it_is_done_every_night():
    assert [one.every for one in PERIODIC if one.name == "archive-retention"] == [timedelta(days=1)]


def test_what_is_older_than_the_company_wishes_is_deleted_and_told(talk, owner):
    tonight(30)

    assert days_left() == list(range(30))
    talk.refresh_from_db()
    assert talk.messages == 30
    assert "消息 70 条，文件 0 个" in owner.get(PAGE).content.decode()
    tonight(30)
    assert Dropped.objects.count() == 1


def test_without_a_wish_everything_stays(talk):
    assert tonight(None) is None
    assert len(days_left()) == 100


def test_files_go_with_their_messages(talk, files, tmp_path):
    for day, key in ((40, "aa-old"), (5, "aa-new")):
        message = ArchivedMessage.objects.get(text=f"第{day}天")
        ArchivedMedia.objects.create(message=message, fileid="x", state="stored", key=key)
        place = tmp_path / "one"
        place.write_bytes(b"bytes")
        with place.open("rb") as file:
            store().put(key, file, 5, "image/jpeg")
    tonight(30)

    with pytest.raises(Missing):
        store().open("aa-old")
    store().open("aa-new").close()
    assert ArchivedMedia.objects.get().key == "aa-new"
    assert Dropped.objects.get().files == 1


def test_what_an_open_alert_shows_stays_until_it_is_settled(talk, company):
    message = ArchivedMessage.objects.get(text="第60天")
    alert = Alert.objects.create(kind="word", key="w", conversation=talk, message=message, word="返现")
    tonight(30)

    assert days_left() == [*range(30), 57, 58, 59, 60, 61, 62]
    assert [one.text for one in alerts.around(Alert.objects.get())] == [f"第{day}天" for day in range(62, 56, -1)]
    assert Dropped.objects.get().spared == 6

    alerts.settle(alert, state="handled", note="", by=company.operator())
    tonight(30)
    assert days_left() == list(range(30))
    assert not Alert.objects.exists()


def test_a_conversation_of_which_nothing_is_left_is_forgotten(talk, files):
    ArchivedMessage.objects.filter(at__gt=timezone.now() - timedelta(days=31)).delete()
    TalkExport.objects.create(conversation=talk, form="csv")
    tonight(30)
    assert not Conversation.objects.exists() and not TalkExport.objects.exists()


def test_a_run_that_was_stopped_goes_on(talk, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 20)
    retention.keep_for(30, by="wang")
    job = retention.tonight()
    jobs.run_slice(job, seconds=0)
    assert job.state == "queued" and len(days_left()) == 100
    jobs.run_to_end(job)
    assert days_left() == list(range(30)) and Dropped.objects.get().messages == 70


def test_closed_envelopes_grow_old_too(talk):
    for seq, days in ((1, 40), (2, 3)):
        Envelope.objects.create(
            seq=seq, msgid=f"e{seq}", key_version=1, received_at=timezone.now() - timedelta(days=days)
        )
    tonight(30)
    assert list(Envelope.objects.values_list("seq", flat=True)) == [2]


@pytest.mark.parametrize(("given", "status", "days"), [("90", 302, 90), ("", 302, None), ("3", 422, 30)])
def test_the_wish_is_set_on_its_page_and_written_down(company, owner, given, status, days):
    retention.keep_for(30, by="before")
    assert owner.post(PAGE, {"days": given}).status_code == status
    assert Retention.objects.get().days == days
    assert AuditEntry.objects.filter(action="archive.keeping").exists() == (status == 302)
