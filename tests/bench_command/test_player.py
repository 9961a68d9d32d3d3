"""A scripted player, moved by hand through a time of its own."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from trio_mud.bench.player import MOST_OWED, PATIENCE, LoadPlayer, in_letters
from trio_mud.bench.script import LoadScript, LoadStep
from trio_mud.bench.tally import ELSE, KINDS_OF_LOSS, LoadTally
from trio_mud.telnet.codes import DO, DONT, END_OF_RECORD, EOR, GA, IAC, MCCP2, SB, SE, WILL

MARK = bytes((IAC, EOR))
ECHO = LoadScript(commands=(LoadStep(send="echo {n}"),), think=0)


class Stage:
    """A player and the time; measured from the beginning."""

    def __init__(
        self, script: LoadScript = ECHO, *, rate: float | None = None, phase: float = 0.0, number: int = 7
    ) -> None:
        self.tally = LoadTally()
        self.tally.began = -1.0
        self.player = LoadPlayer(7, script, self.tally, rate=rate, phase=phase)
        self.now = 0.0
        self.player.begin(0.0)
        self.sent = self.player.data_to_send()

    def hears(self, data: bytes) -> bytes:
        """Return the immediate output after these bytes."""
        self.player.hear(data, self.now)
        return self.player.data_to_send()

    def goes_to(self, until: float) -> bytes:
        """Wake the player at each requested time until then; return all its output."""
        said = b""
        while (moment := self.player.next_moment) <= until:
            self.now = max(self.now, moment)
            self.player.wake(self.now)
            said += self.player.data_to_send()
        self.now = max(self.now, until)
        return said


def latencies(tally: LoadTally) -> tuple[int, float]:
    return tally.latency.count, round(tally.latency.longest, 6)


# At the door


def test_a_greeting_is_waited_for_until_it_is_whole() -> None:
    stage = Stage()
    assert stage.hears(b"Welcome!\r\n") == b""
    assert not stage.player.is_in
    assert stage.goes_to(0.1) == b"echo 7\r\n"
    assert stage.player.is_in


def test_the_mark_of_a_prompt_ends_a_greeting_at_once() -> None:
    assert Stage().hears(b"Welcome!\r\n> " + MARK) == b"echo 7\r\n"


def test_a_server_that_says_nothing_is_played_all_the_same() -> None:
    stage = Stage()
    assert stage.goes_to(PATIENCE - 0.1) == b""
    assert stage.goes_to(PATIENCE) == b"echo 7\r\n"


def test_a_login_is_followed_step_by_step_and_not_measured() -> None:
    steps = (LoadStep(expect="name"), LoadStep(send="Ann{n}", expect="Password"), LoadStep(send="secret", think=2.0))
    stage = Stage(LoadScript(login=steps, commands=(LoadStep(send="look"),)))
    assert stage.goes_to(3) == b""
    assert stage.hears(b"By what na") == b""
    assert stage.hears(b"me? ") == b"Ann7\r\n"
    assert stage.hears(b"Password: ") == b"secret\r\n"
    assert stage.hears(b"Hello, Ann7." + MARK) == b"look\r\n"
    assert stage.tally.latency.count == 0
    assert stage.tally.due == 1


def test_a_game_that_marks_only_its_questions_is_known_by_silence_in_the_end() -> None:
    steps = (LoadStep(expect="name"), LoadStep(send="Ann"))
    stage = Stage(LoadScript(login=steps, commands=(LoadStep(send="look"),), think=0))
    assert stage.hears(b"By what name? " + MARK) == b"Ann\r\n"
    stage.hears(b"Welcome!\r\n")
    assert stage.goes_to(0.1) == b"look\r\n"


def test_a_step_of_the_login_may_take_time_to_think() -> None:
    steps = (LoadStep(send="Ann", think=2.0), LoadStep(send="secret"))
    stage = Stage(LoadScript(login=steps))
    assert stage.sent == b"Ann\r\n"
    assert stage.hears(b"Password: " + MARK) == b""
    assert stage.goes_to(1.9) == b""
    assert stage.goes_to(2.1) == b"secret\r\n"


def test_the_negotiation_is_answered_as_a_simple_client_does() -> None:
    said = Stage().hears(bytes((IAC, WILL, END_OF_RECORD, IAC, WILL, MCCP2)))
    assert said == bytes((IAC, DO, END_OF_RECORD, IAC, DONT, MCCP2))


def test_a_mark_inside_a_payload_is_none() -> None:
    stage = Stage()
    assert stage.hears(b"Hello" + bytes((IAC, SB, 201)) + b"\xff\xff" + bytes((EOR, IAC, SE))) == b""


def test_a_number_in_letters_is_another_for_each_player() -> None:
    assert [in_letters(number) for number in (1, 26, 27, 702, 703)] == ["a", "z", "aa", "zz", "aaa"]
    assert Stage(LoadScript(login=(LoadStep(send="Ann{a}"),))).sent == b"Anng\r\n"


# Without a rate: one after the other


def test_the_next_command_follows_the_answer_and_a_thought() -> None:
    stage = Stage(LoadScript(commands=(LoadStep(send="look"), LoadStep(send="who", think=3.0)), think=1.0))
    assert stage.hears(b"> " + MARK) == b"look\r\n"
    stage.now = 0.5
    assert stage.hears(b"A room.\r\n> " + MARK) == b""
    assert stage.goes_to(1.4) == b""
    assert stage.goes_to(1.5) == b"who\r\n"
    assert stage.hears(b"Nobody.\r\n> " + MARK) == b""
    assert stage.goes_to(4.5) == b"look\r\n"
    assert latencies(stage.tally) == (2, 0.5)


def test_silence_ends_an_answer_and_is_not_part_of_it() -> None:
    stage = Stage()
    stage.hears(b"Welcome!\r\n")
    assert stage.goes_to(0.1) == b"echo 7\r\n"
    stage.now = 0.15
    stage.hears(b"7\r\n")
    stage.now = 0.2
    stage.hears(b"and more\r\n")
    assert stage.goes_to(0.29) == b""
    assert stage.goes_to(0.301) == b"echo 7\r\n"
    assert latencies(stage.tally) == (1, 0.1)


def test_silence_ends_an_answer_also_for_one_who_was_not_woken_in_time() -> None:
    stage = Stage()
    stage.hears(b"Welcome!\r\n")
    stage.now = 5
    assert stage.hears(b"Somebody else speaks.\r\n") == b"echo 7\r\n"


def test_the_expected_text_answers_wherever_it_is_cut() -> None:
    text = b"noise You say, hello\r\n"
    script = LoadScript(commands=(LoadStep(send="say hello", expect="You say"),), think=1)
    for cut in range(len(text)):
        stage = Stage(script)
        stage.hears(MARK)
        stage.hears(text[:cut])
        stage.hears(text[cut:])
        assert stage.tally.latency.count == 1


def test_only_the_expected_text_answers() -> None:
    stage = Stage(LoadScript(commands=(LoadStep(send="look"),), expect="number {n}", think=0))
    stage.hears(MARK)
    assert stage.hears(b"number 8" + MARK) == b""
    assert stage.goes_to(60) == b""
    assert stage.hears(b"number 7") == b"look\r\n"


def test_where_only_prompts_count_silence_answers_nothing() -> None:
    stage = Stage(LoadScript(commands=(LoadStep(send="look"),), prompt=True, think=0))
    stage.hears(b"Welcome!\r\n")
    assert stage.goes_to(0.1) == b"look\r\n"
    stage.hears(b"A room.\r\n")
    assert stage.goes_to(60) == b""
    assert stage.hears(bytes((IAC, GA))) == b"look\r\n"


# With a rate: on schedule


def test_commands_are_sent_on_schedule_answered_or_not() -> None:
    stage = Stage(rate=10)
    assert stage.hears(MARK) == b"echo 7\r\n"
    assert stage.goes_to(0.95) == b"echo 7\r\n" * 9
    assert (10, 0) == (stage.tally.due, stage.tally.latency.count)


def test_a_player_begins_at_its_own_phase_of_the_period() -> None:
    stage = Stage(rate=1, phase=0.25)
    assert stage.hears(MARK) == b""
    assert stage.goes_to(0.24) == b""
    assert stage.goes_to(1.2) == b"echo 7\r\n"


def test_a_stalled_server_is_charged_with_every_command_that_waited() -> None:
    """Coordinated omission: by the answer of the one command in flight the stall would count once."""
    stage = Stage(rate=100)
    stage.hears(MARK)
    stage.hears(MARK)
    stage.goes_to(0.999)  # for a second, nothing is answered
    owed = stage.tally.due - 1
    stage.now = 1.0
    stage.hears(MARK * owed)
    assert stage.tally.latency.count == 100
    assert stage.tally.latency.longest == pytest.approx(0.99)
    assert stage.tally.latency.percentile(50) == pytest.approx(0.5, rel=0.03)


def test_a_load_that_comes_late_itself_charges_from_when_a_command_was_due() -> None:
    stage = Stage(rate=10)
    stage.hears(MARK)
    stage.hears(MARK)
    stage.now = 1.0
    stage.player.wake(1.0)  # it was not woken for a second
    assert stage.player.data_to_send() == b"echo 7\r\n" * 10
    assert stage.tally.late.longest == pytest.approx(0.9)
    stage.hears(MARK * 10)
    assert stage.tally.latency.longest == pytest.approx(0.9)


def test_where_silence_ends_an_answer_a_command_waits_for_it_and_is_charged_for_that() -> None:
    stage = Stage(rate=10)
    stage.hears(b"Welcome!\r\n")
    assert stage.goes_to(0.1) == b"echo 7\r\n"
    stage.goes_to(1.0)
    assert stage.tally.due == 1
    stage.hears(b"7\r\n")
    assert stage.goes_to(1.101) == b"echo 7\r\n"
    stage.now = 1.15
    stage.hears(b"7\r\n")
    stage.goes_to(1.25)
    assert latencies(stage.tally) == (2, 0.95)  # the second was due at 0.2


def test_what_is_owed_is_bounded_and_what_is_not_sent_is_counted() -> None:
    stage = Stage(rate=1000)
    stage.hears(MARK)
    stage.goes_to(2.0)
    assert stage.tally.due - stage.tally.not_sent == MOST_OWED
    assert stage.tally.not_sent >= 1000


def test_one_who_is_stopped_types_no_more_and_hears_on() -> None:
    stage = Stage(rate=10)
    stage.hears(MARK)
    stage.player.stop()
    assert stage.goes_to(5) == b""
    assert math.isinf(stage.player.next_moment)
    assert not stage.player.owes_nothing
    stage.hears(MARK)
    assert stage.player.owes_nothing


def test_one_who_is_stopped_between_two_steps_of_the_login_needs_no_call() -> None:
    """The load called it again and again at the same moment, and never ended."""
    stage = Stage(LoadScript(login=(LoadStep(expect="Welcome"), LoadStep(send="Ann"))))
    stage.player.stop()
    assert stage.hears(b"Welcome") == b""
    assert math.isinf(stage.player.next_moment)
    assert stage.player.awaited == "step 2 of the login was not begun when the load ended"


@pytest.mark.parametrize("when", [lambda tally: setattr(tally, "began", 9), lambda tally: setattr(tally, "ended", 0)])
def test_only_what_was_due_in_the_measured_time_counts(when: Callable[[LoadTally], None]) -> None:
    stage = Stage(rate=10)
    when(stage.tally)
    stage.hears(MARK)
    stage.hears(MARK)
    assert (0, 0) == (stage.tally.due, stage.tally.latency.count)


# What is left of one who was turned away


def test_the_last_words_are_one_harmless_line() -> None:
    stage = Stage()
    stage.hears(b"Welcome.\r\nEvery place is \x1b[1mtaken.\r\n\r\n")
    assert stage.player.last_words == "Every place is ?[1mtaken."


def test_no_words_are_none() -> None:
    assert Stage().player.last_words == ""


def test_the_kinds_of_loss_are_bounded() -> None:
    tally = LoadTally()
    for number in range(100):
        tally.lose(f"{number} is no lucky number")
    assert (KINDS_OF_LOSS + 1, 80) == (len(tally.lost), tally.lost[ELSE])
