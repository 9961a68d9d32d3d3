"""Bans of networks: the lookup finds what a comparison with every ban finds."""

from __future__ import annotations

import math
from ipaddress import IPv4Network, IPv6Network, ip_address

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from trio_mud.driver.link.bans import Ban, Bans

# Few bits vary, so that addresses and networks meet.
NETWORKS_4 = st.builds(
    lambda bits, length: IPv4Network((0xC0000200 | bits, length), strict=False), st.integers(0, 7), st.integers(24, 32)
)
NETWORKS_6 = st.builds(
    lambda bits, length: IPv6Network((0x20010DB8 << 96 | bits << 64, length), strict=False),
    st.integers(0, 7),
    st.integers(60, 66),
)
ADDRESSES = st.one_of(
    st.integers(0, 7).map(lambda bits: str(ip_address(0xC0000200 | bits))),
    st.integers(0, 7).map(lambda bits: f"::ffff:{ip_address(0xC0000200 | bits)}"),
    st.integers(0, 7).map(lambda bits: str(ip_address(0x20010DB8 << 96 | bits << 64))),
    st.just("a name"),
)


@given(st.lists(st.tuples(st.booleans(), st.one_of(NETWORKS_4, NETWORKS_6)), max_size=12), st.lists(ADDRESSES))
async def test_an_address_is_banned_by_the_narrowest_network_that_has_it(
    changes: list[tuple[bool, IPv4Network | IPv6Network]], addresses: list[str]
) -> None:
    bans, naive = Bans(), dict[IPv4Network | IPv6Network, str]()
    for is_added, network in changes:
        if is_added:
            bans.add(str(network), f"text of {network}", math.inf)
            naive[network] = f"text of {network}"
        else:
            bans.remove(str(network))
            naive.pop(network, None)
    for address in addresses:
        has_it = [each for each in naive if address != "a name" and ip_address(address.replace("::ffff:", "")) in each]
        narrowest = max(has_it, key=lambda each: each.prefixlen, default=None)
        assert bans.of_address(address) == (None if narrowest is None else naive[narrowest])
    assert {ban.network for ban in bans} == set(map(str, naive))


async def test_a_ban_that_has_ended_uncovers_the_wider_one(autojump_clock: MockClock) -> None:
    bans, seen = Bans(), list[Ban | str]()
    bans.observer = seen.append
    bans.add("10.0.0.0/8", "wide", math.inf)
    bans.add("10.1.0.0/16", "narrow", 60.0)
    assert bans.of_address("10.1.2.3") == "narrow"
    await trio.sleep(61)
    assert bans.of_address("10.1.2.3") == "wide"
    assert [ban.network for ban in bans] == ["10.0.0.0/8"]
    assert seen[-1] == "10.1.0.0/16"
    bans.clear()
    assert not bans


@pytest.mark.parametrize("network", ["", "nowhere", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(network: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|host bits|Only"):
        Bans().add(network, "", math.inf)
