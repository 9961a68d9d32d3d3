"""The metrics: their names and labels are fixed, they add up at every scrape, and they tell nothing about players."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.driver.conftest import FakeTransport
from trio_mud import Admitted, Connect, HookEvent, Hooks, Input, Limits, Session
from trio_mud.driver.core.durations import Durations
from trio_mud.telnet.codes import IAC, NAWS, SB, SE
from trio_mud.transports.tls import Certificate
from trio_mud.web.metrics import METRICS, Labels, Readings

from .watching import WatchedServer, check_conservation, open_watched

PROMTOOL = shutil.which("promtool")
# As operators' dashboards have them: a change breaks these.
NAMES = {
    "trio_mud_build_info": ("info", "version python trio"),
    "trio_mud_connections": ("gauge", "state"),
    "trio_mud_sessions": ("gauge", "state"),
    "trio_mud_connections_accepted_total": ("counter", "door"),
    "trio_mud_connections_admitted_total": ("counter", "door"),
    "trio_mud_handshakes_failed_total": ("counter", "door"),
    "trio_mud_page_requests_total": ("counter", "code"),
    "trio_mud_disconnects_total": ("counter", "reason cause"),
    "trio_mud_strangers_total": ("counter", "kind"),
    "trio_mud_anomalies_total": ("counter", "kind"),
    "trio_mud_events_total": ("counter", "event"),
    "trio_mud_hook_failures_total": ("counter", "event"),
    "trio_mud_hook_duration_seconds": ("histogram", "event"),
    "trio_mud_sources_ready": ("gauge", ""),
    "trio_mud_posts_waiting": ("gauge", ""),
    "trio_mud_timers": ("gauge", ""),
    "trio_mud_received_bytes_total": ("counter", "door"),
    "trio_mud_sent_bytes_total": ("counter", "door"),
    "trio_mud_messages_dropped_total": ("counter", ""),
    "trio_mud_output_waiting_bytes": ("gauge", ""),
    "trio_mud_resumptions_total": ("counter", "outcome"),
    "trio_mud_lines_replayed_total": ("counter", "outcome"),
    "trio_mud_loop_lag_seconds": ("histogram", ""),
    "trio_mud_watchdog_stalls_total": ("counter", ""),
    "trio_mud_certificate_expiry_timestamp_seconds": ("gauge", ""),
    "trio_mud_cluster_total": ("counter", "what"),
}
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: mud.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Bell(HookEvent):
    """An event of the game's own."""


def talking() -> Hooks:
    """A game that echoes, refuses, waits, fails and quits, as it is asked."""
    hooks = Hooks()

    @hooks.on(Connect)
    async def decide(event: Connect) -> None:
        if event.connection.address == "192.0.2.66":
            event.connection.refuse("Not you.")
        elif event.connection.address == "192.0.2.77":
            await trio.sleep(2)
        elif event.connection.address == "192.0.2.88":
            raise LookupError("the hook fails")

    @hooks.on(Admitted)
    def greet(event: Admitted) -> None:
        event.connection.write("Welcome.")

    @hooks.on(Input)
    async def obey(event: Input) -> None:
        if event.line == "quit":
            event.connection.quit("Bye.")
        elif event.line == "wait":
            await trio.sleep(1)
        elif event.line == "fail":
            raise LookupError("the hook fails")
        elif event.line == "enter":
            event.connection.server.sessions.enter(event.connection.number, event.connection)

    return hooks


# Names


def test_each_metric_has_its_name_type_and_labels() -> None:
    assert {name: (metric.kind, " ".join(metric.labels)) for name, metric in METRICS.items()} == NAMES


async def test_a_scrape_has_every_metric(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_watched(talking(), certificate=_certificate(tmp_path)) as place:
        wire = await place.connect()
        wire.say(b"fail\r\n")
        await wait_all_tasks_blocked()
        scrape = await place.scrape()
        for name, (kind, labels) in NAMES.items():
            family = name.removesuffix("_total")
            assert scrape.kinds[family] == ("gauge" if kind == "info" else kind), name
            samples = scrape[f"{name}_bucket".removeprefix("trio_mud_") if kind == "histogram" else name[9:]]
            assert samples, name
            assert {len(values) for values in samples} == {len(labels.split()) + (kind == "histogram")}, name
        assert "process_cpu_seconds" in scrape.kinds


def _certificate(folder: Path) -> Certificate:
    issued = trustme.CA().issue_cert("mud.example")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "mud.pem")
    return Certificate(folder / "mud.pem")


async def test_the_expiry_is_that_of_the_certificate(autojump_clock: MockClock, tmp_path: Path) -> None:
    certificate = _certificate(tmp_path)
    assert certificate.validity is not None
    async with open_watched(Hooks(), certificate=certificate) as place:
        expiry = (await place.scrape())["certificate_expiry_timestamp_seconds"]
        assert expiry == {(): certificate.validity.ends.timestamp()}
    async with open_watched(Hooks()) as place:
        assert (await place.scrape())["certificate_expiry_timestamp_seconds"] == {}


@pytest.mark.slow
@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: apt-get install prometheus")
async def test_promtool_has_nothing_to_say(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_watched(talking(), certificate=_certificate(tmp_path)) as place:
        for line in (b"look\r\n", b"fail\r\n", b"quit\r\n"):
            (await place.connect()).say(line)
        await wait_all_tasks_blocked()
        text = (await place.scrape()).text
    assert PROMTOOL is not None
    checked = await trio.to_thread.run_sync(
        partial(subprocess.run, [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_no_label_holds_a_name_an_address_or_a_line(autojump_clock: MockClock) -> None:
    secrets = ("Annabelle", "198.51.100.23", "xyzzy", "Zork")
    hooks = talking()

    @hooks.on(Admitted)
    def rename(event: Admitted) -> None:
        event.connection.name = "Annabelle"
        event.connection.server.sessions.enter("Annabelle", event.connection)

    async with open_watched(hooks) as place:
        place.server.mssp = {"NAME": "Zork"}
        wire = await place.connect(address="198.51.100.23")
        wire.say(b"xyzzy\r\nfail\r\n")
        await wait_all_tasks_blocked()
        text = (await place.scrape()).text
        assert [secret for secret in secrets if secret in text] == []


# Values


async def test_connections_are_counted_by_their_door(autojump_clock: MockClock) -> None:
    async with open_watched(talking()) as place:
        await place.connect()
        tls = FakeTransport(address="192.0.2.2")
        tls.is_secure = True
        place.door.connect(tls)
        for data in (
            UPGRADE,
            b"GET /healthz HTTP/1.1\r\nHost: m\r\n\r\n",
            b"GET /x HTTP/1.1\r\nHost: m\r\n\r\n",
            b"POST",
        ):
            web = FakeTransport(address="192.0.2.3")
            web.say(data)
            web.say(b"" if data == b"POST" else b"\x81")
            place.web.connect(web)
        await wait_all_tasks_blocked()
        scrape = await place.scrape()
        assert scrape["connections_accepted_total"] == {("telnet",): 1, ("tls",): 1, ("web",): 4}
        assert scrape["connections_admitted_total"] == {("telnet",): 1, ("tls",): 1, ("web",): 1}
        assert scrape["handshakes_failed_total"] == {("telnet",): 0, ("tls",): 0, ("web",): 1}
        assert scrape["page_requests_total"] == {("200",): 1, ("404",): 1}
        scrape.check_conservation()


async def test_bytes_are_counted_by_their_door(autojump_clock: MockClock) -> None:
    async with open_watched(talking()) as place:
        wire = await place.connect()
        wire.say(b"look\r\n")
        wire.say(b"one and ")
        wire.say(bytes((IAC, SB, NAWS, 0, 80, 0, 24, IAC, SE)))
        await wait_all_tasks_blocked()
        scrape = await place.scrape()
        assert scrape["received_bytes_total"] == {("telnet",): 6 + 8 + 9, ("tls",): 0, ("web",): 0}
        assert scrape["sent_bytes_total"]["telnet",] == len(b"".join(wire.sent))


async def test_events_are_counted_by_their_type(autojump_clock: MockClock) -> None:
    async with open_watched(talking()) as place:
        wire = await place.connect()
        wire.say(b"look\r\nlook\r\nfail\r\n")
        place.server.post(Bell())
        await wait_all_tasks_blocked()
        scrape = await place.scrape()
        assert scrape["events_total"] == {
            ("Started",): 1,
            ("Connect",): 1,
            ("Admitted",): 1,
            ("Bell",): 1,
            ("Input",): 3,
        }
        assert scrape["hook_failures_total"] == {("Input",): 1}
        counts = scrape["hook_duration_seconds_count"]
        assert counts == scrape["events_total"]


async def test_sessions_timers_and_endings_are_counted(autojump_clock: MockClock) -> None:
    async with open_watched(talking()) as place:
        ann, bob = await place.connect(), await place.connect(address="192.0.2.2")
        for wire in (ann, bob):
            wire.say(b"enter\r\n")
        await wait_all_tasks_blocked()
        ann.break_()
        await trio.sleep(1)
        before = (await place.scrape())["timers"][()]
        place.server.after(60, list)
        scrape = await place.scrape()
        assert scrape["timers"][()] == before + 1
        assert scrape["sessions"] == {("linked",): 1, ("linkdead",): 1}
        assert scrape["disconnects_total"]["reset", "linkdeath"] == 1
        assert scrape.sum("disconnects_total") == 1


async def test_strangers_and_anomalies_are_counted_by_kind(autojump_clock: MockClock) -> None:
    async with open_watched(talking()) as place:
        (await place.connect()).say(b"GET / HTTP/1.1\r\n\r\n")
        (await place.connect()).say(b"SSH-2.0-OpenSSH_9.2\r\n")
        (await place.connect()).say(bytes((IAC, SB, NAWS, 0, IAC, SE)))
        await wait_all_tasks_blocked()
        scrape = await place.scrape()
        assert {kind: count for kind, count in scrape["strangers_total"].items() if count} == {
            ("HTTP",): 1,
            ("SSH",): 1,
        }
        assert scrape.sum("anomalies_total") == 1


async def test_returns_by_a_token_are_counted(autojump_clock: MockClock) -> None:
    hooks = talking()
    tokens: list[str] = []

    @hooks.on(Input, order=1)
    def keep(event: Input) -> None:
        session = event.connection.session
        if isinstance(session, Session):
            tokens.append(session.resume_token())

    async with open_watched(hooks) as place:
        wire = await place.connect()
        wire.say(b"enter\r\n")
        await wait_all_tasks_blocked()
        wire.break_()
        await trio.sleep(1)
        for token in (tokens[0], "no-such-token"):
            back = await place.connect()
            back.say(bytes((255, 253, 201)))  # DO GMCP
            back.say(_gmcp('Core.Supports.Set ["Session 1"]'))
            back.say(_gmcp(f'Session.Resume {{"token": "{token}", "lines": 0}}'))
            await trio.sleep(1)
        scrape = await place.scrape()
        assert scrape["resumptions_total"] == {("resumed",): 1, ("refused",): 1}


def _gmcp(text: str) -> bytes:
    return bytes((255, 250, 201)) + text.encode() + bytes((255, 240))


# They add up


class Scene:
    """A server to which peers come by all doors, in any order; each step is one method."""

    def __init__(self, place: WatchedServer) -> None:
        self.place = place
        self.wires: list[FakeTransport] = []
        self.count = 0

    def _come(self, address: str, *data: bytes, web: bool = False, secure: bool = False) -> None:
        self.count += 1
        wire = FakeTransport(address=address)
        wire.is_secure = secure
        for piece in data:
            wire.say(piece)
        with suppress(trio.BrokenResourceError):  # the server has stopped accepting
            (self.place.web if web else self.place.door).connect(wire)
        self.wires.append(wire)

    def _last(self) -> FakeTransport | None:
        return self.wires[-1] if self.wires else None

    def come(self) -> None:
        self._come("192.0.2.1")

    def come_by_tls(self) -> None:
        self._come("192.0.2.2", secure=True)

    def come_by_web(self) -> None:
        self._come("192.0.2.3", UPGRADE, web=True)

    def stall_in_the_handshake(self) -> None:
        self._come("192.0.2.4", b"GET / HT", web=True)

    def ask_for_a_page(self) -> None:
        self._come("192.0.2.5", b"GET /healthz HTTP/1.1\r\nHost: m\r\n\r\n", web=True)

    def speak_no_http(self) -> None:
        self._come("192.0.2.6", b"\x16\x03\x01", web=True)

    def be_refused(self) -> None:
        self._come("192.0.2.66")

    def wait_at_the_door(self) -> None:
        self._come("192.0.2.77", b"look\r\n")

    def meet_a_failing_hook(self) -> None:
        self._come("192.0.2.88")

    def come_too_often(self) -> None:
        for _ in range(4):
            self._come("198.51.100.1")

    def quit(self) -> None:
        self._say(b"quit\r\n")

    def wait(self) -> None:
        self._say(b"wait\r\nlook\r\n")

    def fail(self) -> None:
        self._say(b"fail\r\n")

    def enter(self) -> None:
        self._say(b"enter\r\n")

    def reset(self) -> None:
        if (wire := self._last()) is not None:
            wire.break_()
            self.wires.remove(wire)

    def hang_up(self) -> None:
        self._say(b"")

    def kick_all(self) -> None:
        for connection in self.place.server.connections:
            connection.quit("Out.")

    def shut_down(self) -> None:
        self.place.server.shutdown()

    def abort(self) -> None:
        self.place.server.abort()

    def _say(self, data: bytes) -> None:
        if (wire := self._last()) is not None:
            wire.say(data)


STEPS: Sequence[Callable[[Scene], None]] = [
    step for name, step in vars(Scene).items() if callable(step) and not name.startswith("_")
]
LIMITS = Limits(max_connections=8, max_handshakes=2, max_per_address=3, handshake_timeout=3.0, linger_timeout=1.0)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from([None, 0.0, 0.7, 5.0])), max_size=25))
@example([(Scene.wait_at_the_door, 0.0), (Scene.abort, None)])
@example([(Scene.stall_in_the_handshake, None)] * 4 + [(Scene.shut_down, None)])
@example([(Scene.come, 0.0), (Scene.wait, 0.0), (Scene.kick_all, None), (Scene.shut_down, 0.7)])
def test_the_counters_add_up_at_every_scrape(steps: list[tuple[Callable[[Scene], None], float | None]]) -> None:
    """I-26: accepted = answered + failed + refused + admitted + at the door; admitted = listed + ended."""

    async def play() -> None:
        async with open_watched(talking(), limits=LIMITS) as place:
            scene = Scene(place)
            for step, pause in steps:
                step(scene)
                await trio.lowlevel.checkpoint()
                _check_now(place)
                if pause is not None:
                    await trio.sleep(pause)
                    _check_now(place)
            await trio.sleep(6)
            _check_now(place)
            place.server.shutdown()
            await place.server.closed.wait()
            _check_now(place)
            scrape = await place.scrape()
            scrape.check_conservation()
            assert scrape["connections"] == {
                ("handshake",): 0,
                ("door",): 0,
                ("playing",): 0,
                ("ending",): 0,
            }
            assert scrape.sum("connections_accepted_total") <= scene.count

    trio.run(play, clock=MockClock(autojump_threshold=0))


def _check_now(place: WatchedServer) -> None:
    """Read the metrics between two steps of the event loop; a request would let everything settle first."""
    readings = Readings(place.watch._figures, Durations(), lambda: None)

    def read(name: str) -> dict[Labels, float]:
        found = METRICS[f"trio_mud_{name}"].read(readings)
        return {labels: value for labels, value in found.items() if not isinstance(value, Durations)}

    check_conservation(read)
    ended = sum(count for (reason, _), count in read("disconnects_total").items() if reason != "refused")
    assert sum(read("connections_admitted_total").values()) == len(place.server.connections) + ended
