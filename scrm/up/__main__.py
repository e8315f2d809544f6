"""`make up`: servers, sandbox, web, workers and scheduler, with a demo tenant. Ctrl-C stops everything."""

import http.client
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from scrm.up import valkey
from scrm.up.folder import ROOT, DataFolder, Fault, port_is_free
from scrm.up.postgres import Postgres, wait_for_external
from scrm.up.runner import Interrupted, Program, Runner, end_leftovers
from scrm.up.valkey import Valkey

PYTHON = sys.executable
MANAGE = ".venv/bin/python manage.py"
# --quiet: no banner. Root may run it here: tasks are JSON, which Celery's warning about root is not about
CELERY = (PYTHON, "-W", "ignore:You're running the worker", "-m", "celery", "--app", "scrm.celery", "--quiet", "worker")


def main() -> None:
    os.chdir(ROOT)
    folder = DataFolder()
    try:
        folder.open()
        end_leftovers(folder.path / "run.json")
        with Runner(record=folder.path / "run.json") as runner:
            up(runner, folder)
    except Interrupted:
        print("stopped", flush=True)
    except Fault as fault:
        sys.exit(f"up: {fault}")


def up(runner: Runner, folder: DataFolder) -> None:
    began = time.monotonic()
    ports = {"SCRM_PORT": port("SCRM_PORT", 8000)}
    sandbox_wanted = os.environ.get("SANDBOX", "1") != "0"
    if sandbox_wanted:
        ports["SANDBOX_PORT"] = port("SANDBOX_PORT", 8100)
    for variable, number in ports.items():
        if not port_is_free(number):
            raise Fault(f"port {number} is in use: stop what listens there, or choose another with {variable}")

    environment = surroundings(folder, ports)
    environment |= start_servers(runner, folder)
    os.environ.update(environment)
    folder.remember(environment)

    if sandbox_wanted:
        start_sandbox(runner, folder, ports["SANDBOX_PORT"])
    runner.run(
        manage("migrate", "migrate_all"),
        manage("messages", "messages", "--compile"),
        manage("static", "collectstatic", "--noinput", "--verbosity", "0"),
    )
    start_application(runner, ports["SCRM_PORT"])
    if os.environ.get("SCRM_SEED", "1") != "0" and os.environ.get("SANDBOX_URL"):
        seed(runner)
    for line in announcement(runner.collected, os.environ):
        print(f"ready: {line}", flush=True)
    runner.say("up", f"everything runs after {time.monotonic() - began:.0f} s; Ctrl-C stops it")
    runner.forever()


def seed(runner: Runner) -> None:
    """A demo that can't be made is said and does not take the companies down that are there."""
    try:
        runner.run(manage("seed", "seed_demo"))
    except Fault as fault:
        runner.say("up", f"no demo company: {fault}", alarm=True)


def port(variable: str, default: int) -> int:
    value = os.environ.get(variable) or str(default)
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise Fault(f"{variable}={value} is not a port number")
    return int(value)


def surroundings(folder: DataFolder, ports: Mapping[str, int]) -> dict[str, str]:
    """What every process of ours is told; a variable that the user set stays as it is."""
    told = {"SCRM_DATA": str(folder.path), "SCRM_PORT": str(ports["SCRM_PORT"]), "PYTHONUNBUFFERED": "1"}
    if not is_set("SCRM_KEK"):
        told["SCRM_KEK_FILE"] = str(folder.key_encryption_key())
    if not is_set("SCRM_SECRET_KEY"):
        told["SCRM_SECRET_KEY_FILE"] = str(folder.secret("secret_key"))
    if "SANDBOX_PORT" in ports:
        addresses = sandbox_addresses("127.0.0.1", ports["SANDBOX_PORT"])
        told |= {"SANDBOX_PORT": str(ports["SANDBOX_PORT"]), "SANDBOX_URL": addresses.pop("SANDBOX_URL")}
        told |= {name: address for name, address in addresses.items() if not is_set(name)}
    return told


def sandbox_addresses(host: str, number: int) -> dict[str, str]:
    """All that the product calls at WeCom, and where it sends browsers, at the imitation."""
    address = f"http://{host}:{number}"
    of_wecom = dict.fromkeys(("WECOM_API_BASE", "WECOM_OAUTH_BASE", "WECOM_INSTALL_BASE"), address)
    # the archive library knows one WeCom only: it comes here by a proxy
    return {"SANDBOX_URL": address, **of_wecom, "WECOM_FINANCE_PROXY": f"http://{host}:{number + 1}"}


def is_set(variable: str) -> bool:
    return bool(os.environ.get(variable) or os.environ.get(f"{variable}_FILE"))


def from_environment(variable: str) -> str | None:
    if path := os.environ.get(f"{variable}_FILE"):
        try:
            with open(path) as file:
                return file.read().strip()
        except OSError as error:
            raise Fault(f"{variable}_FILE: {error.strerror}: {path}") from error
    return os.environ.get(variable)


# -- programs ----------------------------------------------------------------------------------------------------------


def start_servers(runner: Runner, folder: DataFolder) -> dict[str, str]:
    """The embedded servers, or the user's own where a URL names them."""
    urls = {}
    if url := from_environment("DATABASE_URL"):
        wait_for_external(url)
    else:
        password = folder.secret("postgres").read_text()
        postgres = Postgres(folder.path, password=password, port=folder.port("postgres"))
        postgres.prepare()
        child = runner.start(postgres.program)
        runner.wait_for(
            child, lambda: postgres.is_ready(child.pid), seconds=300
        )  # recovery after a crash takes its time
        postgres.make_database()
        urls["DATABASE_URL"] = postgres.url
    if url := from_environment("REDIS_URL"):
        valkey.check_external(url)
    else:
        server = Valkey(folder.path, password=folder.secret("valkey").read_text(), port=folder.port("valkey"))
        server.prepare()
        runner.wait_for(runner.start(server.program), server.is_ready, seconds=60)
        urls["REDIS_URL"] = server.url
    return urls


def start_sandbox(runner: Runner, folder: DataFolder, number: int) -> None:
    command = (PYTHON, "-m", "sandbox", "--port", str(number), "--data", str(folder.path / "sandbox"))
    child = runner.start(Program("sandbox", command))
    runner.wait_for(child, lambda: not port_is_free(number), seconds=60)


def start_application(runner: Runner, number: int) -> None:
    granian = (
        PYTHON,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        os.environ.get("SCRM_BIND", "127.0.0.1"),
        "--port",
        str(number),
    )
    threads = (
        "--workers",
        "1",
        "--blocking-threads",
        "16",
        "--no-ws",
        "--respawn-failed-workers",
        "--workers-kill-timeout",
        "10s",
    )
    web = runner.start(
        Program("web", (*granian, *threads, "scrm.wsgi:application"), stage=3, hide="Python threads, which seems")
    )
    runner.start(Program("urgent", worker("urgent", "welcome", "--pool", "threads", "--concurrency", "8"), stage=3))
    runner.start(
        Program("events", worker("events", "events,outbox", "--pool", "prefork", "--concurrency", "2"), stage=3)
    )
    runner.start(Program("jobs", worker("jobs", "jobs", "--pool", "prefork", "--concurrency", "1"), stage=3))
    runner.start(manage("scheduler", "run_scheduler", stage=4))
    runner.wait_for(web, lambda: answers_ready(number), seconds=90)


def worker(name: str, queues: str, *pool: str) -> tuple[str, ...]:
    quiet = ("--loglevel", "INFO", "--without-mingle", "--without-gossip")
    return (*CELERY, *quiet, "--hostname", f"{name}@%h", "--queues", queues, *pool)


def manage(name: str, *command: str, stage: int = 3) -> Program:
    return Program(name, (PYTHON, "manage.py", *command), stage=stage)


def answers_ready(number: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=3)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# -- what to look at ---------------------------------------------------------------------------------------------------


def announcement(shown: list[dict[str, Any]], environ: Mapping[str, str]) -> list[str]:
    """One line for each thing that `seed_demo` wants shown: a name, a URL, what to sign in with."""
    lines = []
    for row in shown:
        details = " ".join(f"{name}={value}" for name, value in row.items() if name not in {"show", "url"})
        lines.append(f"{row['show']:<16} {row.get('url', '')}  {details}".rstrip())
    if not shown:
        console = f"http://ops.{environ.get('SCRM_BASE_DOMAIN', 'localhost')}:{environ['SCRM_PORT']}/"
        lines.append(f"{'vendor console':<16} {console}  {MANAGE} ops_user_create NAME --role owner")
        lines.append(f"{'a company':<16} {MANAGE} tenant_create SCHEMA --name NAME")
    if url := environ.get("SANDBOX_URL"):
        lines.append(f"sandbox WeCom    {url.replace('127.0.0.1', 'localhost')}/")
    return lines


if __name__ == "__main__":
    main()
