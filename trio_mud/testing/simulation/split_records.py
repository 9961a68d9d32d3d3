"""The judge of the records of a split server (I-34): each world opens with those that the last commit has left.

A commit contains the changes of records up to its moment, so that state has to be in the database, overlaid with what
the cluster link holds, when the next world has opened it. `split_trace` uses it; the held changes play no part.
"""

from __future__ import annotations

from collections.abc import Iterator

from .durability import difference
from .storage_trace import StorageTrace, WorldState

_EMPTY = WorldState({}, {}, 0)


class KeptRecords:
    """The records that the last commit has left."""

    def __init__(self) -> None:
        self._kept = _EMPTY
        self._moments: dict[StorageTrace, int] = {}  # of the commits that are under way
        self._writers: list[StorageTrace] = []  # worlds that have written since, without a commit
        self._worlds: list[StorageTrace] = []
        self._is_lost = False

    def takes(self, storage: StorageTrace) -> None:
        """Take note that a world is about to take what it commits."""
        storage.after_step()
        self._moments[storage] = len(storage.moments) - 1

    def committed(self, storage: StorageTrace) -> None:
        """Take note that a commit has taken effect."""
        moment = self._moments.pop(storage, None)
        if moment is not None:  # otherwise it is one of a world that only keeps its claim
            self._kept, self._writers, self._is_lost = storage.moments[moment], [], False

    def wrote_alone(self, storage: StorageTrace) -> None:
        """Take note that a world which does not serve has written to the database, without a commit."""
        self._writers.append(storage)

    def forgotten(self) -> None:
        """Take note that the cluster link has lost its data: what is not in the database is known to a world only."""
        self._is_lost = True

    def opened(self, storage: StorageTrace) -> Iterator[str]:
        """Yield what is wrong with the records with which a world begins."""
        found = storage.moments[0]
        allowed = self._worlds if self._is_lost else self._writers
        if (
            found != self._kept
            and not any(found in world.moments for world in allowed)
            and (found, allowed)
            != (
                _EMPTY,
                self._worlds,
            )
        ):
            yield f"it opens with other records than were committed: {difference(found, self._kept)}"
        self._worlds.append(storage)
