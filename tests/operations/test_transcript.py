"""The transcript of the console on the page about running a game, played again."""

from __future__ import annotations

import re
from pathlib import Path

from trio_mud.testing import OpenMud

from .club import open_club

PAGE = Path(__file__).resolve().parent.parent.parent / "docs/howto/run-a-game.md"


async def test_the_console_answers_as_on_the_page(mud: OpenMud) -> None:
    (block,) = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    commands = re.findall(r"^\$ trio-mud admin (.*)$", block, re.M)
    played = ""
    async with open_club(mud) as club:
        await club.member("Ann", address="192.0.2.7")
        for command in commands:
            played += f"$ trio-mud admin {command}\n{(await club.console(command)).answer}"
    assert block == played
