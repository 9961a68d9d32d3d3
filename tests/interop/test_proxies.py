"""Players who come through nginx and Caddy: the page, their addresses, TLS, silence, and a restart of the proxy."""

from __future__ import annotations

import json
import shutil
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.trio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from trio_mud import Limits

from .proxies import HOST, PROXIES, READ_TIMEOUT, RunningProxy, proxy_before
from .room import TITLE, WELCOME, OpenRoom, connection_of, open_room, session_of
from .terminal import PATIENCE, SEARCHED, until

OWN, SPOOFED = "127.0.0.2", "192.0.2.77"  # the address of the player, and one that the player invents

every_proxy = pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                shutil.which(name, path=f"{SEARCHED}:/usr/sbin") is None,
                reason=f"{name} is not here: apt-get install {name}",
            ),
        )
        for name in PROXIES
    ],
)


class Caller:
    """A player by WebSocket, in the subprotocol of GMCP.

    Attributes:
        shown: All that was shown.
        told: The last message of each GMCP package.
        lines: How many line ends of the session it has, for the return by a token.
        is_cut: True once the link has ended.
    """

    def __init__(self, link: ClientConnection) -> None:
        self._link = link
        self.shown = ""
        self.told: dict[str, Any] = {}
        self.lines = 0
        self.is_cut = False

    async def read_on(self) -> None:
        """Read until the link is cut."""
        try:
            async for message in self._link:
                if isinstance(message, bytes):
                    self.shown += message.decode()
                    self.lines += message.count(b"\n")
                    continue
                package, _, data = message.partition(" ")
                self.told[package] = json.loads(data or "null")
                if package in ("Session.Token", "Session.Resumed"):
                    self.lines = self.told[package]["lines"]
        except ConnectionClosed:
            pass
        self.is_cut = True

    async def types(self, line: str) -> None:
        await self._link.send(line.encode())

    async def sends(self, package: str, data: object) -> None:
        await self._link.send(f"{package} {json.dumps(data)}")

    async def sees(self, text: str) -> None:
        await until(lambda: text in self.shown, lambda: f"{text!r}; shown is:\n{self.shown}")


@asynccontextmanager
async def calling(
    port: int, trusted: ssl.SSLContext | None = None, *, origin: str | None = None
) -> AsyncGenerator[Caller]:
    """Connect a player from `OWN`, an address of this machine; with `trusted` by TLS."""
    with trio.fail_after(PATIENCE):
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=OWN)
        if trusted is not None:
            stream = trio.SSLStream(stream, trusted, server_hostname=HOST, https_compatible=True)
    async with (
        connect(
            f"ws://{HOST}:{port}/",
            stream=stream,
            subprotocols=[Subprotocol("gmcp.mudstandards.org")],
            additional_headers={"X-Forwarded-For": SPOOFED},
            origin=None if origin is None else Origin(origin),
            compression=None,
            ping_interval=None,
        ) as link,
        trio.open_nursery() as nursery,
    ):
        caller = Caller(link)
        nursery.start_soon(caller.read_on)
        yield caller
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def room_behind(
    name: str, folder: Path, *, limits: Limits | None = None, impatient: bool = False
) -> AsyncGenerator[tuple[OpenRoom, RunningProxy]]:
    """A room, and a proxy before it."""
    authority = trustme.CA()
    certificate = folder / "proxy.pem"
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(certificate)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    async with (
        open_room(limits=limits) as room,
        proxy_before(room.web_port, PROXIES[name], folder, certificate, trusted, impatient=impatient) as proxy,
    ):
        yield room, proxy


@every_proxy
async def test_the_page_and_its_websocket_pass_through_a_proxy_that_speaks_tls(name: str, tmp_path: Path) -> None:
    async with room_behind(name, tmp_path) as (room, proxy):

        def get(path: str) -> tuple[int, str, str | None]:
            link = HTTPSConnection(HOST, proxy.port, context=proxy.trusted, timeout=PATIENCE)
            try:
                link.request("GET", path)
                answer = link.getresponse()
                return answer.status, answer.read().decode(), answer.getheader("Content-Security-Policy")
            finally:
                link.close()

        status, page, policy = await trio.to_thread.run_sync(get, "/")
        assert (status, policy is not None) == (200, True)
        assert f"<title>{TITLE}</title>" in page
        assert await trio.to_thread.run_sync(get, "/healthz") == (200, "ok\n", None)
        assert (await trio.to_thread.run_sync(get, "/nowhere"))[0] == 404

        async with calling(proxy.port, proxy.trusted, origin=f"https://{HOST}:{proxy.port}") as ann:
            await ann.sees(WELCOME)
            await ann.types("Ann")
            await ann.sees("Welcome, Ann.")
            assert connection_of(room, "Ann").client.is_secure
        with pytest.raises(InvalidStatus) as refused:
            async with calling(proxy.port, proxy.trusted, origin="https://elsewhere.example"):
                pass
        assert refused.value.response.status_code == 403


@every_proxy
async def test_only_the_trusted_proxy_forwards_an_address(name: str, tmp_path: Path) -> None:
    async with (
        room_behind(name, tmp_path) as (room, proxy),
        calling(proxy.port, proxy.trusted) as ann,
        calling(room.web_port) as bob,
    ):
        for caller, who in ((ann, "Ann"), (bob, "Bob")):
            await caller.types(who)
            await caller.sees(f"Welcome, {who}.")
        assert connection_of(room, "Ann").address == OWN  # the proxy forwards it, whatever the player sent
        assert connection_of(room, "Bob").address == OWN  # not a proxy: the header is ignored
        assert not connection_of(room, "Bob").client.is_secure


@every_proxy
@pytest.mark.parametrize("is_kept", [True, False], ids=["pings", "silence"])
async def test_pings_keep_a_silent_link_for_longer_than_the_proxy_waits(
    name: str, tmp_path: Path, is_kept: bool
) -> None:
    limits = Limits(web_keepalive_interval=READ_TIMEOUT / 4 if is_kept else None)
    async with (
        room_behind(name, tmp_path, limits=limits, impatient=True) as (_, proxy),
        calling(proxy.port, proxy.trusted) as ann,
    ):
        await ann.types("Ann")
        await ann.sees("Welcome, Ann.")
        if is_kept:
            await trio.sleep(2.5 * READ_TIMEOUT)
            await ann.types("still here")
            await ann.sees("Ann says: still here")
        else:
            await until(lambda: ann.is_cut, lambda: "a cut")


@every_proxy
async def test_a_player_returns_by_token_after_a_restart_of_the_proxy(name: str, tmp_path: Path) -> None:
    async with room_behind(name, tmp_path) as (room, proxy), calling(room.web_port) as bob:
        await bob.types("Bob")
        async with calling(proxy.port, proxy.trusted) as ann:
            await ann.sends("Core.Supports.Set", ["Session 1"])
            await ann.types("Ann")
            await until(lambda: "Session.Token" in ann.told, lambda: "a token")
            await bob.types("before")
            await ann.sees("Bob says: before")
            await proxy.stop()
            await until(lambda: ann.is_cut, lambda: "a cut")
        await until(lambda: session_of(room, "Ann").connection is None, lambda: "the link death")
        await bob.types("meanwhile")
        await bob.sees("Bob says: meanwhile")
        await proxy.start()
        async with calling(proxy.port, proxy.trusted) as back:
            await back.sends("Core.Supports.Set", ["Session 1"])
            await back.sends("Session.Resume", {"token": ann.told["Session.Token"]["token"], "lines": ann.lines})
            await bob.types("after")
            await back.sees("Bob says: after")
            assert back.told["Session.Resumed"]["lost"] == 0
            assert back.shown.count("Bob says: meanwhile") == 1
            assert "before" not in back.shown
            await back.types("back")
            await bob.sees("Ann says: back")
