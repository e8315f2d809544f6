import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from scrm.up.__main__ import announcement
from scrm.up.folder import DataFolder, Fault, free_port, recall
from scrm.up.postgres import Postgres
from scrm.up.runner import Runner
from scrm.up.valkey import Valkey, ping

pytestmark = pytest.mark.long


def up(var: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make up` as a user types it, on a folder and ports of its own."""
    clean = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    ports = {"SCRM_PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    return subprocess.run(
        [sys.executable, "-m", "scrm.up"],
        env={**clean, **ports, "SCRM_DATA": str(var), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run(runner: Runner, postgres: Postgres) -> None:
    child = runner.start(postgres.program)
    runner.wait_for(child, lambda: postgres.is_ready(child.pid), seconds=60)
    postgres.make_database()


def query(url: str, sql: str) -> object:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone() if cursor.description else None
    connection.close()
    return row[0] if row else None


def test_the_embedded_database_keeps_its_data_and_finds_chinese(var):
    var.mkdir()
    first = Postgres(var, password="p", throw_away=True)
    first.prepare()
    with Runner(quiet=True) as runner:
        run(runner, first)
        query(first.url, "CREATE EXTENSION pg_trgm")
        query(first.url, "CREATE TABLE kept AS SELECT 1 AS one")
        assert query(first.url, "SELECT cardinality(show_trgm('企业微信'))") > 0

    second = Postgres(var, password="p", throw_away=True)
    second.prepare()
    with Runner(quiet=True) as runner:
        run(runner, second)
        assert query(second.url, "SELECT one FROM kept") == 1


def test_a_database_left_by_a_killed_runner_is_stopped_and_used_again(var):
    var.mkdir()
    left = Postgres(var, password="p", throw_away=True)
    left.prepare()
    runner = Runner(quiet=True)
    run(runner, left)
    orphan = runner.children[0].process

    again = Postgres(var, password="p", throw_away=True)
    again.prepare()

    assert orphan is not None
    assert orphan.wait(30) == 0
    with Runner(quiet=True) as runner:
        run(runner, again)


def test_the_embedded_valkey_answers_only_with_its_password(var):
    var.mkdir()
    server = Valkey(var, password="secret")
    server.prepare()
    with Runner(quiet=True) as runner:
        runner.wait_for(runner.start(server.program), server.is_ready, seconds=30)

        assert ping(server.url) is None
        assert "NOAUTH" in (ping(f"redis://127.0.0.1:{server.port}/0") or "")


@pytest.mark.parametrize(
    ("version", "line"),
    [("19", "was made by PostgreSQL 19, this is 18"), (None, "is not a database (no PG_VERSION)")],
)
def test_a_data_folder_that_cannot_be_used_is_named_in_one_line(var, version, line):
    folder = DataFolder(var)
    folder.open()
    folder.key_encryption_key()
    folder.close()
    (var / "postgres").mkdir()
    if version:
        (var / "postgres" / "PG_VERSION").write_text(version)

    stopped = up(var)

    assert stopped.returncode == 1
    assert stopped.stderr.startswith(f"up: {var}/postgres {line}")
    assert len(stopped.stderr.splitlines()) == 1


@pytest.mark.parametrize("variable", ["SCRM_PORT", "SANDBOX_PORT"])
def test_a_port_in_use_is_named_with_its_variable(var, variable):
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]

        stopped = up(var, **{variable: str(port)})

    assert (stopped.returncode, stopped.stderr) == (
        1,
        f"up: port {port} is in use: stop what listens there, or choose another with {variable}\n",
    )


def test_a_second_start_on_the_same_folder_says_who_runs(var):
    folder = DataFolder(var)
    folder.open()

    stopped = up(var)

    assert stopped.returncode == 1
    assert f"already running as process {os.getpid()}" in stopped.stderr


@pytest.mark.parametrize(
    ("variable", "url", "line"),
    [
        ("DATABASE_URL", "postgresql://scrm:hidden@127.0.0.1:1/x", "up: DATABASE_URL: cannot connect: "),
        ("REDIS_URL", "redis://:hidden@127.0.0.1:1/0", "up: REDIS_URL: cannot connect: "),
        ("REDIS_URL", "http://127.0.0.1", "up: REDIS_URL must start with redis://"),
        ("SCRM_PORT", "eighty", "up: SCRM_PORT=eighty is not a port number"),
    ],
)
def test_a_wrong_address_is_named_with_its_variable_and_without_its_password(var, variable, url, line):
    stopped = up(var, **{variable: url})

    assert stopped.stderr.splitlines()[-1].startswith(line)
    assert "hidden" not in stopped.stderr + stopped.stdout


def test_a_lost_key_is_not_replaced(var):
    DataFolder(var).open()
    (var / "postgres").mkdir()

    with pytest.raises(Fault, match="kek is gone"):
        DataFolder(var).key_encryption_key()


def test_secrets_are_made_once_and_for_us_alone(var):
    folder = DataFolder(var)
    folder.open()

    path = folder.key_encryption_key()

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == folder.key_encryption_key().read_text()


def test_commands_find_the_running_servers_unless_told_others(var, monkeypatch):
    folder = DataFolder(var)
    folder.open()
    folder.remember(
        {"DATABASE_URL": "postgresql://embedded/scrm", "REDIS_URL": "redis://embedded/0", "SCRM_KEK_FILE": "/x"}
    )
    monkeypatch.setenv("SCRM_DATA", str(var))
    environment = {"DATABASE_URL": "postgresql://own/scrm", "SCRM_KEK": "k1:own"}

    recall(environment)

    assert environment == {
        "DATABASE_URL": "postgresql://own/scrm",
        "REDIS_URL": "redis://embedded/0",
        "SCRM_KEK": "k1:own",
    }


def test_reset_leaves_a_folder_alone_that_is_not_ours(var):
    (var / "photos").mkdir(parents=True)

    left = subprocess.run(
        [sys.executable, "-m", "scrm.up.reset"],
        env={**os.environ, "SCRM_DATA": str(var)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert left.returncode == 1
    assert (var / "photos").exists()


def test_throw_away_servers_go_with_their_owner():
    code = (
        "import os; from scrm.up.throwaway import Throwaway\n"
        "print(Throwaway().environment['SCRM_DATA'], flush=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    folder = Path(killed.stdout.strip()).parent
    end = time.monotonic() + 20
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert killed.returncode == -signal.SIGKILL
    assert not folder.exists()


def test_without_a_demo_it_says_how_to_begin():
    vendor, company = announcement([], {"SCRM_PORT": "8000"})
    assert "http://ops.localhost:8000/" in vendor
    assert "ops_user_create NAME --role owner" in vendor
    assert "tenant_create SCHEMA --name NAME" in company
