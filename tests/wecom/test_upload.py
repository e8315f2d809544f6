"""A file to WeCom: its bytes as they are, its name as WeCom reads it, and the same errors as any call."""

from datetime import UTC, datetime

import pytest

from wecom.errors import WeComRefused, WeComUnavailable
from wecom.media import Upload, plain_name

UPLOADED = {"errcode": 0, "errmsg": "ok", "type": "file", "media_id": "M1", "created_at": "1735707661"}
EVERY_BYTE = bytes(range(256)) * 40


def sent(qyapi) -> tuple[bytes, bytes]:
    """Head and content of the one part."""
    body = qyapi.bodies["media/upload"]
    boundary = body.partition(b"\r\n")[0]
    inside, rest = body.split(boundary + b"\r\n")[1].split(b"\r\n" + boundary + b"--\r\n")
    assert rest == b""
    head, _, content = inside.partition(b"\r\n\r\n")
    return head, content


def test_the_bytes_arrive_as_they_are_with_the_name_in_plain_utf8(qyapi):
    qyapi.answers["media/upload"] = UPLOADED

    media = qyapi.client().upload_media("file", "价目表 2026.pdf", EVERY_BYTE)

    assert (media.media_id, media.created_at) == ("M1", datetime(2025, 1, 1, 5, 1, 1, tzinfo=UTC))
    assert qyapi.queries["media/upload"]["type"] == "file"
    head, content = sent(qyapi)
    assert content == EVERY_BYTE
    assert 'name="media"; filename="价目表 2026.pdf"; filelength=10240'.encode() in head
    assert b"filename*" not in head


def test_a_token_that_died_is_renewed_and_the_file_sent_again(qyapi):
    qyapi.answers["media/upload"] = UPLOADED
    qyapi.refused_tokens.add("token-1")
    assert qyapi.client().upload_media("file", "a.pdf", EVERY_BYTE).media_id == "M1"
    assert qyapi.calls["media/upload"] == 2
    assert sent(qyapi)[1] == EVERY_BYTE


def test_a_refusal_is_told_by_its_family(qyapi):
    qyapi.answers["media/upload"] = {"errcode": 40004, "errmsg": "invalid media type"}
    with pytest.raises(WeComRefused):
        qyapi.client().upload_media("image", "a.png", b"no picture")


def test_an_answer_without_an_id_may_be_asked_for_again(qyapi):
    with pytest.raises(WeComUnavailable):
        qyapi.client().upload_media("image", "a.png", b"123456")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ('a".pdf', "a_.pdf"),
        ("a\r\nX-Evil: 1.pdf", "a_X-Evil_ 1.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("", "file"),
        ("长" * 300 + ".pdf", "长" * 116 + ".pdf"),
        ("\ud800.png", "png"),
    ],
)
def test_a_name_cannot_break_out_of_its_header(name, plain):
    assert plain_name(name) == plain
    _, body = Upload(name, b"x").encoded()
    assert body.count(b"\r\n") == 6


def test_a_file_that_holds_a_boundary_of_ours_arrives_whole(qyapi):
    qyapi.answers["media/upload"] = UPLOADED
    evil = Upload("a.bin", b"").encoded()[1]
    qyapi.client().upload_media("file", "a.bin", evil)
    assert sent(qyapi)[1] == evil
