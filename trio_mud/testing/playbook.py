r"""Playbooks: a telnet conversation as a script, and a check that the result does not depend on segmentation.

    (
        Playbook(TelnetEngine())
        .says("IAC DO TTYPE IAC DO NAWS")
        .hears("IAC WILL NAWS IAC SB NAWS 00 50 00 18 IAC SE", Resized(80, 24))
        .hears(b"look\\r\\n", Line("look"))
        .says(b"")
    )

For tests of engines and options, including a game's own. Each step is checked when it is called; a failed step raises
AssertionError with the conversation so far.
"""

from collections.abc import Callable
from typing import Self

from ..telnet import TelnetEngine, TelnetEvent
from ..telnet.codes import (
    COMMAND_NAMES,
    DO,
    DONT,
    IAC,
    OPTION_NAMES,
    SB,
    WILL,
    WONT,
    command_name,
    option_name,
)

_WORDS = {name: code for code, name in OPTION_NAMES.items()} | {name: code for code, name in COMMAND_NAMES.items()}
_TAKES_OPTION = (SB, WILL, WONT, DO, DONT)


class Playbook:
    """Plays the peer of an engine step by step, and compares the engine with the script.

    Bytes may be given literally or spelt: names of commands and options (`EOR` is the command; write the option as
    19), and two hex digits for any other byte, in lower case because EC is a command.
    """

    def __init__(self, engine: TelnetEngine) -> None:
        self.engine = engine
        self._transcript: list[str] = []

    def hears(self, data: bytes | str, *events: TelnetEvent) -> Self:
        """Pass these bytes to the engine, which must report exactly these events."""
        data = unspell(data)
        self._note("hears", spell(data))
        return self._reports(events, self.engine.receive(data))

    def says(self, data: bytes | str) -> Self:
        """Expect that the engine has queued exactly these bytes since the last `says`; none if empty."""
        expected, actual = unspell(data), drain(self.engine)
        self._note("says", spell(actual))
        return self._check(spell(expected), spell(actual), expected == actual)

    def calls(self, name: str, *arguments: object) -> Self:
        """Call a method of the engine, such as `.calls("hide_input", True)`."""
        self._note("calls", f"{name}({', '.join(map(repr, arguments))})")
        getattr(self.engine, name)(*arguments)
        return self

    def ticks(self, now: float, *events: TelnetEvent) -> Self:
        """Set the clock to `now`; the engine must report exactly these events."""
        self._note("ticks", str(now))
        return self._reports(events, self.engine.tick(now))

    def _reports(self, expected: tuple[TelnetEvent, ...], actual: list[TelnetEvent]) -> Self:
        for event in actual:
            self._note("", f"-> {event!r}")
        return self._check(_listing(list(expected)), _listing(actual), list(expected) == actual)

    def _note(self, step: str, what: str) -> None:
        self._transcript.append(f"  {step:<6} {what or '(nothing)'}")

    def _check(self, expected: str, actual: str, is_met: bool) -> Self:
        if not is_met:
            conversation = "\n".join(self._transcript)
            raise AssertionError(
                f"the engine left the playbook:\n{conversation}\n"
                f"expected: {expected or '(nothing)'}\n"
                f"actual:   {actual or '(nothing)'}"
            )
        return self


def spell(data: bytes) -> str:
    """Spell bytes as telnet names, hex digits, and text in quotes."""
    words: list[str] = []
    text = bytearray()
    at = 0
    while at < len(data):
        taken, word = _spell_command(data, at) if data[at] == IAC else (1, "")
        if not word and 0x20 <= data[at] < 0x7F:
            text.append(data[at])
        else:
            _end_quote(words, text)
            words.append(word or f"{data[at]:02x}")
        at += taken
    _end_quote(words, text)
    return " ".join(words)


def _spell_command(data: bytes, at: int) -> tuple[int, str]:
    command = data[at : at + 3]
    if len(command) == 1:
        return 1, "IAC"
    if len(command) == 3 and command[1] in _TAKES_OPTION and command[1:] != bytes((SB, IAC)):
        return 3, f"IAC {command_name(command[1])} {option_name(command[2])}"
    return 2, f"IAC {command_name(command[1])}"


def _end_quote(words: list[str], text: bytearray) -> None:
    if text:
        words.append(f'"{text.decode("ascii")}"')
        text.clear()


def unspell(script: bytes | str) -> bytes:
    """Parse the bytes of a playbook: literal bytes, or names and pairs of hex digits."""
    if isinstance(script, bytes):
        return script
    data = bytearray()
    for word in script.split():
        if word in _WORDS:
            data.append(_WORDS[word])
        else:
            data += bytes.fromhex(word)
    return bytes(data)


def drain(engine: TelnetEngine) -> bytes:
    """Return and remove all bytes that an engine has queued, as one byte string."""
    return b"".join(iter(engine.data_to_send, b""))


def converse(engine: TelnetEngine, *chunks: bytes) -> tuple[list[TelnetEvent], bytes]:
    """Pass the chunks to an engine one by one; return all its events and all queued bytes."""
    events: list[TelnetEvent] = []
    sent = drain(engine)
    for chunk in chunks:
        events += engine.receive(chunk)
        while engine.pending:
            events += engine.receive(b"")
        sent += drain(engine)
    return events, sent


def check_every_split(data: bytes, make_engine: Callable[[], TelnetEngine] = TelnetEngine) -> None:
    """Assert that the bytes have the same effect whole, cut in two at every offset, and one by one.

    The effect is the events and the bytes to send, from a new engine each time.
    """
    whole = converse(make_engine(), data)
    ways = [(data[:cut], data[cut:]) for cut in range(len(data) + 1)]
    for chunks in [*ways, tuple([data[at : at + 1] for at in range(len(data))])]:
        events, sent = converse(make_engine(), *chunks)
        if (events, sent) != whole:
            cut = " | ".join(map(spell, chunks))
            raise AssertionError(
                f"cut as {cut}\n"
                f"expected: {_listing(whole[0])}, sent {spell(whole[1]) or '(nothing)'}\n"
                f"actual:   {_listing(events)}, sent {spell(sent) or '(nothing)'}"
            )


def _listing(events: list[TelnetEvent]) -> str:
    return ", ".join(map(repr, events)) or "no events"
