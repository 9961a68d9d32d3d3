"""Chatting: channels, which reach everybody who listens, and keep what was said last."""

from collections.abc import Callable
from typing import Annotated

from trio_mud import join, link, markup, wrap
from trio_mud.commands import Commands, Mistake, listing, matches

from ..channels import ChannelLine, open_channel
from ..lore import CHANNELS
from ..out_of_band import tell_channels
from ..social_phrases import SOCIAL_PHRASES
from ..villager import Villager
from .talking import HANGING, everyone, spoken, utter

__all__ = ["commands", "join_channel"]

commands = Commands[Villager](help_verbs=())


def channel_called(who: Villager, words: str) -> str:
    """Return the name of a channel, which may be shortened.

    Raises:
        Mistake: There is none.
    """
    found = matches(words, CHANNELS)
    if len(found) != 1:
        choices = listing(list(CHANNELS), commands.phrases.either)
        raise Mistake(SOCIAL_PHRASES.no_channel.format(name=words, choices=choices))
    return found[0]


ChannelName = Annotated[str, channel_called]


@commands.verb("channels")
def list_channels(who: Villager) -> None:
    """List the channels, and which of them you listen to."""
    for name, plan in CHANNELS.items():
        listening = sum(other.listens_to(name) for other in everyone(who))
        phrase = SOCIAL_PHRASES.channel_heard if who.listens_to(name) else SOCIAL_PHRASES.channel_not_heard
        who.write(markup(phrase, channel=link(name, send=f"history {name}"), text=plan.text, count=listening))


@commands.verb("join")
def join_channel(who: Villager, channel: ChannelName) -> None:
    """Listen to a channel that you have left."""
    is_new = channel in who.left_channels
    who.left_channels = tuple(other for other in who.left_channels if other != channel)
    phrase = SOCIAL_PHRASES.channel_joined if is_new else SOCIAL_PHRASES.channel_is_joined
    who.write(markup(phrase, channel=channel))
    tell_channels(who, CHANNELS)


@commands.verb("leave")
def leave_channel(who: Villager, channel: ChannelName) -> None:
    """Stop listening to a channel."""
    check_listens(who, channel)
    # Channels that are in the file no more are forgotten, so the list stays short.
    who.left_channels = (*(other for other in who.left_channels if other in CHANNELS), channel)
    who.write(markup(SOCIAL_PHRASES.channel_left, channel=channel, join=link(f"join {channel}")))
    tell_channels(who, CHANNELS)


@commands.verb("history")
def show_history(who: Villager, channel: ChannelName) -> None:
    """Read the last lines of a channel."""
    lines = open_channel(who.world.store, channel).last(who.ignored)
    if not lines:
        raise Mistake(SOCIAL_PHRASES.channel_quiet.format(channel=channel))
    now = who.world.wall_clock()
    shown = [
        markup(
            SOCIAL_PHRASES.channel_kept,
            channel=CHANNELS[channel].caption,
            age=age(now - line.at),
            name=line.name,
            words=line.words,
        )
        for line in lines
    ]
    who.read(join("\n", [wrap(line, who.page_columns, hanging=HANGING) for line in shown]))


def talker(channel: str) -> Callable[[Villager, str], None]:
    """Return the command of one channel; its help is what the file says."""

    def talk(who: Villager, words: str = "") -> None:
        if words:
            say_on(who, channel, words)
        else:
            show_history(who, channel)

    talk.__doc__ = CHANNELS[channel].text
    return talk


for name in CHANNELS:
    commands.verb(name, abbreviated=False)(talker(name))


def say_on(who: Villager, channel: str, words: str) -> None:
    """Say something to everybody who listens to a channel, and keep it."""
    check_listens(who, channel)
    words = spoken(who, words)
    caption = CHANNELS[channel].caption
    said = markup(SOCIAL_PHRASES.channel_said, channel=caption, name=who.name, words=words)
    line = ChannelLine(who.world.wall_clock(), who.person, who.name, words)
    open_channel(who.world.store, channel).add(line)
    utter(channel, who, said, [other for other in everyone(who) if other.listens_to(channel)])


def check_listens(who: Villager, channel: str) -> None:
    """Raise Mistake if a player has left a channel."""
    if not who.listens_to(channel):
        raise Mistake(SOCIAL_PHRASES.channel_is_left.format(channel=channel, join=f"join {channel}"))


def age(seconds: float) -> str:
    """Return how long ago something was, in the largest unit that is not 0."""
    minutes = max(int(seconds // 60), 0)
    if minutes < 60:
        return SOCIAL_PHRASES.minutes.format(count=minutes)
    hours = minutes // 60
    return (SOCIAL_PHRASES.hours if hours < 24 else SOCIAL_PHRASES.days).format(
        count=hours if hours < 24 else hours // 24
    )
