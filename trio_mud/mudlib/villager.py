"""The body of a player: what it wants, what it reads, and how it reads it.

It is the `body` of its session, and the actor of every command. It outlives a dead link, for as long as the session
waits. With an account it is stored, with everything it carries; without one it is gone when the session is over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trio_mud import Client, Connection, Dialog, HookEvent, MasterServer, Session, Text, wrap
from trio_mud.accounts import same_name
from trio_mud.storage import live
from trio_mud.world import Being, Room, Traveller

from .phrases import FIGHTING

__all__ = ["AUTO", "COLOURS", "Fallen", "Villager", "page_width", "villager_of", "villagers", "villagers_in"]

AUTO = "auto"  # a preference that is not chosen
COLOURS = {"off": 0, "16": 16, "256": 256, "true": 1 << 24}
MENDS = 15.0  # seconds until a wounded player gains a drop of health
PAGE = 79  # columns; longer lines of prose are hard to follow, however wide the window is

_PREFER: Mapping[str, tuple[str, Callable[[Client, str], None]]] = {
    "colour": ("colours", lambda client, choice: client.prefer(colours=COLOURS[choice])),
    "reader": ("screen_reader", lambda client, choice: client.prefer(screen_reader=choice == "on")),
    "charset": ("charset", lambda client, choice: client.prefer(charset=choice)),
}


class Villager(Traveller, Being):
    """A player in the valley.

    Attributes:
        colour: The preferred number of colours, a key of `COLOURS`.
        reader: "on" if a screen reader reads to the player, "off" if not.
        charset: The preferred charset.
        draft: A note that is begun and not pinned up; "" if there is none.
        letter_draft: A letter that is begun and not sent.
        ignored: The names of players who are not heard, by their `person`.
        left_channels: The channels that the player does not listen to.
        last_teller: The name of the last player who told this one something.
        away: The message of a player who is away from the keyboard; "" for one who is not.
        away_read_by: The `person` of each player who has read it.
        speech_rule: Called with the player before their words reach others; raises Mistake to forbid them.
        is_absent: True if the others have seen the link die, and have not seen the player return.
            That is not the same as having no connection: the event of a lost link comes a little later.
    """

    colour: str = AUTO
    reader: str = AUTO
    charset: str = AUTO
    draft: str = ""
    letter_draft: str = ""
    ignored: dict[str, str] = {}  # noqa: RUF012  a Record copies it
    left_channels: tuple[str, ...] = ()
    is_absent: bool = live(default=False)
    last_teller: str = live(default="")
    away: str = live(default="")
    away_read_by: frozenset[str] = live(default=frozenset())
    speech_rule: Callable[[Villager], object] | None = live()

    sentences = FIGHTING

    @property
    def here(self) -> Room:
        """The room around the player, who is in one whenever a command runs."""
        room = self.room
        assert room is not None, f"{self!r} is in no room"
        return room

    @property
    def person(self) -> str:
        """The key by which others ignore the player: that of the account; of a guest, that of the name."""
        return self.account or same_name(self.name)

    def ignores(self, other: Villager) -> bool:
        """Return True if nothing of the other player is heard."""
        return bool(self.ignored) and other.person in self.ignored

    def check_speech(self) -> None:
        """Raise Mistake if the player may not speak to others just now."""
        if self.speech_rule is not None:
            self.speech_rule(self)

    def listens_to(self, channel: str) -> bool:
        """Return True if the player hears this channel."""
        return channel not in self.left_channels

    @property
    def connection(self) -> Connection | None:
        """The connection of the player; None while the link is dead."""
        return self.session.connection if self.session is not None else None

    @property
    def client(self) -> Client:
        """The program of a player who has just typed something, and so has one."""
        connection = self.connection
        assert connection is not None, f"{self!r} types without a connection"
        return connection.client

    @property
    def listens(self) -> bool:
        """True if a screen reader reads to the player, who wants words, in as few lines as there are sentences."""
        return self.connection is not None and self.connection.client.screen_reader

    @property
    def columns(self) -> int | None:
        """The columns of the window; None if they are not known, or no player looks at it."""
        return self.connection.client.rendering.width if self.connection is not None else None

    @property
    def page_columns(self) -> int | None:
        """The columns that prose may take; None if no line is to be broken."""
        return page_width(self.connection) if self.connection is not None else None

    def write(self, text: Text, /) -> bool:
        """Show the player a text, in lines no wider than a page; while the link is dead it is kept."""
        connection = self.connection
        # The window in which a kept text will be read may have another width.
        return super().write(text if connection is None else wrap(text, page_width(connection)))

    def hear(self, text: Text) -> None:
        """Show what happens around, in lines as wide as the window.

        It goes to the session, which keeps it if the link turns out to be dead.
        """
        super().write(text)

    def read(self, text: Text) -> None:
        """Show a long text: a page at a time, if the player looks at a window and it does not fit there."""

        async def turn_pages(dialog: Dialog) -> None:
            await dialog.page(wrap(text, page_width(dialog.connection)))
            self.prompt()

        if self.connection is not None:
            self.connection.start_dialog(turn_pages)

    def gmcp(self, package: str, data: object) -> None:
        """Send the player's program a message. It is not kept: all is sent again when the player returns."""
        if self.connection is not None:
            self.connection.gmcp(package, data)

    def tell_health(self) -> None:
        """Send the player's program how well they are."""
        self.gmcp("Char.Vitals", {"hp": self.health, "maxhp": self.max_health})
        if self.connection is not None:
            self.connection.msdp("HEALTH", self.health)
            self.connection.msdp("HEALTH_MAX", self.max_health)

    def hurt(self) -> None:
        """Called after a blow: show how well the player is, and begin to get better."""
        self.tell_health()
        if self.time_left(self.mend) is None:
            self.after(MENDS, self.mend)

    def mend(self) -> None:
        """Get a little better, out of a fight."""
        if self.foe is None:
            self.heal(1)
        if self.health < self.max_health:
            self.after(MENDS, self.mend)

    def die(self) -> None:
        """Fall, and wake up where players begin; the belongings stay behind."""
        here = self.here
        super().die()
        if self.session is not None:
            self.session.server.post(Fallen(self, here))

    def heal(self, health: int) -> None:
        """Gain health, up to the most there is."""
        self.health = min(self.health + health, self.max_health)
        self.tell_health()

    def prompt(self) -> None:
        """Show that it is the player's turn. A listener knows it by the silence."""
        if self.connection is not None and not self.listens:
            self.connection.prompt("> ")

    def prefer(self, name: str, choice: str) -> None:
        """Choose how the valley is shown, from now on and after each return.

        Raises:
            ValueError: There is no such charset.
        """
        fact, prefer = _PREFER[name]
        if choice == AUTO:
            self.client.clear_preference(fact)
        else:
            prefer(self.client, choice)
        setattr(self, name, choice)

    def apply_preferences(self) -> None:
        """Show the valley as the player has chosen, on the link that is new."""
        if self.connection is not None:
            for name in _PREFER:
                if (choice := getattr(self, name)) != AUTO:
                    self.prefer(name, choice)


@dataclass(frozen=True, slots=True)
class Fallen(HookEvent):
    """A player has died in a room, and wakes up where players begin."""

    who: Villager
    where: Room


def villager_of(session: Session | None) -> Villager | None:
    """Return the body of a session; None if there is none."""
    return session.body if session is not None and isinstance(session.body, Villager) else None


def villagers(server: MasterServer) -> list[Villager]:
    """Return all players who are in the valley, in the order they came."""
    bodies = [villager_of(session) for session in server.sessions]
    return [body for body in bodies if body is not None and body.room is not None]


def villagers_in(room: Room) -> list[Villager]:
    """Return the players who are in a room, in the order they came."""
    return [thing for thing in room.contents if isinstance(thing, Villager)]


def page_width(connection: Connection) -> int | None:
    """Return the columns that prose may take; None for a screen reader, which would stop at each line's end."""
    if connection.client.screen_reader:
        return None
    return min(connection.client.rendering.width or PAGE, PAGE)
