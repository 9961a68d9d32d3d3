"""The measurement behind the page on performance runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .pages import CHECKOUT, load, page

RUN = CHECKOUT / "tests/bench/run.py"


def test_the_command_on_the_page_exists() -> None:
    assert f"python {RUN.relative_to(CHECKOUT)}" in page("topics/performance.md")
    done = subprocess.run([sys.executable, RUN, "--help"], capture_output=True, text=True, check=True)
    assert "--rounds" in done.stdout


@pytest.mark.parametrize("kind", ["raw", "driver"])
def test_one_short_measurement_counts_answers(kind: str) -> None:
    bench = load(RUN)
    figure = bench.measure(kind, bench.Cell("short", "echo", (2,), "command"), 0.05)
    assert figure.rate > 0


def test_a_table_shows_the_medians_and_the_ratio_within_each_round() -> None:
    bench = load(RUN)
    cell = bench.Cell("echo, 2 connections", "echo", (2,), "command")
    figures = {
        (cell.name, "raw"): [bench.Figure(1000, 10e-6), bench.Figure(1000, 20e-6), bench.Figure(1000, 30e-6)],
        (cell.name, "driver"): [bench.Figure(500, 20e-6), bench.Figure(500, 20e-6), bench.Figure(500, 33e-6)],
    }
    last = bench.table([cell], figures).splitlines()[-1]
    assert last == "| echo, 2 connections, per command | 20.0 | 20.0 | **1.10** (1.00-2.00) | 1,000 | 500 |"


def test_without_proc_the_rates_are_still_told() -> None:
    bench = load(RUN)
    cell = bench.Cell("echo, 2 connections", "echo", (2,), "command")
    figures = {(cell.name, kind): [bench.Figure(1000, None)] for kind in bench.KINDS}
    assert bench.table([cell], figures).endswith("| - | - | - | 1,000 | 1,000 |")
