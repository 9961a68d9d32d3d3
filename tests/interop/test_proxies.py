"""Players who come through nginx and Caddy: the page, their addresses, TLS, silence, and a restart of the proxy."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http.client import HTTPSConnection
from pathlib import Path

import pytest
import trio
import trustme
from websockets.exceptions import InvalidStatus

from trio_mud import Limits

from .caller import OWN, calling
from .proxies import HOST, PROXIES, READ_TIMEOUT, RunningProxy, proxy_before
from .room import TITLE, WELCOME, OpenRoom, connection_of, open_room, session_of
from .terminal import PATIENCE, SEARCHED, until

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
