"""A client that returns by `Session.Resume`: each line once, one session, whatever the link swallowed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from trio_mud import (
    Admitted,
    Dialog,
    HookEvent,
    Hooks,
    Input,
    Limits,
    Session,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    broadcast,
)
from trio_mud.telnet import Json, Option, Policy
from trio_mud.telnet.client import TakesMccp2
from trio_mud.telnet.codes import AO, AYT, IAC, SB, SE, TTYPE
from trio_mud.telnet.gmcp_messages import encode_gmcp
from trio_mud.testing import Mud, OpenMud, Player
from trio_mud.testing.gmcp import Return
from trio_mud.testing.packing import TakesCharset

SESSION = ("Session",)


class AnswersLate(Option):
    """Agrees to name the terminal; the test sends the names."""

    code = TTYPE
    ours = Policy.ACCEPT


class Tavern:
    """A game whose login asks for a name, and in which everyone reads what the others say."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.events: list[str] = []
        self.grace = 60.0

        @self.hooks.on(Admitted)
        def greet(event: Admitted) -> None:
            event.connection.start_dialog(self.log_in, deadline=600)

        @self.hooks.on(Input)
        def obey(event: Input) -> None:
            if event.line == "quit":
                event.connection.quit("Goodbye")
            elif event.line == "shout":
                broadcast("HEY", event.connection.server.connections)
            else:
                for session in event.connection.server.sessions:
                    session.write(f"<{event.line}>")
            event.connection.prompt("* ")

        for kind in (SessionStarted, SessionResumed, SessionEnded):
            self.hooks.on(kind)(self.note)

    def note(self, event: HookEvent) -> None:
        assert isinstance(event, SessionStarted | SessionResumed | SessionEnded)
        self.events.append(f"{type(event).__name__} {event.session.key}")

    async def log_in(self, dialog: Dialog) -> None:
        name = await dialog.ask("Name: ")
        await dialog.ask_hidden("Password: ")
        dialog.connection.server.sessions.enter(name, dialog.connection, grace=self.grace)


@pytest.fixture
def tavern() -> Tavern:
    return Tavern()


async def log_in(mud: Mud, name: str, **settings: object) -> Player:
    player = await mud.player(gmcp=SESSION, **settings)  # type: ignore[arg-type]
    await player.type(name, "secret")
    await player.catches_up()
    return player


def session_of(mud: Mud, name: str) -> Session:
    session = mud.server.sessions.get(name)
    assert session is not None
    return session


def said(*players: Player) -> list[str]:
    """The whole lines that were said, as the screens of one program show them in turn."""
    return [
        line[line.index("<") :] for player in players for line in player.screen.split("\n")[:-1] if line.endswith(">")
    ]


def messages(player: Player) -> list[str]:
    return [package for package, _ in player.gmcp if package.startswith("Session.")]


def data_of(player: Player, package: str) -> dict[str, Json]:
    data = [data for name, data in player.gmcp if name == package][-1]
    assert isinstance(data, dict)
    return data


async def swallow(ann: Player, bob: Player, *lines: str) -> None:
    """Let bob talk while ann's link delivers nothing and its server notices nothing."""
    ann.go_silent()
    await bob.type(*lines)
    await bob.catches_up()


# Every line once


@pytest.mark.parametrize("notices", [True, False], ids=["the link is dead", "the server has not noticed"])
async def test_lines_that_a_dead_link_has_swallowed_arrive_once_and_in_order(
    mud: OpenMud, tavern: Tavern, notices: bool
) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        await bob.type("1", "2")
        await ann.sees("<2>")
        await swallow(ann, bob, "3", "4", "5")
        if notices:
            await ann.vanish()
            await bob.type("6", "7")
            await bob.catches_up()
        back = await ann.come_back()
        await bob.type("8")
        await back.sees("<8>")
        numbers = "12345678" if notices else "123458"
        assert said(ann, back) == [f"<{number}>" for number in numbers]
        assert messages(back) == ["Session.Token", "Session.Resumed"]
        assert data_of(back, "Session.Resumed")["missed"] == 3
        assert tavern.events == ["SessionStarted ann", "SessionStarted bob", "SessionResumed ann"]


@pytest.mark.parametrize("times", [2, 5])
async def test_a_client_returns_again_and_again_and_reads_each_line_once(
    mud: OpenMud, tavern: Tavern, times: int
) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        links = [ann]
        for turn in range(times):
            await bob.type(f"{turn} seen")
            await links[-1].sees(f"<{turn} seen>")
            await swallow(links[-1], bob, f"{turn} swallowed")
            await links[-1].vanish()
            await bob.type(f"{turn} missed")
            await bob.catches_up()
            links.append(await links[-1].come_back())
            await links[-1].sees(f"<{turn} missed>")
        expected = [f"<{turn} {what}>" for turn in range(times) for what in ("seen", "swallowed", "missed")]
        assert said(*links) == expected
        assert said(bob) == expected


async def test_text_of_a_batch_in_which_the_link_dies_is_not_lost(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        link = session_of(place, "ann").connection
        assert link is not None

        @tavern.hooks.on(Input)
        def lose(event: Input) -> None:
            link._lifecycle.abort()

        await bob.type("1")
        await bob.catches_up()
        back = await ann.come_back()
        await back.catches_up()
        assert said(ann, back) == ["<1>"]


async def test_a_reloaded_program_reads_all_that_is_kept(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        await bob.type("1", "2")
        await ann.sees("<2>")
        assert ann.returns is not None
        again = await place.player(gmcp=SESSION)
        await again.send_gmcp("Session.Resume", {"token": ann.returns.token})
        await again.catches_up()
        assert said(again) == ["<1>", "<2>"]
        assert data_of(again, "Session.Resumed")["lost"] == 0


async def test_the_client_learns_how_many_lines_are_kept_no_longer(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks, limits=Limits(max_tail=600, command_rate=None)) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        await swallow(ann, bob, *(f"{number}" for number in range(20)))
        back = await ann.come_back()
        await back.catches_up()
        report = data_of(back, "Session.Resumed")
        assert said(back) == [f"<{number}>" for number in range(report["lost"], 20)]  # type: ignore[arg-type]
        assert report["lost"] + report["missed"] == 20  # type: ignore[operator]
        assert report["lost"] == 16


@pytest.mark.parametrize(
    "option",
    [None, TakesMccp2(), TakesCharset(("ISO-8859-1",))],
    ids=["plain", "compressed", "another charset"],
)
@pytest.mark.parametrize("noise", [b"", bytes((IAC, AYT)), bytes((IAC, AO)), bytes((IAC, AYT, IAC, AO))])
async def test_both_sides_count_the_same_lines_whatever_the_client_sends(
    mud: OpenMud, tavern: Tavern, option: Option | None, noise: bytes
) -> None:
    async with mud(tavern.hooks) as place:
        ann = await log_in(place, "ann", options=[option] if option is not None else [])
        await ann.type("ÿÿ", "shout")
        await ann.send(b"one\r\n" + noise + b"two\r\n" + noise)
        await ann.catches_up()
        link = session_of(place, "ann").connection
        assert link is not None
        link.hide_input(True)
        link.write("hidden now")
        link.hide_input(False)
        await ann.catches_up()
        assert ann.returns is not None
        shown = ann.returns.lines
        session_of(place, "ann").void_tokens()  # the new one repeats the server's count
        await ann.catches_up()
        assert data_of(ann, "Session.Token")["lines"] == shown


async def test_a_client_that_names_the_package_late_is_counted_from_then_on(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann = await place.player(gmcp=("Room",))
        await ann.type("ann", "secret", "before")
        await ann.catches_up()
        assert messages(ann) == []
        await ann.send_gmcp("Core.Supports.Add", ["Session 1"])
        await ann.catches_up()
        await ann.send_gmcp("Core.Supports.Add", ["Char 1"])
        await ann.catches_up()
        assert messages(ann) == ["Session.Token"]
        assert data_of(ann, "Session.Token") | {"token": ""} == {"token": "", "grace": 60.0, "lines": 0}


async def test_a_client_that_does_not_name_the_package_has_no_tail(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann = await place.player(gmcp=("Room",))
        await ann.type("ann", "secret", "hello")
        await ann.catches_up()
        assert session_of(place, "ann")._tail is None
        assert len(place.server.sessions._tokens) == 0


async def test_what_the_old_link_reads_about_a_takeover_is_not_replayed(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann = await log_in(place, "ann")
        back = await ann.come_back()
        assert place.server.texts.taken_over in await ann.sees_the_end()
        await back.type("1")
        await back.sees("<1>")
        assert place.server.texts.taken_over not in back.screen


# The token


async def test_a_token_is_good_until_the_session_ends_and_once(mud: OpenMud, tavern: Tavern) -> None:
    tavern.grace = 30.0
    async with mud(tavern.hooks) as place:
        ann = await log_in(place, "ann")
        await trio.sleep(24 * 3600)
        await ann.vanish()
        await trio.sleep(29)
        back = await ann.come_back()
        await back.catches_up()
        assert messages(back) == ["Session.Token", "Session.Resumed"]
        thief = await ann.come_back()
        await thief.catches_up()
        assert messages(thief) == ["Session.Void"]
        assert thief.screen.endswith("Name: ")
        await back.vanish()
        await trio.sleep(31)
        late = await back.come_back()
        await late.catches_up()
        assert messages(late) == ["Session.Void"]
        assert said(late) == []
        assert tavern.events[-1] == "SessionEnded ann"


@pytest.mark.parametrize("how", ["quit", "another login", "void_tokens"])
async def test_a_token_is_void_after(mud: OpenMud, tavern: Tavern, how: str) -> None:
    async with mud(tavern.hooks) as place:
        ann = await log_in(place, "ann")
        await ann.type("private")
        await ann.catches_up()
        if how == "quit":
            await ann.type("quit")
            await ann.sees_the_end()
        elif how == "another login":
            await log_in(place, "ann")
        else:
            await ann.vanish()
            session_of(place, "ann").void_tokens()
        late = await ann.come_back()
        await late.catches_up()
        assert messages(late) == ["Session.Void"]
        assert said(late) == []


async def test_a_live_client_gets_a_new_token_when_its_tokens_become_void(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        former = ann.returns
        await bob.type("1")
        await ann.sees("<1>")
        session_of(place, "ann").void_tokens()
        await swallow(ann, bob, "2")
        ann.plug_in()
        await ann.catches_up()
        assert former is not None
        assert ann.returns is not None
        assert ann.returns.token != former.token
        back = await ann.come_back()
        await back.catches_up()
        assert said(ann, back) == ["<1>", "<2>"]


async def test_a_token_of_the_game_does_not_replace_that_of_the_client(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann = await log_in(place, "ann")
        session_of(place, "ann").resume_token()
        await ann.vanish()
        back = await ann.come_back()
        await back.catches_up()
        assert messages(back) == ["Session.Token", "Session.Resumed"]


@pytest.mark.parametrize("question", ["Name: ", "Password: "])
async def test_a_token_answers_any_question_of_the_login_and_shows_input_again(
    mud: OpenMud, tavern: Tavern, question: str
) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        await swallow(ann, bob, "1")
        back = await place.player(gmcp=SESSION)
        if question == "Password: ":
            await back.type("cid")
        await back.sees(question)
        assert ann.returns is not None
        await back.send_gmcp("Session.Resume", ann.returns._asdict())
        await back.sees("<1>")
        await back.catches_up()
        assert not back.input_hidden
        await back.type("2")
        await back.sees("<2>")
        await swallow(back, bob, "3")
        third = await back.come_back()
        await third.catches_up()
        assert said(third) == ["<3>"]


async def test_a_connection_that_returns_by_token_has_the_name_of_the_lost_one(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        connection = session_of(place, "ann").connection
        assert connection is not None
        connection.name = "Ann the Bold"
        await swallow(ann, bob, "1")
        await (await ann.come_back()).sees("<1>")
        back = session_of(place, "ann").connection
        assert back is not connection
        assert back is not None
        assert back.name == "Ann the Bold"


async def asked_for_a_password(place: Mud) -> tuple[Player, Player, Player]:
    """Two players, of whom the first misses a line, and a program that has given a name of its own."""
    ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
    await swallow(ann, bob, "1")
    back = await place.player(gmcp=SESSION)
    await back.type("cid")
    await back.sees("Password: ")
    return ann, bob, back


async def test_a_token_behind_the_last_answer_comes_too_late_and_stays_good(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann, _, back = await asked_for_a_password(place)
        assert ann.returns is not None
        await back.send(b"secret\r\n" + encode_gmcp("Session.Resume", ann.returns._asdict()))
        await back.catches_up()
        await back.type("2")
        await back.sees("<2>")
        assert "SessionStarted cid" in tavern.events
        assert "SessionResumed ann" not in tavern.events
        assert "<1>" not in back.screen
        await (await ann.come_back()).sees("<1>")


async def test_a_login_that_waits_for_its_program_greets_no_player_who_has_returned(
    mud: OpenMud, tavern: Tavern
) -> None:
    async def greet(dialog: Dialog) -> None:
        await dialog.client_ready()
        dialog.connection.write("Welcome, stranger.")
        await dialog.ask("Name: ")

    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        tavern.log_in = greet  # type: ignore[method-assign]
        for number in range(4):  # the scheduler chooses whether the login or the return goes on first
            await swallow(ann, bob, f"{number}")
            assert ann.returns is not None
            back = await place.player(gmcp=SESSION, options=[AnswersLate()])
            resume = encode_gmcp("Session.Resume", ann.returns._asdict())
            name = bytes((IAC, SB, TTYPE, 0)) + b"XTERM" + bytes((IAC, SE))
            await back.send(name + name + resume)  # the last answers, and the token behind them
            await back.sees(f"<{number}>")
            await back.sees_nothing()
            ann = back


async def test_a_password_that_is_on_its_way_when_its_player_returns_by_token_is_no_command(
    mud: OpenMud, tavern: Tavern
) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob, back = await asked_for_a_password(place)
        assert ann.returns is not None
        await back.send(encode_gmcp("Session.Resume", ann.returns._asdict()))
        await back.type("secret")
        await back.catches_up()
        await back.type("2")
        await bob.sees("<2>")
        assert "<secret>" not in bob.screen


@pytest.mark.parametrize("fails", [False, True], ids=["enters", "fails"])
async def test_a_login_that_works_on_while_its_player_returns_by_token_does_not_end_the_link(
    mud: OpenMud, tavern: Tavern, fails: bool
) -> None:
    works = trio.Event()

    async def log_in_slowly(dialog: Dialog) -> None:
        with trio.CancelScope(shield=True):
            await works.wait()
        dialog.connection.write("Checked.")
        if fails:
            raise ValueError("a fault of the login")
        dialog.connection.server.sessions.enter("cid", dialog.connection)

    async with mud(tavern.hooks, allow_errors=fails) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        await swallow(ann, bob, "1")
        tavern.log_in = log_in_slowly  # type: ignore[method-assign]
        back = await place.player(gmcp=SESSION)
        assert ann.returns is not None
        await back.send_gmcp("Session.Resume", ann.returns._asdict())
        await back.sees("<1>")
        works.set()
        await back.type("2")
        await back.sees("<2>")  # the line was not dropped either
        assert "Checked." in back.screen


async def test_a_dead_link_within_the_missing_text_costs_no_token(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks, limits=Limits(command_rate=None)) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        await swallow(ann, bob, *(f"{number}" for number in range(30)))
        assert ann.returns is not None
        slow = await place.player(gmcp=SESSION, capacity=64, returns=ann.returns)
        while "<3>" not in slow.screen:
            await trio.testing.wait_all_tasks_blocked()
        slow.go_silent()
        await slow.vanish()
        back = await slow.come_back()
        await back.catches_up()
        assert said(ann, slow, back) == [f"<{number}>" for number in range(30)]


async def test_a_dead_link_behind_the_new_token_costs_no_line(mud: OpenMud, tavern: Tavern) -> None:
    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        await swallow(ann, bob, "1", "2", "3")
        cut = await ann.come_back()
        await cut.catches_up()
        token = data_of(cut, "Session.Token")  # the last that reaches the client, before `Session.Resumed`
        await cut.vanish()
        assert isinstance(token["token"], str)
        assert isinstance(token["lines"], int)
        back = await place.player(gmcp=SESSION, returns=Return(token["token"], token["lines"]))
        await back.catches_up()
        assert said(ann, back) == ["<1>", "<2>", "<3>"]


# Tabs that race


class Tab:
    """A browser tab that has the token, in three steps: it connects, presents the token, and types a line."""

    def __init__(self, mud: Mud, number: int, origin: Player) -> None:
        self.mud, self.number = mud, number
        assert origin.returns is not None
        self.returns = origin.returns
        self.player: Player

    async def step(self, number: int) -> None:
        match number:
            case 0:
                self.player = await self.mud.player(gmcp=SESSION)
            case 1:
                await self.player.send_gmcp("Session.Resume", self.returns._asdict())
            case _:
                await self.player.type(f"tab {self.number}")


def interleavings(tabs: int) -> Iterator[tuple[int, ...]]:
    """All orders of three steps of each tab; of tabs that differ in nothing but their number, the first comes first."""
    for order in set(itertools.permutations([tab for tab in range(tabs) for _ in range(3)])):
        if [*dict.fromkeys(order)] == [*range(tabs)]:
            yield order


async def check_race(place: Mud, tavern: Tavern, tabs: list[Tab], ann: Player) -> None:
    await place.pass_time(1)
    winners = [tab for tab in tabs if "Session.Resumed" in messages(tab.player)]
    assert [messages(tab.player) for tab in tabs if tab not in winners] == [["Session.Void"]] * (len(tabs) - 1)
    (winner,) = winners
    assert said(ann, winner.player)[:2] == ["<1>", "<2>"]
    assert len(said(ann, winner.player)) == 3
    assert [said(tab.player) for tab in tabs if tab not in winners] == [[]] * (len(tabs) - 1)
    connection = session_of(place, "ann").connection
    assert connection is not None
    assert len(session_of(place, "ann").connections) == 1
    assert tavern.events.count("SessionResumed ann") == 1
    assert "SessionStarted tab" not in " ".join(tavern.events)


@pytest.mark.parametrize("is_dead", [True, False], ids=["dead", "live"])
async def test_of_two_tabs_with_one_token_one_resumes_in_every_interleaving(mud: OpenMud, is_dead: bool) -> None:
    orders = list(interleavings(2))
    assert len(orders) == 10
    for order in orders:
        await race(mud, order, 2, is_dead=is_dead, settles=True)


@pytest.mark.slow
async def test_of_three_tabs_with_one_token_one_resumes_in_every_interleaving(mud: OpenMud) -> None:
    orders = list(interleavings(3))
    assert len(orders) == 280
    for number, order in enumerate(orders):
        await race(mud, order, 3, is_dead=bool(number % 2), settles=True)


@pytest.mark.parametrize("tabs", [2, 3, 4, 5])
async def test_of_many_tabs_that_present_one_token_at_once_one_resumes(mud: OpenMud, tabs: int) -> None:
    for order in itertools.islice(itertools.permutations(range(tabs)), 0, 120, 5 if tabs == 5 else 1):
        steps = (*range(tabs), *order, *range(tabs))
        await race(mud, steps, tabs, is_dead=False, settles=False)


async def race(mud: OpenMud, order: tuple[int, ...], count: int, *, is_dead: bool, settles: bool) -> None:
    tavern = Tavern()
    async with mud(tavern.hooks) as place:
        ann, bob = await log_in(place, "ann"), await log_in(place, "bob")
        await bob.type("1")
        await ann.sees("<1>")
        await swallow(ann, bob, "2")
        if is_dead:
            await ann.vanish()
        tabs = [Tab(place, number, ann) for number in range(count)]
        done = [0] * count
        for number in order:
            await tabs[number].step(done[number])
            done[number] += 1
            if settles:
                await place.pass_time(0)
        await check_race(place, tavern, tabs, ann)
