"""Planted defects of a split server; as those of `defects`, which has the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from trio_mud.cluster.ends import Commit, Forgotten
from trio_mud.cluster.frames import UpFrame
from trio_mud.cluster.numbering import InputOrder, Unacknowledged
from trio_mud.cluster.remote_input import RemoteInput
from trio_mud.cluster.wire import Acknowledged, Dismissed, Numbered
from trio_mud.cluster.world import WorldService
from trio_mud.driver.connection.inbox import Inbox
from trio_mud.testing.memory_cluster import MemoryCluster, MemoryWorldEnd

from .defects import replaced

SPLIT_DEFECTS: Final[dict[str, Callable[[], AbstractContextManager[None]]]] = {}


def _split_defect(target: type, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def plant(replacement: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def planted() -> Iterator[None]:
            with replaced(target, name, replacement):
                yield

        SPLIT_DEFECTS[replacement.__name__] = planted
        return replacement

    return plant


@_split_defect(WorldService, "_acknowledge")
def an_acknowledgement_is_lost(true: Any, self: WorldService) -> None:
    true(self)
    for messages in self.output._queued.values():
        if messages and isinstance(messages[-1], Acknowledged) and messages[-1].taken[1] % 3 == 0:
            messages.pop()


@_split_defect(MemoryWorldEnd, "commit")
async def a_commit_whose_reply_is_lost_is_made_twice(true: Any, self: MemoryWorldEnd, commit: Commit) -> None:
    is_lost = self._cluster._lost_replies
    await true(self, commit)
    if is_lost:
        raise Forgotten


@_split_defect(MemoryCluster, "_commit")
def the_fence_is_not_checked(true: Any, self: MemoryCluster, epoch: int, commit: Commit) -> None:
    if epoch != self.epoch and self.epoch:
        self._number = min(self._number, commit.number - 1)
        there, self.epoch = self.epoch, epoch
        true(self, epoch, commit)
        self.epoch = there
    else:
        true(self, epoch, commit)


@_split_defect(Unacknowledged, "__iter__")
def a_roll_forgets_a_hidden_line(true: Any, self: Unacknowledged) -> Iterator[Numbered]:
    return (item for item in true(self) if not getattr(item, "is_hidden", False))


@_split_defect(WorldService, "_is_for_me")
def what_comes_before_the_roll_is_closed(true: Any, self: WorldService, frame: UpFrame) -> bool:
    is_for_me: bool = true(self, frame)
    for message in frame.messages if not is_for_me else ():
        link = getattr(message, "link", None)
        if link is not None and (frame.gateway, link) not in self._links:
            self.send(frame.gateway, Dismissed(link, "RESET"))
    return is_for_me


@_split_defect(InputOrder, "receive")
def input_that_comes_twice_is_taken_twice(true: Any, self: InputOrder, item: Numbered) -> list[Numbered]:
    return [item] if item.number == self.received else list(true(self, item))


@_split_defect(RemoteInput, "taken_number")
def a_line_is_acknowledged_before_it_is_taken(true: Any, self: RemoteInput) -> int:
    return self._passed


@_split_defect(Inbox, "waiting")
def an_answer_is_acknowledged_before_its_script_has_it(true: Any, self: Inbox) -> int:
    return len(self.lines)
