"""Servers of one benchmark: a Postgres that keeps what it commits, a Valkey that syncs every second."""

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scrm.up.folder import free_port
from scrm.up.postgres import Postgres
from scrm.up.runner import Program
from scrm.up.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]


class Busy(RuntimeError):
    """A port is taken: the answers would be a stranger's."""


class Servers:
    """`with Servers() as servers:` fresh servers in a folder of their own, gone at the end."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self.folder = Path(tempfile.mkdtemp(prefix="scrm-bench-")).resolve()
        self.folder.chmod(0o711)
        password = secrets.token_urlsafe(16)
        self.postgres = Postgres(self.folder, password=password)
        self.valkey = Valkey(self.folder, password=password)

    def __enter__(self) -> "Servers":
        try:
            self.postgres.prepare()
            self.valkey.prepare()
            self.start_valkey()
            self.start_postgres()
            self.postgres.make_database()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "SCRM_DATA": str(self.folder / "var"),
        }

    def stop_postgres(self, how: int = signal.SIGINT) -> None:
        """SIGINT ends it cleanly, SIGQUIT at once, as a crash would."""
        self.postgres_process.send_signal(how)
        self.postgres_process.wait(60)

    def start_postgres(self) -> None:
        self.postgres_process = self._start(self.postgres.program)
        wait_for(lambda: self.postgres.is_ready(self.postgres_process.pid), "Postgres")

    def start_valkey(self) -> None:
        self.valkey_process = self._start(self.valkey.program)
        wait_for(self.valkey.is_ready, "Valkey")

    def _start(self, program: Program) -> subprocess.Popen[bytes]:
        who: dict[str, Any] = {}
        if program.account:
            who = {"user": program.account[0], "group": program.account[1], "extra_groups": []}
        log = (self.folder / f"{program.name}.log").open("ab")
        process = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  before any thread of ours
            **who,
        )
        self._processes.append(process)
        return process

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        """One of our commands, to its end."""
        subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=os.environ | self.environment | dict(environment or {}),
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def serve(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        *,
        cwd: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """A server under test, once its port answers."""
        refuse_busy(port)
        log = (self.folder / f"{name}.log").open("ab")
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cwd,
            env=os.environ | self.environment | dict(environment or {}),
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  before any thread of ours
        )
        self._processes.append(process)
        try:
            wait_for(lambda: _answers(port), name, process)
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{(self.folder / f'{name}.log').read_text()[-2000:]}") from error
        return process


def web(
    servers: Servers, port: int, *, threads: int = 16, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """The web as it is really served."""
    return servers.serve("web", web_command(port, threads), port, environment=environment)


def web_command(port: int, threads: int = 16) -> list[str]:
    options = f"--interface wsgi --host 127.0.0.1 --port {port} --workers 1 --blocking-threads {threads} --no-ws"
    return [sys.executable, "-m", "granian", *options.split(), "scrm.wsgi:application"]


def die_with_parent() -> None:
    """Linux ends a server whose benchmark was killed; elsewhere it is left to its owner."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGTERM))  # PR_SET_PDEATHSIG


def new_port() -> int:
    return free_port()


def refuse_busy(port: int) -> None:
    if _answers(port):
        raise Busy(f"port {port} is taken by another server")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(ready: Callable[[], bool], name: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
    end = time.monotonic() + 60
    while not ready():
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{name} ended with {process.returncode}")
        if time.monotonic() > end:
            raise RuntimeError(f"{name} is not ready after a minute")
        time.sleep(0.05)


def stop(process: "subprocess.Popen[bytes]", number: int = signal.SIGINT) -> None:
    """Ends a process that we started, with all that it started."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
