"""Calls to WeCom are planned within half of its ceilings, with the last fifth kept for what someone waits for."""

from typing import Any
from uuid import uuid4

import pytest

from tenants import budgets


@pytest.fixture
def corp(settings: Any) -> str:
    """A corp nobody has called for, with room for ten calls at once and ten a second."""
    settings.WECOM_LIMITS = {"corp_api": (10, 36_000)}
    budgets._redis.forget()
    return f"ww{uuid4().hex[:12]}"


def taken(corp: str, api: str, *, bulk: bool, tries: int = 20) -> int:
    return sum(budgets.take(corp, api, bulk=bulk) == 0 for _ in range(tries))


def test_a_bucket_gives_what_it_holds_and_says_how_long_to_wait(corp: str) -> None:
    assert 10 <= taken(corp, "user/list", bulk=False) <= 12
    assert 0 < budgets.take(corp, "user/list", bulk=False) <= 0.2


def test_bulk_work_leaves_the_last_fifth(corp: str) -> None:
    assert 7 <= taken(corp, "user/list", bulk=True) <= 10
    assert budgets.take(corp, "user/list", bulk=True) > 0
    assert budgets.take(corp, "user/list", bulk=False) == 0


def test_apis_and_corps_have_buckets_of_their_own(corp: str) -> None:
    taken(corp, "user/list", bulk=False)
    assert budgets.take(corp, "user/get", bulk=False) == 0
    assert budgets.take(f"{corp}b", "user/list", bulk=False) == 0


def test_after_a_limit_the_bucket_is_half_as_large(corp: str) -> None:
    budgets.slow_down(corp, "user/list")
    assert 5 <= taken(corp, "user/list", bulk=False) <= 7


def test_without_redis_each_process_keeps_a_fair_part(corp: str, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    settings.WECOM_PROCESSES = 5
    assert 2 <= taken(corp, "user/list", bulk=False) <= 4
    assert not budgets._redis.usable, "Redis is left alone for a moment"
    budgets._redis.forget()


@pytest.mark.django_db
def test_the_table_of_ceilings_is_half_of_wecoms() -> None:
    limit = budgets.limits()
    assert (limit.corp_api.size, limit.corp_api.per_second * 3600) == (5_000, 75_000)
    assert (limit.address.size, limit.address.per_second * 3600) == (10_000, 300_000)
