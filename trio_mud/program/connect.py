"""`trio-mud connect`: joins a terminal to the Unix socket of a server. sshd starts it for a player (`ForceCommand`).

The kernel edits and shows the line that is typed, and sends it whole. The server's ECHO switches that off while a
password is typed. The address of the player is the first word of `SSH_CONNECTION`; the server trusts it, because only
its own user can open the socket.

It is a plain program without an event loop: a terminal that is set to non-blocking would stay so for the shell.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import sys
import termios
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ..telnet import Engine, Option, Policy, TelnetEngine
from ..telnet.codes import ECHO, IAC, NAWS, TTYPE
from ..telnet.interpreter import EngineParts, Interpreter
from ..transports.proxy import encode_header
from .admin_command import NoServer

__all__ = ["connect", "join"]

CLEAN: Final = 0
RECEIVE: Final = 64 * 1024  # bytes
NAME: Final = "TRIO-MUD CONNECT"
MTTS_ANSI, MTTS_UTF8, MTTS_256_COLORS, MTTS_TRUE_COLOR = 1, 4, 8, 256  # Mud Terminal Type Standard


class LocalTerminal:
    """The terminal of the player, or a pipe, which has no echo and no size.

    Args:
        typed: The file descriptor of what is typed.
        shown: That of the screen.
        environ: The environment, which names the kind of terminal.
    """

    def __init__(self, typed: int, shown: int, environ: Mapping[str, str]) -> None:
        self.typed = typed
        self.shown = shown
        self._is_terminal = os.isatty(typed)
        self._term = environ.get("TERM", "") or "dumb"
        self._has_true_color = environ.get("COLORTERM", "") in ("truecolor", "24bit")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the program, the kind of terminal and its capabilities, in the order of MTTS."""
        bits = MTTS_UTF8
        if self._term != "dumb":
            bits |= MTTS_ANSI
        if "256color" in self._term or self._has_true_color:
            bits |= MTTS_256_COLORS
        if self._has_true_color:
            bits |= MTTS_TRUE_COLOR
        return NAME, self._term.upper(), f"MTTS {bits}"

    @property
    def size(self) -> bytes | None:
        """Return columns and rows, each 2 bytes big-endian; None for a pipe."""
        if not self._is_terminal:
            return None
        rows, columns, *_ = struct.unpack("4H", fcntl.ioctl(self.typed, termios.TIOCGWINSZ, bytes(8)))
        return struct.pack("!2H", columns, rows)

    def show_input(self, is_shown: bool) -> None:
        """Let the kernel show what is typed, or not."""
        if self._is_terminal:
            settings = termios.tcgetattr(self.typed)
            settings[3] = settings[3] | termios.ECHO if is_shown else settings[3] & ~termios.ECHO
            termios.tcsetattr(self.typed, termios.TCSADRAIN, settings)

    def write(self, data: bytes) -> None:
        """Show bytes."""
        while data:
            data = data[os.write(self.shown, data) :]

    @contextmanager
    def kept(self) -> Generator[None]:
        """Restore the settings of the terminal after the block."""
        before: Any = termios.tcgetattr(self.typed) if self._is_terminal else None
        try:
            yield
        finally:
            if before is not None:
                termios.tcsetattr(self.typed, termios.TCSADRAIN, before)


class EchoOfServer(Option):
    """A server that claims to echo hides the input."""

    __slots__ = ("_terminal",)

    code = ECHO
    theirs = Policy.ACCEPT

    def __init__(self, terminal: LocalTerminal) -> None:
        self._terminal = terminal

    def on_theirs(self, engine: Engine, enabled: bool) -> None:
        self._terminal.show_input(not enabled)


class SizeOfWindow(Option):
    """Sends the size of the window when the server asks for it, and by `send` after each change."""

    __slots__ = ("_terminal",)

    code = NAWS
    ours = Policy.ACCEPT

    def __init__(self, terminal: LocalTerminal) -> None:
        self._terminal = terminal

    def on_ours(self, engine: Engine, enabled: bool) -> None:
        if enabled:
            self.send(engine)

    def send(self, engine: Engine) -> None:
        """Send the present size, if the server wants it."""
        if engine.is_ours(NAWS) and (size := self._terminal.size) is not None:
            engine.send_subnegotiation(NAWS, size)


class NamesOfTerminal(Option):
    """Sends one name for each request, and the last one again and again."""

    __slots__ = ("_at", "_names")

    code = TTYPE
    ours = Policy.ACCEPT

    def __init__(self, terminal: LocalTerminal) -> None:
        self._names = terminal.names
        self._at = 0

    def on_subnegotiation(self, engine: Engine, payload: bytes) -> None:
        engine.send_subnegotiation(TTYPE, b"\0" + self._names[self._at].encode("ascii", "replace"))
        self._at = min(self._at + 1, len(self._names) - 1)


class RawDisplay(Interpreter):
    """Shows text as it comes, instead of assembling lines as a server does."""

    __slots__ = ("_terminal",)

    def __init__(self, engine: EngineParts, terminal: LocalTerminal) -> None:
        super().__init__(engine)
        self._terminal = terminal

    def heard_text(self, data: bytes) -> None:
        self._terminal.write(data)


def join(path: Path, /) -> int:
    """Join this terminal to the server that listens at a Unix socket; for sshd's ForceCommand.

    Only the user of the server can use the socket. The server needs --unix PATH.

    Args:
        path: The socket.
    """
    connect(path, LocalTerminal(sys.stdin.fileno(), sys.stdout.fileno(), os.environ), os.environ)
    return CLEAN


def connect(path: Path, terminal: LocalTerminal, environ: Mapping[str, str]) -> None:
    """Join the terminal to the server at `path` until either side ends.

    Raises:
        NoServer: No server answers there.
    """
    with ExitStack() as stack:
        link = stack.enter_context(socket.socket(socket.AF_UNIX))
        try:
            link.connect(str(path))
        except OSError as error:
            raise NoServer(f"no server answers at {path}: {error.strerror or error}; try again later") from error
        stack.enter_context(terminal.kept())
        resized = stack.enter_context(_resizes())
        with suppress(ConnectionError):  # the server has closed the link
            link.sendall(_header(environ))
            _join(link, terminal, resized)


def _join(link: socket.socket, terminal: LocalTerminal, resized: socket.socket) -> None:
    window = SizeOfWindow(terminal)
    options = [EchoOfServer(terminal), NamesOfTerminal(terminal), *([window] if terminal.size is not None else [])]
    engine = TelnetEngine(options, settle_within=None)
    screen = RawDisplay(engine, terminal)
    while True:
        readable, _, _ = select.select([terminal.typed, link.fileno(), resized.fileno()], [], [])
        if resized.fileno() in readable:
            resized.recv(RECEIVE)
            window.send(engine)
        if link.fileno() in readable:
            received = link.recv(RECEIVE)
            if not received:
                return
            engine.scanner.receive(received, screen)
            engine.receive(b"")  # takes the events, which mean nothing here
        if terminal.typed in readable:
            typed = os.read(terminal.typed, RECEIVE)
            if not typed:
                return
            link.sendall(typed.replace(bytes((IAC,)), bytes((IAC, IAC))).replace(b"\n", b"\r\n"))
        while answer := engine.data_to_send():
            link.sendall(answer)


def _header(environ: Mapping[str, str]) -> bytes:
    """Return the PROXY header: the peer of sshd, or else this machine."""
    words = environ.get("SSH_CONNECTION", "").split()
    if len(words) == 4:  # its address and port, and the address and port of sshd
        with suppress(ValueError):  # sshd writes UNKNOWN if it has no socket of the peer, as behind a pipe
            return encode_header(words[0].partition("%")[0], int(words[1]), is_secure=True)
    return encode_header("127.0.0.1", 0, is_secure=True)


@contextmanager
def _resizes() -> Generator[socket.socket]:
    """Give a socket that can be read after the window was resized.

    Ctrl-C and Ctrl-Z are ignored: the first would cost the session, and after the second no shell resumes it.
    """
    woken, waking = socket.socketpair()
    with woken, waking:
        waking.setblocking(False)
        old_fd = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        handlers: dict[signal.Signals, Any] = {
            signal.SIGWINCH: lambda *_: None,
            signal.SIGINT: signal.SIG_IGN,
            signal.SIGTSTP: signal.SIG_IGN,
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(old_fd)
            for number, handler in before.items():
                signal.signal(number, handler)
