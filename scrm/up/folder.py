"""The data folder (`var/`): what one installation keeps, its secrets, its ports, and who is running in it."""

import base64
import fcntl
import json
import os
import random
import secrets
import socket
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "environment.json"


class Fault(Exception):
    """What stops us, in one line that says what to do."""


def data_path() -> Path:
    return Path(os.environ.get("SCRM_DATA") or ROOT / "var").expanduser().resolve()


class DataFolder:
    """`var/`, held by one runner at a time."""

    MARK = ".scrm"

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or data_path()
        self._lock: int | None = None

    def open(self) -> None:
        """Make the folder ours, or say who has it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / self.MARK).touch()
            self._lock = os.open(self.path / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Fault(
                f"cannot write to {self.path} ({error.strerror}): set SCRM_DATA to a folder of yours"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Fault(
                f"already running as process {self.holder()} on {self.path}: stop that one first (Ctrl-C there)"
            ) from error
        os.truncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def holder(self) -> int:
        try:
            return int((self.path / "up.lock").read_text())
        except (OSError, ValueError):
            return 0

    @property
    def is_ours(self) -> bool:
        return (self.path / self.MARK).exists()

    # -- secrets -------------------------------------------------------------------------------------------------------

    def secret(self, name: str, make: str | None = None) -> Path:
        """The file that holds a secret, 0600, made at the first call."""
        path = self.path / "secrets" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            write_private(path, make or secrets.token_urlsafe(48))
        return path

    def key_encryption_key(self) -> Path:
        """The key over all tenants' keys. Losing it loses their secrets, so it is never replaced silently."""
        if not (self.path / "secrets" / "kek").exists() and (self.path / "postgres").exists():
            raise Fault(
                f"{self.path}/secrets/kek is gone but its database is there: bring the file back, or `make reset`"
            )
        return self.secret("kek", "k1:" + base64.b64encode(secrets.token_bytes(32)).decode())

    # -- ports of the embedded servers ---------------------------------------------------------------------------------

    def port(self, name: str) -> int:
        """The port this server had last time, or a new one when something else took it."""
        file = self.path / "ports.json"
        ports: dict[str, int] = read_json(file)
        if name not in ports or not port_is_free(ports[name]):
            ports[name] = free_port()
            file.write_text(json.dumps(ports))
        return ports[name]

    # -- what other commands need to reach the servers -----------------------------------------------------------------

    def remember(self, environment: dict[str, str]) -> None:
        write_private(self.path / ENVIRONMENT, json.dumps(environment, indent=1))


def recall(environ: MutableMapping[str, str]) -> None:
    """Give `manage.py` the servers and secrets of the last `make up`, where the environment does not name others."""
    for name, value in read_json(data_path() / ENVIRONMENT).items():
        plain = name.removesuffix("_FILE")
        if plain not in environ and f"{plain}_FILE" not in environ:
            environ[name] = value


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, and readable by us alone from the first byte."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.rename(path)


def port_is_free(port: int) -> bool:
    """Nobody answers there and we could bind it: macOS needs both questions."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Below 32768: from there up the kernel lends ports out, and a restart could find its own taken."""
    for port in random.sample(range(20000, 32768), 200):
        if port_is_free(port):
            return port
    raise Fault("no free port between 20000 and 32767")
