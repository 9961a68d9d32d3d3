"""`trio-mud serve` in processes of its own: players stay when a process ends, and when new code takes over."""

# ruff: noqa: ASYNC110 - these wait for other processes

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
import trio

from tests.supervisor import Supervisor

from .drills import hand_over, kill_gateway
from .served import GAME, PATIENCE, command, crowd, environment, serving, silence_after_kill

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")]


async def test_each_line_is_answered_once_while_the_world_is_killed(tmp_path: Path) -> None:
    async with serving(tmp_path) as game:
        async with crowd(game.port, 20, every=0.2) as players:
            for _ in range(3):
                await game.has_spare()
                print(f"{await silence_after_kill(game, players):.3f} s of silence")  # noqa: T201 - a figure
        assert sum(player.lost + player.doubled for player in players) == 0
        assert all(player.answered == player.sent for player in players)
        assert [player.connects for player in players] == [1] * 20


async def test_new_code_takes_over_while_players_stay(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        (tmp_path / "game.py").write_text(GAME.replace("VERSION = 1", "VERSION = 2"))
        async with crowd(game.port, 10, every=0.1) as players:
            await hand_over(game)
        assert sum(player.lost + player.doubled for player in players) == 0
        assert [player.connects for player in players] == [1] * 10
        await ann.send_all(b"version\r\n")
        await sees(ann, b"version 2")


async def test_a_reload_within_the_world_gives_the_spare_the_new_code_as_well(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        await game.has_spare()
        world, spare = game.children("world")
        (tmp_path / "game.py").write_text(GAME.replace("VERSION = 1", "VERSION = 2"))
        os.kill(world, signal.SIGHUP)
        with trio.fail_after(PATIENCE):
            while spare in game.children("world") or game.log.count("and waits for the world") < 2:
                await trio.sleep(0.02)
        os.kill(world, signal.SIGKILL)
        await ann.send_all(b"version\r\n")
        await sees(ann, b"version 2")
        assert "the game was reloaded" in game.log
        assert game.log.count("another one is started") == 1  # for the world that was killed, not for the spare


async def test_a_reload_that_a_new_process_cannot_repeat_leaves_the_older_spare(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        await game.has_spare()
        world, spare = game.children("world")
        (tmp_path / "game.py").write_text(GAME.replace("VERSION = 1", f"assert os.getpid() == {world}\nVERSION = 2"))
        os.kill(world, signal.SIGHUP)
        with trio.fail_after(PATIENCE):
            while "the spare still has the code from before the reload" not in game.log:
                await trio.sleep(0.02)
        assert game.children("world") == [world, spare]
        await ann.send_all(b"version\r\n")
        await sees(ann, b"version 2")


async def test_every_process_writes_to_a_renamed_log_only_until_the_hangup(tmp_path: Path) -> None:
    file, before = tmp_path / "mud.log", tmp_path / "mud.log.1"
    async with serving(tmp_path, "--set", f"log.file={file}") as game:
        with trio.fail_after(PATIENCE):
            while "and waits for the world" not in file.read_text():
                await trio.sleep(0.02)
        (world, _) = game.children("world")
        file.rename(before)
        (tmp_path / "game.py").write_text("1 / 0")  # so that the same world serves on
        game.process.send_signal(signal.SIGHUP)
        with trio.fail_after(PATIENCE):
            while not file.exists() or "no new world took over" not in file.read_text():
                await trio.sleep(0.02)
        assert "SIGHUP received" not in before.read_text()
        os.kill(world, signal.SIGUSR2)
        with trio.fail_after(PATIENCE):
            while "task" not in file.read_text():
                await trio.sleep(0.02)


async def test_a_hand_over_to_broken_code_changes_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        (tmp_path / "game.py").write_text("1 / 0")
        words = command("handover", "--link", str(tmp_path / "game.link"))
        failed = await trio.run_process(words, env=environment(), capture_stdout=True, check=False)
        assert failed.returncode == 1
        assert failed.stdout == b"the new world has ended with status 2: see the log; nothing changed\n"
        assert "ZeroDivisionError" in game.log
        await ann.send_all(b"version\r\n")
        await sees(ann, b"version 1")


async def test_the_gateway_is_started_again_and_its_players_return(tmp_path: Path) -> None:
    async with serving(tmp_path) as game:
        (world,) = game.children("world")[:1]
        async with crowd(game.port, 10, every=0.2) as players:
            await trio.sleep(1)
            await kill_gateway(game, players)
        assert sum(player.doubled for player in players) == 0
        assert all(player.answered == player.sent for player in players)
        assert world in game.children("world")


async def test_a_world_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    async with serving(tmp_path, "--set", "cluster.lease=1") as game:
        await game.has_spare()
        world = game.children("world")[0]
        async with crowd(game.port, 5, every=0.2) as players:
            await trio.sleep(1)
            os.kill(world, signal.SIGSTOP)
            with trio.fail_after(PATIENCE):
                while all(len(player.worlds) == 1 for player in players):
                    await trio.sleep(0.02)
        assert sum(player.lost + player.doubled for player in players) == 0
        assert world not in game.children("world")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_stop_says_goodbye_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        await sees(ann, b"welcome")
        children = [*game.children("gateway"), *game.children("world")]
        assert await game.end(number) == 0, game.log
        await sees(ann, b"The world is closing its doors.")
        assert [child for child in children if runs(child)] == []
        assert not has_link(tmp_path)


async def test_all_processes_end_with_their_supervisor(tmp_path: Path) -> None:
    async with serving(tmp_path) as game:
        children = [*game.children("gateway"), *game.children("world")]
        await game.end(signal.SIGKILL)
        with trio.fail_after(PATIENCE):
            while any(runs(child) for child in children):
                await trio.sleep(0.05)


def test_a_world_without_a_gateway_ends_with_status_75(tmp_path: Path) -> None:
    (tmp_path / "game.py").write_text(GAME)
    words = command("world", "game:hooks", "--link", "none.link")
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        75,
        "trio-mud: no gateway answers at none.link: No such file or directory; start it by trio-mud gateway",
    )


def test_a_hand_over_without_a_server_ends_with_status_75(tmp_path: Path) -> None:
    words = command("handover", "--link", "none.link")
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 75
    assert "no server answers" in done.stderr


def test_a_game_that_cannot_be_imported_ends_the_server_with_its_status(tmp_path: Path) -> None:
    (tmp_path / "game.py").write_text("1 / 0")
    words = command("serve", "game:hooks", "--port", "0", "--link", "game.link")
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the game's own code failed" in done.stderr


def test_the_gateway_takes_over_the_sockets_of_a_supervisor(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        ann = supervisor.program()
        ann.connect(["guest"])
        supervisor.start(program="serve")
        ann.sees("What is your name to be?")
        assert supervisor.stop(signal.SIGTERM) == 0


def runs(process: int) -> bool:
    """Return True if there is a process of this number."""
    return Path(f"/proc/{process}").exists()


def has_link(folder: Path) -> bool:
    """Return True if the cluster link's socket is there."""
    return (folder / "game.link").exists()


async def sees(stream: trio.SocketStream, text: bytes) -> None:
    """Read until a text has come."""
    seen = b""
    with trio.fail_after(PATIENCE):
        while text not in seen:
            data = await stream.receive_some()
            assert data, seen
            seen += data
