"""Sessions: a session outlives its links, and has one owner at any moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from trio_mud import (
    Admitted,
    Cause,
    Connect,
    Connection,
    ConnectionEnded,
    Disconnect,
    Duplicate,
    HookEvent,
    Hooks,
    Input,
    InvalidToken,
    Limits,
    LinkLost,
    LocalProtocolError,
    MasterServer,
    Session,
    SessionEnded,
    SessionInUse,
    SessionResumed,
    SessionStarted,
    Texts,
)
from trio_mud.testing import Mud, OpenMud, Player

from ..conftest import open_house, settled


class Inn:
    """A game in which `enter NAME` enters, and everything is written down in order."""

    def __init__(self, **policy: object) -> None:
        self.hooks = Hooks()
        self.events: list[HookEvent] = []
        self.policy = policy
        self.slow = False
        for kind in (Connect, Admitted, Input, Disconnect, SessionStarted, LinkLost, SessionResumed, SessionEnded):
            self.hooks.on(kind, order=-1)(self.events.append)
        self.hooks.on(Input)(self.obey)

    def obey(self, event: Input) -> Awaitable[None] | None:
        connection, (verb, _, rest) = event.connection, event.line.partition(" ")
        match verb:
            case "enter":
                connection.server.sessions.enter(rest, connection, **self.policy)  # type: ignore[arg-type]
            case "quit":
                connection.quit()
            case "sleep":
                return self.sleep(float(rest))
            case "login":
                seconds, _, key = rest.partition(" ")
                return self.log_in(connection, float(seconds), key)
            case _:
                connection.write(f"you said {event.line}")
        return None

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    async def log_in(self, connection: Connection, seconds: float, key: str) -> None:
        await trio.sleep(seconds)  # a database is asked
        connection.server.sessions.enter(key, connection, **self.policy)  # type: ignore[arg-type]

    def story(self) -> list[str]:
        """Return the events of connections and sessions, without connects."""
        told = []
        for event in self.events:
            match event:
                case Input(connection, line):
                    told.append(f"{connection.name}: {line}")
                case Disconnect(connection, reason, cause):
                    told.append(f"{connection.name} {reason.value}: {cause}")
                case SessionEnded(session, reason, cause):
                    told.append(f"{session.key} left, {reason.value}: {cause}")
                case SessionStarted(session) | LinkLost(session) | SessionResumed(session):
                    told.append(f"{session.key} {type(event).__name__}")
        return told


@pytest.fixture
def inn() -> Inn:
    return Inn()


async def enter(place: Mud, key: str = "ann") -> Player:
    player = await place.player()
    await player.type(f"enter {key}")
    await settled()
    return player


def session_of(place: Mud, key: str = "ann") -> Session:
    session = place.server.sessions.get(key)
    assert session is not None
    return session


# A stay, and how it ends


async def test_a_stay_begins_before_the_next_line_is_handled(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        player = await place.player()
        await player.type("enter ann", "look")
        await settled()
        assert inn.story() == ["guest-1: enter ann", "ann SessionStarted", "guest-1: look"]
        session = session_of(place)
        assert session.connection is next(iter(place.server.connections))
        assert session.connection.session is session


async def test_a_quit_ends_the_stay_at_once_after_its_disconnect(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        player = await enter(place)
        await player.type("quit")
        await player.sees_the_end()
        await settled()
        assert inn.story()[-2:] == ["guest-1 quit: asked", "ann left, quit: asked"]
        assert place.server.sessions.get("ann") is None


async def test_a_link_death_suspends_and_the_grace_is_one_deadline(mud: OpenMud, inn: Inn) -> None:
    inn.policy["grace"] = 60.0
    async with mud(inn.hooks) as place:
        player = await enter(place)
        lost_at = trio.current_time()
        await player.vanish()
        await settled()
        assert inn.story()[-2:] == ["guest-1 linkdeath: reset", "ann LinkLost"]
        assert session_of(place).connection is None
        await trio.sleep_until(lost_at + 59.9)
        assert len(place.server.sessions) == 1
        await trio.sleep_until(lost_at + 60.1)
        assert inn.story()[-1] == "ann left, linkdeath: grace over"
        assert len(place.server.sessions) == 0


async def test_a_return_in_time_resumes_the_same_stay(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        player = await enter(place)
        session = session_of(place)
        session.body = "a body"
        await player.vanish()
        await settled()
        await trio.sleep(100)
        await enter(place)
        assert session_of(place) is session
        assert session.body == "a body"
        assert inn.story()[-2:] == ["guest-2: enter ann", "ann SessionResumed"]
        await trio.sleep(1000)
        assert session.ending is None


async def test_what_was_written_meanwhile_is_replayed_and_what_was_too_much_is_counted(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks, limits=Limits(max_replay=36), texts=Texts(missed="({count} lost)")) as place:
        player = await enter(place)
        session = session_of(place)
        assert session.write("before")
        await player.sees("before")
        await player.vanish()
        await settled()
        for number in range(5):
            assert session.write(f"message {number}")  # 9 bytes, and 2 for the line end
        again = await place.player()
        await again.type("enter ann")
        assert (await again.catches_up()).splitlines()[-4:] == ["(2 lost)", "message 2", "message 3", "message 4"]


async def test_a_text_between_the_death_and_its_discovery_by_the_game_is_not_lost(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        player = await enter(place)
        session = session_of(place)
        connection = session.connection
        assert connection is not None
        await player.vanish()
        connection._lifecycle.lose_link(Cause.RESET)
        assert session.write("in between")
        again = await enter(place)
        await again.sees("in between")


async def test_leaving_ends_a_stay_linked_dying_or_dead(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        linked, dying, dead = await enter(place, "a"), await enter(place, "b"), await enter(place, "c")
        await dead.vanish()
        await settled()
        session = session_of(place, "b")
        assert session.connection is not None
        session.connection._lifecycle.lose_link(Cause.RESET)
        for key in "abc":
            session_of(place, key).leave("Bye.")
        await linked.sees("Bye.")
        await settled()
        assert len(place.server.sessions) == 0
        ways = sorted(words for words in inn.story() if "left" in words)
        assert ways == [f"{key} left, quit: asked" for key in "abc"]
        await dying.vanish()


# A second connection


async def test_a_second_connection_takes_over_and_the_first_is_told(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks, texts=Texts(taken_over="Moved.")) as place:
        first = await enter(place)
        await enter(place)
        assert (await first.sees_the_end()).endswith("Moved.\n")
        await settled()
        session = session_of(place)
        assert session.connection is not None
        assert session.connection.name == "guest-2"
        assert inn.story() == [
            "guest-1: enter ann",
            "ann SessionStarted",
            "guest-2: enter ann",
            "ann SessionResumed",
            "guest-1 quit: takeover",
        ]


async def test_resumed_waits_for_the_old_links_hook_but_not_for_its_end(mud: OpenMud, inn: Inn) -> None:
    """Never two hooks of one player at once."""
    async with mud(inn.hooks) as place:
        first = await place.player(capacity=4)
        await first.type("enter ann", "sleep 3", "never")
        await settled()
        first.stop_reading()
        second = await place.player()
        await second.type("enter ann", "look")
        await settled()
        assert inn.story()[-1] == "guest-2: enter ann"
        await trio.sleep(2.9)
        assert inn.story()[-1] == "guest-2: enter ann"
        await trio.sleep(0.2)
        assert inn.story()[-3:] == ["ann SessionResumed", "guest-2: look", "guest-1 quit: takeover"]


async def test_the_lines_of_a_link_already_dead_are_dropped_at_a_takeover(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        first = await place.player()
        await first.type("enter ann", "sleep 3", "give sword")
        await settled()
        await first.vanish()
        await settled()
        await enter(place)
        await trio.sleep(10)
        assert "guest-1: give sword" not in inn.story()
        assert inn.story().count("ann SessionResumed") == 1
        assert "ann LinkLost" not in inn.story()


async def test_a_second_connection_may_be_refused(mud: OpenMud, inn: Inn, caplog: pytest.LogCaptureFixture) -> None:
    inn.policy["on_duplicate"] = Duplicate.REFUSE
    async with mud(inn.hooks, allow_errors=True) as place:
        await enter(place)
        await enter(place)
        assert inn.story().count("ann SessionStarted") == 1
        assert "ann SessionResumed" not in inn.story()
        assert SessionInUse.__name__ in caplog.text
        assert session_of(place).connection is next(iter(place.server.connections))


async def test_a_session_may_be_shared_and_ends_with_its_last_link(mud: OpenMud, inn: Inn) -> None:
    inn.policy["on_duplicate"] = Duplicate.SHARE
    async with mud(inn.hooks) as place:
        first, second = await enter(place), await enter(place)
        session_of(place).write("to both")
        await first.sees("to both")
        await second.sees("to both")
        await first.vanish()
        await settled()
        assert len(session_of(place).connections) == 1
        assert "ann LinkLost" not in inn.story()
        await second.type("quit")
        await second.sees_the_end()
        await settled()
        assert inn.story()[-1] == "ann left, quit: asked"


async def test_entering_a_key_whose_connection_is_quitting_begins_a_new_stay(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        await enter(place)
        old = session_of(place)
        assert old.connection is not None
        old.connection.quit("A farewell.")
        visitor = await place.player()
        await visitor.type("enter ann")
        await settled()
        lives = [words for words in inn.story() if words.startswith("ann")]
        assert lives == ["ann SessionStarted", "ann left, quit: asked", "ann SessionStarted"]
        assert session_of(place) is not old


# Bad ways in


async def test_who_may_not_enter_is_told_why(mud: OpenMud) -> None:
    hooks = Hooks()
    met: list[Connection] = []

    @hooks.on(Connect)
    def too_early(event: Connect) -> None:
        with pytest.raises(LocalProtocolError, match="admitted"):
            event.connection.server.sessions.enter("ann", event.connection)
        met.append(event.connection)

    @hooks.on(Disconnect)
    def too_late(event: Disconnect) -> None:
        with pytest.raises(ConnectionEnded):
            event.connection.server.sessions.enter("ann", event.connection)
        met.clear()

    async with mud(hooks) as place:
        player = await place.player()
        sessions, connection = place.server.sessions, met[0]
        sessions.enter("ann", connection)
        with pytest.raises(LocalProtocolError, match="bound"):
            sessions.enter("bob", connection)
        connection.session = None
        with pytest.raises(ValueError, match="grace"):
            sessions.enter("bob", connection, grace=-1)
        await player.vanish()
        await settled()
        assert met == []


async def test_a_token_resumes_once_from_anywhere_and_not_too_late(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks, limits=Limits(first_input_timeout=None)) as place:
        await enter(place)
        session = session_of(place)
        void, token = session.resume_token(), session.resume_token(lifetime=60)
        assert void != token
        assert len(token) >= 22  # 128 bits
        visitor = await place.player()
        connection = list(place.server.connections)[-1]
        sessions = place.server.sessions
        for wrong in (void, "", "nonsense"):
            with pytest.raises(InvalidToken):
                sessions.resume(wrong, connection)
        assert sessions.resume(token, connection) is session
        await place.player()
        third = list(place.server.connections)[-1]
        with pytest.raises(InvalidToken):
            sessions.resume(token, third)
        late = session.resume_token(lifetime=60)
        await trio.sleep(60)
        await place.player()
        with pytest.raises(InvalidToken):
            sessions.resume(late, list(place.server.connections)[-1])
        last = session.resume_token()
        session.leave()
        await visitor.sees_the_end()
        await settled()
        await place.player()
        with pytest.raises(InvalidToken):
            sessions.resume(last, list(place.server.connections)[-1])


# What belongs to a session


async def test_timers_and_work_of_a_session_outlive_the_link_and_end_with_the_stay(mud: OpenMud, inn: Inn) -> None:
    inn.policy["grace"] = 5.0
    ticks: list[float] = []
    ended: list[str] = []

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("work")

    async with mud(inn.hooks) as place:
        player = await enter(place)
        session = session_of(place)
        session.every(1, lambda: ticks.append(trio.current_time()))
        session.start_soon(work)
        await trio.sleep(2.5)
        await player.vanish()
        await trio.sleep(2)
        assert len(ticks) == 4
        assert ended == []
        await trio.sleep(100)
        assert len(ticks) == 7
        assert ended == ["work"]
        session.after(1, lambda: ticks.append(0))
        session.start_soon(work)
        await trio.sleep(10)
        assert len(ticks) == 7


async def test_work_that_is_done_leaves_nothing_with_its_session(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        await enter(place)
        session = session_of(place)
        for _ in range(3):
            session.start_soon(trio.lowlevel.checkpoint)
        assert len(session._works or ()) == 3
        await settled()
        assert not session._works


async def test_a_shutdown_leaves_no_session_without_its_left(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        await enter(place, "linked")
        lost = await enter(place, "lost")
        await lost.vanish()
        await settled()
    ways = sorted(words for words in inn.story() if "left" in words)
    assert ways == ["linked left, quit: shutdown", "lost left, quit: shutdown"]


async def test_an_abort_leaves_no_session_without_its_left(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        await enter(place)
        place.server.abort()
        await place.server.closed.wait()
    assert inn.story()[-3:] == ["guest-1 linkdeath: cancelled", "ann LinkLost", "ann left, quit: shutdown"]


# Every interleaving


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["come", "enter", "quit", "vanish", "hang up", "sleep", "leave", "wait", "long wait", "abort"]),
        st.integers(0, 3),
    ),
    max_size=25,
)


@given(STEPS)
async def test_one_owner_one_left_and_nothing_remains_whatever_happens(
    mud: OpenMud, steps: list[tuple[str, int]]
) -> None:
    inn = Inn(grace=20.0)
    players: list[Player] = []
    async with mud(inn.hooks, limits=Limits(command_rate=None, first_input_timeout=None), allow_errors=True) as place:
        server: MasterServer = place.server
        for step, who in steps:
            if server._aborting.is_set():
                break
            if step == "come":
                players.append(await place.player())
            elif step == "abort" and who == 0:
                server.abort()
            elif step == "leave" and (session := server.sessions.get("ann")) is not None:
                session.leave()
            elif step in ("wait", "long wait"):
                await trio.sleep(1 if step == "wait" else 25)
            elif players:
                with trio.move_on_after(1):
                    await act(players[who % len(players)], step)
            if who != 3:
                await settled()
            check_owners(server)
    left = Counter(event.session for event in inn.events if isinstance(event, SessionEnded))
    entered = Counter(event.session for event in inn.events if isinstance(event, SessionStarted))
    assert left == entered
    assert set(left.values()) <= {1}
    assert len(server.sessions) == 0
    assert len(server._context.timers) == 0
    check_order(inn.events)


async def act(player: Player, step: str) -> None:
    try:
        if step == "vanish":
            await player.vanish()
        elif step == "hang up":
            await player.hang_up()
        else:
            await player.type({"enter": "enter ann", "sleep": "sleep 2", "quit": "quit"}.get(step, "look"))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


def check_owners(server: MasterServer) -> None:
    for session in server.sessions:
        assert session.ending is None
        for connection in session.connections:
            assert connection.session is session
    owners = Counter(connection.session for connection in server.connections if connection.session is not None)
    assert all(count == 1 for count in owners.values())


def check_order(events: list[HookEvent]) -> None:
    """`SessionStarted` first, `SessionEnded` last, and between them `LinkLost` only where a link was."""
    linked: dict[Session, bool] = {}
    over: set[Session] = set()
    for event in events:
        match event:
            case SessionStarted(session):
                assert session not in linked
                linked[session] = True
            case SessionResumed(session):
                assert session not in over
                linked[session] = True
            case LinkLost(session):
                assert session not in over
                assert linked[session]
                linked[session] = False
            case SessionEnded(session):
                assert session in linked
                assert session not in over
                over.add(session)


async def test_a_line_waits_for_its_sessions_events_and_not_for_a_tick_that_was_cancelled(
    mud: OpenMud, inn: Inn
) -> None:
    async with mud(inn.hooks) as place:
        player = await enter(place)
        session = session_of(place)
        timer = session.after(1, lambda: None)
        place.server._context.timers.at(trio.current_time() + 1, timer.cancel)
        connection = session.connection
        assert connection is not None
        connection.after(1, lambda: connection.write("tick"))
        await player.sees("tick", within=2)


async def test_while_a_line_waits_for_its_sessions_event_others_play_and_then_it_is_handled(
    mud: OpenMud, inn: Inn
) -> None:
    @inn.hooks.on(SessionStarted)
    async def furnish(event: SessionStarted) -> None:
        await trio.sleep(1)

    async with mud(inn.hooks) as place:
        ann, bob = await place.player(), await place.player()
        await trio.sleep(10)  # what clients tell as they come would wake her
        await ann.type("enter ann", "look")
        await settled()
        await bob.type("wave")
        await bob.sees("you said wave", within=0.5)
        assert "you said look" not in ann.screen
        await ann.sees("you said look", within=1.1)


async def test_what_is_kept_for_the_return_is_bounded_even_if_it_says_nothing(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks, limits=Limits(max_replay=1000)) as place:
        player = await enter(place)
        await player.vanish()
        await settled()
        session = session_of(place)
        for _ in range(5000):
            session.write("")
        assert session._missed is not None
        assert len(session._missed) <= 500


@pytest.mark.parametrize("contenders", [2, 3, 5])
async def test_of_several_who_race_for_one_key_the_last_in_turn_has_it(mud: OpenMud, inn: Inn, contenders: int) -> None:
    """While the first owner vanishes in the same moment."""
    async with mud(inn.hooks) as place:
        owner = await enter(place)
        others = [await place.player() for _ in range(contenders)]
        await place.race(owner.vanish, *(partial(other.type, "enter ann") for other in others))
        await place.pass_time(5)
        session = session_of(place)
        assert len(session.connections) == 1
        last = [event.connection for event in inn.events if isinstance(event, Input)][-1]
        assert session.connection is last
        assert len(place.server.connections) == 1
        assert inn.story().count("ann SessionStarted") == 1
        assert not any(words.startswith("ann left") for words in inn.story())


async def test_a_player_who_comes_back_has_a_connection_of_its_own(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        player = await place.player(address="192.0.2.9", terminal=("MUDLET",))
        await player.type("enter ann")
        await player.vanish()
        again = await player.come_back()
        await again.type("enter ann")
        await place.pass_time(2)
        connection = session_of(place).connection
        assert connection is not None
        assert (connection.name, connection.address) == ("guest-2", "192.0.2.9")
        assert connection.client.terminals == ("MUDLET",)


@pytest.mark.one_process("the gateway sends the last words, and the world does not wait for it")
async def test_who_is_still_being_said_farewell_to_has_left_when_the_next_one_enters(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        slow, quick = await place.player(), await place.player()
        await slow.type("enter ann")
        await settled()
        first = session_of(place)
        slow.stop_reading()
        connection = first.connection
        assert connection is not None
        connection.write("x" * 200_000)
        connection.quit("Farewell.", cause=Cause.KICKED)
        await quick.type("enter ann")
        await settled()
        assert first.ending is Cause.KICKED
        second = session_of(place)
        assert second is not first
        assert [type(event) for event in inn.events if isinstance(event, SessionStarted | SessionEnded)] == [
            SessionStarted,
            SessionEnded,
            SessionStarted,
        ]
        assert connection in place.server._tree.accepted.values()
        await trio.sleep(10)
        assert second.ending is None


async def test_the_end_of_one_stay_is_handled_whole_before_the_next_of_its_key_begins(mud: OpenMud, inn: Inn) -> None:
    told: list[str] = []

    @inn.hooks.on(SessionEnded)
    async def pack(event: SessionEnded) -> None:
        await trio.sleep(1)
        told.append("packed")

    inn.hooks.on(SessionStarted)(lambda event: told.append("entered"))
    async with mud(inn.hooks) as place:
        first, second = await place.player(), await place.player()
        await first.type("enter ann")
        await settled()
        await first.type("quit")
        await settled()
        await second.type("enter ann")
        await trio.sleep(2)
        assert told == ["entered", "packed", "entered"]
        await second.type("quit")
        await trio.sleep(2)
        assert not place.server.sessions._sources


async def test_no_grace_at_all_is_a_grace(mud: OpenMud) -> None:
    inn = Inn(grace=0)
    async with mud(inn.hooks) as place:
        player = await enter(place)
        session = session_of(place)
        await player.vanish()
        await settled()
        assert session.ending is Cause.EXPIRED


async def test_resumed_waits_for_the_hooks_of_all_links_that_were_taken_over(mud: OpenMud) -> None:
    inn = Inn(on_duplicate=Duplicate.SHARE)
    async with mud(inn.hooks) as place:
        links = [await enter(place), await enter(place)]
        for seconds, link in zip((1, 3), links, strict=True):
            await link.type(f"sleep {seconds}")
        await settled()
        inn.policy["on_duplicate"] = Duplicate.TAKE_OVER
        await enter(place)
        await trio.sleep(2)
        assert "ann SessionResumed" not in inn.story()
        await trio.sleep(2)
        assert inn.story().count("ann SessionResumed") == 1


async def test_a_stay_that_ended_before_the_old_links_hook_was_over_is_not_resumed_by_that(
    mud: OpenMud, inn: Inn
) -> None:
    async with mud(inn.hooks) as place:
        old = await enter(place)
        await old.type("sleep 3")
        await settled()
        await enter(place)
        heir = session_of(place).connection
        assert heir is not None
        heir.quit()
        await enter(place)
        await trio.sleep(4)
        lives = [words for words in inn.story() if words.startswith("ann")]
        assert lives == ["ann SessionStarted", "ann left, quit: asked", "ann SessionStarted"]


# Chains of takeovers, and connections that enter late


async def test_a_dead_links_slow_login_does_not_take_the_session_from_its_living_player(
    mud: OpenMud, inn: Inn, caplog: pytest.LogCaptureFixture
) -> None:
    async with mud(inn.hooks) as place:
        phone = await place.player()
        await phone.type("login 2 ann")
        await settled()
        await phone.vanish()
        laptop = await enter(place)
        await trio.sleep(3)
        await laptop.type("look")
        await laptop.sees("you said look")
        assert inn.story() == [
            "guest-1: login 2 ann",
            "guest-2: enter ann",
            "ann SessionStarted",
            "guest-1 linkdeath: reset",
            "guest-2: look",
        ]
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("policy", Duplicate)
async def test_a_connection_whose_ending_is_decided_cannot_enter_by_any_way(mud: OpenMud, policy: Duplicate) -> None:
    inn = Inn()
    async with mud(inn.hooks) as place:
        await enter(place)
        session, sessions = session_of(place), place.server.sessions
        token = session.resume_token()
        await place.player()
        (_, late) = place.server.connections
        late.quit("Bye.")
        with pytest.raises(ConnectionEnded, match="guest-2 has ended"):
            sessions.enter("ann", late, on_duplicate=policy)
        with pytest.raises(ConnectionEnded):
            sessions.enter("bob", late)
        with pytest.raises(ConnectionEnded):
            sessions.resume(token, late)
        assert session.connection is not late
        assert session.connection is not None
        assert session.connection.ending is None
        await place.player()
        *_, punctual = place.server.connections
        assert sessions.resume(token, punctual) is session  # the failed attempt did not use up the token


async def test_work_and_dialogs_that_enter_too_late_are_no_failures(
    mud: OpenMud, inn: Inn, caplog: pytest.LogCaptureFixture
) -> None:
    async def log_in(connection: Connection) -> None:
        with trio.CancelScope(shield=True):  # as a thread that cannot be abandoned
            await trio.sleep(1)
        connection.server.sessions.enter("ann", connection)

    async with mud(inn.hooks) as place:
        await place.player()
        await place.player()
        by_work, by_dialog = place.server.connections
        by_work.start_soon(lambda: log_in(by_work))
        by_dialog.start_dialog(lambda dialog: log_in(dialog.connection))
        await settled()
        by_work.quit()
        by_dialog.quit()
        await trio.sleep(2)
        assert sorted(inn.story()) == ["guest-1 quit: asked", "guest-2 quit: asked"]
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_every_session_taken_over_from_one_connection_is_resumed_when_its_hook_is_over(mud: OpenMud) -> None:
    inn = Inn(on_duplicate=Duplicate.SHARE)
    async with mud(inn.hooks) as place:
        first = await enter(place, "ann")
        other = await enter(place, "bob")
        await first.type("sleep 2")
        await settled()
        ann, bob = session_of(place, "ann"), session_of(place, "bob")
        connection = ann.connection
        assert connection is not None
        inn.policy["on_duplicate"] = Duplicate.TAKE_OVER
        heirs = [await enter(place, "ann")]
        bob._link(connection)  # by no public way: a connection that has ended cannot enter
        heirs.append(await enter(place, "bob"))
        assert len(connection._inbox.after_event) == 2
        assert ann._is_unsettled
        assert bob._is_unsettled
        await trio.sleep(3)
        assert not ann._is_unsettled
        assert not bob._is_unsettled
        for heir in heirs:
            await heir.type("look")
            await heir.sees("you said look")
        await other.sees_the_end()


async def test_a_chain_of_takeovers_waits_for_every_hook_and_freezes_nobody(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks) as place:
        chain = []
        for _ in range(4):
            player = await place.player()
            await player.type("enter ann", "sleep 1")
            await settled()
            chain.append(player)
        assert len(session_of(place)._old_connections) == 1  # only the first had its turn: the others wait for the stay
        await trio.sleep(3)
        assert session_of(place)._old_connections == []
        await chain[-1].type("look")
        await chain[-1].sees("you said look")
        await chain[-1].vanish()
        await settled()
        assert inn.story()[-2:] == ["guest-4 linkdeath: reset", "ann LinkLost"]


async def test_a_return_says_whether_it_took_the_session_from_another_connection(mud: OpenMud, inn: Inn) -> None:
    def returns() -> list[bool]:
        return [event.took_over for event in inn.events if isinstance(event, SessionResumed)]

    async with mud(inn.hooks) as place:
        first = await enter(place)
        await first.vanish()
        await settled()
        second = await enter(place)
        assert returns() == [False]
        await second.type("sleep 1")
        await settled()
        third = await enter(place)  # waits for the hook of the second
        await trio.sleep(2)
        assert returns() == [False, True]
        await enter(place)
        assert returns() == [False, True, True]
        await third.sees_the_end()


# How many wait for their players


async def test_past_the_bound_of_its_address_a_link_death_gets_no_grace_and_others_keep_theirs(
    mud: OpenMud, inn: Inn
) -> None:
    async with mud(inn.hooks, limits=Limits(max_link_dead_per_address=2)) as place:

        async def lose(key: str, address: str) -> None:
            player = await place.player(address=address)
            await player.type(f"enter {key}")
            await settled()
            await player.vanish()
            await settled()

        for key in ("ann", "bob", "cid"):
            await lose(key, "2001:db8:1:2::1" if key == "ann" else "2001:db8:1:2::2")  # one household
        assert inn.story()[-2:] == ["guest-3 linkdeath: reset", "cid left, linkdeath: reset"]
        await lose("dan", "2001:db8:1:3::1")
        assert inn.story()[-1] == "dan LinkLost"
        assert [session.key for session in place.server.sessions] == ["ann", "bob", "dan"]
        assert place.server.counters["sessions without grace"] == 1
        await enter(place, "ann")  # a return makes room for another
        await lose("eve", "2001:db8:1:2::3")
        assert inn.story()[-1] == "eve LinkLost"
        await trio.sleep(400)  # and so does the end of the grace
        await lose("fay", "2001:db8:1:2::3")
        assert inn.story()[-1] == "fay LinkLost"


async def test_it_is_the_last_connection_that_says_where_a_session_waits_from(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks, limits=Limits(max_link_dead_per_address=1)) as place:
        for key in ("ann", "bob"):
            first = await place.player(address="192.0.2.1")
            await first.type(f"enter {key}")
            last = await place.player(address="192.0.2.9" if key == "bob" else "192.0.2.2")
            await last.type(f"enter {key}")
            await settled()
            await last.vanish()
            await settled()
            assert inn.story()[-1] == f"{key} LinkLost"


async def test_past_the_bound_of_all_no_more_wait_and_those_that_do_stay(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks, limits=Limits(max_link_dead=3)) as place:
        for number in range(6):
            player = await enter(place, f"p{number}")
            await player.vanish()
            await settled()
        assert [session.key for session in place.server.sessions] == ["p0", "p1", "p2"]
        session_of(place, "p0").leave()
        player = await enter(place, "p7")
        await player.vanish()
        await settled()
        assert inn.story()[-1] == "p7 LinkLost"


async def test_a_session_without_grace_can_be_entered_again_at_once(mud: OpenMud, inn: Inn) -> None:
    async with mud(inn.hooks, limits=Limits(max_link_dead=1)) as place:
        for key in ("ann", "bob"):
            player = await enter(place, key)
            await player.vanish()
            await settled()
        await enter(place, "bob")
        lives = [words for words in inn.story() if words.startswith("bob")]
        assert lives == ["bob SessionStarted", "bob left, linkdeath: reset", "bob SessionStarted"]


class Hero:
    """A key whose hash is that of its name, which changes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        if self.name == "gone":
            raise LookupError("it has no name any more")
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hero) and self.name == other.name


@pytest.mark.parametrize("name", ["anna", "bob", "gone"])
@pytest.mark.parametrize("ending", ["leave", "quit", "vanish", "shutdown"])
async def test_a_key_whose_hash_changes_costs_its_session_nothing_and_no_other(
    autojump_clock: trio.testing.MockClock, ending: str, name: str
) -> None:
    """Its last event comes, and those of the others, and `serve` ends without an error."""
    left: list[object] = []
    hooks = Hooks()
    hooks.on(SessionEnded)(lambda event: left.append(event.session.key))
    keys = [Hero(name) for name in ("ann", "bob", "carl")]
    async with open_house(hooks) as house:
        wires = [await house.connect() for _ in keys]
        server = house.server
        for key, connection in zip(keys, server.connections, strict=True):
            server.sessions.enter(key, connection, grace=1)
        await settled()
        ann = next(iter(server.connections))
        assert ann.session is not None
        keys[0].name = name
        if ending == "leave":
            ann.session.leave()
        elif ending == "quit":
            ann.quit()
        elif ending == "vanish":
            wires[0].say(b"")
        await trio.sleep(20)
        assert len(server.sessions) == (3 if ending == "shutdown" else 2)
    assert sorted(map(id, left)) == sorted(map(id, keys))
