"""The measurements behind the page on performance run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .pages import CHECKOUT, load, page

RUN = CHECKOUT / "tests/bench/run.py"
ENGINE = CHECKOUT / "tests/bench/engine.py"


@pytest.mark.unmeasured
def test_the_command_on_the_page_exists() -> None:
    assert f"python {RUN.relative_to(CHECKOUT)}" in page("topics/performance.md")
    done = subprocess.run([sys.executable, RUN, "--help"], capture_output=True, text=True, check=True)
    assert "--rounds" in done.stdout
    assert "python tests/bench/run.py --engine" in page("topics/performance.md")
    assert "--engine" in done.stdout


@pytest.mark.unmeasured
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


@pytest.mark.unmeasured
def test_the_page_has_a_figure_for_whatever_is_measured_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = load(ENGINE)
    monkeypatch.setattr(bench, "REPETITIONS", 1)
    monkeypatch.setattr(bench, "TIMES", 10)
    monkeypatch.setattr(bench, "TEXT", bench.TEXT[: bench.READ])
    rows = bench.measure()
    shown = page("topics/performance.md")
    assert [row.what for row in rows if f"| {row.what} | " not in shown] == []
    assert len(bench.table(rows).splitlines()) == 2 + len(rows)


@pytest.mark.unmeasured
def test_an_idle_connection_costs_the_engine_no_more_than_the_page_says() -> None:
    row = load(ENGINE).idle_state()
    assert int(row.figure.removesuffix(" bytes").replace(",", "")) <= 1536
    assert "less than 1.5 kB" in page("topics/performance.md")
