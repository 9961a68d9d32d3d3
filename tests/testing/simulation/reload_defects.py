"""Planted defects of the reload: half of a version, both of them, an old timer, a lost field, stale code.

They are added to those of `defects`, and the game that is reloaded finds them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any

from trio_mud import Hooks
from trio_mud.driver.core.scheduled import ScheduledTimers
from trio_mud.driver.core.timers import Timer
from trio_mud.program.game_code import GameCode, Modules
from trio_mud.storage import Record
from trio_mud.storage.schema import schema_of
from trio_mud.storage.succession import Succession, _fresh
from trio_mud.world import Traveller
from trio_mud.world.exchange import WorldExchange
from trio_mud.world.timed import Timed

from .defects import defect

reloaded = partial(defect, game="reloaded")


@reloaded(Timer, "_exchange")
def a_timer_is_not_exchanged(true: Any, self: Timer, function: Any) -> None:
    """It calls the old function for ever."""


@reloaded(ScheduledTimers, "update")
def timers_of_both_versions_run(true: Any, self: ScheduledTimers) -> None:
    if self._have_begun:
        self._timers = {}
    true(self)


@reloaded(WorldExchange, "exchange")
def hooks_of_both_versions_are_kept(true: Any, self: WorldExchange) -> Hooks:
    both, new = Hooks(), true(self)
    both.include(new)
    if (old := vars(self._world).get("_old_hooks")) is not None:
        both.include(old)
    self._world._old_hooks = new  # type: ignore[union-attr]
    return both


@reloaded(Succession, "undo")
def a_version_whose_hooks_fail_is_half_installed(true: Any, self: Succession) -> None:
    """The records keep their new classes."""


@reloaded(GameCode, "put")
def new_modules_are_in_place_before_the_exchange(true: Any, self: GameCode, modules: Modules) -> None:
    if modules:
        sys.modules.update({name: module for name, module in modules.items() if name not in sys.modules})
    else:
        true(self, modules)


@reloaded(Succession, "exchange")
def a_record_keeps_its_old_class(true: Any, self: Succession, prepare: Any) -> None:
    self.records = [record for record in self.records if not isinstance(record, Traveller)]
    true(self, prepare)


@reloaded(Succession, "_converted")
def a_field_is_lost_by_the_conversion(
    true: Any, self: Succession, record: Record, after: type[Record], *layers: Any
) -> Any:
    change = true(self, record, after, *layers)
    new = [name for name, _, _ in schema_of(after).plan if name not in record.__dict__]
    return change._replace(values={**change.values, **_fresh(schema_of(after), new)})


@reloaded(Timed, "_repeat")
def calls_of_both_periods_are_made(
    true: Any, self: Timed, before: Mapping[str, float], times: Mapping[tuple[Any, str], float]
) -> None:
    clock = self._world.clock
    for name, seconds in self._periods.items():
        clock.schedule(self, name, clock.now + seconds, self._wake)


@reloaded(GameCode, "code_of")
def a_changed_file_is_not_compiled_again(
    true: Any, self: GameCode, loader: SourceFileLoader, source: bytes
) -> CodeType:
    known = self._compiled.get(loader.path)
    return true(self, loader, source) if known is None else known[1]
