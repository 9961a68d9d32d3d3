"""Layers: wrapped bytes are sent once and in order, whatever the transport below accepts."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.testing import Pipe
from trio_mud.transports import Reader
from trio_mud.transports.layered import UNREAD_ANSWERS, LayeredTransport
from trio_mud.transports.poller import Poller
from trio_mud.transports.streams import StreamTransport

from .narrow import Gated, Narrow

PIECE = 100  # bytes, the longest piece of `Counted`
ANSWER = b"\0"  # the count of an answer


class Counted(LayeredTransport):
    """A layer whose messages are a count of bytes, and the bytes."""

    is_secure = False
    needs_handshake = False

    async def handshake(self) -> None:
        raise NotImplementedError

    async def receive(self) -> bytes:
        raise NotImplementedError

    async def listen(self, reader: Reader, poller: Poller | None = None) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        await self._transport.aclose()

    def answer(self, times: int = 1) -> None:
        self._answer(ANSWER * times)

    def _wrap(self, data: bytes, start: int) -> int:
        piece = data[start : start + PIECE]
        self._unsent += bytes((len(piece),)) + piece
        return len(piece)


def layer_on(transport: type[Narrow] = Narrow, *takes: int) -> tuple[Counted, Narrow]:
    below = StreamTransport(Pipe(address="192.0.2.1").server)
    narrow = Gated(below) if transport is Gated else Narrow(below, [])
    narrow._takes = list(reversed(takes))
    return Counted(narrow), narrow


def unwrapped(sent: bytes) -> tuple[bytes, int]:
    """Return the content of all messages, and the number of answers."""
    content, answers = b"", 0
    while sent:
        answers += sent[0] == 0
        content += sent[1 : 1 + sent[0]]
        sent = sent[1 + sent[0] :]
    return content, answers


@given(
    takes=st.lists(st.integers(0, 150), max_size=30),
    steps=st.lists(st.sampled_from(["answer", "now", "wait"]), max_size=40),
    data=st.binary(min_size=1, max_size=2000),
)
def test_every_byte_is_sent_once_and_in_order_however_it_is_accepted(
    takes: list[int], steps: list[str], data: bytes
) -> None:
    async def play() -> None:
        layer, narrow = layer_on(Narrow, *takes)
        rest = data
        for step in steps:
            if step == "answer":
                layer.answer()
            elif rest:
                rest = rest[layer.send_nowait(rest) if step == "now" else await layer.send_some(rest) :]
        while rest:
            rest = rest[await layer.send_some(rest) :]
        await layer._flush()
        assert unwrapped(narrow.taken) == (data, steps.count("answer"))

    trio.run(play)


async def test_what_is_not_reported_as_sent_is_wrapped_only_once() -> None:
    layer, narrow = layer_on(Narrow, 3)
    assert layer.send_nowait(b"hello") == 0
    assert layer.send_nowait(b"hello") == 5
    assert narrow.taken == b"\5hello"


async def test_an_answer_does_not_overtake_bytes_that_a_task_waits_to_send() -> None:
    layer, narrow = layer_on(Gated, 0, 0)
    assert isinstance(narrow, Gated)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(layer.send_some, b"hello")
        await trio.testing.wait_all_tasks_blocked()
        layer.answer()
        assert narrow.taken == b""
        narrow.gate.set()
    assert narrow.taken == b"\5hello" + ANSWER


async def test_a_peer_that_sends_requests_and_reads_no_answers_is_broken() -> None:
    layer, _ = layer_on(Gated, *[0] * 1000)
    layer.answer(UNREAD_ANSWERS)
    with pytest.raises(trio.BrokenResourceError, match=r"192\.0\.2\.1 sends requests and does not read the answers"):
        layer.answer()


async def test_the_answers_to_a_peer_that_reads_them_have_no_bound() -> None:
    layer, narrow = layer_on()
    for _ in range(3):
        layer.answer(UNREAD_ANSWERS)
    assert unwrapped(narrow.taken) == (b"", 3 * UNREAD_ANSWERS)


async def test_a_cancelled_wait_leaves_the_rest_to_be_sent_later() -> None:
    layer, narrow = layer_on(Gated, 0, 3)
    assert isinstance(narrow, Gated)
    with trio.CancelScope() as scope:
        scope.cancel()
        await layer.send_some(b"hello")
    assert scope.cancelled_caught
    narrow.gate.set()
    assert await layer.send_some(b"hello") == 5
    assert narrow.taken == b"\5hello"
