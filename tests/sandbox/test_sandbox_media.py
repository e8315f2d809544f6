"""Files at WeCom: types, sizes, three days of life (wecom-api.md 6.2)."""

import pytest
import requests

from tests.sandbox.lab import MP4, PNG

UPLOAD = "media/upload"


def test_a_file_comes_back_as_it_went(corp):
    sent = corp.upload(UPLOAD, MP4, "门店 1.mp4", type="video")
    assert (sent["errcode"], sent["type"]) == (0, "video")
    got = requests.get(
        f"{corp.sandbox.url}/cgi-bin/media/get",
        params={"access_token": corp.token, "media_id": sent["media_id"]},
        timeout=10,
    )
    assert got.content == MP4
    assert got.headers["Content-Type"] == "video/mp4"
    assert "filename" in got.headers["Content-Disposition"]
    assert corp.get("media/get/jssdk", media_id=sent["media_id"])["errcode"] == 40007
    assert corp.get("media/get")["errcode"] == 41006


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("image", b"no picture at all", 40123),
        ("image", PNG + bytes(10 << 20), 40009),
        ("video", PNG, 40004),
        ("video", MP4 + bytes(10 << 20), 40011),
        ("voice", PNG, 40004),
        ("file", b"12345", 40006),
        ("file", bytes((20 << 20) + 1), 40006),
        ("gif", PNG, 40005),
        ("file", b"", 44001),
    ],
)
def test_wrong_files_are_refused(corp, kind, body, code):
    assert corp.upload(UPLOAD, body, "a", type=kind)["errcode"] == code


def test_an_upload_without_its_field_is_empty(corp):
    url = f"{corp.sandbox.url}/cgi-bin/media/upload?type=file&access_token={corp.token}"
    assert requests.post(url, files={"other": ("a", b"123456")}, timeout=10).json()["errcode"] == 44001
    assert requests.post(url, json={"media": "x"}, timeout=10).json()["errcode"] == 44001
    extended = b"--b\r\nContent-Disposition: form-data; name=\"media\"; filename*=UTF-8''a\r\n\r\n123456\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert requests.post(url, data=extended, headers=headers, timeout=10).json()["errcode"] == 44001


def test_a_file_dies_after_three_days(corp):
    media_id = corp.file()
    corp.act("time_passes", seconds=3 * 86_400 - 60)
    assert [file["dead"] for file in corp.look("media")["media"]] == [False]
    corp.act("time_passes", seconds=120)
    assert corp.get("media/get", media_id=media_id)["errcode"] == 40007
    assert [file["dead"] for file in corp.look("media")["media"]] == [True]


def test_a_picture_by_url_stays(corp):
    url = corp.upload("media/uploadimg", PNG)["url"]
    corp.act("time_passes", seconds=30 * 86_400)
    assert requests.get(url, timeout=10).content == PNG
    assert corp.upload("media/uploadimg", PNG + bytes(2 << 20))["errcode"] == 40009


def test_attachments_have_doors_of_their_own(corp):
    attach = "media/upload_attachment"
    moment = corp.upload(attach, PNG, media_type="image", attachment_type=1)
    assert moment["errcode"] == 0
    assert corp.upload(attach, MP4, media_type="video", attachment_type=2)["errcode"] == 41072
    assert corp.upload(attach, PNG, media_type="image", attachment_type=9)["errcode"] == 41072
    assert corp.upload(attach, PNG + bytes(10 << 20), media_type="image", attachment_type=1)["errcode"] == 41080
    code = corp.act("customer_adds", userid=corp.sellers[0])["welcome_code"]
    wrong = [{"msgtype": "image", "image": {"media_id": moment["media_id"]}}]
    assert corp.post("externalcontact/send_welcome_msg", welcome_code=code, attachments=wrong)["errcode"] == 40007
