"""The telnet programs of the players in these tests, in addition to the kit's; seen from their side of the line."""

from __future__ import annotations

from trio_mud.telnet import Engine, MsdpReceived, MsdpValue, Option, Policy
from trio_mud.telnet.codes import MSDP, MSP, MSSP, MXP, NEW_ENVIRON
from trio_mud.telnet.msdp_messages import decode_msdp, encode_msdp


class TakesMxp(Option):
    """Reads tags."""

    code = MXP
    theirs = Policy.ACCEPT


class TakesMsp(Option):
    """Plays sounds."""

    code = MSP
    theirs = Policy.ACCEPT


class TellsVariables(Option):
    """Answers NEW-ENVIRON with variables, asked for or not."""

    code = NEW_ENVIRON
    ours = Policy.ACCEPT

    def __init__(self, **variables: str) -> None:
        self._variables = variables

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        told = b"".join(b"\x03" + name.encode() + b"\x01" + value.encode() for name, value in self._variables.items())
        engine.send_subnegotiation(NEW_ENVIRON, b"\x00" + told)


class ReportsMsdp(Option):
    """Asks for MSDP variables as soon as they are offered, and stores the values."""

    code = MSDP
    theirs = Policy.ACCEPT

    def __init__(self, *variables: str) -> None:
        self._variables = variables
        self.told: list[tuple[str, MsdpValue]] = []

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        engine.send_subnegotiation(MSDP, encode_msdp("REPORT", list(self._variables)))

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        messages = decode_msdp(payload)
        assert isinstance(messages, list)
        self.told += [(message.variable, message.value) for message in messages if isinstance(message, MsdpReceived)]


class Crawls(Option):
    """Asks for the variables of MUD listings."""

    code = MSSP
    theirs = Policy.ACCEPT

    def __init__(self) -> None:
        self.table: dict[str, str] = {}

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        for row in payload.decode().split("\1")[1:]:
            name, _, value = row.partition("\2")
            self.table[name] = value
