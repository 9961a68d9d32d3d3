"""The bundled world in the page, as `trio-mud` opens it; the picture in the README is made here.

SCREENSHOTS=folder nox -s browser -- -k valley; cp folder/valley.png docs/page.png
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from .conftest import CHECKOUT, OpenTab, Tab


@pytest.fixture(scope="module")
def valley() -> Iterator[int]:
    """The web port of the bundled world."""
    command = [sys.executable, "-m", "trio_mud", "--host", "127.0.0.1", "--port", "0", "--web-port", "0"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as program:
        assert program.stdout is not None
        try:
            found = (re.search(r"http://[^:]+:(\d+)/", line) for line in program.stdout)
            yield next(int(port[1]) for port in found if port)
            program.terminate()
            assert program.wait(30) == 0
        finally:
            program.kill()


def come_in(tab: Tab, name: str) -> None:
    """Come in as a new visitor, and walk to the bridge."""
    tab.prompts("By what name are you known? ")
    tab.enter(name)
    expect(tab.page.get_by_role("heading", name="Toll Green")).to_be_visible()
    tab.log.get_by_role("button", name="north").click()  # a word of the text
    expect(tab.page.get_by_role("heading", name="Drip Bridge")).to_be_visible()


def test_two_visitors_of_the_valley_meet_on_the_bridge(open_tab: OpenTab, valley: int) -> None:
    ann = open_tab(at=valley, width=900, height=520, color_scheme="dark")
    bob = open_tab(at=valley)
    come_in(bob, "Bob")
    come_in(ann, "Ann")
    expect(ann.page.locator("#people")).to_contain_text("Bob")
    ann.enter("say good evening, Bob")
    bob.shows('Ann says, "good evening, Bob"')
    bob.enter("say Good evening! Mind the drip.")
    ann.shows('Bob says, "Good evening! Mind the drip."')
    ann.enter("chat The bridge is open.")
    expect(ann.page.locator("#talk")).to_contain_text("The bridge is open.")
    ann.take_picture("valley")
