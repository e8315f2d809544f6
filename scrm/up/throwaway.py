"""Servers for one test run or benchmark: nothing durable, gone when their owner is, however it ends.

`python -m scrm.up.throwaway` prints one JSON line of environment variables once they answer, and lives until its stdin
is closed: the kernel closes it even for an owner that was killed.
"""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scrm.up.folder import Fault
from scrm.up.postgres import Postgres
from scrm.up.runner import Interrupted, Runner
from scrm.up.valkey import Valkey


class Throwaway:
    """The owner's side: `environment` names the servers, `close()` ends them."""

    def __init__(self) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "scrm.up.throwaway"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
        )
        assert self._keeper.stdout is not None
        line = self._keeper.stdout.readline()
        if not line:
            raise Fault("the throw-away servers did not start; the reason stands above")
        self.environment: dict[str, str] = json.loads(line)

    def close(self) -> None:
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(30)


def keep() -> None:
    folder = Path(tempfile.mkdtemp(prefix="scrm-throwaway-")).resolve()
    folder.chmod(0o711)  # the server's account must pass when root runs this
    try:
        with Runner(quiet=True, until_closed=sys.stdin.buffer) as runner:
            password = secrets.token_urlsafe(16)
            postgres = Postgres(folder, password=password, throw_away=True)
            valkey = Valkey(folder, password=password, throw_away=True)
            postgres.prepare()
            valkey.prepare()
            child, other = runner.start(postgres.program), runner.start(valkey.program)
            runner.wait_for(child, lambda: postgres.is_ready(child.pid), seconds=60)
            runner.wait_for(other, valkey.is_ready, seconds=60)
            postgres.make_database()
            print(
                json.dumps({"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url, "SCRM_DATA": str(folder / "var")}),
                flush=True,
            )
            runner.forever()
    except Interrupted:
        pass
    except Fault as fault:
        sys.exit(f"throw-away servers: {fault}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    keep()
