"""The scanner: separates telnet commands from data, however the network cut the stream.

It knows the syntax of commands; the receiver (`interpreter.py`) knows their meaning. Each engine owns one.

It has seven states, each a function that consumes data from `at` and returns the next position:

    in_text ──IAC──► after_iac ──verb──► after_verb ──option──► in_text
                         └──────SB────► after_sb ──option──► in_payload ◄──IAC IAC── after_payload_iac
                                                                 └────────IAC────────────►┘ ──SE──► in_text

Peers that do not double ff inside a payload are understood as far as possible. The byte after IAC is a command only
from EOF (236, the lowest command) up; below that, both bytes are data. If ff completes a payload of fixed length, the
seventh state, `after_whole_payload`, checks whether SE follows at once.

A payload is searched for the next IAC and copied once. No byte is read twice, so a payload that arrives in many small
pieces costs as much as one that arrives whole. A complete command or payload within the data, the common case, is
reported without leaving `in_text`.
"""

from collections.abc import Callable
from typing import Final, Protocol

from .codes import DO, DONT, EOF, IAC, PAYLOAD_LENGTHS, SB, SE, WILL, WONT, command_name
from .events import AnomalyKind

_IAC: Final = bytes((IAC,))
_VERBS: Final = frozenset((WILL, WONT, DO, DONT))

ESCAPE_COST: Final = 64  # for a doubled ff in text, which splits the text and so costs much more than a byte
COMMAND_COST: Final = 256  # for a command, a negotiation or a payload's frame; each byte of a payload costs 1


class Receiver(Protocol):
    """The receiver of scanned input, called in the order of the stream."""

    def heard_text(self, data: bytes) -> None:
        """Process data between commands, never empty; doubled ff are already single."""

    def heard_command(self, code: int) -> None:
        """Process IAC and a command byte."""

    def heard_negotiation(self, verb: int, code: int) -> None:
        """Process a verb (WILL, WONT, DO or DONT) and an option."""

    def heard_subnegotiation(self, code: int, payload: bytes) -> None:
        """Process a complete payload; doubled ff are already single."""

    def heard_anomaly(self, kind: AnomalyKind, detail: str) -> None:
        """Process a payload that was dropped."""

    def payload_limit(self, code: int) -> int:
        """Return the current maximum of payload bytes for this option."""
        ...


class Scanner:
    """The state of scanning between two calls.

    Attributes:
        cost: The cost of all scanned input, see `COMMAND_COST`. It does not depend on how the data is cut.
    """

    __slots__ = ("cost", "is_stopped", "limit", "option", "payload", "state")

    def __init__(self) -> None:
        # A plain function, not a bound method: an engine that ends is freed at once, without the cycle collector.
        self.state: State = in_text
        self.is_stopped = False
        self.cost = 0
        self.option: int | None = None  # the option of the payload; in `after_verb`, the verb
        self.payload: bytearray | None = None  # in a payload, None: it exceeded the limit and is discarded
        self.limit = 0  # bytes of payload, set when the option is known

    def stop(self) -> None:
        """Stop this call after the payload being reported, because the bytes after it are not telnet."""
        self.is_stopped = True

    def receive(self, data: bytes, receiver: Receiver) -> int:
        """Report everything in the data; an unfinished command waits for the next call.

        Returns:
            The number of bytes read: all of them, unless the receiver called `stop`.
        """
        at, end = 0, len(data)
        self.is_stopped = False
        while at < end and not self.is_stopped:
            at = self.state(self, receiver, data, at)
        return at

    def give_up_payload(self) -> None:
        """Drop the unfinished payload, and skip its remaining bytes as for one that exceeded the limit."""
        self.payload = None


State = Callable[[Scanner, Receiver, bytes, int], int]


def in_text(scanner: Scanner, receiver: Receiver, data: bytes, at: int) -> int:
    found = data.find(IAC, at)
    if found < 0:
        receiver.heard_text(data[at:])
        return len(data)
    if found > at:
        receiver.heard_text(data[at:found])
    end = len(data)
    if found + 1 < end:
        code = data[found + 1]
        if code in _VERBS:
            if found + 2 < end:
                scanner.cost += COMMAND_COST
                receiver.heard_negotiation(code, data[found + 2])
                return found + 3
        elif code == SB:
            close = data.find(IAC, found + 2)
            if found + 2 < close < end - 1 and data[close + 1] == SE:
                size = close - found - 3
                if size <= receiver.payload_limit(data[found + 2]):
                    scanner.cost += COMMAND_COST + size
                    receiver.heard_subnegotiation(data[found + 2], data[found + 3 : close])
                    return close + 2
        elif code != IAC:
            scanner.cost += COMMAND_COST
            receiver.heard_command(code)
            return found + 2
    scanner.state = after_iac
    return found + 1


def after_iac(scanner: Scanner, receiver: Receiver, data: bytes, at: int) -> int:
    code = data[at]
    scanner.state = in_text
    if code == IAC:
        scanner.cost += ESCAPE_COST
        receiver.heard_text(_IAC)
    elif code in _VERBS:
        scanner.option = code
        scanner.state = after_verb
    elif code == SB:
        scanner.cost += COMMAND_COST
        scanner.state = after_sb
    else:
        scanner.cost += COMMAND_COST
        receiver.heard_command(code)
    return at + 1


def after_verb(scanner: Scanner, receiver: Receiver, data: bytes, at: int) -> int:
    scanner.state = in_text
    scanner.cost += COMMAND_COST
    assert scanner.option is not None, "the verb"
    receiver.heard_negotiation(scanner.option, data[at])
    return at + 1


def after_sb(scanner: Scanner, receiver: Receiver, data: bytes, at: int) -> int:
    if data[at] == IAC:
        scanner.option = None
        scanner.state = after_payload_iac
    else:
        _open(scanner, receiver, data[at])
    return at + 1


def in_payload(scanner: Scanner, receiver: Receiver, data: bytes, at: int) -> int:
    found = data.find(IAC, at)
    end = len(data) if found < 0 else found
    _collect(scanner, receiver, data, at, end)
    if found < 0:
        return end
    scanner.state = after_payload_iac
    return found + 1


def after_payload_iac(scanner: Scanner, receiver: Receiver, data: bytes, at: int) -> int:
    code, option, payload = data[at], scanner.option, scanner.payload
    if code == IAC:
        if option is None:
            _open(scanner, receiver, IAC)  # option 255 itself, doubled like any other ff
        else:
            _collect(scanner, receiver, _IAC, 0, 1)
            is_whole = payload is not None and len(payload) == PAYLOAD_LENGTHS.get(option)
            scanner.state = after_whole_payload if is_whole else in_payload
        return at + 1
    if code == SE:
        _close(scanner, receiver)
        return at + 1
    if code < EOF:
        # No command has such a low number, so the ff was a data byte that was not doubled. Clients that do not double
        # send a window of 255 columns like that (QMud, 2026).
        if option is None:
            _open(scanner, receiver, IAC)
            _collect(scanner, receiver, data, at, at + 1)
        else:
            scanner.state = in_payload
            _collect(scanner, receiver, bytes((IAC, code)), 0, 2)
        return at + 1
    if option is not None and payload is None:
        scanner.state = in_payload  # oversized, so perhaps not telnet at all: only IAC SE ends it
        return at + 1
    # A command inside a payload: drop the payload, obey the command and resume, as telnet(1) and libtelnet do.
    # TinTin++ and PuTTY would discard everything up to the next IAC SE.
    scanner.payload = None
    receiver.heard_anomaly(AnomalyKind.MALFORMED_SUBNEGOTIATION, f"broken off by IAC {command_name(code)}")
    return after_iac(scanner, receiver, data, at)


def after_whole_payload(scanner: Scanner, receiver: Receiver, data: bytes, at: int) -> int:
    # After ff ff, which completed a payload of fixed length, a peer that doubles continues with IAC SE. A peer that
    # does not double continues with SE: its first ff was data, such as 255 rows, and the second was IAC.
    if data[at] == SE:
        _close(scanner, receiver)
        return at + 1
    scanner.state = in_payload
    return at


def _close(scanner: Scanner, receiver: Receiver) -> None:
    option, payload = scanner.option, scanner.payload
    scanner.state = in_text
    scanner.payload = None
    # A payload without an option byte (FluffOS observed it) or over the limit is not reported.
    if option is not None and payload is not None:
        receiver.heard_subnegotiation(option, bytes(payload))


def _open(scanner: Scanner, receiver: Receiver, option: int) -> None:
    scanner.option = option
    scanner.payload = bytearray()
    scanner.limit = receiver.payload_limit(option)
    scanner.state = in_payload


def _collect(scanner: Scanner, receiver: Receiver, data: bytes, start: int, end: int) -> None:
    scanner.cost += end - start  # discarded bytes count as well
    payload = scanner.payload
    if payload is None:
        return
    if len(payload) + end - start > scanner.limit:
        scanner.payload = None
        receiver.heard_anomaly(
            AnomalyKind.OVERSIZED_SUBNEGOTIATION, f"over {scanner.limit} bytes for option {scanner.option}"
        )
    else:
        payload += data[start:end]
