"""The command line: `trio-mud`, and `python -m trio_mud`.

It turns arguments into one call, and the result into an exit status and at most one line.
Arguments take precedence over the environment, the environment over the configuration file, and that over the defaults.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from trio_mud import __version__

from ..bench.command import LAST_PARAGRAPH, bench
from ..cluster.ends import LinkUnavailable
from ..compiled import build
from ..driver.server.console import CannotOpenConsole
from ..driver.server.log_lines import printable
from ..driver.server.places import CannotListen
from ..errors import CannotOpenStorage, ConfigurationError, StorageError
from ..text.nearest import nearest
from .admin_command import NoServer, add_admin_command
from .announcements import plan
from .cluster_commands import add_cluster_commands
from .config_command import add_config_command
from .effective import Effective, find_configuration
from .loading import GameBroken
from .new import add_new_command
from .options import NO_OPTIONS, RunOptions
from .serving import prepare, serve_program
from .storage_commands import add_commands
from .supervisor import ChildFailed

__all__ = ["main"]

CLEAN = 0
FAILED = 1
WRONG_USAGE = 2  # usage or configuration; nothing was started

_OF_OUTPUT = (errno.EPIPE, errno.ENOSPC)  # that print can raise
_FLAG = Parameter(negative="", show_default=False)

app = cyclopts.App(
    name="trio-mud",
    help="Serve a MUD; without arguments, the small world that is bundled with trio_mud.",
    help_epilogue=(
        "Try: trio-mud, then telnet localhost 4000. A game of your own: trio-mud new inn.\n\n"
        "Each setting has an environment variable: TRIO_MUD_PORT for port, TRIO_MUD_LIMITS_MAX_LINE for max_line of "
        "the table limits. TRIO_MUD_PORT_FILE names a file that holds the value, such as a secret. Options override "
        "variables, and variables the file. trio-mud config lists all settings with their values and sources.\n\n"
        "Exit status: 0 clean, 1 crash or damaged storage, 2 usage or configuration, 3 another world has taken "
        "over, 75 cannot bind the port, the storage is in use, or no server or gateway answers, 130 interrupted twice."
    ),
    version=f"trio-mud {__version__} ({build()})",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
app.command(bench, name="bench", help_epilogue=LAST_PARAGRAPH)
add_config_command(app)
add_commands(app)
add_admin_command(app)
add_new_command(app)
add_cluster_commands(app)
app.command(
    "trio_mud.program.connect:join",  # imported when it is used: it needs Unix
    name="connect",
    help="Join this terminal to the server that listens at a Unix socket; for sshd's ForceCommand.",
)


@app.command(name="run")
@app.default
def run_game(
    game: Annotated[str | None, Parameter(show_default=False)] = None,
    /,
    *,
    options: RunOptions = NO_OPTIONS,
    watch: Annotated[bool, _FLAG] = False,
    check_config: Annotated[bool, _FLAG] = False,
) -> int:
    """Serve a game until it is stopped with Ctrl-C or SIGTERM.

    Args:
        game: MODULE:NAME, where NAME is a Hooks, a Game, or a function that returns one; MODULE may be in the
            current directory. Default: the bundled world.
        watch: Reload the game whenever one of its files changes; for development. SIGHUP reloads it at any time.
        check_config: Check the configuration and the game, print the effect, and exit.
    """
    environment = dict(os.environ)  # a reload reads the same; the game may change its own

    def read() -> Effective:
        return find_configuration(options.config, options.texts(game), environment)

    program = prepare(read())
    if check_config:
        print(f"the configuration is valid: {plan(program.effective, program.backend)}")
        return CLEAN
    serve_program(program, watched=watch, reread=read)
    return CLEAN


def main(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name, and return the exit status.

    Raises:
        SystemExit: With 130 after a second interrupt, or with the status that the game passed to `sys.exit`.
        Exception: The error that crashed the server.
    """
    try:
        _check_command(arguments)
        status = app(arguments, print_error=False, exit_on_error=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _OF_OUTPUT or error.filename is not None or sys.stdout is None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at the end
        if error.errno == errno.EPIPE:  # of a reader that stops early, such as `head`
            return CLEAN
        return _complain(f"cannot write the output: {error.strerror}; send it elsewhere", FAILED)
    except cyclopts.CycloptsError as error:
        return _complain(f"{str(error).rstrip('.')}; see trio-mud --help", WRONG_USAGE)
    except GameBroken as error:
        if sys.stderr is not None:  # print would take standard output instead
            print(error, file=sys.stderr)
        return _complain("the game's own code failed, as shown above", WRONG_USAGE)
    except ConfigurationError as error:
        return _complain(str(error), WRONG_USAGE)
    except CannotOpenConsole as error:
        return _complain(f"{error}; choose another with --console", error.status)
    except CannotListen as error:
        return _complain(f"{error}; choose another with --{error.parameter.replace('_', '-')}", error.status)
    except ChildFailed as error:  # the log says why
        return error.status
    except (LinkUnavailable, CannotOpenStorage, NoServer) as error:
        return _complain(str(error), error.status)
    except StorageError as error:
        return _complain(str(error), FAILED)
    return status if isinstance(status, int) else CLEAN  # --help and --version return nothing


def _check_command(arguments: Sequence[str]) -> None:
    """Refuse a first argument that can be neither a command nor a game; cyclopts would take it for the game.

    Only the first one is checked: after an option, a command would have to be found among the values of options.

    Raises:
        ConfigurationError: It is such a word; the message names the command most similar to it.
    """
    known = list(app)  # with --help and --version, which `trio-mud help` and `trio-mud version` mean
    word = arguments[0] if arguments else ""
    if word not in known and word.replace("-", "").replace("_", "").isalnum() and not word.startswith("-"):
        raise ConfigurationError(
            f"there is no command {word!r}, and a game is named MODULE:NAME, such as tavern:hooks"
            f"{nearest(word.casefold(), known)}"
        )


def _complain(text: str, status: int) -> int:
    if sys.stderr is not None:
        print(f"trio-mud: {printable(text)}", file=sys.stderr)
    return status
