"""The parts of the protocol that every transport may use."""

from __future__ import annotations

import trio

from trio_mud.transports import listen_by_receiving

from ..driver.conftest import FakeTransport


class Listening:
    """A reader that notes what it is given."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def feed(self, data: bytes) -> bool:
        self.heard.append(data)
        return True

    async def room(self) -> None:
        """Never waits: there is always room."""

    def lost(self, error: trio.BrokenResourceError) -> None:
        raise AssertionError(error)


async def test_a_reader_is_given_bytes_although_a_transport_receives_a_bytearray() -> None:
    """The readers of the compiled build accept nothing else, so such a link ended there."""
    transport, reader, whole = FakeTransport(), Listening(), b"second"
    transport.say(bytearray(b"first"))  # type: ignore[arg-type]  # as a game that is not type checked
    transport.say(whole)
    transport.say(b"")
    await listen_by_receiving(transport, reader)

    assert reader.heard == [b"first", b"second"]
    assert type(reader.heard[0]) is bytes
    assert reader.heard[1] is whole  # it costs no copy
