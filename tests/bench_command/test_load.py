"""A complete load over real TCP, started from a shell."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.ports import free_port
from trio_mud import Admitted, Connection, Hooks, Input, Limits, MasterServer, open_tcp_listeners
from trio_mud.bench.load import Load
from trio_mud.bench.plan import SPARE, LoadPlan, raise_descriptors
from trio_mud.bench.progress import bar, progress_line, show_progress
from trio_mud.bench.report import LoadReport
from trio_mud.bench.script import LoadScript, LoadStep
from trio_mud.errors import ConfigurationError
from trio_mud.program import cli

PATIENCE = 60  # seconds for what takes one or two; a busy machine needs more
CHECKOUT = Path(__file__).resolve().parent.parent.parent
QUICK = LoadScript(commands=(LoadStep(send="echo {n}"),), think=0)


@pytest.fixture
def echo() -> Hooks:
    """A game that greets, echoes, and knows three words more."""
    hooks = Hooks()

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.write("Welcome.")
        event.connection.prompt("> ")

    @hooks.on(Input)
    def answer(event: Input) -> None:
        if event.line == "quit":
            event.connection.quit("Farewell.")
        elif event.line != "silence":
            event.connection.write(event.line)
            event.connection.prompt("> ")

    return hooks


def slow(seconds: float) -> Hooks:
    """A game that repeats each line with a `!`; in answer to a name, it takes this time."""
    hooks = Hooks()

    @hooks.on(Input)
    async def answer(event: Input) -> None:
        if event.line.startswith("name"):
            await trio.sleep(seconds)
        event.connection.write(f"{event.line}!")

    return hooks


@asynccontextmanager
async def serving(hooks: Hooks, limits: Limits) -> AsyncGenerator[int, None]:
    """Serve these hooks for the length of the block; yields the port."""
    with trio.fail_after(PATIENCE):
        (listener,) = await open_tcp_listeners(0, host="127.0.0.1")
        async with trio.open_nursery() as nursery:
            server = await nursery.start(MasterServer(hooks, limits=limits).serve, [listener])
            yield listener.address[1]
            server.shutdown()


FREE = Limits(
    protocol_rate=None,
    max_per_address=None,
    accept_rate_per_address=None,
    accept_rate=None,
    command_rate=None,
    linger_timeout=0.2,
)


def plan(port: int, *, players: int = 5, rate: float | None = None, script: LoadScript = QUICK) -> LoadPlan:
    return LoadPlan(host="127.0.0.1", port=port, players=players, rate=rate, ramp=0, duration=0.2, script=script)


async def test_everybody_plays_and_every_answer_is_counted(echo: Hooks) -> None:
    async with serving(echo, FREE) as port:
        load = Load(plan(port))
        await load.run()
    report = LoadReport(load, 0.1, trio.current_time())
    figures = json.loads(report.as_json())

    assert report.is_whole
    assert (5, 5, {}) == (figures["connected"], figures["logged_in"], figures["lost"])
    assert figures["answered"] == figures["commands"] > 0
    assert 0 < figures["latency"]["p50"] <= figures["latency"]["p99.9"] <= figures["latency"]["max"]
    assert figures["bytes_out"] > 8 * figures["commands"]
    assert "5 of 5 players came in" in report.as_text()


async def test_with_a_rate_as_many_commands_are_due_as_the_rate_says(
    echo: Hooks, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.01  # for what is under way over loopback
    async with serving(echo, FREE) as port:
        load = Load(plan(port, rate=100))
        await load.run()

    assert load.tally.due == pytest.approx(5 * 100 * 0.2, abs=1)  # the last one may be due at the very end
    assert load.unanswered == 0
    assert "sent late" in LoadReport(load, 0.0, trio.current_time()).as_text()


async def test_those_turned_away_are_told_apart_by_the_words_they_read(echo: Hooks) -> None:
    async with serving(echo, Limits(max_per_address=2, linger_timeout=0.2)) as port:
        load = Load(plan(port))
        await load.run()
    report = LoadReport(load, 0.0, trio.current_time())

    assert (2, 3) == (load.tally.logged_in, load.tally.lost.total())
    [why] = load.tally.lost
    assert why == (
        "the server hung up, before the player was in:"
        " Too many visitors came from your address. Please leave with one of them first."
    )
    assert not report.is_whole
    assert f"lost         3 x {why}" in report.as_text()


async def test_a_load_is_over_when_nobody_is_left(echo: Hooks) -> None:
    async with serving(echo, FREE) as port:
        load = Load(
            LoadPlan(host="127.0.0.1", port=port, duration=600, script=LoadScript(commands=(LoadStep(send="quit"),)))
        )
        await load.run()

    assert {"the server hung up: Farewell.": 10} == load.tally.lost


async def test_what_is_never_answered_is_told(echo: Hooks) -> None:
    async with serving(echo, FREE) as port:
        load = Load(plan(port, rate=10, script=LoadScript(commands=(LoadStep(send="silence"),))))
        await load.run()
    report = LoadReport(load, 0.0, trio.current_time())

    assert load.unanswered == load.tally.due > 0
    assert not report.is_whole
    assert json.loads(report.as_json())["latency"]["max"] is None


async def test_a_login_that_waits_in_vain_ends_with_its_step_and_the_last_text(
    echo: Hooks, autojump_clock: trio.testing.MockClock
) -> None:
    """It measured nobody for ten minutes, and gave no reason."""
    autojump_clock.autojump_threshold = 0.01  # for what is under way over loopback
    steps = (LoadStep(expect="Welcome", think=20), LoadStep(send="echo Ann{a}", expect="By what name"))
    began = trio.current_time()
    async with serving(echo, FREE) as port:
        load = Load(
            LoadPlan(host="127.0.0.1", port=port, players=2, ramp=0, duration=600, script=LoadScript(login=steps))
        )
        await load.run()
    report = LoadReport(load, 0.0, trio.current_time())
    awaited = "step 2 of the login, 'echo Ann{a}', waits for 'By what name'"

    assert 20 < trio.current_time() - began < 60
    assert not report.is_whole
    assert f"waiting      2 x {awaited}; the last text was 'echo Anna >'" in report.as_text()
    assert json.loads(report.as_json())["waiting"] == {awaited: {"count": 2, "last_text": "echo Anna >"}}


async def test_those_who_came_in_are_measured_and_those_who_did_not_are_reported(
    echo: Hooks, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.01
    login = (LoadStep(send="echo {n}", expect="echo 1"),)
    async with serving(echo, FREE) as port:
        load = Load(plan(port, rate=10, script=LoadScript(login=login, commands=QUICK.commands)))
        await load.run()
    report = LoadReport(load, 0.0, trio.current_time())

    assert (1, True) == (load.tally.logged_in, load.tally.latency.count > 0)
    assert load.unanswered == 0
    assert not report.is_whole
    assert "waiting      4 x step 1 of the login, 'echo {n}', waits for 'echo 1'; the last" in report.as_text()


async def test_a_slow_login_comes_in_although_all_its_steps_together_take_longer_than_one_may(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Four answers of three seconds each were refused after ten seconds."""
    autojump_clock.autojump_threshold = 0.01
    login = tuple(LoadStep(send=f"name {step}", expect=f"{step}!") for step in range(4))
    commands = (LoadStep(send="x", expect="x!"),)
    async with serving(slow(3), FREE) as port:
        load = Load(plan(port, players=2, rate=10, script=LoadScript(login=login, commands=commands)))
        await load.run()

    assert (2, {}) == (load.tally.logged_in, load.tally.stuck)
    assert load.tally.began - load.began == pytest.approx(12, abs=1)


async def test_a_load_that_is_cut_reports_only_the_players_that_have_waited_for_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Ctrl-C reported players in the middle of a login that was answered in time."""
    autojump_clock.autojump_threshold = 0.01
    script = LoadScript(login=(LoadStep(send="name {n}", expect="1!"),), commands=(LoadStep(send="x", expect="x!"),))

    async def cut_after(seconds: float) -> dict[str, int]:
        async with serving(slow(3), FREE) as port:
            load = Load(LoadPlan(host="127.0.0.1", port=port, players=2, ramp=0, duration=600, script=script))
            with trio.move_on_after(seconds) as scope:
                await load.run()
            assert scope.cancelled_caught
        return dict(load.tally.stuck)

    assert await cut_after(1) == {}
    assert await cut_after(9) == {}
    assert await cut_after(11) == {"step 1 of the login, 'name {n}', waits for '1!'": 1}


async def test_a_connection_that_is_not_established_is_reported(autojump_clock: trio.testing.MockClock) -> None:
    """The exit status was 1 without a reason."""
    autojump_clock.autojump_threshold = 0.01
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # Linux holds one connection that is not accepted, and ignores further ones
        load = Load(plan(full.getsockname()[1], players=2))
        await load.run()
    report = LoadReport(load, 0.0, trio.current_time())

    assert (1, 1) == (load.tally.connected, load.tally.logged_in)
    assert not report.is_whole
    assert "waiting      1 x the connection is not established; no text came" in report.as_text()


async def test_a_login_that_the_end_cuts_between_two_steps_is_reported(autojump_clock: trio.testing.MockClock) -> None:
    """If the answer came while the last answers were waited for, the load never ended."""
    autojump_clock.autojump_threshold = 0.01
    hooks = Hooks()

    async def answer_late(connection: Connection, line: str) -> None:
        await trio.sleep(11)  # longer than a load waits before it measures, and than it measures
        connection.write(f"{line}!")

    @hooks.on(Input)
    def answer(event: Input) -> None:
        if event.line == "name 2":
            event.connection.start_soon(answer_late, event.connection, event.line)
        else:
            event.connection.write(f"{event.line}!")

    login = (LoadStep(send="name {n}", expect="{n}!"), LoadStep(send="password", expect="password!"))
    commands = (LoadStep(send="x", expect="x!"),)
    async with serving(hooks, FREE) as port:
        load = Load(plan(port, players=2, rate=10, script=LoadScript(login=login, commands=commands)))
        await load.run()
    report = LoadReport(load, 0.0, trio.current_time())

    assert (1, 0) == (load.tally.logged_in, load.unanswered)
    assert not report.is_whole
    assert (
        "waiting      1 x step 2 of the login was not begun when the load ended; the last text was 'name 2!'"
        in report.as_text()
    )


async def test_a_server_that_says_nothing_is_reported_as_silent(autojump_clock: trio.testing.MockClock) -> None:
    autojump_clock.autojump_threshold = 0.01
    async with serving(Hooks(), FREE) as port:
        load = Load(plan(port, script=LoadScript(login=(LoadStep(expect="Welcome"),))))
        await load.run()

    text = LoadReport(load, 0.0, trio.current_time()).as_text()
    assert "waiting      5 x step 1 of the login waits for 'Welcome'; no text came" in text


async def test_a_command_that_waits_in_vain_is_reported_with_what_it_waits_for(echo: Hooks) -> None:
    commands = (LoadStep(send="echo {n}"), LoadStep(send="echo me", expect="You say"))
    async with serving(echo, FREE) as port:
        load = Load(plan(port, script=LoadScript(commands=commands, think=0)))
        await load.run()

    text = LoadReport(load, 0.0, trio.current_time()).as_text()
    assert "waiting      5 x 'echo me' waits for 'You say'; the last text was 'echo me >'" in text


async def test_more_than_the_kernel_takes_at_once_arrives_whole(echo: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trio_mud.bench.load.DRAIN", PATIENCE)  # the answers are a megabyte
    long = LoadScript(commands=(LoadStep(send="echo " + "x" * 3000),), think=0)
    async with serving(echo, FREE) as port:
        load = Load(plan(port, players=1, rate=2000, script=long))
        await load.run()

    assert load.unanswered == 0


def test_a_load_that_is_itself_too_busy_says_so() -> None:
    load = Load(plan(4000))
    load.tally.began, load.tally.ended = 0.0, 10.0

    assert "95% of a core" in LoadReport(load, 9.5, 10.0).as_text()
    assert "of a core" not in LoadReport(load, 5.0, 10.0).as_text()


async def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(autojump_clock: trio.testing.MockClock) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    load, terminal, elsewhere = Load(plan(4000)), Terminal(), io.StringIO()
    load.began = trio.current_time()
    with trio.move_on_after(11):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(show_progress, load, terminal)
            nursery.start_soon(show_progress, load, elsewhere)

    assert elsewhere.getvalue() == "connecting: 0 of 5 in the game\n" * 2
    assert "[----" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


async def test_the_bar_is_full_at_the_end(autojump_clock: trio.testing.MockClock) -> None:
    load = Load(plan(4000))
    load.stage, load.began, load.tally.began = "measuring", trio.current_time(), trio.current_time()
    load.tally.lose("it rained")
    await trio.sleep(0.1)
    assert bar(load).count("#") == 15
    await trio.sleep(10)
    assert bar(load) == f"[{'#' * 30}]"
    assert progress_line(load) == "measuring: 0 of 5 in the game, 1 lost, 0 answered"


# Descriptors


def test_descriptors_are_raised_as_far_as_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 20_000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    raise_descriptors(100)
    raise_descriptors(5000)

    assert asked == [(5000 + SPARE, 20_000)]


def test_more_players_than_descriptors_are_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 2000))

    with pytest.raises(ConfigurationError, match="take 1936 players, or raise the hard limit"):
        raise_descriptors(5000)


# The command line


def test_where_nobody_listens_is_one_line_and_status_75(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()

    assert cli.main(["bench", "127.0.0.1", str(port)]) == 75
    assert capsys.readouterr().err == (
        f"trio-mud: nothing listens at 127.0.0.1 port {port}: start your game there, or name its port\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["localhost"], "requires an argument"),
        (["localhost", "0"], "PORT"),
        (["localhost", "4000", "--players", "0"], "--players"),
        (["localhost", "4000", "--rate", "0"], "--rate"),
        (["localhost", "4000", "--expect", "x", "--until-prompt"], "exclude each other"),
        (["localhost", "4000", "--script", "nowhere.toml"], "cannot be read"),
        (["no such host", "4000"], "no name or address known here"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert cli.main(["bench", *arguments]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint
    assert len(complaint.splitlines()) == 1


GUESTS = """
think = 0.05

[[login]]
expect = "By what name"

[[login]]
send = "Ann{a}"

[[commands]]
send = "look"

[[commands]]
send = "say I am number {n}"
expect = "number {n}"
"""


def started(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.Popen(
        [sys.executable, "-m", "trio_mud", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def tavern(port: int) -> subprocess.Popen[str]:
    """The bundled world at that port, once it is open."""
    server = started("--host", "127.0.0.1", "--port", str(port))
    assert server.stdout is not None
    while "Ctrl-C" not in server.stdout.readline():
        assert server.poll() is None
    return server


@pytest.mark.slow
def test_a_load_on_the_bundled_world_ends_by_itself_and_by_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    script = tmp_path / "guests.toml"
    script.write_text(GUESTS, encoding="utf-8")
    with tavern(port) as server:
        try:
            asked = ["bench", "127.0.0.1", str(port), "--script", str(script), "--json"]
            asked += ["--players", "3", "--ramp", "0"]
            with started(*asked, "--duration", "0.5") as load:
                out, err = load.communicate(timeout=PATIENCE)
            assert (0, "") == (load.returncode, err)
            assert json.loads(out)["answered"] > 0
            with started(*asked, "--duration", "600") as load:
                assert load.stderr is not None
                assert "in the game" in load.stderr.readline()  # five seconds after the start
                load.send_signal(signal.SIGINT)
                out, _ = load.communicate(timeout=PATIENCE)
            assert load.returncode == 130  # long before its ten minutes are over
            assert json.loads(out)["answered"] > 0
        finally:
            server.kill()
