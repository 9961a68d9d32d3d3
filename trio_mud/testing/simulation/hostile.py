"""A small hostile game: its hooks raise, hang, spin, swallow cancellations, and end or start anything possible.

Each line it writes is numbered, such as `<3:7>` for the seventh line to the third connection, so that lost lines are
detected. Each action is requested by a typed line, so that the script determines everything.

Used by `games`; it uses only public names of the driver.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final

import trio

from ...driver.connection.connection import Connection, broadcast
from ...driver.connection.dialog import Dialog
from ...driver.connection.events import Admitted, Connect, Disconnect, Input, WindowSize
from ...driver.core.events import Cause, HookEvent
from ...driver.core.hooks import Hooks
from ...driver.server.events import Started
from ...driver.server.server import MasterServer
from ...driver.sessions.events import LinkLost, SessionEnded, SessionRestored, SessionResumed, SessionStarted
from ...driver.sessions.registry import Duplicate
from ...driver.sessions.session import Session
from ...errors import ConnectionEnded, InvalidToken, LocalProtocolError, Overloaded, SessionInUse
from .by_words import StoredRecords
from .players import SimulatedPlayer
from .trace import Trace

OUTCOMES: Final = (
    *("welcome",) * 10,
    *("refuse", "raise", "hang", "wait", "wait", "quit", "dialog", "quit and refuse", "work", "login", "stubborn"),
)
HIDES: Final = "hide {}> "  # contains the requesting line, to identify the question
KEYS: Final = ("ann", "bob", "cid")
POLICIES: Final = {"take": Duplicate.TAKE_OVER, "keep": Duplicate.REFUSE, "share": Duplicate.SHARE}
_SPEECH: Final = ("hello", "é漢🙂", "\x1b[31mred\x1b[0m", "\x9b2J\x07beep", "\x1b]52;c;x\x07", "50% <b>\u202e")
_LINES: Final = (
    *("look",) * 5,
    "think",
    *("wait 0", "wait 0.1", "wait 1", "hang", "spin", "stubborn", "raise", "group", "exit group"),
    *("quit", "kick", "shout", "shout", "all", "tick 0", "tick 1", "every 0.3", "ask", "ask", "ask 1", "secret"),
    *("work 0.5", "work raise", "drop", "post", "leave", "token", "session tick", "session work", "swap", "name"),
    *(
        "server tick 0.5",
        "server work",
        "tell",
        "prompt",
        "gmcp",
        "read",
        "read",
        "dialog raise",
        "dialog deadline",
        "twice",
    ),
)


@dataclass(frozen=True, slots=True)
class Posted(HookEvent):
    """An event of the game's own type."""

    depth: int


class Stumble(Exception):
    """Raised by hostile hooks."""


class HostileGame:
    """The game of one run."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._counts: dict[int, int] = {}
        self.hooks = Hooks()
        self.records: StoredRecords | None = None
        self.tokens: list[str] = []
        self._used: set[str] = set()
        on = self.hooks.on
        on(Started)(self._wind)
        on(Connect)(self._at_the_door)
        on(Admitted)(self._inside)
        on(Input)(self._obey)
        on(WindowSize)(self._look_at_window)
        on(Disconnect)(self._mourn)
        on(SessionStarted)(self._come)
        on(SessionResumed)(self._come)
        on(LinkLost)(self._miss)
        on(SessionEnded)(self._part)
        on(Posted)(self._repeat)
        if trace.plan.is_split and trace.plan.seed % 2:
            on(SessionRestored)(self._go_on)

    # Lines that players may type

    def line(self, player: SimulatedPlayer, chance: Random) -> str:
        """Return a line to type."""
        line = chance.choice(_LINES)
        if line == "shout":
            line = f"shout {chance.choice(_SPEECH)}"
        return self._numbered(player, line)

    def _numbered(self, player: SimulatedPlayer, line: str) -> str:
        player.typed += 1
        return f"{line} #{player.number}.{player.typed}"

    def secret(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return a hidden question, its prompt, and the answer to type after the prompt."""
        line = self._numbered(player, chance.choice(("secret", "secret", "secret raise")))
        return [line, HIDES.format(line.split()[-1]), player.next_secret()]

    def enter(self, who: int, chance: Random) -> Sequence[str]:
        """Return lines that enter the given character; sometimes with a wait, like a database query."""
        verb = chance.choice(("enter", "enter", "login 0.3", "login 1"))
        return [f"{verb} {KEYS[who % 3]} {chance.choice(('take', 'take', 'take', 'keep', 'share'))}"]

    def come_back(self, player: SimulatedPlayer, chance: Random) -> Sequence[str]:
        """Return lines that enter one of the characters."""
        return self.enter(player.number, chance)

    def use_token(self, chance: Random) -> Sequence[str]:
        """Return a line that uses a token given earlier."""
        return [f"resume {chance.choice(self.tokens)}"] if self.tokens else []

    def leave(self, chance: Random) -> Sequence[str]:
        """Return a line that quits, or ends the session."""
        return [chance.choice(("quit", "quit", "leave"))]

    def slow(self, player: SimulatedPlayer) -> Sequence[str]:
        """Return a line that hangs until the deadline."""
        return [self._numbered(player, "hang")]

    def post(self, server: MasterServer, chance: Random) -> bool:
        """Post more events than there is room for."""
        with suppress(Overloaded):
            for depth in range(chance.choice((1, 5))):
                server.post(Posted(depth))
        return True

    def close(self) -> None:
        """Leave nothing: the game is all in memory."""

    # Output

    def say(self, connection: Connection, more: str = "") -> None:
        """Write a numbered line."""
        number = self._counts.get(connection.number, 0)
        self._counts[connection.number] = number + 1
        line = f"<{connection.number}:{number}{more}>"
        self._trace.said(connection, line, connection.write(line))

    def _say_to_session(self, session: Session) -> None:
        session.write("(of the stay)")

    # Hooks

    def _wind(self, event: Started) -> None:
        event.server.every(0.7, lambda: event.server.post(Posted(9)))

    def _at_the_door(self, event: Connect) -> Awaitable[object] | None:
        connection = event.connection
        player = self._trace.player_of(connection)
        outcome = player.outcome if player is not None else "welcome"
        self.say(connection)
        match outcome:
            case "refuse":
                connection.refuse("[no]")
            case "raise":
                raise Stumble("at the door")
            case "hang":
                return _sleep(60)
            case "wait":
                return _sleep(0.2)
            case "stubborn":
                return self._be_stubborn()
            case "quit":
                connection.quit("[bye]")
            case "quit and refuse":
                connection.quit("[bye]")
                connection.refuse("[no]")
            case "dialog":
                connection.start_dialog(self._talk)
            case "login":
                connection.start_dialog(self._log_in, deadline=20)
            case "work":
                connection.start_soon(trio.sleep_forever)
                connection.every(0.4, lambda: self._tick(connection))
            case _:
                pass
        return None

    def _inside(self, event: Admitted) -> None:
        self.say(event.connection)

    def _obey(self, event: Input) -> Awaitable[object] | None:
        connection = event.connection
        self.say(connection, " é漢" if len(event.line) % 3 == 0 else "")
        words = event.line.split() or [""]
        action = _ACTIONS.get(words[0])
        return action(self, connection, words[1:]) if action is not None else None

    def _look_at_window(self, event: WindowSize) -> None:
        self.say(event.connection)

    def _mourn(self, event: Disconnect) -> Awaitable[object] | None:
        connection, trace = event.connection, self._trace
        if connection.write("too late") or connection.prompt("too late"):
            trace.fault("I-5", f"{connection.name} was written to in its disconnect hook")
        connection.quit("too late")
        connection.start_soon(trio.sleep_forever)
        connection.after(0, lambda: trace.fault("I-4", f"{connection.name} ticked after its end"))
        match connection.number % 5:
            case 1:
                return _sleep(0.3)
            case 2:
                raise Stumble("at the grave")
            case 3:
                return self._be_stubborn()
            case _:
                return None

    def _come(self, event: SessionStarted | SessionResumed) -> Awaitable[object] | None:
        session = event.session
        self._say_to_session(session)
        if session.connection is not None:
            self.give_token(session.connection)
        return _sleep(0.2) if session.key == "bob" else None

    def _go_on(self, event: SessionRestored) -> Awaitable[object] | None:
        session = event.session
        self._say_to_session(session)
        if session.connection is not None:
            self.give_token(session.connection)
        return _sleep(0.2) if session.key == "ann" else None

    def _miss(self, event: LinkLost) -> Awaitable[object] | None:
        self._say_to_session(event.session)
        return _sleep(0.2) if event.session.key == "cid" else None

    def _part(self, event: SessionEnded) -> None:
        if event.session.write("too late"):
            self._trace.fault("I-21", f"{event.session!r} was written to after it had ended")

    def _repeat(self, event: Posted) -> None:
        if event.depth < 2:
            with suppress(Overloaded):
                self._trace.server.post(Posted(event.depth + 1))

    # Actions of the lines

    def _tick(self, connection: Connection) -> None:
        if connection.ending is not None:
            self._trace.fault("I-4", f"{connection.name} ticked after its ending was decided")
        self.say(connection)

    async def _be_stubborn(self) -> None:
        try:
            await trio.sleep(60)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.3)

    async def _spin(self) -> None:
        for _ in range(20):
            await trio.lowlevel.checkpoint()

    async def _think(self, connection: Connection) -> None:
        began = trio.current_time()
        await trio.to_thread.run_sync(_think)
        if trio.current_time() != began:
            self._trace.fault("threads", f"{trio.current_time() - began:g} s passed while a thread of true time worked")
        self.say(connection)

    async def _talk(self, dialog: Dialog, within: float | None = None) -> None:
        connection = dialog.connection
        for _ in range(2):
            try:
                line = await dialog.ask("ask> ", within=within)
            except trio.TooSlowError:
                return
            self._trace.took(connection, line)
            self.say(connection)

    async def _log_in(self, dialog: Dialog) -> None:
        await dialog.client_ready()
        name = await dialog.ask("name> ")
        self._trace.took(dialog.connection, name)
        await self._ask_secret(dialog)
        if dialog.connection.session is None:
            self.enter_as(dialog.connection, KEYS[len(name) % 3], Duplicate.TAKE_OVER)

    async def _ask_secret(self, dialog: Dialog, asked_by: str = "", *, fails: bool = False) -> None:
        connection = dialog.connection
        self._trace.watch(connection).may_skip = True
        secret = await dialog.ask_hidden(HIDES.format(asked_by))
        self._trace.took(connection, secret)
        self.learn(connection, secret)
        self.say(connection)
        if fails:
            raise Stumble("after a secret")

    def learn(self, connection: Connection, secret: str) -> None:
        """Do nothing with the answer to a hidden question."""

    def enter_as(self, connection: Connection, key: str, policy: Duplicate) -> None:
        """Enter a session, ignoring refusals."""
        try:
            session = connection.server.sessions.enter(key, connection, body=connection.number, on_duplicate=policy)
        except (SessionInUse, ConnectionEnded, LocalProtocolError):
            self.say(connection)
        else:
            self._check_entry(connection, session)

    def _check_entry(self, connection: Connection, session: Session) -> None:
        if connection.ending is not None:
            self._trace.fault("I-21", f"{connection.name} entered {session!r} after its ending was decided")

    def resume(self, connection: Connection, token: str) -> None:
        """Resume with a token, ignoring refusals."""
        try:
            session = connection.server.sessions.resume(token, connection)
        except (InvalidToken, ConnectionEnded, LocalProtocolError):
            self.say(connection)
            return
        if token in self._used:
            self._trace.fault("I-21", f"the token of {session!r} was good for a second time")
        self._used.add(token)
        self._check_entry(connection, session)

    def give_token(self, connection: Connection) -> None:
        """Create a token of the connection's session for the script."""
        if connection.session is not None:
            try:
                self.tokens.append(connection.session.resume_token())
            except InvalidToken:
                self.say(connection)


# Called with the words after the first; the last of them is the line's number, such as #3.7.
Action = Callable[[HostileGame, Connection, Sequence[str]], "Awaitable[object] | None"]


def _think() -> None:
    """Work in a thread, and call trio from it."""
    time.sleep(0.001)
    trio.from_thread.run_sync(trio.current_time)


async def _sleep(seconds: float) -> None:
    await trio.sleep(seconds)


def _seconds(words: Sequence[str], usual: float) -> float:
    try:
        return min(max(float(words[0]), 0.0), 60.0)
    except (IndexError, ValueError):
        return usual


def _raise(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    raise Stumble("a line")


def _group(game: HostileGame, connection: Connection, words: Sequence[str]) -> Awaitable[object]:
    async def fail() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 60)
            raise Stumble("in a nursery")

    return fail()


def _quit(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    connection.quit("[bye]")


def _twice(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    connection.quit("[bye]")
    connection.quit("[again]", cause=Cause.KICKED)
    connection.refuse("[no]")


def _kick(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    for other in connection.server.connections:
        if other is not connection:
            other.quit("[out]", cause=Cause.KICKED)
            break


def _shout(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    for other in connection.server.connections:
        game.say(other, f" {connection.number} shouts {' '.join(words)}")


def _all(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    broadcast("(to all)", connection.server.connections, exclude=connection)


def _tick(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    connection.after(_seconds(words, 1), lambda: game._tick(connection))


def _every(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    connection.every(max(0.1, _seconds(words, 0.3)), lambda: game._tick(connection))


def _ask(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    if connection.dialog is None:
        within = _seconds(words, 1) if len(words) > 1 else None
        connection.start_dialog(lambda dialog: game._talk(dialog, within))


def _secret(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    if connection.dialog is None:
        connection.start_dialog(lambda dialog: game._ask_secret(dialog, words[-1], fails="raise" in words))


def _dialog(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    async def fail(dialog: Dialog) -> None:
        game._trace.watch(connection).may_skip = True
        await trio.sleep(0.1)
        raise Stumble("in a dialog")

    if connection.dialog is None:
        if "deadline" in words:
            connection.start_dialog(game._talk, deadline=0.5)
        else:
            connection.start_dialog(fail)


def _work(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    async def work() -> None:
        await trio.sleep(_seconds(words, 0.5))
        if connection._inbox.is_gone:
            game._trace.fault("I-14", f"work of {connection.name} goes on after its disconnect event")
        game.say(connection)
        if "raise" in words:
            raise Stumble("at work")

    connection.start_soon(work)


def _drop(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    connection.refuse("[no]")


def _post(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    connection.server.post(Posted(0))  # raises Overloaded, as in a careless game


def _enter(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    if len(words) > 1 and words[1] in POLICIES:
        game.enter_as(connection, words[0], POLICIES[words[1]])


async def _log_in_slowly(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    await trio.sleep(_seconds(words, 0.3))
    _enter(game, connection, words[1:])
    await trio.sleep(0.2)  # so that a takeover may come while its hook still runs


def _leave(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    if connection.session is not None:
        connection.session.leave("[bye]")


def _token(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    game.give_token(connection)


def _resume(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    if words:
        game.resume(connection, words[0])


def _session(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    session = connection.session
    if session is None:
        return

    def tick() -> None:
        if session.ending is not None:
            game._trace.fault("I-21", f"{session!r} ticked after its end")
        game._say_to_session(session)

    if "work" in words:
        session.start_soon(trio.sleep_forever)
    else:
        session.every(0.5, tick)


def _server(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    if "work" in words:
        connection.server.start_soon(trio.sleep_forever)
    else:
        connection.server.after(0.5, lambda: None)


def _swap(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    """Register a function that removes itself while its event runs."""

    def once(event: Input) -> None:
        event.connection.server.hooks.remove(once)

    connection.server.hooks.on(Input)(once)


def _name(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    connection.name = f"somebody {connection.number}"


def _tell(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    for session in connection.server.sessions:
        game._say_to_session(session)


def _read(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    for _ in range(12):
        game.say(connection, " a long page" * 4)


def _prompt(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    connection.prompt("turn> ")


def _gmcp(game: HostileGame, connection: Connection, words: Sequence[str]) -> None:
    connection.gmcp("Room.Info", {"name": "é漢", "id": 255})


_ACTIONS: Final[dict[str, Action]] = {
    "wait": lambda game, connection, words: _sleep(_seconds(words, 0.1)),
    "hang": lambda game, connection, words: _sleep(60),
    "spin": lambda game, connection, words: game._spin(),
    "stubborn": lambda game, connection, words: game._be_stubborn(),
    "think": lambda game, connection, words: game._think(connection),
    "raise": _raise,
    "group": _group,
    "quit": _quit,
    "twice": _twice,
    "kick": _kick,
    "shout": _shout,
    "all": _all,
    "tick": _tick,
    "every": _every,
    "ask": _ask,
    "secret": _secret,
    "dialog": _dialog,
    "work": _work,
    "drop": _drop,
    "post": _post,
    "enter": _enter,
    "login": _log_in_slowly,
    "leave": _leave,
    "token": _token,
    "resume": _resume,
    "session": _session,
    "server": _server,
    "swap": _swap,
    "name": _name,
    "tell": _tell,
    "read": _read,
    "prompt": _prompt,
    "gmcp": _gmcp,
}
