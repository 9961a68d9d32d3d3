"""The stage in a process, and Debian's chromium with one page on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from .relay import Relay

CHECKOUT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a folder, to look at
PATIENCE = 15_000  # milliseconds; a loaded machine is slow, and no test depends on how slow

expect.set_options(timeout=PATIENCE)


@contextmanager
def staged(module: str) -> Iterator[int]:
    """The port that a program of this folder prints; it runs until its input ends."""
    command = [sys.executable, "-m", f"tests.browser.{module}"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stage:
        assert stage.stdout is not None
        assert stage.stdin is not None
        yield int(stage.stdout.readline())
        stage.stdin.close()
        assert stage.wait(30) == 0


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    """The web port of the stage."""
    with staged("stage") as port:
        yield port


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's chromium."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A page in a browser, and what its user does.

    Attributes:
        page: Playwright's page.
        faults: Errors of the page, and dialogs that it opened; a test fails if there are any.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(dialog.message))
        self.page.on(
            "console", lambda message: self.faults.append(message.text) if "Security" in message.text else None
        )
        self.page.goto(url)

    @property
    def line(self) -> Locator:
        """The command line."""
        return self.page.locator("#line")

    @property
    def log(self) -> Locator:
        """The log."""
        return self.page.locator("#log")

    def prompts(self, text: str) -> None:
        """Wait for a prompt."""
        expect(self.page.locator("#prompt")).to_have_text(text)

    def shows(self, text: str) -> None:
        """Wait for a line in the log."""
        expect(self.log.get_by_text(text, exact=True).last).to_be_visible()

    def state(self, text: str) -> None:
        """Wait for a state of the link."""
        expect(self.page.locator("#state")).to_contain_text(text)

    def enter(self, text: str) -> None:
        """Type a line."""
        self.line.fill(text)
        self.line.press("Enter")

    def rows(self) -> list[str]:
        """Return the lines of the log."""
        return self.log.locator("> div").all_inner_texts()

    def take_picture(self, title: str) -> None:
        """Take a screenshot, if there is a folder for them."""
        if SCREENSHOTS is not None:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{title}.png")

    def log_in(self, name: str, password: str = "open sesame") -> Tab:
        """Come in."""
        self.prompts("Name? ")
        self.enter(name)
        self.prompts("Password? ")
        expect(self.line).to_have_attribute("type", "password")
        self.enter(password)
        self.shows(f"You are {name}.")
        self.prompts("stage> ")
        return self


OpenTab = Callable[..., Tab]


@pytest.fixture
def open_tab(chromium: Browser, port: int) -> Iterator[OpenTab]:
    """Return a function that opens a tab of a browser of its own, with the options of a playwright context."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def open_one(*, at: int = port, width: int = 1100, height: int = 760, **options: object) -> Tab:
        viewport = {"width": width, "height": height}
        contexts.append(chromium.new_context(viewport=viewport, **options))  # type: ignore[arg-type]
        tabs.append(Tab(contexts[-1], f"http://127.0.0.1:{at}/"))
        return tabs[-1]

    yield open_one
    faults = [fault for tab in tabs for fault in tab.faults]
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def tab(open_tab: OpenTab) -> Tab:
    """A tab on the stage."""
    return open_tab()


@pytest.fixture
def relay(port: int) -> Iterator[Relay]:
    """A relay before the stage."""
    relay = Relay(port)
    yield relay
    relay.close()


@pytest.fixture
def open_through(relay: Relay, open_tab: OpenTab) -> OpenTab:
    """Return a function that opens a tab through the relay."""
    return partial(open_tab, at=relay.port)
