"""Operations on one game: the verbs of its staff, and the hooks that enforce bans."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Mapping
from typing import ClassVar

from trio_mud import (
    FIRST,
    Admitted,
    Cause,
    Connect,
    ConsoleOperator,
    Disconnect,
    Hooks,
    Reloaded,
    SessionEnded,
    SessionRestored,
    SessionResumed,
    SessionStarted,
    Started,
)
from trio_mud.accounts import Account, Accounts
from trio_mud.commands import Mistake
from trio_mud.errors import EntryRefused
from trio_mud.storage import Record

from .actors import ConsoleActor
from .office import Office
from .phrases import OperationsPhrases
from .sanctions import Sanction
from .verbs import verbs_of

__all__ = ["Operations"]


class Operations(Office):
    """The operations of one game with accounts.

    Include `hooks` in the hooks of the game, and `commands` in its table of commands.

    Args:
        accounts: The accounts of the game.
        phrases: The sentences of the verbs.
        tells_snooped: False to watch players without a notice to them.
        idle_timeouts: Seconds until an idle connection ends, by the least role to which it applies; None for no limit.
            Without an entry `limits.idle_timeout` holds.

    Attributes:
        commands: The verbs, for the table of the game.
        hooks: The functions that refuse banned addresses and keep what a report needs.
    """

    records: ClassVar[tuple[type[Record], ...]] = (Sanction,)

    def __init__(
        self,
        accounts: Accounts,
        *,
        phrases: OperationsPhrases | None = None,
        tells_snooped: bool = True,
        idle_timeouts: Mapping[int, float | None] | None = None,
    ) -> None:
        super().__init__(accounts, phrases or OperationsPhrases(), tells_snooped, idle_timeouts or {})
        self.commands = verbs_of(self)
        accounts.check_entry = self._check_entry
        self.hooks = Hooks()
        self.hooks.on(Started, order=FIRST)(self._start)
        self.hooks.on(Reloaded, order=FIRST)(self._take_over)
        self.hooks.on(Connect, order=FIRST)(self._check_address)
        self.hooks.on(Admitted, order=FIRST)(self._check_address)  # the ban may have come during the connect hook
        self.hooks.on(SessionStarted, order=FIRST)(self._session_begins)
        self.hooks.on(SessionRestored)(self._session_begins)  # not first: the accounts are
        self.hooks.on(SessionResumed, order=FIRST)(self._session_begins)
        self.hooks.on(SessionEnded)(self._session_ends)
        self.hooks.on(Disconnect)(self._forget)

    def _start(self, event: Started | Reloaded) -> None:
        self._server = event.server
        event.server.operator_commands = self._obey_operator
        self.sanctions.added, self.sanctions.removed = self._ban, self._unban
        for sanction in self.sanctions:
            self._ban(sanction)

    def _take_over(self, event: Reloaded) -> None:
        """Begin as after a start, with what runs since before the reload: snoops, a countdown, the last lines seen."""
        former = getattr(event.server.operator_commands, "__self__", None)
        if isinstance(former, Operations):
            self.screens, self.countdown, self.snoops = former.screens, former.countdown, former.snoops
            self.countdown.phrases, self.snoops.ranks = self.phrases, self
            self.snoops.tells_snooped = self._tells_snooped
            self.sanctions.share_count(former.sanctions)
        self._start(event)

    def _ban(self, sanction: Sanction) -> None:
        """Let the server refuse the connections from a banned network, also at its gateways."""
        if sanction.kind == "network":
            text = self.phrases.you_are_banned.format(why=sanction.why).strip()
            seconds = sanction.until - self.wall_clock() if sanction.until else math.inf
            self.server.ban(sanction.subject, text, seconds=max(0.0, seconds))

    def _unban(self, sanction: Sanction) -> None:
        if sanction.kind == "network":
            self.server.unban(sanction.subject)

    def _check_address(self, event: Connect | Admitted) -> None:
        connection = event.connection
        ban = self.sanctions.of_address(connection.address)
        if ban is None:
            return
        text = self.phrases.you_are_banned.format(why=ban.why).strip()
        if isinstance(event, Connect):
            if not connection.is_refused:  # by a limit, which is counted
                self.server.counters["vetoed: banned"] += 1
            connection.refuse(text)
        else:
            connection.quit(text, cause=Cause.BANNED)

    def _check_entry(self, account: Account) -> None:
        if (text := self._ban_of(account)) is not None:
            raise EntryRefused(text)

    def _ban_of(self, account: Account | None) -> str | None:
        ban = self.sanctions.get("account", account.key) if account is not None else None
        return None if ban is None else self.phrases.you_are_banned.format(why=ban.why).strip()

    def _session_begins(self, event: SessionStarted | SessionRestored | SessionResumed) -> None:
        session = event.session
        text = self._ban_of(self.accounts.account_of(session))
        if text is not None and session.connection is not None:  # the ban came while the account was being loaded
            session.connection.quit(text, cause=Cause.BANNED)
        self.set_idle_timeout(session)
        self.screens.watch(session)

    def _session_ends(self, event: SessionEnded) -> None:
        self.screens.forget(event.session)

    async def _obey_operator(self, operator: ConsoleOperator, line: str) -> None:
        """Run a verb for an operator at the console."""
        try:
            answer: Awaitable[object] | None = self.commands.obey(ConsoleActor(operator), line)
            if inspect.isawaitable(answer):
                await answer
        except Mistake as mistake:
            operator.fail(str(mistake))

    def _forget(self, event: Disconnect) -> None:
        self.snoops.forget(event.connection)
