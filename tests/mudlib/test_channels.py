"""Channels as their file describes them, and the lines that they keep."""

from __future__ import annotations

from importlib.resources import files

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.mudlib.channels import MOST_CHANNELS, MOST_KEPT, Channel, ChannelLine, open_channel, read_channels
from trio_mud.storage import Memory, inline, open_store

CHAT = '[chat]\ncaption = "Chat"\ntext = "Talk."\n'


def line(words: str, author: str = "ann") -> ChannelLine:
    return ChannelLine(0.0, author, author.title(), words)


def test_a_channel_keeps_its_last_lines() -> None:
    channel = Channel()
    for number in range(MOST_KEPT + 5):
        channel.add(line(f"number {number}"))
    words = [line.words for line in channel.last()]
    assert words == [f"number {number}" for number in range(5, MOST_KEPT + 5)]


def test_lines_of_ignored_speakers_are_left_out() -> None:
    channel = Channel()
    channel.add(line("one"))
    channel.add(line("two", "eve"))
    assert [line.words for line in channel.last(("eve", "bob"))] == ["one"]


async def test_lines_are_read_from_the_database_at_the_next_start() -> None:
    stored = Memory().stored
    async with open_store(Memory(stored), Channel, executor=inline) as store:
        open_channel(store, "chat").add(line("hello"))
        assert open_channel(store, "chat").last() == [line("hello")]
    async with open_store(Memory(stored), Channel, executor=inline) as store:
        assert open_channel(store, "chat").last() == [line("hello")]
        assert open_channel(store, "market").last() == []


def test_a_file_describes_channels() -> None:
    plans = read_channels(CHAT, "channels.toml")
    assert {name: (plan.caption, plan.text) for name, plan in plans.items()} == {"chat": ("Chat", "Talk.")}


def test_the_channels_of_the_valley_are_described_rightly() -> None:
    file = files("trio_mud.mudlib").joinpath("channels.toml")
    assert list(read_channels(file.read_text(encoding="utf-8"), file.name)) == ["chat", "ask", "market"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[chat", "c.toml: not valid TOML: "),
        (CHAT.replace('"Talk."', "3"), "c.toml: chat.text: Expected `str`"),
        ('[chat]\ncaption = "Chat"', "c.toml: chat: Object missing required field `text`"),
        (CHAT + "colour = 3", "c.toml: chat: Object contains unknown field `colour`"),
        (CHAT.replace('"Chat"', f'"{"C" * 33}"'), "c.toml: chat.caption: Expected `str` of length <= 32"),
        (CHAT.replace("[chat]", "['small talk']"), "c.toml: small talk: name a channel by one word"),
        (CHAT.replace("chat", "c" * 17), f"c.toml: {'c' * 17}: name a channel by one word"),
        ("chat = 3", "c.toml: chat: Expected `object`"),
    ],
)
def test_a_wrong_channel_is_named_with_file_table_and_key(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_channels(text, "c.toml")
    assert str(caught.value).startswith(message)


def test_a_file_has_a_bounded_number_of_channels() -> None:
    many = "".join(CHAT.replace("chat", f"chat{chr(97 + number)}") for number in range(MOST_CHANNELS + 1))
    with pytest.raises(ConfigurationError, match="21 channels; write at most 20"):
        read_channels(many, "c.toml")
