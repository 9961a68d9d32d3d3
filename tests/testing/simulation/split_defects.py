"""Planted defects of a split server; as those of `defects`, which has the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final
from unittest.mock import patch

from msgspec.structs import replace

from trio_mud.accounts.stays import Stays
from trio_mud.cluster.ends import Commit, Forgotten
from trio_mud.cluster.frames import UpFrame
from trio_mud.cluster.held_sessions import HeldSessions
from trio_mud.cluster.numbering import InputOrder, Unacknowledged
from trio_mud.cluster.pending import PendingOutput
from trio_mud.cluster.remote_input import RemoteInput
from trio_mud.cluster.remote_link import RemoteLink
from trio_mud.cluster.wire import Acknowledged, Arrived, DialogChanged, Dismissed, Down, EndingDecided, Numbered, Output
from trio_mud.cluster.world import WorldService
from trio_mud.driver.connection.connection import Connection
from trio_mud.driver.connection.inbox import Inbox
from trio_mud.driver.sessions.restoring import Restoring, SessionState
from trio_mud.driver.sessions.session import Session
from trio_mud.storage import Changes, Record
from trio_mud.storage.journal import ChangeJournal
from trio_mud.testing.memory_cluster import MemoryCluster, MemoryWorldEnd
from trio_mud.testing.simulation.split_actions import SPLIT_ACTIONS

from .defects import replaced

SPLIT_DEFECTS: Final[dict[str, Callable[[], AbstractContextManager[None]]]] = {}
SPLIT_PLAYED: Final[dict[str, str]] = {}  # the game of each; the seed chooses one if it is empty


def _split_defect(
    target: type, name: str, *, game: str = "", often: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Plant a defect in a method; `often` names an action that is played 30 times as often then."""

    def plant(replacement: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def planted() -> Iterator[None]:
            more = {often: SPLIT_ACTIONS[often]._replace(weight=30 * SPLIT_ACTIONS[often].weight)} if often else {}
            with replaced(target, name, replacement), patch.dict(SPLIT_ACTIONS, more):
                yield

        SPLIT_DEFECTS[replacement.__name__] = planted
        SPLIT_PLAYED[replacement.__name__] = game
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


# A hidden line belongs to a dialog, and a world that still has that needs it: when the cluster link has lost its data.
@_split_defect(Unacknowledged, "__iter__", often="link forgets")
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


@_split_defect(WorldService, "_arrive")
def the_lines_of_a_lost_dialog_are_commands(true: Any, self: WorldService, gateway: str, arrived: Arrived) -> None:
    true(self, gateway, replace(arrived, in_dialog=False))


@_split_defect(RemoteLink, "take_ending", often="death meets quit")
def a_quit_is_not_reported(true: Any, self: RemoteLink) -> EndingDecided | None:
    true(self)
    return None


@_split_defect(RemoteLink, "take_dialog")
def the_end_of_a_dialog_is_not_reported(true: Any, self: RemoteLink) -> DialogChanged | None:
    change = true(self)
    return change if change is not None and change.in_dialog else None


@_split_defect(Inbox, "waiting")
def an_answer_is_acknowledged_before_its_script_has_it(true: Any, self: Inbox) -> int:
    waiting: int = true(self)
    is_awaited = self.taker is not None and self.lines and isinstance(self.lines[0], str)
    return waiting - 1 if is_awaited else waiting


@_split_defect(PendingOutput, "take")
def a_reply_is_committed_after_the_acknowledgement_of_its_line(true: Any, self: PendingOutput) -> dict[str, list[Down]]:
    queued: dict[str, list[Down]] = true(self)
    for gateway, messages in queued.items():
        if len(messages) > 1 and type(messages[-2]) is Output and isinstance(messages[-1], Acknowledged):
            self.give_back(gateway, [messages.pop(-2)])
            self._changed()
    return queued


@_split_defect(HeldSessions, "take")
def a_session_that_ends_is_still_held(true: Any, self: HeldSessions) -> dict[bytes, bytes | None]:
    return {key: value for key, value in true(self).items() if value is not None}


@_split_defect(HeldSessions, "take_place")
def a_player_with_a_session_begins_at_the_door(true: Any, self: HeldSessions, link: RemoteLink) -> Session | None:
    return None


@_split_defect(Restoring, "state_of")
def the_tokens_of_a_session_are_not_held(true: Any, self: Restoring, session: Session) -> SessionState | None:
    state = true(self, session)
    return None if state is None else state._replace(token="", return_token="")


@_split_defect(Restoring, "restore")
def the_grace_of_a_restored_session_begins_again(true: Any, self: Restoring, state: SessionState) -> Session:
    return true(self, state._replace(ends_at=math.inf))  # type: ignore[no-any-return]


@_split_defect(Restoring, "report")
def a_session_is_restored_without_an_event(true: Any, self: Restoring, session: Session) -> None:
    restored = self._restored.get(session)
    if restored is not None and not restored.is_reported:
        restored.is_reported = True
        self._unreported -= 1
        self.advanced()


@_split_defect(Session, "_link")
def a_client_that_plays_on_gets_another_token(
    true: Any, self: Session, connection: Connection, *, continues: bool = False
) -> None:
    true(self, connection)


@_split_defect(ChangeJournal, "begin", game="stored")
def records_that_are_held_are_not_read(true: Any, self: ChangeJournal, epoch: int, left: Mapping[bytes, bytes]) -> None:
    true(self, epoch, {} if self.store is None else left)


@_split_defect(ChangeJournal, "take", game="stored")
def records_are_committed_after_the_lines_that_changed_them(true: Any, self: ChangeJournal) -> None:
    if self._fence.number % 2:
        true(self)


@_split_defect(ChangeJournal, "_begin_move", game="stored")
def records_are_in_the_database_before_they_are_committed(true: Any, self: ChangeJournal) -> Changes | None:
    if self._flying is not None:
        self._waiting.items |= self._flying.items
    changes: Changes | None = true(self)
    return changes


@_split_defect(Stays, "restore", game="stored")
async def a_character_that_goes_on_is_not_held(true: Any, self: Stays, session: Session, *rest: Any) -> None:
    await true(self, session, *rest)
    stay = self.of(session)
    if stay is not None and isinstance(stay.body, Record) and stay.account is not None:
        self._store.release(stay.body)
