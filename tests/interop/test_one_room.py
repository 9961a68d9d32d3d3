"""Clients of every kind in one room, by telnet and by WebSocket: each hears what the others say."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import pytest
import trio

from .caller import calling
from .room import WELCOME, OpenRoom, open_room
from .terminal import PATIENCE, SEARCHED, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

T = TypeVar("T")
CHROMIUM: Final = shutil.which("chromium")
# A page that playwright makes up counts as one of the Internet, which may not reach this machine.
ARGUMENTS: Final = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]
ORIGIN: Final = "http://localhost:9"  # of the page with xterm.js, which the browser gets from this test
NPM: Final = ("wscat@6", "@xterm/xterm@6", "@xterm/addon-attach")
XTERM: Final = """<!doctype html><title>xterm.js</title><div id="terminal"></div>
<script src="/@xterm/xterm/lib/xterm.js"></script>
<script src="/@xterm/addon-attach/lib/addon-attach.js"></script>
<script>
    const link = new WebSocket("ws://127.0.0.1:PORT/", "ascii");
    const terminal = new Terminal();
    terminal.loadAddon(new AttachAddon.AttachAddon(link));
    terminal.open(document.getElementById("terminal"));
    const shown = () => {
        const buffer = terminal.buffer.active;
        return Array.from({length: buffer.length}, (_, at) => buffer.getLine(at).translateToString(true)).join("\\n");
    };
</script>"""


class RoomGuest(Protocol):
    """A client in the room, as its user sees it."""

    async def types(self, line: str) -> None: ...

    async def sees(self, text: str) -> None: ...


class ChromiumThread:
    """Debian's chromium, driven by a thread of its own, because each call of playwright waits."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._ending = ExitStack()
        self._browser: Browser | None = None

    async def do(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function in the thread, and return its result."""
        return await trio.to_thread.run_sync(lambda: self._thread.submit(function, *arguments).result())

    def open_page(self) -> Page:
        """Return an empty page; the first call starts the browser. Called by `do`."""
        from playwright.sync_api import sync_playwright

        if self._browser is None:
            playwright = self._ending.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            self._ending.callback(self._browser.close)
        page = self._browser.new_page()
        page.set_default_timeout(2 * PATIENCE * 1000)
        return page

    async def aclose(self) -> None:
        """End the browser."""
        with trio.CancelScope(shield=True):
            await self.do(self._ending.close)
        self._thread.shutdown()


class PageGuest:
    """The page of the web port."""

    def __init__(self, chromium: ChromiumThread, page: Page) -> None:
        self._chromium = chromium
        self._page = page

    async def types(self, line: str) -> None:
        await self._chromium.do(self._page.fill, "#line", line)
        await self._chromium.do(self._page.press, "#line", "Enter")

    async def sees(self, text: str) -> None:
        await self._chromium.do(self._page.locator("#log").get_by_text(text, exact=True).wait_for)


class XtermGuest:
    """xterm.js with its attach addon, on a page of another origin."""

    def __init__(self, chromium: ChromiumThread, page: Page) -> None:
        self._chromium = chromium
        self._page = page

    async def types(self, line: str) -> None:
        await self._chromium.do(self._page.locator("textarea").press_sequentially, line)
        await self._chromium.do(self._page.keyboard.press, "Enter")

    async def sees(self, text: str) -> None:
        await self._chromium.do(lambda: self._page.wait_for_function("text => shown().includes(text)", arg=text))


@dataclass(frozen=True)
class Surroundings:
    """What a client needs to come in."""

    room: OpenRoom
    folder: Path
    modules: Path
    chromium: ChromiumThread

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.room.web_port}/"


def by_tintin(place: Surroundings) -> AbstractAsyncContextManager[RoomGuest]:
    command = ("tt++", "-G", "-e", f"#session mud 127.0.0.1 {place.room.port}")
    return run(command, place.folder)


def by_wscat(place: Surroundings) -> AbstractAsyncContextManager[RoomGuest]:
    program = str(place.modules / ".bin/wscat")
    command = (program, "--connect", place.url, "--subprotocol", "terminal.mudstandards.org")
    return run(command, place.folder)


def by_telix(place: Surroundings) -> AbstractAsyncContextManager[RoomGuest]:
    return run(("telix", place.url), place.folder, {b"\x1b[6n": b"\x1b[1;1R"})


def by_websockets(place: Surroundings) -> AbstractAsyncContextManager[RoomGuest]:
    return calling(place.room.web_port)


@asynccontextmanager
async def by_page(place: Surroundings) -> AsyncGenerator[RoomGuest]:
    page = await place.chromium.do(place.chromium.open_page)
    await place.chromium.do(page.goto, f"http://127.0.0.1:{place.room.web_port}/")
    yield PageGuest(place.chromium, page)


@asynccontextmanager
async def by_xterm(place: Surroundings) -> AsyncGenerator[RoomGuest]:
    page = await place.chromium.do(place.chromium.open_page)

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/":
            route.fulfill(body=XTERM.replace("PORT", str(place.room.web_port)), content_type="text/html")
        else:
            route.fulfill(path=place.modules / path.removeprefix("/"), content_type="text/javascript")

    await place.chromium.do(page.route, f"{ORIGIN}/**", answer)
    await place.chromium.do(page.goto, f"{ORIGIN}/")
    yield XtermGuest(place.chromium, page)


CLIENTS: Final[Mapping[str, Callable[[Surroundings], AbstractAsyncContextManager[RoomGuest]]]] = {
    "tintin": by_tintin,
    "page": by_page,
    "xterm": by_xterm,
    "wscat": by_wscat,
    "telix": by_telix,
    "websockets": by_websockets,
}


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of npm; empty if they cannot be had."""
    folder = tmp_path_factory.mktemp("npm")
    if (npm := shutil.which("npm")) is not None:
        with suppress(subprocess.SubprocessError):
            command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), *NPM]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
    return folder / "node_modules"


def missing(modules: Path) -> dict[str, str]:
    """Return the clients that cannot be had here, each with how to get it."""
    reasons = {}
    if shutil.which("tt++", path=SEARCHED) is None:
        reasons["tintin"] = "apt-get install tintin++"
    if shutil.which("telix", path=SEARCHED) is None:
        reasons["telix"] = "pip install telix, in an environment of its own"
    if not modules.exists():
        reasons["wscat"] = reasons["xterm"] = f"npm install {' '.join(NPM)}"
    if importlib.util.find_spec("playwright") is None:
        reasons["page"] = reasons["xterm"] = "pip install playwright"
    elif CHROMIUM is None:
        reasons["page"] = reasons["xterm"] = "apt-get install chromium"
    return reasons


async def test_clients_of_every_kind_hear_each_other_in_one_room(
    tmp_path: Path, modules: Path, subtests: pytest.Subtests
) -> None:
    reasons = missing(modules)
    for name, how in reasons.items():
        with subtests.test(name):
            pytest.skip(f"{name} is not here: {how}")
    guests: dict[str, RoomGuest] = {}
    chromium = ChromiumThread()
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(open_room(origins=[ORIGIN]))
        stack.push_async_callback(chromium.aclose)
        for name, enter in CLIENTS.items():
            if name not in reasons:
                (tmp_path / name).mkdir()
                place = Surroundings(room, tmp_path / name, modules, chromium)
                guests[name] = await stack.enter_async_context(enter(place))
                await guests[name].sees(WELCOME)
                await guests[name].types(name)
                await guests[name].sees(f"Welcome, {name}.")
        for speaker, guest in guests.items():
            await guest.types(f"{speaker} was here")
            for hearer in guests.values():
                await hearer.sees(f"{speaker} says: {speaker} was here")
        assert len(room.server.connections) == len(guests) == len(CLIENTS) - len(reasons)
        assert room.server.counters["anomaly: malformed payload"] == 0
