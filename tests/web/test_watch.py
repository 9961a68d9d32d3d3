"""The watch: it answers operators whatever the game does, tells them nothing without a token, and changes nothing."""

from __future__ import annotations

import json
import logging
import re
from functools import partial

import pytest
import trio
import trio.testing
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.driver.conftest import EventLog, FakeListener, FakeTransport, waits
from trio_mud import Admitted, Connect, Dialog, Hooks, Input, Limits, MasterServer, Started
from trio_mud.web import open_watch
from trio_mud.web.recent_log import RecentLog
from trio_mud.web.watch import check_token

from .watching import TOKEN, WatchedServer, open_watched, reply_on

PATHS = ["/healthz", "/readyz", "/metrics", "/admin", "/admin/state"]
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


# Answers


async def test_a_server_that_serves_is_healthy_and_ready(autojump_clock: MockClock) -> None:
    async with open_watched(Hooks()) as place:
        for path in ("/healthz", "/readyz"):
            reply = await place.get(path)
            assert (reply.status, reply.body) == (200, "ok\n")
            assert reply.headers["Cache-Control"] == "no-store"


async def test_a_head_request_is_answered_without_the_body(autojump_clock: MockClock) -> None:
    async with open_watched(Hooks()) as place:
        reply = await place.get("/readyz", method="HEAD")
        assert (reply.status, reply.headers["Content-Length"], reply.body) == (200, "3", "")


async def test_an_unknown_path_is_not_found(autojump_clock: MockClock) -> None:
    async with open_watched(Hooks()) as place:
        for path in ("/", "/admin/", "/metrics/x", "/admin/state/.."):
            assert (await place.get(path)).status == 404


async def test_the_watch_answers_while_every_place_of_the_game_is_taken(autojump_clock: MockClock) -> None:
    """O: an operator must see a full server."""
    async with open_watched(Hooks(), limits=Limits(max_connections=2, max_handshakes=1)) as place:
        for _ in range(4):
            await place.connect()
        place.web.connect(FakeTransport(address="192.0.2.9"))  # a handshake that goes on
        await wait_all_tasks_blocked()
        assert (await place.get("/healthz")).status == 200
        state = await place.state()
        assert state["connections"]["playing"] == 2
        assert state["counters"]["refused: full"] == 2
        (await place.scrape()).check_conservation()


async def test_the_watch_is_none_of_the_servers_connections(autojump_clock: MockClock) -> None:
    witness = EventLog()
    async with open_watched(witness.hooks, limits=Limits(max_connections=1)) as place:
        for path in PATHS:
            await place.get(path, token=TOKEN)
        assert place.server.counters == {}
        assert witness.events == []


async def test_the_watch_answers_while_hooks_wait(autojump_clock: MockClock) -> None:
    hooks = Hooks()
    hooks.on(Connect)(waits(3))
    async with open_watched(hooks) as place:
        await place.connect()
        assert (await place.state())["connections"] == {"handshake": 0, "door": 1, "playing": 0, "ending": 0}
        assert (await place.get("/readyz")).status == 200


async def test_a_server_is_not_ready_before_its_start_has_run(autojump_clock: MockClock) -> None:
    hooks, port = Hooks(), FakeListener()
    hooks.on(Started)(waits(3))
    server = MasterServer(hooks)
    async with open_watch(server, listeners=[port], token=TOKEN) as watch, trio.open_nursery() as nursery:
        place = WatchedServer(server, watch, FakeListener(), FakeListener(), port)
        assert (await place.get("/readyz")).body == "starting\n"
        nursery.start_soon(server.serve, [place.door])
        await trio.sleep(1)
        assert await place.get("/readyz") == (503, *(await place.get("/readyz"))[1:])
        assert (await place.get("/healthz")).status == 200
        await trio.sleep(4)
        assert (await place.get("/readyz")).status == 200
        server.shutdown()


async def test_a_server_that_shuts_down_is_not_ready_and_still_healthy(autojump_clock: MockClock) -> None:
    hooks = Hooks()
    hooks.on(Input)(waits(4))
    async with open_watched(hooks) as place:
        wire = await place.connect()
        wire.say(b"look\r\n")
        await wait_all_tasks_blocked()
        place.server.shutdown()
        reply = await place.get("/readyz")
        assert (reply.status, reply.body) == (503, "closing\n")
        assert (await place.get("/healthz")).status == 200
        assert (await place.state())["status"] == "closing"
        (await place.scrape()).check_conservation()
        await place.server.closed.wait()
        assert (await place.get("/readyz")).status == 503  # to the end, and behind it


async def test_a_server_whose_storage_fails_is_not_ready_until_it_works_again(autojump_clock: MockClock) -> None:
    trouble: list[OSError] = []
    async with open_watched(Hooks(), trouble=lambda: trouble[0] if trouble else None) as place:
        assert (await place.get("/readyz")).status == 200
        trouble.append(OSError("/secret/path: no space left"))
        reply = await place.get("/readyz")
        assert (reply.status, reply.body) == (503, "storage fails\n")  # the reason is in the log, and not here
        trouble.clear()
        assert (await place.get("/readyz")).status == 200


async def test_a_server_is_not_ready_for_any_other_reason_that_it_is_given(autojump_clock: MockClock) -> None:
    why = ["no world serves"]
    async with open_watched(Hooks(), unready=lambda: why[0]) as place:
        reply = await place.get("/readyz")
        assert (reply.status, reply.body) == (503, "no world serves\n")
        assert (await place.state())["status"] == "no world serves"
        why[0] = ""
        assert (await place.get("/readyz")).status == 200


# The token and the host


@pytest.mark.parametrize("given", [None, "", "wrong", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "\u00e9" * 20])
async def test_the_state_is_for_those_with_the_token(autojump_clock: MockClock, given: str | None) -> None:
    async with open_watched(Hooks()) as place:
        reply = await place.get("/admin/state", token=given)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert TOKEN not in reply.body
        assert (await place.get("/admin/state", more=[f"Authorization: Basic {TOKEN}"])).status == 401
        assert (await place.get("/admin/state", token=TOKEN, more=[f"Authorization: Bearer {TOKEN}"])).status == 401
        assert (await place.get(f"/admin/state?token={TOKEN}")).status == 401
        assert (await place.get("/admin/state", token=TOKEN)).status == 200


async def test_the_page_has_no_data_and_runs_nothing_but_itself(autojump_clock: MockClock) -> None:
    async with open_watched(Hooks()) as place:
        place.server.mssp = {"NAME": "The Secret Inn"}
        reply = await place.get("/admin")
        assert reply.status == 200
        assert TOKEN not in reply.body
        assert "Secret Inn" not in reply.body
        policy = dict(rule.split(" ", 1) for rule in reply.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"].startswith("'sha256-")
        assert policy["style-src"].startswith("'sha256-")
        assert re.findall(r"<[^>]* on\w+=|innerHTML|insertAdjacentHTML|\beval\b", reply.body) == []
        assert re.findall(r"https?://(?!www.w3.org/2000/svg)[\w.]+", reply.body) == []


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9000", "localhost.", "127.0.0.1:4001", "192.0.2.7", "[::1]:4001", "mud", "Mud:80"]
)
async def test_a_request_by_an_address_or_by_a_name_of_this_host_is_answered(
    autojump_clock: MockClock, host: str
) -> None:
    async with open_watched(Hooks(), names=["mud"]) as place:
        assert (await place.get("/healthz", host=host)).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:4001", "", "[evil", "127.0.0.1.evil.example"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_request_by_any_other_name_is_misdirected(autojump_clock: MockClock, host: str, path: str) -> None:
    """DNS rebinding: a page of another site reaches the port by a name of its own."""
    async with open_watched(Hooks(), names=["mud"]) as place:
        assert (await place.get(path, host=host, token=TOKEN)).status == 421


# Bad input


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /admin/state HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"DELETE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"look\r\n", 400),
        (b"GET /" + b"x" * 9000, 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 9000, 431),
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            400,
        ),
    ],
)
async def test_what_is_no_request_for_a_page_is_refused(autojump_clock: MockClock, data: bytes, status: int) -> None:
    async with open_watched(Hooks()) as place:
        wire = await place.knock(data)
        assert reply_on(wire).status == status
        assert wire.is_closed
        assert (await place.get("/healthz")).status == 200


async def test_a_peer_that_sends_or_reads_too_slowly_is_closed_in_time(autojump_clock: MockClock) -> None:
    async with open_watched(Hooks(), limits=Limits(watch_timeout=5.0)) as place:
        silent, dripping, deaf = await place.knock(), await place.knock(b"GET /he"), await place.knock(GET, room=10)
        await trio.sleep(4)
        dripping.say(b"a")
        assert [wire.is_closed for wire in (silent, dripping, deaf)] == [False] * 3
        await trio.sleep(2)
        assert [wire.is_closed for wire in (silent, dripping, deaf)] == [True] * 3
        assert (silent.sent, dripping.sent) == ([], [])


async def test_a_newer_peer_takes_the_place_of_the_oldest(autojump_clock: MockClock) -> None:
    async with open_watched(Hooks(), limits=Limits(max_watch_peers=3)) as place:
        silent = [await place.knock() for _ in range(3)]
        assert (await place.get("/healthz")).status == 200
        assert [wire.is_closed for wire in silent] == [True, False, False]


async def test_a_reset_costs_nothing(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_watched(Hooks()) as place:
        wire = await place.knock(b"GET /he")
        wire.break_()
        await wait_all_tasks_blocked()
        assert wire.is_closed
        assert (await place.get("/healthz")).status == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_failing_question_costs_one_answer(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> object:
        raise LookupError("the store is gone")

    async with open_watched(Hooks(), trouble=fails) as place:
        wire = await place.knock(GET.replace(b"healthz", b"readyz"))
        assert (wire.sent, wire.is_closed) == ([], True)
        assert (await place.get("/healthz")).status == 200
    assert "the watch failed to answer a request" in caplog.text


async def test_a_listener_that_fails_costs_the_watch_and_not_the_game(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write(f"you said {event.line}"))
    async with open_watched(hooks) as place:
        place.port.fail(OSError("no such device"))
        wire = await place.connect()
        wire.say(b"hello\r\n")
        await trio.sleep(1)
        assert "you said hello" in wire.text
    assert "the watch has ended, and the game goes on" in caplog.text


# What the page shows


async def test_the_state_has_a_row_for_each_connection(autojump_clock: MockClock) -> None:
    hooks = Hooks()

    @hooks.on(Admitted)
    def enter(event: Admitted) -> None:
        event.connection.name = "<b>Ann</b>"
        event.connection.server.sessions.enter("ann", event.connection)
        event.connection.start_dialog(ask)

    async def ask(dialog: Dialog) -> None:
        await dialog.ask("Name? ")
        await trio.sleep(100)

    async with open_watched(hooks) as place:
        wire = await place.connect(address="192.0.2.7")
        wire.say(b"one\r\ntwo\r\nthree\r\n")
        await trio.sleep(7)
        (row,) = (await place.state())["rows"]
        assert row == {
            "number": 1,
            "name": "<b>Ann</b>",
            "address": "192.0.2.7",
            "door": "telnet",
            "state": "playing",
            "program": "",
            "idle": 7.0,
            "typed_ahead": 2,
            "unsent": 0,
            "anomalies": 0,
            "scopes": "link, active, dialog",
            "session": "ann",
        }


async def test_what_players_leave_unread_is_shown(autojump_clock: MockClock) -> None:
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write("x" * 1000))
    async with open_watched(hooks) as place:
        wire = FakeTransport(address="192.0.2.7", room=500)
        place.door.connect(wire)
        wire.say(b"look\r\n")
        await wait_all_tasks_blocked()
        assert (await place.state())["rows"][0]["unsent"] > 400
        scrape = await place.scrape()
        assert scrape["output_waiting_bytes"][()] == (await place.state())["rows"][0]["unsent"]
        assert scrape["sent_bytes_total"]["telnet",] == 500


async def test_the_state_has_the_last_events_of_the_log(autojump_clock: MockClock) -> None:
    log = logging.getLogger("trio_mud")
    level = log.level
    log.setLevel(logging.DEBUG)
    try:
        async with open_watched(Hooks()) as place:
            log.debug("not this one")
            for number in range(60):
                log.info("event %d", number)
            log.warning("%s", "x" * 1000)
            events = (await place.state())["log"]
            assert len(events) == 50
            assert [event["text"] for event in events[:-1]] == [f"event {number}" for number in range(11, 60)]
            assert (events[-1]["level"], len(events[-1]["text"])) == ("WARNING", 500)
    finally:
        log.setLevel(level)
    assert not any(isinstance(handler, RecentLog) for handler in logging.getLogger().handlers)


async def test_texts_that_json_cannot_carry_are_escaped(autojump_clock: MockClock) -> None:
    hooks = Hooks()

    @hooks.on(Admitted)
    def enter(event: Admitted) -> None:
        event.connection.name = "\ud800 name"
        event.connection.server.sessions.enter("\ud800 key", event.connection)

    async with open_watched(hooks) as place:
        await place.connect()
        (log,) = (handler for handler in logging.getLogger().handlers if isinstance(handler, RecentLog))
        # Not by a logger: pytest would report the text too, and cannot pass it between processes.
        log.handle(logging.makeLogRecord({"name": "a_game", "levelno": logging.WARNING, "msg": "\ud800 log"}))
        state = await place.state()
        (row,) = state["rows"]
        assert (row["name"], row["session"]) == (r"\ud800 name", r"\ud800 key")
        assert state["log"][-1]["text"] == r"\ud800 log"


async def test_the_page_shows_the_oldest_connections_and_how_many_there_are(autojump_clock: MockClock) -> None:
    limits = Limits(max_per_address=None, accept_rate_per_address=None, accept_rate=None)
    async with open_watched(Hooks(), limits=limits) as place:
        for _ in range(501):
            place.door.connect(FakeTransport(address="192.0.2.1"))
        await wait_all_tasks_blocked()
        state = await place.state()
        assert (len(state["rows"]), state["total"]) == (500, 501)
        assert [row["number"] for row in state["rows"][:3]] == [1, 2, 3]


async def test_a_delay_of_the_event_loop_is_measured() -> None:
    clock = MockClock()  # moved by hand, as a blocked loop finds it
    port = FakeListener()

    async def look() -> None:
        server = MasterServer(Hooks())
        async with open_watch(server, listeners=[port], token=TOKEN) as watch:
            place = WatchedServer(server, watch, FakeListener(), FakeListener(), port)
            await wait_all_tasks_blocked()
            clock.jump(0.4)
            await wait_all_tasks_blocked()
            state = await place.state()
            assert state["lag"] == pytest.approx(0.3)
            assert state["worst_lag"] == pytest.approx(0.3)
            assert (await place.scrape())["loop_lag_seconds_count"][()] == 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, partial(trio.run, look, clock=clock))


# Opening


async def test_the_link_has_the_token_where_no_server_reads_it() -> None:
    server = MasterServer(Hooks())
    announced: list[str] = []
    async with open_watch(server, host="127.0.0.1", port=0, announce=announced.append) as watch:
        host, port = watch.addresses[0]
        assert watch.link == f"http://127.0.0.1:{port}/admin#{watch.token}"
        assert announced == [watch.link]
        assert len(watch.token) >= 32
        async with await trio.open_tcp_stream(host, port) as stream:
            await stream.send_all(GET)
            answer = b"".join([data async for data in stream])
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nok\n")
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream(host, port)


async def test_a_set_token_is_not_announced(autojump_clock: MockClock) -> None:
    async with open_watched(Hooks()) as place:
        assert place.watch.link == "http://localhost:4001/admin"


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "a token with spaces in it", "sixteen-or-more-\u00e9"])
def test_a_token_that_a_browser_cannot_send_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(ValueError, match="write at least 16") as caught:
        check_token(token)
    assert not token or token not in str(caught.value)


async def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    server = MasterServer(Hooks())
    with pytest.raises(LookupError, match="mine"):
        async with open_watch(server, listeners=[FakeListener()]):
            raise LookupError("mine")


async def test_without_the_extra_the_log_and_the_answer_say_what_to_install(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "trio_mud.web.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    caplog.set_level(logging.INFO)
    async with open_watched(Hooks()) as place:
        assert "pip install 'trio-mud[metrics]'" in caplog.text
        reply = await place.get("/metrics")
        assert reply.status == 501
        assert "pip install 'trio-mud[metrics]'" in reply.body
        assert (await place.get("/healthz")).status == 200


async def test_the_json_is_what_the_page_reads(autojump_clock: MockClock) -> None:
    async with open_watched(Hooks()) as place:
        reply = await place.get("/admin/state", token=TOKEN)
        page = (await place.get("/admin")).body
        assert reply.headers["Content-Type"] == "application/json"
        state = json.loads(reply.body)
        assert set(re.findall(r"\bnow\.(\w+)", page)) <= set(state)
        assert set(re.findall(r"\brow\.(\w+)", page)) <= {
            *(await _a_row(place)),
            "time",
            "level",
            "text",
        }


async def _a_row(place: WatchedServer) -> dict[str, object]:
    await place.connect()
    (row,) = (await place.state())["rows"]
    found: dict[str, object] = row
    return found
