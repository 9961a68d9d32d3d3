"""Planted defects of operations: an audit that is late, a role, a ban or a mute that is ignored, a snoop that stays.

They are added to those of `defects`, and the game with a staff finds them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from trio_mud import Connection, Typed
from trio_mud.accounts import Account
from trio_mud.driver.connection.dialog import Dialog
from trio_mud.errors import NotSaved
from trio_mud.operations import Operations, reports
from trio_mud.operations.office import AUDIT, Office
from trio_mud.operations.sanctions import Sanctions
from trio_mud.operations.snoops import Snoops

from .defects import defect

staffed = partial(defect, game="staffed")


@staffed(Office, "permit")
async def the_audit_is_written_after_the_act(
    true: Any, self: Office, who: Any, verb: str, role: int, **more: Any
) -> None:
    self._check(who, role, more.pop("over", None), more.pop("at_most", None))
    self.accounts.store.log(AUDIT, event=verb, by=self.name_of(who), role=int(self.role_of(who)), **more)


@staffed(Office, "permit")
async def an_audit_that_fails_is_ignored(true: Any, self: Office, who: Any, verb: str, role: int, **more: Any) -> None:
    saved = self.accounts.store.saved

    async def attempt(within: float = 5.0) -> None:
        try:
            await saved(0.05)
        except NotSaved:
            return

    self.accounts.store.saved = attempt  # type: ignore[method-assign]
    try:
        await true(self, who, verb, role, **more)
    finally:
        self.accounts.store.saved = saved  # type: ignore[method-assign]


@staffed(Office, "permit")
async def roles_are_checked_only_before_the_audit(
    true: Any, self: Office, who: Any, verb: str, role: int, **more: Any
) -> None:
    self._check(who, role, more.pop("over", None), more.pop("at_most", None))
    await true(self, who, verb, -1, **more)


@staffed(Office, "_check")
def the_role_of_the_other_is_not_checked(
    true: Any, self: Office, who: Any, role: int, over: Any, at_most: int | None
) -> None:
    true(self, who, role, None, at_most)


@staffed(Office, "_check")
def a_role_as_high_as_the_own_is_given_away(
    true: Any, self: Office, who: Any, role: int, over: Any, at_most: int | None
) -> None:
    true(self, who, role, over, None)


@staffed(Sanctions, "of_address")
def a_banned_network_is_not_looked_up(true: Any, self: Sanctions, address: str) -> None:
    return None


@staffed(Operations, "_ban_of")
def a_banned_account_is_not_looked_up(true: Any, self: Operations, account: Account | None) -> str | None:
    return None


@staffed(Office, "may_watch")
def a_snoop_survives_the_role(true: Any, self: Office, who: Any, target: Connection) -> bool:
    return True


class _Unguarded:
    """Snoops that have no note of a copy that is being made."""

    def __init__(self, snoops: Snoops) -> None:
        object.__setattr__(self, "_guarded", snoops)

    def __getattr__(self, name: str) -> Any:
        return False if name == "_is_copying" else getattr(object.__getattribute__(self, "_guarded"), name)

    def __setattr__(self, name: str, value: object) -> None:
        """Forget it."""


@staffed(Snoops, "begin")
def a_snoop_on_a_snooper_shows_the_third(true: Any, self: Snoops, *parties: Any) -> None:
    true(_Unguarded(self), *parties)


@staffed(Dialog, "ask_hidden")
async def a_snoop_shows_hidden_lines(true: Any, self: Dialog, *question: Any, **how: Any) -> Any:
    secret = await true(self, *question, **how)
    self.connection._inbox.report(Typed(secret))
    return secret


@staffed(Office, "check_speech")
def a_mute_is_ignored(true: Any, self: Office, who: Any) -> None:
    """Nothing."""


@staffed(reports, "_keep")
def a_report_has_no_bound(true: Any, lines: Any, event: Any) -> None:
    lines.extend((str(getattr(event, "text", "")) * 50).splitlines())
