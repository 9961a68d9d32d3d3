"""The measurements behind the page on performance run."""

from __future__ import annotations

import resource
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.bench import bounds, driver, figures, game, run
from tests.bench.measuring import Cell, Measurement, measure

from .pages import CHECKOUT, load, page

RUN = CHECKOUT / "tests/bench/run.py"
ENGINE = CHECKOUT / "tests/bench/engine.py"


@pytest.mark.slow
def test_the_commands_on_the_page_exist() -> None:
    assert f"python {RUN.relative_to(CHECKOUT)}" in page("topics/performance.md")
    done = subprocess.run([sys.executable, RUN, "--help"], capture_output=True, text=True, check=True)
    for option in ("--rounds", "--cells", "--kinds", "--growth", "--full", "--engine", "--bounds"):
        assert option in done.stdout
        assert f"`{option}`" in page("topics/performance.md")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["driver", "plain", "mccp2", "tls", "trio", "asyncio"])
@pytest.mark.parametrize(
    ("what", "numbers"),
    [("echo", (2,)), ("room", (2, 3)), ("fan", (3,)), ("storm", (100,)), ("death", (4,)), ("beat", (2,))],
)
def test_one_short_measurement_comes_to_a_figure(kind: str, what: str, numbers: tuple[int, ...]) -> None:
    figure = measure(kind, Cell("short", what, numbers, "things"), 0.1)
    assert figure.value is not None
    assert figure.value > 0
    assert figure.found.get("unanswered", 0) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("limits", "words"), [((5, 1000), "Every place"), ((1000, 5), "Too many visitors")])
def test_past_a_limit_all_the_others_are_told_why_and_every_player_plays_on(
    limits: tuple[int, int], words: str
) -> None:
    found = measure("full", Cell("full", "full", (5, 100), "things"), 0.1, *limits).found
    assert (found["players left"], found["unanswered"]) == (5, 0)
    assert isinstance(found["knocked"], int)
    assert found["refused"] == found["knocked"] > 10  # of a hundred, where the machine has the time
    assert isinstance(found["words"], dict)
    [told] = found["words"]
    assert told.startswith(words)


def test_a_figure_past_its_bound_is_measured_again_and_then_fails_the_check() -> None:
    told: list[str] = []
    figures_seen = iter([5.0, 4.0, 1.0, 3.0, 3.0, 3.0])
    rows = [bounds.BoundRow(name, "ms", 2.0, lambda: next(figures_seen)) for name in ("calms down", "is too slow")]
    assert bounds.check(rows[:1], told.append)
    assert not bounds.check(rows[1:], told.append)
    assert [line for line in told if "exceeded" in line] == ["| is too slow | 3 | 2 | ms | **exceeded** |"]
    assert [row.name for row in bounds.chosen(rows, "slow,other")] == ["is too slow"]
    assert bounds.chosen(rows, "") == rows


def test_the_driver_and_the_others_have_the_same_commands() -> None:
    assert set(driver.BenchRoom().commands) == set(game.BenchWorld(lambda _: None)._commands)


def test_lines_are_found_in_the_midst_of_telnet() -> None:
    lines = game.Lines()
    assert lines.feed(b"lo\xff\xfd\x18ok\r\n\xff\xfa\x18\x00xterm\xff\xf0say h") == ["look"]
    assert lines.feed(b"i\xff\xf1\n") == ["say hi"]


def test_a_lateness_is_told_by_percentiles() -> None:
    assert game.lateness([n / 100 for n in range(100)]) == 'beat {"count": 100, "p50": 0.5, "p99": 0.99, "max": 0.99}'
    assert game.lateness([]) == 'beat {"count": 0, "p50": null, "p99": null, "max": null}'


def test_a_table_shows_the_medians_and_the_ratio_within_each_round() -> None:
    cell = Cell("echo-2", "echo", (2,), "CPU us a command")
    measured = {
        ("echo-2", "driver"): [Measurement(20e-6, 500), Measurement(20e-6, 500), Measurement(33e-6, 500)],
        ("echo-2", "trio"): [Measurement(10e-6, 1000), Measurement(20e-6, 1000), Measurement(30e-6, 1000)],
    }
    last = run.table([cell], ["driver", "trio"], measured).splitlines()[-1]
    assert last == "| echo-2 | CPU us a command | 20.00 | 20.00 (1.10, 1.00-2.00) |"


def test_a_server_that_could_not_be_measured_leaves_a_gap() -> None:
    cell = Cell("echo-2", "echo", (2,), "CPU us a command")
    measured = {("echo-2", kind): [Measurement(None, None)] for kind in ("driver", "trio")}
    assert run.table([cell], ["driver", "trio"], measured).endswith("| - | - |")


def test_connections_are_bounded_by_the_descriptors_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, 1000))
    [cell] = run.bounded([Cell("room", "room", (10, 5000), "")])
    assert cell.numbers == (10, 1000 - run.SPARE)


# The curves


@pytest.mark.slow
def test_curves_are_measured_written_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CURVES", run.CURVES[:1])
    run.grow(["driver"], [2, 4], 1, 0.05, tmp_path)
    assert {"growth.json", "growth.csv", "growth-command.svg"} == {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "growth.csv").read_text(encoding="utf-8").count("growth-command,driver,") == 2
    before = (tmp_path / "growth-command.svg").read_text(encoding="utf-8")
    figures.draw(tmp_path / "growth.json")
    assert before == (tmp_path / "growth-command.svg").read_text(encoding="utf-8")


def test_a_picture_names_its_axes_and_its_curves_none_over_another() -> None:
    curves = {"driver": [(10, 20.0), (15_000, 30.0)], "trio": [(10, 20.0), (15_000, 30.2)], "new": [(10, 1.0)]}
    root = ET.fromstring(figures.svg(figures.Picture("x", "What <it> costs", "connections", "CPU, µs", curves)))
    texts = {text.text: text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"What <it> costs", "connections", "CPU, µs", "driver", "trio", "new", "10", "10,000"} <= texts.keys()
    assert abs(float(texts["driver"].attrib["y"]) - float(texts["trio"].attrib["y"])) >= 15


@pytest.mark.parametrize("most", [0.0, 0.003, 0.9, 7.0, 49.0, 51.0, 1234.5])
def test_an_axis_has_a_few_round_numbers_and_reaches_all(most: float) -> None:
    ticks = figures.nice(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most * 0.999
    assert 2 <= len(ticks) <= 7


# The engine


@pytest.mark.slow
def test_the_page_has_a_figure_for_whatever_is_measured_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = load(ENGINE)
    monkeypatch.setattr(bench, "REPETITIONS", 1)
    monkeypatch.setattr(bench, "TIMES", 10)
    monkeypatch.setattr(bench, "TEXT", bench.TEXT[: bench.READ])
    rows = bench.measure()
    shown = page("topics/performance.md")
    assert [row.what for row in rows if f"| {row.what} | " not in shown] == []
    assert len(bench.table(rows).splitlines()) == 2 + len(rows)


@pytest.mark.slow
def test_an_idle_connection_costs_the_engine_no_more_than_the_page_says() -> None:
    row = load(ENGINE).idle_state()
    assert int(row.figure.removesuffix(" bytes").replace(",", "")) <= 1536
    assert "less than 1.5 kB" in page("topics/performance.md")


# A whole game


@pytest.mark.slow
def test_the_page_has_every_figure_of_a_whole_game() -> None:
    script = CHECKOUT / "tests/bench/capacity.py"
    arguments = ["--players", "5", "--things", "200", "--creatures", "20", "--seconds", "2"]
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, timeout=100, check=True)
    figures_of = [line[:40].strip() for line in done.stdout.splitlines()]
    assert "5 of 5 players, % of a core" in figures_of
    assert len(figures_of) == 12
    assert "`python tests/bench/capacity.py`" in page("topics/performance.md")
