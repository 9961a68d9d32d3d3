"""MSDP: variables of the game that a client has reported to it whenever they change.

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

MAX_REPORTED: Final = 128  # variables of one client, where the game has not said which there are
MAX_ANSWERS: Final = 256  # given in one period: a client may ask for all variables at once, and for the lists
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
    """Keeps what a client wants reported, and reports it when `report` brings another value than the last.

    It answers LIST, REPORT, UNREPORT, SEND and RESET by itself.  What it has no answer to comes as `MsdpReceived`:
    the client's own variables, and REPORT or SEND of variables that have no value yet, so that the game can give one.

    Args:
        reportable: The variables that the game offers.  Without any, a client may ask for whatever it likes, and is
            offered those that `report` has named since.
        configurable: The variables that a client may set, for its LIST; what it sets comes as `MsdpReceived`.

    Raises:
        ValueError: A name is empty, too long or holds what MSDP keeps for itself.
    """

    __slots__ = ("_answers", "_configurable", "_reportable", "_talk")

    code = MSDP
    ours = Policy.OFFER
    subnegotiation_limit = 64 * 1024  # bytes; the most that libtelnet's 16 KiB and Mudlet's 5 MiB leave sensible

    def __init__(self, reportable: Iterable[str] = (), *, configurable: Iterable[str] = ()) -> None:
        self._reportable = tuple(dict.fromkeys(map(check_name, reportable)))
        self._configurable = tuple(dict.fromkeys(map(check_name, configurable)))
        self._talk: _Talk | None = None
        self._answers = 0  # given in this period

    # What the connection calls.

    def report(self, engine: Engine, variable: str, value: Sendable) -> bool:
        """Give a variable its value; the client hears of it if it asked to and the value is another.

        Until a client speaks MSDP nothing is kept, so give values again when it asks (`MsdpReceived`).

        Args:
            engine: The one this option belongs to.
            variable: One of the reportable ones, such as `HEALTH`.
            value: Text, a number, or lists and dicts of such.

        Returns:
            Whether a message was queued.

        Raises:
            ValueError: The variable is none of the reportable ones; otherwise as `encode_msdp`.
        """
        if self._reportable and variable not in self._reportable:
            raise ValueError(f"{variable!r} is not among the reportable variables of this Msdp; name it there as well")
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
        """Queue a variable and its value, asked for or not, changed or not.

        Returns:
            Whether it was queued: False if the client speaks no MSDP.

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
        """Whether there is anything that a client could ask for."""
        return bool(self._reportable or (self._talk is not None and self._talk.values))

    # What the engine and the other option call.

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        self._talk = _Talk() if enabled else None

    def on_deadline(self, engine: Engine) -> None:
        self._answers = 0

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        self._hear(engine, payload, is_inside_gmcp=False)

    def hear_json(self, engine: Engine, variables: dict[str, Json]) -> None:
        """The peer sent these inside GMCP, and wants its answers there."""
        try:
            payload = b"".join(encode_msdp(name, value) for name, value in variables.items())
        except ValueError:
            engine.emit(malformed("inside GMCP what MSDP could not say"))
        else:
            self._hear(engine, payload, is_inside_gmcp=True)

    # Our own.

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
                return  # and spare the work
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
        """Whether the peer has not asked for too much in this period."""
        return self._answers < MAX_ANSWERS

    def _answer(self, engine: Engine, talk: _Talk, payload: bytes) -> bool:
        """Say it, unless the peer asks for too much; return whether it was said."""
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
    """What one client has asked for, and what it has been told."""

    __slots__ = ("is_inside_gmcp", "reported", "values")

    def __init__(self) -> None:
        self.is_inside_gmcp = False  # as it last spoke
        self.values: dict[str, bytes] = {}  # the payload of each variable that has a value
        self.reported: dict[str, bytes] = {}  # the payload last sent for each variable asked for; empty: none yet


def _is_heard(engine: Engine, talk: _Talk) -> bool:
    return engine.is_ours(GMCP if talk.is_inside_gmcp else MSDP)


def _say(engine: Engine, talk: _Talk, payload: bytes) -> None:
    if not talk.is_inside_gmcp:
        engine.send_subnegotiation(MSDP, payload)
        return
    variables = decode_msdp(payload)
    assert not isinstance(variables, Anomaly)  # we made it, within the same bounds
    engine.send_encoded(encode_gmcp("MSDP", {each.variable: each.value for each in variables}))


def _reset(engine: Engine, talk: _Talk, names: list[str]) -> None:
    others = [name for name in names if name.upper() not in ("REPORTABLE_VARIABLES", "REPORTED_VARIABLES")]
    if len(others) < len(names):
        talk.reported.clear()
    _ask_game(engine, "RESET", others)


def _names(value: MsdpValue) -> list[str]:
    """The names that a command is about, each once."""
    members = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(member for member in members if isinstance(member, str)))


def _ask_game(engine: Engine, command: str, names: list[str]) -> None:
    if names:
        engine.emit(MsdpReceived(command, names[0] if len(names) == 1 else [*names]))
