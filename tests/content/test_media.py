"""Media ids: ready before they are needed, renewed before they die, mended when they died all the same."""

import time
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
import time_machine
from django.utils import timezone

from content import media, messages
from content.models import MediaId, StoredFile
from tenants import due, outbox, polling
from tenants.models import DueRow, OutgoingCall, Tenant
from tests.cast import ACME
from tests.content.made import material, stored
from tests.sandbox_server import Sandbox
from wecom.errors import WeComError

UPLOAD = "media/upload"
IMAGE = MediaId.Use.IMAGE


def uploads(sandbox: Sandbox) -> int:
    return len(sandbox.calls(UPLOAD))


def work(tenant: Tenant) -> None:
    """What a worker does with the due rows, without a broker."""
    refs = list(
        DueRow.objects.filter(tenant=tenant, kind=media.DUE, due_at__lte=timezone.now()).values_list("ref", flat=True)
    )
    for pk in refs:
        if media.standing([pk]) or MediaId.objects.filter(pk=pk, wanted_at__gt=timezone.now() - media.KEPT_FOR):
            media.renew_one(pk)


@pytest.fixture
def picture(in_acme: Tenant, sandbox: Sandbox) -> StoredFile:
    return stored()


def test_an_id_that_is_missing_is_asked_for_and_there_a_moment_later(
    picture: StoredFile, in_acme: Tenant, sandbox: Sandbox
) -> None:
    with pytest.raises(media.MediaNotReady) as waiting:
        media.media_id_of(picture, IMAGE)
    assert waiting.value.files == [picture.pk]

    work(in_acme)

    assert media.media_id_of(picture, IMAGE)
    assert media.media_id_of(picture, IMAGE) == media.media_id_of(picture, IMAGE)
    assert uploads(sandbox) == 1


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a failed send: nobody asks the broker for a while, and the scheduler does the work."""
    monkeypatch.setattr(polling.broker, "_down_until", time.monotonic() + 60)


@pytest.mark.usefixtures("db_commits", "no_broker")
def test_what_waits_is_uploaded_by_the_due_scan(acme: Tenant, sandbox: Sandbox) -> None:
    with acme:
        row = stored()
        media.want([(row, IMAGE)])
        assert due.run_due(acme) == 1
        for _ in range(50):
            if MediaId.objects.exclude(media_id="").exists():
                break
            time.sleep(0.1)
        assert media.media_id_of(row, IMAGE)
        (later,) = DueRow.objects.filter(tenant=acme, kind=media.DUE)
        assert timedelta(days=2) < later.due_at - timezone.now() < timedelta(days=3)


def test_whoever_waits_gets_it_at_once(picture: StoredFile, sandbox: Sandbox) -> None:
    assert media.ready(picture, IMAGE) == media.ready(picture, IMAGE)
    assert uploads(sandbox) == 1


def name_at_wecom(sandbox: Sandbox, media_id: str) -> str:
    ask = {"corpid": ACME.wecom.corp_id, "corpsecret": ACME.wecom.agent_secret}
    token = sandbox.http.get(f"{sandbox.url}/cgi-bin/gettoken", params=ask).json()["access_token"]
    got = sandbox.http.get(f"{sandbox.url}/cgi-bin/media/get", params={"access_token": token, "media_id": media_id})
    return unquote(got.headers["Content-Disposition"].partition("filename*=UTF-8''")[2])


def test_a_chinese_file_name_arrives_as_it_is(in_acme: Tenant, sandbox: Sandbox) -> None:
    file = stored('2026 "春季" 价目表；最终版.png')
    assert name_at_wecom(sandbox, media.ready(file, IMAGE)) == "2026 _春季_ 价目表；最终版.png"


def test_an_id_is_renewed_before_its_three_days_end_while_it_is_wanted(
    picture: StoredFile, in_acme: Tenant, sandbox: Sandbox
) -> None:
    first = media.ready(picture, IMAGE)

    with time_machine.travel(timezone.now() + timedelta(days=2, hours=11)):
        work(in_acme)
        assert media.media_id_of(picture, IMAGE) == first
    with time_machine.travel(timezone.now() + timedelta(days=2, hours=13)):
        work(in_acme)
        second = media.media_id_of(picture, IMAGE)

    assert second != first
    assert uploads(sandbox) == 2


def test_an_id_that_nobody_wants_any_more_is_left_to_die(
    picture: StoredFile, in_acme: Tenant, sandbox: Sandbox
) -> None:
    media.ready(picture, IMAGE)
    MediaId.objects.update(wanted_at=timezone.now() - timedelta(days=20))
    DueRow.objects.update(due_at=timezone.now())

    due.run_due(in_acme)

    assert uploads(sandbox) == 1
    assert not DueRow.objects.filter(tenant=in_acme, kind=media.DUE).exists()


def test_what_a_welcome_carries_is_kept_fresh_forever(in_acme: Tenant, sandbox: Sandbox) -> None:
    from acquisition.models import Welcome

    poster = material("image")
    media.ready(poster.file, IMAGE)
    Welcome.objects.create(text="您好", materials=[poster.pk])
    row = MediaId.objects.get()
    MediaId.objects.update(wanted_at=timezone.now() - timedelta(days=200))
    assert media.standing([row.pk]) == [row.pk]


def test_a_refusal_says_why_and_is_not_repeated_by_itself(
    picture: StoredFile, in_acme: Tenant, sandbox: Sandbox
) -> None:
    sandbox.fault("errcode", UPLOAD, errcode=40004)
    with pytest.raises(WeComError):
        media.ready(picture, IMAGE)
    with pytest.raises(media.MediaNotReady, match="不支持这个文件的类型"):
        media.media_id_of(picture, IMAGE)


def welcome_with(sandbox: Sandbox, body: dict[str, Any]) -> OutgoingCall:
    userid, _ = sandbox.friendships()[0]
    return outbox.post(
        "externalcontact/add_msg_template",
        {
            "chat_type": "single",
            "sender": userid,
            "external_userid": [_ for u, _ in sandbox.friendships() if u == userid],
            **body,
        },
        purpose="test",
        idem_key="mass:1",
    )


def test_a_call_whose_media_id_died_is_mended_and_made_once_more(in_acme: Tenant, sandbox: Sandbox) -> None:
    poster = material("image")
    dead = media.ready(poster.file, IMAGE)
    body = messages.wecom_body({"text": "上新了", "materials": [poster.pk]}, use="mass")
    call = welcome_with(sandbox, body)
    sandbox.act("time_passes", seconds=4 * 86_400)

    outbox.deliver_due(urgent=False)

    call.refresh_from_db()
    assert (call.state, call.attempts) == (OutgoingCall.State.OK, 0)
    fresh = MediaId.objects.get()
    assert fresh.media_id != dead
    assert fresh.former_id == dead
    assert outbox.body_of(call)["attachments"][0]["image"]["media_id"] == fresh.media_id
    assert uploads(sandbox) == 2
    assert len(sandbox.calls("externalcontact/add_msg_template")) == 2


def test_a_second_call_with_the_dead_id_takes_the_one_that_is_there(in_acme: Tenant, sandbox: Sandbox) -> None:
    poster = material("image")
    media.ready(poster.file, IMAGE)
    body = messages.wecom_body({"text": "上新了", "materials": [poster.pk]}, use="mass")
    welcome_with(sandbox, body)
    sandbox.act("time_passes", seconds=4 * 86_400)
    media.upload(MediaId.objects.get(), dead=MediaId.objects.get().media_id)
    outbox.deliver_due(urgent=False)
    assert OutgoingCall.objects.get().state == OutgoingCall.State.OK
    assert uploads(sandbox) == 2


def test_a_dead_id_that_is_not_ours_ends_the_call(in_acme: Tenant, sandbox: Sandbox) -> None:
    call = welcome_with(sandbox, {"attachments": [{"msgtype": "image", "image": {"media_id": "somebody-elses"}}]})
    outbox.deliver_due(urgent=False)
    call.refresh_from_db()
    assert (call.state, call.result_code) == (OutgoingCall.State.DEAD, 40007)
    assert uploads(sandbox) == 0
