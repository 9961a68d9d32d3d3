"""Messages of a game beside the text: sent only to programs that support them, bounded as text is, with a result."""

from __future__ import annotations

import pytest
import trio.testing

from trio_mud import Admitted, Dialog, GmcpMessage, Hooks, Input, Limits, ResumeRequested
from trio_mud.telnet import Engine, Option, Policy
from trio_mud.telnet.codes import CHARSET, DO, DONT, GMCP, IAC, MSDP, MXP, SB, SE
from trio_mud.telnet.gmcp_messages import encode_gmcp
from trio_mud.telnet.msdp_messages import encode_msdp
from trio_mud.telnet.options import Charset, Gmcp, Msdp, Mxp
from trio_mud.telnet.options.mssp import PLAIN_PERIOD
from trio_mud.testing import OpenMud

from ..conftest import EventLog, FakeTransport, TestServer, engine_of, first_connection, open_house, settled

ACCEPTED = 2  # RFC 2066
PATIENT = Limits(first_input_timeout=None)


async def wire_that_takes_rooms(house: TestServer) -> FakeTransport:
    wire = await house.connect()
    wire.say(bytes((IAC, DO, GMCP)) + encode_gmcp("Core.Supports.Set", ["Room 1"]))
    await settled()
    wire.sent.clear()
    return wire


async def wire_that_wants_health(house: TestServer) -> FakeTransport:
    wire = await house.connect()
    report = b"\x01REPORT\x02HEALTH"
    wire.say(bytes((IAC, DO, MSDP)) + bytes((IAC, SB, MSDP)) + report + bytes((IAC, SE)))
    await settled()
    wire.sent.clear()
    return wire


async def test_a_message_goes_only_to_who_takes_its_package_and_the_answer_says_whether(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Hooks(), limits=PATIENT, options=[Gmcp()]) as house:
        taker = await wire_that_takes_rooms(house)
        connection = first_connection(house.server)
        assert connection.gmcp("Room.Info", {"num": 7})
        assert connection.gmcp("Room.Left")
        assert not connection.gmcp("Char.Vitals", {"hp": 1})
        await settled()
        assert b"".join(taker.sent) == encode_gmcp("Room.Info", {"num": 7}) + encode_gmcp("Room.Left")
        connection.quit()
        assert not connection.gmcp("Room.Info", {"num": 8})


async def test_who_knows_no_gmcp_gets_none_and_a_game_without_the_option_sends_none(
    autojump_clock: trio.testing.MockClock,
) -> None:
    for options in ([Gmcp()], []):
        async with open_house(Hooks(), limits=PATIENT, options=options) as house:
            wire = await house.connect()
            sent = b"".join(wire.sent)
            assert not first_connection(house.server).gmcp("Room.Info", {})
            assert not first_connection(house.server).msdp("HEALTH", 1)
            await settled()
            assert b"".join(wire.sent) == sent


async def test_what_can_name_no_package_is_a_mistake_of_the_games_whoever_listens(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        await place.player()
        with pytest.raises(ValueError, match="cannot name a GMCP package"):
            first_connection(place.server).gmcp("Room Info")


async def test_a_message_beyond_the_bound_is_dropped_and_said_to_be(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=Limits(max_output=100, first_input_timeout=None), options=[Gmcp()]) as house:
        await wire_that_takes_rooms(house)
        connection = first_connection(house.server)
        assert connection.gmcp("Room.Info", "x" * 50)
        assert not connection.gmcp("Room.Info", "x" * 50)
        assert house.server.counters["messages dropped"] == 1


async def test_a_variable_is_reported_when_it_was_asked_for_and_changes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Hooks(), limits=PATIENT, options=[Msdp()]) as house:
        wire = await wire_that_wants_health(house)
        connection = first_connection(house.server)
        assert [connection.msdp("HEALTH", value) for value in (41, 42, 42)] == [True, True, False]
        assert not connection.msdp("MANA", 1)
        await settled()
        said = bytes((IAC, SB, MSDP)) + encode_msdp("HEALTH", 42) + bytes((IAC, SE))
        assert b"".join(wire.sent).endswith(said)
        wire.sent.clear()
        connection.quit()
        assert not connection.msdp("HEALTH", 43)
        await settled()
        assert wire.sent == []


async def test_a_report_beyond_the_bound_is_dropped_and_made_when_there_is_room_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Hooks(), limits=Limits(max_output=100, first_input_timeout=None), options=[Msdp()]) as house:
        await wire_that_wants_health(house)
        connection = first_connection(house.server)
        connection.msdp("HEALTH", "full")
        assert connection.msdp("HEALTH", "x" * 60)
        assert not connection.msdp("HEALTH", "y" * 60)
        assert house.server.counters["messages dropped"] == 1
        await settled()
        assert connection.msdp("HEALTH", "y" * 60)


async def test_a_report_that_is_not_made_takes_no_room(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=Limits(max_output=100, first_input_timeout=None), options=[Msdp()]) as house:
        await wire_that_wants_health(house)
        connection = first_connection(house.server)
        for _ in range(50):
            assert not connection.msdp("MANA", "x" * 60)
        assert connection.write("x" * 98)
        assert house.server.counters["messages dropped"] == 0


async def test_a_crawler_that_asks_by_a_line_is_told_of_the_game_and_its_line_is_nobodys_input(
    mud: OpenMud, witness: EventLog
) -> None:
    async with mud(witness.hooks) as place:
        place.server.mssp["NAME"] = "The Tavern"
        player = await place.player()
        await player.type("MSSP-REQUEST")
        await player.sees("MSSP-REPLY-START\nNAME\tThe Tavern\n")
        await player.sees("MSSP-REPLY-END\n")
        variables = dict(line.split("\t") for line in player.screen.splitlines() if "\t" in line)
        assert variables["PLAYERS"] == "0"  # the crawler is none
        assert variables["UPTIME"] == str(place.server._began)
    assert not any("MSSP" in words for words in witness.story())


@pytest.mark.parametrize("request_", ["MSSP-REQUEST", "mssp-request", "Mssp-Request"])
async def test_a_crawler_may_ask_in_any_case_and_is_answered_once_a_second(
    mud: OpenMud, witness: EventLog, request_: str
) -> None:
    async with mud(witness.hooks) as place:
        crawler = await place.player()
        await crawler.type(*[request_] * 5)
        await crawler.catches_up()
        assert crawler.screen.count("MSSP-REPLY-END") == 1
        await trio.sleep(PLAIN_PERIOD)
        await crawler.type(request_)
        await crawler.catches_up()
        assert crawler.screen.count("MSSP-REPLY-END") == 2
    assert not any("REQUEST" in words.upper() for words in witness.story())


async def test_a_crawlers_request_is_no_line_so_it_does_not_stay_for_ever(mud: OpenMud) -> None:
    async with mud(Hooks(), limits=Limits(first_input_timeout=10.0)) as place:
        crawler = await place.player()
        for _ in range(5):
            await crawler.type("MSSP-REQUEST")
            await trio.sleep(2.5)
        await crawler.sees_the_end()


async def test_a_hidden_answer_in_the_words_of_a_crawler_is_an_answer(mud: OpenMud) -> None:
    hooks, answers = Hooks(), list[str]()

    @hooks.on(Admitted)
    def ask(event: Admitted) -> None:
        async def script(dialog: Dialog) -> None:
            answers.append(await dialog.ask_hidden("Password: "))

        event.connection.start_dialog(script)

    async with mud(hooks) as place:
        player = await place.player()
        await player.sees("Password: ")
        await player.type("mssp-request")
        await player.catches_up()
    assert answers == ["mssp-request"]


async def test_players_are_the_sessions_with_a_link(mud: OpenMud) -> None:
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.server.sessions.enter(event.line, event.connection))
    async with mud(hooks) as place:

        def players() -> object:
            return place.server._mssp_variables()["PLAYERS"]

        ann, bob = await place.player(), await place.player()
        await place.player()  # at the door
        await ann.type("ann")
        await bob.type("bob")
        await settled()
        assert players() == 2
        await bob.vanish()
        await settled()
        assert (len(place.server.sessions), players()) == (2, 1)
        await ann.hang_up()
        await settled()
        assert players() == 0


async def test_without_sessions_players_are_those_who_have_typed_a_line(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        ann, crawler = await place.player(), await place.player()
        await place.player()  # has not said a word
        await ann.type("hello")
        await crawler.type("mssp-request")
        await settled()
        assert place.server._mssp_variables()["PLAYERS"] == 1


async def test_a_games_own_values_win_and_may_be_numbers(mud: OpenMud) -> None:
    async with mud(Hooks()) as place:
        place.server.mssp.update({"PLAYERS": 42, "UPTIME": "7", "PORT": [4000, "4001"]})
        crawler = await place.player()
        await crawler.type("hello", "MSSP-REQUEST")
        await crawler.sees("PLAYERS\t42\nUPTIME\t7\n")
        await crawler.sees("PORT\t4000\t4001\n")


async def test_what_a_clients_program_says_reaches_the_game_as_it_was_said(
    autojump_clock: trio.testing.MockClock,
) -> None:
    hooks, heard = Hooks(), list[GmcpMessage]()
    hooks.on(GmcpMessage)(heard.append)
    async with open_house(hooks, limits=PATIENT, options=[Gmcp()]) as house:
        wire = await wire_that_takes_rooms(house)
        wire.say(encode_gmcp("Room.Look", {"at": ["the", "moon"]}))
        await settled()
        connection = first_connection(house.server)
        assert heard == [GmcpMessage(connection, "Room.Look", {"at": ["the", "moon"]})]


async def test_the_charset_a_client_agreed_to_is_known_of_it(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(Hooks(), limits=PATIENT, options=[Charset(("ISO-8859-1", "UTF-8"))]) as house:
        wire = await house.connect()
        connection = first_connection(house.server)
        assert connection.client.charset == "utf-8"
        wire.say(bytes((IAC, DO, CHARSET)) + bytes((IAC, SB, CHARSET, ACCEPTED)) + b"ISO-8859-1" + bytes((IAC, SE)))
        await settled()
        assert connection.client.charset == engine_of(connection).charset == "iso8859-1"


async def test_an_option_with_a_bug_is_logged_and_costs_the_option(
    autojump_clock: trio.testing.MockClock, witness: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Option):
        code = 99
        ours = Policy.ACCEPT

        def on_ours(self, engine: Engine, enabled: bool) -> None:
            raise RuntimeError("a bug of the option")

    async with open_house(witness.hooks, limits=PATIENT, options=[Broken()]) as house:
        wire = await house.connect()
        wire.say(bytes((IAC, DO, 99)) + b"look\r\n")
        await settled()
        assert witness.story()[-1] == "guest-1: look"
    assert "telnet option 99 failed for guest-1" in caplog.text
    assert "a bug of the option" in caplog.text  # the traceback is kept


async def test_what_text_may_carry_follows_what_was_agreed_and_taken_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_house(Hooks(), limits=PATIENT, options=[Mxp()]) as house:
        wire = await house.connect()
        client = first_connection(house.server).client
        for verb, agreed in ((DO, True), (DONT, False)):
            wire.say(bytes((IAC, verb, MXP)))
            await settled()
            assert client.rendering.mxp is agreed


async def test_each_fault_of_a_client_is_counted_under_its_name(autojump_clock: trio.testing.MockClock) -> None:
    async with open_house(
        Hooks(), limits=Limits(max_anomalies=None, first_input_timeout=None), options=[Gmcp()]
    ) as house:
        wire = await wire_that_takes_rooms(house)
        for _ in range(3):
            wire.say(bytes((IAC, SB, GMCP)) + b"Room.Look {" + bytes((IAC, SE)))
        await settled()
        faults = {word: count for word, count in house.server.counters.items() if word.startswith("anomaly: ")}
        assert list(faults.values()) == [3]


# Session.Resume


def game_that_asks(requests: list[ResumeRequested]) -> Hooks:
    hooks = Hooks()

    @hooks.on(Admitted)
    def ask(event: Admitted) -> None:
        async def script(dialog: Dialog) -> None:
            name = await dialog.ask("Name: ")
            event.connection.server.sessions.enter(name, event.connection)

        event.connection.start_dialog(script, deadline=60)

    @hooks.on(Input)
    def obey(event: Input) -> None:
        event.connection.write(f"You typed {event.line}")

    @hooks.on(ResumeRequested)
    async def note(event: ResumeRequested) -> None:
        requests.append(event)
        await trio.sleep(1)
        if event.token == "of another store":
            event.connection.server.sessions.enter("bob", event.connection)

    return hooks


async def test_a_token_of_a_session_resumes_it_and_ends_the_login_without_an_event(mud: OpenMud) -> None:
    requests: list[ResumeRequested] = []
    async with mud(game_that_asks(requests)) as place:
        ann = await place.player()
        await ann.type("Ann")
        await ann.catches_up()
        session = next(iter(place.server.sessions))
        back = await place.player(gmcp=("Session",))
        await back.send_gmcp("session.resume", {"token": session.resume_token(), "lines": 3})
        await ann.sees_the_end()
        await back.type("look")
        await back.sees("You typed look")
        assert back.gmcp[-1] == ("Session.Resumed", {"lines": 0, "missed": 0, "lost": 0})
        assert session.connection is not None
        assert session.connection.dialog is None
    assert requests == []


async def test_another_token_is_an_event_of_the_game_and_ends_the_login_if_it_enters(mud: OpenMud) -> None:
    requests: list[ResumeRequested] = []
    async with mud(game_that_asks(requests)) as place:
        bob = await place.player(gmcp=("Session",))
        await bob.send_gmcp("Session.Resume", {"token": "of another store", "lines": 3})
        await bob.type("look")
        await bob.sees("You typed look")
        assert bob.gmcp[-1] == ("Session.Resumed", {"lines": 0, "missed": 0, "lost": 0})
        await place.pass_time(100)
        assert place.server.connections
    (request,) = requests
    assert (request.token, request.seen) == ("of another store", 3)
    assert "of another store" not in repr(request)


async def test_a_token_that_no_function_knows_is_void_and_the_login_goes_on(mud: OpenMud) -> None:
    requests: list[ResumeRequested] = []
    async with mud(game_that_asks(requests)) as place:
        cid = await place.player(gmcp=("Session",))
        await cid.send_gmcp("Session.Resume", {"token": "guess", "lines": "many"})
        await cid.catches_up()
        await trio.sleep(2)
        await cid.type("Cid", "look")
        await cid.sees("You typed look")
        assert [package for package, _ in cid.gmcp] == ["Session.Void", "Session.Token"]
    assert [(request.token, request.seen) for request in requests] == [("guess", None)]
