"""The questions of dialogs: with a deadline, hidden, yes or no, one of several, page after page, a whole text."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_mud import (
    Admitted,
    Cause,
    Connection,
    Dialog,
    Disconnect,
    EchoRefused,
    Hooks,
    Input,
    Limits,
    LocalProtocolError,
    NoAnswer,
    Texts,
)
from trio_mud.telnet import DEFAULT_OPTIONS
from trio_mud.telnet.options.echo import Echo
from trio_mud.testing import OpenMud
from trio_mud.testing.mud import open_mud

from ..conftest import EventLog, engine_of, feed, first_connection, open_house, settled

Ask = Callable[[Dialog], Awaitable[object]]

WILL_ECHO, WONT_ECHO = b"\xff\xfb\x01", b"\xff\xfc\x01"
DO_ECHO, DONT_ECHO = b"\xff\xfd\x01", b"\xff\xfe\x01"
WORDS = Texts()


def lines_of(witness: EventLog) -> list[str]:
    return [event.line for event in witness.events if isinstance(event, Input)]


class Answers:
    """A script that asks with these functions, one after the other, and stores the answers."""

    def __init__(self, *asks: Ask) -> None:
        self._asks = asks
        self.got: list[object] = []

    async def __call__(self, dialog: Dialog) -> None:
        for ask in self._asks:
            try:
                self.got.append(await ask(dialog))
            except (trio.TooSlowError, NoAnswer) as error:
                self.got.append(type(error))


# A deadline for each question


async def test_a_question_is_given_up_when_its_time_has_passed(mud: OpenMud, witness: EventLog) -> None:
    script = Answers(lambda dialog: dialog.ask("Quick! ", within=5), lambda dialog: dialog.ask("Slowly: ", within=5))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await trio.sleep(9.9)
        await player.type("here", "look")
        await settled()
    assert script.got == [trio.TooSlowError, "here"]
    assert lines_of(witness) == ["look"]


async def test_a_line_that_comes_too_late_is_input(mud: OpenMud, witness: EventLog) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(Answers(lambda dialog: dialog.ask("Quick! ", within=5)))
        await trio.sleep(5.1)
        await player.type("look")
        await settled()
    assert lines_of(witness) == ["look"]


# Hidden


async def test_input_is_hidden_for_one_line_and_the_next_text_begins_on_a_line_of_its_own(
    mud: OpenMud, witness: EventLog
) -> None:
    async def script(dialog: Dialog) -> None:
        word = await dialog.ask_hidden("Word? ")
        dialog.connection.write("Welcome." if word == "sesame" else "No.")

    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.sees("Word? ")
        await player.catches_up()
        assert player.input_hidden
        await player.type("sesame")
        assert await player.sees("Welcome.\n") == "\nWelcome.\n"
        await player.catches_up()
        assert not player.input_hidden
        await player.type("look")
        await settled()
    assert lines_of(witness) == ["look"]


def _answers(dialog: Dialog) -> Awaitable[object]:
    return dialog.ask_hidden("Word? ")


async def _times_out(dialog: Dialog) -> None:
    with pytest.raises(trio.TooSlowError):
        await dialog.ask_hidden("Word? ", within=5)


async def _is_cancelled(dialog: Dialog) -> None:
    with trio.move_on_after(5):
        await dialog.ask_hidden("Word? ")


async def _is_cut_by_an_error(dialog: Dialog) -> None:
    async def burst() -> None:
        await trio.sleep(5)
        raise RuntimeError("a neighbour failed")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(burst)
        await dialog.ask_hidden("Word? ")


@pytest.mark.parametrize("ask", [_answers, _times_out, _is_cancelled, _is_cut_by_an_error])
@pytest.mark.parametrize("lingers", [False, True], ids=["the script ends", "the script goes on"])
async def test_echo_comes_back_however_a_hidden_question_ends(
    mud: OpenMud, witness: EventLog, ask: Ask, lingers: bool
) -> None:
    async def script(dialog: Dialog) -> None:
        try:
            await ask(dialog)
        finally:
            if lingers:
                await trio.sleep(1000)

    async with mud(witness.hooks, allow_errors=True) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.sees("Word? ")
        await player.catches_up()
        assert player.input_hidden
        if ask is _answers:
            await player.type("sesame")
        await trio.sleep(5.1)
        await player.catches_up()
        assert not player.input_hidden


async def test_a_quit_brings_echo_back_before_the_last_words(mud: OpenMud, witness: EventLog) -> None:
    """U7: exactly once."""
    async with mud(witness.hooks) as place:
        pipe = place.connect()
        await pipe.client.send_all(b"hello\r\n")
        await settled()
        connection = first_connection(place.server)
        connection.start_dialog(_answers)
        await settled()
        await pipe.client.send_all(DO_ECHO)
        await settled()
        connection.quit("Out!", cause=Cause.KICKED)
        seen = b""
        while data := await pipe.client.receive_some():
            seen += data
    assert seen.count(WONT_ECHO) == 1
    assert seen.endswith(WONT_ECHO + b"\r\nOut!\r\n")


@pytest.mark.parametrize("ending", ["vanish", "hang up", "abort"])
async def test_a_hidden_question_ends_with_its_connection_and_nothing_of_it_becomes_input(
    mud: OpenMud, witness: EventLog, ending: str
) -> None:
    ended: list[str] = []

    async def script(dialog: Dialog) -> None:
        try:
            await dialog.ask_hidden("Word? ")
            await trio.sleep(1000)
        finally:
            ended.append("finally")

    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await settled()
        await player.type("sesame", "sesame")
        match ending:
            case "vanish":
                await player.vanish()
            case "hang up":
                await player.hang_up()
            case "abort":
                place.server.abort()
        await trio.sleep(5)
    assert ended == ["finally"]
    assert lines_of(witness) == []
    assert len(witness.disconnects()) == 1


async def test_two_hidden_questions_in_a_row_do_not_show_between(autojump_clock: object) -> None:
    script = Answers(
        lambda dialog: dialog.ask_hidden("New word? "),
        lambda dialog: dialog.ask_hidden("Again? "),
        lambda dialog: dialog.ask("Name? "),
    )
    async with open_house(Hooks()) as house:
        wire = await house.connect()
        first_connection(house.server).start_dialog(script)
        await settled()
        assert b"".join(wire.sent).endswith(WILL_ECHO + b"New word? ")
        for answer, question in (
            (DO_ECHO, b""),
            (b"sesame\r\n", b"\r\nAgain? "),
            (b"sesame\r\n", b"\r\n" + WONT_ECHO + b"Name? "),
        ):
            wire.sent.clear()
            wire.say(answer)
            await settled()
            assert b"".join(wire.sent) == question
    assert script.got == ["sesame", "sesame"]


async def test_both_words_may_be_typed_at_once(mud: OpenMud, witness: EventLog) -> None:
    script = Answers(lambda dialog: dialog.ask_hidden("New word? "), lambda dialog: dialog.ask_hidden("Again? "))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await settled()
        await player.type("sesame", "sesame")
        await settled()
    assert script.got == ["sesame", "sesame"]
    assert lines_of(witness) == []


async def test_what_was_typed_hidden_and_not_asked_for_is_dropped(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    """A password was typed twice and needed once: neither the next question nor the game gets the second."""
    caplog.set_level(logging.DEBUG)
    script = Answers(lambda dialog: dialog.ask_hidden("Word? "), lambda dialog: dialog.ask("Colour? "))
    async with mud(witness.hooks) as place:
        player = await place.player()
        connection = first_connection(place.server)
        connection.start_dialog(script)
        await settled()
        await player.type("sesame", "sesame", "sesame")
        await settled()
        await player.type("blue", "look")
        await settled()
        assert place.server.counters["hidden lines dropped"] == 2
    assert script.got == ["sesame", "blue"]
    assert lines_of(witness) == ["look"]
    assert "sesame" not in caplog.text


async def test_what_was_typed_before_the_question_hid_is_not_lost_behind_it(mud: OpenMud, witness: EventLog) -> None:
    """However much it is: bytes that wait to become lines were typed before, too."""
    got: list[str] = []

    async def script(dialog: Dialog) -> None:
        await trio.sleep(1)
        while len(got) < 15:  # so many that bytes become lines meanwhile
            got.append(await dialog.ask_hidden("Word? "))
        await trio.sleep(1)

    lines = [f"{number} {'x' * 40}" for number in range(200)]
    async with mud(witness.hooks, limits=Limits(max_typeahead=3)) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type(*lines)
        await trio.sleep(30)
    assert got == lines[:15]
    assert lines_of(witness) == lines[15:]


async def test_half_a_password_is_nobodys_although_its_end_comes_when_the_question_is_given_up(
    mud: OpenMud, witness: EventLog
) -> None:
    async def ask(dialog: Dialog) -> None:
        with suppress(trio.TooSlowError):
            await dialog.ask_hidden("Password? ", within=10)

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(ask))
    async with mud(witness.hooks) as place:
        ann = await place.player()
        await ann.send(b"sesa")
        await place.pass_time(11)
        await ann.send(b"me\r\nlook\r\n")
        await place.pass_time(1)
        assert lines_of(witness) == ["look"]


async def test_that_echo_is_refused_is_told_at_once_although_other_deadlines_run(
    autojump_clock: object, witness: EventLog
) -> None:
    told: list[float] = []
    witness.hooks.on(Input)(lambda event: event.connection.hide_input(True))
    witness.hooks.on(EchoRefused)(lambda event: told.append(trio.current_time()))
    options = [option for option in DEFAULT_OPTIONS if not isinstance(option, Echo)]
    async with open_mud(witness.hooks, options=options) as place:
        place.connect()
        await trio.sleep(0.5)  # the client may still settle
        feed(first_connection(place.server), b"secret\r\n")
        await place.pass_time(2)
    assert told == [0.5]


async def test_that_echo_was_agreed_and_taken_back_is_reported_while_the_question_waits(
    mud: OpenMud, witness: EventLog
) -> None:
    told: list[EchoRefused] = []
    refused: list[bool] = []

    async def ask(dialog: Dialog) -> None:
        await dialog.ask_hidden("Password? ")
        refused.append(dialog.hiding_refused)

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(ask))
    witness.hooks.on(EchoRefused)(told.append)
    async with mud(witness.hooks) as place:
        ann = await place.player()
        await ann.sees("Password? ")
        await ann.catches_up()
        assert told == []
        await ann.send(DONT_ECHO)
        await ann.catches_up()
        assert told == [EchoRefused(first_connection(place.server))]
        await ann.type("sesame")
        await ann.catches_up()
    assert refused == [True]


@pytest.mark.parametrize("typeahead", [1, 64])
async def test_a_dialog_that_fails_leaves_neither_its_lines_nor_half_of_one(
    mud: OpenMud, witness: EventLog, typeahead: int
) -> None:
    """The simulator's seed 1015333 of its day: the beginning of a forgotten line stood before the next one."""

    async def fail(dialog: Dialog) -> None:
        await dialog.ask("Well? ")
        await trio.sleep(1)
        raise RuntimeError

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(fail))
    async with mud(witness.hooks, limits=Limits(max_typeahead=typeahead), allow_errors=True) as place:
        ann = await place.player()
        await ann.send(b"well\r\n" + b"a line of several words\r\n" * 40 + b"half of a")
        await place.pass_time(2)
        await ann.send(b" line\r\nlook\r\n")
        await place.pass_time(1)
        assert lines_of(witness) == ["look"]


async def give_up(dialog: Dialog) -> None:
    with suppress(trio.TooSlowError):
        await dialog.ask_hidden("Password: ", within=5)


@pytest.mark.parametrize("program", ["confirms", "never confirms"])
async def test_a_password_on_its_way_when_its_question_ends_is_no_command(
    mud: OpenMud, witness: EventLog, program: str
) -> None:
    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(give_up))
    async with mud(witness.hooks) as place:
        ann = await place.player(latency=0.3)
        await ann.sees("Password: ")
        if program == "never confirms":
            ann.stop_reading()
        await trio.sleep_until(5.1)
        await ann.type("sesame", "look")
        await place.pass_time(5)
        assert lines_of(witness) == ["look"]


@pytest.mark.parametrize(("value", "is_hidden"), [(1, True), ("ann", True), ([], False), (None, False)])
async def test_any_true_value_hides_input(mud: OpenMud, witness: EventLog, value: object, is_hidden: bool) -> None:
    """Such as `hide_input(name and password)`; a compiled link takes nothing but a `bool`."""
    hides = list[bool]()

    @witness.hooks.on(Input)
    def hide(event: Input) -> None:
        event.connection.hide_input(value)  # type: ignore[arg-type]
        hides.append(engine_of(event.connection).input_hidden)

    async with mud(witness.hooks) as place:
        player = await place.player()
        await player.type("x")
        await settled()
    assert [hidden is is_hidden for hidden in hides] == [True]


async def test_a_password_of_a_client_that_agrees_to_hide_it_too_late_is_no_command(
    mud: OpenMud, witness: EventLog
) -> None:
    """Its agreement comes after the question has ended, and confirms nothing."""

    async def give_up_soon(dialog: Dialog) -> None:
        with suppress(trio.TooSlowError):
            await dialog.ask_hidden("Password: ", within=2.5)

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(give_up_soon))
    async with mud(witness.hooks) as place:
        ann = await place.player(latency=1.5)
        await ann.sees("Password: ")
        await ann.type("sesame", "look")
        await place.pass_time(5)
        assert lines_of(witness) == ["look"]


async def test_the_password_of_a_second_question_is_no_command_for_as_long_as_that_of_the_first(
    mud: OpenMud, witness: EventLog
) -> None:
    async def give_up_at_once(dialog: Dialog) -> None:
        with suppress(trio.TooSlowError):
            await dialog.ask_hidden("Password: ", within=0.5)

    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(give_up))
    async with mud(witness.hooks) as place:
        ann = await place.player(latency=0.3)
        await ann.sees("Password: ")
        ann.stop_reading()
        await trio.sleep_until(5.5)
        (connection,) = place.server.connections
        connection.start_dialog(give_up_at_once)
        await trio.sleep_until(7.5)  # two seconds after the first question has ended
        await ann.type("sesame", "look")
        await place.pass_time(5)
        assert lines_of(witness) == ["look"]


@pytest.mark.parametrize(
    ("program", "pause"), [("confirms", 0.0), ("never confirms", 2.0)], ids=["as soon as it is shown", "in two seconds"]
)
async def test_a_line_after_a_hidden_question_has_ended_is_a_command(
    mud: OpenMud, witness: EventLog, program: str, pause: float
) -> None:
    witness.hooks.on(Admitted)(lambda event: event.connection.start_dialog(give_up))
    async with mud(witness.hooks) as place:
        ann = await place.player()
        await ann.sees("Password: ")
        if program == "never confirms":
            ann.stop_reading()
        await trio.sleep_until(5.1 + pause)
        await ann.type("look", "north")
        await place.pass_time(1)
        assert lines_of(witness) == ["look", "north"]


@pytest.mark.one_process("looks into the telnet link, which is the gateway's")
async def test_a_word_that_meets_a_hidden_question_just_given_up_is_dropped(mud: OpenMud, witness: EventLog) -> None:
    scopes: list[trio.CancelScope] = []
    got: list[str] = []

    async def script(dialog: Dialog) -> None:
        with trio.CancelScope() as scope:
            scopes.append(scope)
            got.append(await dialog.ask_hidden("Word? "))
        got.append(await dialog.ask_hidden("Another word? "))

    witness.hooks.on(Input)(lambda event: scopes[0].cancel())
    async with mud(witness.hooks) as place:
        await place.player()
        await place.player()
        other, asked = place.server.connections
        asked.start_dialog(script)
        await settled()
        feed(other, b"cancel\r\n")  # handled first, in the same batch
        feed(asked, b"sesame\r\n")
        await settled()
        feed(asked, b"iris\r\n")
        await settled()
    assert got == ["iris"]
    assert lines_of(witness) == ["cancel"]


@pytest.mark.parametrize("answer", [DONT_ECHO, b""], ids=["it refuses", "it does not answer"])
async def test_the_script_learns_that_what_is_typed_shows(mud: OpenMud, witness: EventLog, answer: bytes) -> None:
    refused: list[bool] = []

    async def script(dialog: Dialog) -> None:
        refused.append(dialog.hiding_refused)
        await dialog.ask_hidden("Word? ")
        refused.append(dialog.hiding_refused)

    async with mud(witness.hooks) as place:
        pipe = place.connect()
        await settled()
        first_connection(place.server).start_dialog(script)
        await settled()
        await pipe.client.send_all(answer)
        await trio.sleep(5)
        await pipe.client.send_all(b"sesame\r\n")
        await settled()
    assert refused == [False, True]


async def test_a_client_that_hides_did_not_refuse(mud: OpenMud, witness: EventLog) -> None:
    refused: list[bool] = []

    async def script(dialog: Dialog) -> None:
        await dialog.ask_hidden("Word? ")
        refused.append(dialog.hiding_refused)

    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await trio.sleep(5)
        await player.type("sesame")
        await settled()
    assert refused == [False]


# Yes or no


@pytest.mark.parametrize(
    ("typed", "meant"), [("y", True), ("YES", True), ("n", False), (" no ", False), ("", None), ("perhaps", None)]
)
async def test_yes_and_no_have_short_forms_and_anything_else_is_asked_again(
    mud: OpenMud, witness: EventLog, typed: str, meant: bool | None
) -> None:
    script = Answers(lambda dialog: dialog.confirm("Burn it? "))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type(typed, "yes")
        await settled()
        assert (WORDS.confirm_again in player.screen) == (meant is None)
    assert script.got == [meant is not False]


@pytest.mark.parametrize("default", [True, False])
async def test_an_empty_line_confirms_the_default(mud: OpenMud, witness: EventLog, default: bool) -> None:
    script = Answers(lambda dialog: dialog.confirm("Burn it? ", default=default))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type("")
        await settled()
    assert script.got == [default]


async def test_a_game_has_its_own_words_for_yes_and_no(mud: OpenMud, witness: EventLog) -> None:
    script = Answers(lambda dialog: dialog.confirm("Wirklich? "), lambda dialog: dialog.confirm("Ganz sicher? "))
    texts = Texts(yes="ja j", no="nein n", confirm_again="Ja oder nein?")
    async with mud(witness.hooks, texts=texts) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type("yes", "J", "nein")
        await player.sees("Ja oder nein?")
        await settled()
    assert script.got == [True, False]


async def test_nonsense_is_asked_about_five_times_and_then_the_script_goes_on_without(
    mud: OpenMud, witness: EventLog
) -> None:
    script = Answers(lambda dialog: dialog.confirm("Burn it? "), lambda dialog: dialog.choose("Which? ", ["ale"]))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type(*["hm"] * 10, "look")
        await settled()
    assert script.got == [NoAnswer, NoAnswer]
    assert lines_of(witness) == ["look"]


async def test_a_player_who_gives_no_answer_ends_the_script_and_does_not_fill_the_log(
    mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(lambda dialog: dialog.confirm("Burn it? "))
        await player.type(*["hm"] * 5)
        await player.sees(WORDS.no_answer)
    assert "failed" not in caplog.text


# One of several


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [("2", "b"), ("Small Beer", "b"), ("sm", "b"), ("ALE", "a"), ("alemark", "c"), ("3", "c"), (" 1 ", "a")],
)
async def test_an_option_is_chosen_by_number_name_or_beginning(
    mud: OpenMud, witness: EventLog, typed: str, chosen: str
) -> None:
    drinks = {"Ale": "a", "small beer": "b", "alemark": "c"}
    script = Answers(lambda dialog: dialog.choose("Which? ", drinks))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.sees(" 1) Ale\n 2) small beer\n 3) alemark\nWhich? ")
        await player.type(typed)
        await settled()
    assert script.got == [chosen]


@pytest.mark.parametrize(
    ("typed", "said"),
    [("al", WORDS.choose_ambiguous), ("", WORDS.choose_again), ("0", WORDS.choose_again), ("9", WORDS.choose_again)],
)
async def test_what_names_no_option_or_several_is_asked_again(
    mud: OpenMud, witness: EventLog, typed: str, said: str
) -> None:
    script = Answers(lambda dialog: dialog.choose("Which? ", ["ale one", "ale two"]))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type(typed, "2")
        await player.sees(said)
        await settled()
    assert script.got == ["ale two"]


async def test_a_name_comes_before_a_number(mud: OpenMud, witness: EventLog) -> None:
    script = Answers(lambda dialog: dialog.choose("Which year? ", [3, 2, 1]))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type("1")
        await settled()
    assert script.got == [1]


async def test_a_choice_needs_options(mud: OpenMud, witness: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    async with mud(witness.hooks, allow_errors=True) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(lambda dialog: dialog.choose("Which? ", []))
        await player.sees(WORDS.command_failed)
    assert "give at least one option" in caplog.text


# Page after page

BOOK = "\n".join(f"line {number}" for number in range(1, 21))


async def test_a_text_is_read_a_window_at_a_time(mud: OpenMud, witness: EventLog) -> None:
    script = Answers(lambda dialog: dialog.page(BOOK))
    async with mud(witness.hooks) as place:
        player = await place.player(columns=80, rows=10)
        first_connection(place.server).start_dialog(script)
        assert (await player.sees(WORDS.page_more)).endswith(f"line 8\nline 9\n{WORDS.page_more}")
        await player.type("")
        assert (await player.sees(WORDS.page_more)).startswith("line 10\n")
        await player.type("")
        await player.sees("line 19\nline 20\n")
        await player.sees_nothing()
    assert script.got == [True]


@pytest.mark.parametrize("word", ["q", "Quit"])
async def test_q_stops_reading(mud: OpenMud, witness: EventLog, word: str) -> None:
    script = Answers(lambda dialog: dialog.page(BOOK))
    async with mud(witness.hooks) as place:
        player = await place.player(columns=80, rows=10)
        first_connection(place.server).start_dialog(script)
        await player.type(word, "look")
        await settled()
    assert script.got == [False]
    assert lines_of(witness) == ["look"]


async def test_a_command_stops_reading_and_is_not_lost(mud: OpenMud, witness: EventLog) -> None:
    script = Answers(lambda dialog: dialog.page(BOOK))
    async with mud(witness.hooks) as place:
        player = await place.player(columns=80, rows=10)
        first_connection(place.server).start_dialog(script)
        await player.type("", "  go north", "look")
        await settled()
    assert script.got == [False]
    assert lines_of(witness) == ["  go north", "look"]


async def test_the_window_may_change_its_size_while_one_reads(mud: OpenMud, witness: EventLog) -> None:
    words = " ".join(f"word{number}" for number in range(100))
    script = Answers(lambda dialog: dialog.page(words))
    async with mud(witness.hooks) as place:
        player = await place.player(columns=41, rows=5)
        first_connection(place.server).start_dialog(script)
        first = await player.sees(WORDS.page_more)
        await player.resize(81, 50)
        await settled()
        await player.type("")
        await settled()
        rest = await player.catches_up()
    assert first.count("\n") == 4
    shown = (first.replace(WORDS.page_more, " ") + rest).split()
    assert list(dict.fromkeys(shown)) == words.split()
    assert max(map(len, rest.splitlines())) > 41
    assert script.got == [True]


async def test_a_screen_reader_gets_everything_at_once(mud: OpenMud, witness: EventLog) -> None:
    script = Answers(lambda dialog: dialog.page(BOOK))
    async with mud(witness.hooks) as place:
        player = await place.player(columns=80, rows=10)
        connection = first_connection(place.server)
        connection.client.prefer(screen_reader=True)
        connection.start_dialog(script)
        await player.sees(BOOK)
        await player.sees_nothing()
    assert script.got == [True]


@pytest.mark.parametrize("text", ["", "\n\n", "one line", "\n\ntwo\n\nlines\n"])
async def test_what_fits_is_simply_shown(mud: OpenMud, witness: EventLog, text: str) -> None:
    script = Answers(lambda dialog: dialog.page(text))
    async with mud(witness.hooks) as place:
        player = await place.player(columns=80, rows=10)
        first_connection(place.server).start_dialog(script)
        assert await player.catches_up() == text.rstrip("\n") + "\n"
    assert script.got == [True]


# A whole text


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (["one", "two", "."], "one\ntwo"),
        (["."], ""),
        (["one", "two", "three", ".d 2", "."], "one\nthree"),
        (["one", "two", ".i 2 between", "."], "one\nbetween\ntwo"),
        (["one", "two", ".r 1 uno", "."], "uno\ntwo"),
        (["one", ".r 1", "."], ""),
        (["..dots", " indented", "."], ".dots\n indented"),
        (["one", ".i 1   two", "."], "  two\none"),
        (["one", ".q"], None),
        ([".d 1", ".i 0 x", ".r 2 x", ".x", ".d", ".d x", "."], ""),
    ],
)
async def test_a_text_is_written_line_by_line(
    mud: OpenMud, witness: EventLog, typed: list[str], text: str | None
) -> None:
    script = Answers(lambda dialog: dialog.edit())
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.sees(WORDS.edit_hello)
        await player.type(*typed, "look")
        await settled()
    assert script.got == [text]
    assert lines_of(witness) == ["look"]


async def test_a_draft_outlives_the_link(mud: OpenMud, witness: EventLog) -> None:
    drafts: list[str] = []
    script = Answers(lambda dialog: dialog.edit("one", draft=drafts.append))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type("two", ".d 1")
        await settled()
        await player.vanish()
        await settled()
    assert drafts == ["one\ntwo", "two"]
    assert script.got == []


async def test_the_editor_lists_helps_and_says_what_it_cannot_do(mud: OpenMud, witness: EventLog) -> None:
    script = Answers(lambda dialog: dialog.edit("old\ntext"))
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type(".l", ".h", ".d 9", ".")
        await player.sees("  1 old\n  2 text\n")
        await player.sees(WORDS.edit_help)
        await player.sees(WORDS.edit_unknown)
        await settled()
    assert script.got == ["old\ntext"]


@pytest.mark.parametrize(
    "ask", [lambda dialog: dialog.edit(most_lines=2), lambda dialog: dialog.edit(most_bytes=11)], ids=["lines", "bytes"]
)
async def test_a_text_in_the_editor_is_bounded_and_its_writer_told(mud: OpenMud, witness: EventLog, ask: Ask) -> None:
    script = Answers(ask)
    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(script)
        await player.type("äöü", "two", "three", ".i 1 four", ".r 2 2", ".")
        await player.sees(WORDS.edit_full)
        await player.sees(WORDS.edit_full)
        await settled()
    assert script.got == ["äöü\n2"]


# One script within another


async def test_a_script_awaits_another_and_both_share_the_lines(mud: OpenMud, witness: EventLog) -> None:
    got: list[str] = []

    async def inner(dialog: Dialog) -> None:
        got.append(await dialog.ask("Inner? "))

    async def outer(dialog: Dialog) -> None:
        got.append(await dialog.ask("Outer? "))
        await inner(dialog)
        got.append(await dialog.ask("Outer again? "))

    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(outer)
        await player.type("a", "b", "c", "look")
        await settled()
    assert got == ["a", "b", "c"]
    assert lines_of(witness) == ["look"]


async def test_a_dialog_started_in_a_dialog_says_what_to_do_instead(mud: OpenMud, witness: EventLog) -> None:
    said: list[str] = []

    async def script(dialog: Dialog) -> None:
        try:
            dialog.connection.start_dialog(script)
        except LocalProtocolError as error:
            said.append(str(error))

    async with mud(witness.hooks) as place:
        await place.player()
        first_connection(place.server).start_dialog(script)
        await settled()
    assert len(said) == 1
    assert "`await new(dialog)`" in said[0]


async def test_a_dialog_for_who_has_gone_does_nothing(mud: OpenMud, witness: EventLog) -> None:
    """In the disconnect hook, later, and while the old dialog still cleans up."""
    began: list[str] = []
    gone: list[Connection] = []

    async def script(dialog: Dialog) -> None:
        began.append("it began")

    async def lingers(dialog: Dialog) -> None:
        try:
            await dialog.ask("Name? ")
        finally:
            dialog.connection.start_dialog(script)

    @witness.hooks.on(Disconnect)
    def start(event: Disconnect) -> None:
        event.connection.start_dialog(script)
        gone.append(event.connection)

    async with mud(witness.hooks) as place:
        player = await place.player()
        first_connection(place.server).start_dialog(lingers)
        await settled()
        await player.vanish()
        await settled()
        gone[0].start_dialog(script)
        await settled()
    assert began == []


# Whatever happens

STEPS = st.lists(
    st.sampled_from(["type", "type two", "ask", "ask hidden", "give up", "end", "start", "give up and type"]),
    max_size=25,
)


class Puppet:
    """A dialog whose script does what the test asks for, and stores shown and hidden answers separately."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.hidden: list[str] = []
        self._tell, self._hear = trio.open_memory_channel[str](100)
        self.scope: trio.CancelScope | None = None

    async def __call__(self, dialog: Dialog) -> None:
        async for order in self._hear:
            with trio.CancelScope() as self.scope:
                if order == "ask":
                    self.shown.append(await dialog.ask("? "))
                elif order == "ask hidden":
                    self.hidden.append(await dialog.ask_hidden("?? "))
                else:
                    return
            self.scope = None

    def do(self, order: str) -> None:
        self._tell.send_nowait(order)


@pytest.mark.unmeasured
@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_line_is_lost_and_no_hidden_one_shows_however_lines_and_questions_meet(steps: list[str]) -> None:
    puppet, hooks = Puppet(), Hooks()
    hooks.on(Input)(lambda event: puppet.shown.append(event.line))
    open_typed: list[str] = []
    hidden_typed: list[str] = []

    async def play() -> None:
        async with open_mud(hooks) as place:
            player = await place.player()
            connection = first_connection(place.server)

            async def type_lines(count: int) -> None:
                for _ in range(count):
                    is_hidden = engine_of(connection).input_hidden
                    number = len(open_typed) + len(hidden_typed)
                    line = f"{'secret' if is_hidden else 'line'} {number}"
                    (hidden_typed if is_hidden else open_typed).append(line)
                    feed(connection, f"{line}\r\n".encode())

            for step in steps:
                match step:
                    case "type":
                        await type_lines(1)
                    case "type two":
                        await type_lines(2)
                    case "give up" | "give up and type":
                        if puppet.scope is not None and step == "give up":
                            puppet.scope.cancel()
                        elif puppet.scope is not None and not engine_of(connection).input_hidden:
                            await type_lines(1)
                            puppet.scope.cancel()
                    case "start":
                        if connection.dialog is None:
                            connection.start_dialog(puppet)
                    case _:
                        if connection.dialog is not None and puppet.scope is None:
                            puppet.do(step)
                await settled()
            if puppet.scope is not None:
                puppet.scope.cancel()
            if connection.dialog is not None:
                await settled()
                puppet.do("end")
            await settled()
            await player.catches_up()
            assert not player.input_hidden

    trio.run(play, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [line for line in puppet.shown if line.startswith("secret")] == []
    answered = [line for line in puppet.hidden if not line.startswith("secret")]
    assert sorted(puppet.shown + answered) == sorted(open_typed)
    assert puppet.shown == [line for line in open_typed if line not in answered]
