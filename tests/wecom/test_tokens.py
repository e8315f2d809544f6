import threading
import time

import pytest

from tests.wecom.qyapi import SECRET
from wecom.client import AppCredentials, MemoryTokens
from wecom.errors import WeComMisconfigured, WeComUnavailable
from wecom.tokens import kept_for

EXPIRED = {"errcode": 42001, "errmsg": "access_token expired"}


def together(number, act):
    """Runs `act` in so many threads at once; gives back what each returned or raised."""
    results = []
    barrier = threading.Barrier(number)

    def run():
        barrier.wait()
        try:
            results.append(act())
        except Exception as error:  # noqa: BLE001  the error is the result
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def slow_token(seconds, answer=None):
    def respond(*_):
        time.sleep(seconds)
        return answer or {"access_token": "slow", "expires_in": 7200}

    return respond


def test_twenty_threads_without_a_token_fetch_one(qyapi):
    qyapi.answers["gettoken"] = slow_token(0.3)
    client = qyapi.client()

    results = together(20, lambda: client.call("user/get", {"userid": "a"})["errcode"])

    assert results == [0] * 20
    assert qyapi.calls["gettoken"] == 1


def test_clients_of_one_app_share_its_token(qyapi):
    tokens = MemoryTokens()

    results = together(20, lambda: qyapi.client(tokens=tokens).call("user/get", {"userid": "a"})["errcode"])

    assert results == [0] * 20
    assert qyapi.calls["gettoken"] == 1


def test_apps_of_one_company_have_tokens_of_their_own(qyapi):
    tokens = MemoryTokens()

    qyapi.client(tokens=tokens, key="app-1", secret="0123456789-first").call("user/get")
    qyapi.client(tokens=tokens, key="app-2", secret="0123456789-second").call("user/get")

    assert qyapi.calls["gettoken"] == 2
    assert qyapi.queries["user/get"]["access_token"] == "token-2"


def test_a_token_that_wecom_withdrew_is_renewed_once_for_everyone(qyapi):
    client = qyapi.client()
    client.call("user/get")
    qyapi.refused_tokens.add("token-1")

    results = together(20, lambda: client.call("user/get")["errcode"])

    assert results == [0] * 20
    assert qyapi.calls["gettoken"] == 2


def test_an_api_that_always_says_expired_costs_one_renewal(qyapi):
    client = qyapi.client()
    qyapi.answers["user/get"] = EXPIRED
    client.call("user/simplelist")

    results = together(20, lambda: client.call("user/get")) + [_error_of(client) for _ in range(20)]

    assert all(isinstance(error, WeComUnavailable) and error.code == 42001 for error in results)
    assert qyapi.calls["gettoken"] == 2  # the first token, and exactly one renewal
    assert qyapi.calls["user/get"] <= 80


def test_an_api_that_always_says_expired_does_not_spend_the_tokens_of_the_others(qyapi):
    client = qyapi.client()
    qyapi.answers["user/get"] = EXPIRED

    for _ in range(20):
        assert client.call("user/simplelist")["errcode"] == 0
        assert _error_of(client).code == 42001

    assert qyapi.calls["gettoken"] == 2


def test_a_token_withdrawn_again_soon_after_is_renewed_again(qyapi):
    client = qyapi.client()
    for number in (1, 2, 3):
        assert client.call("user/get")["errcode"] == 0
        qyapi.refused_tokens.add(f"token-{number}")

    assert client.call("user/get")["errcode"] == 0
    assert qyapi.calls["gettoken"] == 4


def _error_of(client):
    with pytest.raises(WeComUnavailable) as caught:
        client.call("user/get")
    return caught.value


def test_a_token_of_the_wrong_kind_is_a_fault_of_configuration(qyapi):
    qyapi.answers["user/get"] = {"errcode": 40014, "errmsg": "invalid access_token"}

    with pytest.raises(WeComMisconfigured) as caught:
        qyapi.client().call("user/get")

    assert caught.value.code == 40014
    assert qyapi.calls["gettoken"] == 2
    assert qyapi.calls["user/get"] == 2


def test_a_wrong_secret_is_tried_once_by_all_who_wait(qyapi):
    qyapi.answers["gettoken"] = slow_token(0.3, {"errcode": 40001, "errmsg": "invalid credential"})
    client = qyapi.client()

    results = together(20, lambda: client.call("user/get"))

    assert all(type(error) is WeComMisconfigured and error.call == "gettoken" for error in results)
    assert qyapi.calls["gettoken"] == 1
    assert qyapi.calls["user/get"] == 0


def test_a_corrected_secret_works_at_once(qyapi):
    qyapi.answers["gettoken"] = {"errcode": 40001, "errmsg": "invalid credential"}
    with pytest.raises(WeComMisconfigured):
        qyapi.client().check_token()
    del qyapi.answers["gettoken"]

    qyapi.client().check_token()


@pytest.mark.parametrize(
    "answer",
    [{}, {"errcode": 0}, {"access_token": ""}, {"access_token": 5}, {"access_token": "x", "expires_in": "y"}],
)
def test_an_answer_without_a_token_is_not_a_token(qyapi, answer):
    qyapi.answers["gettoken"] = lambda *_: answer

    with pytest.raises(WeComUnavailable, match="without an access token"):
        qyapi.client().check_token()


def test_a_token_is_kept_a_little_shorter_than_it_lives():
    assert kept_for(7200) == 6900
    assert kept_for(60) == 30
    assert kept_for(0) == 1


def test_short_lived_tokens_are_fetched_again_in_time(qyapi):
    qyapi.answers["gettoken"] = lambda *_: {"access_token": f"t{qyapi.calls['gettoken']}", "expires_in": 1}
    client = qyapi.client()

    client.call("user/get")
    time.sleep(1.1)
    client.call("user/get")

    assert qyapi.queries["user/get"]["access_token"] == "t2"


def test_waiting_for_a_token_ends(qyapi):
    tokens = MemoryTokens(wait=0.1)
    client = qyapi.client(tokens=tokens)

    with tokens.single_flight("app-1"), pytest.raises(WeComUnavailable, match="no access token in time"):
        client.call("user/get")


def test_a_newer_token_is_not_dropped():
    tokens = MemoryTokens()
    tokens.put("app-1", "new", 60)

    tokens.drop("app-1", "old")

    assert tokens.get("app-1") == "new"


def test_credentials_do_not_show_their_secret(qyapi):
    app = AppCredentials("app-1", "ww1", SECRET)

    assert SECRET not in repr(app)
    assert SECRET not in repr(qyapi.client())
