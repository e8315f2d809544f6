"""Bad days on the wire: every one ends in a typed error, in bounded time and memory, and without a secret in sight."""

import http.client
import io
import logging
import resource
import socket
import sys
import time
import traceback
import zlib

import pytest

from tests.wecom.qyapi import SECRET, raw
from wecom import wire as wire_module
from wecom.client import MemoryTokens, WeComClient
from wecom.errors import (
    WeComError,
    WeComMisconfigured,
    WeComRateLimited,
    WeComRefused,
    WeComUnavailable,
    WeComUnknown,
)
from wecom.wire import Wire

READ = "externalcontact/list"
CREATE = "externalcontact/add_corp_tag"
MESSAGE = "message/send"
ONE_SHOT = "externalcontact/send_welcome_msg"
IDEMPOTENT = "externalcontact/mark_tag"


def body(content, status=200, **headers):
    return raw(lambda handler: handler.send_body(content, status, **headers))


@raw
def nothing(handler):
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


@raw
def reset_in_the_body(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"errcode":0')
    handler.close_connection = True


@raw
def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b"x" * 1024 * 1024)
    except OSError:
        pass


@raw
def endless_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.close_connection = True
    try:
        while True:
            handler.wfile.write(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
    except OSError:
        pass


def dripping(prefix):
    @raw
    def drip(handler):
        handler.close_connection = True
        try:
            handler.wfile.write(prefix)
            while True:
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)
        except OSError:
            pass

    return drip


@raw
def not_http(handler):
    handler.wfile.write(b"220 ftp ready\r\n")
    handler.close_connection = True


@raw
def too_many_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n")
    handler.close_connection = True


BROKEN = {
    "html": body(b"<html><body>502 Bad Gateway</body></html>"),
    "empty": body(b""),
    "invalid JSON": body(b'{"errcode":0,'),
    "a list": body(b"[]"),
    "null": body(b"null"),
    "errcode of words": body(b'{"errcode":"soon"}'),
    "errcode true": body(b'{"errcode":true}'),
    "deeply nested": body(b"[" * 100_000),
    "deep and lenient": body(b'{"a":"\x01",' + b'"a":[' * 100_000),
    "many parts": body(b'{"a":[' + b"[]," * 700_000 + b"[]]}"),
    "20 MB and more": body(b" " * (20 * 1024 * 1024 + 1)),
    "packed": body(zlib.compress(b"{}"), Content_Encoding="deflate"),
    "nothing": nothing,
    "cut": reset_in_the_body,
    "endless": endless,
    "endless chunks": endless_chunks,
    "not HTTP": not_http,
    "too many headers": too_many_headers,
}


@pytest.fixture(params=BROKEN)
def broken(request):
    return BROKEN[request.param]


@pytest.mark.parametrize("api", [READ, IDEMPOTENT])
def test_a_broken_answer_to_what_may_be_repeated_is_tried_later(qyapi, broken, api):
    qyapi.answers[api] = broken

    with pytest.raises(WeComUnavailable):
        qyapi.client().call(api)


@pytest.mark.parametrize("api", [CREATE, MESSAGE, ONE_SHOT])
def test_a_broken_answer_to_what_creates_is_unknown_and_made_once(qyapi, broken, api):
    qyapi.answers[api] = broken

    with pytest.raises(WeComUnknown):
        qyapi.client().call(api)

    assert qyapi.calls[api] == 1


def test_a_client_still_works_after_a_bad_answer(qyapi, broken):
    client = qyapi.client()
    qyapi.answers[READ] = broken
    with pytest.raises(WeComError):
        client.call(READ)

    assert client.call("user/get")["errcode"] == 0


def peak_megabytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)


def test_memory_stays_bounded(qyapi):
    client = qyapi.client()
    client.call("user/get")
    before = peak_megabytes()

    for broken in BROKEN.values():
        qyapi.answers[READ] = broken
        with pytest.raises(WeComError):
            client.call(READ)

    assert peak_megabytes() - before < 256


@pytest.mark.parametrize(
    "prefix",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
    ],
    ids=["status line", "header", "body", "announced body", "chunk"],
)
def test_a_server_that_drips_is_left_at_the_deadline(qyapi, prefix):
    client = qyapi.client()
    client.check_token()
    qyapi.answers[READ] = dripping(prefix)
    begun = time.monotonic()

    with pytest.raises(WeComUnavailable, match="time-out"):
        client.call(READ, timeout=0.6)

    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("api", "error"),
    [(READ, WeComUnavailable), (IDEMPOTENT, WeComUnavailable), (CREATE, WeComUnknown), (ONE_SHOT, WeComUnknown)],
)
def test_silence_after_sending_is_unknown_only_where_a_repeat_would_harm(qyapi, api, error):
    client = qyapi.client()
    client.check_token()
    qyapi.answers[api] = raw(lambda _: time.sleep(1))

    with pytest.raises(error) as caught:
        client.call(api, timeout=0.3)

    assert type(caught.value) is error
    assert qyapi.calls[api] == 1


def _unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("api", [READ, CREATE, ONE_SHOT, MESSAGE])
def test_a_refused_connection_did_nothing(qyapi, api):
    tokens = MemoryTokens()
    tokens.put("app-1", "t", 60)
    client = WeComClient(qyapi.client().app, tokens, http=Wire(f"http://127.0.0.1:{_unused_port()}"))

    with pytest.raises(WeComUnavailable, match="refused"):
        client.call(api)


def test_a_name_that_does_not_resolve_did_nothing(qyapi):
    wire = Wire("http://wecom.invalid", trusted_hosts=frozenset({"wecom.invalid"}))

    with pytest.raises(WeComUnavailable, match="not resolved"):
        WeComClient(qyapi.client().app, MemoryTokens(), http=wire).call(CREATE)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("api", [READ, CREATE])
def test_redirects_are_not_followed(qyapi, api, status):
    qyapi.answers[api] = body(b"", status, Location=f"{qyapi.base_url}/cgi-bin/elsewhere")

    with pytest.raises(WeComUnavailable, match="redirect"):
        qyapi.client().call(api)

    assert qyapi.calls["elsewhere"] == 0


@pytest.mark.parametrize(
    ("status", "api", "error"),
    [
        (500, READ, WeComUnavailable),
        (502, IDEMPOTENT, WeComUnavailable),
        (502, ONE_SHOT, WeComUnavailable),
        (502, CREATE, WeComUnknown),
        (504, MESSAGE, WeComUnknown),
        (503, CREATE, WeComUnavailable),
        (429, CREATE, WeComRateLimited),
        (404, READ, WeComMisconfigured),
        (403, CREATE, WeComMisconfigured),
    ],
)
def test_http_errors_become_families(qyapi, status, api, error):
    qyapi.answers[api] = body(b"<html>no</html>", status)

    with pytest.raises(error) as caught:
        qyapi.client().call(api)

    assert type(caught.value) is error
    assert caught.value.code == status


def test_a_refusal_of_wecom_counts_whatever_the_http_status(qyapi):
    qyapi.answers[CREATE] = body(b'{"errcode":40071,"errmsg":"name exists"}', 500)

    with pytest.raises(WeComRefused) as caught:
        qyapi.client().call(CREATE)

    assert caught.value.code == 40071


def test_connections_are_kept_and_a_dead_one_is_replaced(qyapi, monkeypatch):
    opened = []
    connect = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kw: opened.append(args) or connect(*args, **kw))
    client = qyapi.client()
    for _ in range(5):
        client.call("user/get")
    assert len(opened) == 1
    qyapi.answers["user/get"] = body(b'{"errcode":0}', Connection="close")
    client.call("user/get")

    client.call(CREATE)

    assert len(opened) == 2


def test_a_read_on_a_connection_that_the_server_gave_up_is_made_again(qyapi, monkeypatch):
    monkeypatch.setattr(wire_module._Connection, "is_alive", lambda _: True)
    client = qyapi.client()
    client.check_token()
    seen = []

    @raw
    def drop_first(handler):
        seen.append(1)
        if len(seen) == 1:
            nothing(handler)
        else:
            handler.send_json({"errcode": 0, "external_userid": []})

    qyapi.answers[READ] = drop_first

    assert client.customer_ids("chenmei") == []
    assert len(seen) == 2


def test_a_forked_worker_opens_its_own_connections(qyapi):
    wire = Wire(qyapi.base_url)
    wire.request("GET", "/cgi-bin/user/get", None)
    assert len(wire._idle) == 1

    wire._owner -= 1  # as in a child, whose process id is another

    assert wire.request("GET", "/cgi-bin/user/get", None).status == 200


SECRETIVE = {
    "refused by WeCom": lambda q: {
        "errcode": 40058,
        "errmsg": f"bad, token {q['access_token']} of {SECRET}, hint: [1]",
    },
    "broken": body(b"<html>"),
    "nothing": nothing,
    "server error": body(b"", 500),
    "not HTTP": not_http,
}


@pytest.mark.parametrize("name", SECRETIVE)
def test_no_token_or_secret_is_seen_in_errors_and_logs(qyapi, caplog, capfd, name, monkeypatch):
    caplog.set_level(logging.DEBUG)
    answer = SECRETIVE[name]
    qyapi.answers[READ] = answer if getattr(answer, "raw", False) else lambda query, _: answer(query)
    client = qyapi.client()

    with pytest.raises(WeComError) as caught:
        client.call(READ, {"userid": "chenmei"})

    shown = io.StringIO()
    traceback.print_exception(caught.value, file=shown)
    chain = [caught.value]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    everything = shown.getvalue() + caplog.text + "".join(capfd.readouterr()) + repr(client) + repr(chain)
    assert "token-1" not in everything
    assert SECRET not in everything


def test_a_wrong_secret_is_not_shown_either(qyapi, caplog):
    caplog.set_level(logging.DEBUG)
    qyapi.answers["gettoken"] = {"errcode": 40001, "errmsg": f"invalid credential {SECRET}"}

    with pytest.raises(WeComMisconfigured) as caught:
        qyapi.client().check_token()

    assert SECRET not in repr(caught.value) + str(caught.value) + caplog.text


def test_a_payload_that_is_no_json_is_named_without_its_content(qyapi):
    with pytest.raises(ValueError, match="externalcontact/remark: the payload is not JSON"):
        qyapi.client().call("externalcontact/remark", {"remark": object()})


def test_the_library_underneath_is_silent():
    assert http.client.HTTPConnection.debuglevel == 0
