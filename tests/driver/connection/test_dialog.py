"""Dialogs: scripts that borrow a connection's lines, and give back every one they did not use."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from trio_mud import (
    Admitted,
    Cause,
    Connect,
    ConnectionEnded,
    Dialog,
    Hooks,
    Input,
    Limits,
    LocalProtocolError,
    Reason,
    Texts,
    WouldDeadlock,
)
from trio_mud.testing import OpenMud

from ..conftest import EventLog, feed, first_connection, settled


def lines_of(witness: EventLog) -> list[str]:
    return [event.line for event in witness.events if isinstance(event, Input)]


class Login:
    """Asks for a name and a password, and records the answers."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def __call__(self, dialog: Dialog) -> None:
        self.heard.append(await dialog.ask("Name? "))
        self.heard.append(await dialog.ask("Word? "))
        dialog.connection.write("Welcome.")


@pytest.fixture
def login(witness: EventLog) -> Login:
    script = Login()
    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    return script


async def test_a_dialog_gets_its_lines_and_raises_no_input(mud: OpenMud, witness: EventLog, login: Login) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.sees("Name? ")
        await player.type("ann")
        await player.sees("Word? ")
        await player.type("sesame")
        await player.sees("Welcome.")
        await player.type("look")
        await settled()
    assert login.heard == ["ann", "sesame"]
    assert lines_of(witness) == ["look"]


async def test_what_is_typed_ahead_answers_and_the_rest_becomes_input(
    mud: OpenMud, witness: EventLog, login: Login
) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.type("ann", "sesame", "look", "north")
        await player.sees("Welcome.")
        await settled()
    assert login.heard == ["ann", "sesame"]
    assert lines_of(witness) == ["look", "north"]


async def test_type_ahead_far_over_the_limit_passes_through_a_dialog_in_order(mud: OpenMud, witness: EventLog) -> None:
    """Lines and raw bytes, at every hand-over from the dialog to `Input`."""
    heard: list[str] = []

    async def script(dialog: Dialog) -> None:
        for _ in range(50):
            heard.append(await dialog.ask("? "))
            if len(heard) % 7 == 0:
                await trio.sleep(0.01)

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    lines = [f"{number} {'x' * 40}" for number in range(200)]
    async with mud(witness.hooks, limits=Limits(max_typeahead=3, command_rate=None)) as place:
        player = await place.player()
        await player.type(*lines)
        await trio.sleep(10)
    assert heard == lines[:50]
    assert lines_of(witness) == lines[50:]


async def test_lines_wait_while_a_dialog_does_not_ask(mud: OpenMud, witness: EventLog) -> None:
    async def script(dialog: Dialog) -> None:
        await trio.sleep(5)

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.type("look")
        await trio.sleep(4)
        assert lines_of(witness) == []
        await trio.sleep(2)
        assert lines_of(witness) == ["look"]


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_a_line_that_meets_a_question_just_given_up_is_not_lost(mud: OpenMud, witness: EventLog) -> None:
    """The scope around the question is cancelled and the line handled before the script has run again."""
    heard: list[str] = []
    scopes: list[trio.CancelScope] = []

    async def script(dialog: Dialog) -> None:
        with trio.CancelScope() as scope:
            scopes.append(scope)
            heard.append(await dialog.ask("Quick! "))
        heard.append(await dialog.ask("Slowly then: "))

    witness.hooks.on(Input)(lambda event: scopes[0].cancel())
    async with mud(witness.hooks) as place:
        await place.player()
        await place.player()
        other, asked = place.server.connections
        asked.start_dialog(script)
        await settled()
        feed(other, b"cancel\r\n")  # handled first, in the same batch
        feed(asked, b"precious\r\n")
        await settled()
    assert heard == ["precious"]


async def test_a_dialog_may_time_out_a_question_itself(mud: OpenMud, witness: EventLog) -> None:
    heard: list[str] = []

    async def script(dialog: Dialog) -> None:
        with trio.move_on_after(5):
            heard.append(await dialog.ask("Quick! "))
        heard.append(await dialog.ask("Slowly then: "))

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.sees("Slowly then: ")
        await player.type("here")
        await settled()
    assert heard == ["here"]
    assert lines_of(witness) == []


# At the door


async def test_a_dialog_started_at_the_door_begins_after_admission(mud: OpenMud, witness: EventLog) -> None:
    began: list[float] = []

    async def script(dialog: Dialog) -> None:
        began.append(trio.current_time())
        assert dialog.connection in dialog.connection.server.connections
        await dialog.ask("Name? ")

    @witness.hooks.on(Connect)
    async def start(event: Connect) -> None:
        event.connection.start_dialog(script)
        await trio.sleep(3)

    witness.hooks.on(Admitted)(lambda event: event.connection.write("You are in."))
    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.sees("Name? ")
        assert "You are in.\n" in player.screen
        await player.type("ann", "look")
        await settled()
    assert began == [3.0]
    assert lines_of(witness) == ["look"]


async def test_a_dialog_started_at_the_door_never_begins_after_a_refusal(mud: OpenMud, witness: EventLog) -> None:
    began: list[float] = []

    async def script(dialog: Dialog) -> None:
        began.append(trio.current_time())

    @witness.hooks.on(Connect)
    def start(event: Connect) -> None:
        event.connection.start_dialog(script)
        event.connection.refuse("No.")

    async with mud(witness.hooks) as place:
        visitor = await place.player()
        assert await visitor.sees_the_end() == "No.\n"
    assert began == []


# How it ends


@pytest.mark.parametrize("ending", ["quit", "vanish", "hang up", "shutdown", "abort"])
async def test_every_ending_cancels_a_dialog_at_its_await_and_its_finally_runs(
    mud: OpenMud, witness: EventLog, ending: str
) -> None:
    ended: list[str] = []

    async def script(dialog: Dialog) -> None:
        try:
            await dialog.ask("Name? ")
            ended.append("answered")
        finally:
            ended.append("finally")

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    async with mud(witness.hooks) as place:
        player = await place.player()
        match ending:
            case "quit":
                first_connection(place.server).quit()
            case "vanish":
                await player.vanish()
            case "hang up":
                await player.hang_up()
            case "shutdown":
                place.server.shutdown()
            case "abort":
                place.server.abort()
        await settled()
        assert ended == ["finally"]
        await trio.sleep(5)
        assert len(witness.disconnects()) == 1


async def test_the_deadline_of_a_dialog_ends_the_connection(mud: OpenMud, witness: EventLog, login: Login) -> None:
    """N8: for the whole dialog, with any number of questions."""

    async def slow(dialog: Dialog) -> None:
        await dialog.ask("Name? ")
        await dialog.ask("Word? ")

    async with mud(Hooks(), texts=Texts(no_input="Too late.")) as place:
        player = await place.player()
        connection = first_connection(place.server)
        connection.start_dialog(slow, deadline=120)
        await trio.sleep(50)
        await player.type("ann")
        await trio.sleep(69)
        assert connection.ending is None
        await trio.sleep(2)
        assert connection.ending is Cause.LOGIN_DEADLINE
        assert (await player.sees_the_end()).endswith("Too late.\n")


async def test_the_deadline_of_hooks_does_not_concern_a_dialog(mud: OpenMud, witness: EventLog, login: Login) -> None:
    async with mud(witness.hooks, limits=Limits(hook_timeout=1)) as place:
        player = await place.player()
        await trio.sleep(30)
        await player.type("ann", "sesame")
        await player.sees("Welcome.")


async def test_a_script_that_raises_costs_itself_and_lines_are_input_again(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(dialog: Dialog) -> None:
        await dialog.ask("Name? ")
        raise RuntimeError("broken script")

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    async with mud(witness.hooks, texts=Texts(command_failed="Oops."), allow_errors=True) as place:
        player = await place.player()
        await player.type("ann")
        await player.sees("Oops.")
        await player.type("look")
        await settled()
        assert first_connection(place.server).ending is None
    assert lines_of(witness) == ["look"]
    assert "failed for guest-1 (#1)" in caplog.text


@pytest.mark.one_process("input that is on its way is discarded with what was typed before")
async def test_a_script_that_is_no_coroutine_function_costs_itself(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks, allow_errors=True) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(lambda dialog: None)  # type: ignore[arg-type,return-value]
        await player.type("look")
        await settled()
        assert len(place.server.connections) == 1
    assert lines_of(witness) == ["look"]


async def test_a_quit_in_a_dialog_flushes_what_it_said(mud: OpenMud, witness: EventLog) -> None:
    async def script(dialog: Dialog) -> None:
        name = await dialog.ask("Name? ")
        dialog.connection.write(f"I know you, {name}.")
        dialog.connection.quit("Go!", cause=Cause.BANNED)
        await trio.sleep_forever()

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    async with mud(witness.hooks) as place:
        player = await place.player(capacity=5)
        await player.type("bob", "secret")
        assert (await player.sees_the_end()).endswith("I know you, bob.\nGo!\n")
    assert (witness.last_ending.reason, witness.last_ending.cause) == (Reason.QUIT, Cause.BANNED)
    assert lines_of(witness) == []


async def test_a_second_dialog_must_wait_for_the_end_of_the_first(
    mud: OpenMud, witness: EventLog, login: Login
) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        connection = first_connection(place.server)
        with pytest.raises(LocalProtocolError, match="in a dialog already"):
            connection.start_dialog(login)
        await player.type("ann", "sesame")
        await settled()
        connection.start_dialog(login)
        await player.type("bob", "iris")
        await settled()
    assert login.heard == ["ann", "sesame", "bob", "iris"]


async def test_two_tasks_must_not_ask_at_once(mud: OpenMud, witness: EventLog) -> None:
    raised: list[LocalProtocolError] = []

    async def script(dialog: Dialog) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dialog.ask, "one? ")
            await trio.sleep(0.1)
            try:
                await dialog.ask("two? ")
            except LocalProtocolError as error:
                raised.append(error)

    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await trio.sleep(1)
        await player.type("answer", "look")
        await settled()
    assert len(raised) == 1
    assert lines_of(witness) == ["look"]


async def test_asking_after_the_end_raises_and_costs_nothing(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    dialogs: list[Dialog] = []

    async def script(dialog: Dialog) -> None:
        dialogs.append(dialog)
        await dialog.ask("Name? ")

    async with mud(witness.hooks) as place:
        player = await place.player()
        connection = first_connection(place.server)
        connection.start_dialog(script)
        await settled()
        await player.vanish()
        await settled()
        with pytest.raises(ConnectionEnded) as caught:
            await dialogs[0].ask("Still there? ")
        assert caught.value.reason is Reason.LINKDEATH
    assert "ERROR" not in {record.levelname for record in caplog.records}


async def test_an_ended_connection_keeps_no_dialog(mud: OpenMud, witness: EventLog, login: Login) -> None:
    """No dialog outlives its connection, not even one whose script never began."""
    async with mud(Hooks()) as place:
        await place.player()
        started = first_connection(place.server)
        started.start_dialog(login)
        await settled()
        started.quit()
        await settled()
        assert started.dialog is None
    hooks, met = Hooks(), []

    @hooks.on(Connect)
    def begin(event: Connect) -> None:
        met.append(event.connection)
        event.connection.start_dialog(login)
        event.connection.quit()

    async with mud(hooks) as place:
        await place.player()
        await trio.sleep(5)
        assert met[0].dialog is None


async def test_asking_oneself_from_a_waiting_hook_raises_at_once_and_from_a_plain_task_does_not(
    mud: OpenMud, witness: EventLog
) -> None:
    """A14."""
    dialogs: list[Dialog] = []
    heard: list[str] = []

    async def script(dialog: Dialog) -> None:
        dialogs.append(dialog)
        await trio.sleep_forever()

    async def work() -> None:
        heard.append(await dialogs[0].ask("In peace? "))

    async def wrong() -> None:
        await dialogs[0].ask("Why? ")

    async with mud(witness.hooks, allow_errors=True) as place:
        player = await place.player()
        connection = first_connection(place.server)
        connection.start_dialog(script)
        await settled()
        connection.after(0, wrong)
        await trio.sleep(0.1)
        assert place.server.counters["hooks failed"] == 1
        connection.start_soon(work)
        await player.sees("In peace? ")
        await player.type("yes")
        await settled()
    assert heard == ["yes"]
    assert issubclass(WouldDeadlock, Exception)


async def test_a_login_that_fails_lets_nobody_in(mud: OpenMud, witness: EventLog) -> None:
    """A script started in the connect hook decides on admission; if it fails, the connection is refused."""

    async def login(dialog: Dialog) -> None:
        await dialog.ask("Name? ")
        raise RuntimeError("the book of names is gone")

    witness.hooks.on(Connect)(lambda event: event.connection.start_dialog(login))
    async with mud(witness.hooks, texts=Texts(command_failed="Oops."), allow_errors=True) as place:
        player = await place.player()
        await player.type("ann", "secret", "look")
        assert (await player.sees_the_end()).endswith("Oops.\n")
    assert lines_of(witness) == []
    assert witness.last_ending.cause is Cause.ERROR


async def test_the_lines_that_wait_for_a_script_that_fails_are_dropped(mud: OpenMud, witness: EventLog) -> None:
    async def script(dialog: Dialog) -> None:
        await dialog.ask("Name? ")
        await trio.sleep(1)
        raise RuntimeError("broken script")

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    async with mud(witness.hooks, allow_errors=True) as place:
        player = await place.player()
        await player.type("ann", "secret")
        await trio.sleep(2)
        await player.type("look")
        await settled()
        assert lines_of(witness) == ["look"]


async def test_a_dialog_that_is_over_asks_nothing(mud: OpenMud, witness: EventLog) -> None:
    kept: list[Dialog] = []

    async def script(dialog: Dialog) -> None:
        kept.append(dialog)

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    async with mud(witness.hooks) as place:
        await place.player()
        with pytest.raises(LocalProtocolError, match="over"):
            await kept[0].ask("Still there? ")


async def test_two_tasks_of_a_script_may_wait_for_the_client_to_settle(mud: OpenMud, witness: EventLog) -> None:
    done: list[float] = []

    async def script(dialog: Dialog) -> None:
        async def wait() -> None:
            await dialog.client_ready()
            done.append(trio.current_time())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(wait)

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(script))
    async with mud(witness.hooks) as place:
        await place.player()
        await trio.sleep(2)
    assert len(done) == 2
