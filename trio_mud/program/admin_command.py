"""`trio-mud admin`: the client of a server's console, and where the socket of that console is.

`trio_mud.driver.server.console` answers it and describes the protocol.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import cyclopts
from cyclopts import Parameter

from ..errors import ConfigurationError, TrioMudError
from ..storage import Backend, Memory, Sqlite
from .config import SWITCHED_OFF, Configuration
from .effective import find_configuration
from .options import File
from .sources import OptionText
from .storage_commands import data_folder

__all__ = ["NoServer", "Reply", "add_admin_command", "ask", "console_of"]

CLEAN = 0
FAILED = 1
EXIT_UNAVAILABLE = 75  # EX_TEMPFAIL of sysexits.h
PATIENCE = 60.0  # seconds for an answer; a command of the game may take half of that
PROMPT = "admin> "
LEAVE = ("exit", "quit")
# In place of the program's last paragraphs, whose exit statuses are those of a server.
LAST_PARAGRAPH = "Exit status: 0 done, 1 the command was not done, 2 usage, 75 no server answers."


class NoServer(TrioMudError):
    """No server answers at the socket; the message names it."""

    status = EXIT_UNAVAILABLE


class Reply(NamedTuple):
    """The answer to one command."""

    has_failed: bool
    text: str


def console_of(configuration: Configuration, backend: Backend | None) -> Path | None:
    """Return the socket of the console for a server with this configuration; None if it has none.

    It is that of `operations.socket`, or else NAME.sock beside the database NAME.db. A game without a database, and
    any game on a platform without Unix sockets, has a console only if a socket is configured.
    """
    wanted = configuration.operations.socket
    if wanted == SWITCHED_OFF:
        return None
    if wanted is not None:
        return Path(wanted)
    if not _is_possible() or backend is None or isinstance(backend, Memory):
        return None
    if isinstance(backend, Sqlite):
        return backend.path.with_suffix(".sock")
    module = configuration.game.partition(":")[0]
    return data_folder(configuration) / f"{module.rpartition('.')[2]}.sock"


def ask(
    path: Path,
    command: str,
    *,
    remedy: str = "name another with --console; that of a gateway is in the gateway's log",
    patience: float = PATIENCE,
    if_silent: str = "end its process",
    connected: Callable[[], object] = lambda: None,
) -> Reply:
    """Send one command to the console at `path`, and return the answer.

    Args:
        path: The socket.
        command: The command, in one line.
        remedy: The end of the text of `NoServer` if no server listens there.
        patience: Seconds to wait for the answer.
        if_silent: The end of the text of `NoServer` if none comes.
        connected: Called once a server has taken the connection.

    Raises:
        NoServer: No server answers there.
    """
    if not _is_possible():
        raise NoServer("this platform has no Unix sockets, so there is no console; stop the server by Ctrl-C")
    data = b""
    with socket.socket(socket.AF_UNIX) as console:
        console.settimeout(patience)
        try:
            console.connect(str(path))
            connected()
            with suppress(BrokenPipeError):  # a busy console answers before it has read
                console.sendall(f"{command}\n".encode(errors="replace"))
            while received := console.recv(65536):
                data += received
        except TimeoutError:
            raise NoServer(f"the server at {path} did not answer within {patience:g} s; {if_silent}") from None
        except OSError as error:
            if not data:
                reason = error.strerror or error
                raise NoServer(f"no server answers at {path}: {reason}; {remedy}") from error
    status, end, text = data.decode(errors="replace").partition("\n")
    if not end:
        raise NoServer(f"the server at {path} ended before it answered")
    return Reply(status != "0", text.rstrip("\n"))


def add_admin_command(app: cyclopts.App) -> None:
    """Add `admin` to the command line."""
    app.command(_admin, name="admin", help_epilogue=LAST_PARAGRAPH)


def _admin(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    console: Annotated[str | None, Parameter(show_default=False)] = None,
    config: File = None,
) -> int:
    """Ask or direct a running server of this machine and user; without a command, at a prompt.

    `trio-mud admin help` lists the commands. `status`, `stack`, `tasks` and `kill` work even while the game is blocked.

    Args:
        command: One command for the server, such as status, or shutdown 60.
        console: The socket of the server's console. Default: the only file *.sock in the data folder.
        config: The TOML file of the server, which names the socket, the database or the data folder.
    """
    path = _find(console, config)
    if command:
        return _show(ask(path, " ".join(command)))
    return _converse(path)


def _show(reply: Reply) -> int:
    if reply.text:
        print(reply.text)
    return FAILED if reply.has_failed else CLEAN


def _converse(path: Path) -> int:
    """Read commands from standard input up to its end; return 1 if any was not done."""
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        _edit_lines()
        print(f"Commands for the server at {path}; help lists them, and {LEAVE[0]} leaves.")
    status = CLEAN
    while True:
        try:
            line = input(PROMPT if is_terminal else "").strip()
        except (EOFError, KeyboardInterrupt):
            if is_terminal:
                print()
            return status
        if line.casefold() in LEAVE:
            return status
        if line:
            status = max(status, _show(ask(path, line)))


def _edit_lines() -> None:
    """Let the operator edit lines and call up earlier ones, where Python can."""
    with suppress(ImportError):
        import readline  # noqa: F401 - importing it is enough; some builds of Python lack it


def _find(console: str | None, config: Path | None) -> Path:
    """Return the socket that an operator means.

    Raises:
        ConfigurationError: None is named, and the data folder does not hold exactly one.
    """
    options = [OptionText("operations.socket", "--console", console)] if console is not None else []
    configuration = find_configuration(config, options, os.environ).configuration
    if configuration.operations.socket not in (None, SWITCHED_OFF):
        return Path(str(configuration.operations.socket))
    if configuration.storage.url is not None and "://" not in configuration.storage.url:
        return Path(configuration.storage.url).with_suffix(".sock")
    folder = data_folder(configuration)
    found = sorted(folder.glob("*.sock"))
    if len(found) != 1:
        raise ConfigurationError(f"the folder {folder} holds {_listed(found)}: name one with --console")
    return found[0]


def _listed(sockets: Sequence[Path]) -> str:
    if not sockets:
        return "no socket of a console"
    return f"{len(sockets)} consoles ({', '.join(path.name for path in sockets)})"


def _is_possible() -> bool:
    return hasattr(socket, "AF_UNIX")
