"""Coroutines name the line that created them, unless the driver awaits them for as long as a connection lives."""

from __future__ import annotations

import sys
from types import CoroutineType

import pytest

from trio_mud.coroutines import naming_forgotten_awaits, without_origin


async def _work(number: int = 0) -> int:
    return number


def _origin(coroutine: object) -> object:
    assert isinstance(coroutine, CoroutineType)
    return coroutine.cr_origin


def test_a_coroutine_names_the_line_that_created_it() -> None:
    with naming_forgotten_awaits():
        coroutine = _work()
    assert "test_a_coroutine_names_the_line_that_created_it" in str(_origin(coroutine))
    coroutine.close()


def test_one_created_without_origin_keeps_no_record_and_the_next_one_does() -> None:
    with naming_forgotten_awaits():
        unnamed, named = without_origin(_work, 7), _work()
    assert _origin(unnamed) is None
    assert _origin(named) is not None
    for coroutine in (unnamed, named):
        coroutine.close()


def test_tracking_goes_on_after_a_failed_call() -> None:
    with naming_forgotten_awaits():
        with pytest.raises(ValueError, match="invalid literal"):
            without_origin(int, "no number")
        assert sys.get_coroutine_origin_tracking_depth() == 1
