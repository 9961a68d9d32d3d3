"""`trio-mud serve` in processes of its own: players stay when a process ends, and when new code takes over."""

# ruff: noqa: ASYNC110 - these wait for other processes

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import trio

from tests.ports import free_ports
from tests.supervisor import Supervisor

from .drills import hand_over, kill_gateway
from .served import FAILING, GAME, PATIENCE, command, crowd, environment, serving, silence_after_kill

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")]


async def test_each_line_is_answered_once_while_the_world_is_killed(tmp_path: Path) -> None:
    async with serving(tmp_path) as game:
        async with crowd(game.port, 20, every=0.2) as players:
            for _ in range(3):
                await game.has_spare()
                print(f"{await silence_after_kill(game, players):.3f} s of silence")  # noqa: T201 - a figure
        assert sum(player.skipped + player.doubled for player in players) == 0
        assert all(player.answered == player.sent for player in players)
        assert [player.connects for player in players] == [1] * 20


async def test_new_code_takes_over_while_players_stay(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        (tmp_path / "game.py").write_text(GAME.replace("VERSION = 1", "VERSION = 2"))
        async with crowd(game.port, 10, every=0.1) as players:
            await hand_over(game)
        assert sum(player.skipped + player.doubled for player in players) == 0
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
        with trio.fail_after(PATIENCE):
            while "another one is started" not in game.log:  # the answer may come before the supervisor's line
                await trio.sleep(0.02)
        assert game.log.count("another one is started") == 1  # for the world that was killed, not for the spare


async def test_a_reload_that_a_new_process_cannot_repeat_leaves_the_older_spare(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        await game.has_spare()
        world, spare = game.children("world")
        (tmp_path / "game.py").write_text(GAME.replace("VERSION = 1", f"assert os.getpid() == {world}\nVERSION = 2"))
        os.kill(world, signal.SIGHUP)
        with trio.fail_after(PATIENCE):
            while "the spare still has the previous code" not in game.log:
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
        failed = await trio.run_process(words, env=environment(), capture_stdout=True, capture_stderr=True, check=False)
        assert failed.returncode == 1
        assert failed.stderr.decode() == "a new process loads the code; players play on meanwhile\n"
        assert (
            failed.stdout.decode() == "the new world has ended with status 2: ZeroDivisionError: division by zero "
            f"({tmp_path}/game.py, line 1, in <module>); nothing changed\n"
        )
        assert "ZeroDivisionError" in game.log
        await ann.send_all(b"version\r\n")
        await sees(ann, b"version 1")


async def test_the_previous_code_keeps_running_if_the_new_one_fails_on_started(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        await game.has_spare()
        (tmp_path / "game.py").write_text(FAILING)
        words = command("handover", "--link", str(tmp_path / "game.link"))
        async with crowd(game.port, 5, every=0.1) as players:
            failed = await trio.run_process(words, env=environment(), capture_stdout=True, check=False)
        assert failed.returncode == 1
        line = FAILING[: FAILING.index("raise")].count("\n") + 1
        assert (
            failed.stdout.decode() == "the new world has ended with status 1: KeyError: 'maps' "
            f"({tmp_path}/game.py, line {line}, in open_maps); the previous code keeps running\n"
        )
        assert sum(player.skipped + player.doubled for player in players) == 0
        assert [player.connects for player in players] == [1] * 5
        await ann.send_all(b"version\r\n")
        await sees(ann, b"version 1")


async def test_players_stay_until_the_code_is_mended_if_no_code_can_be_started(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        await game.has_spare()
        (tmp_path / "game.py").write_text(FAILING)
        words = command("handover", "--link", str(tmp_path / "game.link"))
        await trio.run_process(words, env=environment(), capture_stdout=True, check=False)
        failed = await trio.run_process(words, env=environment(), capture_stdout=True, check=False)
        assert (failed.returncode, b"no world serves now: players stay connected" in failed.stdout) == (1, True)
        await ann.send_all(b"version\r\n")
        (tmp_path / "game.py").write_text(GAME.replace("VERSION = 1", "VERSION = 3"))
        await sees(ann, b"version 3")


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
        assert sum(player.skipped + player.doubled for player in players) == 0
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
    assert done.stderr.startswith(f"trio-mud: no server answers at {tmp_path}/none.serve: ")
    assert done.stderr.endswith("; give the GAME, --config or --link that trio-mud serve was given\n")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("gateway",), 2, "no cluster link is set: name the path of a Unix socket, or the URL of Redis, with --link"),
        (("world", "game:hooks"), 2, "no cluster link is set: name the path of a Unix socket, or the URL of Redis,"),
        (("gateway", "game:hooks"), 2, "a gateway runs no game: leave out game:hooks, and give it to trio-mud world"),
        (("world", "game:hooks", "--supervisor", "99"), 2, "99 is no socket: only trio-mud serve gives this option"),
        (("gateway", "--supervisor", "99"), 2, "99 is no socket: only trio-mud serve gives this option"),
        (("serve", "game:hooks", "--link", "redis://x"), 2, "start trio-mud gateway and world"),
        (("serve", "game:hooks", "--link", f"{'x' * 120}.link"), 75, "AF_UNIX path too long; name another link with"),
        (("serve", "game:hooks", "--port", "4000", "--watch-port", "3999"), 2, "that is port: choose another watch."),
        (("serve", "game:hooks", "--port", "4000", "--watch-port", "65535"), 2, "there is none: choose another watch."),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else None,
)
def test_a_mistake_is_one_sentence_that_says_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    (tmp_path / "game.py").write_text(GAME)
    done = subprocess.run(
        command(*arguments), cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("trio-mud: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


async def test_a_second_server_is_refused_and_the_first_one_serves_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        for link, port, said in (
            ("game.link", 0, "game.serve: another server listens there; name another link with --link"),
            (
                "other.link",
                game.port,
                f"cannot bind localhost port {game.port}: Address already in use; choose another",
            ),
        ):
            words = command("serve", "game:hooks", "--link", str(tmp_path / link), "--port", str(port))
            done = await trio.run_process(words, cwd=tmp_path, env=environment(), capture_stderr=True, check=False)
            assert done.returncode == 75
            assert said in done.stderr.decode()
        await ann.send_all(b"version\r\n")
        await sees(ann, b"version 1")


async def test_a_spare_that_cannot_start_is_named_in_the_log_and_the_world_serves_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as game, await trio.open_tcp_stream("127.0.0.1", game.port) as ann:
        await game.has_spare()
        (tmp_path / "game.py").write_text("def broken(:")
        game.process.send_signal(signal.SIGHUP)
        with trio.fail_after(PATIENCE):
            while "no new world took over: the new world has ended with status 2: SyntaxError: " not in game.log:
                await trio.sleep(0.02)
        os.kill(game.children("world")[1], signal.SIGKILL)
        with trio.fail_after(PATIENCE):
            while not re.search(r"the spare, .* status 2: another one is started", game.log):
                await trio.sleep(0.02)
        assert "SyntaxError: invalid syntax" in game.log
        await ann.send_all(b"version\r\n")
        await sees(ann, b"version 1")


async def test_the_watch_has_a_page_of_the_world_and_one_of_the_gateway(tmp_path: Path) -> None:
    port = free_ports(2)
    async with serving(tmp_path, "--watch-port", str(port)) as game:
        pages = re.findall(r"To watch the (\w+): (http://127\.0\.0\.1:\d+/admin)#(\S+)", game.welcome)
        assert [(what, page) for what, page, _ in pages] == [
            ("game", f"http://127.0.0.1:{port}/admin"),
            ("gateway", f"http://127.0.0.1:{port + 1}/admin"),
        ]
        await game.has_spare()
        os.kill(game.children("world")[0], signal.SIGKILL)
        with trio.fail_after(PATIENCE):
            while game.log.count("the world serves") < 2:
                await trio.sleep(0.02)
        for _, page, token in pages:  # the token is that of the next world, too
            asked = Request(f"{page}/state", headers={"Authorization": f"Bearer {token}"})
            with await trio.to_thread.run_sync(partial(urlopen, asked, timeout=PATIENCE)) as answer:
                assert json.load(answer)["status"] == "ok"


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
