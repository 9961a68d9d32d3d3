"""`trio-mud config`: the effective configuration as TOML, with the source of each value."""

from __future__ import annotations

import os
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from .effective import Effective, find_configuration
from .options import NO_OPTIONS, RunOptions
from .settings import RELOADABLE, SETTINGS, ConfigSetting, shown

__all__ = ["add_config_command", "as_toml"]

_HEADER = (
    "# Each value is followed by its source. This text is a configuration file itself.",
    f"# A reload takes over {', '.join(sorted(RELOADABLE))}, and reads the files of the certificate again.",
    "# A change of any other setting needs a restart.",
)


def add_config_command(app: cyclopts.App) -> None:
    """Add `config` to the command line."""
    app.command(_config, name="config")


def _config(
    game: Annotated[str | None, Parameter(show_default=False)] = None, /, *, options: RunOptions = NO_OPTIONS
) -> int:
    """Print the configuration that `trio-mud run` would have with these options, as TOML.

    The source of each value follows it: default, the file with the line, the variable or the option. Passwords are
    dots. It starts nothing, and the output can be used as a configuration file.

    Args:
        game: As for run.
    """
    lines = as_toml(find_configuration(options.config, options.texts(game), os.environ))
    print("\n".join(lines))
    return 0


def as_toml(effective: Effective) -> list[str]:
    """Return a configuration as lines of TOML; a comment names the source of each value."""
    lines, table = [*_HEADER], ""
    for key, setting in SETTINGS.items():
        if setting.table != table:
            table = setting.table
            lines += ["", f"[{table}]"]
        # The port for browsers has its default only while no port is set, and here all of them are.
        value = effective.web_port if key == "web_port" else effective.value(key)
        lines.append(f"{_line(setting, value)}  # {effective.source(key)}")
    return lines


def _line(setting: ConfigSetting, value: object) -> str:
    if value is None and not setting.can_be_none:
        return f"# {setting.name} = (not set)"
    return f"{setting.name} = {shown(setting, setting.absolute(value))}"
