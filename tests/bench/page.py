"""The page of the web port: what it takes to show many lines that come in one batch, in Debian's chromium.

The figures have bounds (`bounds.py` checks them), if playwright and chromium are installed. The game is that of the
tests of the page. The time holds only on a machine that does nothing else, the processor time on any.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.bounds import BoundRow

CHECKOUT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
LINES = 3000
REPETITIONS = 5  # the shortest time counts: a busy machine only makes it longer

MOST_SHOWING = 0.5  # seconds
MOST_WORKING = 0.3  # seconds of CPU

# From the player's Enter to the frame after the last line has entered the log.
SHOW = """last => new Promise(resolve => {
    const log = document.getElementById("log"), line = document.getElementById("line");
    const rows = new Set(log.children), began = performance.now();
    const watch = new MutationObserver(() => {
        if (![...log.children].slice(-3).some(row => row.textContent == last && !rows.has(row))) return;
        watch.disconnect();
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)));
    });
    watch.observe(log, {childList: true, subtree: true, characterData: true});
    line.form.requestSubmit();
})"""


@contextlib.contextmanager
def stage() -> Iterator[int]:
    """Serve the game of the tests; the value is its web port."""
    command = [sys.executable, "-m", "tests.browser.stage"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def measure() -> tuple[float, float]:
    """Show lines; return the seconds from the command to the frame with the last line, and the page's CPU."""
    from playwright.sync_api import sync_playwright

    with stage() as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        for prompt, answer in (("Name?", "reader"), ("Password?", "open sesame")):
            page.locator("#prompt", has_text=prompt).wait_for()
            page.locator("#line").fill(answer)
            page.locator("#line").press("Enter")
        page.locator("#prompt", has_text="stage>").wait_for()
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

        def worked() -> float:
            metrics = devtools.send("Performance.getMetrics")["metrics"]
            return sum(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")

        shown, work = [], []
        for _ in range(REPETITIONS):
            page.locator("#line").fill(f"many {LINES}")
            before = worked()
            shown.append(page.evaluate(SHOW, f"row {LINES - 1}") / 1e3)
            work.append(worked() - before)
        browser.close()
    return min(shown), min(work)


WHAT = f"{LINES} lines in one batch, shown by the page"
ROWS = [
    row
    for row in (
        BoundRow(WHAT, "s", MOST_SHOWING, lambda: measure()[0]),
        BoundRow(WHAT, "CPU s", MOST_WORKING, lambda: measure()[1]),
    )
    if CHROMIUM is not None and importlib.util.find_spec("playwright") is not None
]
