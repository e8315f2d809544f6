"""`make check`: docker-compose.yml passes what the settings read, and `.env.demo` what `make up` tells of the sandbox.

Reads `docker-compose config --format json`, with `.env.demo` in force, from standard input.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scrm.up.__main__ import sandbox_addresses

SETTINGS = Path(__file__).parents[1] / "settings.py"
READ = re.compile(r"""\benv(?:_int|_bool)?\("([A-Z_]+)\"""")
NOT_PASSED = {
    "SCRM_DATA": "the image's own",
    "SCRM_PORT": "8000 inside; the host's is in `ports`",
    "SCRM_DEBUG": "never where it is deployed",
}
IMAGE = "scrm:latest"
SANDBOX = "sandbox"
INSIDE = {**sandbox_addresses(SANDBOX, 8100), "WECOM_TRUSTED_HOSTS": SANDBOX}
FOR_BROWSERS = {"WECOM_OAUTH_BASE", "WECOM_INSTALL_BASE"}


def faults(services: Mapping[str, Any]) -> Iterator[str]:
    ours = {name: one["environment"] for name, one in services.items() if one.get("image") == IMAGE and name != SANDBOX}
    found: dict[str, list[str]] = {}
    for service, passed in ours.items():
        for fault in (*_unread(passed), *_not_at_the_sandbox(passed)):
            found.setdefault(fault, []).append(service)
    yield from (f"{fault} ({', '.join(sorted(names))})" for fault, names in sorted(found.items()))


def _unread(passed: Mapping[str, Any]) -> Iterator[str]:
    read = set(READ.findall(SETTINGS.read_text())) - NOT_PASSED.keys()
    yield from (f"{name} is not passed, and scrm/settings.py reads it" for name in read - passed.keys())


def _not_at_the_sandbox(passed: Mapping[str, Any]) -> Iterator[str]:
    browsers = sandbox_addresses("localhost", 8100)
    wanted = {name: browsers[name] if name in FOR_BROWSERS else address for name, address in INSIDE.items()}
    for name, value in wanted.items():
        if passed.get(name) != value:
            yield f"with .env.demo {name} is {passed.get(name)!r}, and should be {value!r}"


def main() -> None:
    try:
        services = json.load(sys.stdin)["services"]
    except ValueError:
        sys.exit("docker-compose.yml: docker-compose could not read it")
    if found := list(faults(services)):
        sys.exit("\n".join(["docker-compose.yml:", *found]))


if __name__ == "__main__":
    main()
