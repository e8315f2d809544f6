"""`python -m benchmarks.fanout.stub PORT`: WeCom as far as a broadcast asks it; GET /counted tells who got it."""

import itertools
import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_numbers, _lock = itertools.count(1), threading.Lock()
_made: dict[str, dict[str, Any]] = {}


def add(body: dict[str, Any]) -> dict[str, Any]:
    with _lock:
        msgid = f"m{next(_numbers)}"
        _made[msgid] = {**body, "at": int(time.time())}
    return {"msgid": msgid, "fail_list": []}


def listed(body: dict[str, Any]) -> dict[str, Any]:
    start = int(body.get("cursor") or 0)
    rows = [
        {"msgid": msgid, "create_time": one["at"], "create_type": 0, "text": one.get("text"), "attachments": []}
        for msgid, one in list(_made.items())
        if one["at"] >= body["start_time"]
    ]
    more = str(start + 100) if start + 100 < len(rows) else ""
    return {"group_msg_list": rows[start : start + 100], "next_cursor": more}


def tasks(body: dict[str, Any]) -> dict[str, Any]:
    return {"task_list": [{"userid": _made[body["msgid"]]["sender"], "status": 0}]}


def results(body: dict[str, Any]) -> dict[str, Any]:
    people = _made[body["msgid"]]["external_userid"][:1000]
    return {"send_list": [{"external_userid": one, "userid": body["userid"], "status": 0} for one in people]}


APIS = {
    "add_msg_template": add,
    "get_groupmsg_list_v2": listed,
    "get_groupmsg_task": tasks,
    "get_groupmsg_send_result": results,
}


class Stub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

    def do_GET(self) -> None:
        if self.path == "/counted":
            people = Counter(
                (one["text"]["content"], who) for one in list(_made.values()) for who in one["external_userid"]
            )
            told = {"people": len(people), "twice": sum(count > 1 for count in people.values()), "calls": len(_made)}
            return self._answer(told)
        return self._answer({"access_token": "stub", "expires_in": 7200})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        api = self.path.partition("?")[0].rpartition("/")[2]
        self._answer(APIS[api](body) if api in APIS else {})

    def _answer(self, told: dict[str, Any]) -> None:
        answer = json.dumps({"errcode": 0, "errmsg": "ok", **told}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing: the output is the benchmark's."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stub).serve_forever()
