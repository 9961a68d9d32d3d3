"""MSDP: variables of the game that are reported to the client whenever they change.

Source: the MUD Server Data Protocol as the TinTin++ project describes it, and its form inside GMCP
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..codes import GMCP, MSDP
from ..events import Anomaly, Json, MsdpReceived, MsdpValue
from ..gmcp_messages import encode_gmcp
from ..msdp_messages import Sendable, check_name, decode_msdp, encode_msdp, is_name, malformed
from .base import Engine, Option, Policy

MAX_REPORTED: Final = 128  # variables per client, if the game has not named the reportable ones
MAX_ANSWERS: Final = 256  # answers per period: a client may ask for all variables at once, and for the lists
ANSWER_PERIOD: Final = 10.0  # seconds, from the first answer of a period

COMMANDS: Final = ("LIST", "REPORT", "RESET", "SEND", "UNREPORT")
LISTS: Final = (
    "COMMANDS",
    "CONFIGURABLE_VARIABLES",
    "LISTS",
    "REPORTABLE_VARIABLES",
    "REPORTED_VARIABLES",
    "SENDABLE_VARIABLES",
)


class Msdp(Option):
    """Stores the variables a client asked for, and sends one when `report` changes its value.

    It answers LIST, REPORT, UNREPORT, SEND and RESET by itself. Everything else is reported as `MsdpReceived`: the
    client's own variables, and REPORT or SEND of variables without a value, so that the game can set one.

    Args:
        reportable: The variables that the game offers. If empty, a client may ask for any variable, and is offered
            those passed to `report` so far.
        configurable: The variables that a client may set, listed on request; values are reported as `MsdpReceived`.

    Raises:
        ValueError: A name is empty, too long or contains bytes that MSDP reserves.
    """

    __slots__ = ("_answers", "_configurable", "_reportable", "_talk")

    code = MSDP
    ours = Policy.OFFER
    subnegotiation_limit = 64 * 1024  # bytes; libtelnet allows 16 KiB, Mudlet 5 MiB

    def __init__(self, reportable: Iterable[str] = (), *, configurable: Iterable[str] = ()) -> None:
        self._reportable = tuple(dict.fromkeys(map(check_name, reportable)))
        self._configurable = tuple(dict.fromkeys(map(check_name, configurable)))
        self._talk: _Talk | None = None
        self._answers = 0  # sent in this period

    # Called by the connection.

    def report(self, engine: Engine, variable: str, value: Sendable) -> bool:
        """Set the value of a variable, and queue it for the client if it asked for it and the value has changed.

        Nothing is stored until the client uses MSDP, so report values again when it asks (`MsdpReceived`).

        Args:
            engine: The engine that this option belongs to.
            variable: A reportable variable, such as `HEALTH`.
            value: Text, a number, or lists and dicts of them.

        Returns:
            True if a message was queued.

        Raises:
            ValueError: The variable is not reportable; otherwise as `encode_msdp`.
        """
        if self._reportable and variable not in self._reportable:
            raise ValueError(f"{variable!r} is not reportable: add it to the variables of this Msdp")
        talk = self._talk
        if talk is None or not _is_heard(engine, talk):
            return False
        payload = talk.values[variable] = encode_msdp(variable, value)
        if talk.reported.get(variable, payload) == payload:
            return False
        talk.reported[variable] = payload
        _say(engine, talk, payload)
        return True

    def send(self, engine: Engine, variable: str, value: Sendable) -> bool:
        """Queue a variable and its value, whether or not it was asked for or has changed.

        Returns:
            True if it was queued, False if the client does not use MSDP.

        Raises:
            ValueError: As `encode_msdp`.
        """
        talk = self._talk
        if talk is None or not _is_heard(engine, talk):
            return False
        payload = encode_msdp(variable, value)
        if variable in talk.reported:
            talk.reported[variable] = payload
        _say(engine, talk, payload)
        return True

    @property
    def reported(self) -> tuple[str, ...]:
        """The variables that the client asked to have reported."""
        return () if self._talk is None else tuple(self._talk.reported)

    @property
    def has_reportable(self) -> bool:
        """True if there is any variable that a client could ask for."""
        return bool(self._reportable or (self._talk is not None and self._talk.values))

    # Called by the engine and by the GMCP option.

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        self._talk = _Talk() if enabled else None

    def on_deadline(self, engine: Engine) -> None:
        self._answers = 0

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        self._hear(engine, payload, is_inside_gmcp=False)

    def hear_json(self, engine: Engine, variables: dict[str, Json]) -> None:
        """Process variables received inside GMCP; answers are sent the same way."""
        try:
            payload = b"".join(encode_msdp(name, value) for name, value in variables.items())
        except ValueError:
            engine.emit(malformed("inside GMCP what MSDP could not say"))
        else:
            self._hear(engine, payload, is_inside_gmcp=True)

    # Internal.

    def _hear(self, engine: Engine, payload: bytes, *, is_inside_gmcp: bool) -> None:
        messages = decode_msdp(payload)
        if isinstance(messages, Anomaly):
            engine.emit(messages)
            return
        talk = self._talk
        if talk is None:
            talk = self._talk = _Talk()
        talk.is_inside_gmcp = is_inside_gmcp
        for message in messages:
            names = _names(message.value)
            match message.variable.upper():
                case "LIST":
                    self._answer_list(engine, talk, names)
                case "REPORT":
                    self._answer_report(engine, talk, names)
                case "SEND":
                    self._answer_send(engine, talk, names)
                case "UNREPORT":
                    for name in names:
                        talk.reported.pop(name, None)
                case "RESET":
                    _reset(engine, talk, names)
                case _:
                    engine.emit(message)

    def _answer_list(self, engine: Engine, talk: _Talk, names: list[str]) -> None:
        reportable = self._reportable or tuple(talk.values)
        members: tuple[str, ...]
        for name in names:
            match name.upper():
                case "COMMANDS":
                    members = COMMANDS
                case "CONFIGURABLE_VARIABLES":
                    members = self._configurable
                case "LISTS":
                    members = LISTS
                case "REPORTABLE_VARIABLES" | "SENDABLE_VARIABLES":
                    members = reportable
                case "REPORTED_VARIABLES":
                    members = self.reported
                case _:
                    continue
            if not self._may_answer:
                return  # the remaining answers would be refused
            self._answer(engine, talk, encode_msdp(name.upper(), members))

    def _answer_report(self, engine: Engine, talk: _Talk, names: list[str]) -> None:
        valueless = []
        for name in filter(self._is_reportable, names):
            if not self._reportable and name not in talk.reported and len(talk.reported) >= MAX_REPORTED:
                continue
            payload = talk.values.get(name)
            if payload is None:
                talk.reported[name] = b""
                valueless.append(name)
            else:
                talk.reported[name] = payload if self._answer(engine, talk, payload) else b""
        _ask_game(engine, "REPORT", valueless)

    def _answer_send(self, engine: Engine, talk: _Talk, names: list[str]) -> None:
        valueless = []
        for name in filter(self._is_reportable, names):
            payload = talk.values.get(name)
            if payload is None:
                valueless.append(name)
            else:
                self._answer(engine, talk, payload)
        _ask_game(engine, "SEND", valueless)

    @property
    def _may_answer(self) -> bool:
        """True if the answers of this period are not used up."""
        return self._answers < MAX_ANSWERS

    def _answer(self, engine: Engine, talk: _Talk, payload: bytes) -> bool:
        """Queue an answer, unless the answers of this period are used up; return True if it was queued."""
        if not self._may_answer:
            return False
        if not self._answers:
            engine.set_deadline(MSDP, ANSWER_PERIOD)
        self._answers += 1
        _say(engine, talk, payload)
        return True

    def _is_reportable(self, name: str) -> bool:
        return name in self._reportable if self._reportable else is_name(name)


class _Talk:
    """The requests of one client, and the values sent to it."""

    __slots__ = ("is_inside_gmcp", "reported", "values")

    def __init__(self) -> None:
        self.is_inside_gmcp = False  # as in its last message
        self.values: dict[str, bytes] = {}  # the payload of each variable with a value
        self.reported: dict[str, bytes] = {}  # the payload last sent of each requested variable; empty: none yet


def _is_heard(engine: Engine, talk: _Talk) -> bool:
    return engine.is_ours(GMCP if talk.is_inside_gmcp else MSDP)


def _say(engine: Engine, talk: _Talk, payload: bytes) -> None:
    if not talk.is_inside_gmcp:
        engine.send_subnegotiation(MSDP, payload)
        return
    variables = decode_msdp(payload)
    assert not isinstance(variables, Anomaly)  # made here, within the same limits
    engine.send_encoded(encode_gmcp("MSDP", {each.variable: each.value for each in variables}))


def _reset(engine: Engine, talk: _Talk, names: list[str]) -> None:
    others = [name for name in names if name.upper() not in ("REPORTABLE_VARIABLES", "REPORTED_VARIABLES")]
    if len(others) < len(names):
        talk.reported.clear()
    _ask_game(engine, "RESET", others)


def _names(value: MsdpValue) -> list[str]:
    """Return the names in a command's value, without duplicates."""
    members = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(member for member in members if isinstance(member, str)))


def _ask_game(engine: Engine, command: str, names: list[str]) -> None:
    if names:
        engine.emit(MsdpReceived(command, names[0] if len(names) == 1 else [*names]))
