"""Each program answers two hidden questions, plays, is resized, quits, and in another run is killed."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from trio_mud import Cause, Reason
from trio_mud.telnet import DEFAULT_OPTIONS
from trio_mud.telnet.codes import ECHO, IAC, MCCP2, MCCP3, SB, SE
from trio_mud.transports.tls import Certificate

from .conftest import OpenServer, open_house
from .game import FAREWELL, PAGE, QUESTIONS, WELCOME, Visit
from .recording import save
from .terminal import SEARCHED, RunningProgram, run, until

SECRETS: Final = ("sesame-1", "sesame-2")
COMPRESSION: Final = frozenset((MCCP2, MCCP3))
TRUECOLOUR: Final = 1 << 24
XTERM: Final = {"terminal": "XTERM-256COLOR", "terminals": ("XTERM-256COLOR",), "colours": 256}
TINTIN: Final = {
    "program": "TinTin++",
    "terminal": "XTERM-256COLOR",
    "terminals": ("TINTIN++", "XTERM-256COLOR", "MTTS 271"),
    "colours": TRUECOLOUR,
    "charset": "utf-8",
}
TELLS: Final = {"program": "telnetlib3", "terminals": ("XTERM-256COLOR",), "colours": 256, "charset": "utf-8"}


@dataclass(frozen=True)
class Program:
    """A client program, and how it connects to the server.

    Attributes:
        command: The command line; {port} stands for the server's port.
        install: How to install it.
        secure: True if it uses TLS.
        compresses: The kinds of compression that it is offered, and accepts.
        hides: The number of answers that it hides, of two hidden questions.
        resized: The size that it sends after a resize to 100 x 30, None if none.
        is_shy: True if it shows no prompt without its mark, so that the game must wait for its answers.
        stays: True if it continues after the server has ended the connection.
        words: A text that is typed and echoed.
        facts: The expected content of `connection.client`.
    """

    command: str
    install: str
    secure: bool = False
    compresses: frozenset[int] = frozenset()
    hides: int = 2
    resized: tuple[int, int] | None = (100, 30)
    is_shy: bool = False
    stays: bool = False
    words: str = "naïve"
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def executable(self) -> str:
        return self.command.split(" ", 1)[0]


def needs(program: Program) -> pytest.MarkDecorator:
    """Skip a test if a program is missing, with the way to install it."""
    missing = next((name for name in ("setsid", program.executable) if shutil.which(name, path=SEARCHED) is None), None)
    how = program.install if missing == program.executable else "it is part of util-linux"
    return pytest.mark.skipif(missing is not None, reason=f"{missing} is not here: {how}")


def tintin(*compression: int, secure: bool = False) -> Program:
    return Program(
        f"tt++ -G -e #{'ssl' if secure else 'session'}\u00a0mud\u00a0127.0.0.1\u00a0{{port}}",
        "apt-get install tintin++",
        secure=secure,
        compresses=frozenset(compression),
        stays=True,
        facts=TINTIN,
    )


INETUTILS: Final = "apt-get install inetutils-telnet"
NETKIT: Final = "apt-get install telnet-ssl"
PUTTY: Final = "apt-get install putty-tools"
TELNETLIB3: Final = "pip install telnetlib3"
TF: Final = "apt-get install tf5"

PROGRAMS: Final = {
    "tintin": tintin(),
    "tintin-mccp2": tintin(MCCP2),
    "tintin-mccp3": tintin(MCCP3),
    "tintin-mccp2-mccp3": tintin(MCCP2, MCCP3),
    "tintin-tls": tintin(secure=True),
    "inetutils": Program("inetutils-telnet 127.0.0.1 {port}", INETUTILS, facts=XTERM),
    # A minus in front of the port makes it negotiate first, as it does on port 23.
    "inetutils-first": Program("inetutils-telnet -- 127.0.0.1 -{port}", INETUTILS, facts=XTERM),
    "netkit": Program("telnet-ssl 127.0.0.1 {port}", NETKIT, facts=XTERM),
    "netkit-tls": Program("telnet-ssl -z ssl 127.0.0.1 {port}", NETKIT, secure=True, facts=XTERM),
    "putty": Program(
        "plink -telnet -P {port} 127.0.0.1", PUTTY, facts={"terminals": ("XTERM",), "colours": 16, "program": ""}
    ),
    "putty-raw": Program("plink -raw -P {port} 127.0.0.1", PUTTY, hides=0, resized=None, stays=True),
    "busybox": Program(
        "busybox telnet 127.0.0.1 {port}", "apt-get install busybox", hides=1, resized=None, facts=XTERM
    ),
    "tf": Program(
        "tf -v 127.0.0.1 {port}",
        TF,
        is_shy=True,
        stays=True,
        resized=(99, 30),
        words="naive",
        facts={"program": "TINYFUGUE", "colours": 16},
    ),
    "tf-mccp2": Program(
        "tf -v 127.0.0.1 {port}",
        TF,
        is_shy=True,
        stays=True,
        resized=(99, 30),
        words="naive",
        compresses=frozenset((MCCP2,)),
    ),
    "telnetlib3": Program("telnetlib3-client 127.0.0.1 {port}", TELNETLIB3, facts=TELLS),
    "telnetlib3-mccp2": Program(
        "telnetlib3-client 127.0.0.1 {port}",
        TELNETLIB3,
        compresses=frozenset((MCCP2,)),
        facts=TELLS,
    ),
    # Without -T it waits for a line to be typed before it shows anything.
    "curl": Program(
        "curl --silent --no-buffer -T . telnet://127.0.0.1:{port}",
        "apt-get install curl",
        hides=0,
        resized=None,
        facts={"size": (80, 24)},
    ),
    "openssl": Program(
        "openssl s_client -quiet -crlf -connect 127.0.0.1:{port}",
        "apt-get install openssl",
        secure=True,
        hides=0,
        resized=None,
    ),
    "gnutls": Program(
        "gnutls-cli --insecure --crlf -p {port} 127.0.0.1",
        "apt-get install gnutls-bin",
        secure=True,
        hides=0,
        resized=None,
    ),
}

every_program = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(program)) for name, program in PROGRAMS.items()]
)


@asynccontextmanager
async def calling(
    program: Program, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[OpenServer, RunningProgram, Visit]]:
    """Open the server, start the program, and wait until it is admitted."""
    certificate = Certificate(request.getfixturevalue("certificate_file")) if program.secure else None
    home: Path = request.getfixturevalue("tmp_path")
    offered = program.compresses if certificate is None else COMPRESSION  # over TLS nothing is offered, whatever we say
    options = [option for option in DEFAULT_OPTIONS if option.code not in COMPRESSION or option.code in offered]
    async with open_house(options, certificate, is_patient=program.is_shy) as house:
        command = [word.replace("\u00a0", " ") for word in program.command.format(port=house.port).split(" ")]
        async with run(command, home) as terminal:
            yield house, terminal, await house.visit()


async def answers_hidden_questions(program: Program, house: OpenServer, terminal: RunningProgram) -> None:
    for number, (question, secret) in enumerate(zip(QUESTIONS, SECRETS, strict=True)):
        await terminal.sees(question)
        if number < program.hides:
            await until(lambda: house.engine.is_ours(ECHO) and not terminal.echoes, lambda: "the input to be hidden")
        await terminal.types(secret)
    await terminal.sees(WELCOME)


@every_program
async def test_a_program_plays_and_quits(name: str, request: pytest.FixtureRequest) -> None:
    program = PROGRAMS[name]
    async with calling(program, request) as (house, terminal, visit):
        await answers_hidden_questions(program, house, terminal)
        assert visit.secrets == [*SECRETS]
        shown = [secret for secret in SECRETS if secret in terminal.screen]
        assert shown == [*SECRETS[program.hides :]]
        await terminal.types(f"echo {program.words}")
        await terminal.sees(f"Echo: {program.words}")
        await terminal.types("page")
        await terminal.sees(f"Line {PAGE - 1} of a long page")
        if program.resized is not None:
            first = visit.sizes[0]
            terminal.resize(100, 30)
            await until(lambda: visit.sizes[-1] != first, lambda: f"another size than {first}")
            assert tuple(visit.connection.client.size) == visit.sizes[-1] == program.resized
        assert {fact: getattr(visit.connection.client, fact) for fact in program.facts} == program.facts
        assert visit.connection.client.is_secure is program.secure
        check_compression(house, program)
        await terminal.types("quit")
        await terminal.sees(FAREWELL)
        if not program.stays:
            await terminal.has_ended()
        await until(lambda: bool(visit.endings), lambda: "the disconnect event")
        (ending,) = visit.endings
        assert (ending.reason, ending.cause) == (Reason.QUIT, Cause.ASKED)
        assert visit.lines == [f"echo {program.words}", "page", "quit"]
        assert visit.link._incoming.anomalies == 0
        if (folder := request.config.getoption("--record")) is not None:
            save(house.engine, Path(folder) / f"{name}.txt", name)


@every_program
async def test_a_program_that_is_killed_is_one_link_death(name: str, request: pytest.FixtureRequest) -> None:
    program = PROGRAMS[name]
    async with calling(program, request) as (house, terminal, visit):
        await answers_hidden_questions(program, house, terminal)
        terminal.kill()
        await until(lambda: bool(visit.endings), lambda: "the disconnect event")
        await until(lambda: not house.server.connections, lambda: "an empty list")
        (ending,) = visit.endings
        assert ending.reason is Reason.LINKDEATH
        assert ending.cause in (Cause.EOF, Cause.RESET)
        assert house.server.counters["admitted"] == 1


def check_compression(house: OpenServer, program: Program) -> None:
    """Check that the agreed compression was used, and no other."""
    said, heard = house.engine.wire("says"), house.engine.wire("hears")
    on = {code for code in COMPRESSION if house.engine.is_ours(code)}
    assert on == program.compresses
    for code, wire, text in ((MCCP2, said, b"Echo: na"), (MCCP3, heard, b"echo na")):
        if code in on:
            plain, _, stream = wire.partition(bytes((IAC, SB, code, IAC, SE)))
            assert text not in plain + stream
            wire = zlib.decompressobj().decompress(stream)
        assert text in wire


# One of a kind


@needs(PROGRAMS["inetutils"])
async def test_telnet_sends_its_commands(request: pytest.FixtureRequest) -> None:
    program = PROGRAMS["inetutils"]
    async with calling(program, request) as (house, terminal, visit):
        await answers_hidden_questions(program, house, terminal)
        for command in ("nop", "ao", "ayt", "ec", "el", "eor", "ga", "ip", "brk", "susp", "abort", "synch"):
            await terminal.types(f"\x1dsend {command}")
        await terminal.sees("[Yes]")
        await terminal.types("echo still here")
        await terminal.sees("Echo: still here")
        assert visit.interrupts == ["interrupt process", "break", "suspend", "abort"]
        assert visit.link._incoming.anomalies == 0


@needs(PROGRAMS["busybox"])
async def test_busybox_says_that_it_will_not_hide_the_second_answer(request: pytest.FixtureRequest) -> None:
    program = PROGRAMS["busybox"]
    async with calling(program, request) as (house, terminal, visit):
        await answers_hidden_questions(program, house, terminal)
        await until(lambda: visit.hiding_refused == 1, lambda: "EchoRefused")


@needs(PROGRAMS["telnetlib3"])
async def test_telnetlib3_compresses_as_it_said_or_is_told_that_it_did_not(request: pytest.FixtureRequest) -> None:
    # What it answers to the rest of the packet in which it agreed goes out plain, behind the beginning of its stream.
    program = Program("telnetlib3-client 127.0.0.1 {port}", TELNETLIB3, compresses=COMPRESSION)
    async with calling(program, request) as (house, terminal, visit):
        counters = house.server.counters
        await until(lambda: counters["compression failed"] == 1 or house.engine.is_ours(ECHO), lambda: "its answer")
        if counters["compression failed"]:
            await terminal.sees(house.server.texts.protocol_abuse)
            await terminal.has_ended()
            expected = (Reason.QUIT, Cause.PROTOCOL)
        else:
            await answers_hidden_questions(program, house, terminal)
            terminal.kill()
            expected = (Reason.LINKDEATH, Cause.EOF)
        await until(lambda: bool(visit.endings), lambda: "the disconnect event")
        (ending,) = visit.endings
        assert (ending.reason, ending.cause) == expected


@needs(PROGRAMS["telnetlib3"])
async def test_telnetlib3_tells_its_packages(request: pytest.FixtureRequest) -> None:
    async with calling(PROGRAMS["telnetlib3"], request) as (_, _, visit):
        await until(lambda: "char.vitals" in visit.connection.client.packages, lambda: "Core.Supports.Set")
        assert visit.connection.client.version.startswith("5.")


@needs(PROGRAMS["inetutils"])
async def test_a_plain_client_at_the_port_of_tls_never_was_there(certificate_file: Path, tmp_path: Path) -> None:
    async with open_house(DEFAULT_OPTIONS, Certificate(certificate_file)) as house:
        async with run(["inetutils-telnet", "127.0.0.1", str(house.port)], tmp_path) as terminal:
            await terminal.sees("Connected to")
            await terminal.types("hello")
            await terminal.has_ended()
        assert house.server.counters["handshakes failed"] == 1
        assert not house.visits
