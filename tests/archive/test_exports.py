"""A conversation leaves the archive as a file with a name on it, for who may see it, and is written down."""

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from archive import exporting
from archive.models import ArchivedMessage, Conversation, TalkExport
from console.models import AuditEntry
from content.storage import Missing, store
from tenants import jobs
from tenants.models import Job


@pytest.fixture(autouse=True)
def _files(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def talk(company):
    customer = company.add("顾客", "wang")
    row = Conversation.objects.create(
        key=f"p:wang|{customer.external_userid}",
        kind="customer",
        staff_ids=[company.staff["wang"].pk],
        customer_id=customer.pk,
        title="顾客",
        last_at=timezone.now(),
    )
    say(row, customer.external_userid, "<b>在吗</b>", days=3)
    say(row, "wang", "=1+1", days=2)
    say(row, "wang", "已经撤回的话", days=1, revoked_at=timezone.now())
    return row


def say(talk, sender, text, *, days, **values):
    ArchivedMessage.objects.create(
        msgid=f"m{days}",
        seq=10 - days,
        conversation=talk,
        kind="text",
        sender=sender,
        at=timezone.now() - timedelta(days=days),
        text=text,
        payload={"msgtype": "text", "text": {"content": text}},
        **values,
    )


def export(browser, talk, **wish):
    """Asks for it, and gives what can be fetched when the job is done."""
    answer = browser.post(f"/console/archive/talks/{talk.pk}/export/", {"form": "html"} | wish)
    assert answer.status_code == 302, answer.content.decode()
    jobs.run_to_end(Job.objects.filter(kind=exporting.JOB).latest("id"))
    return fetch(browser)


def fetch(browser):
    return browser.get(f"/console/archive/exports/{TalkExport.objects.latest('id').pk}/file/")


def body(answer):
    return b"".join(answer.streaming_content).decode()


def test_a_page_has_the_words_and_a_watermark_and_runs_nothing(company, talk):
    owner = company.client("owner")
    answer = export(owner, talk)

    page = body(answer)
    assert answer["Content-Disposition"].startswith("attachment")
    assert "&lt;b&gt;在吗&lt;/b&gt;" in page and "已撤回" in page and "共 3 条消息" in page
    by = TalkExport.objects.get().by
    assert page.count(f"{by} 于 ") == 2  # above and below; behind the words it stands in a picture
    assert "%20%E5%AF%BC%E5%87%BA" in page
    assert "<script" not in page


def test_a_table_names_who_took_it_out_in_every_row_and_no_cell_is_a_formula(company, talk):
    answer = export(company.client("owner"), talk, form="csv")

    rows = list(csv.reader(io.StringIO(body(answer).removeprefix("\ufeff"))))
    assert [row[4] for row in rows] == ["内容", "<b>在吗</b>", "'=1+1", "已经撤回的话"]
    assert {row[6] for row in rows[1:]} == {TalkExport.objects.get().by}
    assert rows[1][1] == "顾客" and rows[3][5]


def test_some_days_of_it(company, talk):
    day = timezone.localdate() - timedelta(days=2)
    answer = export(company.client("owner"), talk, form="csv", start=day, end=day)
    assert "'=1+1" in (text := body(answer)) and "在吗" not in text


def test_asking_and_fetching_are_written_down(company, talk):
    body(export(company.client("owner"), talk))
    entries = AuditEntry.objects.filter(action__startswith="archive.export").order_by("id")
    assert [(one.action, one.detail["conversation"]) for one in entries] == [
        ("archive.export", talk.pk),
        ("archive.export_file", talk.pk),
    ]


def test_only_conversations_of_ones_range_and_ones_own_files(company, talk):
    owner = company.client("owner")
    export(owner, talk)
    north = company.client("admin", "subtree", "zhao")
    south = company.client("admin", "subtree", "wang")

    assert north.get(f"/console/archive/talks/{talk.pk}/export/").status_code == 404
    assert south.get(f"/console/archive/talks/{talk.pk}/export/").status_code == 200
    assert fetch(south).status_code == 404
    assert "顾客" not in south.get("/console/archive/exports/").content.decode()
    assert "顾客" in owner.get("/console/archive/exports/").content.decode()


def test_too_much_and_nothing_are_said_before(company, talk, monkeypatch):
    owner, page = company.client("owner"), f"/console/archive/talks/{talk.pk}/export/"
    assert "这段时间没有消息" in owner.post(page, {"form": "csv", "end": "2020-01-01"}).content.decode()
    monkeypatch.setattr(exporting, "MOST", 2)
    assert "请缩小日期范围" in owner.post(page, {"form": "csv"}).content.decode()
    assert not TalkExport.objects.exists()


def test_files_are_gone_after_a_week(company, talk):
    owner = company.client("owner")
    body(export(owner, talk))
    key = TalkExport.objects.get().key
    TalkExport.objects.update(at=timezone.now() - timedelta(days=8))
    assert exporting.forget_old() == 1
    with pytest.raises(Missing):
        store().open(key)
    assert owner.get("/console/archive/exports/").status_code == 200
