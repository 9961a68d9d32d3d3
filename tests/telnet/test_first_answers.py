"""First answers that are known have the effect that they would have if they were read."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from trio_mud.telnet import DEFAULT_OPTIONS, TelnetEngine, TelnetEvent
from trio_mud.telnet import engine as engine_module
from trio_mud.telnet.codes import DO, DONT, IAC, SB, SE, TTYPE, WILL, WONT
from trio_mud.telnet.first_answers import MOST_KNOWN, _first_answers

OPENING = b"".join(iter(TelnetEngine().data_to_send, b""))
OFFERS = [(OPENING[at + 1], OPENING[at + 2]) for at in range(0, len(OPENING), 3)]
REFUSALS = b"".join(bytes((IAC, DONT if verb == WILL else WONT, code)) for verb, code in OFFERS)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    _first_answers.cache_clear()
    yield
    _first_answers.cache_clear()


def _script(dice: random.Random) -> list[bytes]:
    """Return reads of a client: mostly answers to the offers, in their order or not, and some other input."""
    answers = []
    for verb, code in OFFERS:
        yes, no = (DO, DONT) if verb == WILL else (WILL, WONT)
        answers.append(bytes((IAC, dice.choices((yes, no), (1, 12))[0], code)))
    if dice.random() < 0.3:
        dice.shuffle(answers)
    if dice.random() < 0.3:
        other = (bytes((IAC, verb, dice.randrange(256))) for verb in (WILL, WONT, DO, DONT))
        answers[dice.randrange(len(answers)) :] = dice.choice(([], [next(other)], list(other), [b"look\r\n"]))
    cut = dice.choice((0, 0, 0, 1, 2, dice.randrange(3 * len(answers) + 1)))
    data = b"".join(answers)
    later = (b"", b"look\r\n", REFUSALS, bytes((IAC, WILL, TTYPE, IAC, SB, TTYPE, 0)) + b"x" + bytes((IAC, SE)))
    return [data[:cut], data[cut:], dice.choice(later)]


def _play(script: list[bytes], *, is_ticked: bool) -> list[object]:
    """Return everything that can be observed of an engine that is fed with these reads."""
    engine, now = TelnetEngine(), 100.0
    seen: list[object] = []
    for data in script:
        if is_ticked:
            seen.append(_told(engine.tick(now)))
        if data:
            seen.append(_told(engine.receive(data)))
        seen += [engine.take_cost(), engine.data_to_send(), engine.prompt_mark, engine.is_quiet, engine.has_answers]
        seen += [engine.next_deadline, engine.negotiation.changes, engine.negotiation._answers_left]
        seen.append({key: (side.state, side.open) for key, side in engine.negotiation._sides.items()})
        seen.append((dict(engine.deadlines.due or {}), dict(engine.deadlines.fresh or {})))
    for _ in range(4):
        now += 1.1
        seen += [_told(engine.tick(now)), engine.data_to_send(), engine.next_deadline]
    return seen


def _told(events: list[TelnetEvent]) -> list[str]:
    return [repr(event) for event in events]


@pytest.mark.parametrize("is_ticked", [True, False])
def test_known_answers_have_the_effect_of_answers_that_are_read(is_ticked: bool) -> None:
    dice, known = random.Random(7), 0
    for _ in range(400):
        script = _script(dice)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine_module, "adopt_first_answers", lambda engine, data: False)
            read = _play(script, is_ticked=is_ticked)
        assert _play(script, is_ticked=is_ticked) == read, script
        computed = _first_answers.cache_info().hits
        assert _play(script, is_ticked=is_ticked) == read, script
        known += _first_answers.cache_info().hits > computed
    assert known > 100, "most scripts must have passed through the cache"


def test_clients_that_refuse_everything_share_their_table() -> None:
    first, second = TelnetEngine(), TelnetEngine()
    for engine in (first, second):
        engine.receive(REFUSALS)
    assert first.negotiation._sides is second.negotiation._sides


def test_a_change_after_known_answers_leaves_other_engines_alone() -> None:
    first, second = TelnetEngine(), TelnetEngine()
    for engine in (first, second):
        engine.receive(REFUSALS)
    first.hide_input(True)
    assert first.negotiation.is_unanswered(1, ours=True)
    assert not second.negotiation.is_unanswered(1, ours=True)
    third = TelnetEngine()
    third.receive(REFUSALS)
    assert not third.negotiation.is_unanswered(1, ours=True)


def test_answers_that_an_option_handles_are_read_each_time() -> None:
    for _ in range(2):
        engine = TelnetEngine()
        engine.data_to_send()
        engine.receive(bytes((IAC, WILL, TTYPE)))
        assert engine.data_to_send() == bytes((IAC, SB, TTYPE, 1, IAC, SE))


def test_the_answers_known_are_bounded_whatever_peers_send() -> None:
    for code in range(4 * MOST_KNOWN):
        TelnetEngine(DEFAULT_OPTIONS).receive(bytes((IAC, WONT, code)))
        TelnetEngine(DEFAULT_OPTIONS).receive(b"look %d\r\n" % code)
    assert _first_answers.cache_info().currsize <= MOST_KNOWN
