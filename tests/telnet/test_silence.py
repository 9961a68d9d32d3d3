"""All default options against models of real clients, against each other and against contrary ones: silence follows."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_mud.telnet import (
    DEFAULT_OPTIONS,
    AnomalyKind,
    CharsetAgreed,
    ClientVariable,
    NegotiationSettled,
    TelnetEngine,
    TelnetEvent,
    TerminalType,
    WindowResized,
)
from trio_mud.telnet.codes import CHARSET, DO, DONT, IAC, MCCP2, MCCP3, NAWS, NEW_ENVIRON, SB, SE, TTYPE, WILL, WONT
from trio_mud.telnet.negotiation import ANSWER_BUDGET
from trio_mud.telnet.scanner import Scanner
from trio_mud.testing.playbook import drain

# A compressed stream is tested elsewhere; these models read plain bytes.
OPTIONS = tuple(option for option in DEFAULT_OPTIONS if option.code not in (MCCP2, MCCP3))
EVERY = frozenset(range(256))
AGREE = {WILL: DO, DO: WILL, WONT: DONT, DONT: WONT}
REFUSE = {WILL: DONT, DO: WONT}


class Model:
    """A client: its first messages, the options it agrees to, and its answers.

    It keeps a flag for each option and direction and answers changes only, unless a subclass overrides that.
    """

    opening: bytes = b""
    will: frozenset[int] = frozenset()
    do: frozenset[int] = frozenset()
    acknowledges = True
    names: tuple[bytes, ...] = ()
    variables: tuple[bytes, ...] | None = None  # payloads in answer to NEW-ENVIRON SEND
    charset: bytes = b"\x03"

    def __init__(self) -> None:
        self._scanner = Scanner()
        self._answers = self.opening
        self._on: set[tuple[bool, int]] = set()
        self._names = list(self.names)
        for at in range(0, len(self.opening), 3):
            verb, code = self.opening[at + 1], self.opening[at + 2]
            self._on.add((verb == WILL, code))

    def __call__(self, data: bytes) -> bytes:
        self._scanner.receive(data, self)
        answers, self._answers = self._answers, b""
        return answers

    def say(self, verb: int, code: int) -> None:
        self._answers += bytes((IAC, verb, code))

    def heard_text(self, data: bytes) -> None:
        pass

    def heard_command(self, code: int) -> None:
        pass

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        raise AssertionError(f"{kind}: {detail}")

    def payload_limit(self, code: int) -> int:
        return 1000

    def heard_negotiation(self, verb: int, code: int) -> None:
        side = (verb in (DO, DONT), code)
        is_on = side in self._on
        tells_size = (verb, code) == (DO, NAWS) and NAWS in self.will
        if verb in (WILL, DO):
            if code not in (self.will if verb == DO else self.do):
                self.say(REFUSE[verb], code)
            elif not is_on:
                self._on.add(side)
                self.say(AGREE[verb], code)
        elif is_on:
            self._on.discard(side)
            if self.acknowledges:
                self.say(AGREE[verb], code)
        if tells_size:
            self._answers += b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0"

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        answers: tuple[bytes, ...] = ()
        if code == TTYPE and payload == b"\x01" and self._names:
            answers = (b"\0" + self._names[0],)
            del self._names[: len(self._names) > 1]
        elif code == NEW_ENVIRON and payload[0] == 1:
            answers = self.variables or ()
        elif code == CHARSET and payload[0] == 1:
            answers = (self.charset,)
        for answer in answers:
            self._answers += bytes((IAC, SB, code)) + answer + bytes((IAC, SE))


class TinTin(Model):
    """TinTin++ 2.02: never acknowledges a no, and keeps one flag for both directions."""

    will = frozenset((1, 3, 24, 25, 31, 32, 39, 42))
    do = frozenset((1, 3, 25, 42))
    acknowledges = False
    names = (b"TINTIN++", b"xterm-256color", b"MTTS 271")
    variables = tuple(
        b"\0\0" + name + b"\1" + value
        for name, value in [(b"CLIENT_NAME", b"TINTIN++"), (b"MTTS", b"783"), (b"CHARSET", b"UTF-8")]
    )
    charset = b"\x02UTF-8"

    def heard_negotiation(self, verb: int, code: int) -> None:
        if code == 70:
            return  # MSSP: silence
        if verb in (WILL, DO) and {(True, code), (False, code)} & self._on:
            return
        super().heard_negotiation(verb, code)


class Busybox(Model):
    """busybox telnet: answers DONT NAWS with WILL NAWS, and refuses the second WILL ECHO."""

    will = frozenset((24, 31))
    do = frozenset((1, 3))
    names = (b"xterm-256color",)

    def heard_negotiation(self, verb: int, code: int) -> None:
        if (verb, code) == (DONT, NAWS):
            self.say(WILL, NAWS)
        elif (verb, code) == (WILL, 1) and "asked" in vars(self):
            self.say(DONT, 1)
        else:
            if (verb, code) == (WILL, 1):
                self.asked = True
            super().heard_negotiation(verb, code)


class Putty(Model):
    """PuTTY: sends the first negotiation, and answers any question for variables with USER."""

    opening = b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfb\x27\xff\xfd\x01\xff\xfb\x03\xff\xfd\x03"
    will = frozenset((0, 3, 24, 31, 32, 36, 39))
    do = frozenset((0, 1, 3))
    names = (b"XTERM",)
    variables = (b"\0\0USER\1root",)


class TelnetWithoutPort(Model):
    """telnet(1) called without a port: asks for much, even for encryption, both ways."""

    opening = (
        b"\xff\xfd\x26\xff\xfb\x26\xff\xfd\x03\xff\xfb\x18\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x21\xff\xfb\x22\xff\xfb\x27"
        b"\xff\xfd\x05"
    )
    will = frozenset((0, 3, 6, 24, 31, 32, 33, 34, 38, 39))
    do = frozenset((0, 1, 3, 5, 37, 38))
    names = (b"XTERM-256COLOR",)
    variables = (b"\0\0CLIENT_NAME\0CLIENT_VERSION\0MTTS\0CHARSET\0TERMINAL_TYPE",)


class Telnetlib3(Model):
    """telnetlib3-client 5.0: agrees to much and never acknowledges a no."""

    will = frozenset((0, 3, 5, 6, 24, 25, 31, 32, 33, 34, 35, 39, 42))
    do = frozenset((1, 3, 25, 42, 44, 93, 201))
    acknowledges = False
    names = (b"xterm-256color",)
    variables = (b"\0\0CLIENT_NAME\1\0LANG\1C\0COLORTERM\1truecolor",)
    charset = b"\x02UTF-8"


class Refusing(Model):
    """Refuses all, again and again."""


class Nc(Model):
    """Knows no telnet."""

    def heard_negotiation(self, verb: int, code: int) -> None:
        pass


class Contrary(Model):
    """Answers yes to each no and no to each yes."""

    def heard_negotiation(self, verb: int, code: int) -> None:
        self.say({WILL: DONT, DO: WONT, WONT: DO, DONT: WILL}[verb], code)


class Eager(Model):
    """Answers yes to everything."""

    will = do = EVERY

    def heard_negotiation(self, verb: int, code: int) -> None:
        self.say({WILL: DO, DO: WILL, WONT: DO, DONT: WILL}[verb], code)


Peer = Callable[[bytes], bytes]
CLIENTS: dict[str, Callable[[], Peer]] = {
    "tintin": TinTin,
    "busybox": Busybox,
    "putty": Putty,
    "telnet without a port": TelnetWithoutPort,
    "telnetlib3": Telnetlib3,
    "refusing": Refusing,
    "nc": Nc,
}
STRANGERS: dict[str, Callable[[], Peer]] = {
    "echo": lambda: lambda data: data,
    "contrary": Contrary,
    "eager": Eager,
}


def fall_silent(engine: TelnetEngine, peer: Peer, most: int = ANSWER_BUDGET + 20) -> list[TelnetEvent]:
    """Let both sides answer until neither has anything to send, and return the engine's events."""
    events: list[TelnetEvent] = []
    for _ in range(most):
        heard = peer(drain(engine))
        if not heard:
            return events
        events += engine.receive(heard)
    raise AssertionError("they talk for ever")


@pytest.mark.parametrize("name", CLIENTS)
def test_with_every_client_the_offers_lead_to_silence_in_a_few_rounds(name: str) -> None:
    engine = TelnetEngine(OPTIONS)
    fall_silent(engine, CLIENTS[name](), most=10)


@pytest.mark.parametrize("name", sorted(set(CLIENTS) - {"nc", "tintin"}))
def test_with_every_client_that_answers_it_settles_without_waiting(name: str) -> None:
    engine = TelnetEngine(OPTIONS)
    fall_silent(engine, CLIENTS[name]())
    assert engine.tick(0.0)[-1:] == [NegotiationSettled()]


def test_nc_settles_after_a_second() -> None:
    engine = TelnetEngine(OPTIONS)
    fall_silent(engine, Nc())
    assert engine.tick(0.0) == []
    assert engine.tick(1.0) == [NegotiationSettled()]


@pytest.mark.unmeasured
@pytest.mark.parametrize("name", CLIENTS)
@given(wishes=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=20))
@settings(max_examples=settings().max_examples // 2)
def test_with_every_client_hiding_and_showing_leads_to_silence(name: str, wishes: list[tuple[bool, bool]]) -> None:
    engine, client = TelnetEngine(OPTIONS), CLIENTS[name]()
    for hidden, is_heard in wishes:
        engine.hide_input(hidden)
        if is_heard:
            fall_silent(engine, client)
    fall_silent(engine, client)


@pytest.mark.parametrize("name", STRANGERS)
def test_with_strangers_the_budget_ends_it_at_the_latest(name: str) -> None:
    engine, stranger = TelnetEngine(OPTIONS), STRANGERS[name]()
    for now in (0.0, 100.0, 200.0):
        fall_silent(engine, stranger)
        engine.tick(now)
        engine.hide_input(now == 0.0)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=40))
def test_two_engines_back_to_back_fall_silent_however_slow_the_wire(deliveries: list[tuple[bool, int]]) -> None:
    engines = (TelnetEngine(OPTIONS), TelnetEngine(OPTIONS))
    wires = (bytearray(), bytearray())  # to the first, to the second

    def deliver(to: int, most: int) -> None:
        for which in (0, 1):
            wires[1 - which].extend(drain(engines[which]))
        engines[to].receive(bytes(wires[to][:most]))
        del wires[to][:most]

    for is_second, most in deliveries:
        deliver(int(is_second), most)
    for _ in range(20):
        deliver(0, 10_000)
        deliver(1, 10_000)
    assert not any(wires)
    assert (drain(engines[0]), drain(engines[1])) == (b"", b"")


def test_what_tintin_tells_is_reported() -> None:
    engine = TelnetEngine(OPTIONS)
    events = fall_silent(engine, TinTin())
    assert {event for event in events if isinstance(event, TerminalType)} == {
        TerminalType("TINTIN++"),
        TerminalType("xterm-256color"),
        TerminalType("MTTS 271"),
    }
    assert WindowResized(80, 24) in events
    assert ClientVariable("MTTS", "783") in events
    assert CharsetAgreed("utf-8") in events
    assert engine.prompt_mark == b"\xff\xef"


@pytest.mark.parametrize("name", ["busybox", "putty", "telnet without a port"])
def test_terminal_clients_stay_in_line_mode_and_get_ga(name: str) -> None:
    engine = TelnetEngine(OPTIONS)
    events = fall_silent(engine, CLIENTS[name]())
    assert not engine.is_ours(3)
    assert engine.prompt_mark == b"\xff\xf9"
    assert WindowResized(80, 24) in events
    assert all(isinstance(event, WindowResized | TerminalType | ClientVariable) for event in events)
    assert not any(isinstance(event, ClientVariable) and event.name == "USER" for event in events)


def test_every_verb_for_every_option_is_survived_in_any_order() -> None:
    for verbs in ((WILL, WONT, DO, DONT), (DO, WILL, DONT, WONT), (WONT, DONT, DO, WILL)):
        engine = TelnetEngine(OPTIONS)
        drain(engine)
        for code in range(256):
            for verb in verbs:
                engine.receive(bytes((IAC, verb, code)))
                assert len(drain(engine)) <= 70
