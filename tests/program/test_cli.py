"""The command line, as a shell sees it: what it prints, what it opens, and with which status it ends."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.program.conftest import WriteGame
from trio_mud import MasterServer, __version__
from trio_mud.compiled import is_compiled
from trio_mud.driver.server.places import Place
from trio_mud.program import announcements, cli, logs
from trio_mud.program.admin_command import ask
from trio_mud.testing import read_recording

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 40  # seconds for a process to do what it should; a busy machine needs a few

TAVERN = """
from trio_mud import Admitted, Hooks, Input

hooks = Hooks()


@hooks.on(Admitted)
def greet(event):
    event.connection.write("The fire crackles.")


@hooks.on(Input)
def talk(event):
    event.connection.quit("The door swings shut.")
"""
SLOW_TO_LEAVE = """
import trio
from trio_mud import Disconnect, Hooks

hooks = Hooks()


@hooks.on(Disconnect)
async def linger(event):
    await trio.sleep_forever()
"""


@pytest.fixture
def tavern(write_game: WriteGame) -> Path:
    """A current directory with `tavern:hooks`."""
    return write_game("tavern", TAVERN)


AUTHORITY = trustme.CA()


def issue(folder: Path, *, file: str = "tavern.pem") -> Path:
    """Write a new certificate and its key into one file, and return its path."""
    AUTHORITY.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / file)
    return folder / file


# In this process: what is said, and what would be done


@pytest.fixture
def say(tavern: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Run the command line here; only for arguments that open nothing."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield Say(capsys)
    sys.modules.pop("tavern", None)


class Say:
    """Runs the command line and returns its output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """Return the exit status, and what was printed and complained of."""
        self.capsys.readouterr()
        status = cli.main(arguments)
        out, err = self.capsys.readouterr()
        return status, out + err


def test_a_right_configuration_says_what_it_would_do(say: Say) -> None:
    assert say("run", "tavern:hooks", "--check-config") == (
        0,
        "the configuration is valid: would open tavern:hooks at localhost port 4000\n",
    )


def test_without_arguments_the_bundled_world_would_open(say: Say) -> None:
    status, said = say("--check-config")

    assert (0, True) == (status, "would open trio_mud.mudlib:world at localhost port 4000" in said)


def test_the_command_line_is_stronger_than_the_environment_than_the_file(
    say: Say, tavern: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tavern / "tavern.toml").write_text('game = "tavern:hooks"\nhost = "127.0.0.1"\nport = 1', encoding="utf-8")
    monkeypatch.setenv("TRIO_MUD_CONFIG", "tavern.toml")

    assert "tavern:hooks at 127.0.0.1 port 1\n" in say("--check-config")[1]
    monkeypatch.setenv("TRIO_MUD_HOST", "127.0.0.2")
    monkeypatch.setenv("TRIO_MUD_PORT", "2")
    assert "tavern:hooks at 127.0.0.2 port 2\n" in say("--check-config")[1]
    assert "tavern:hooks at 127.0.0.2 port 3\n" in say("run", "--port", "3", "--check-config")[1]


def test_the_check_tells_which_limits_and_texts_are_not_the_defaults(say: Say, tavern: Path) -> None:
    (tavern / "tavern.toml").write_text(
        '[limits]\nfirst_input_timeout = "none"\nmax_line = 4096\n[texts]\nshutdown = "Bye."', encoding="utf-8"
    )

    _, said = say("run", "tavern:hooks", "--config", "tavern.toml", "--check-config")

    assert said.rstrip().endswith("port 4000, with limits first_input_timeout = None; texts shutdown = 'Bye.'")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prot", "5"], "Unknown option: --prot. Did you mean --port?"),
        (["--port", "x"], "--port"),
        (["--port", "70000"], "--port"),
        (["tavern:hooks", "cellar"], "cellar"),
        (["run", "tavrn:hooks"], "there is no module 'tavrn'"),
        (["run", "tavern:hoks"], "tavern has no 'hoks'; did you mean 'hooks'?"),
        (["run", "tavern:TAVERN"], "tavern has no 'TAVERN'"),
        (["--config", "nowhere.toml"], "nowhere.toml cannot be read: No such file or directory"),
        (["rnu"], "no command 'rnu', and a game is named MODULE:NAME, such as tavern:hooks; did you mean 'run'?"),
        (["RUN", "tavern:hooks"], "there is no command 'RUN'"),
        (["admn", "reload"], "did you mean 'admin'?"),
        (["back-up", "--plain"], "did you mean 'backup'?"),
        (["hand_over", "tavern:hooks"], "did you mean 'handover'?"),
        (["check_config"], "did you mean 'config'?"),
        (
            ["help"],
            "there is no command 'help', and a game is named MODULE:NAME, such as tavern:hooks; did you mean '--help",
        ),
        (["rnu", "--help"], "did you mean 'run'?"),
        (["tavern"], "no command 'tavern', and a game is named MODULE:NAME, such as tavern:hooks"),
        (["tavern.hooks"], "game 'tavern.hooks': write MODULE:NAME, such as tavern:hooks"),
        (["bench", "localhost", "4000", "--plyers", "3"], "Unknown option: --plyers. Did you mean --players?"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(say: Say, arguments: Sequence[str], said: str) -> None:
    status, text = say(*arguments)

    assert status == 2
    [line] = text.splitlines()
    assert line.startswith("trio-mud: ")
    assert said in line


def test_a_wrong_file_is_one_line_and_status_2(say: Say, tavern: Path) -> None:
    (tavern / "tavern.toml").write_text("prot = 5", encoding="utf-8")

    assert say("--config", "tavern.toml") == (
        2,
        "trio-mud: tavern.toml:1: there is no 'prot'; did you mean 'port'?\n",
    )


def test_the_check_tells_of_tls_and_proxies_from_file_environment_and_command_line(
    say: Say, tavern: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue(tavern)
    (tavern / "tavern.toml").write_text('tls_port = 1\nproxy_from = ["192.0.2.1"]', encoding="utf-8")
    monkeypatch.setenv("TRIO_MUD_CONFIG", "tavern.toml")
    monkeypatch.setenv("TRIO_MUD_TLS_CERTIFICATE", "tavern.pem")

    assert say("run", "tavern:hooks", "--check-config")[1].endswith(
        " port 4000 and with TLS at port 1, certificate tavern.pem, behind proxies in 192.0.2.1\n"
    )
    monkeypatch.setenv("TRIO_MUD_TLS_PORT", "2")
    monkeypatch.setenv("TRIO_MUD_PROXY_FROM", "10.0.0.0/8 fd00::/8")
    assert "TLS at port 2, certificate tavern.pem, behind proxies in 10.0.0.0/8, fd00::/8\n" in say("--check-config")[1]
    status, said = say("--check-config", "--tls-port", "3", "--proxy-from", "::1", "--proxy-from", "127.0.0.1")
    assert (0, True) == (status, "TLS at port 3, certificate tavern.pem, behind proxies in ::1, 127.0.0.1\n" in said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tls-port", "4443"], "tls_port needs a certificate: set tls_certificate to its PEM file"),
        (["--tls-certificate", "tavern.pem"], "a certificate or key for TLS is set, but no port"),
        (["--tls-key", "tavern.pem"], "a certificate or key for TLS is set, but no port"),
        (["--tls-port", "70000"], "--tls-port"),
        (["--tls-port", "1", "--tls-certificate", "nowhere.pem"], "nowhere.pem cannot be read: No such file"),
        (["--tls-port", "1", "--tls-certificate", "tavern.py"], "tavern.py holds no certificate"),
        (["--tls-port", "1", "--tls-certificate", "/dev/zero"], "/dev/zero is not a regular file: name the PEM file"),
        (["--tls-port", "1", "--tls-certificate", "tavern.pem", "--tls-key", "pipe"], "pipe is not a regular file"),
        (["--tls-port", "1", "--tls-certificate", "disk.pem"], "disk.pem holds 1048577 bytes, too many"),
        (["--tls-port", "1", "--tls-certificate", "tavern.pem", "--tls-key", "other.pem"], "other.pem is not the key"),
        (["--port", "5", "--tls-port", "5", "--tls-certificate", "tavern.pem"], "port and tls_port are both 5"),
        (["--web-port", "4000"], "port and web_port are both 4000: give each a port of its own"),
        (["--web-tls-port", "4443"], "web_tls_port needs a certificate: set tls_certificate to its PEM file"),
        (["--web-port", "70000"], "--web-port"),
        (["--web-origins", "mud.example"], "web_origins = 'mud.example': write an origin such as https://mud.example"),
        (["--forwarded-from", "lan"], "forwarded_from = 'lan': write networks such as 10.0.0.0/8"),
        (["--proxy-from", "lan"], "proxy_from = 'lan': write networks such as 10.0.0.0/8"),
        (["--proxy-from", "10.1.2.3/8"], "proxy_from = '10.1.2.3/8': write 10.0.0.0/8, or the address alone"),
    ],
)
def test_wrong_tls_or_proxies_are_one_line_and_status_2(
    say: Say, tavern: Path, arguments: Sequence[str], said: str
) -> None:
    issue(tavern)
    issue(tavern, file="other.pem")
    os.mkfifo(tavern / "pipe")
    (tavern / "disk.pem").write_bytes(bytes(1024 * 1024 + 1))
    for check in ([], ["--check-config"]):
        status, text = say("run", "tavern:hooks", *arguments, *check)

        assert status == 2
        [line] = text.splitlines()
        assert line.startswith("trio-mud: ")
        assert said in line


def test_a_wrong_file_or_game_names_the_setting_that_names_it(say: Say, tavern: Path) -> None:
    issue(tavern)
    issue(tavern, file="other.pem")

    def complaint(text: str, *arguments: str) -> str:
        (tavern / "mud.toml").write_text(text, encoding="utf-8")
        status, said = say("run", "--config", "mud.toml", *arguments)
        assert status == 2
        return said.removeprefix("trio-mud: ")

    tls = 'game = "tavern:hooks"\ntls_port = 0\ntls_certificate = "tavern.pem"\n'
    assert complaint('\ngame = "tavern"').startswith("mud.toml:2: game 'tavern': write MODULE:NAME")
    assert complaint('\ngame = "tavrn:hooks"').startswith("mud.toml:2: there is no module 'tavrn'")
    assert complaint(tls + 'tls_key = "other.pem"').startswith("mud.toml:4: other.pem is not the key of the")
    assert complaint(tls, "--tls-key", "x.pem").startswith("--tls-key: x.pem cannot be read")
    assert complaint(tls, "--tls-certificate", "x.pem").startswith("--tls-certificate: x.pem cannot be read")
    assert complaint("tls_port = 1").startswith("mud.toml:1: tls_port needs a certificate: set tls_certificate")
    assert complaint('tls_key = "x.pem"').startswith("mud.toml:1: a certificate or key for TLS is set, but no port")
    logged = complaint('game = "tavern:hooks"\n[log]\nfile = "none/mud.log"')
    assert logged.startswith("mud.toml:3: cannot log to none/mud.log: No such file or directory; name a file as log.fi")


def test_a_broken_game_shows_its_own_traceback_and_status_2(say: Say, tavern: Path) -> None:
    (tavern / "tavern.py").write_text("import mising", encoding="utf-8")

    status, text = say("run", "tavern:hooks")

    assert status == 2
    first, *_, error, last = text.splitlines()
    assert first == "Traceback (most recent call last):"
    assert error == "ModuleNotFoundError: No module named 'mising'"
    assert last == "trio-mud: the game's own code failed, as shown above"


@pytest.mark.parametrize("command", [name for name in cli.app if not name.startswith("-")])
def test_the_help_of_each_command_states_exit_statuses_once(say: Say, command: str) -> None:
    """`bench` and three others had statuses of their own, and those of a server below."""
    status, text = say(command, "--help")

    assert (0, 1) == (status, " ".join(text.split()).casefold().count("exit status"))


def test_help_names_every_option_and_the_rule_of_variables(say: Say) -> None:
    status, text = say("--help")

    assert status == 0
    for word in [
        "run",
        "--host",
        "--port",
        "--config",
        "--check-config",
        "--version",
        "--tls-port",
        "--proxy-from",
        "--record",
    ]:
        assert word in text
    for variable in ["TRIO_MUD_PORT for port", "TRIO_MUD_LIMITS_MAX_LINE", "TRIO_MUD_CONFIG", "trio-mud config"]:
        assert variable in " ".join(text.split())


def test_the_welcome_names_the_ports_for_websocket() -> None:
    places = [
        Place("127.0.0.1", 4000),
        Place("127.0.0.1", 4080, protocol="websocket"),
        Place("2001:db8::7", 4443, is_secure=True, protocol="websocket"),
    ]

    assert announcements.welcome("tavern:hooks", places).splitlines()[1:4] == [
        "    telnet localhost 4000",
        "    http://localhost:4080/ in a browser, or ws:// there in a client that uses WebSocket",
        "    https://[2001:db8::7]:4443/ in a browser, or wss:// there in a client that uses WebSocket",
    ]


def test_the_check_tells_of_web_ports(say: Say, tavern: Path) -> None:
    issue(tavern)
    ports = ["--web-port", "4080", "--web-tls-port", "4443", "--tls-certificate", "tavern.pem"]
    status, said = say("run", "tavern:hooks", "--check-config", *ports)

    assert status == 0
    assert " and with WebSocket at port 4080 and with WebSocket and TLS at port 4443" in said


def test_a_failure_after_opening_is_a_crash_and_no_question_of_the_port(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(server: MasterServer, places: Sequence[Place]) -> None:
        raise OSError("the disk is on fire")

    monkeypatch.setattr(announcements, "welcome", crash)
    monkeypatch.setattr(logs, "show", lambda *_, **__: None)

    with pytest.raises(OSError, match="on fire"):
        say("run", "tavern:hooks", "--port", "0")


@pytest.fixture
def unlogged(say: Say, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run the command line without changing this process's logging, for commands that fail before they serve."""
    monkeypatch.setattr(logs, "show", lambda *_, **__: None)
    return say


def test_a_port_for_tls_in_use_is_one_line_and_status_75(unlogged: Say, tavern: Path) -> None:
    certificate = issue(tavern)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        tls = ["--tls-port", str(port), "--tls-certificate", str(certificate)]
        status, complaints = unlogged("run", "tavern:hooks", "--host", "127.0.0.1", "--port", "0", *tls)

    assert status == 75
    assert complaints == (
        f"trio-mud: cannot bind 127.0.0.1 port {port}: Address already in use; choose another with --tls-port\n"
    )


def test_an_address_of_another_machine_is_one_line_and_status_75(unlogged: Say) -> None:
    status, complaints = unlogged("run", "tavern:hooks", "--host", "192.0.2.1", "--port", "0")

    assert status == 75
    [line] = complaints.splitlines()
    assert line.endswith("; choose another with --host")


def test_an_unknown_host_is_one_line_and_status_2(unlogged: Say) -> None:
    assert unlogged("run", "tavern:hooks", "--host", "no-such-host.invalid", "--port", "0") == (
        2,
        "trio-mud: host 'no-such-host.invalid' is unknown; choose another with --host\n",
    )


def test_a_folder_for_recordings_that_cannot_be_made_is_one_line_and_status_2(say: Say, tavern: Path) -> None:
    status, text = say("run", "tavern:hooks", "--port", "0", "--record", str(tavern / "tavern.py"))

    assert status == 2
    assert text.startswith("trio-mud: --record: cannot record into ")
    assert text.count("\n") == 1


# In a process of its own


@contextmanager
def started(*arguments: str, program: Sequence[str] = ("-m", "trio_mud")) -> Iterator[subprocess.Popen[str]]:
    """A running command line; killed if it is still there at the end."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def port_of(process: subprocess.Popen[str]) -> int:
    """Wait for the welcome and return the port it names."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.fullmatch(r" *telnet \S+ (\d+)\n", line):
            return int(found[1])
    _, complaints = process.communicate(timeout=PATIENCE)
    raise AssertionError(f"it ended without a welcome: {complaints}")


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end and return the status and the standard error."""
    _, complaints = process.communicate(timeout=PATIENCE)
    return process.returncode, complaints


def test_a_player_comes_reads_types_and_leaves(tavern: Path) -> None:
    with started("run", "tavern:hooks", "--host", "127.0.0.1", "--port", "0") as process:
        with socket.create_connection(("127.0.0.1", port_of(process)), timeout=PATIENCE) as player:
            player.sendall(b"quit\r\n")
            heard = b"".join(iter(lambda: player.recv(4096), b""))

        process.send_signal(signal.SIGTERM)
        status, complaints = ended(process)

    assert b"The fire crackles." in heard
    assert b"The door swings shut." in heard
    assert (0, False) == (status, "Traceback" in complaints)


def web_port_of(process: subprocess.Popen[str], scheme: str) -> int:
    """Wait for the welcome and return the port for WebSocket that it names."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(rf" http{scheme[2:]}://\S+:(\d+)/", line):
            return int(found[1])
    _, complaints = process.communicate(timeout=PATIENCE)
    raise AssertionError(f"it ended without a welcome: {complaints}")


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_player_comes_by_websocket(tavern: Path, scheme: str) -> None:
    arguments = ["--host", "127.0.0.1", "--port", "0"]
    trust = None
    if scheme == "wss":
        trust = ssl.create_default_context()
        AUTHORITY.configure_trust(trust)
        arguments += ["--web-tls-port", "0", "--tls-certificate", str(issue(tavern))]
    else:
        arguments += ["--web-port", "0"]
    with started("run", "tavern:hooks", *arguments) as process:
        url = f"{scheme}://localhost:{web_port_of(process, scheme)}/"
        terminal = Subprotocol("terminal.mudstandards.org")
        with connect(url, subprotocols=[terminal], ssl=trust, proxy=None, open_timeout=PATIENCE) as player:
            player.send("quit")
            heard = b"".join(part for part in player if isinstance(part, bytes))
            assert player.close_code == 1000

        process.send_signal(signal.SIGTERM)
        status, complaints = ended(process)

    assert b"The fire crackles." in heard
    assert b"The door swings shut." in heard
    assert (0, False) == (status, "Traceback" in complaints)


def test_a_web_port_in_use_is_status_75_and_names_its_setting(tavern: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started("run", "tavern:hooks", "--host", "127.0.0.1", "--port", "0", "--web-port", str(port)) as process:
            status, complaints = ended(process)

    assert status == 75
    assert complaints == (
        f"trio-mud: cannot bind 127.0.0.1 port {port}: Address already in use; choose another with --web-port\n"
    )


def test_sessions_are_recorded_if_the_command_line_says_so(tavern: Path) -> None:
    folder = tavern / "sessions"
    with started("run", "tavern:hooks", "--host", "127.0.0.1", "--port", "0", "--record", str(folder)) as process:
        with socket.create_connection(("127.0.0.1", port_of(process)), timeout=PATIENCE) as player:
            player.sendall(b"quit\r\n")
            seen = b"".join(iter(lambda: player.recv(4096), b""))
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0
    (path,) = folder.iterdir()
    recorded = read_recording(path)
    assert recorded.output == seen
    assert b"quit\r\n" in [step.data for step in recorded.steps if step.kind == "in"]


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_says_goodbye_and_ends_with_status_0(tavern: Path, asked: signal.Signals) -> None:
    (tavern / "tavern.toml").write_text('[texts]\nshutdown = "The lamps go out."', encoding="utf-8")
    with started("run", "tavern:hooks", "--host", "127.0.0.1", "--port", "0", "--config", "tavern.toml") as process:
        with socket.create_connection(("127.0.0.1", port_of(process)), timeout=PATIENCE) as player:
            heard = b""
            while b"crackles" not in heard:
                heard += player.recv(4096)
            process.send_signal(asked)
            farewell = b"".join(iter(lambda: player.recv(4096), b""))

        status, complaints = ended(process)

    assert b"The lamps go out." in farewell
    assert (0, False) == (status, "Traceback" in complaints)


def test_a_second_interrupt_does_not_wait_and_ends_with_status_130(tavern: Path) -> None:
    (tavern / "slow.py").write_text(SLOW_TO_LEAVE, encoding="utf-8")
    (tavern / "slow.toml").write_text(
        "[limits]\nhook_timeout = 600\nshutdown_timeout = 600\ncleanup_timeout = 0.2", encoding="utf-8"
    )
    with started("run", "slow:hooks", "--host", "127.0.0.1", "--port", "0", "--config", "slow.toml") as process:
        with socket.create_connection(("127.0.0.1", port_of(process)), timeout=PATIENCE) as player:
            assert player.recv(1)  # accepted, so that the connection does not end with the listener
            process.send_signal(signal.SIGINT)
            assert b"".join(iter(lambda: player.recv(4096), b""))  # the last words: it is shutting down

        process.send_signal(signal.SIGINT)
        status, _ = ended(process)

    assert status == 130


def test_a_port_in_use_is_one_line_and_status_75(tavern: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started("run", "tavern:hooks", "--host", "127.0.0.1", "--port", str(port)) as process:
            status, complaints = ended(process)

    assert status == 75
    assert complaints == (
        f"trio-mud: cannot bind 127.0.0.1 port {port}: Address already in use; choose another with --port\n"
    )


def tls_port_of(process: subprocess.Popen[str]) -> int:
    """Wait for the welcome and return the port for TLS that it names."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r" port (\d+) with TLS", line):
            return int(found[1])
    _, complaints = process.communicate(timeout=PATIENCE)
    raise AssertionError(f"it ended without a welcome: {complaints}")


def call_by_tls(port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    try:
        return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)
    except BaseException:
        plain.close()
        raise


def serial_of(player: ssl.SSLSocket) -> str:
    certificate = player.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


def test_a_hangup_loads_the_certificate_anew_and_ends_nothing(tavern: Path) -> None:
    """O4, O5, O11."""
    certificate = issue(tavern)
    arguments = ["--host", "127.0.0.1", "--port", "0", "--tls-port", "0", "--tls-certificate", str(certificate)]
    with started("run", "tavern:hooks", *arguments) as process:
        port = tls_port_of(process)

        def hang_up(said: str) -> None:
            process.send_signal(signal.SIGHUP)
            assert process.stderr is not None
            assert any(said in line for line in process.stderr)

        with call_by_tls(port) as first:
            certificate.write_text("half a certificate", encoding="ascii")
            hang_up("tavern.pem holds no certificate")
            with call_by_tls(port) as second:
                issue(tavern)
                hang_up("the certificate was reloaded")
                with call_by_tls(port) as third:
                    assert serial_of(first) == serial_of(second) != serial_of(third)
            first.sendall(b"quit\r\n")
            heard = b"".join(iter(lambda: first.recv(4096), b""))

        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 0
    assert b"The door swings shut." in heard


def test_a_hangup_reloads_the_game_or_says_why_not(tavern: Path) -> None:
    """O4, O5."""
    file = tavern / "tavern.py"
    with started("run", "tavern:hooks", "--host", "127.0.0.1", "--port", "0") as process:
        port = port_of(process)

        def hang_up(code: str, said: str) -> None:
            file.write_text(code, encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            assert process.stderr is not None
            assert any(said in line for line in process.stderr)

        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as guest:
            hang_up(TAVERN + "\n1 / 0\n", "ZeroDivisionError: division by zero at ")
            guest.sendall(b"quit\r\n")
            assert b"The door swings shut." in b"".join(iter(lambda: guest.recv(4096), b""))
        hang_up(TAVERN.replace("swings shut", "falls shut"), "the game was reloaded: 1 modules, 0 records")
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as guest:
            guest.sendall(b"quit\r\n")
            assert b"The door falls shut." in b"".join(iter(lambda: guest.recv(4096), b""))
        process.send_signal(signal.SIGTERM)

        assert ended(process)[0] == 0


def test_one_hangup_reloads_certificate_and_game_and_reopens_the_log(tavern: Path) -> None:
    """O4: while a player is there, whose connection goes on."""
    certificate, log = issue(tavern), tavern / "tavern.log"
    (tavern / "mud.toml").write_text(f'[log]\nfile = "{log}"\n', encoding="utf-8")
    arguments = ["--host", "127.0.0.1", "--port", "0", "--tls-port", "0", "--tls-certificate", str(certificate)]
    with started("run", "tavern:hooks", "--config", "mud.toml", *arguments) as process:
        port = tls_port_of(process)
        bytecode = importlib.util.cache_from_source(str(tavern / "tavern.py"))
        with call_by_tls(port) as before:
            log.rename(tavern / "tavern.log.1")
            issue(tavern)
            (tavern / "tavern.py").write_text(TAVERN.replace("swings shut", "falls shut"), encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: log.exists() and "the game was reloaded" in log.read_text(encoding="utf-8"))
            with call_by_tls(port) as after:
                assert serial_of(before) != serial_of(after)
            before.sendall(b"quit\r\n")
            assert b"The door falls shut." in b"".join(iter(lambda: before.recv(4096), b""))
        process.send_signal(signal.SIGTERM)

        assert ended(process)[0] == 0
    assert "the certificate was reloaded" in log.read_text(encoding="utf-8")
    assert not Path(bytecode).exists()


def test_an_operator_reloads_a_game_of_hooks_alone(tavern: Path) -> None:
    console = tavern / "tavern.sock"
    with started("run", "tavern:hooks", "--host", "127.0.0.1", "--port", "0", "--console", str(console)) as process:
        port = port_of(process)
        (tavern / "tavern.py").write_text(f"{TAVERN}\n1 / 0\n", encoding="utf-8")
        failed = ask(console, "reload")
        (tavern / "tavern.py").write_text(TAVERN.replace("swings shut", "falls shut"), encoding="utf-8")
        done = ask(console, "reload")
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as guest:
            guest.sendall(b"quit\r\n")
            assert b"The door falls shut." in b"".join(iter(lambda: guest.recv(4096), b""))
        process.send_signal(signal.SIGTERM)

        assert ended(process)[0] == 0
    line = len(TAVERN.splitlines()) + 2
    assert failed.has_failed
    assert failed.text.endswith(f"ZeroDivisionError: division by zero at {tavern / 'tavern.py'}:{line}")
    assert re.fullmatch(r"tavern is reloaded: 1 modules, 0 records, in \d+ ms", done.text)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_hangup_reads_the_configuration_again(tavern: Path) -> None:
    """O4, O5."""
    file = tavern / "mud.toml"
    file.write_text('game = "tavern:hooks"\nhost = "127.0.0.1"\nport = 0\n', encoding="utf-8")
    with started("run", "--config", "mud.toml") as process:
        port = port_of(process)

        def hang_up(more: str, said: str) -> None:
            file.write_text(f'game = "tavern:hooks"\nhost = "127.0.0.1"\nport = 0\n{more}', encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            assert process.stderr is not None
            assert any(said in line for line in process.stderr)

        hang_up(
            "prot = 5\n", "the game was not reloaded, and the old code goes on: the configuration is wrong: mud.toml:4"
        )
        hang_up("[limits]\nmax_line = 99\n", "mud.toml:5: limits.max_line = 99 needs a restart; until then it is 4096")
        hang_up('[log]\nlevel = "warning"\n[limits]\nmax_line = 98\n', "limits.max_line = 98 needs a restart")
        hang_up("prot = 5\n", "mud.toml:4: there is no 'prot'; did you mean 'port'?")
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as guest:
            guest.sendall(b"quit\r\n")
            assert b"The door swings shut." in b"".join(iter(lambda: guest.recv(4096), b""))
        process.send_signal(signal.SIGTERM)

        status, complaints = ended(process)
    assert (0, "") == (status, complaints)  # neither the visit nor the signal is logged at the level "warning"


def test_watched_files_are_reloaded_when_they_change(tavern: Path) -> None:
    with started("run", "tavern:hooks", "--watch", "--host", "127.0.0.1", "--port", "0") as process:
        port = port_of(process)
        (tavern / "tavern.py").write_text(TAVERN.replace("swings shut", "falls shut"), encoding="utf-8")
        assert process.stderr is not None
        assert any("the game was reloaded" in line for line in process.stderr)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as guest:
            guest.sendall(b"quit\r\n")
            assert b"The door falls shut." in b"".join(iter(lambda: guest.recv(4096), b""))
        process.send_signal(signal.SIGTERM)

        assert ended(process)[0] == 0


def test_the_bundled_world_opens_and_closes(tavern: Path) -> None:
    with started("--host", "127.0.0.1", "--port", "0") as process:
        port_of(process)
        process.send_signal(signal.SIGINT)

        assert ended(process)[0] == 0


def test_the_version_is_told_with_the_build_and_the_interpreter(say: Say) -> None:
    kind = "compiled" if is_compiled() else "pure Python"
    python = f"{platform.python_implementation()} {platform.python_version()}"

    assert say("--version") == (0, f"trio-mud {__version__} ({kind}, {python})\n")


def test_the_library_can_be_imported_without_what_only_the_command_line_needs(tavern: Path) -> None:
    late = {"anyascii", "confusable_homoglyphs", "cyclopts", "precis_i18n", "rich", "structlog"}
    program = f"import sys, trio_mud, trio_mud.__main__; print(sorted({late} & set(sys.modules)))"
    with started(program=("-c", program)) as process:
        out, complaints = process.communicate(timeout=PATIENCE)

    assert ("[]\n", "") == (out, complaints)
