"""The delivery of a world's frames over Redis: each once and in order, though streams and data are lost."""

from __future__ import annotations

import random

import pytest

from trio_mud.cluster import redis_delivery
from trio_mud.cluster.redis_delivery import Arrivals, Deliveries, Sign


class LossyStream:
    """One world, one gateway, and a stream that a test may empty."""

    def __init__(self) -> None:
        self.world = Deliveries(b"w1")
        self.gateway = Arrivals()
        self.stream: list[tuple[int, bytes]] = []
        self.sent: list[bytes] = []
        self.received: list[bytes] = []
        self.process = b"p1"
        self._beat = 0

    def commit(self, count: int = 1) -> None:
        """Write frames, and those that are to be repeated."""
        frames = [b"%d" % (len(self.sent) + more) for more in range(count)]
        self.sent += frames
        self.stream += self.world.entries(frames)
        self.world.written(frames)

    def read(self, most: int = 1000) -> None:
        """Let the gateway read."""
        entries, self.stream = self.stream[:most], self.stream[most:]
        self.received += [frame for number, frame in entries if self.gateway.take(b"w1", number)]

    def beat(self) -> None:
        """Let the gateway give a sign of life, and the world see it."""
        self._beat += 1
        gateway = self.gateway
        sign = Sign(self.process, self._beat, gateway.writer, gateway.number, gateway.misses)
        self.world.confirm(sign.encode())


@pytest.fixture
def link() -> LossyStream:
    """A stream whose gateway has read a frame."""
    link = LossyStream()
    link.beat()
    link.commit()
    link.read()
    return link


def test_frames_are_kept_until_they_are_confirmed(link: LossyStream) -> None:
    link.commit(3)
    link.read(2)
    assert len(link.world) == 4
    link.beat()
    assert len(link.world) == 1
    assert not link.world.repeats


def test_entries_after_a_gap_wait_until_the_missing_one_comes(link: LossyStream) -> None:
    link.commit()
    link.stream.clear()
    link.commit(2)
    link.read()
    assert link.gateway.misses
    link.beat()
    link.commit()
    link.read()
    assert link.received == link.sent
    assert not link.gateway.misses


def test_a_loss_that_no_entry_follows_is_found_by_the_second_beat(link: LossyStream) -> None:
    link.commit()
    link.stream.clear()
    link.beat()
    assert not link.world.repeats  # it may be on its way
    link.beat()
    assert link.world.repeats
    link.commit(0)
    link.read()
    assert link.received == link.sent


def test_a_gateway_that_is_slow_and_reads_is_sent_nothing_twice(link: LossyStream) -> None:
    for _ in range(10):
        link.commit(5)
        link.read(1)
        link.beat()
        assert not link.world.repeats


def test_frames_are_repeated_less_and_less_often_while_nothing_is_read(link: LossyStream) -> None:
    link.commit()
    repeated = []
    for beat in range(40):
        link.beat()
        if link.world.repeats:
            repeated.append(beat)
        link.commit(0)
    assert repeated == [1, 2, 4, 8, 16, 32]


def test_all_that_is_not_confirmed_is_written_after_a_loss_of_all_data(link: LossyStream) -> None:
    link.commit(3)
    link.read(1)
    link.stream.clear()
    link.world.repeat()
    link.commit()
    link.read()
    assert link.received == link.sent


def test_a_frame_whose_fate_is_unknown_is_written_again_and_dropped_where_it_has_arrived(link: LossyStream) -> None:
    link.commit()
    link.read()
    link.sent.append(b"in doubt")
    link.stream += link.world.entries([b"in doubt"])
    link.read()
    link.world.written([b"in doubt"], is_certain=False)
    link.world.repeat()
    link.commit()
    link.read()
    assert link.received == link.sent


def test_frames_that_are_refused_leave_no_gap(link: LossyStream) -> None:
    link.world.entries([b"refused"])
    link.commit()
    link.read()
    assert link.received == link.sent


def test_frames_for_an_earlier_process_of_the_gateway_are_not_written_again(link: LossyStream) -> None:
    link.commit(2)
    link.beat()
    link.gateway, link.process, link.stream = Arrivals(), b"p2", []
    link.beat()
    link.world.repeat()
    link.received.clear()
    link.commit()
    link.read()
    assert link.received == link.sent[-1:]


def test_a_gateway_that_was_given_up_goes_on_with_the_next_frame(link: LossyStream) -> None:
    link.commit(2)
    link.world.give_up()
    link.stream.clear()
    link.received.clear()
    link.commit()
    link.commit()
    link.read()
    assert link.received == link.sent[-2:]
    link.beat()
    link.beat()
    assert not link.world.has_lost


def test_what_is_kept_is_bounded_and_the_rolls_repair_the_rest(
    link: LossyStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_delivery, "MOST_KEPT", 10)
    link.commit(20)
    assert len(link.world) <= 10
    link.read()
    link.beat()
    assert not link.world.has_lost  # nothing was
    link.commit(20)
    link.stream.clear()
    link.commit()
    link.read()
    link.beat()
    assert link.world.has_lost
    link.world.repeat()
    link.commit()
    link.read()
    assert link.received[-1] == link.sent[-1]


def test_a_new_world_is_heard_from_its_first_frame_on() -> None:
    gateway = Arrivals()
    assert gateway.take(b"w1", 7)  # this process has just started
    assert not gateway.take(b"w2", 2)
    assert gateway.misses
    assert gateway.take(b"w2", 1)
    assert gateway.take(b"w2", 2)
    assert not gateway.misses


def test_a_gateway_or_a_world_that_numbers_nothing_is_understood() -> None:
    gateway, world = Arrivals(), Deliveries(b"w1")
    assert gateway.take(b"", 0)
    assert gateway.take(b"", 0)
    world.confirm(b"1")
    world.written([b"a frame"])
    world.confirm(b"1")
    assert not world.repeats
    assert not world.has_lost


@pytest.mark.parametrize("seed", range(30))
def test_each_frame_arrives_once_and_in_order_whatever_is_lost(seed: int) -> None:
    dice, link = random.Random(seed), LossyStream()
    link.commit()
    link.read()
    for _ in range(500):
        match dice.randrange(12):
            case 0:
                link.stream.clear()
            case 1:
                link.stream.clear()
                link.world.repeat()
            case 2:
                del link.stream[: dice.randrange(3)]
            case 3 | 4:
                link.beat()
            case 5 | 6 | 7:
                link.read(dice.randrange(5))
            case _:
                link.commit(dice.randrange(4))
    for _ in range(100):
        link.commit(0)
        link.read()
        link.beat()
    assert link.received == link.sent
    assert not link.world.has_lost
