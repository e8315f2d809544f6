"""docker-compose.yml passes on what the product reads; a variable that was forgotten is named by `make check`."""

from scrm.up.containers import INSIDE, NOT_PASSED, READ, SETTINGS, faults


def test_a_variable_that_a_container_is_not_given_is_named() -> None:
    passed = dict.fromkeys(set(READ.findall(SETTINGS.read_text())) - NOT_PASSED.keys()) | INSIDE
    passed |= {"WECOM_OAUTH_BASE": "http://localhost:8100", "WECOM_INSTALL_BASE": "http://localhost:8100"}
    assert list(faults({"web": {"image": "scrm:latest", "environment": passed}})) == []

    del passed["SCRM_STORAGE"], passed["WECOM_FINANCE_PROXY"]
    found = " ".join(faults({"web": {"image": "scrm:latest", "environment": passed}, "valkey": {"environment": {}}}))

    assert "SCRM_STORAGE is not passed" in found
    assert "WECOM_FINANCE_PROXY is None, and should be 'http://sandbox:8101' (web)" in found
