"""Numbers, acknowledgements and the window of one connection's input."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trio_mud.cluster.numbering import MAX_EARLY, WINDOW, WINDOW_SIZE, InputOrder, Unacknowledged
from trio_mud.cluster.wire import LineTyped, MessageReceived, Numbered


def line(number: int) -> Numbered:
    return LineTyped(1, number, f"line {number}")


def test_items_are_numbered_from_one_and_kept_until_they_are_acknowledged() -> None:
    sent = Unacknowledged()

    items = [sent.add(line) for _ in range(4)]
    sent.acknowledge(2)

    assert [item.number for item in items] == [1, 2, 3, 4]
    assert list(sent) == items[2:]
    assert sent.acknowledged == 2


def test_the_window_closes_when_it_is_full_and_an_acknowledgement_opens_it() -> None:
    sent = Unacknowledged()
    for _ in range(WINDOW):
        assert sent.has_room
        sent.add(line)
    assert not sent.has_room

    assert sent.acknowledge(1)
    assert sent.has_room
    assert not sent.acknowledge(2)  # it was open already


def test_the_window_closes_after_so_many_bytes_however_few_the_items_are() -> None:
    sent, half = Unacknowledged(), WINDOW_SIZE // 2
    sent.add(lambda number: MessageReceived(1, number, "gmcp", "Map", b"x" * half))
    sent.add(lambda number: LineTyped(1, number, "x" * (half - 1)))
    assert sent.has_room
    sent.add(line)
    assert not sent.has_room

    assert sent.acknowledge(1)
    assert sent.has_room


def test_an_item_larger_than_the_window_is_sent_and_closes_it() -> None:
    sent = Unacknowledged()
    sent.add(lambda number: LineTyped(1, number, "x" * (WINDOW_SIZE + 1)))
    assert not sent.has_room

    assert sent.acknowledge(1)
    for _ in range(WINDOW):
        assert sent.has_room
        sent.add(line)


def test_an_acknowledgement_of_what_was_never_sent_changes_nothing() -> None:
    sent = Unacknowledged()
    sent.add(line)
    for number in (0, 2, 2**53):
        sent.acknowledge(number)
    assert len(sent) == 1


@given(st.lists(st.integers(1, 30)))
def test_each_item_comes_once_and_in_order_however_they_arrive(arrivals: list[int]) -> None:
    order, taken = InputOrder(), list[int]()

    for number in arrivals:
        taken += [item.number for item in order.receive(line(number))]

    complete = 0
    while complete + 1 in arrivals:
        complete += 1
    assert taken == list(range(1, complete + 1))
    assert order.received == complete


def test_a_new_world_goes_on_after_the_last_acknowledged_number() -> None:
    order = InputOrder(taken=7)

    assert order.receive(line(7)) == []
    assert order.receive(line(8)) == [line(8)]


def test_early_items_are_bounded() -> None:
    order = InputOrder()
    for number in range(2, MAX_EARLY + 100):
        order.receive(line(number))

    assert len(order.receive(line(1))) == MAX_EARLY + 1


@given(st.data())
def test_what_dies_with_a_world_takes_effect_once_in_the_next(data: st.DataObject) -> None:
    """Lines are sent, taken, acknowledged or lost in any order; worlds die; the roll brings the rest."""
    sent, order, effects = Unacknowledged(), InputOrder(), list[int]()
    durable: list[int] = []  # the effects that a commit has made certain
    wire: list[Numbered] = []
    for step in data.draw(st.lists(st.sampled_from(["type", "arrive", "commit", "die"]), max_size=60)):
        match step:
            case "type" if sent.has_room:
                wire.append(sent.add(line))
            case "arrive" if wire:
                effects += [item.number for item in order.receive(wire.pop(0))]
            case "commit":  # acknowledgement and effects together
                durable = effects.copy()
                sent.acknowledge(order.received)
            case "die":
                effects = durable.copy()
                order = InputOrder(taken=sent.acknowledged)
                wire = list(sent)
    while wire:
        effects += [item.number for item in order.receive(wire.pop(0))]
    assert effects == list(range(1, sent.number + 1))
