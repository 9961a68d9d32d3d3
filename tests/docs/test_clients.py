"""The examples on the pages about clients and GMCP work, and their tables are complete."""

from __future__ import annotations

import pytest

from trio_mud.driver.link.client import Client, FactSource
from trio_mud.testing import OpenMud

from .pages import load
from .test_pages import rows

gallery = load("howto/client_at_work.py")
tavern = load("howto/gmcp_at_work.py")

FACTS = {name for name, value in vars(Client).items() if isinstance(value, property) and name[0] != "_"}


# Know the client


async def test_the_first_screen_suits_who_sees_it_and_who_listens(mud: OpenMud) -> None:
    async with mud(gallery.hooks) as place:
        ann = await place.player(terminal=("MUDLET", "XTERM-256COLOR", "MTTS 13"))
        await ann.sees("\x1b[93m*\x1b[0m")
        bob = await place.player(terminal=("MUDLET", "XTERM-256COLOR", "MTTS 77"))
        await bob.sees("one lamp.\n")
        assert "\x1b" not in bob.screen


async def test_a_dialog_waits_for_the_width_too(mud: OpenMud) -> None:
    async with mud(gallery.hooks) as place:
        ann = await place.player(columns=41, rows=24)
        await ann.type("sign", "Ann")
        await ann.sees("\n           The visitors' book\nYour name? ")
        (connection,) = place.server.connections
        assert connection.name == "Ann"


async def test_each_fact_has_its_source(mud: OpenMud) -> None:
    async with mud(gallery.hooks) as place:
        ann = await place.player(columns=100, rows=40, gmcp=["Room"])
        await ann.type("describe")
        await ann.sees("You look through trio_mud.testing 1.\n")
        await ann.sees("size: Size(columns=100, rows=40), NAWS\n")
        await ann.sees("colours: 0, DEFAULT\n")
        await ann.resize(30, 20)
        await ann.sees("You stand rather close to it.")


async def test_the_player_has_the_last_word(mud: OpenMud) -> None:
    async with mud(gallery.hooks) as place:
        ann = await place.player(terminal=("MUDLET", "XTERM-256COLOR", "MTTS 13"))
        await ann.type("colours off", "look", "colours auto", "look")
        await ann.sees("The lamp is lit.\n")
        await ann.sees("The lamp is \x1b[93mlit\x1b[0m.\n")


async def test_a_server_with_tags_and_sounds_offers_both(mud: OpenMud) -> None:
    offers = gallery.make_server()._make_engine().data_to_send()
    assert offers.endswith(b"\xff\xfb\x5b\xff\xfb\x5a")


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_every_fact_stands_in_the_table(fact: str) -> None:
    assert fact in [row[0] for row in rows("howto/know-the-client.md")]


def test_the_sources_stand_in_the_table_in_their_order() -> None:
    shown = [row[0] for row in rows("howto/know-the-client.md") if row[0] in FactSource.__members__]
    assert shown == [source.name for source in sorted(FactSource)]


# Use GMCP (its own tests run with the other lessons')


async def test_who_takes_the_package_gets_it_and_all_others_text(mud: OpenMud) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob = await place.player(gmcp=["Tavern"]), await place.player()
        for guest in (ann, bob):
            await guest.type("menu")
        await bob.sees("We have ale and milk.")
        await ann.sees_nothing()
        assert ann.gmcp == [("Tavern.Menu", {"ale": 3, "milk": 1})]
        assert bob.gmcp == []
