"""Name and password sent by a program."""

from __future__ import annotations

import pytest
import trio

from trio_mud import Texts
from trio_mud.accounts import AccountOptions
from trio_mud.testing import OpenMud, Player

from .inn import PASSWORD, Inn, open_inn

TEXTS = Texts()
GMCP = AccountOptions(hash_memory=8, hash_passes=1, plain="allow", plain_gmcp=True)


async def program(inn: Inn, *, address: str = "") -> Player:
    player = await inn.mud.player(gmcp=("Char.Login",), address=address)
    await trio.sleep(1)
    return player


async def test_a_program_logs_in_without_a_question(mud: OpenMud) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        player = await program(inn)
        assert player.gmcp[-1] == ("Char.Login.Default", {"type": ["password-credentials"]})
        await player.send_gmcp("Char.Login.Credentials", {"account": "ann", "password": PASSWORD})
        await player.sees("You are back")
        assert player.gmcp[-1] == ("Char.Login.Result", {"success": True})
        assert TEXTS.login_question not in player.screen


async def test_a_wrong_password_is_answered_asked_for_and_counted(mud: OpenMud) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        for _ in range(3):
            player = await program(inn, address="203.0.113.9")
            await player.send_gmcp("char.login.credentials", {"account": "Ann", "password": "wrong"})
            await player.sees(TEXTS.login_question)
            assert player.gmcp[-1] == ("Char.Login.Result", {"success": False, "message": TEXTS.login_wrong})
        player = await program(inn, address="203.0.113.9")
        await player.send_gmcp("Char.Login.Credentials", {"account": "Ann", "password": PASSWORD})
        assert "Please wait" in await player.sees_the_end()


async def test_a_program_that_does_not_answer_is_asked_after_three_seconds(mud: OpenMud) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        player = await program(inn)
        start = trio.current_time()
        await player.sees(TEXTS.login_question)
        assert 2 <= trio.current_time() - start <= 3
        await player.send_gmcp("Char.Login.Credentials", {"account": "Ann", "password": PASSWORD})
        await player.sees_nothing()


@pytest.mark.parametrize("data", [None, {}, {"account": "Ann"}])
async def test_a_program_without_credentials_is_asked_at_once(mud: OpenMud, data: object) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        player = await program(inn)
        start = trio.current_time()
        await player.send_gmcp("Char.Login.Credentials", data)
        await player.sees(TEXTS.login_question)
        assert start == trio.current_time()


async def test_a_browser_is_asked_at_once(mud: OpenMud) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        start = trio.current_time()
        player = await inn.mud.web_player()  # names Char, and not Char.Login
        await player.sees(TEXTS.login_question)
        assert trio.current_time() - start < 1
        assert not [package for package, _ in player.gmcp if package.startswith("Char.Login")]


@pytest.mark.parametrize(
    "data",
    [
        None,
        "Ann",
        ["Ann", PASSWORD],
        {"account": "Ann"},
        {"account": ["Ann"], "password": PASSWORD},
        {"account": "Ann", "password": 7},
        {"account": "two words", "password": PASSWORD},
        {"account": "Ann", "password": "x" * 4000},
        {"account": "Ann", "password": ""},
    ],
)
async def test_what_are_no_credentials_leads_to_the_question(mud: OpenMud, data: object) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        player = await program(inn)
        await player.send_gmcp("Char.Login.Credentials", data)
        await player.sees(TEXTS.login_question)
        assert len(inn.mud.server.sessions) == 1


async def test_credentials_are_not_asked_for_over_a_link_that_is_not_encrypted(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        player = await program(inn)
        await player.sees(TEXTS.login_question)
        assert not [package for package, _ in player.gmcp if package.startswith("Char.Login")]


async def test_credentials_in_the_game_do_nothing(mud: OpenMud) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        player = await program(inn)
        await player.sees(TEXTS.login_question)
        await player.type("guest", "Bob")
        await player.sees("You are Bob")
        await player.send_gmcp("Char.Login.Credentials", {"account": "Ann", "password": PASSWORD})
        await player.sees_nothing()


@pytest.mark.parametrize("name", ["a" * 60_000, "\0", "", "\u202eann", " " * 60_000])
async def test_a_name_that_cannot_be_one_is_answered_by_a_sentence_and_costs_no_hash(mud: OpenMud, name: str) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        player = await program(inn)
        await player.send_gmcp("Char.Login.Credentials", {"account": name, "password": "x" * 2000})
        await player.sees(TEXTS.login_question)
        package, data = player.gmcp[-1]
        assert package == "Char.Login.Result"
        assert isinstance(data, dict)
        assert data["success"] is False
        assert inn.accounts.passwords.hashed == 0
