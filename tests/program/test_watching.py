"""The watch of the command line: opened by its settings, ready while records can be stored."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.storage.faulty import Faulty
from trio_mud import Hooks, MasterServer
from trio_mud.driver.server.places import CannotListen
from trio_mud.program.config import WatchOptions
from trio_mud.program.watching import watching, within_all
from trio_mud.world import Game

CHECKOUT = Path(__file__).parents[2]
PATIENCE = 40  # seconds for a process to do what it should; a busy machine needs a few


def ask(link: str, path: str, **headers: str) -> tuple[int, str]:
    """Ask the watch whose admin page has this address."""
    request = urllib.request.Request(link.partition("/admin")[0] + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def test_a_failing_database_makes_the_server_unready_until_it_works_again() -> None:
    backend, links = Faulty(), list[str]()
    server = MasterServer(Hooks())
    lifespan = watching(WatchOptions(host="127.0.0.1", port=0), None, links.append)

    async def readiness() -> tuple[int, str]:
        with trio.fail_after(PATIENCE):
            return await trio.to_thread.run_sync(partial(ask, links[0], "/readyz"))

    async with lifespan(server):
        assert await readiness() == (503, "starting\n")
        async with (
            Game(Hooks()).open(backend, interval=0.01) as (server.hooks, server.world),
            trio.open_nursery() as nursery,
        ):
            await nursery.start(server.serve, [])
            assert await readiness() == (200, "ok\n")
            backend.error = OSError("disk full")
            store = server.world.store
            store.set_value("changed", 1)
            while store.error is None:  # noqa: ASYNC110 - set by the store's own task
                await trio.sleep(0.01)
            assert await readiness() == (503, "storage fails\n")
            backend.error = None
            while store.error is not None:  # noqa: ASYNC110 - as above
                await trio.sleep(0.01)
            assert await readiness() == (200, "ok\n")
            server.shutdown()
        assert await readiness() == (503, "closing\n")


async def test_without_a_port_there_is_no_watch() -> None:
    announced: list[str] = []
    async with within_all([watching(WatchOptions(), None, announced.append)])(MasterServer(Hooks())):
        assert announced == []


async def test_a_port_in_use_and_an_unknown_host_name_their_options() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for options, parameter, status in (
            (WatchOptions(host="127.0.0.1", port=taken.getsockname()[1]), "watch_port", 75),
            (WatchOptions(host="no-such-host.invalid", port=0), "watch_host", 2),
        ):
            with pytest.raises(CannotListen) as caught:
                async with watching(options, None, print)(MasterServer(Hooks())):
                    raise AssertionError("it was opened")
            assert (caught.value.parameter, caught.value.status) == (parameter, status)


@pytest.mark.slow
@pytest.mark.parametrize("token", [None, "a-token-of-the-tests"])
def test_the_program_prints_the_link_and_answers_until_it_ends(tmp_path: Path, token: str | None) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    if token is not None:
        (tmp_path / "token").write_text(f"{token}\n", encoding="utf-8")
        environment["TRIO_MUD_WATCH_TOKEN_FILE"] = "token"
    command = [sys.executable, "-m", "trio_mud", "--port", "0", "--watch-port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            printed = ""
            while "Press Ctrl-C" not in printed:
                line = process.stdout.readline()
                assert line, printed
                printed += line
            (link,) = re.findall(r"^To watch the game: (\S+)$", printed, re.M)
            assert (token is None) == ("#" in link)
            secret = token or link.partition("#")[2]
            status, state = ask(link, "/admin/state", Authorization=f"Bearer {secret}")
            assert (status, json.loads(state)["status"]) == (200, "ok")
            assert ask(link, "/admin/state")[0] == 401
            assert ask(link, "/readyz") == (200, "ok\n")
            assert "trio_mud_build_info" in ask(link, "/metrics")[1]
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
