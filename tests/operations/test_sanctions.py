"""Sanctions: addresses are found by the prefixes that are banned, whatever their number and form."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from trio_mud.operations.sanctions import Sanction, Sanctions, network_of, seconds_of
from trio_mud.storage import Memory, inline, open_store


class Hands:
    """A wall clock."""

    now = 1000.0


async def test_the_narrowest_network_that_has_an_address_is_found() -> None:
    async with open_store(Memory(), Sanction, executor=inline) as store:
        sanctions = Sanctions(store, lambda: Hands.now)
        for network in ("10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "2001:db8:1::/48"):
            sanctions.add("network", network, 0, "", "ann")

        def found(address: str) -> str | None:
            sanction = sanctions.of_address(address)
            return None if sanction is None else sanction.subject

        assert found("10.1.2.3") == "10.1.0.0/16"
        assert found("10.2.2.3") == "10.0.0.0/8"
        assert found("::ffff:10.2.2.3") == found("64:ff9b::10.2.2.3") == found("2002:0a02:0203::1") == "10.0.0.0/8"
        assert found("2001:db8:1::1%eth0") == "2001:db8:1::/48"
        assert found("2001:db8:2::1") == "2001:db8::/32"
        assert found("11.0.0.1") is found("::1") is found("") is found("a socket") is None
        sanctions.remove("network", "10.1.0.0/16")
        assert found("10.1.2.3") == "10.0.0.0/8"


async def test_a_sanction_ends_by_the_wall_clock_and_is_removed() -> None:
    hands = Hands()
    async with open_store(Memory(), Sanction, executor=inline) as store:
        sanctions = Sanctions(store, lambda: hands.now)
        sanctions.add("network", "10.0.0.1/32", 1010.0, "", "ann")
        sanctions.add("account", "bob", 1020.0, "", "ann")
        assert sanctions.of_address("10.0.0.1") is not None
        hands.now = 1010.0
        assert sanctions.of_address("10.0.0.1") is None
        assert [each.subject for each in sanctions] == ["bob"]
        assert len(list(store.all(Sanction))) == 1


async def test_a_second_sanction_of_one_subject_replaces_the_first() -> None:
    async with open_store(Memory(), Sanction, executor=inline) as store:
        sanctions = Sanctions(store, lambda: Hands.now)
        sanctions.add("network", "10.0.0.0/8", 0, "one", "ann")
        sanctions.add("network", "10.0.0.0/8", 0, "two", "ann")
        assert [each.why for each in sanctions] == ["two"]
        assert sanctions.remove("network", "10.0.0.0/8")
        assert not sanctions.remove("network", "10.0.0.0/8")
        assert sanctions.of_address("10.0.0.1") is None


async def test_a_ban_by_former_code_is_found_by_the_code_that_shares_its_count() -> None:
    async with open_store(Memory(), Sanction, executor=inline) as store:
        former, present = (Sanctions(store, lambda: Hands.now) for _ in range(2))
        former.add("network", "10.0.0.0/8", 0, "", "ann")
        present.share_count(former)
        former.add("network", "192.0.2.0/24", 0, "", "ann")
        assert present.of_address("10.0.0.1") is not None
        assert present.of_address("192.0.2.7") is not None
        assert present.remove("network", "192.0.2.0/24")
        former.add("network", "192.0.2.0/24", 0, "", "ann")
        assert present.of_address("192.0.2.7") is not None


async def test_the_lookup_costs_the_same_for_many_bans(autojump_clock: MockClock) -> None:
    """It asks once for each length of a prefix, of which there are two here."""
    async with open_store(Memory(), Sanction, executor=inline) as store:
        sanctions = Sanctions(store, lambda: Hands.now)
        for number in range(500):
            sanctions.add("network", f"10.0.{number // 250}.{number % 250}/32", 0, "", "ann")
            sanctions.add("network", f"11.{number // 250}.{number % 250}.0/24", 0, "", "ann")
        asked = []
        get = sanctions.get

        def note(kind: str, subject: str) -> Sanction | None:
            asked.append(subject)
            return get(kind, subject)

        sanctions.get = note  # type: ignore[method-assign]
        assert sanctions.of_address("192.0.2.1") is None
    assert asked == ["192.0.2.1/32", "192.0.2.0/24"]


@given(st.ip_addresses(v=4), st.integers(8, 32))
def test_a_network_inside_ipv6_means_the_ipv4_network(host: ipaddress.IPv4Address, length: int) -> None:
    wanted = ipaddress.ip_network((host, length), strict=False)
    assert network_of(f"::ffff:{host}/{96 + length}") == wanted
    assert network_of(f"64:ff9b::{host}/{96 + length}") == wanted
    assert network_of(str(wanted)) == wanted


def test_a_network_is_banned_without_its_zone() -> None:
    assert network_of("fe80::7%eth0") == network_of("fe80::7")
    assert network_of("fe80::%eth0/64") == network_of("fe80::/64")


@pytest.mark.parametrize(
    ("word", "seconds"),
    [("30s", 30), ("5m", 300), ("2H", 7200), ("7d", 604_800), ("1w", 604_800), ("7", None), ("d", None), ("-1d", None)],
)
def test_a_duration_is_a_number_and_a_unit(word: str, seconds: float | None) -> None:
    assert seconds_of(word) == seconds
