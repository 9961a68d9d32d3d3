"""Origins: what is counted as one place, and the buckets of those that connect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud import Rate, origins
from trio_mud.origins import AcceptBuckets, origin_of, prefix_of


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("64:ff9b::192.0.2.1", "192.0.2.1"),
        ("2002:c000:201:ffff::1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("a gateway", "a gateway"),
        ("", ""),
    ],
)
def test_a_household_is_one_origin(address: str, origin: str) -> None:
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("192.0.2.1", "192.0.2.0/24"),
        ("64:ff9b::192.0.2.1", "192.0.2.0/24"),
        ("2002:c000:201:ffff::1", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("a gateway", ""),
        ("", ""),
    ],
)
def test_a_site_is_one_prefix(address: str, prefix: str) -> None:
    assert prefix_of(address) == prefix


@pytest.mark.parametrize("per_second", [1, 3, 7, 0.1])
def test_an_origin_has_its_burst_and_then_its_rate(per_second: float) -> None:
    buckets = AcceptBuckets(Rate(per_second, burst=5))
    assert [buckets.spend("192.0.2.1", 100.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert buckets.spend("192.0.2.2", 100.0)
    now = 100.0
    for _ in range(50):
        now += 1 / per_second
        assert buckets.spend("192.0.2.1", now)
        assert not buckets.spend("192.0.2.1", now)


def test_an_origin_that_is_refused_loses_nothing_by_trying() -> None:
    buckets = AcceptBuckets(Rate(1, burst=1))
    assert buckets.spend("192.0.2.1", 0.0)
    for tenth in range(1, 10):
        assert not buckets.spend("192.0.2.1", tenth / 10)
    assert buckets.spend("192.0.2.1", 1.0)


def test_an_unknown_origin_and_no_rate_are_unlimited_and_take_no_place() -> None:
    buckets, free = AcceptBuckets(Rate(1, burst=1)), AcceptBuckets(None)
    assert all(buckets.spend("", 0.0) and free.spend("192.0.2.1", 0.0) for _ in range(10))
    assert len(buckets) == len(free) == 0


def test_the_table_forgets_full_buckets_and_is_bounded_whatever_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "MOST_ORIGINS", 100)
    buckets = AcceptBuckets(Rate(1, burst=10))
    for number in range(1000):
        buckets.spend(f"10.0.{number // 250}.{number % 250}", number * 0.1)
        assert len(buckets) <= 21  # those of the last second, each a bucket that is not full
    for number in range(1000):
        buckets.spend(origin_of(f"2001:db8:{number:x}::1"), 200.0)
        assert len(buckets) <= 101


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0, 3)), max_size=60))
def test_whatever_the_order_no_origin_gets_more_than_its_burst_and_rate(visits: list[tuple[str, float]]) -> None:
    buckets, now, entered = AcceptBuckets(Rate(2, burst=3)), 0.0, {"a": 0, "b": 0, "c": 0}
    for origin, pause in visits:
        now += pause
        entered[origin] += buckets.spend(origin, now)
        assert entered[origin] <= 3 + 2 * now + 0.001
