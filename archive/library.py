"""WeCom's native archive library, kept at arm's length: a process of its own for each company and secret.

Whatever it does to that process (abort, hang, exit) is an error here and nothing more; the next call starts another.
"""

import atexit
import importlib.util
import logging
import os
import platform
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from archive.sdk import read_frame, write_frame

logger = logging.getLogger(__name__)

PACKAGES = {
    ("pyweworkfinance", "x86_64"): "libs/linux/libWeWorkFinanceSdk_C_x86.so",
    ("pyweworkfinance", "aarch64"): "libs/linux/libWeWorkFinanceSdk_C_arm.so",
    ("pywecomarchive", "x86_64"): "lib/linux/x86_64/libWeWorkFinanceSdk_C.so",
}
NETWORK_SECONDS = 10  # of one call of the library
PATIENCE = 25.0  # until the process of a call that does not come back is ended
MOST_PROCESSES = 4
SHORTEST, LONGEST = 64, 16 << 20  # of a sealed message: others are none, and under 13 the library aborts
BAD_PARAMETER = 10000
LIMIT = 1000  # of one pull (wecom-api.md 7.2)


class LibraryMissing(RuntimeError):
    """There is no library on this machine: the extra `archive` is not installed and WECOM_FINANCE_SDK names no file."""


class LibraryDied(RuntimeError):
    """The library's process ended or hung in the middle of a call."""


def find() -> Path | None:
    """The library's file: WECOM_FINANCE_SDK, or with `auto` (or nothing) that of an installed package."""
    named = settings.WECOM_FINANCE_SDK
    if named and named != "auto":
        path = Path(named)
        return path if path.is_file() else None
    if sys.platform != "linux":
        return None
    for (package, machine), inside in PACKAGES.items():
        spec = importlib.util.find_spec(package) if machine == platform.machine() else None
        if spec is not None and spec.origin and (path := Path(spec.origin).parent / inside).is_file():
            return path
    return None


def is_sealed(key: str, message: str) -> bool:
    """Whether these can be a key and a message: the library takes C strings, and is not careful with short ones."""
    return SHORTEST <= len(message) <= LONGEST and bool(key) and (key + message).isascii() and "\0" not in key + message


@dataclass(frozen=True, slots=True)
class Page:
    code: int  # of the library; 0 does not mean success, the text may hold an errcode
    text: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """A block of a file; `index` names the next one, `last` that there is none."""

    code: int
    index: str
    last: bool
    body: bytes


class Process:
    """The library's process for one company. One call at a time; it is started when it is needed."""

    def __init__(self, corp_id: str, secret: str) -> None:
        self._corp_id, self._secret = corp_id, secret
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def pull(self, seq: int, limit: int = LIMIT) -> Page:
        """Messages after that seq, as WeCom's JSON."""
        head, body = self._ask(do="pull", seq=seq, limit=limit, seconds=NETWORK_SECONDS)
        return Page(int(head["code"]), body)

    def open(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, str]]:
        """(code, plaintext) of each (key, message). Those that are none are never shown to the library."""
        good = [place for place, (key, message) in enumerate(pairs) if is_sealed(key, message)]
        answers = [(BAD_PARAMETER, "")] * len(pairs)
        if good:
            head, _ = self._ask(do="open", pairs=[list(pairs[place]) for place in good])
            for place, (code, text) in zip(good, head["opened"], strict=True):
                answers[place] = int(code), str(text)
        return answers

    def piece(self, fileid: str, index: str) -> Piece:
        head, body = self._ask(do="media", index=index, fileid=fileid, seconds=NETWORK_SECONDS)
        return Piece(int(head["code"]), str(head.get("index", "")), bool(head.get("last")), body)

    def renew(self) -> None:
        """Another object: the library fetches no new token after WeCom refused the one it has (42001)."""
        self.end()

    def end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()

    # -- the line ------------------------------------------------------------------------------------------------------

    def _ask(self, **wish: Any) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            if self.pid is None:
                self.end()
                self._start()
            return self._exchange(wish)

    def _start(self) -> None:
        path = find()
        if path is None:
            raise LibraryMissing("no archive library: install the extra `archive`, or set WECOM_FINANCE_SDK")
        self._child = subprocess.Popen(
            [sys.executable, "-m", "archive.sdk", str(path)],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},  # none of our secrets
        )
        proxy = settings.WECOM_FINANCE_PROXY
        head, _ = self._exchange({"do": "init", "corp_id": self._corp_id, "secret": self._secret, "proxy": proxy})
        if head["code"]:
            self.end()
            raise LibraryDied(f"the library refuses to start: {head['code']}")

    def _exchange(self, wish: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise LibraryDied("the library's process is gone")
        watch = threading.Timer(PATIENCE, child.kill)
        watch.daemon = True
        watch.start()
        try:
            write_frame(child.stdin, orjson.dumps(wish))
            child.stdin.flush()
            head, body = read_frame(child.stdout), b""
            if head:
                body = read_frame(child.stdout)
        except (OSError, ValueError):
            head = b""
        finally:
            watch.cancel()
        if not head:
            self.end()
            raise LibraryDied(f"the library's process ended ({child.returncode}) in {wish['do']}")
        return orjson.loads(head), body


class _Processes:
    """The processes of this process of ours: those of a worker that was forked off are its parent's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[tuple[int, str, str, str], Process] = OrderedDict()

    def of(self, corp_id: str, secret: str) -> Process:
        key = (os.getpid(), corp_id, secret, settings.WECOM_FINANCE_PROXY)
        with self._lock:
            if key not in self._found:
                self._found[key] = Process(corp_id, secret)
            self._found.move_to_end(key)
            while len(self._found) > MOST_PROCESSES:
                (pid, *_), old = self._found.popitem(last=False)
                if pid == os.getpid():
                    old.end()
            return self._found[key]

    def end(self) -> None:
        with self._lock:
            for (pid, *_), process in self._found.items():
                if pid == os.getpid():
                    process.end()
            self._found.clear()


_processes = _Processes()
process_of = _processes.of
end_all = _processes.end
atexit.register(end_all)
