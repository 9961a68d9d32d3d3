"""The configuration file: TOML in, a checked `Configuration` out.

It only reads and checks; `trio_mud.program.cli` overrides the result by the command line and the environment.
An unknown key is an error: a misspelled limit would otherwise limit nothing.

    game = "tavern:hooks"
    host = "localhost"
    port = 4000
    tls_port = 4443
    tls_certificate = "/etc/tavern/fullchain.pem"   # relative to where the server is started, if not absolute
    tls_key = "/etc/tavern/privkey.pem"
    proxy_from = ["10.0.0.0/8", "192.0.2.7"]

    [storage]                                       # of a game with records
    url = "data/tavern.db"                          # or "postgresql://…"

    [accounts]                                      # of a game with accounts
    plain = "refuse"                                # passwords over encrypted links only

    [operations]
    socket = "/run/tavern/admin.sock"               # of the console, for trio-mud admin

    [log]
    form = "json"

    [limits]
    max_typeahead = 32
    first_input_timeout = "none"                            # TOML has no null: this switches a limit off
    command_rate = { per_second = 20, burst = 60 }

    [texts]
    shutdown = "The innkeeper puts out the lamps."
"""

from __future__ import annotations

import ipaddress
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from ..accounts.options import AccountOptions
from ..errors import ConfigurationError
from ..limits import Limits, may_be_switched_off
from ..renamed import new_name_of
from ..text.nearest import nearest
from ..texts import Texts
from ..transports.tcp import check_address

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "BUNDLED_WORLD",
    "SWITCHED_OFF",
    "Configuration",
    "OperationsOptions",
    "StorageOptions",
    "decode",
    "read",
]

BUNDLED_WORLD = "trio_mud.mudlib:world"
LASTING_WORLD = "trio_mud.mudlib:lasting_world"  # the same with accounts, if a database is named
SWITCHED_OFF = "none"
MOST_BYTES = 1024 * 1024  # of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """The database of a game with records.

    Raises:
        ValueError: `every` is no positive number of seconds.
    """

    url: str | None = None
    """The path of an SQLite file, or the URL of a PostgreSQL database; None for a file in the folder `data`."""

    every: float = 1.0
    """Seconds between two saves; a change that is younger is lost if the process is killed."""

    backups: str | None = None
    """The folder for backups, each day at 04:00 and before upgrades; "none" switches them off.
    None for `backups` beside the SQLite file."""

    def __post_init__(self) -> None:
        if not 0 < self.every < math.inf:
            raise ValueError(f"every = {self.every}: write a positive number of seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """The log of a server that is started from the shell."""

    form: Literal["human", "json"] = "human"
    """The form of a line: for people, or JSON with the connection, the session and the event."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is logged."""

    file: str | None = None
    """The file to append to, which SIGHUP reopens; None for standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsOptions:
    """The means of an operator.

    Raises:
        ValueError: `socket` is empty.
    """

    socket: str | None = None
    """The Unix socket of the console, for `trio-mud admin`; "none" switches it off.
    None for NAME.sock beside the database NAME.db; a game without a database then has no console."""

    def __post_init__(self) -> None:
        if self.socket == "":
            raise ValueError('socket = "": write the path of a socket, or "none"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The settings of a server that is started from the shell.

    Raises:
        ValueError: A host, a port or a network is invalid.
    """

    game: str = BUNDLED_WORLD
    """MODULE:NAME of a `Hooks`, of a `Game`, or of a function that returns one."""

    host: str = "localhost"
    """The host name or address to listen on; `0.0.0.0` is every IPv4 address of the machine."""

    port: int = 4000
    """The port to listen on; 0 chooses a free port.
    Precedent: DikuMUD has listened on 4000 since 1991."""

    tls_port: int | None = None
    """The port to listen on for clients that use TLS; needs `tls_certificate`. None for no such port."""

    tls_certificate: str | None = None
    """The PEM file of the server's certificate and its intermediate certificates."""

    tls_key: str | None = None
    """The PEM file of its private key, without a passphrase; None if the certificate's file holds it."""

    proxy_from: tuple[str, ...] = ()
    """Networks or addresses of proxies. A connection from there must begin with a PROXY header."""

    data: str | None = None
    """The folder of the database MODULE.db, for a game with records and without `storage.url`.
    None for `$STATE_DIRECTORY`, which systemd sets, or else `data`; the bundled world then stores nothing."""

    storage: StorageOptions = StorageOptions()
    accounts: AccountOptions = AccountOptions()
    operations: OperationsOptions = OperationsOptions()
    log: LogOptions = LogOptions()
    limits: Limits = Limits()
    texts: Texts = Texts()

    def __post_init__(self) -> None:
        for name, port in (("port", self.port), ("tls_port", self.tls_port)):
            if port is not None:
                check_address(self.host, port, name)
        if not self.host:
            raise ValueError('host = "": write a name or an address; 0.0.0.0 is every IPv4 address of this machine')
        for text in self.proxy_from:
            _network(text)

    @property
    def proxy_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The networks of `proxy_from`, parsed."""
        return tuple(map(_network, self.proxy_from))


def read(path: Path) -> Configuration:
    """Return the configuration in the file at `path`; a setting that the file omits has its default.

    Raises:
        ConfigurationError: The file cannot be read or is not TOML, or a key or a value is wrong.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ConfigurationError(f"{path} holds more than {MOST_BYTES} bytes: name a TOML file")
        table = tomllib.loads(text.decode("utf-8-sig"))  # Windows editors begin with a BOM
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits, and a list in a list in a list
        hint = "; write texts in quotes" if "Invalid value" in str(error) else ""
        raise ConfigurationError(f"{path} is not TOML: {error}{hint}") from error
    return decode(table, str(path))


def decode(table: Mapping[str, object], source: str) -> Configuration:
    """Return the `Configuration` in `table`.

    Args:
        table: The parsed TOML.
        source: The name of the table in an error text, such as the file's path.

    Raises:
        ConfigurationError: A key or a value is wrong; the message is one line and names both.
    """
    _check_keys(table, Configuration(), source)
    limits = table.get("limits")
    if isinstance(limits, Mapping):
        table = {**table, "limits": _without_switched_off(limits, source)}
    try:
        return msgspec.convert(table, Configuration)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{source}: {_in_terms_of_toml(error)}") from error


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"proxy_from = {text!r}: write networks such as 10.0.0.0/8, or addresses") from None
    if "/" in text and ipaddress.ip_interface(text).ip != network.network_address:
        raise ValueError(f"proxy_from = {text!r}: write {network}, or the address alone")
    return network


def _check_keys(
    table: Mapping[str, object], known: DataclassInstance | type[DataclassInstance], source: str, path: str = ""
) -> None:
    """Raise ConfigurationError for the first key that is not a field of `known`; msgspec ignores such keys."""
    defaults = {field.name: field.default for field in fields(known)}
    for key, value in table.items():
        if key not in defaults:
            if sentence := new_name_of(f"{path}.{key}"):
                raise ConfigurationError(f"{source}: {sentence}")
            where = f" in {path}" if path else ""
            raise ConfigurationError(f"{source}: there is no {key!r}{where}{_place_of(key) or nearest(key, defaults)}")
        default = defaults[key]
        if isinstance(value, Mapping) and is_dataclass(default):
            _check_keys(value, default, source, f"{path}.{key}" if path else key)


def _place_of(key: str) -> str:
    """Return a hint for a key that belongs into another table, or "" for an unknown key."""
    for table, known in (
        ("storage", StorageOptions),
        ("accounts", AccountOptions),
        ("operations", OperationsOptions),
        ("log", LogOptions),
        ("limits", Limits),
        ("texts", Texts),
    ):
        if key in {field.name for field in fields(known)}:
            return f"; write it below [{table}]"
    return "; write it above the first [table]" if key in {field.name for field in fields(Configuration)} else ""


def _without_switched_off(limits: Mapping[str, object], source: str) -> dict[str, object]:
    """Return `limits` with None for each `"none"`."""
    for name, value in limits.items():
        if value == SWITCHED_OFF and not may_be_switched_off(name):
            raise ConfigurationError(f"{source}: limits.{name} cannot be switched off; write a larger one instead")
    return {name: None if value == SWITCHED_OFF else value for name, value in limits.items()}


_TOML_WORDS = {
    "object": "a table",
    "null": f'"{SWITCHED_OFF}"',
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
}


def _in_terms_of_toml(error: msgspec.ValidationError) -> str:
    """Return the text of `error` in terms of TOML: the key first, and no null."""
    found = re.fullmatch(r"(?P<what>.*?)(?: - at `\$\.(?P<key>.*)`)?", str(error), re.DOTALL)
    assert found is not None  # the pattern takes any text
    what, key = found["what"], found["key"]
    if isinstance(error.__cause__, ValueError):  # ours: it begins with the field's name
        what = what.replace("None for no limit", f'"{SWITCHED_OFF}" for no limit')
        return f"{key}.{what}" if key else what
    what = re.sub(r"Object missing required field `(\w+)`", r"it lacks \1", what)
    what = re.sub(r"`([\w| ]+)`", lambda types: _in_toml_words(types[1]), what)
    if "a table" in what and key and key.startswith("limits."):
        what += "; write a rate as { per_second = 20, burst = 60 }"
    elif "number" in what and what.endswith("got a text"):
        what += "; write a number without quotes"
    return f"{key}: {what[0].lower()}{what[1:]}" if key else what


def _in_toml_words(types: str) -> str:
    """Return `int | null` as `a whole number or "none"`; other words stay."""
    return " or ".join(_TOML_WORDS.get(word, word) for word in types.split(" | "))
