"""The admin page of the watch in Debian's chromium: its data, its token, accessibility, and what it does not run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from .conftest import Tab, staged
from .test_page import violations
from .watched_stage import TOKEN

OpenPage = Callable[..., Tab]


@pytest.fixture(scope="module")
def watch_port() -> Iterator[int]:
    """The port of a watch, whose game has some players."""
    with staged("watched_stage") as port:
        yield port


@pytest.fixture
def open_page(chromium: Browser, watch_port: int) -> Iterator[OpenPage]:
    """Return a function that opens the admin page in a browser of its own."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def open_one(*, fragment: str = f"#{TOKEN}", width: int = 1100, height: int = 900, **options: object) -> Tab:
        viewport = {"width": width, "height": height}
        contexts.append(chromium.new_context(viewport=viewport, **options))  # type: ignore[arg-type]
        tabs.append(Tab(contexts[-1], f"http://127.0.0.1:{watch_port}/admin{fragment}"))
        return tabs[-1]

    yield open_one
    faults = [fault for tab in tabs for fault in tab.faults]
    for context in contexts:
        context.close()
    assert faults == []


def polled(tab: Tab, times: int) -> None:
    """Wait until the page has drawn so many points."""
    line = tab.page.locator("polyline").first
    expect(line).to_have_attribute("points", re.compile(rf"^(\S+ ){{{times - 1}}}"), timeout=15_000 + 2_000 * times)


def test_the_page_shows_connections_counters_plots_and_the_log(open_page: OpenPage) -> None:
    tab = open_page()
    expect(tab.page.locator("h1")).to_have_text("Stage & Co")
    tab.state("Ready")
    table = tab.page.locator("#connections tbody tr")
    expect(table).to_have_count(7)
    expect(table.first.locator("td")).to_have_count(12)
    expect(table.first).to_contain_text("Ann")
    expect(table.first).to_contain_text("127.0.0.1")
    expect(table.first).to_contain_text("link, active")
    expect(tab.page.locator("#counters tr", has_text="refused: too many from here")).to_contain_text("1")
    expect(tab.page.locator("#log")).to_contain_text("came in from 127.0.0.1")
    polled(tab, 3)
    plots = tab.page.locator("#plots svg")
    expect(plots).to_have_count(11)
    expect(plots.first).to_have_attribute("aria-label", "Playing: now 7, highest 7 in the last five minutes")


def test_names_of_players_are_text(open_page: OpenPage) -> None:
    tab = open_page()
    expect(tab.page.locator("#connections")).to_contain_text("<script>document.title = 'owned'</script>")
    expect(tab.page.locator("#connections script")).to_have_count(0)
    expect(tab.page).to_have_title(re.compile(r"^Stage & Co: \d playing$"))


def test_the_token_leaves_the_address_and_outlives_a_reload(open_page: OpenPage) -> None:
    tab = open_page()
    tab.state("Ready")
    assert TOKEN not in tab.page.url
    tab.page.reload()
    tab.state("Ready")


def test_a_page_without_the_token_asks_for_it(open_page: OpenPage) -> None:
    tab = open_page(fragment="")
    tab.state("needs the token")
    expect(tab.page.locator("#all")).to_be_hidden()
    assert violations(tab) == []
    tab.page.get_by_label("Token").fill("wrong-wrong-wrong-wrong")
    tab.page.keyboard.press("Enter")
    tab.state("The token is wrong")
    tab.page.get_by_label("Token").fill(TOKEN)
    tab.page.get_by_role("button", name="Show").click()
    tab.state("Ready")
    expect(tab.page.locator("#form")).to_be_hidden()


def test_a_pause_stops_the_requests(open_page: OpenPage) -> None:
    tab = open_page()
    polled(tab, 2)
    tab.page.get_by_role("button", name="Pause").press("Enter")
    requests: list[str] = []
    tab.page.on("request", lambda request: requests.append(request.url))
    tab.page.wait_for_timeout(3000)
    assert len(requests) <= 1  # one may have been on its way
    tab.page.get_by_role("button", name="Pause").press("Enter")
    polled(tab, 4)


@pytest.mark.parametrize("width", [1100, 390])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(open_page: OpenPage, scheme: str, width: int) -> None:
    tab = open_page(width=width, color_scheme=scheme)
    polled(tab, 3)
    assert violations(tab) == []
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.take_picture(f"watch-{scheme}-{width}")
