"""The simulator's own power: it finds every planted defect within a thousand seeds. Run by `nox -s proof`."""

from __future__ import annotations

import pytest

from trio_mud.testing.simulation import first_caught

from . import operation_defects, reload_defects, web_defects
from .defects import DEFECTS, PLAYED, tried

AT_LEAST = 20
# An import adds their defects. Those of the first two have a closer bound in `test_staffed` and `test_reloading`.
FOUND_HERE = [name for name in DEFECTS if name not in vars(operation_defects) | vars(reload_defects)]
assert web_defects.__doc__


def test_there_are_enough_defects() -> None:
    assert len(DEFECTS) >= AT_LEAST


@pytest.mark.proof
@pytest.mark.unmeasured
@pytest.mark.parametrize("name", FOUND_HERE)
def test_it_is_caught(name: str) -> None:
    assert first_caught(tried(DEFECTS[name]), seeds=1000, name=PLAYED.get(name, "hostile")) is not None
