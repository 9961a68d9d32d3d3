"""Settled: when the peer has answered, or has had time enough; and payloads that never end."""

import math

import pytest

from trio_mud.telnet import (
    DEFAULT_OPTIONS,
    Anomaly,
    AnomalyKind,
    EchoRejected,
    Engine,
    Line,
    NegotiationSettled,
    Option,
    OptionFailed,
    Policy,
    Subnegotiation,
    TelnetEngine,
    TerminalType,
    WindowResized,
)
from trio_mud.telnet.options import Charset, Echo, Naws, Ttype
from trio_mud.testing.playbook import Playbook, drain


def test_when_every_offer_is_answered_it_settles_at_the_next_tick() -> None:
    playbook = Playbook(TelnetEngine([Naws(), Charset()])).ticks(100.0)
    assert playbook.engine.next_deadline == 101.0
    playbook.hears("IAC WONT NAWS")
    assert playbook.engine.next_deadline == 101.0
    playbook.hears("IAC DONT CHARSET")
    assert playbook.engine.next_deadline == -math.inf
    playbook.ticks(100.2, NegotiationSettled())
    assert playbook.engine.next_deadline is None
    playbook.ticks(200.0)


def test_it_settles_when_the_options_have_what_they_asked_for() -> None:
    playbook = Playbook(TelnetEngine([Ttype()])).ticks(0.0).hears("IAC WILL TTYPE").ticks(0.1)
    playbook.hears(b"\xff\xfa\x18\0MUDLET\xff\xf0", TerminalType("MUDLET")).ticks(0.2)
    playbook.hears(b"\xff\xfa\x18\0MTTS 2349\xff\xf0", TerminalType("MTTS 2349")).ticks(0.3, NegotiationSettled())


def test_it_settles_after_a_second_at_the_latest() -> None:
    playbook = (
        Playbook(TelnetEngine([Ttype()]))
        .hears("IAC WILL TTYPE")
        .ticks(50.0)
        .ticks(50.9)
        .ticks(51.0, NegotiationSettled())
    )
    playbook.ticks(60.0)


def test_how_long_to_wait_can_be_chosen() -> None:
    Playbook(TelnetEngine([Naws()], settle_within=0.25)).ticks(0.0).ticks(0.25, NegotiationSettled())
    Playbook(TelnetEngine([Naws()], settle_within=0.0)).ticks(0.0, NegotiationSettled())


def test_it_can_be_left_out() -> None:
    playbook = Playbook(TelnetEngine([Naws()], settle_within=None)).hears("IAC WONT NAWS").ticks(0.0)
    assert playbook.engine.next_deadline is None


def test_who_offers_nothing_has_settled_at_once() -> None:
    Playbook(TelnetEngine(())).ticks(0.0, NegotiationSettled()).ticks(1.0)


def test_answers_before_the_first_tick_count() -> None:
    Playbook(TelnetEngine([Naws()])).hears("IAC WONT NAWS").ticks(0.0, NegotiationSettled())


def test_a_question_asked_meanwhile_is_waited_for_too() -> None:
    playbook = Playbook(TelnetEngine([Naws(), Echo()])).calls("hide_input", True).hears("IAC WONT NAWS").ticks(0.0)
    playbook.hears("IAC DONT ECHO", EchoRejected()).ticks(0.1, NegotiationSettled())


def test_it_comes_after_what_made_it_settle() -> None:
    engine = TelnetEngine([Ttype(), Naws(), Echo()], settle_within=2.0)
    engine.hide_input(True)
    engine.receive(b"\xff\xfc\x18\xff\xfc\x1f")
    engine.tick(0.0)
    assert engine.tick(2.0) == [EchoRejected(), NegotiationSettled()]

    engine = TelnetEngine([], settle_within=1.0)
    engine.hide_input(True)
    assert engine.tick(0.0) == [EchoRejected(), NegotiationSettled()]


def test_it_is_reported_once_whatever_follows() -> None:
    playbook = Playbook(TelnetEngine([Naws()])).hears("IAC WONT NAWS").ticks(0.0, NegotiationSettled())
    playbook.hears(b"\xff\xfb\x1f\xff\xfa\x1f\0\x50\0\x18\xff\xf0", WindowResized(80, 24)).ticks(1.0).ticks(2.0)


def test_a_refusal_that_does_not_come_is_not_waited_for_longer_than_its_deadline() -> None:
    playbook = Playbook(TelnetEngine([Naws()], settle_within=10.0)).ticks(0.0).ticks(2.0, NegotiationSettled())
    assert playbook.engine.next_deadline is None


class Undecided(Option):
    """An option whose `is_settled` raises."""

    code = 99
    ours = Policy.OFFER

    def is_settled(self, engine: Engine) -> bool:
        raise RuntimeError("who knows")


def test_an_option_that_cannot_say_costs_itself_only() -> None:
    engine = TelnetEngine([Undecided()])
    engine.receive(b"\xff\xfd\x63")
    assert engine.next_deadline == -math.inf
    failed, settled = engine.tick(0.0)
    assert isinstance(failed, OptionFailed)
    assert settled == NegotiationSettled()
    assert not engine.is_ours(99)


def test_an_option_that_nobody_speaks_of_is_settled() -> None:
    assert Option().is_settled(TelnetEngine(()))


# Options and time


class Reminded(Option):
    """An option that sets a deadline."""

    __slots__ = ()
    code = 99
    ours = Policy.ACCEPT

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        engine.set_deadline(99, 5.0)

    def on_deadline(self, engine: Engine) -> None:
        engine.send_text("time\n")
        if engine.is_ours(99):
            raise RuntimeError("late")


def test_an_option_may_have_a_deadline() -> None:
    engine = TelnetEngine([Reminded()], settle_within=None)
    playbook = Playbook(engine).hears("IAC DO 63 IAC DONT 63").says("IAC WILL 63 IAC WONT 63")
    playbook.ticks(10.0).ticks(14.9).says(b"").ticks(15.0).says(b"time\r\n").ticks(100.0).says(b"")


def test_an_option_that_fails_at_its_deadline_costs_itself_only() -> None:
    engine = TelnetEngine([Reminded()], settle_within=None)
    engine.receive(b"\xff\xfd\x63")
    engine.tick(0.0)
    (failed,) = engine.tick(5.0)
    assert isinstance(failed, OptionFailed)
    engine.set_deadline(99, 1.0)
    engine.tick(6.0)
    assert engine.tick(7.0) == []


def test_the_default_does_nothing_at_a_deadline() -> None:
    engine = TelnetEngine([Naws()], settle_within=None)
    engine.receive(b"\xff\xfc\x1f")
    engine.set_deadline(31, 1.0)
    assert engine.tick(0.0) == engine.tick(1.0) == []


# An engine's own options


def test_the_driver_gets_the_copy_of_its_connection() -> None:
    prototype = Ttype()
    engine = TelnetEngine([prototype, Naws()])
    mine = engine.option(Ttype)
    assert mine is not None
    assert mine is not prototype
    assert engine.option(Ttype) is mine
    assert engine.option(Charset) is None
    assert isinstance(engine.option(Naws), Naws)


def test_an_option_of_another_kind_with_the_same_code_is_not_it() -> None:
    class Other(Option):
        code = 31

    assert TelnetEngine([Other()]).option(Naws) is None


def test_a_failed_option_is_nobodys() -> None:
    engine = TelnetEngine([Undecided()])
    engine.receive(b"\xff\xfd\x63")
    engine.tick(0.0)
    assert engine.option(Undecided) is None


def test_options_without_attributes_are_shared_and_refused_ones_not_copied() -> None:
    engine = TelnetEngine([Ttype(), Naws()])
    engine.receive(b"\xff\xfc\x18\xff\xfb\x1f")
    assert engine.option_set.in_use() == []


# Payloads that never end

UNFINISHED = Anomaly(AnomalyKind.UNFINISHED_SUBNEGOTIATION, "after 30 seconds for option 200")


def book() -> Playbook:
    return Playbook(TelnetEngine((), settle_within=None))


def test_a_payload_older_than_thirty_seconds_is_given_up_up_to_its_end() -> None:
    playbook = book().hears(b"\xff\xfa\xc8abc").ticks(10.0)
    assert playbook.engine.next_deadline == 40.0
    playbook.hears(b"def").ticks(39.9).ticks(40.0, UNFINISHED)
    assert playbook.engine.next_deadline is None
    playbook.hears(b"quit\r\n\xff\xfd\x63").says(b"").hears(b"\xff\xf0look\r\n", Line("look"))


def test_a_payload_dripping_in_is_no_younger_for_it() -> None:
    playbook = book().hears(b"\xff\xfa\xc8").ticks(0.0)
    for second in range(1, 30):
        playbook.hears(b"x" if second % 2 else b"\xff\xff").ticks(float(second))
    playbook.ticks(30.0, UNFINISHED)


@pytest.mark.parametrize("half", [b"\xff\xfa\xc8ab", b"\xff\xfa\xc8ab\xff", b"\xff\xfa\xc8"])
def test_each_payload_is_timed_for_itself(half: bytes) -> None:
    playbook = book().hears(half).ticks(0.0)
    payload = half[3:5]
    rest = b"\xf0" if half.endswith(b"\xff") else b"\xff\xf0"
    playbook.hears(rest + half, Subnegotiation(200, payload)).ticks(20.0).ticks(30.0).ticks(49.0).ticks(
        50.0, UNFINISHED
    )


def test_a_finished_payload_is_not_timed() -> None:
    playbook = book().hears(b"\xff\xfa\xc8ab").hears(b"\xff\xf0", Subnegotiation(200, b"ab"))
    assert playbook.engine.next_deadline is None


def test_a_payload_that_was_too_long_is_not_reported_again() -> None:
    engine = TelnetEngine((), subnegotiation_limit=4, settle_within=None)
    oversized = Anomaly(AnomalyKind.OVERSIZED_SUBNEGOTIATION, "over 4 bytes for option 200")
    playbook = Playbook(engine).hears(b"\xff\xfa\xc8abc").ticks(0.0).hears(b"def", oversized)
    assert engine.next_deadline is None
    playbook.ticks(30.0)


# Weight


def test_nothing_a_peer_refuses_leaves_anything_to_wait_for() -> None:
    engine = TelnetEngine(DEFAULT_OPTIONS)
    for option in DEFAULT_OPTIONS:
        engine.receive(bytes((0xFF, 0xFC, option.code, 0xFF, 0xFE, option.code)))
    assert NegotiationSettled() in engine.tick(0.0)
    assert engine.next_deadline is None
    drain(engine)


def test_a_payload_is_not_given_up_while_nobody_reads_what_follows() -> None:
    """Its end may have been received; once everything is read, its time starts again."""
    playbook = book().hears(b"\xff\xfa\xc8abc").ticks(10.0)
    engine = playbook.engine
    assert engine.tick(40.0, is_read=False) == []
    assert engine.next_deadline == -math.inf
    playbook.ticks(41.0)
    assert engine.next_deadline == 71.0
    playbook.ticks(70.9).ticks(71.0, UNFINISHED)


@pytest.mark.parametrize("seconds", [0, -5.0, 1e-9, math.nan])
def test_a_deadline_that_would_keep_the_server_busy_costs_its_option(seconds: float) -> None:
    class Busy(Reminded):
        __slots__ = ()

        def on_ours(self, engine: Engine, enabled: bool) -> None:
            engine.set_deadline(99, seconds)

    engine = TelnetEngine([Busy()], settle_within=None)
    failures = [event for event in engine.receive(b"\xff\xfd\x63") if isinstance(event, OptionFailed)]
    assert "set 0.01 s or more" in str(failures[0].error)
    assert 99 not in {key & 0xFF for key in engine.deadlines.fresh or ()}
