"""The exchange of a game's record classes and maps while its world goes on.

It joins the classes of the storage (`Succession`) with the maps and the clock of a world. `check` does what can fail,
except for making the hooks, after whose failure the exchange is taken back. Used by the reload.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping

from trio_mud import Hooks
from trio_mud.errors import ReloadFailed
from trio_mud.storage import Record
from trio_mud.storage.succession import Succession

from .game import Game
from .maps import Atlas
from .timed import Timed
from .world import World

__all__ = ["WorldExchange"]

logger = logging.getLogger("trio_mud")


class WorldExchange:
    """One exchange of the code of a world; made before the new import.

    Args:
        modules: The modules that are imported again.
        world: The world; None for a game that is hooks alone.
    """

    def __init__(self, modules: Collection[str], world: World | None) -> None:
        self._world = world
        self._succession = Succession(modules, None if world is None else world.store._contents)
        self._game: Hooks | Game | None = None
        self._atlas: Atlas | None = None
        self._old_atlas = Atlas()
        self._periods: dict[Timed, Mapping[str, float]] = {}  # as they were, of those whose periods change

    @property
    def records(self) -> int:
        """The number of living records that get another class or other fields."""
        return len(self._succession.records)

    def prepare(self, game: Hooks | Game, pause: Callable[[], None]) -> None:
        """Read the new game: the successors of classes, the fields of records, the maps. Reads no living record.

        Args:
            game: The new game.
            pause: Called where other work may be done.

        Raises:
            ReloadFailed: Only a restart can make the change.
            MapError: A map is wrong.
            TypeError: A record class is declared wrongly.
        """
        self._game = game
        self._succession.pair()
        if isinstance(game, Hooks):
            if self._world is not None:
                raise ReloadFailed("the game was a Game, and its name is a Hooks now: restart the server")
            return
        if self._world is None:
            raise ReloadFailed("the game was a Hooks, and its name is a Game now: restart the server")
        catalog = self._succession.catalog(game.records, pause)
        pause()
        self._atlas = Atlas.read(game.maps, catalog)
        if self._world.store._overlay is None and self._atlas.templates:
            raise ReloadFailed("the game had no map until now: restart the server")

    def check(self) -> None:
        """Check the new game, which was prepared, against the living world.

        Raises:
            ReloadFailed: A record cannot have its new class.
        """
        world, new = self._world, self._atlas
        if world is None or new is None:
            self._succession.check(None, None, lambda record: False)
            return
        old = world._atlas
        self._old_atlas.become(old)
        changed = _changed_templates(old, new)
        removed = old.templates.keys() - new.templates.keys()

        def layer(cls: type[Record], fields: Mapping[str, object]) -> Mapping[str, object] | None:
            # Without its template a thing keeps the values that it had from it.
            return None if fields.get("template") in removed else old.overlay(cls, fields)

        self._succession.check(
            layer, new.overlay, lambda record: bool(changed) and record.__dict__.get("template") in changed
        )
        for record in self._succession.records:
            after = self._succession.successor(type(record))
            if isinstance(record, Timed) and record._world is not None:
                assert after is not None
                assert issubclass(after, Timed)
                if dict(record._periods) != dict(after._periods):
                    self._periods[record] = record._periods

    def exchange(self) -> Hooks:
        """Exchange classes, fields and maps, and return the new hooks. If they cannot be made, nothing has changed.

        Raises:
            Exception: Code of the game raised it, which makes the hooks.
        """
        world, atlas = self._world, self._atlas
        game = self._game
        assert game is not None
        if world is None or atlas is None or isinstance(game, Hooks):
            assert isinstance(game, Hooks)
            self._succession.exchange(lambda: None)
            return game
        self._succession.exchange(lambda: world._exchange_maps(atlas))
        try:
            hooks = game.make_hooks(world)
        except BaseException:
            world._atlas.become(self._old_atlas)
            self._succession.undo()
            raise
        world._exchange_resets()
        times = world.clock.times_of(self._periods)
        for thing, before in self._periods.items():
            thing._repeat(before, times)
        gone = [
            key
            for key, template in self._old_atlas.templates.items()
            if key not in atlas.templates and template.is_fixture
        ]
        if gone:
            logger.warning("no map has %s any more; rooms and doors are removed at the next start", ", ".join(gone))
        return hooks

    def abandon(self, is_new: Callable[[str], bool]) -> None:
        """Hide the classes that the import has made, in modules for whose names `is_new` is True."""
        self._succession.abandon(is_new)


def _changed_templates(old: Atlas, new: Atlas) -> set[str]:
    """Return the keys of templates whose values differ, also of those that are gone."""
    return {
        key
        for key, template in old.templates.items()
        if key not in new.templates or template.fields != new.templates[key].fields
    }
