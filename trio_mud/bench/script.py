"""The script of a player: its lines and how it recognises answers, read from TOML and validated.

think = 2.0                                         # seconds between an answer and the next command

[[login]]
expect = "By what name"                             # only waits

[[login]]
send = "Ann{a}"                                     # {n} is the player's number, from 1; {a} the same in letters
expect = "Welcome"

[[commands]]
send = "look"

[[commands]]
send = "say I am number {n}"
expect = "You say"                                  # this text answers it
think = 5.0
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import msgspec

from ..errors import ConfigurationError
from ..text.nearest import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStep:
    """A line to send, and the answer to wait for; one of them may be missing.

    Raises:
        ValueError: Both are missing, or a value is invalid.
    """

    send: str | None = None
    """The line, without its ending; `{n}` is the player's number, `{a}` the same in letters. None: only wait."""

    expect: str | None = None
    """Text that ends the answer; `{n}` and `{a}` as above. None: as for all commands; in a login, prompt or silence."""

    think: float | None = None
    """Seconds before the next line. None: as for all commands; in a login, none."""

    def __post_init__(self) -> None:
        if self.send is None and self.expect is None:
            raise ValueError("a step needs something to send or to expect")
        if self.send is not None and not self.send.isprintable():
            raise ValueError(f"send = {self.send!r}: write one line, without control characters")
        if self.expect is not None and not self.expect:
            raise ValueError('expect = "": write text that the answer holds, or leave it out')
        if self.think is not None:
            _check_seconds("think", self.think)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadScript:
    """The behaviour of one player.

    An answer ends with a text, with the mark of a prompt, or with silence after it.

    Raises:
        ValueError: A value is invalid.
    """

    login: tuple[LoadStep, ...] = ()
    """The steps that bring a player into the game; if empty, the greeting is awaited. They are not measured."""

    commands: tuple[LoadStep, ...] = (LoadStep(send="look"), LoadStep(send="say hello from {n}"), LoadStep(send="who"))
    """The commands, typed in turn until the end."""

    think: float = 1.0
    """Seconds between an answer and the next command."""

    expect: str | None = None
    """Text that ends the answer to a command without one of its own."""

    prompt: bool = False
    """True if only a prompt mark ends an answer, GA or EOR. Otherwise silence ends it as well."""

    quiet: float = 0.1
    """Seconds of silence after which an answer is complete, until the server has marked a prompt."""

    def __post_init__(self) -> None:
        if not self.commands:
            raise ValueError("commands is empty: name at least one")
        if any(step.send is None for step in self.commands):
            raise ValueError("a command without send: only a step of the login may just wait")
        if self.expect is not None and not self.expect:
            raise ValueError('expect = "": write text that each answer holds, or leave it out')
        if self.expect is not None and self.prompt:
            raise ValueError("expect and prompt exclude each other: say which of them ends an answer")
        _check_seconds("think", self.think)
        _check_seconds("quiet", self.quiet)
        if not self.quiet:
            raise ValueError("quiet = 0: write the seconds after which an answer is whole, such as 0.1")


def read_script(path: Path) -> LoadScript:
    """Read the script in the file at `path`.

    Raises:
        ConfigurationError: It cannot be read or is not a script; one line states what to correct.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    for key, known in _unknown_keys(table):
        raise ConfigurationError(f"{path}: there is no {key!r}{nearest(key, known)}")
    try:
        return msgspec.convert(table, LoadScript)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {str(error).replace('`', '')}") from error


def _unknown_keys(table: Mapping[str, object]) -> Iterator[tuple[str, list[str]]]:
    """Yield each unknown key and the known ones at its place; msgspec ignores unknown keys."""
    of_script, of_step = ([field.name for field in fields(kind)] for kind in (LoadScript, LoadStep))
    for key, value in table.items():
        if key not in of_script:
            yield key, of_script
        elif isinstance(value, list):
            yield from ((k, of_step) for step in value if isinstance(step, dict) for k in step if k not in of_step)


def _check_seconds(name: str, value: float) -> None:
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} = {value!r}: write seconds, 0 or more")
