"""The cost of logins: memory and latency while 200 log in at once, and what an unknown name costs; rows of `--bounds`.

    python tests/bench/accounts.py          every figure, with its bound

The server runs in a process of its own, with accounts in an SQLite file and hashes of full cost.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # it is started by its path, from anywhere

import trio

from tests.bench.bounds import BoundRow, check, chosen
from trio_mud import Admitted, Connection, Hooks, Input, Limits, SessionStarted, open_tcp_listeners, serve
from trio_mud.accounts import Account, AccountOptions, Accounts, Character, Login
from trio_mud.accounts.account import address_mark
from trio_mud.storage import Sqlite, open_store
from trio_mud.world import Game, World

CROWD = 200
TRIES = 1000
PING = 0.02  # seconds between two echoes
PATIENCE = 240.0
PASSWORD, HOME = "correct horse", "127.0.0.1"
LIMITS = Limits(
    max_per_address=None, accept_rate_per_address=None, accept_rate=None, command_rate=None, first_input_timeout=None
)


class Patient(Character):
    """A character."""


def echo(world: World) -> Hooks:
    """A game that answers each line."""
    hooks = Hooks()
    accounts = Accounts.of(world, Patient)
    hooks.include(accounts.hooks)
    login = Login(accounts)

    @hooks.on(Admitted)
    def open_the_door(event: Admitted) -> None:
        event.connection.start_dialog(login.run)

    @hooks.on(SessionStarted)
    def welcome(event: SessionStarted) -> None:
        event.session.write("You are in")

    @hooks.on(Input)
    def answer(event: Input) -> None:
        event.connection.write(f"echo {event.line}")

    return hooks


GAME = Game(echo, records=(*Accounts.records, Patient))


async def run_server(path: str) -> None:
    """Serve the game with a crowd of accounts; print the port."""
    async with GAME.open(Sqlite(path)) as (hooks, world):
        accounts = Accounts.of(world, Patient)
        stored = await accounts.passwords.hash(PASSWORD)
        for number in range(CROWD + 1):
            key = name_of(number).lower()
            mark = address_mark("salt", HOME)
            world.store.add(
                Account(name=name_of(number), password=stored, characters=(key,), salt="salt", known=(mark,)), key
            )
            world.store.add(Patient(name=name_of(number), account=key), key)
        await world.store.saved()
        listeners = await open_tcp_listeners(0, host=HOME)
        print(listeners[0].address[1], flush=True)
        await serve(hooks, listeners=listeners, limits=LIMITS, world=world)


def name_of(number: int) -> str:
    """Return a name of letters."""
    return "Mu" + "".join(chr(97 + int(digit)) for digit in f"{number:03}")


class LoginClient:
    """One player over TCP."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream, self._seen = stream, b""

    async def type(self, line: str) -> None:
        await self._stream.send_all(line.encode() + b"\r\n")

    async def sees(self, text: str) -> None:
        while text.encode() not in self._seen:
            data = await self._stream.receive_some()
            if not data:
                raise RuntimeError(f"closed before {text!r}: {self._seen[-200:]!r}")
            self._seen += data
        self._seen = self._seen.partition(text.encode())[2]


async def crowd(port: int, pid: int) -> tuple[float, float]:
    """Log 200 players in at once; return the MiB that the server grew by, and the p99 of a player's echo in ms."""
    clients = [LoginClient(await trio.open_tcp_stream(HOME, port)) for _ in range(CROWD + 1)]
    player = clients.pop()
    await player.sees("Name: ")
    await player.type(name_of(CROWD))
    await player.sees("Password: ")
    await player.type(PASSWORD)
    await player.sees("You are in")
    for number, client in enumerate(clients):
        await client.sees("Name: ")
        await client.type(name_of(number))
        await client.sees("Password: ")
    before, late = memory(pid, "VmRSS"), []

    async def ping() -> None:
        turn = 0
        while True:
            turn += 1
            start = time.perf_counter()
            await player.type(f"{turn} ")
            await player.sees(f"echo {turn}")
            late.append((time.perf_counter() - start) * 1000)
            await trio.sleep(PING)

    async def come_in(client: LoginClient) -> None:
        await client.type(PASSWORD)
        await client.sees("You are in")

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ping)
            async with trio.open_nursery() as logins:
                for client in clients:
                    logins.start_soon(come_in, client)
            nursery.cancel_scope.cancel()
    return memory(pid, "VmHWM") - before, statistics.quantiles(late, n=100)[98]


def memory(pid: int, field: str) -> float:
    """Return a figure of a process in MiB."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) / 1024


def measure_crowd(which: int) -> float:
    """Measure the crowd at a server in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--server", f"{folder}/bench.db"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                port = int(server.stdout.readline())
                return trio.run(crowd, port, server.pid)[which]
            finally:
                server.kill()


async def names() -> float:
    """Return by how many percent the CPU of a try for an unknown name differs from that for a known one."""
    options = AccountOptions(first_penalty=1e-9, max_penalty=1e-9)  # otherwise the tries would be refused
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(Sqlite(f"{folder}/bench.db"), *Accounts.records, Patient) as store:
            accounts = Accounts(store, Patient, options=options)
            account = Account(name="Ann", password=await accounts.passwords.hash(PASSWORD), characters=("ann",))
            store.add(account, "ann")
            await store.saved()
            del account  # so that each try reads it from disk
            spent: dict[str, list[float]] = {"Ann": [], "Bob": []}
            connection = cast("Connection", SimpleNamespace(address="203.0.113.9"))
            for turn in range(2 * TRIES):
                name = ("Ann", "Bob")[turn % 2]
                start = time.process_time()
                assert await accounts.authenticate(connection, name, "guess") is None
                spent[name].append(time.process_time() - start)
    known, unknown = (statistics.median(spent[name]) for name in ("Ann", "Bob"))
    return abs(unknown / known - 1) * 100


ROWS = [
    BoundRow("logins: memory of 200 at once", "MiB", 60.0, lambda: measure_crowd(0)),
    BoundRow("logins: p99 of a player's echo meanwhile", "ms", 100.0, lambda: measure_crowd(1)),
    BoundRow("logins: unknown beside known names, 1,000 tries each", "% CPU", 2.0, lambda: trio.run(names)),
]


def main() -> int:
    """Serve for a parent process, or measure all figures."""
    if sys.argv[1:2] == ["--server"]:
        trio.run(run_server, sys.argv[2])
        return 0
    return 0 if check(chosen(ROWS, ",".join(sys.argv[1:])), print) else 1


if __name__ == "__main__":
    sys.exit(main())
