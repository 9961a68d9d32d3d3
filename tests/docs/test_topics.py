"""The claims of the topics about turns and endings, as short tests."""

from __future__ import annotations

import trio
import trio.testing

from trio_mud import Cause, Connect, Dialog, Disconnect, Hooks, Input, Limits, Reason, WouldDeadlock
from trio_mud.testing import OpenMud


class Story:
    """Hooks that write down each line and each ending, in order."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.told: list[str] = []
        self.endings: list[Cause] = []
        self.hooks.on(Input)(self._hear)
        self.hooks.on(Disconnect)(self._end)

    def _hear(self, event: Input) -> None:
        self.told.append(f"{event.connection.name}: {event.line}")

    def _end(self, event: Disconnect) -> None:
        self.endings.append(event.cause)


async def say_nothing(dialog: Dialog) -> None:
    await trio.sleep_forever()


# One dispatcher


async def test_a_flooder_and_a_slow_typist_alternate(mud: OpenMud) -> None:
    story = Story()
    async with mud(story.hooks) as place:
        ann, bob = await place.player(), await place.player()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ann.type, *["kill rat"] * 20)
            nursery.start_soon(bob.type, "look")
        await bob.catches_up()
        assert story.told.index("guest-2: look") <= 2


async def test_a_slow_tick_holds_up_neither_players_nor_other_timers(mud: OpenMud) -> None:
    story = Story()
    async with mud(story.hooks) as place:

        async def slow() -> None:
            await trio.sleep(4)
            story.told.append("slow")

        place.server.after(1, slow)
        place.server.after(2, lambda: story.told.append("quick"))
        ann = await place.player()
        await trio.sleep(3)
        await ann.type("look")
        await trio.sleep(3)
        assert story.told == ["quick", "guest-1: look", "slow"]


async def test_ticks_missed_in_a_slow_tick_are_skipped_and_counted(mud: OpenMud) -> None:
    async with mud(Hooks(), allow_errors=True) as place:
        ticks: list[float] = []
        start = trio.current_time()

        async def slow() -> None:
            ticks.append(trio.current_time() - start)
            await trio.sleep(3.25)

        timer = place.server.every(1, slow)
        await trio.sleep(8.5)
        assert ticks == [1, 4.25, 7.5]
        assert timer.skipped == 4


async def test_a_hook_that_asks_its_own_player_is_told_so(mud: OpenMud) -> None:
    story = Story()

    @story.hooks.on(Input)
    async def ask(event: Input) -> None:
        dialog = event.connection.dialog
        assert dialog is not None
        try:
            await dialog.ask("Really? ")
        except WouldDeadlock:
            story.told.append("told so")

    @story.hooks.on(Input, order=-1)
    def begin(event: Input) -> None:
        event.connection.start_dialog(say_nothing)

    async with mud(story.hooks) as place:
        await (await place.player()).type("look")
        await trio.testing.wait_all_tasks_blocked()
        assert story.told[-1] == "told so"


# Linkdeath versus quit


async def test_the_first_decision_stands(mud: OpenMud) -> None:
    story = Story()
    async with mud(story.hooks) as place:
        ann = await place.player()
        (connection,) = place.server.connections
        connection.quit("Goodbye.")
        await ann.vanish()
        await trio.testing.wait_all_tasks_blocked()
        assert story.endings == [Cause.ASKED]


async def test_an_end_of_file_is_linkdeath_only_after_its_lines(mud: OpenMud) -> None:
    story = Story()
    async with mud(story.hooks) as place:
        ann = await place.player()
        await ann.type("look", "north")
        await ann.hang_up()
        await trio.testing.wait_all_tasks_blocked()
        assert story.told == ["guest-1: look", "guest-1: north"]
        assert story.endings == [Cause.EOF]


async def test_lines_that_had_arrived_before_a_reset_are_handled(mud: OpenMud) -> None:
    story = Story()

    @story.hooks.on(Input, order=-1)
    async def ponder(event: Input) -> None:
        await trio.sleep(1)

    async with mud(story.hooks) as place:
        ann = await place.player()
        await ann.type("swing sword", "run")
        await trio.testing.wait_all_tasks_blocked()
        await ann.vanish()
        await trio.sleep(3)
        assert story.told == ["guest-1: swing sword", "guest-1: run"]
        assert story.endings == [Cause.RESET]


async def test_answers_to_a_dialog_never_become_commands(mud: OpenMud) -> None:
    story = Story()
    story.hooks.on(Connect)(lambda event: event.connection.start_dialog(say_nothing))
    async with mud(story.hooks) as place:
        ann = await place.player()
        await ann.type("my password")
        await ann.hang_up()
        await trio.sleep(10)
        assert story.told == []
        assert story.endings == [Cause.EOF]


async def test_a_quit_at_the_door_is_no_refusal_and_a_refusal_wins(mud: OpenMud) -> None:
    story = Story()

    @story.hooks.on(Connect)
    def leave_at_once(event: Connect) -> None:
        event.connection.quit("Not today.")
        if event.connection.address == "192.0.2.66":
            event.connection.refuse("Never.")

    async with mud(story.hooks) as place:
        ann = await place.player()
        assert await ann.sees_the_end() == "Not today.\n"
        rogue = await place.player(address="192.0.2.66")
        assert await rogue.sees_the_end() == "Never.\n"
        assert [cause.reason for cause in story.endings] == [Reason.QUIT, Reason.REFUSED]


# Bounds


async def test_a_reader_too_slow_loses_whole_messages_and_is_told(mud: OpenMud) -> None:
    async with mud(Hooks(), limits=Limits(max_output=1000, first_input_timeout=None)) as place:
        ann = await place.player(capacity=500)
        (connection,) = place.server.connections
        ann_reads = [connection.write("x" * 98) for _ in range(20)]
        assert ann_reads == [True] * 10 + [False] * 10
        await ann.sees("(Some lines are missing here")
