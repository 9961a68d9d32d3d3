"""The accounts of the game with records: players log in, take over, come back with tokens, recover and delete.

All passwords, tokens and codes begin with the canary, so that I-22 finds them wherever they appear. The passwords of an
account are one of two, and tokens are numbered by life, so that players know them after a restart.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from ... import Dialog, Hooks, InvalidToken, SessionResumed, SessionStarted, Started, Text
from ...accounts import Account, AccountOptions, Accounts, Login, Name, appearance, ask_new_password
from ...driver.connection.connection import Connection
from ...driver.sessions.session import Session
from ...errors import ConnectionEnded, EntryRefused, LocalProtocolError, Overloaded, StorageError, TooManyTries
from ...storage import inline
from ...world import Traveller, World
from . import inside
from .players import CANARY, SimulatedPlayer
from .stay_trace import StayTrace
from .trace import Trace

MAP: Final = Path(__file__).with_name("hall.toml")
NAMES: Final = ("Dora", "Edda", "Fynn")
GUESTS: Final = ("Gero", "Hild", "Dora")  # one of them has an account
LINES: Final = ("recover", "recover", "erase", "erase", "purge", "carve", "logout")
_OPTIONS: Final = AccountOptions(
    plain="allow",
    plain_gmcp=True,
    hash_memory=8,
    hash_passes=1,
    first_penalty=0.2,
    max_penalty=0.5,
    deletion_days=2,
)
_TEXTS: Final = {  # of the form in which the invariants know the lines of the game
    "login_hint": "[log in]",
    "login_guest_hint": "[or guest]",
    "login_question": "login ",
    "name_question": "name ",
    "password_question": "password ",
    "password_new": "new ",
    "password_again": "again ",
    "password_different": "[different]",
    "password_short": "[short]",
    "password_long": "[long]",
    "login_wrong": "[wrong]",
    "login_wait": "[wait]",
    "login_over": "[no login]",
    "login_busy": "[busy]",
    "login_not_saved": "[not saved]",
    "login_unreadable": "[unreadable]",
    "login_gone": "[gone]",
    "name_length": "[length]",
    "name_letters": "[letters]",
    "name_deceptive": "[deceptive]",
    "name_reserved": "[reserved]",
    "name_taken": "[taken]",
    "taken_over_from": "[taken over from there]",
    "recovery_used": "[code used]",
    "recovery_notice": "[code made]",
    "delete_done": "[deleted]",
    "delete_question": "really ",
    "delete_undo": "undo> ",
    "confirm_again": "[yes or no]",
    "no_answer": "[no answer]",
}
_REFUSED: Final = (
    *(ConnectionEnded, EntryRefused, InvalidToken, LocalProtocolError, LookupError),
    *(Overloaded, StorageError, TooManyTries),
)


class SimulatedHero(Traveller, kind="simulated_hero"):
    """The body of a player, in the hall while it is played."""

    carved: int = 0


class CountingAccounts(Accounts):
    """Accounts that count who is entering, and so holds an account without a stay."""

    entering: Counter[str]

    async def enter(self, connection: Connection, account: Account, character: str) -> Session:
        """Enter, and be counted meanwhile."""
        self.entering[account.key] += 1
        try:
            return await super().enter(connection, account, character)
        finally:
            self.entering[account.key] -= 1


class PlayedAccounts:
    """The accounts of one life, and the lines about them.

    Attributes:
        accounts: The accounts.
        hooks: Their functions, and those of the game about them.
    """

    def __init__(self, trace: Trace, world: World) -> None:
        numbers = itertools.count(1)
        trace.server.texts = replace(trace.server.texts, **_TEXTS)
        self._trace = trace
        self._chance = Random(f"accounts {trace.plan.seed} {trace.plan.life}")
        self._codes: list[tuple[str, str]] = []  # name and code
        self._tokens = [
            f"{name.lower()}.{_token(life, number)}"
            for life, name, number in itertools.product(range(trace.plan.life), NAMES, (1, 2))
        ]
        self.accounts = CountingAccounts.of(
            world,
            SimulatedHero,
            options=_OPTIONS,
            execute=inline,
            new_secret=lambda: _token(trace.plan.life, next(numbers)),
        )
        self.accounts.entering = Counter()
        self.hooks = Hooks()
        self.hooks.include(self.accounts.hooks)
        self.hooks.on(Started)(self._bring_accounts)
        self.hooks.on(SessionStarted)(self._give_token)
        self.hooks.on(SessionResumed)(self._give_token)
        trace.stays = StayTrace(world.store, SimulatedHero, lambda: self.accounts.entering)

    # Hooks

    async def _bring_accounts(self, event: Started) -> None:
        """Make the first two accounts, so that players log in from the start; an operator makes codes now and then."""
        event.server.every(5.0, lambda: event.server.start_soon(self.recover))
        store = self.accounts.store
        for name in NAMES[:2]:
            key = name.lower()
            hashed = await self.accounts.passwords.hash(f"{CANARY}{key}-1-end")
            if not any(inside.is_on_disk(store, (family, key)) for family in ("name", "account", "thing")):
                store.add(Name(look=appearance(name), account=key), key)
                store.add(Account(name=name, password=hashed, characters=(key,), salt="salt"), key)
                store.add(SimulatedHero(name=name, account=key), key)

    def _give_token(self, event: SessionStarted | SessionResumed) -> None:
        """Give the player a token, on paper."""
        if self.accounts.account_of(event.session) is not None:
            self._tokens.append(str(self.accounts.resume_token(event.session)))

    # Lines that players may type

    def conversation(self, player: SimulatedPlayer, line: Callable[[str], str], chance: Random) -> Sequence[str]:
        """Return a line that starts a dialog, and its questions and answers in turn."""
        match chance.choice(("account", "account", "account", "guest", "show", "show", "change", "delete")):
            case "guest":
                first, texts = line("account"), self._trace.server.texts
                who = [_question(texts.login_question, first), "guest"]
                return [first, *who, _question(texts.name_question, first), chance.choice(GUESTS)]
            case "delete":
                first = line("delete")
                question = _question(self._trace.server.texts.delete_question, first)
                return [first, question, _password(chance.choice(NAMES), chance)]
            case "show" if self._tokens:
                first = line("show")
                return [
                    first,
                    _question("token ", first),
                    self._tokens[-1] if chance.random() < 0.7 else chance.choice(self._tokens),
                ]
            case "change":
                first, password = line("change"), _password(chance.choice(NAMES), chance)
                return [first, *self._new_password(first, password)]
            case _:
                known = [name for name in NAMES if inside.is_on_disk(self.accounts.store, ("account", name.lower()))]
                names: Sequence[str] = known if known and chance.random() < 0.8 else NAMES
                if self._codes and chance.random() < 0.6:
                    names = [self._codes[-1][0]]
                return self._log_in(line("account"), chance.choice(names), chance)

    def _log_in(self, first: str, name: str, chance: Random) -> list[str]:
        texts, store = self._trace.server.texts, self.accounts.store
        who, password = _question(texts.login_question, first), _password(name, chance)
        if not inside.is_on_disk(store, ("account", name.lower())):
            named = [who, "new", _question(texts.name_question, first), name]
            return [first, *named, *self._new_password(first, password)]
        answers = [first, who, name, _question(texts.password_question, first)]
        codes = [code for owner, code in self._codes if owner == name]
        if codes and chance.random() < 0.6:
            answers += [codes[-1], *self._new_password(first, password)]
        else:
            answers.append(password)
        if name.lower() in store.value("trio_mud.deletions", {}):
            answers += [texts.delete_undo, chance.choice(("yes", "yes", "no"))]
        return answers

    def _new_password(self, first: str, password: str) -> list[str]:
        texts = self._trace.server.texts
        return [_question(texts.password_new, first), password, _question(texts.password_again, first), password]

    # Actions of the lines

    async def play(self, connection: Connection, name: str) -> None:
        """Enter a character without a question; make its account if there is none."""
        accounts = self.accounts
        with suppress(*_REFUSED):
            account = await accounts.find(name)
            if account is None:
                account = await accounts.create(connection, name, f"{CANARY}{name.lower()}-1-end")
            if not account.is_deleted:
                await accounts.enter(connection, account, account.characters[0])

    def log_in(self, connection: Connection, asked_by: str) -> None:
        """Start the login."""
        self._talk(connection, _NumberedLogin(self, asked_by).run)

    def show_token(self, connection: Connection, asked_by: str) -> None:
        """Ask for a token, and use it."""

        async def run(dialog: Dialog) -> None:
            token = await self.ask(dialog, "token ", asked_by, is_hidden=True)
            with suppress(*_REFUSED):
                await self.accounts.resume(connection, token)

        self._talk(connection, run)

    def change(self, connection: Connection, asked_by: str) -> None:
        """Ask for a new password, and store its hash."""

        async def run(dialog: Dialog) -> None:
            account = self.accounts.account_of(connection.session)
            if account is None:
                return
            password = await ask_new_password(dialog, self.accounts, account.name, partial(self._ask_for, asked_by))
            if password is not None:
                with suppress(*_REFUSED):
                    await self.accounts.set_password(account, password)

        self._talk(connection, run)

    def delete(self, connection: Connection, asked_by: str) -> None:
        """Ask for the password, and delete the account of the player."""

        async def run(dialog: Dialog) -> None:
            account = self.accounts.account_of(connection.session)
            if account is None:
                return
            question = self._trace.server.texts.delete_question
            password = await self.ask(dialog, question, asked_by, is_hidden=True)
            with suppress(*_REFUSED):
                if await self.accounts.authenticate(connection, account.name, password) is account:
                    await self.accounts.delete(account)

        self._talk(connection, run)

    async def recover(self) -> None:
        """Give the owner of an account a recovery code, on paper."""
        name = self._chance.choice(NAMES)
        with suppress(*_REFUSED):
            self._codes.append((name, str(await self.accounts.recovery_code(name))))

    async def erase(self, connection: Connection) -> None:
        """Delete the account of the player."""
        account = self.accounts.account_of(connection.session)
        if account is not None:
            with suppress(*_REFUSED):
                await self.accounts.delete(account)

    async def purge(self) -> None:
        """Count a day."""
        await self.accounts.purge()

    def log_out(self, connection: Connection) -> None:
        """End the session of the player."""
        if connection.session is not None:
            connection.session.leave("[away]")

    def carve(self, connection: Connection) -> None:
        """Change the body of the player."""
        body = connection.session.body if connection.session is not None else None
        if isinstance(body, SimulatedHero):
            body.carved += 1

    # Questions

    async def ask(self, dialog: Dialog, question: Text, asked_by: str, *, is_hidden: bool) -> str:
        """Ask, with the number of the requesting line in the prompt, and report the answer."""
        text = f"{question}{asked_by}> "
        line = await (dialog.ask_hidden(text) if is_hidden else dialog.ask(text))
        self._trace.took(dialog.connection, line)
        return line

    async def _ask_for(self, asked_by: str, dialog: Dialog, question: Text, *, is_hidden: bool = False) -> str:
        return await self.ask(dialog, question, asked_by, is_hidden=is_hidden)

    def _talk(self, connection: Connection, run: Callable[[Dialog], Awaitable[None]]) -> None:
        if connection.dialog is None:
            self._trace.watch(connection).may_skip = True
            connection.start_dialog(run)


class _NumberedLogin(Login):
    def __init__(self, played: PlayedAccounts, asked_by: str) -> None:
        super().__init__(played.accounts)
        self._played, self._asked_by = played, asked_by

    async def ask(self, dialog: Dialog, question: Text, *, is_hidden: bool = False) -> str:
        return await self._played.ask(dialog, question, self._asked_by, is_hidden=is_hidden)


def _question(question: str, line: str) -> str:
    return f"{question}{line.split()[-1]}> "


def _password(name: str, chance: Random) -> str:
    return f"{CANARY}{name.lower()}-{chance.choice((1, 2))}-end"


def _token(life: int, number: int) -> str:
    return f"{CANARY}token-{life}-{number}-end"
