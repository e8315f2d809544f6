"""Bad days on demand, and a process that starts, keeps and stops as promised."""

import subprocess
import sys
import threading
import time

import pytest
import requests

from tests.sandbox.lab import ROOT, Sandbox

API = "getcallbackip"


def call(corp, timeout=5, api=API):
    return requests.get(
        f"{corp.sandbox.url}/cgi-bin/{api}", params={"access_token": corp.token}, timeout=timeout, allow_redirects=False
    )


def test_answers_fall_ill_as_often_as_asked(corp):
    corp.fault(api=API, kind="5xx", status=503, times=2)
    assert [call(corp).status_code for _ in range(3)] == [503, 503, 200]
    corp.fault(api="get*ip", kind="errcode", errcode=45009, times=1)
    assert [call(corp).json()["errcode"] for _ in range(2)] == [45009, 0]
    corp.fault(kind="html", times=1)
    assert "<html>" in call(corp).text
    corp.fault(kind="empty", times=1)
    assert call(corp).content == b""
    corp.fault(kind="redirect", times=1, location="http://127.0.0.1:9/x")
    assert call(corp).headers["location"] == "http://127.0.0.1:9/x"
    corp.fault(kind="bad_json", times=1)
    with pytest.raises(ValueError):
        call(corp).json()
    corp.fault(kind="huge", size=3, times=1)
    assert len(call(corp).content) > 3 << 20


def test_connections_break_hang_and_drip(corp):
    corp.fault(kind="drop", times=1)
    with pytest.raises(requests.RequestException):
        call(corp)
    corp.fault(kind="timeout", delay=2, times=1)
    with pytest.raises(requests.Timeout):
        call(corp, timeout=0.2)
    corp.fault(kind="slow", delay=0.3, times=1)
    started = time.monotonic()
    assert call(corp).json()["errcode"] == 0
    assert time.monotonic() - started >= 0.3
    corp.fault(kind="slowloris", delay=2, times=1)
    started = time.monotonic()
    assert call(corp, timeout=1.5).json()["errcode"] == 0  # no single read waits that long
    assert time.monotonic() - started > 1.5


def test_a_lost_answer_may_hide_an_effect(corp):
    userid, external_userid = corp.pair()
    body = {"userid": userid, "external_userid": external_userid}
    corp.fault(api="externalcontact/remark", kind="5xx", times=1)
    corp.fault(api="externalcontact/remark", kind="5xx", executed=True, times=1)
    url = f"{corp.sandbox.url}/cgi-bin/externalcontact/remark?access_token={corp.token}"
    assert requests.post(url, json=body | {"remark": "没有到"}, timeout=5).status_code == 502
    assert requests.post(url, json=body | {"remark": "到了"}, timeout=5).status_code == 502
    effects = corp.sandbox.get("/_sandbox/effects", corp_id=corp.id, kind="remark")["effects"]
    assert [effect["remark"] for effect in effects] == ["到了"]


def test_calls_are_logged_without_secrets_and_counted(corp):
    corp.post("externalcontact/get_corp_tag_list", tag_id=["etNone"])
    seen = corp.sandbox.get("/_sandbox/calls", corp_id=corp.id)
    assert seen["counts"]["externalcontact/get_corp_tag_list"] == {"0": 1}
    assert seen["calls"][-1]["body"] == '{"tag_id": ["etNone"]}'
    assert corp.token not in str(seen)
    assert corp.view["secret"] not in str(seen)
    assert seen["most_at_once"]["gettoken"] == 1


def test_faults_are_named_listed_and_removed(corp):
    assert "kind must be one of" in corp.fault(kind="flood")["error"]
    number = corp.fault(kind="5xx", api=API)["id"]
    listed = corp.sandbox.get("/_sandbox/faults")["faults"]
    assert any(fault["id"] == number for fault in listed)
    requests.delete(f"{corp.sandbox.url}/_sandbox/faults", params={"id": number}, timeout=5)
    assert call(corp).status_code == 200


def test_a_restart_keeps_the_corp_and_a_closed_port_opens_again(tmp_path):
    options = ("--data", str(tmp_path), "--customers", "30", "--groups", "2", "--staff", "6", "--corp-id", "wwkept")
    first = Sandbox(*options)
    assert first.greeting.startswith("sandbox ready: ")
    secret = first.get("/_sandbox/corps")["corps"][0]["secret"]
    staff = first.get("/_sandbox/corps/wwkept/staff")["staff"]
    userid = next(member["userid"] for member in staff if member["customer_contact"])
    added = first.post("/_sandbox/acts", act="customer_adds", userid=userid, name="留下来的人")
    token = first.get("/cgi-bin/gettoken", corpid="wwkept", corpsecret=secret)["access_token"]
    first.post("/_sandbox/faults", kind="refuse", delay=0.5)
    time.sleep(0.3)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{first.url}/_sandbox/health", timeout=1)
    time.sleep(0.7)
    assert first.get("/_sandbox/health")["ok"]
    busy = subprocess.run(
        [sys.executable, "-m", "sandbox", "--memory", "--no-corp", "--port", str(first.port)],
        cwd=ROOT, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (busy.returncode, busy.stderr.count("\n")) == (1, 1)
    assert str(first.port) in busy.stderr
    small = {"corp_id": "wwsmall", "staff": 6, "customers": 20, "groups": 1}
    first.post("/_sandbox/corps", **small)
    time.sleep(1.2)  # saved, before it is made anew
    first.post("/_sandbox/corps", **small | {"customers": 4, "seed": 9}, replace=True)
    truth = first.get("/_sandbox/corps/wwkept/truth")
    first.post("/_sandbox/faults", kind="timeout", api="gettoken", delay=60)
    hanging = threading.Thread(target=lambda: first.hang("/cgi-bin/gettoken"), daemon=True)
    hanging.start()
    time.sleep(0.2)
    assert first.stop() == 0
    second = Sandbox(*options)
    try:
        assert second.get("/_sandbox/corps/wwkept/truth") == truth
        assert len(second.get("/_sandbox/corps/wwsmall/truth")["customers"]) == 4
        answer = second.get(
            "/cgi-bin/externalcontact/get", access_token=token, external_userid=added["external_userid"]
        )
        assert answer["external_contact"]["name"] == "留下来的人"
    finally:
        second.stop()
