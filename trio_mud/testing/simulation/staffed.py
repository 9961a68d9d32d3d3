"""A game with operations: a staff that bans, kicks, mutes, snoops and changes roles, also among itself.

Most players begin as a character with an account, and all who have a role use it all the time, several verbs at once,
until they lose it in the middle of one. An operator at the console makes the first owner, and goes on to change roles
and to lift bans. The audit is on the disk of the game with records, which is slow, fails and hangs.

It adds the verbs, as `op ban ann #3.7`, and speech to the game with records. `games` uses it; `staff_trace` judges it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Sequence
from random import Random
from typing import ClassVar, Final

from ... import ConsoleOperator, Hooks, Session
from ...commands import Mistake, Role
from ...driver.connection.connection import Connection
from ...driver.connection.events import Admitted, Connect, Input
from ...driver.core.hooks import FIRST
from ...driver.server.events import Started
from ...errors import StorageError
from ...operations import Operations, OperationsPhrases
from ...storage import Record
from ...world import World
from .played_accounts import NAMES
from .players import SimulatedPlayer
from .staff_trace import WATCHED, StaffTrace
from .stored import StoredGame

STAFF: Final = (*NAMES, "Gwyn", "Hugo")
ROLES: Final = ("player", "builder", "admin", "admin", "owner")
CONSOLE_INTERVAL: Final = 0.8  # seconds
STAFF_INTERVAL: Final = 0.4
_NUMBERED: Final = ("ban", "kick", "mute", "announce", "report")  # verbs that end in words, such as a reason
_LINES: Final = (
    *("ban {account} 3s", "ban {account}", "ban {network} 4s", "ban {network} 2s force", "ban {network}"),
    *(
        "unban {account}",
        "unban {network}",
        "mute {account} 4s",
        "mute {account}",
        "mute {account}",
        "unmute {account}",
    ),
    *("kick {account}", "kick {account}", "kick {connection}", "kick {connection}"),
    *(*("snoop {account}",) * 5, *("snoop {connection}",) * 3, "snoop"),
    *(*("role {account} {role}",) * 5, "tokens void {account}"),
    *("announce", "report", "report", "recover {account}", "who", "bans", "status", "audit 3", "reports 1"),
    *("shutdown 600", "shutdown cancel", "shutdown 9"),
)
_PHRASES: Final = OperationsPhrases(  # to the players concerned, in a form in which the invariants know them
    you_are_kicked="[kicked {why}]",
    you_are_banned="[banned]",
    you_are_muted="[muted]",
    you_are_snooped=WATCHED,
    you_are_snooped_no_more="[not watched]",
    snoop_over="[snoop over]",
    announcement="[announced {text}]",
    shutdown_in="{text}",
    shutdown_cancelled="[stays open]",
    recovery="A code is made.",  # the simulated owner reads it on paper
)


class _Actor:
    """A connection that uses the verbs; their answers are numbered as all lines of the game."""

    def __init__(self, game: StaffedGame, connection: Connection) -> None:
        self._game, self._connection = game, connection

    @property
    def session(self) -> Session | None:
        """The session that it plays."""
        return self._connection.session

    def write(self, text: str, /) -> None:
        """Show plain characters of a text, in one row."""
        self._game.say(self._connection, " " + re.sub(r"[^\w .:,/]", "", text, flags=re.ASCII)[:40])


class StaffedGame(StoredGame):
    """The game of one life."""

    more_records: ClassVar[tuple[type[Record], ...]] = Operations.records

    def _build(self, world: World) -> Hooks:
        hooks = super()._build(world)
        self._operations = Operations(self.played.accounts, phrases=_PHRASES)
        self._requests = 0  # that no player has typed
        hooks.include(self._operations.hooks)
        hooks.on(Connect, order=FIRST)(self._observe)
        hooks.on(Admitted)(self._arrive)
        trace = self._trace
        assert trace.storage is not None
        trace.staff = StaffTrace(trace.server, trace.storage, lambda text: trace.fault("I-30", text))
        return hooks

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return a verb of the staff, speech, or a line of the game with records."""
        if chance.random() < 0.6:
            return super().line(player, chance)
        return self._numbered(player, "speak" if chance.random() < 0.3 else f"op {self._verb(chance)}")

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return a line that enters a character of an account."""
        return [f"play {chance.choice(STAFF)}"]

    def _verb(self, chance: Random) -> str:
        return chance.choice(_LINES).format(
            account=chance.choice(STAFF).lower(),
            connection=f"#{chance.randint(1, max(1, len(self._trace.players)))}",
            network=f"2001:db8:0:{chance.randint(1, 3)}::{chance.choice(('/64', '/64', '1', '2', '4', '7'))}",
            role=chance.choice(ROLES),
        )

    # Hooks

    def _wind(self, event: Started) -> None:
        super()._wind(event)
        server = event.server
        server.start_soon(self.command, "role dora owner")
        server.every(STAFF_INTERVAL, self._stir)
        server.every(CONSOLE_INTERVAL, lambda: server.start_soon(self.command, self._console_line()))

    def _arrive(self, event: Admitted) -> Awaitable[object] | None:
        """Let most players begin as a character."""
        if self._chance.random() < 0.7:
            return self.played.play(event.connection, STAFF[event.connection.number % len(STAFF)])
        return None

    def _observe(self, event: Connect) -> None:
        if self._trace.staff is not None:
            self._trace.staff.meet(event.connection)

    def _obey(self, event: Input) -> Awaitable[object] | None:
        first, *words = event.line.split() or [""]
        if first == "op" and len(words) > 1:
            self.say(event.connection)
            return self.use(event.connection, " ".join(words[:-1]), words[-1])
        if first == "speak":
            self.speak(event.connection)
            return None
        return super()._obey(event)

    # Actions

    def _stir(self) -> None:
        """Let players speak, and staff use verbs, also while earlier ones wait for the audit."""
        for session in self._trace.server.sessions:
            connection, account = session.connection, self.played.accounts.account_of(session)
            if account is None or connection is None or connection.ending is not None:
                continue
            if self._chance.random() < 0.2:
                self.speak(connection)
            elif account.role >= Role.ADMIN and self._chance.random() < 0.5:
                connection.start_soon(self.use, connection, self._verb(self._chance), self._next_number())

    async def use(self, connection: Connection, line: str, number: str) -> None:
        """Use a verb as the player of a connection."""
        actor = _Actor(self, connection)
        try:
            answer: Awaitable[object] | None = self._operations.commands.obey(actor, _with_number(line.split(), number))
            if inspect.isawaitable(answer):
                await answer
        except Mistake as mistake:
            actor.write(str(mistake))
        except StorageError:
            self.say(connection, " no disk")
        except Exception as error:  # noqa: BLE001 - of any kind
            self._trace.fault("I-30", f"{line!r} raised {error!r}")

    def speak(self, connection: Connection) -> None:
        """Say something to all players, unless the speaker is muted."""
        account = self.played.accounts.account_of(connection.session)
        if account is None:
            return
        try:
            self._operations.check_speech(connection)
        except Mistake:
            self.say(connection, " muted")
            return
        for other in connection.server.connections:
            self.say(other, f" speech of {account.key}")

    async def command(self, line: str) -> None:
        """Use a verb at the console."""
        obey = self._trace.server.operator_commands
        assert obey is not None
        answer = obey(ConsoleOperator(), _with_number(line.split(), self._next_number()))
        if inspect.isawaitable(answer):
            try:
                await answer
            except StorageError:
                return  # the console would show it

    def _next_number(self) -> str:
        self._requests += 1
        return f"#0.{self._requests}"

    def _console_line(self) -> str:
        """Return a verb that lifts a sanction, changes a role, or does any other thing."""
        sanctions = [each for each in self._operations.sanctions if not each.until]
        if sanctions and self._chance.random() < 0.5:
            lifted = self._chance.choice(sanctions)
            return f"{'unmute' if lifted.kind == 'mute' else 'unban'} {lifted.subject}"
        if self._chance.random() < 0.5:
            return f"role {self._chance.choice(STAFF).lower()} {self._chance.choice(ROLES)}"
        return self._verb(self._chance)


def _with_number(words: Sequence[str], number: str) -> str:
    """Return a line for the staff's verbs, with the number of the request if it ends in words."""
    if words[0] in _NUMBERED:
        return " ".join((*words, number))
    if words[0] == "shutdown" and words[1:2] != ["cancel"]:
        return " ".join((*words, f"[closing {number}]"))
    return " ".join(words)
