"""docker-compose.yml passes on what the product reads; a variable that was forgotten is named by `make check`."""

from typing import Any

from scrm.up.containers import NOT_PASSED, READ, SETTINGS, TOLD_TO_SANDBOX, WANTED, faults


def services() -> dict[str, Any]:
    """As docker-compose shows them when nothing is missing."""
    passed = dict.fromkeys(set(READ.findall(SETTINGS.read_text())) - NOT_PASSED.keys()) | WANTED
    command = ["python", "-m", "sandbox", *(word for option in TOLD_TO_SANDBOX.items() for word in option)]
    return {
        "web": {"image": "scrm:latest", "environment": passed},
        "sandbox": {"image": "scrm:latest", "environment": {}, "command": command},
        "valkey": {"environment": {}},
    }


def test_a_variable_that_a_container_is_not_given_is_named() -> None:
    assert list(faults(services())) == []

    short = services()
    del short["web"]["environment"]["SCRM_STORAGE"], short["web"]["environment"]["WECOM_FINANCE_PROXY"]
    found = " ".join(faults(short))

    assert "SCRM_STORAGE is not passed" in found
    assert "WECOM_FINANCE_PROXY is None, and should be 'http://sandbox:8101' (web)" in found


def test_an_address_under_which_containers_or_browsers_find_nothing_is_named() -> None:
    lost = services()
    lost["web"]["environment"]["SCRM_INTERNAL_URL"] = "http://127.0.0.1:8000"
    lost["sandbox"]["command"] = lost["sandbox"]["command"][:-2]

    found = list(faults(lost))

    assert found == [
        "with .env.demo SCRM_INTERNAL_URL is 'http://127.0.0.1:8000', and should be 'http://web:8000' (web)",
        "the sandbox is not started with --apps-at web:8000",
    ]
