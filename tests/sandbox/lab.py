"""What the tests of the sandbox hold it with: its process, a corp of their own, a callback address."""

import base64
import contextlib
import hashlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lxml import etree

ROOT = Path(__file__).parents[2]
TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(64)
numbers = itertools.count(1)


def free_port():
    """A port below the range the kernel hands out to clients."""
    while True:
        port = 20_000 + int.from_bytes(os.urandom(2), "big") % 12_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Sandbox:
    def __init__(self, *arguments):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "sandbox", "--port", str(self.port), *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.greeting = self.process.stdout.readline()

    def get(self, path, **query):
        return requests.get(self.url + path, params=query, timeout=20).json()

    def post(self, path, **body):
        return requests.post(self.url + path, json=body, timeout=60).json()

    def hang(self, path):
        """A call nobody waits for the answer of."""
        with contextlib.suppress(requests.RequestException):
            requests.get(self.url + path, timeout=20)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


class Corp:
    """A small corp of its own for one test."""

    def __init__(self, sandbox, **wish):
        self.sandbox = sandbox
        self.id = f"ww{next(numbers):016x}"
        wish = {"staff": 6, "customers": 60, "groups": 4, "seed": 3} | wish
        self.view = sandbox.post("/_sandbox/corps", corp_id=self.id, **wish)
        self.token = self.gettoken()["access_token"]
        self.sellers = self.get("externalcontact/get_follow_user_list")["follow_user"]

    def gettoken(self, secret=None):
        return self.sandbox.get("/cgi-bin/gettoken", corpid=self.id, corpsecret=secret or self.view["secret"])

    def get(self, api, token=None, **query):
        return self.sandbox.get(f"/cgi-bin/{api}", access_token=token or self.token, **query)

    def post(self, api, token=None, **body):
        url = f"{self.sandbox.url}/cgi-bin/{api}"
        return requests.post(url, params={"access_token": token or self.token}, json=body, timeout=20).json()

    def upload(self, api, body, filename="a.png", **query):
        """What an upload answers; the file is in the field `media`, as WeCom wants it."""
        url = f"{self.sandbox.url}/cgi-bin/{api}"
        files = {"media": (filename, body, "application/octet-stream")}
        return requests.post(url, params={"access_token": self.token} | query, files=files, timeout=20).json()

    def file(self, kind="image", body=PNG):
        """The media_id of a fresh file."""
        return self.upload("media/upload", body, f"a.{kind}", type=kind)["media_id"]

    def look(self, name, **query):
        return self.sandbox.get(f"/_sandbox/corps/{self.id}/{name}", **query)

    def said(self, userid, external_userid):
        """What the two have said, without WeCom's grey lines."""
        found = self.look("messages", userid=userid, external_userid=external_userid)["messages"]
        return [message for message in found if message["kind"] != "notice"]

    def change(self, **wish):
        return requests.patch(f"{self.sandbox.url}/_sandbox/corps/{self.id}", json=wish, timeout=20).json()

    def act(self, act, **wish):
        answer = self.sandbox.post("/_sandbox/acts", corp_id=self.id, act=act, **wish)
        assert answer.get("ok"), answer
        return answer

    def fault(self, **wish):
        return self.sandbox.post("/_sandbox/faults", corp_id=self.id, **wish)

    def listen(self, receiver, **wish):
        return self.sandbox.post(
            f"/_sandbox/corps/{self.id}/callback", url=receiver.url, token=TOKEN, aes_key=AES_KEY, **wish
        )

    def pair(self):
        """Some (userid, external_userid)."""
        for userid in self.sellers:
            found = self.get("externalcontact/list", userid=userid)
            if found["errcode"] == 0:
                return userid, found["external_userid"][-1]
        raise AssertionError("nobody has customers")


def sign(*parts):
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def unseal(encrypted):
    """(message, receiveid), by code that is not the sandbox's."""
    key = base64.b64decode(AES_KEY + "=")
    machine = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
    raw = machine.update(base64.b64decode(encrypted)) + machine.finalize()
    assert len(raw) % 32 == 0
    raw = raw[: -raw[-1]]
    end = 20 + int.from_bytes(raw[16:20], "big")
    return raw[20:end], raw[end:].decode()


class Receiver:
    """A callback address: checks signatures, keeps events, answers what it is told to."""

    def __init__(self):
        self.events, self.receive_ids, self.hits = [], set(), []
        self.script = []  # what to do with the next posts: a status, or seconds to sleep
        self.word = b""  # the body of every answer
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/wecom/callback/x1/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def handler(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                right = sign(TOKEN, query["timestamp"], query["nonce"], query["echostr"])
                assert right == query["msg_signature"]
                self.answer(200, unseal(query["echostr"])[0])

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                encrypted = etree.fromstring(body).findtext("Encrypt")
                assert sign(TOKEN, query["timestamp"], query["nonce"], encrypted) == query["msg_signature"]
                with receiver.lock:
                    step = receiver.script.pop(0) if receiver.script else 200
                    receiver.hits.append(time.monotonic())
                if isinstance(step, float):
                    time.sleep(step)
                    step = 200
                if step == 200:
                    message, receive_id = unseal(encrypted)
                    receiver.receive_ids.add(receive_id)
                    receiver.events.append(etree.fromstring(message))
                self.answer(step, receiver.word)

            def log_message(self, *arguments):
                pass

        return Handler

    def fields(self):
        return [{cell.tag: cell.text for cell in event} for event in self.events]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
