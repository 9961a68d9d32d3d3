"""Output of any size: it is cut or split within the bounds of a frame, and its order and content are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from trio_mud import Admitted, Hooks, Limits, Text
from trio_mud.cluster import frames, wire
from trio_mud.cluster.frames import MAX_FRAME, decode_down, encode_down
from trio_mud.cluster.wire import (
    MAX_BODY,
    MAX_ITEM,
    MAX_ITEMS,
    MAX_TAIL,
    MAX_TEXT,
    Down,
    Item,
    MessageSent,
    Output,
    Styled,
    TailMoved,
    TextSent,
    off_wire,
    on_wire,
)
from trio_mud.text import Markup, link, render, sound
from trio_mud.text.colours import RGB
from trio_mud.text.rendering import Rendering
from trio_mud.text.styles import PLAIN, Style

from .conftest import open_split

RED, GREEN, WHITE = Style(colour=1), Style(colour=2), RGB + 0xFFFFFF
CLIENTS = (Rendering(), Rendering(colours=256), Rendering(links=True, mxp=True, sounds=True), Rendering(width=40))


def crossed(messages: Sequence[Down]) -> list[Down]:
    """Return the messages as the gateway receives them, from frames within the bound."""
    sent = encode_down(1, messages)
    assert all(len(frame) <= MAX_FRAME for frame in sent)
    return [message for frame in sent for message in decode_down(frame, _never).messages]


def items_of(messages: Sequence[Down]) -> list[Item]:
    return [item for message in messages if isinstance(message, Output) for item in message.items]


# One text


@pytest.fixture
def small_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bounds of a text be a thousandth of what they are."""
    monkeypatch.setattr(wire, "MAX_TEXT", 1000)
    monkeypatch.setattr(wire, "MAX_ITEM", 12_000)
    monkeypatch.setattr(wire, "_FEW_SPANS", 4)


@pytest.mark.parametrize(
    "text",
    [
        Markup(tuple(("x", RED if number % 2 else GREEN) for number in range(300))),
        Markup((("a", PLAIN), ("b" * 5005, PLAIN), ("c" * 900, RED))),
        Markup((("\U0001f409" * 2000, PLAIN),)),
        Markup((("", PLAIN),) * 2000 + (("x", RED),)),
        "a\x1b[2Jb!!SOUND(x)\n" * 500,
        "ä" * 5500,
    ],
    ids=["many spans", "long piece", "dragons", "empty spans", "plain", "umlauts"],
)
@pytest.mark.usefixtures("small_texts")
def test_a_text_past_the_bounds_of_its_parts_crosses_whole(text: Text) -> None:
    (item,) = items_of(crossed([Output([1], (TextSent(on_wire(text)),))]))
    assert isinstance(item, TextSent)
    for client in CLIENTS:
        assert render(off_wire(item.text), client) == render(text, client)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 12_001,
        Markup((("x", RED),) * 1000),
        Markup((("\U0001f409" * 1000, RED),) * 4),
        Markup(link("x", send="look at it").spans * 1000),
    ],
    ids=["plain", "spans", "dragons", "links"],
)
@pytest.mark.usefixtures("small_texts")
def test_a_text_past_the_bound_of_an_item_is_cut(text: Text) -> None:
    (item,) = items_of(crossed([Output([1], (TextSent(on_wire(text)),))]))
    assert isinstance(item, TextSent)
    shown = render(off_wire(item.text))
    assert 100 < len(shown) < len(render(text))
    assert render(text).startswith(shown)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (lambda: Markup((("x", Style(WHITE, WHITE, True, True, True)),) * MAX_ITEM), MAX_ITEM // 33),
        (lambda: Markup((("\U0001f409" * MAX_TEXT, RED),) * 4), 2 * MAX_TEXT),
    ],
    ids=["spans", "dragons"],
)
def test_the_longest_text_fits_into_a_frame(text: Callable[[], Text], length: int) -> None:
    (item,) = items_of(crossed([Output([1], (TextSent(on_wire(text())),))]))
    assert isinstance(item, TextSent)
    assert isinstance(item.text, Styled)
    assert sum(len(piece) for piece, _ in item.text.spans) == length


def test_more_sounds_than_a_message_carries_are_cut() -> None:
    text = Markup((("ding", PLAIN),), sound("bell.wav").sounds * 300 + ("\ud800" * 2000,))
    (item,) = items_of(crossed([Output([1], (TextSent(on_wire(text)),))]))
    assert isinstance(item, TextSent)
    assert isinstance(item.text, Styled)
    assert item.text.sounds == sound("bell.wav").sounds * 256


# Many items


def test_output_of_more_items_than_a_message_carries_is_split() -> None:
    items = tuple(TextSent(str(number)) for number in range(2 * MAX_ITEMS + 5))
    after = Output([1], (TextSent("after"),))

    received = crossed([Output([1, 2], items), after])

    assert items_of(received) == [*items, *after.items]
    assert [message.links for message in received if isinstance(message, Output)][:-1] == [[1, 2]] * 4


def test_output_larger_than_a_frame_is_split() -> None:
    items: list[Item] = []
    for number in range(5):
        items.append(TextSent(f"{number}" + "ä" * (MAX_TEXT - 1)))
        items.append(MessageSent("gmcp", "Map", b"x" * MAX_BODY))
        items.append(TailMoved(number, 1, bytes(MAX_TAIL)))

    received = crossed([Output([1], tuple(items[:-1])), Output([2], tuple(items[-1:]))])

    assert items_of(received) == items


@given(st.lists(st.integers(0, 40), max_size=30), st.sets(st.integers(0, 29)))
def test_whatever_is_split_or_left_out_the_rest_keeps_its_order(sizes: list[int], bad: set[int]) -> None:
    items: list[Any] = [
        TextSent(f"{number:02}" + "x" * size) if number not in bad else TextSent(f"{number:02}\ud800")
        for number, size in enumerate(sizes)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "ROOM", 60)
        patch.setattr(frames, "MAX_ITEMS", 4)
        lost: list[str] = []
        sent = encode_down(
            1, [Output([1], tuple(items))] if items else [], left_out=lambda what, error: lost.append(what)
        )
    received = [message for frame in sent for message in decode_down(frame, _never).messages]
    assert items_of(received) == [item for number, item in enumerate(items) if number not in bad]
    assert lost == ["an item TextSent"] * len(bad & set(range(len(items))))
    assert all(len(output.items) <= 4 for output in received if isinstance(output, Output))


def test_a_message_that_no_frame_can_carry_costs_itself(caplog: pytest.LogCaptureFixture) -> None:
    listed = wire.Listed({"PORT": tuple(f"{number:04}" + "x" * 1020 for number in range(1024))})
    many = wire.Listed({str(number): listed.variables["PORT"] for number in range(20)})
    assert crossed([listed, many, Output([1], (TextSent("x"),))]) == [listed, Output([1], (TextSent("x"),))]
    assert "a message Listed cannot be encoded, and is left out: WireError" in caplog.text


# A whole server


async def test_a_player_reads_a_flush_larger_than_a_frame_in_order(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "ROOM", 100_000)
    monkeypatch.setattr(frames, "MAX_ITEMS", 10)
    rainbow = Markup(tuple((f"{number % 10}", Style(colour=number % 16)) for number in range(5000)))
    lines = [f"{number}" + "\U0001f409" * (number * 100) for number in range(50)]
    hooks = Hooks()

    @hooks.on(Admitted)
    def write(event: Admitted) -> None:
        for line in lines:
            event.connection.write(line)
        event.connection.write(rainbow)
        event.connection.write("the end")

    async with open_split(limits=Limits(max_output=1024 * 1024)) as split:
        await split.start_world(hooks)
        ann = await split.mud.player()
        await ann.sees("the end")
        assert ann.screen.splitlines() == [*lines, rainbow.plain, "the end"]


async def test_a_rainbow_of_many_pieces_is_read_whole(autojump_clock: MockClock) -> None:
    rainbow = Markup(tuple((f"{number % 10}", Style(colour=number % 16)) for number in range(70_000)))
    hooks = Hooks()
    hooks.on(Admitted)(lambda event: event.connection.write(rainbow))
    async with open_split() as split:
        await split.start_world(hooks)
        ann = await split.mud.player()
        await ann.sees("9\n")
        assert ann.screen == rainbow.plain + "\n"


def _never(count: int) -> None:
    raise AssertionError(f"{count} messages were not understood")
