"""Negotiation: against every kind of peer we know it agrees, or at least falls silent."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_mud.telnet import Anomaly, AnomalyKind, EchoRejected, Engine, FeatureAgreed, Option, Policy, TelnetEngine
from trio_mud.telnet.codes import DO, DONT, IAC, WILL, WONT
from trio_mud.telnet.deadlines import Deadlines
from trio_mud.telnet.negotiation import ANSWER_BUDGET, BUDGET_PERIOD, Negotiation
from trio_mud.telnet.options import Echo, Naws
from trio_mud.testing.playbook import Playbook, converse, drain


class Wanted(Option):
    """An option that either side may switch on."""

    __slots__ = ()
    code = 99
    ours = Policy.ACCEPT
    theirs = Policy.ACCEPT


class Offered(Wanted):
    """An option that we ask for on both sides as the connection starts."""

    __slots__ = ()
    code = 98
    ours = Policy.OFFER
    theirs = Policy.OFFER


class Complaining(Wanted):
    """An option that reports what becomes of its questions."""

    __slots__ = ()

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        engine.emit(FeatureAgreed("mxp", enabled))

    def on_refused(self, engine: Engine) -> None:
        engine.emit(EchoRejected())


def book(*options: Option) -> Playbook:
    return Playbook(TelnetEngine(options or (Wanted(),), settle_within=None))


# Each row of the table, our side; their side obeys the same one.


def test_a_welcome_request_is_agreed_to() -> None:
    playbook = book().hears("IAC DO 63").says("IAC WILL 63")
    assert playbook.engine.is_ours(99)
    assert not playbook.engine.is_theirs(99)
    playbook.hears("IAC WILL 63").says("IAC DO 63")
    assert playbook.engine.is_theirs(99)


def test_a_request_for_what_is_agreed_gets_no_answer() -> None:
    book().hears("IAC DO 63").says("IAC WILL 63").hears("IAC DO 63").says(b"")


def test_an_unknown_option_is_refused_each_time_it_is_asked_for() -> None:
    # Twisted's and telnetlib3's clients wait for the answer to each request (RFC 1143).
    playbook = book()
    for _ in range(20):
        playbook.hears("IAC DO 64 IAC WILL 64").says("IAC WONT 64 IAC DONT 64")


def test_an_option_that_the_policy_refuses_is_refused_each_time_too() -> None:
    playbook = book(Echo())
    for _ in range(3):
        playbook.hears("IAC DO ECHO").says("IAC WONT ECHO")


def test_refusals_beyond_the_budget_are_withheld_and_reported() -> None:
    engine = TelnetEngine(())
    events, sent = converse(engine, b"\xff\xfd\x64" * (ANSWER_BUDGET + 2))
    assert sent == b"\xff\xfc\x64" * ANSWER_BUDGET
    assert events == [Anomaly(AnomalyKind.NEGOTIATION_FLOOD, "DO 100 not answered")] * 2


def test_a_no_to_what_is_off_gets_no_answer() -> None:
    book().hears("IAC DONT 63 IAC WONT 63 IAC DONT 64 IAC WONT 64").says(b"")


def test_a_peer_that_switches_off_is_obeyed_and_acknowledged() -> None:
    playbook = book().hears("IAC DO 63 IAC DONT 63").says("IAC WILL 63 IAC WONT 63")
    assert not playbook.engine.is_ours(99)
    playbook.hears("IAC DO 63").says("IAC WILL 63")


def test_our_request_is_agreed_to_or_refused() -> None:
    playbook = book(Offered()).says("IAC WILL 62 IAC DO 62").hears("IAC DO 62 IAC WONT 62").says(b"")
    assert playbook.engine.is_ours(98)
    assert not playbook.engine.is_theirs(98)


def test_our_request_is_not_repeated_while_it_is_open_or_agreed() -> None:
    playbook = book().calls("enable_ours", 99).calls("enable_ours", 99).says("IAC WILL 63")
    playbook.hears("IAC DO 63").calls("enable_ours", 99).says(b"")


def test_what_we_switch_off_is_off_at_once() -> None:
    playbook = book().hears("IAC WILL 63").says("IAC DO 63").calls("disable_theirs", 99).says("IAC DONT 63")
    assert not playbook.engine.is_theirs(99)
    playbook.calls("disable_theirs", 99).says(b"").hears("IAC WONT 63").says(b"")
    playbook.hears("IAC WILL 63").says("IAC DO 63")


def test_switching_off_what_never_was_on_says_nothing() -> None:
    book().calls("disable_ours", 99).calls("disable_theirs", 3).says(b"")


def test_busybox_answering_dont_naws_with_will_naws_gets_silence() -> None:
    playbook = book(Naws()).hears("IAC WILL NAWS").says("IAC DO NAWS")
    playbook.calls("disable_theirs", 31).says("IAC DONT NAWS").hears("IAC WILL NAWS").says(b"")
    assert not playbook.engine.is_theirs(31)


def test_the_answer_to_a_request_taken_back_is_not_a_new_request() -> None:
    playbook = book().calls("enable_ours", 99).calls("disable_ours", 99).says("IAC WILL 63 IAC WONT 63")
    playbook.hears("IAC DO 63").says(b"").hears("IAC DONT 63").says(b"")
    assert not playbook.engine.is_ours(99)


def test_a_refusal_of_a_request_taken_back_does_not_hide_the_answer_to_the_next() -> None:
    playbook = book().calls("enable_ours", 99).calls("disable_ours", 99).calls("enable_ours", 99)
    playbook.says("IAC WILL 63 IAC WONT 63 IAC WILL 63").hears("IAC DONT 63").hears("IAC DO 63").says(b"")
    assert playbook.engine.is_ours(99)


def test_two_refusals_are_two_refusals() -> None:
    engine = TelnetEngine()
    for hidden in (True, False, True):
        engine.hide_input(hidden)
    assert engine.receive(b"\xff\xfe\x01") == []
    assert engine.receive(b"\xff\xfe\x01") == [EchoRejected()]


def test_an_eaten_refusal_is_found_by_the_deadline() -> None:
    # TinTin++ acknowledged nothing, and then refuses: its refusal looks like the acknowledgement.
    playbook = book(Echo()).calls("hide_input", True).hears("IAC DO ECHO").calls("hide_input", False)
    playbook.calls("hide_input", True).ticks(0.0).hears("IAC DONT ECHO").ticks(2.0, EchoRejected())


def test_a_late_refusal_is_not_reported_again() -> None:
    playbook = book(Echo()).calls("enable_ours", 99).says("IAC WILL 63").ticks(0.0).ticks(2.0)
    playbook.hears("IAC DONT 63").hears("IAC DO 63").says("IAC WONT 63")


def test_a_late_answer_to_a_request_taken_back_does_not_confirm_that() -> None:
    playbook = book(Echo()).calls("hide_input", True).ticks(0.0).ticks(2.0, EchoRejected()).calls("hide_input", False)
    playbook.hears("IAC DO ECHO")
    assert playbook.engine.may_still_hide
    playbook.hears("IAC DONT ECHO")
    assert not playbook.engine.may_still_hide


def test_a_late_refusal_of_a_request_taken_back_is_all_that_comes() -> None:
    playbook = book(Echo()).calls("hide_input", True).ticks(0.0).ticks(2.0, EchoRejected()).calls("hide_input", False)
    playbook.hears("IAC DONT ECHO")
    assert not playbook.engine.may_still_hide
    playbook.calls("hide_input", True).hears("IAC DO ECHO")
    assert playbook.engine.is_ours(1)


def test_around_a_question_of_ours_each_request_is_answered() -> None:
    playbook = book(Echo()).hears("IAC DO ECHO").calls("hide_input", True).hears("IAC DO ECHO")
    playbook.calls("hide_input", False).hears("IAC DONT ECHO IAC DO ECHO")
    playbook.says(b"\xff\xfc\x01\xff\xfb\x01\xff\xfc\x01\r\n\xff\xfc\x01")


def test_asking_again_in_a_late_state_asks_once_more() -> None:
    playbook = book().calls("enable_ours", 99).says("IAC WILL 63").ticks(0.0).ticks(2.0)
    playbook.calls("enable_ours", 99).says("IAC WILL 63").hears("IAC DO 63 IAC DO 63").says(b"")
    assert playbook.engine.is_ours(99)


def test_what_was_asked_for_twice_and_agreed_late_can_be_switched_off_like_anything_else() -> None:
    playbook = book().calls("enable_ours", 99).ticks(0.0).ticks(2.0).calls("enable_ours", 99)
    playbook.says("IAC WILL 63 IAC WILL 63").hears("IAC DO 63").calls("disable_ours", 99).says("IAC WONT 63")
    playbook.hears("IAC DONT 63").says(b"").hears("IAC DO 63").says("IAC WILL 63")


def test_a_question_taken_back_is_not_reported_as_unanswered() -> None:
    playbook = book(Complaining()).calls("enable_ours", 99).calls("disable_ours", 99).ticks(0.0).ticks(2.0)
    playbook.says("IAC WILL 63 IAC WONT 63").calls("enable_ours", 99).ticks(3.0).ticks(5.0, EchoRejected())


def test_what_was_refused_is_refused_after_we_wanted_it_ourselves() -> None:
    # TinTin++ acknowledges no no, so the first yes after it still answers our question.
    playbook = book().hears("IAC DO 64").says("IAC WONT 64").calls("enable_ours", 100).calls("disable_ours", 100)
    playbook.says("IAC WILL 64 IAC WONT 64").hears("IAC DO 64").says(b"")
    playbook.hears("IAC DONT 64 IAC DO 64").says("IAC WONT 64").hears("IAC DO 64").says("IAC WONT 64")


def test_a_peer_that_asks_and_takes_it_back_is_refused_each_time() -> None:
    playbook = book().calls("enable_ours", 100).hears("IAC DONT 64").says("IAC WILL 64")
    playbook.hears("IAC DO 64 IAC DONT 64").says("IAC WONT 64")
    playbook.hears("IAC DO 64 IAC DONT 64 IAC DO 64").says("IAC WONT 64 IAC WONT 64")


def test_whatever_moves_makes_a_number_at_which_nobody_has_drawn_a_conclusion_before() -> None:
    negotiation = Negotiation(Deadlines())
    numbers = [negotiation.changes]
    for move in (
        lambda: negotiation.hear(DO, 99, is_welcome=True),
        lambda: negotiation.want(99, ours=True, enabled=False),
        lambda: negotiation.want(98, ours=True, enabled=True),
        lambda: negotiation.expire(98),
        lambda: negotiation.hear(DO, 98, is_welcome=False),
        lambda: negotiation.want(98, ours=True, enabled=False),
    ):
        move()
        numbers.append(negotiation.changes)
    assert numbers == sorted(set(numbers))


def test_an_option_may_ask_anew_when_it_is_refused() -> None:
    class Stubborn(Option):
        code = 99

        def on_refused(self, engine: Engine) -> None:
            engine.disable_ours(99)
            engine.enable_ours(99)
            engine.disable_ours(98)
            engine.enable_ours(98)

    playbook = book(Stubborn()).calls("enable_ours", 99).calls("enable_ours", 98).says("IAC WILL 63 IAC WILL 62")
    playbook.ticks(0.0).ticks(2.0).says("IAC WONT 63 IAC WILL 63 IAC WONT 62 IAC WILL 62")
    playbook.ticks(3.0).ticks(4.9).says(b"")


# Timing marks and floods.


def test_each_timing_mark_is_answered() -> None:
    playbook = book()
    for _ in range(3):
        playbook.hears("IAC DO TIMING-MARK").says("IAC WILL TIMING-MARK")
    playbook.hears("IAC DONT TIMING-MARK IAC WILL TIMING-MARK").says("IAC DONT TIMING-MARK")


@pytest.mark.parametrize(
    "request_",
    [b"\xff\xfd\x06", b"\xff\xfd\x63\xff\xfe\x63", b"\xff\xfb\x63\xff\xfc\x63"],
    ids=["TM", "ours", "theirs"],
)
def test_beyond_the_budget_there_is_silence_and_each_request_is_reported(request_: bytes) -> None:
    engine = TelnetEngine([Wanted()])
    events, sent = converse(engine, request_ * ANSWER_BUDGET)
    assert len(sent) == 3 * ANSWER_BUDGET
    assert {type(event) for event in events} <= {Anomaly}
    (event,) = engine.receive(request_[:3])
    assert isinstance(event, Anomaly)
    assert event.kind is AnomalyKind.NEGOTIATION_FLOOD
    assert drain(engine) == b""
    assert not engine.is_ours(99)


def test_every_option_can_be_refused_on_both_sides_within_the_budget() -> None:
    engine = TelnetEngine(())
    requests = b"".join(bytes((IAC, verb, code)) for verb in (DO, WILL) for code in range(256))
    events, sent = converse(engine, requests)
    assert events == []
    assert len(sent) == len(requests)
    (event,) = engine.receive(b"\xff\xfd\x06")
    assert event == Anomaly(AnomalyKind.NEGOTIATION_FLOOD, "DO TIMING-MARK not answered")


def test_a_minute_after_half_of_the_budget_was_spent_it_is_whole_again() -> None:
    engine = TelnetEngine([Wanted()], settle_within=None)
    for start in (0.0, 1000.0, 2000.0):
        converse(engine, b"\xff\xfd\x06" * (ANSWER_BUDGET // 2 - 1))
        assert engine.next_deadline is None
        converse(engine, b"\xff\xfd\x06" * (ANSWER_BUDGET // 2 + 1))
        assert len(engine.receive(b"\xff\xfd\x06")) == 1
        engine.tick(start)
        assert engine.next_deadline == start + BUDGET_PERIOD
        assert len(engine.receive(b"\xff\xfd\x06")) == 1
        engine.tick(start + BUDGET_PERIOD)


def test_a_connection_that_negotiates_now_and_then_never_runs_dry() -> None:
    engine = TelnetEngine([Wanted()], settle_within=None)
    for hour in range(2 * ANSWER_BUDGET):
        events, sent = converse(engine, b"\xff\xfd\x63\xff\xfe\x63")
        assert (events, sent) == ([], b"\xff\xfb\x63\xff\xfc\x63")
        engine.tick(3600.0 * hour)


def test_the_budget_does_not_revive_a_loop() -> None:
    engine = TelnetEngine([Offered(), Wanted()], settle_within=None)
    for now in range(0, 1000, 50):
        fall_silent(engine, PEERS["eager"], b"\xff\xfd\x63" if now == 0 else b"")
        engine.tick(float(now))
    assert drain(engine) == b""


def test_beyond_the_budget_a_new_option_stays_off() -> None:
    engine = TelnetEngine([Wanted()])
    converse(engine, b"\xff\xfd\x06" * ANSWER_BUDGET)
    assert len(engine.receive(b"\xff\xfd\x63\xff\xfb\x62")) == 2
    assert not engine.is_ours(99)
    assert drain(engine) == b""


def test_beyond_the_budget_a_peer_that_switches_off_is_still_obeyed() -> None:
    engine = TelnetEngine([Wanted()])
    converse(engine, b"\xff\xfd\x63" + b"\xff\xfd\x06" * ANSWER_BUDGET)
    assert engine.is_ours(99)
    assert len(engine.receive(b"\xff\xfe\x63")) == 1
    assert not engine.is_ours(99)


def test_beyond_the_budget_an_option_hears_all_the_same_that_the_peer_switched_it_off() -> None:
    engine = TelnetEngine([Complaining()])
    converse(engine, b"\xff\xfd\x63" + b"\xff\xfd\x06" * ANSWER_BUDGET)
    flood, off = engine.receive(b"\xff\xfe\x63")
    assert isinstance(flood, Anomaly)
    assert off == FeatureAgreed("mxp", agreed=False)


def test_half_of_the_budget_is_all_that_must_be_spent_for_it_to_be_whole_a_minute_later() -> None:
    engine = TelnetEngine([Wanted()], settle_within=None)
    converse(engine, b"\xff\xfd\x06" * (ANSWER_BUDGET // 2))
    engine.tick(0.0)
    engine.tick(BUDGET_PERIOD)
    events, sent = converse(engine, b"\xff\xfd\x06" * ANSWER_BUDGET)
    assert (events, sent) == ([], b"\xff\xfb\x06" * ANSWER_BUDGET)


# Peers.  Each takes our bytes and returns its own; none knows our options.

Peer = Callable[[bytes], bytes]


def commands(data: bytes) -> list[tuple[int, int]]:
    """The verbs and options in what an engine sent; it sent nothing else, but perhaps a line end."""
    pieces = data.replace(b"\r\n", b"")
    assert len(pieces) % 3 == 0
    return [(pieces[at + 1], pieces[at + 2]) for at in range(0, len(pieces), 3)]


def answering(verbs: dict[int, int]) -> Peer:
    """Return a stateless peer that answers each verb with another."""

    def answer(data: bytes) -> bytes:
        return b"".join(bytes((IAC, verbs[verb], code)) for verb, code in commands(data) if verb in verbs)

    return answer


PEERS = {
    "echo": lambda data: data,
    "agreeing": answering({WILL: DO, DO: WILL, WONT: DONT, DONT: WONT}),
    "tintin": answering({WILL: DO, DO: WILL}),
    "refusing": answering({WILL: DONT, DO: WONT, WONT: DONT, DONT: WONT}),
    "busybox": answering({WILL: DO, DO: WILL, WONT: DONT, DONT: WILL}),
    "contrary": answering({WILL: DONT, DO: WONT, WONT: DO, DONT: WILL}),
    "eager": answering({WILL: DO, DO: WILL, WONT: DO, DONT: WILL}),
    "mute": answering({}),
}


class Rfc1143:
    """One side of one option by the letter of RFC 1143, as the peer: it accepts what it is offered, or refuses."""

    def __init__(self, accepts: bool) -> None:
        self.accepts = accepts
        self.is_on = False

    def __call__(self, data: bytes) -> bytes:
        answers = b""
        for verb, code in commands(data):
            wanted = verb in (WILL, DO)
            yes, no = (DO, DONT) if verb in (WILL, WONT) else (WILL, WONT)
            if wanted and not self.is_on:
                self.is_on = self.accepts
                answers += bytes((IAC, yes if self.accepts else no, code))
            elif not wanted and self.is_on:
                self.is_on = False
                answers += bytes((IAC, no, code))
        return answers


def fall_silent(engine: TelnetEngine, peer: Peer, opening: bytes = b"") -> int:
    """Let both sides answer until neither has anything to send; return the number of rounds.

    A peer without any memory answers acknowledgements too; then only the budget ends the exchange.
    """
    engine.receive(opening)
    for rounds in range(ANSWER_BUDGET + 10):
        heard = peer(drain(engine))
        if not heard:
            return rounds
        engine.receive(heard)
    raise AssertionError("they talk for ever")


@pytest.mark.parametrize("name", PEERS)
def test_with_every_peer_the_offers_lead_to_silence(name: str) -> None:
    assert fall_silent(TelnetEngine([Offered(), Wanted()]), PEERS[name]) <= 3


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", PEERS)
@given(opening=st.lists(st.tuples(st.sampled_from([WILL, WONT, DO, DONT]), st.sampled_from([1, 31, 62, 98, 99]))))
def test_with_every_peer_any_opening_leads_to_silence(name: str, opening: list[tuple[int, int]]) -> None:
    data = b"".join(bytes((IAC, verb, code)) for verb, code in opening)
    fall_silent(TelnetEngine([Offered(), Wanted()]), PEERS[name], data)


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", PEERS)
@given(wishes=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_with_every_peer_any_wishes_of_ours_lead_to_silence(name: str, wishes: list[tuple[bool, bool]]) -> None:
    engine = TelnetEngine([Offered(), Wanted()])
    for hidden, is_heard in wishes:
        engine.enable_theirs(99) if hidden else engine.disable_theirs(99)
        engine.enable_ours(99) if hidden else engine.disable_ours(99)
        if is_heard:
            fall_silent(engine, PEERS[name])
    fall_silent(engine, PEERS[name])


@given(st.lists(st.sampled_from(["ask ours", "ask theirs", "stop ours", "stop theirs", "a", "b"]), max_size=40))
def test_two_engines_back_to_back_fall_silent_and_agree(steps: list[str]) -> None:
    first, second = TelnetEngine([Offered(), Wanted()]), TelnetEngine([Offered(), Wanted()])
    for step in steps:
        if step == "a":
            second.receive(drain(first))
        elif step == "b":
            first.receive(drain(second))
        else:
            wish, side = step.split()
            getattr(first, f"{'enable' if wish == 'ask' else 'disable'}_{side}")(99)
    for _ in range(10):
        second.receive(drain(first))
        first.receive(drain(second))
    assert (drain(first), drain(second)) == (b"", b"")
    for code in (98, 99):
        assert first.is_ours(code) == second.is_theirs(code)
        assert first.is_theirs(code) == second.is_ours(code)


@given(st.lists(st.sampled_from(["toggle", "deliver", "answer"]), max_size=60), st.sampled_from(["rfc", "tintin"]))
@settings(max_examples=2 * settings().max_examples)
def test_hiding_at_any_pace_ends_as_the_game_wishes(steps: list[str], kind: str) -> None:
    # The wire holds bytes for any time in both directions; no clock runs.
    engine = TelnetEngine()
    drain(engine)
    peer: Peer = Rfc1143(accepts=True) if kind == "rfc" else PEERS["tintin"]
    to_peer, to_engine = bytearray(), bytearray()

    def deliver(most: int) -> None:
        to_peer.extend(drain(engine).replace(b"\r\n", b""))
        to_engine.extend(peer(bytes(to_peer[:most])))
        del to_peer[:most]

    def answer(most: int) -> None:
        assert engine.receive(bytes(to_engine[:most])) == []
        del to_engine[:most]

    for step in steps:
        if step == "toggle":
            engine.hide_input(not engine.input_hidden)
        elif step == "deliver":
            deliver(3)
        else:
            answer(3)
    for _ in range(5):
        deliver(1_000_000)
        answer(1_000_000)
    assert (bytes(to_peer), bytes(to_engine)) == (b"", b"")
    assert engine.is_ours(1) is engine.input_hidden
    if isinstance(peer, Rfc1143):
        assert peer.is_on is engine.input_hidden


@given(st.lists(st.sampled_from(["toggle", "deliver", "answer"]), max_size=60))
def test_a_refusing_peer_is_never_believed_to_hide(steps: list[str]) -> None:
    engine = TelnetEngine()
    drain(engine)
    peer = Rfc1143(accepts=False)
    heard = b""
    for step in steps:
        if step == "toggle":
            engine.hide_input(not engine.input_hidden)
        elif step == "deliver":
            heard += peer(drain(engine))
        else:
            engine.receive(heard[:3])
            heard = heard[3:]
    engine.receive(heard + peer(drain(engine)))
    assert not engine.is_ours(1)
    assert drain(engine) == b""
