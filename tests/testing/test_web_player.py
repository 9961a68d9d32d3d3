"""Web players do what browsers and programs on the web port do."""

from __future__ import annotations

import pytest
import trio

from trio_mud import Admitted, Dialog, Disconnect, Hooks, Input, Session, broadcast
from trio_mud.testing import Mud, OpenMud, WebPlayer
from trio_mud.testing.web_wire import EMPTY_TEXT, SUBPROTOCOLS, WITH_GMCP
from trio_mud.web import SUBPROTOCOLS as SUPPORTED

every_subprotocol = pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
every_one_with_gmcp = pytest.mark.parametrize("subprotocol", WITH_GMCP)


@pytest.fixture
def inn() -> Hooks:
    """A game that repeats lines to all, enters the session of each visitor, and asks for a password."""
    hooks = Hooks()

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.write("Welcome!")

    @hooks.on(Input)
    def obey(event: Input) -> None:
        guest, line = event.connection, event.line
        if line == "quit":
            guest.quit("Goodbye!")
        elif line.startswith("enter "):
            guest.server.sessions.enter(line.removeprefix("enter "), guest, grace=60)
        elif line == "password":
            guest.start_dialog(ask)
        elif line == "where":
            guest.gmcp("Room.Info", {"name": "Ünder"})
        else:
            broadcast(f"<{line}>", guest.server.connections)
            guest.prompt("* ")

    async def ask(dialog: Dialog) -> None:
        await dialog.ask_hidden("Password: ")

    return hooks


@pytest.fixture
def endings(inn: Hooks) -> list[str]:
    """How each connection ended, in the order they did."""
    found: list[str] = []
    inn.on(Disconnect)(lambda event: found.append(str(event.cause)))
    return found


def said(*players: WebPlayer) -> list[str]:
    """The lines that were said, as the players show them in turn."""
    return [
        line[line.index("<") :] for player in players for line in player.screen.split("\n")[:-1] if line.endswith(">")
    ]


def session_of(mud: Mud, name: str) -> Session:
    session = mud.server.sessions.get(name)
    assert session is not None
    return session


def test_it_speaks_every_subprotocol_of_the_web_port() -> None:
    assert {*SUPPORTED, ""} == {*SUBPROTOCOLS}


@every_subprotocol
async def test_it_types_and_reads_lines_and_prompts(mud: OpenMud, inn: Hooks, subprotocol: str) -> None:
    async with mud(inn) as place:
        ann = await place.web_player(subprotocol)
        assert (ann.status, ann.subprotocol) == (101, subprotocol)
        await ann.type("grün", "", "two")
        await ann.sees("Welcome!\n<grün>\n")
        await ann.sees("<>\n")
        await ann.sees("<two>\n* ")
        await ann.type("quit")
        assert (await ann.sees_the_end()).endswith("Goodbye!\n")
        assert ann.close_code == 1000


@every_one_with_gmcp
async def test_it_reads_and_sends_gmcp(mud: OpenMud, inn: Hooks, subprotocol: str) -> None:
    async with mud(inn) as place:
        ann = await place.web_player(subprotocol, gmcp=["Room", "Session"])
        await ann.type("where", "enter ann")
        await ann.catches_up()
        assert ("Room.Info", {"name": "Ünder"}) in ann.gmcp
        assert ann.returns is not None
        await ann.send_gmcp("Core.Supports.Remove", ["Room"])
        await ann.type("where")
        await ann.catches_up()
        assert [package for package, _ in ann.gmcp].count("Room.Info") == 1


async def test_by_default_it_is_the_page(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        await place.web_player()
        (connection,) = place.server.connections
        client = connection.client
        assert (client.size, client.program, client.colours) == ((80, 24), "trio_mud.testing", 1 << 24)
        assert "session" in client.packages


async def test_input_is_hidden_from_those_that_speak_telnet(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.web_player()
        await ann.type("password")
        await ann.sees("Password: ")
        assert ann.input_hidden
        await ann.type("sesame")
        await ann.catches_up()
        assert not ann.input_hidden


async def test_the_window_of_an_envelope_is_seen(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.web_player("json.mudstandards.org", columns=132, rows=43)
        (connection,) = place.server.connections
        assert connection.client.size == (132, 43)
        await ann.type("look")
        await ann.sees("<look>")


# Its return


@every_one_with_gmcp
@pytest.mark.parametrize("notices", [True, False], ids=["the link is dead", "the server has not noticed"])
async def test_it_comes_back_by_its_token_and_shows_each_line_once(
    mud: OpenMud, inn: Hooks, subprotocol: str, notices: bool
) -> None:
    async with mud(inn) as place:
        ann, bob = await place.web_player(subprotocol), await place.web_player()
        await ann.type("enter ann")
        await bob.type("1")
        await ann.sees("<1>")
        ann.go_silent()
        await bob.type("2", "3")
        await bob.sees("<3>")
        if notices:
            await ann.vanish()
        back = await ann.come_back()
        await bob.type("4")
        await back.sees("<4>")
        assert said(ann, back) == ["<1>", "<2>", "<3>", "<4>"]
        assert session_of(place, "ann").connection is not None


async def test_it_learns_that_its_session_was_taken_over(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        ann = await place.web_player()
        await ann.type("enter ann")
        await ann.catches_up()
        await ann.come_back()
        await ann.sees_the_end()
        assert ann.close_code == 4001


# Its end


@pytest.mark.parametrize("code", [1000, 1001])
async def test_it_closes_with_a_code_which_is_answered(mud: OpenMud, inn: Hooks, endings: list[str], code: int) -> None:
    async with mud(inn) as place:
        ann = await place.web_player()
        await ann.type("last")
        await ann.close(code)
        await ann.sees_the_end()
        assert ann.close_code == code
        with pytest.raises(trio.BrokenResourceError):
            await ann.type("too late")
    assert endings == ["end of file"]


@pytest.mark.parametrize(("ending", "cause"), [("hang_up", "end of file"), ("vanish", "reset")])
async def test_it_ends_as_other_players_do(
    mud: OpenMud, inn: Hooks, endings: list[str], ending: str, cause: str
) -> None:
    async with mud(inn) as place:
        ann = await place.web_player()
        await getattr(ann, ending)()
        await place.pass_time(3)
    assert endings == [cause]


async def test_it_is_refused_where_a_browser_would_be(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        eve = await place.web_player(headers=[("Origin", "https://evil.example")])
        await eve.sees_the_end()
        assert eve.status == 403
        with pytest.raises(trio.BrokenResourceError, match="answered with status 403"):
            await eve.type("hello")


async def test_it_may_break_the_rules_of_its_subprotocol(mud: OpenMud, inn: Hooks, endings: list[str]) -> None:
    async with mud(inn) as place:
        ann = await place.web_player("json.mudstandards.org")
        await ann.send_text("no json")
        await ann.send(b"a line")
        await ann.sees("<a line>")
        assert place.server.counters["anomaly: malformed payload"] == 1
    assert endings == ["shutdown"]


@every_subprotocol
async def test_an_empty_text_message_is_the_line_that_the_wire_says(mud: OpenMud, inn: Hooks, subprotocol: str) -> None:
    """The simulator compares the two."""
    handled: list[str] = []
    inn.on(Input)(lambda event: handled.append(event.line))
    async with mud(inn) as place:
        ann = await place.web_player(subprotocol)
        await ann.sees("Welcome!")
        ann._wire.send_raw(EMPTY_TEXT)
        await ann.type("two")
        await ann.sees("<two>")
        assert len(handled) == ann._wire.telnet().count(b"\r\n")


async def test_it_takes_a_subprotocol_that_there_is(mud: OpenMud, inn: Hooks) -> None:
    async with mud(inn) as place:
        with pytest.raises(ValueError, match="unknown subprotocol 'mxp': choose one of telnet"):
            await place.web_player("mxp")
