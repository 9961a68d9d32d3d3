"""The record of what a game's staff does, and whether it was permitted and in the audit before (I-30).

An effect is read from what it changes: rows of sanctions and of roles, the text of an ending, and the lines that
players are sent. Its entry has to be in the database at that moment. Requests are numbered, such as #3.7, and most
entries and effects have the number; of the others there are never more effects than entries.

`trace` has it, for a game with operations.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any, Final

from ...accounts import Account
from ...commands import Role
from ...driver.connection.connection import Connection
from ...driver.connection.tap import Sent, Typed
from ...driver.core.events import Cause
from ...driver.server.server import MasterServer
from . import inside
from .storage_trace import StorageTrace, WorldState

CONSOLE: Final = "console"
ABOVE_ALL: Final = 1 << 30  # the rank of the console
MAX_SEEN: Final = 50  # lines of a report
MAX_LINE: Final = 500  # characters of such a line
_LEAST: Final = defaultdict(lambda: Role.ADMIN, {"shutdown": Role.OWNER})
_ABOUT: Final[dict[str, Callable[[dict[str, Any]], str]]] = {  # what an entry and its effect have in common
    "ban": lambda entry: entry["why"],
    "mute": lambda entry: entry["why"],
    "kick": lambda entry: entry["why"],
    "announce": lambda entry: entry["text"],
    "shutdown": lambda entry: entry["text"],
    "unban": lambda entry: f"{entry['kind']}:{entry['subject']}",
    "unmute": lambda entry: f"mute:{entry['account']}",
    "set role": lambda entry: f"{entry['account']} {entry['now']}",
    "snoop": lambda entry: entry["player"],
}
WATCHED: Final = "[watched]"  # the notice to a player on whom an operator snoops
_KICKED: Final = re.compile(r"\[kicked (#[\d.]+)\]")
_TO_ALL: Final = {
    "announce": re.compile(r"\[announced (#[\d.]+)\]"),
    "shutdown": re.compile(r"(\[closing #[\d.]+\])"),
}
_SPEECH: Final = re.compile(r"<\d+:\d+ speech of (\w+)>")
_COPY: Final = re.compile(r"([^|<>]+)\| (.*)", re.DOTALL)


class StaffTrace:
    """The record of one life.

    Args:
        server: The server.
        storage: The record of its store, of which audit, sanctions and roles are read.
        fault: Called with each violation.
    """

    def __init__(self, server: MasterServer, storage: StorageTrace, fault: Callable[[str], object]) -> None:
        self._server, self._storage, self._fault = server, storage, fault
        self._moments = 0  # of the storage, that were read
        self._entries = -1  # of the database, that were read
        self._audit: defaultdict[tuple[str, str], list[str]] = defaultdict(list)  # names of actors, by verb and subject
        self._announced: dict[tuple[str, str], list[str]] = {}  # who may have said this to all players
        self._roles: dict[str, int] = {}  # of accounts
        self._sanctions: dict[str, dict[str, Any]] = {}
        self._banned: list[Connection] = []  # ended by a ban in this step
        self._spared: set[tuple[str, int]] = set()  # bans of a network, and connections over which they had no power

    # Reported by the game and the trace

    def meet(self, connection: Connection) -> None:
        """Observe what this connection is sent and what it types, from its connect event on."""
        connection.tap(partial(self._sees, connection))

    def ended(self, connection: Connection) -> None:
        """Check an ending that was decided in this step."""
        if not self._storage.is_open:
            return
        if (kick := _KICKED.fullmatch(inside.last_words(connection))) and connection.ending is Cause.KICKED:
            self._judge("kick", kick[1], f"{connection.name} was kicked", over=self._account_of(connection))
        if connection.ending is Cause.BANNED:
            self._banned.append(connection)  # the row of the ban may be new in this step

    def after_step(self) -> None:
        """Check what has changed in this step."""
        if self._moments != len(self._storage.moments):
            self._read_rows()
        while self._banned:
            connection = self._banned.pop()
            # A short ban may be over when the audit is written; a login may have been to any banned account.
            is_login = any(key.startswith("account:") and self._is_in_force(key) for key in self._sanctions)
            if not is_login and not self._bans_of(connection, is_just_over=True):
                self._fault(f"{connection.name} was sent away as banned, and no ban is in force")

    def at_rest(self) -> Iterator[str]:
        """Yield each connection that is in the game although it is banned."""
        for connection in self._server.connections:
            if connection.ending is None and (bans := self._bans_of(connection)):
                yield f"{connection.name} is in the game, and banned: {bans}"

    def at_end(self, log: Iterable[str]) -> Iterator[str]:
        """Yield reports that are too long, and failures of operations that no disk has caused."""
        for entry in self._storage.disk.stored.entries.values():
            if entry.log == "reports":
                seen = json.loads(entry.data)["seen"]
                if len(seen) > MAX_SEEN or any(len(line) > MAX_LINE for line in seen):
                    yield f"a report has {len(seen)} lines, the longest of {max(map(len, seen))} characters"
        for record in log:
            if record.startswith("ERROR") and "/operations/" in record and "simulated disk" not in record:
                yield record

    # What changes in the store

    def _read_rows(self) -> None:
        state, is_first = self._storage.moments[-1], not self._moments
        self._moments = len(self._storage.moments)
        if is_first:
            self._entries = self._storage.commits[0].entries  # of an earlier life
            state = self._storage.moments[0]
        roles, sanctions = _roles(state), _sanctions(state)
        if not is_first:
            self._judge_roles(roles)
            self._judge_sanctions(sanctions)
        before, self._sanctions, self._roles = self._sanctions, sanctions, roles
        if not is_first:
            self._judge_bans([key for key, fields in sanctions.items() if before.get(key) != fields])

    def _judge_roles(self, roles: dict[str, int]) -> None:
        for account, role in roles.items():
            before = self._roles.get(account, int(Role.PLAYER))
            if role != before:
                text = f"the role of {account} became {role}"
                self._judge("set role", f"{account} {role}", text, over=account, at_most=role)

    def _judge_sanctions(self, sanctions: dict[str, dict[str, Any]]) -> None:
        now = self._server.wall_clock()
        for key, fields in sanctions.items():
            if self._sanctions.get(key) != fields:
                verb = "mute" if fields["kind"] == "mute" else "ban"
                over = None if fields["kind"] == "network" else fields["subject"]
                self._judge(verb, fields.get("why", ""), f"{key} came into force", over=over)
        for key, fields in self._sanctions.items():
            until = fields.get("until", 0.0)
            if key not in sanctions and not (until and until <= now):
                verb = "unmute" if fields["kind"] == "mute" else "unban"
                over = None if fields["kind"] == "network" else fields["subject"]
                self._judge(verb, key, f"{key} was lifted", over=over)

    def _judge_bans(self, keys: list[str]) -> None:
        """Check that every connection from a newly banned network, or of a newly banned account, is ended at once."""
        for key in keys:
            fields = self._sanctions[key]
            self._spared = {(ban, number) for ban, number in self._spared if ban != key}
            rank = self._rank(fields.get("by", ""))
            for connection in self._server.connections:
                if connection.ending is not None or key not in self._bans_of(connection):
                    continue
                account = self._account_of(connection)
                if fields["kind"] == "network" and account is not None and self._roles.get(account, 0) >= rank:
                    self._spared.add((key, connection.number))
                else:
                    self._fault(f"{key} came into force, and {connection.name} stays")

    # What players are sent, and type

    def _sees(self, connection: Connection, event: Sent | Typed) -> None:
        if not self._storage.is_open:
            return
        if isinstance(event, Typed):
            if connection.ending is None and (bans := self._bans_of(connection)):
                self._fault(f"a line of {connection.name} is handled, and it is banned: {bans}")
            return
        text = str(event.text)
        for verb, pattern in _TO_ALL.items():
            if found := pattern.fullmatch(text):
                self._hears_all(verb, found[1])
        if text == WATCHED:
            self._judge_snoop(connection)
        if speech := _SPEECH.fullmatch(text):
            self._hears_speech(connection, speech[1])
        if copy := _COPY.fullmatch(text):
            self._hears_copy(connection, copy[1], copy[2])

    def _hears_all(self, verb: str, about: str) -> None:
        if (verb, about) not in self._announced:
            self._announced[verb, about] = self._judge(verb, about, f"all players were sent {about}")

    def _judge_snoop(self, connection: Connection) -> None:
        session = connection.session
        names = [f"#{connection.number}", *([str(session.key)] if session is not None else [])]
        about = next((name for name in names if self._audited("snoop", name)), names[-1])
        self._judge("snoop", about, f"a snoop on {connection.name} began", over=self._account_of(connection))

    def _hears_speech(self, connection: Connection, speaker: str) -> None:
        if self._account_of(connection) != speaker and self._is_in_force(f"mute:{speaker}"):
            self._fault(f"{connection.name} was sent speech of {speaker}, who is muted")

    def _hears_copy(self, watcher: Connection, name: str, text: str) -> None:
        account = self._account_of(watcher)
        rank = self._rank(account) if account is not None else int(Role.GUEST)
        targets = [self._account_of(each) for each in inside.guests(self._server) if each.name == name]
        ranks = [self._rank(target) if target is not None else int(Role.GUEST) for target in targets]
        if rank < Role.ADMIN or min(ranks, default=0) >= rank:
            self._fault(f"{watcher.name} with role {rank} was sent a line of {name}, whose role is {ranks}: {text!r}")
        if _COPY.fullmatch(text):
            self._fault(f"{watcher.name} was sent what {name} sees by a snoop: {text!r}")

    # The audit

    def _judge(
        self, verb: str, about: str, text: str, *, over: str | None = None, at_most: int | None = None
    ) -> list[str]:
        """Check that an effect is in the audit, and that an actor of such an entry was permitted; return the actors."""
        actors = self._audited(verb, about)
        if not actors:
            self._fault(f"{text}, and the audit has no entry of {verb} {about}")
            return []
        for actor in actors:
            rank = self._rank(actor)
            is_above = over is None or self._roles.get(over, int(Role.PLAYER)) < rank
            if rank >= _LEAST[verb] and is_above and (at_most is None or at_most < rank):
                found = actors.copy()
                actors.remove(actor)
                return found
        known = {name: self._rank(name) for name in (*actors, *([over] if over else []))}
        self._fault(f"{text} by {verb} {about}, which was not permitted: {known}")
        return actors

    def _audited(self, verb: str, about: str) -> list[str]:
        """Return the actors of the entries that are on disk, and had no effect yet."""
        entries = self._storage.disk.stored.entries
        while self._entries + 1 in entries:
            self._entries += 1
            entry = json.loads(entries[self._entries].data) if entries[self._entries].log == "audit" else {}
            if "by" in entry and entry["event"] in _ABOUT:
                actors = self._audit[entry["event"], _ABOUT[entry["event"]](entry)]
                if entry.get("outcome") != "not done":
                    actors.append(entry["by"])
                elif entry["by"] in actors:
                    actors.remove(entry["by"])
        return self._audit[verb, about]

    # The state

    def _rank(self, actor: str) -> int:
        if actor == CONSOLE:
            return ABOVE_ALL
        account = self._storage.store.get(Account, actor)
        return account.role if account is not None else self._roles.get(actor, int(Role.GUEST))

    def _account_of(self, connection: Connection) -> str | None:
        body = connection.session.body if connection.session is not None else None
        return getattr(body, "account", "") or None

    def _bans_of(self, connection: Connection, *, is_just_over: bool = False) -> list[str]:
        """Return the bans in force on a connection, without those that had no power over it when they were made."""
        account, address = self._account_of(connection), ip_address(connection.address)
        return [
            key
            for key, fields in self._sanctions.items()
            if (is_just_over or self._is_in_force(key))
            and (
                key == f"account:{account}"
                if fields["kind"] != "network"
                else (key, connection.number) not in self._spared and address in ip_network(fields["subject"])
            )
        ]

    def _is_in_force(self, key: str) -> bool:
        until = self._sanctions.get(key, {}).get("until", 0.0)
        return key in self._sanctions and not (until and until <= self._server.wall_clock())


def _roles(state: WorldState) -> dict[str, int]:
    rows = {key: json.loads(row[1]) for (family, key), row in state.rows.items() if family == "account"}
    return {key: fields.get("role", int(Role.PLAYER)) for key, fields in rows.items()}


def _sanctions(state: WorldState) -> dict[str, dict[str, Any]]:
    return {key: json.loads(row[1]) for (family, key), row in state.rows.items() if family == "sanction"}
