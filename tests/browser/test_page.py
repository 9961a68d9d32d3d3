"""The page in Debian's chromium: play, return, accessibility."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import WebSocketRoute, expect

from .conftest import OpenTab, Tab
from .relay import Relay

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
PASSWORD = "swordfish-42"
numbers = count(1)

LUMINANCE = """([ink, ground]) => {
    const parts = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const light = text => parts(text).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
    const [a, b] = [light(ink), light(ground)];
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}"""


def name() -> str:
    """Return a name that no other test uses."""
    return f"ann{next(numbers)}"


def violations(tab: Tab) -> list[str]:
    """Return what axe-core finds."""
    tab.page.evaluate(AXE)
    found = tab.page.evaluate("() => axe.run()")["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


# Play


def test_a_player_comes_in_plays_and_leaves(tab: Tab) -> None:
    expect(tab.page).to_have_title("Stage & Co")
    tab.log_in(name())
    expect(tab.line).to_be_focused()
    tab.enter("hello")
    tab.shows("You typed 'hello'.")
    assert "stage> hello" in tab.rows()
    tab.enter("quit")
    tab.shows("Exit.")
    tab.state("Disconnected")
    tab.page.get_by_role("button", name="Connect").click()
    tab.prompts("Name? ")
    expect(tab.line).to_be_focused()


def test_a_prompt_that_was_answered_is_shown_no_longer(tab: Tab) -> None:
    tab.log_in(name())
    tab.enter("hush")
    tab.shows("No prompt follows.")
    tab.prompts(">")
    tab.enter("hello")
    tab.prompts("stage> ")
    assert "> hello" in tab.rows()


def test_on_a_phone_the_state_of_a_closed_link_has_room_beside_the_buttons(tab: Tab) -> None:
    tab.page.set_viewport_size({"width": 390, "height": 760})
    tab.log_in(name())
    tab.enter("quit")
    tab.state("Disconnected")
    assert tab.page.locator("#state").evaluate("state => state.scrollWidth <= state.clientWidth")


def test_a_hidden_password_is_nowhere_in_the_page(tab: Tab) -> None:
    tab.log_in(name(), PASSWORD)
    tab.line.press("ArrowUp")
    expect(tab.line).not_to_have_value(PASSWORD)
    assert PASSWORD not in tab.page.content()
    assert PASSWORD not in "\n".join(tab.rows())
    kept = tab.page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert PASSWORD not in kept
    expect(tab.line).to_have_attribute("type", "text")
    assert "" not in tab.rows()[-2:]  # the line end after what was hidden is not shown


def test_registration_tells_password_managers_that_the_password_is_new(tab: Tab) -> None:
    tab.prompts("Name? ")
    tab.page.get_by_role("button", name="Settings").click()
    tab.page.get_by_role("button", name="Register").click()
    tab.prompts("New name? ")
    tab.enter(name())
    tab.prompts("Password? ")
    expect(tab.line).to_have_attribute("autocomplete", "new-password")


def test_a_change_of_the_password_asks_password_managers_for_the_old_one_first(tab: Tab) -> None:
    tab.log_in(name())
    tab.page.get_by_role("button", name="Settings").click()
    tab.page.get_by_role("button", name="Change the password").click()
    for prompt, kind in (("Old password? ", "current-password"), ("New password? ", "new-password")):
        tab.prompts(prompt)
        expect(tab.line).to_have_attribute("type", "password")
        expect(tab.line).to_have_attribute("autocomplete", kind)
        tab.enter("secret")
    tab.shows("Changed.")
    expect(tab.line).to_have_attribute("autocomplete", "off")


def test_earlier_commands_come_back_and_the_draft_is_kept(tab: Tab) -> None:
    tab.log_in(name())
    tab.enter("one")
    tab.enter("two")
    tab.enter("two")
    tab.line.fill("draft")
    for key, shown in (("Up", "two"), ("Up", "one"), ("Down", "two"), ("Down", "draft"), ("Down", "draft")):
        tab.line.press(f"Arrow{key}")
        expect(tab.line).to_have_value(shown)


def test_everything_can_be_reached_by_the_keyboard(tab: Tab) -> None:
    tab.log_in(name())
    tab.shows("You are " + tab.rows()[-1].split()[-1])
    reached: list[str] = []
    for _ in range(20):
        tab.page.keyboard.press("Tab")
        reached.append(tab.page.evaluate("() => document.activeElement.id || document.activeElement.textContent"))
    assert {"panels", "set", "log", "line", "Send", "N", "trapdoor"} <= set(reached)
    tab.page.locator("#set").focus()
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("dialog")).to_be_visible()
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_be_hidden()
    expect(tab.line).to_be_focused()
    tab.log.focus()
    tab.page.keyboard.type("hello")  # the first letter moves to the command line
    expect(tab.line).to_have_value("hello")
    tab.page.keyboard.press("Escape")
    expect(tab.line).to_have_value("")
    tab.page.keyboard.press("Alt+1")
    expect(tab.page.locator("#aloud")).to_have_text(tab.rows()[-1])


def test_the_server_learns_the_size_the_colours_and_the_screen_reader(tab: Tab) -> None:
    tab.log_in(name())
    tab.enter("client")
    expect(tab.log).to_contain_text(re.compile(r"\d+ columns, 16777216 colours, reader False"))
    wide = int(re.findall(r"(\d+) columns", tab.rows()[-1])[0])
    tab.page.set_viewport_size({"width": 700, "height": 500})
    tab.page.locator("#set").click()
    tab.page.locator("#o-reader").check()
    tab.page.keyboard.press("Escape")
    tab.page.wait_for_timeout(600)  # the page waits until a window that is dragged has come to rest
    tab.enter("client")
    expect(tab.log).to_contain_text("reader True")
    assert int(re.findall(r"(\d+) columns", tab.rows()[-1])[0]) < wide


def test_markup_of_players_is_text(tab: Tab) -> None:
    me = name()
    tab.log_in(me)
    attack = "<img src=x onerror=alert(1)> javascript:a() https://mud.example/a?b=1."
    tab.enter(f"say {attack}")
    tab.shows(f"{me}: {attack}")
    tab.enter(f"gmcp {attack}")
    expect(tab.page.locator("#talk")).to_have_text(f"[stage] {attack}")
    expect(tab.page.locator("#people")).to_have_text("<b>Extra</b>")
    assert tab.page.locator("#log img, #log script, #side img, #side b").count() == 0
    (goal,) = {link.get_attribute("href") for link in tab.log.locator("a").all()}
    assert goal == "https://mud.example/a?b=1"


def test_panels_show_the_room_and_its_ways_are_buttons(tab: Tab) -> None:
    tab.log_in(name())
    expect(tab.page.get_by_role("heading", name="The stage")).to_be_visible()
    expect(tab.page.locator("#vitals")).to_contain_text("HP 7 of 20")
    tab.page.get_by_role("button", name="trapdoor").click()
    tab.shows("You typed 'trapdoor'.")
    tab.page.get_by_role("button", name="north").click()
    tab.shows("You typed 'n'.")
    tab.enter("link")
    tab.log.get_by_role("button", name="north").click()
    tab.shows("You typed 'north'.")


def test_a_batch_of_many_lines_is_shown_and_the_log_is_bounded(tab: Tab) -> None:
    tab.log_in(name())
    tab.enter("many 3000")
    tab.shows("row 2999")
    rows = tab.rows()
    assert len(rows) <= 2000
    assert rows[-1] == "row 2999"


def test_a_player_who_reads_earlier_lines_is_not_moved_and_learns_of_new_ones(tab: Tab, open_tab: OpenTab) -> None:
    bob, talker = open_tab(), name()
    tab.log_in(name())
    bob.log_in(talker)
    tab.enter("many 100")
    tab.shows("row 99")
    tab.line.press("PageUp")
    expect(tab.log).not_to_have_js_property("scrollTop", tab.log.evaluate("log => log.scrollHeight - log.clientHeight"))
    place = tab.log.evaluate("log => log.scrollTop")
    bob.enter("say hello")
    expect(tab.page.locator("#more")).to_have_text("New lines: 1 ↓")
    assert tab.log.evaluate("log => log.scrollTop") == place
    tab.page.locator("#more").click()
    expect(tab.page.locator("#more")).to_be_hidden()
    expect(tab.line).to_be_focused()


def test_the_log_can_be_copied_and_saved(open_tab: OpenTab) -> None:
    tab = open_tab(permissions=["clipboard-read", "clipboard-write"])
    me = name()
    tab.log_in(me)
    tab.page.locator("#set").click()
    tab.page.locator("#copy").click()
    expect(tab.page.locator("#copy")).to_have_text("Copied")
    assert f"You are {me}.\n" in tab.page.evaluate("() => navigator.clipboard.readText()")
    with tab.page.expect_download() as download:
        tab.page.locator("#save").click()
    assert f"You are {me}.\n" in Path(download.value.path()).read_text(encoding="utf-8")


def test_the_title_counts_lines_that_come_while_the_page_is_hidden(tab: Tab) -> None:
    me = name()
    tab.log_in(me)
    hide = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
    tab.page.evaluate(f"{hide} document.dispatchEvent(new Event('visibilitychange')); }}", True)
    tab.enter("say hello")
    expect(tab.page).to_have_title(f"(1) {me} · Stage & Co")
    tab.page.evaluate(f"{hide} document.dispatchEvent(new Event('visibilitychange')); }}", False)
    expect(tab.page).to_have_title(f"{me} · Stage & Co")


# Return


def test_lines_that_a_relay_has_swallowed_are_shown_once(
    relay: Relay, open_through: OpenTab, open_tab: OpenTab
) -> None:
    ann, bob = open_through(), open_tab()
    ann.log_in(name())
    bob.log_in(talker := name())
    expected = []

    def says(text: str) -> None:
        bob.enter(f"say {text}")
        bob.shows(f"{talker}: {text}")
        expected.append(f"{talker}: {text}")

    says("before")
    ann.shows(f"{talker}: before")
    relay.swallows = True
    for number in range(5):
        says(f"swallowed {number}")
    relay.refuses = True
    relay.cut()
    ann.state("Link lost")
    for number in range(3):
        says(f"away {number}")
    relay.swallows = relay.refuses = False
    ann.state("Connected")
    ann.shows(f"{talker}: away 2")
    says("after")
    ann.shows(f"{talker}: after")
    assert [row for row in ann.rows() if row.startswith(f"{talker}:")] == expected
    assert "Lines missed: 8" in ann.rows()


def test_a_page_that_is_refused_with_words_waits_longer_before_each_try(tab: Tab) -> None:
    def refuse(socket: WebSocketRoute) -> None:
        socket.send(b"Every place is taken.\r\n")
        socket.close(code=1013)

    tab.page.route_web_socket(re.compile("^ws:"), refuse)
    tab.page.reload()
    expect(tab.page.locator("#state")).to_have_text(re.compile("next try in [3-5] s"))  # the third


def test_a_reloaded_page_goes_on_with_the_session_and_shows_what_was_written(tab: Tab) -> None:
    me = name()
    tab.log_in(me)
    tab.enter("say hello")
    tab.shows(f"{me}: hello")
    tab.page.reload()
    tab.shows(f"{me}: hello")
    tab.prompts("stage> ")
    assert tab.rows()[-3:-1] == [f"You are {me}.", f"{me}: hello"]
    tab.enter("say again")
    tab.shows(f"{me}: again")
    tab.shows("16777216 colours when it came back")


def test_a_tab_that_was_taken_over_says_so_and_does_not_fight(open_tab: OpenTab) -> None:
    first, me = open_tab(), name()
    first.log_in(me)
    second = open_tab()
    second.prompts("Name? ")
    second.enter(me)
    second.prompts("Password? ")
    second.enter("open sesame")
    first.state("Disconnected")
    first.shows("You have come in by another way.")
    second.prompts("stage> ")
    second.page.wait_for_timeout(2500)  # longer than the page waits before it connects again
    first.state("Disconnected")
    second.enter("say mine")
    second.shows(f"{me}: mine")


def test_a_page_of_another_site_cannot_connect(open_tab: OpenTab, port: int) -> None:
    page = open_tab().page
    page.goto("about:blank")
    opened = page.evaluate(
        "port => new Promise(done => { const socket = new WebSocket(`ws://127.0.0.1:${port}/`);"
        " socket.onopen = () => done(true); socket.onclose = () => done(false); })",
        port,
    )
    assert opened is False


# Accessibility


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [1100, 390])
def test_axe_finds_nothing(open_tab: OpenTab, scheme: str, width: int) -> None:
    tab = open_tab(width=width, color_scheme=scheme)
    assert violations(tab) == []
    tab.log_in(name())
    tab.enter("colours")
    tab.enter("link")
    tab.enter("gmcp hello")
    tab.shows("true reversed")
    assert violations(tab) == []
    tab.take_picture(f"{width}-{scheme}")
    if width < 500:
        assert tab.page.evaluate("() => document.documentElement.scrollWidth") == width
        tab.page.locator("#panels").click()
        expect(tab.page.locator("#side")).to_be_visible()
        assert violations(tab) == []
        tab.take_picture(f"{width}-{scheme}-panels")
    tab.page.locator("#set").click()
    assert violations(tab) == []
    tab.take_picture(f"{width}-{scheme}-settings")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_colour_can_be_read_on_its_ground_also_after_a_change_of_the_theme(
    open_tab: OpenTab, scheme: str
) -> None:
    tab = open_tab(color_scheme=scheme)
    tab.log_in(name())
    tab.enter("colours")
    tab.shows("true reversed")
    for theme in ("", "light", "dark"):
        tab.page.locator("#set").click()
        tab.page.locator("#o-theme").select_option(theme)
        tab.page.keyboard.press("Escape")
        page = tab.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        spans = tab.page.evaluate(
            "() => [...document.querySelectorAll('[data-colours]')].map(span => getComputedStyle(span))"
            ".map(style => [style.color, style.backgroundColor])"
        )
        assert len(spans) == 24
        for ink, ground in spans:
            seen_on = page if ground == "rgba(0, 0, 0, 0)" else ground
            assert tab.page.evaluate(LUMINANCE, [ink, seen_on]) >= 4.5, (theme, ink, seen_on)


def test_the_log_is_read_out_unless_that_is_switched_off(tab: Tab) -> None:
    tab.log_in(name())
    expect(tab.log).to_have_attribute("aria-live", "polite")
    expect(tab.log).to_have_attribute("role", "log")
    expect(tab.line).to_have_attribute("aria-describedby", "prompt")
    assert tab.log.locator(".own").first.get_attribute("aria-hidden") == "true"
    tab.page.locator("#set").click()
    tab.page.locator("#o-aloud").uncheck()
    expect(tab.log).to_have_attribute("aria-live", "off")
    tab.page.reload()
    expect(tab.log).to_have_attribute("aria-live", "off")
