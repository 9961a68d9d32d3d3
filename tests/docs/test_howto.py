"""The examples on the how-to pages work."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from websockets.trio.client import connect

from trio_mud import Hooks, Limits, MasterServer, open_tcp_listeners
from trio_mud.bench.load import Load
from trio_mud.bench.plan import LoadPlan
from trio_mud.bench.report import LoadReport
from trio_mud.bench.script import read_script
from trio_mud.testing import OpenMud, Pipe, PipeListener
from trio_mud.testing.simulation import PlayedByWords, run_batches
from trio_mud.web.metrics import METRICS

from .pages import DOCS, load, page

at_work = load("howto/hooks_at_work.py")
doorkeeper = load("howto/doorkeeper.py")
toast = load("howto/toast.py")
beside = load("howto/beside.py")
questions = load("howto/questions.py")
keep_a_body = load("howto/keep_a_body.py")
wrestlers = load("howto/wrestlers.py")
both_ways = load("howto/both_ways.py")
watched = load("howto/watched.py")


# Write a hook


async def test_a_plain_hook_answers_at_once(mud: OpenMud) -> None:
    async with mud(at_work.hooks) as place:
        ann, bob = await place.player(), await place.player()
        await bob.type("shout hello")
        await ann.sees("guest-2 shouts: HELLO")


async def test_a_waiting_hook_holds_up_only_its_own_player(mud: OpenMud) -> None:
    async with mud(at_work.hooks) as place:
        ann, bob = await place.player(), await place.player()
        asked = trio.current_time()
        await ann.type("oracle", "shout after the oracle")
        await ann.sees("The oracle closes her eyes.")
        await bob.type("shout meanwhile")
        await bob.sees("MEANWHILE")
        assert trio.current_time() == asked
        await ann.sees("She says: perhaps")
        assert trio.current_time() == asked + 3
        await ann.sees("AFTER THE ORACLE")


async def test_first_and_last_hooks_enclose_the_others(mud: OpenMud) -> None:
    async with mud(at_work.hooks) as place:
        ann = await place.player()
        await ann.type("oracle")
        await ann.sees("She says: perhaps\n> ")
        (connection,) = place.server.connections
        assert connection.body == "oracle"


async def test_an_event_of_the_games_own_runs_its_hooks(mud: OpenMud) -> None:
    async with mud(at_work.hooks) as place:
        ann, bob = await place.player(), await place.player()
        await ann.type("sunset")
        await bob.sees("The sun goes down.")


async def test_a_failing_hook_costs_one_call_and_the_next_ones_run(
    mud: OpenMud, caplog: pytest.LogCaptureFixture
) -> None:
    async with mud(at_work.hooks, allow_errors=True) as place:
        ann = await place.player()
        await ann.type("stumble", "shout ouch")
        await ann.sees("Something went wrong with that. We have been told.\n> ")
        await ann.sees("OUCH")
    assert "failed for Input of guest-1 (#1), typed 'stumble'" in caplog.text
    assert "there was a stone" in caplog.text


async def test_a_hook_that_waits_too_long_is_cut(mud: OpenMud) -> None:
    async with mud(at_work.hooks, allow_errors=True) as place:
        ann = await place.player()
        slept = trio.current_time()
        await ann.type("sleep")
        await ann.sees("That took too long and was given up.")
        assert trio.current_time() == slept + 5


async def test_an_included_registry_greets(mud: OpenMud) -> None:
    async with mud(at_work.hooks) as place:
        await (await place.player()).sees("Say shout, oracle")


# Refuse a connection


async def test_the_banned_read_the_refusal_and_nothing_else(mud: OpenMud) -> None:
    async with mud(doorkeeper.hooks) as place:
        rogue = await place.player(address="192.0.2.66")
        assert await rogue.sees_the_end() == "You are not welcome here.\n"


async def test_a_doorkeeper_may_ask_around_first(mud: OpenMud) -> None:
    async with mud(doorkeeper.hooks) as place:
        rogue = await place.player(address="192.0.2.99")
        assert await rogue.sees_the_end() == "We have heard of you.\n"
        assert place.server.counters["turned away by us"] == 1


async def test_who_is_let_in_reads_what_the_door_wrote(mud: OpenMud) -> None:
    async with mud(doorkeeper.hooks) as place:
        ann = await place.player()
        await ann.sees("A curtain is drawn aside.")


async def test_of_four_who_come_at_once_three_find_a_chair(mud: OpenMud) -> None:
    async with mud(doorkeeper.hooks) as place:
        for _ in range(4):
            await place.player()
        await trio.sleep(1)
        assert len(place.server.connections) == 3
        assert place.server.counters["turned away by us"] == 1


async def test_after_admission_it_is_a_kick_and_no_refusal(mud: OpenMud) -> None:
    async with mud(doorkeeper.hooks) as place:
        ann = await place.player()
        await ann.type("spit")
        await ann.sees("Not in here!")
        await ann.sees_the_end()
        assert place.server.counters["quit: kicked"] == 1
        assert place.server.counters["turned away by us"] == 0


async def test_a_doorkeeper_who_fails_lets_nobody_in(mud: OpenMud, monkeypatch: pytest.MonkeyPatch) -> None:
    async def break_down(address: str) -> bool:
        raise OSError("the service is away")

    monkeypatch.setattr(doorkeeper, "is_a_known_rogue", break_down)
    async with mud(doorkeeper.hooks, allow_errors=True) as place:
        ann = await place.player()
        assert await ann.sees_the_end() == place.server.texts.connect_failed + "\n"
        assert place.server.counters["refused: hook failed"] == 1


# Show several players the same


async def test_a_speaker_and_the_listeners_see_it_each_their_way(mud: OpenMud) -> None:
    async with mud(toast.hooks) as place:
        ann, bob = await place.player(), await place.player()
        await ann.type("say cheers")
        await ann.sees("You say: cheers")
        await bob.sees("guest-1 says: cheers")
        await ann.sees_nothing()


async def test_a_toast_is_coloured_for_those_who_can_see_it(mud: OpenMud) -> None:
    async with mud(toast.hooks) as place:
        ann = await place.player()
        bob = await place.player(terminal=("MUDLET", "XTERM-256COLOR", "MTTS 13"))
        await ann.type("toast <b>Queen</b>")
        assert await ann.catches_up() == "guest-1 drinks to <b>Queen</b>!\n"
        assert "\x1b[33m<b>Queen</b>\x1b[0m" in await bob.catches_up()


async def test_a_whisper_is_heard_by_those_near_and_noticed_by_the_others(mud: OpenMud) -> None:
    async with mud(toast.hooks) as place:
        guests = [await place.player() for _ in range(4)]
        await guests[0].type("whisper psst")
        await guests[1].sees("guest-1 whispers: psst")
        await guests[2].sees("guest-1 whispers: psst")
        await guests[3].sees("guest-1 whispers something.")


# Ask a question


async def test_a_question_gets_the_next_line(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        ann = await place.player()
        await ann.type("sign", "Ann", "sign", "Bob")
        await ann.sees("The ink dries: Ann.")
        await ann.sees("The ink dries: Bob.")


async def test_yes_or_no_is_asked_until_it_is_said(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        ann = await place.player()
        await ann.type("burn", "n", "burn", "well", "yes")
        await ann.sees("Burn the letter? (yes/no) ")
        await ann.sees("You put it back into your pocket.")
        await ann.sees("It flares up, and is gone.")


async def test_a_question_need_not_wait_for_ever(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        ann = await place.player()
        asked = trio.current_time()
        await ann.type("riddle")
        await ann.sees("The sphinx has fallen asleep.", within=31)
        assert trio.current_time() == asked + 30
        await ann.type("riddle", "piano")
        await ann.sees("Just so.")


async def test_what_is_typed_is_hidden_for_as_long_as_the_word_is_asked_for(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        ann = await place.player()
        await ann.type("knock")
        await ann.sees("The word? ")
        await ann.catches_up()
        assert ann.input_hidden
        await ann.type("mellon")
        await ann.sees("The wall opens.")
        await ann.catches_up()
        assert not ann.input_hidden


async def test_a_word_is_hidden_twice(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        ann = await place.player()
        for again, verdict in (("mellon", "So be it."), ("melon", "Those were two words.")):
            await ann.type("swear")
            await ann.sees("The new word? ")
            await ann.type("mellon")
            await ann.sees("Once more? ")
            await ann.type(again)
            await ann.sees(verdict)


async def test_a_drink_is_chosen_by_its_beginning(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        ann = await place.player()
        await ann.type("order", "a", "ap")
        await ann.sees(" 1) ale\n 2) apple wine\n 3) milk\nWhat will it be? ")
        await ann.sees("That is 4 coins.")
        await ann.type("order", *["water"] * 5)
        await ann.sees("The landlord turns to somebody else.")


async def test_a_long_text_stops_for_a_command(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        ann = await place.player(columns=80, rows=24)
        await ann.type("read", "sign", "Ann", "read", "", "")
        await ann.sees("Verse 23: and then they rowed on.\n[Enter reads on, q stops] ")
        await ann.sees("The ink dries: Ann.")
        await ann.sees("Verse 60: and then they rowed on.\nYou close the book with a sigh.")


async def test_a_letter_is_written_and_burnt_in_one_dialog(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        ann = await place.player()
        await ann.type("write", "I am well.", ".", "yes", "write", ".q")
        await ann.sees("You have written 2 lines.")
        await ann.sees("It flares up, and is gone.")
        await ann.sees("You crumple the sheet.")


async def test_who_knocks_and_says_nothing_is_shown_out(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        ann = await place.player()
        await ann.type("knock")
        await ann.sees("The word? ")
        await ann.sees("You have not said a word.", within=61)
        await ann.sees_the_end()
        assert place.server.counters["quit: login deadline"] == 1


async def test_a_program_that_shows_everything_is_told_of(mud: OpenMud) -> None:
    async with mud(questions.hooks) as place:
        pipe = place.connect()
        await pipe.client.send_all(b"knock\r\n")
        seen = b""
        while b"\xff\xfb\x01" not in seen:  # IAC WILL ECHO
            seen += await pipe.client.receive_some()
        await pipe.client.send_all(b"\xff\xfe\x01")  # IAC DONT ECHO
        while b"Look behind you first" not in seen:
            seen += await pipe.client.receive_some()
        await pipe.client.send_all(b"mellon\r\n")
        while b"whoever looked over your shoulder" not in seen:
            seen += await pipe.client.receive_some()


# Run it beside another service


async def test_two_services_share_a_nursery_and_a_shutdown_ends_both(autojump_clock: object) -> None:
    doors, windows = PipeListener(), PipeListener()
    async with trio.open_nursery() as nursery:
        server: MasterServer = await nursery.start(partial(beside.open_village, [doors], [windows]))
        guest, caller = Pipe(), Pipe()
        doors.connect(guest)
        await trio.testing.wait_all_tasks_blocked()
        windows.connect(caller)
        assert await caller.client.receive_some() == b"1 on the green\n"
        server.shutdown("Goodbye!")
        seen = b"".join([data async for data in guest.client])
        assert seen.endswith(b"Goodbye!\r\n")
    assert server.counters["quit: shutdown"] == 1


async def test_a_cancel_from_outside_ends_both_in_order(autojump_clock: object) -> None:
    doors, windows = PipeListener(), PipeListener()
    async with trio.open_nursery() as nursery:
        server: MasterServer = await nursery.start(partial(beside.open_village, [doors], [windows]))
        doors.connect(Pipe())
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.connections) == 1
        nursery.cancel_scope.cancel()
    assert server.closed.is_set()
    assert server.counters["linkdeath: cancelled"] == 1


# Keep a body for five minutes


async def test_a_lost_guest_stands_in_the_cellar_and_misses_nothing(mud: OpenMud) -> None:
    async with mud(keep_a_body.hooks) as cellar:
        ann, bob = await cellar.player(), await cellar.player()
        await ann.type("Ann")
        await bob.type("Bob")
        await ann.sees("Bob comes down the steps.")
        await ann.vanish()
        await bob.sees("Ann stares at the wall.")
        await bob.type("hello?")
        await trio.sleep(290)
        again = await cellar.player()
        await again.type("ANN")
        await again.sees("Bob: hello?")
        await again.sees("Where were you?")
        await bob.sees("Ann blinks, and is back.")
        await again.type("quit")
        await bob.sees("Ann goes up the steps.")


async def test_a_guest_who_does_not_return_was_only_a_shadow(mud: OpenMud) -> None:
    async with mud(keep_a_body.hooks) as cellar:
        ann, bob = await cellar.player(), await cellar.player()
        await ann.type("Ann")
        await bob.type("Bob")
        await ann.sees("Bob comes down the steps.")
        await ann.vanish()
        await bob.sees("Ann stares at the wall.")
        await bob.sees("Ann was only a shadow.", within=301)


# Simulate your game


@pytest.mark.slow
def test_the_simulator_finds_the_careless_wrestler_and_nothing_in_the_careful_one() -> None:
    def fails(hooks: Hooks) -> list[str]:
        tallies = run_batches(range(60), game=lambda trace: PlayedByWords(hooks, wrestlers.WORDS), name="wrestlers")
        return [outcome.violations[0][1] for tally in tallies for outcome in tally.failed]

    assert any("ValueError" in text and "is not in list" in text for text in fails(wrestlers.careless))
    assert fails(wrestlers.careful) == []


# Start from a small game


def test_the_small_game_and_its_test_stay_small() -> None:
    def lines_of(*names: str) -> int:
        return sum(len((DOCS / "howto" / name).read_text(encoding="utf-8").splitlines()) for name in names)

    assert lines_of("mill.py", "mill.toml") <= 200
    assert lines_of("test_mill.py") <= 60


# Build a world


@pytest.mark.parametrize(
    ("begin", "in_code", "in_map", "most"),
    [("# lamp", "# guard", "# door", 18), ("# door", None, "# guard", 8), ("# guard", "# fight", "# sword", 16)],
)
def test_the_parts_of_the_manor_are_as_short_as_promised(
    begin: str, in_code: str | None, in_map: str, most: int
) -> None:
    lines: list[str] = []
    for name, end in (("manor.py", in_code), ("manor.toml", in_map)):
        if end is not None:
            text = (DOCS / "howto" / name).read_text(encoding="utf-8")
            part = text[text.index(f"{begin}\n") : text.index(f"{end}\n")]
            lines += [line for line in part.splitlines() if line.strip() and not line.startswith("#")]
    assert 0 < len(lines) <= most


# Offer WebSocket


async def test_telnet_and_websocket_players_meet_in_one_game() -> None:
    ports: list[int] = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports.append(free.getsockname()[1])
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(both_ways.main, *ports)
            ann = await connected(ports[0])
            await (await connected(ports[1])).aclose()
            async with connect(f"ws://127.0.0.1:{ports[1]}/", proxy=None) as bob:
                await bob.send(b"hello\r\n")
                heard = b""
                while b": hello\r\n" not in heard:
                    heard += await ann.receive_some()
            await ann.aclose()
            nursery.cancel_scope.cancel()


async def connected(port: int) -> trio.SocketStream:
    """Connect as soon as the port is open."""
    while True:
        try:
            return await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            await trio.sleep(0.01)


# Watch a running game


async def test_the_watched_game_greets_and_its_watch_opens(mud: OpenMud) -> None:
    async with mud(watched.hooks) as place:
        guest = await place.player()
        await guest.sees("you are being counted")
        links: list[str] = []
        async with watched.open_watch(place.server, host="127.0.0.1", port=0, announce=links.append):
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/admin#\S+", links[0])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed: apt-get install prometheus")
@pytest.mark.parametrize(("key", "kind"), [("groups", "rules"), ("scrape_configs", "config")])
def test_promtool_accepts_the_files_for_prometheus(tmp_path: Path, key: str, kind: str) -> None:
    (text,) = re.findall(rf"```yaml\n({key}:\n.*?)```", page("howto/watch-a-running-game.md"), re.DOTALL)
    (tmp_path / "file.yml").write_text(text, encoding="utf-8")
    checked = subprocess.run(["promtool", "check", kind, tmp_path / "file.yml"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_queries_and_alerts_name_metrics_that_exist() -> None:
    named = set(re.findall(r"\btrio_mud_[a-z_]+", page("howto/watch-a-running-game.md")))
    exist = {name + end for name in METRICS for end in ("", "_sum", "_count", "_bucket")}
    assert named - exist == set()
    assert len(named) >= 6


# Measure your game


async def test_the_script_of_the_page_plays_the_game_that_the_page_serves(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """It waited in vain for the question of another game."""
    autojump_clock.autojump_threshold = 0.01  # for what is under way over loopback
    text = page("howto/measure-your-game.md")
    limits, script = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (name,) = set(re.findall(r"\$ trio-mud run (\w+):hooks", text))
    (tmp_path / "guests.toml").write_text(script, encoding="utf-8")
    lifted: dict[str, Any] = {
        key: None if value == "none" else value for key, value in tomllib.loads(limits)["limits"].items()
    }
    hooks = load(f"tutorial/{name}.py").hooks
    (listener,) = await open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        server = await nursery.start(MasterServer(hooks, limits=Limits(**lifted)).serve, [listener])
        players = Load(
            LoadPlan(
                host="127.0.0.1",
                port=listener.address[1],
                players=12,
                ramp=0,
                duration=4,
                script=read_script(tmp_path / "guests.toml"),
            )
        )
        await players.run()
        server.shutdown()

    report = LoadReport(players, 0.0, trio.current_time())
    assert report.is_whole, report.as_text()
