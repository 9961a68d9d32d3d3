"""Channels: talk that reaches all who listen, wherever they are, with the last lines of each.

    [chat]                                  one table for each channel, by the word that players type
    caption = "Chat"                        as windows of programs show it
    text = "Talk about anything."           what it is for

A channel keeps a bounded number of lines of bounded length. Players listen to all channels until they leave some.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from trio_mud.errors import ConfigurationError
from trio_mud.storage import Record, Store

from .toml_tables import read_table, read_toml

__all__ = ["MOST_CHANNELS", "MOST_KEPT", "Channel", "ChannelLine", "ChannelPlan", "open_channel", "read_channels"]

MOST_CHANNELS = 20
MOST_KEPT = 30  # lines of each channel

_NAME = re.compile(r"[a-z]{2,16}")


class ChannelPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A channel as its file describes it."""

    caption: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """Words that were said on a channel.

    Attributes:
        at: Seconds since 1970.
        author: The key by which others ignore the speaker.
        name: The speaker's name.
        words: What was said.
    """

    at: float
    author: str
    name: str
    words: str


class Channel(Record, family="channel", resident=True):
    """The last lines of one channel, the oldest first; its key is the name of the channel."""

    lines: tuple[ChannelLine, ...] = ()

    def add(self, line: ChannelLine) -> None:
        """Keep a line, and forget the oldest one if there are too many."""
        self.lines = (*self.lines, line)[-MOST_KEPT:]

    def last(self, ignored: Collection[str] = ()) -> list[ChannelLine]:
        """Return the lines, without those of ignored speakers."""
        return [line for line in self.lines if line.author not in ignored]


def read_channels(text: str, file: str) -> Mapping[str, ChannelPlan]:
    """Return the channels of a TOML text, by name.

    Args:
        text: The TOML.
        file: Its name in messages.

    Raises:
        ConfigurationError: A channel is described wrongly, or there are too many.
    """
    tables = read_toml(text, file)
    if len(tables) > MOST_CHANNELS:
        raise ConfigurationError(f"{file}: {len(tables)} channels; write at most {MOST_CHANNELS}")
    for name in tables:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{file}: {name}: name a channel by one word of 2 to 16 letters from a to z")
    return {name: read_table(table, ChannelPlan, f"{file}: {name}") for name, table in tables.items()}


def open_channel(store: Store, name: str) -> Channel:
    """Return the channel of this name, with the lines that are stored."""
    return store.get(Channel, name) or store.add(Channel(), name)
