"""Permission and audit: what each role may do, to whom, and what the log says before it is done."""

from __future__ import annotations

import pytest
import trio

from trio_mud import Limits
from trio_mud.commands import Mistake, Role
from trio_mud.errors import NotSaved
from trio_mud.storage import Store
from trio_mud.testing import OpenMud

from .club import open_club, type_and_see


async def test_the_first_owner_is_made_on_the_console(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann = await club.member("Ann")
        assert "There is no command" in await type_and_see(ann, "shutdown 300")
        operator = await club.console("role ann owner")
        assert (operator.answer, operator.has_failed) == ("Done.\n", False)
        assert "closes in 5 minutes" in await type_and_see(ann, "shutdown 300")
        audit = await club.audit()
    assert [(entry["event"], entry["by"]) for entry in audit] == [("set role", "console"), ("shutdown", "ann")]
    assert audit[0] | {"account": "ann", "before": 10, "now": 40} == audit[0]


async def test_a_mistake_on_the_console_is_a_failure(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        operator = await club.console("kick nobody")
        assert operator.has_failed
        assert operator.answer == "nobody is not in the game. A connection without a name is called #NUMBER.\n"
        assert (await club.console("dance")).has_failed
        assert "shutdown" in (await club.console("help")).answer


@pytest.mark.parametrize("verb", ["kick", "ban", "mute", "snoop", "tokens void", "role"])
@pytest.mark.parametrize("role", [Role.ADMIN, Role.OWNER])
async def test_no_verb_acts_on_an_equal_or_higher_role(mud: OpenMud, verb: str, role: Role) -> None:
    async with open_club(mud) as club:
        ann = await club.member("Ann", Role.ADMIN)
        bob = await club.member("Bob", role)
        end = " builder" if verb == "role" else ""
        assert "Bob has a role that is not lower than yours" in await type_and_see(ann, f"{verb} bob{end}")
        assert "Ann has a role that is not lower than yours" in await type_and_see(ann, f"{verb} ann{end}"), "herself"
        assert (await club.account("bob")).role == role
        assert await club.audit() == []
        assert bob.screen.endswith("\n")


async def test_a_role_is_given_only_below_ones_own(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, _ = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        assert "does not permit" in await type_and_see(ann, "role bob admin")
        assert "Done" in await type_and_see(ann, "role bob builder")
        assert (await club.account("bob")).role == Role.BUILDER


async def test_a_role_counts_from_the_next_command_on(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, _ = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        assert "players:" in await type_and_see(ann, "status")
        await club.console("role ann player")
        assert "There is no command" in await type_and_see(ann, "status")


async def test_of_two_operators_who_act_on_each_other_the_first_wins(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second verb was permitted when its entry was written, and is not when that is on disk."""
    async with open_club(mud) as club:
        await club.member("Ann", Role.OWNER)
        bob, cid = await club.member("Bob", Role.ADMIN), await club.member("Cid")
        saved = Store.saved

        async def slowly(store: Store, within: float = 5.0) -> None:
            await trio.sleep(1)
            await saved(store, within)

        monkeypatch.setattr(Store, "saved", slowly)
        await bob.type("kick cid")
        await trio.sleep(0.5)
        (await club.account("bob")).role = int(Role.PLAYER)
        await bob.sees("Your role does not permit that.")
        await cid.type("say here")
        await cid.sees("Cid: here")


async def test_a_verb_whose_audit_cannot_be_written_does_not_act(mud: OpenMud, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(store: Store, within: float = 5.0) -> None:
        raise NotSaved("the disk is full")

    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        with monkeypatch.context() as patch:
            patch.setattr(Store, "saved", fail)
            for verb in (
                "kick bob",
                "ban bob",
                "mute bob",
                "snoop bob",
                "role bob builder",
                "announce hello",
                "reload",
            ):
                assert "The audit cannot be written" in await type_and_see(ann, verb)
            assert (await club.console("shutdown now")).has_failed
        assert "Bob: here" in await type_and_see(bob, "say here")
        assert (await club.account("bob")).role == Role.PLAYER
        assert list(club.operations.sanctions) == []
        assert {entry.get("outcome", "not done") for entry in await club.audit()} == {"not done"}


async def test_an_entry_that_was_dropped_stops_the_verb(mud: OpenMud, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        monkeypatch.setattr("trio_mud.storage.store.MAX_ENTRIES", 0)
        assert "The audit cannot be written" in (await club.console("kick bob")).answer
        assert len(club.mud.server.connections) == 1


async def test_the_entry_is_on_disk_before_the_verb_acts(mud: OpenMud, monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    async with open_club(mud) as club:
        await club.member("Bob")
        saved, (connection,) = Store.saved, club.mud.server.connections

        async def note(store: Store, within: float = 5.0) -> None:
            assert [entry["event"] for entry in await club.audit()] == ["kick"]
            await saved(store, within)
            order.append(("saved", connection.ending))

        monkeypatch.setattr(Store, "saved", note)
        await club.console("kick bob")
        assert order[0] == ("saved", None)
        assert str(connection.ending) == "kicked"


async def test_audit_shows_the_last_entries(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        await club.console("role bob builder")
        answer = (await club.console("audit 1")).answer
    assert answer.splitlines()[0].endswith("set role: by console, role 40, account bob, before 10, now 20")
    assert len(answer.splitlines()) == 1


async def test_idle_timeouts_follow_the_role(mud: OpenMud) -> None:
    async with open_club(mud, idle_timeouts={Role.GUEST: 60.0, Role.PLAYER: 600.0, Role.BUILDER: None}) as club:
        await club.member("Bob")
        (bob,) = club.mud.server.connections
        assert bob.idle_timeout == 600.0
        await club.console("role bob admin")
        assert bob.idle_timeout is None
        await club.console("role bob player")
        assert bob.idle_timeout == 600.0


async def test_a_lowered_role_without_an_idle_timeout_gets_that_of_the_limits(mud: OpenMud) -> None:
    async with open_club(mud, limits=Limits(idle_timeout=900.0), idle_timeouts={Role.BUILDER: None}) as club:
        await club.member("Bob")
        (bob,) = club.mud.server.connections
        await club.console("role bob builder")
        assert bob.idle_timeout is None
        await club.console("role bob player")
        assert bob.idle_timeout == 900.0


async def test_a_verb_of_the_game_uses_the_same_permission(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        (bob,) = club.mud.server.connections
        with pytest.raises(Mistake, match="does not permit"):
            await club.operations.permit(bob, "smite", Role.ADMIN)
