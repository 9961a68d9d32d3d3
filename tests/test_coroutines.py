"""Coroutines name the line that created them, unless the driver awaits them for as long as a connection lives."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from types import CoroutineType
from typing import Any

import pytest

from trio_mud import Hooks
from trio_mud.coroutines import naming_forgotten_awaits, without_origin
from trio_mud.transports import Reader, listen_by_receiving
from trio_mud.transports.poller import Poller

from .driver.conftest import FakeTransport, open_house, settled


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


async def test_a_coroutine_that_a_game_creates_and_forgets_while_a_link_is_read_names_its_line() -> None:
    class Forgetful(FakeTransport):
        async def prepare(self) -> None:
            raise NotImplementedError("it is never awaited")

        def listen(self, reader: Reader, poller: Poller | None = None) -> Coroutine[Any, Any, None]:
            self.prepare()  # type: ignore[unused-coroutine]
            return listen_by_receiving(self, reader)

    async def be_called() -> None:
        async with open_house(Hooks()) as house:
            house.listener.connect(Forgetful())
            await settled()

    with naming_forgotten_awaits(), pytest.warns(RuntimeWarning, match=r"(?s)prepare.*never awaited.*in listen"):
        await be_called()
