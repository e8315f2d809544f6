"""`make check`: docker-compose.yml passes what the settings read; with `.env.demo` product and sandbox find each other.

Reads `docker-compose config --format json`, with `.env.demo` in force, from standard input.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from scrm.up.__main__ import sandbox_addresses

SETTINGS = Path(__file__).parents[1] / "settings.py"
READ = re.compile(r"""\benv(?:_int|_bool)?\("([A-Z_]+)\"""")
NOT_PASSED = {
    "SCRM_DATA": "the image's own",
    "SCRM_DEBUG": "never where it is deployed",
}
IMAGE = "scrm:latest"
SANDBOX = "sandbox"
WEB = "web:8000"
# containers have names for each other, browsers have the ports that are published on this machine
FOR_BROWSERS = sandbox_addresses("localhost", 8100)
WANTED = {
    **sandbox_addresses(SANDBOX, 8100),
    **{name: FOR_BROWSERS[name] for name in ("WECOM_OAUTH_BASE", "WECOM_INSTALL_BASE")},
    "WECOM_TRUSTED_HOSTS": SANDBOX,
    "SCRM_INTERNAL_URL": f"http://{WEB}",
    "SCRM_BASE_DOMAIN": "localhost",
}
TOLD_TO_SANDBOX = {"--home": FOR_BROWSERS["SANDBOX_URL"], "--apps-at": WEB}


def faults(services: Mapping[str, Any]) -> Iterator[str]:
    ours = {name: one["environment"] for name, one in services.items() if one.get("image") == IMAGE and name != SANDBOX}
    found: dict[str, list[str]] = {}
    for service, passed in ours.items():
        for fault in (*_unread(passed), *_not_at_the_sandbox(passed)):
            found.setdefault(fault, []).append(service)
    yield from (f"{fault} ({', '.join(sorted(names))})" for fault, names in sorted(found.items()))
    yield from _not_told(services[SANDBOX]["command"])


def _unread(passed: Mapping[str, Any]) -> Iterator[str]:
    read = set(READ.findall(SETTINGS.read_text())) - NOT_PASSED.keys()
    yield from (f"{name} is not passed, and scrm/settings.py reads it" for name in read - passed.keys())


def _not_at_the_sandbox(passed: Mapping[str, Any]) -> Iterator[str]:
    for name, value in WANTED.items():
        if passed.get(name) != value:
            yield f"with .env.demo {name} is {passed.get(name)!r}, and should be {value!r}"


def _not_told(command: Sequence[str]) -> Iterator[str]:
    given = dict(pairwise(command))
    yield from (
        f"the sandbox is not started with {name} {value}"
        for name, value in TOLD_TO_SANDBOX.items()
        if given.get(name) != value
    )


def main() -> None:
    try:
        services = json.load(sys.stdin)["services"]
    except ValueError:
        sys.exit("docker-compose.yml: docker-compose could not read it")
    if found := list(faults(services)):
        sys.exit("\n".join(["docker-compose.yml:", *found]))


if __name__ == "__main__":
    main()
