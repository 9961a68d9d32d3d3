"""Durations by the million, in bounded memory."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from trio_mud.bench.histogram import Histogram

durations = st.lists(st.floats(0, 3600), min_size=1, max_size=200)


@given(durations, st.sampled_from([50, 90, 99, 99.9, 100]))
def test_a_percentile_is_that_of_the_sorted_durations_to_a_hundredth(seconds: list[float], percent: float) -> None:
    histogram = Histogram()
    for each in seconds:
        histogram.record(each)
    exact = sorted(seconds)[max(1, int(-(-len(seconds) * percent // 100))) - 1]

    found = histogram.percentile(percent)

    assert found is not None
    assert exact - 1e-6 <= found <= exact * 1.01 + 1e-6


@given(durations)
def test_the_longest_is_exact(seconds: list[float]) -> None:
    histogram = Histogram()
    for each in seconds:
        histogram.record(each)

    assert (max(seconds), len(seconds)) == (histogram.longest, histogram.count)


def test_its_memory_does_not_grow() -> None:
    histogram = Histogram()
    before = sys.getsizeof(histogram._counts)
    for number in range(10_000):
        histogram.record(number**3)

    assert before == sys.getsizeof(histogram._counts) < 64 * 1024


def test_without_durations_there_is_no_percentile() -> None:
    assert Histogram().percentile(50) is None


def test_what_is_longer_than_it_knows_still_counts() -> None:
    histogram = Histogram()
    histogram.record(1e9)
    histogram.record(-1)

    assert (2, 1e9) == (histogram.count, histogram.longest)
