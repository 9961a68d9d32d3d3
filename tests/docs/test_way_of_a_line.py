"""The README's table of what happens to a typed line is what a trace shows."""

from __future__ import annotations

import pytest

from tests import way_of_a_line
from tests.replacing import skip_if_compiled
from trio_mud.driver.core import turns


@pytest.fixture(autouse=True)
def frames() -> None:
    """Skip where a trace does not show the calls: a compiled function has no frame."""
    skip_if_compiled(turns)


async def test_the_table_in_the_readme_is_what_a_trace_shows() -> None:
    """Bring it up to date by `python tests/way_of_a_line.py --write`."""
    assert way_of_a_line.in_readme() == way_of_a_line.table(await way_of_a_line.trace())


async def test_a_line_is_answered_within_fifty_calls() -> None:
    """The hot path: more calls are more microseconds for every line of every player."""
    assert len(await way_of_a_line.trace()) <= 50
