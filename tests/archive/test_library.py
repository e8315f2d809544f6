"""The library's process may end, hang or be missing: the rest goes on."""

import os
import signal

import pytest
from django.conf import settings

from archive import access, lag, library, pull


def process():
    granted = access.access()
    return library.process_of(granted.corp_id, granted.secret)


def test_an_abort_of_the_library_is_survived(archive):
    archive.says("第一条")
    archive.pull()
    here = process()
    with pytest.raises(library.LibraryDied):
        here._ask(do="open", pairs=[["key", "short"]])  # what a message of under 13 characters does to it
    assert here.pid is None

    archive.says("第二条")
    archive.pull()
    assert archive.texts() == ["第一条", "第二条"]


def test_a_killed_library_is_started_again(archive):
    archive.says("第一条")
    archive.pull()
    os.kill(process().pid, signal.SIGKILL)

    archive.says("第二条")
    assert archive.pull()["code"] == 0
    assert archive.texts() == ["第一条", "第二条"]


def test_a_library_that_hangs_is_ended(archive, monkeypatch):
    archive.pull()
    monkeypatch.setattr(library, "PATIENCE", 0.3)
    os.kill(process().pid, signal.SIGSTOP)

    with pytest.raises(library.LibraryDied):
        process().pull(0)


def test_without_a_library_the_page_says_so(archive, owner, monkeypatch):
    monkeypatch.setattr(settings, "WECOM_FINANCE_SDK", "/nowhere/lib.so")
    library.end_all()

    told = archive.pull()

    assert told["code"] == pull.MISSING
    assert "服务器上没有企业微信会话存档组件" in owner.get("/console/settings/archive/").content.decode()


def test_an_expired_token_is_renewed_by_another_object(archive):
    archive.says("第一条")
    archive.pull()
    archive.sandbox.fault("errcode", "message/getchatdata", errcode=42001, times=1)

    archive.says("第二条")
    assert archive.pull()["code"] == 0
    assert archive.texts() == ["第一条", "第二条"]


@pytest.mark.parametrize(("code", "words"), [(301042, "可信 IP"), (301052, "过期"), (301053, "公钥"), (45009, "频繁")])
def test_a_refusal_is_told_in_words(archive, owner, code, words):
    archive.sandbox.fault("errcode", "message/getchatdata", errcode=code)

    assert archive.pull()["code"] == code

    assert words in str(lag.standing().reason)
    assert words in owner.get("/console/settings/archive/").content.decode()


def test_a_smaller_page_is_asked_for_where_the_edition_gives_less(archive):
    archive.set(most=100)
    archive.push(*(archive.text(f"第{number}条") for number in range(250)))

    assert archive.pull()["opened"] == 250
