"""The office of a game's staff: roles, permission, the audit, and the accounts and connections that verbs name.

A verb acts in three steps, which `permit` makes: it checks the roles, waits until its entry of the audit is on disk,
and checks the roles again, since another operator may have acted meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trio_mud import Connection, MasterServer, Session
from trio_mud.accounts import Account, Accounts, Name, same_name
from trio_mud.commands import Mistake, Role
from trio_mud.errors import NotSaved

from .actors import ConsoleActor, Staff
from .countdown import Countdown
from .phrases import OperationsPhrases
from .reports import Screens
from .sanctions import Sanctions
from .snoops import Snoops

__all__ = ["AUDIT", "Office"]

AUDIT: Final = "audit"  # the log
AUDIT_TIMEOUT: Final = 3.0  # seconds until an entry is on disk; less than `limits.hook_timeout`
CONSOLE_RANK: Final = 1 << 30  # above every role


class Office:
    """The means of the verbs; `Operations` adds the verbs and the hooks.

    Attributes:
        accounts: The accounts.
        phrases: The sentences.
        sanctions: The bans and mutes.
        snoops: The snoops that run.
        screens: The last lines of each session.
        countdown: The shutdown that is under way.
    """

    def __init__(
        self,
        accounts: Accounts,
        phrases: OperationsPhrases,
        tells_snooped: bool,
        idle_timeouts: Mapping[int, float | None],
    ) -> None:
        self.accounts = accounts
        self.phrases = phrases
        self.sanctions = Sanctions(accounts.store, self.wall_clock)
        self._tells_snooped = tells_snooped
        self.snoops = Snoops(self, tells_snooped=tells_snooped)
        self.screens = Screens()
        self.countdown = Countdown(phrases)
        self._idle_timeouts = dict(idle_timeouts)
        self._server: MasterServer | None = None

    # For games

    def role_of(self, who: Staff) -> int:
        """Return the role of an actor at this moment; the console has that of an owner."""
        if isinstance(who, ConsoleActor):
            return Role.OWNER
        account = self.accounts.account_of(who.session)
        return Role.GUEST if account is None else account.role

    def check_speech(self, who: Staff) -> None:
        """Raise Mistake if this actor is muted; for the verbs of the game by which players reach others."""
        account = self.accounts.account_of(who.session)
        if account is not None and (mute := self.sanctions.get("mute", account.key)) is not None:
            raise Mistake(self.phrases.you_are_muted.format(why=mute.why).strip())

    async def permit(
        self,
        who: Staff,
        verb: str,
        role: int,
        *,
        over: Account | Connection | None = None,
        at_most: int | None = None,
        **entry: Any,
    ) -> None:
        """Check the roles, write an entry of the audit, and check the roles again; for privileged verbs of a game, too.

        Args:
            who: The actor.
            verb: The name of the verb, which the audit notes.
            role: The least role that may use it.
            over: The account that it acts on, whose role must be lower than the actor's; of a connection, the account
                that plays it at each check.
            at_most: The role that it gives away, which must be lower than the actor's.
            entry: What else the audit notes, in JSON's types.

        Raises:
            Mistake: It is not permitted, or the audit could not be written; do not act.
        """
        self._check(who, role, over, at_most)
        store, by = self.accounts.store, self.name_of(who)
        dropped = store.counters["dropped_entries"]
        store.log(AUDIT, event=verb, by=by, role=int(self.role_of(who)), **entry)
        try:
            await store.saved(within=AUDIT_TIMEOUT)
        except NotSaved:
            store.log(AUDIT, event=verb, by=by, outcome="not done", **entry)
            raise Mistake(self.phrases.not_audited) from None
        if store.counters["dropped_entries"] != dropped:
            raise Mistake(self.phrases.not_audited)
        self._check(who, role, over, at_most)

    # For the verbs

    @property
    def server(self) -> MasterServer:
        """The server, once it has started."""
        assert self._server is not None, "the hooks of operations are included, and the server has started"
        return self._server

    def wall_clock(self) -> float:
        """Return the seconds since 1970."""
        return self.server.wall_clock()

    def name_of(self, who: Staff) -> str:
        """Return the name of an actor for the audit: that of its account and of its session."""
        if isinstance(who, ConsoleActor):
            return "console"
        account = self.accounts.account_of(who.session)
        return account.key if account is not None else f"guest {getattr(who.session, 'key', '')}".strip()

    def rank_of(self, who: Staff) -> int:
        """Return the number with which roles of others are compared."""
        return CONSOLE_RANK if isinstance(who, ConsoleActor) else self.role_of(who)

    async def find_account(self, name: str) -> Account:
        """Return the account of this name, or of the character of this name.

        Raises:
            Mistake: There is none.
        """
        account = await self.accounts.store.load(Account, await self._find_key(name))
        if account is None:
            raise Mistake(self.phrases.unknown_account.format(name=name))
        return account

    async def _find_key(self, name: str) -> str:
        """Return the key of the account of this name, or of the character of this name, even if it was destroyed."""
        taken = await self.accounts.store.load(Name, same_name(name))
        return taken.account if taken is not None else same_name(name)

    def find_connection(self, name: str) -> Connection:
        """Return the live connection of a character, or the one called `#7`.

        Raises:
            Mistake: There is none.
        """
        found: Connection | None = None
        if name.startswith("#"):
            found = next((each for each in self.server.connections if f"#{each.number}" == name), None)
        elif (session := self.server.sessions.get(same_name(name))) is not None:
            found = session.connection
        if found is None or found.ending is not None:
            raise Mistake(self.phrases.not_here.format(name=name))
        return found

    def may_watch(self, who: Staff, target: Connection) -> bool:
        """Return whether an actor may see what a connection sees and types, whoever plays it at this moment."""
        try:
            self._check(who, Role.ADMIN, target, None)
        except Mistake:
            return False
        return True

    def set_idle_timeout(self, session: Session) -> None:
        """Give the connection of a session the idle timeout of its role, which may have been lowered."""
        account, connection = self.accounts.account_of(session), session.connection
        role = Role.GUEST if account is None else account.role
        fitting = [least for least in self._idle_timeouts if least <= role]
        if connection is not None and self._idle_timeouts:
            otherwise = self.server.limits.idle_timeout
            connection.idle_timeout = self._idle_timeouts[max(fitting)] if fitting else otherwise

    def _check(self, who: Staff, role: int, over: Account | Connection | None, at_most: int | None) -> None:
        rank = self.rank_of(who)
        if rank < role or (at_most is not None and at_most >= rank):
            raise Mistake(self.phrases.not_permitted)
        account = self.accounts.account_of(over.session) if isinstance(over, Connection) else over
        if account is not None and account.role >= rank:
            raise Mistake(self.phrases.not_over_equals.format(name=account.name))
