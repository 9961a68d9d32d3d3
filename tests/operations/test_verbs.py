"""The verbs of a game's staff, as players and operators use them."""

from __future__ import annotations

import pytest
import trio

from trio_mud import Connect, Limits
from trio_mud.accounts import Accounts
from trio_mud.commands import Role
from trio_mud.errors import StorageError
from trio_mud.storage import Store
from trio_mud.testing import OpenMud
from trio_mud.testing.threads import settle

from .club import PASSWORD, open_club, type_and_see

# Kick, mute, announce, who


async def test_a_kicked_player_reads_why_and_may_come_back(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        assert "bob is out" in await type_and_see(ann, "kick bob too loud")
        assert "shown out by an operator. too loud" in await bob.sees_the_end()
        assert "Bob: back" in await type_and_see(await club.login("Bob"), "say back")


async def test_a_visitor_without_a_name_is_kicked_by_number(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        visitor = await club.mud.player()
        (connection,) = club.mud.server.connections
        assert not (await club.console(f"kick #{connection.number}")).has_failed
        await visitor.sees_the_end()
        assert (await club.console(f"kick #{connection.number}")).has_failed


async def test_a_visitor_who_logs_in_as_an_equal_while_the_audit_is_written_is_not_kicked(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_club(mud) as club:
        ann, dan = await club.member("Ann", Role.ADMIN), await club.member("Dan", Role.ADMIN)
        await dan.hang_up()
        visitor = await club.mud.player()
        saved = Store.saved

        async def slowly(store: Store, within: float = 5.0) -> None:
            await trio.sleep(2)
            await saved(store, within)

        monkeypatch.setattr(Store, "saved", slowly)
        await ann.type(f"kick #{max(each.number for each in club.mud.server.connections)}")
        for line in ("Dan", PASSWORD):
            await trio.sleep(0.1)
            await visitor.type(line)
        await ann.sees("Dan has a role that is not lower than yours.")
        assert "Dan: here" in await type_and_see(visitor, "say here")


async def test_a_muted_player_cannot_speak_until_the_time_is_over(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        assert "Bob is muted until" in await type_and_see(ann, "mute bob 1m shouting")
        assert "You may not speak to others just now. shouting" in await type_and_see(bob, "say hello")
        await trio.sleep(60)
        assert "Bob: hello" in await type_and_see(bob, "say hello")
        await type_and_see(ann, "mute bob")
        assert "Done" in await type_and_see(ann, "unmute bob")
        assert "Bob: free" in await type_and_see(bob, "say free")
        assert "There is no such entry: bob" in await type_and_see(ann, "unmute bob")


async def test_the_code_of_a_game_is_reloaded_by_admins_only(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob", Role.BUILDER)
        assert "There is no command" in await type_and_see(bob, "reload")
        assert "Nothing was reloaded: only a game that was started by its name" in await type_and_see(ann, "reload")


async def test_an_announcement_reaches_all(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob")
        await club.console("announce The market opens.")
        await bob.sees("Announcement: The market opens.")


async def test_who_shows_addresses_only_to_the_staff(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob", address="192.0.2.7")
        assert "Bob (player) #2 from 192.0.2.7, idle" in await type_and_see(ann, "who")
        seen = await type_and_see(bob, "who")
        assert "Ann (admin)" in seen
        assert "192.0.2.7" not in seen


async def test_connections_lists_visitors_without_a_name_for_the_staff(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, _ = await club.member("Ann", Role.ADMIN), await club.mud.player(address="192.0.2.9")
        seen = await type_and_see(ann, "connections")
        assert "#1 Ann from " in seen
        assert "#2 guest-2 from 192.0.2.9, idle" in seen
        assert "There is no command" in await type_and_see(await club.member("Bob"), "connections")


# Bans


async def test_a_banned_account_leaves_and_cannot_log_in_until_it_is_over(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob")
        answer = (await club.console("ban bob 1h cheating")).answer
        assert answer == "bob is banned until 2000-01-01 13:00:00. Connections ended: 1.\n"
        assert "You may not come in. cheating" in await bob.sees_the_end()
        again = await club.login("Bob")
        await again.sees_the_end()
        assert "You may not come in. cheating" in again.screen
        await trio.sleep(3600)
        assert "Bob: back" in await type_and_see(await club.login("Bob"), "say back")


async def test_the_audit_shows_when_a_sanction_ends(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        await club.console("ban 192.0.2.0/24 1h flooding")
        await club.console("mute bob")
        banned, muted = (await club.console("audit 2")).answer.splitlines()
        assert "subject 192.0.2.0/24, until 2000-01-01 13:00:00, why flooding" in banned
        assert "account bob, until further notice" in muted


async def test_a_ban_past_the_last_year_of_a_date_is_shown_as_one_without_an_end(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        answer = (await club.console("ban bob 999999w cheating")).answer
        assert answer == "bob is banned until further notice. Connections ended: 1.\n"
        assert (await club.console("bans")).answer == "account bob until further notice, by console: cheating\n"


async def test_a_ban_that_comes_during_a_login_ends_the_session(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob")
        await bob.hang_up()
        club.operations.accounts.check_entry = lambda account: None  # it was called before the ban
        await club.console("ban bob")
        again = await club.login("Bob")
        await again.sees_the_end()
        assert "You may not come in." in again.screen


async def test_a_ban_voids_resume_tokens(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        (session,) = club.mud.server.sessions
        club.operations.accounts.resume_token(session)
        await club.console("ban bob")
        assert (await club.account("bob")).tokens == ()


async def test_a_character_that_waits_for_its_player_ends_with_a_ban(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob")
        await bob.hang_up()
        await trio.sleep(1)
        assert len(club.mud.server.sessions) == 1
        await club.console("ban bob")
        await trio.sleep(1)
        assert len(club.mud.server.sessions) == 0


async def test_a_banned_network_is_refused_and_its_connections_end(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob", address="192.0.2.7")
        cid = await club.member("Cid", address="198.51.100.1")
        answer = (await club.console("ban 192.0.2.0/24 flooding")).answer
        assert answer == "192.0.2.0/24 is banned until further notice. Connections ended: 1.\n"
        await bob.sees_the_end()
        assert "Cid: here" in await type_and_see(cid, "say here")
        refused = await club.mud.player(address="192.0.2.200")
        assert "You may not come in. flooding" in await refused.sees_the_end()
        counters = club.mud.front.counters  # a gateway refuses at its door
        assert counters["vetoed: banned"] == 1
        assert counters["accepted"] == counters["admitted"] + sum(
            number for name, number in counters.items() if name.startswith("refused: ")
        )
        await club.console("unban 192.0.2.0/24")
        await settle()
        assert "Name: " in (await club.mud.player(address="192.0.2.200")).screen


async def test_a_ban_of_an_ipv6_address_is_one_of_its_64_and_says_so(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob", address="2001:db8::7")
        answer = (await club.console("ban 2001:db8::1 flooding")).answer
        assert answer == (
            "2001:db8::1 counts as its network, 2001:db8::/64, whose owner chooses the other bits freely.\n"
            "2001:db8::/64 is banned until further notice. Connections ended: 1.\n"
        )
        await bob.sees_the_end()
        await (await club.mud.player(address="2001:db8::dead:beef")).sees_the_end()
        assert "Name: " in (await club.mud.player(address="2001:db8:0:1::7")).screen
        await club.console("unban 2001:db8::2")
        assert list(club.operations.sanctions) == []
        assert (await club.console("ban 2001:db8::1/128")).answer.startswith("2001:db8::1/128 is banned")
        assert "Name: " in (await club.mud.player(address="2001:db8::7")).screen


async def test_sanctions_of_a_destroyed_account_are_lifted_by_its_name(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        await club.console("mute bob")
        await club.console("ban bob")
        accounts = club.operations.accounts
        await accounts.delete(await club.account("bob"))
        for _ in range(accounts.options.deletion_days):
            await accounts.purge()
        assert "no account or character called bob" in (await club.console("ban bob")).answer
        assert "no account or character called eve" in (await club.console("unban eve")).answer
        for verb in ("unban", "unmute"):
            assert (await club.console(f"{verb} Bob")).answer == "Done.\n"
            assert "no account or character called Bob" in (await club.console(f"{verb} Bob")).answer
        assert list(club.operations.sanctions) == []


async def test_a_banned_address_that_a_limit_refuses_is_counted_once(mud: OpenMud) -> None:
    async with open_club(mud, limits=Limits(max_connections=1)) as club:
        await club.member("Bob")
        await club.console("ban 192.0.2.0/24")
        assert "Every place is taken" in await (await club.mud.player(address="192.0.2.7")).sees_the_end()
        counters = club.mud.server.counters
        assert (counters["refused: full"], counters["refused: vetoed"], counters["vetoed: banned"]) == (1, 0, 0)


async def test_a_ban_that_comes_during_the_connect_hook_ends_the_visit(mud: OpenMud) -> None:
    async with open_club(mud) as club:

        @club.mud.server.hooks.on(Connect)
        async def look_up(event: Connect) -> None:
            await trio.sleep(1)

        visitor = await club.mud.player(address="192.0.2.7")
        assert "Connections ended: 0." in (await club.console("ban 192.0.2.0/24")).answer
        assert "You may not come in." in await visitor.sees_the_end()
        assert len(club.mud.server.connections) == 0


async def test_a_ban_ends_the_sessions_even_if_the_tokens_cannot_be_voided(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Accounts, name: str) -> None:
        raise StorageError("the disk is gone")

    async with open_club(mud) as club:
        bob = await club.member("Bob")
        monkeypatch.setattr(Accounts, "void_tokens", fail)
        with pytest.raises(StorageError):
            await club.console("ban bob")
        await bob.sees_the_end()
        again = await club.login("Bob")
        await again.sees_the_end()
        assert "You may not come in." in again.screen


async def test_bans_are_there_after_a_restart(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        await club.console("ban 192.0.2.7 7d flooding")
        await club.console("ban bob cheating")
    async with open_club(mud, club.mud.storage) as club:
        await (await club.mud.player(address="192.0.2.7")).sees_the_end()
        lines = (await club.console("bans")).answer.splitlines()
    assert lines[0] == "account bob until further notice, by console: cheating"
    assert lines[1].startswith("network 192.0.2.7/32 until 2000-01-08 ")


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("192.0.2.0/24", "has your own address"),
        ("::ffff:192.0.2.7", "has your own address"),
        ("64:ff9b::192.0.2.7", "has your own address"),
        ("2002:c000:207::/48", "has your own address"),
        ("0.0.0.0/0", "has your own address"),
        ("::/0", "very large"),
        ("10.0.0.0/7", "very large"),
    ],
)
async def test_a_ban_of_ones_own_network_or_of_everyone_needs_force(mud: OpenMud, network: str, said: str) -> None:
    async with open_club(mud) as club:
        ann = await club.member("Ann", Role.ADMIN, address="192.0.2.7")
        assert said in await type_and_see(ann, f"ban {network}")
        assert "is banned until" in await type_and_see(ann, f"ban {network} 1h force because")
        (sanction,) = club.operations.sanctions
        assert sanction.why == "because"
        assert "Ann: still" in await type_and_see(ann, "say still"), "it does not act on an equal role"


async def test_the_console_needs_force_for_a_ban_of_everyone(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        assert (await club.console("ban 0.0.0.0/0")).has_failed
        assert not (await club.console("ban 0.0.0.0/0 force")).has_failed


@pytest.mark.parametrize("whom", ["1.2.3/24", "::zz", "2002::/16"])
async def test_what_is_neither_a_network_nor_an_account_is_refused(mud: OpenMud, whom: str) -> None:
    async with open_club(mud) as club:
        assert "is neither a network" in (await club.console(f"ban {whom}")).answer
        assert "no account or character called eve" in (await club.console("ban eve")).answer


# Snoop


async def test_a_snoop_sees_what_is_sent_and_typed_but_never_hidden(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        assert "You see what Bob sees and types" in await type_and_see(ann, "snoop bob")
        await bob.sees("An operator watches")
        await bob.type("say hello")
        await ann.sees("Bob| > say hello")
        await ann.sees("Bob| Bob: hello")
        (connection,) = (each for each in club.mud.server.connections if each.name == "Bob")
        connection.hide_input(True)
        await bob.type("report secret")
        await trio.sleep(1)
        connection.hide_input(False)
        assert "secret" not in await ann.catches_up()
        assert "You no longer snoop on Bob" in await type_and_see(ann, "snoop")
        await bob.sees("does not watch you any longer")
        await bob.type("say alone")
        assert "Bob|" not in await ann.catches_up()


async def test_a_player_is_not_notified_if_the_game_says_so(mud: OpenMud) -> None:
    async with open_club(mud, tells_snooped=False) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        await type_and_see(ann, "snoop bob")
        assert "watches" not in await bob.catches_up()


async def test_a_snoop_on_a_snooper_does_not_see_the_third(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.OWNER), await club.member("Bob", Role.ADMIN)
        cid = await club.member("Cid")
        await type_and_see(bob, "snoop cid")
        await type_and_see(ann, "snoop bob")
        await cid.type("say hello")
        await bob.sees("Cid| > say hello")
        seen = await ann.catches_up()
        assert "Cid| > say hello" not in seen
        assert "Bob| Cid: hello" in seen


async def test_a_snoop_ends_with_the_role_of_the_operator(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        await type_and_see(ann, "snoop bob")
        await club.console("role ann player")
        await bob.type("say hello")
        seen = await ann.catches_up()
        assert "Bob| > say hello" not in seen
        assert "You no longer snoop on Bob." in seen


async def test_a_snoop_on_a_link_at_the_login_ends_when_an_equal_comes_in(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, dan = await club.member("Ann", Role.ADMIN), await club.member("Dan", Role.ADMIN)
        await dan.hang_up()
        visitor = await club.mud.player()
        await type_and_see(ann, f"snoop #{max(each.number for each in club.mud.server.connections)}")
        for line in ("Dan", PASSWORD):
            await visitor.catches_up()
            await visitor.type(line)
        await ann.sees("> Dan")
        await visitor.catches_up()
        await ann.catches_up()
        before = len(ann.screen)
        await visitor.type("say secret plans")
        await ann.sees("Dan: secret plans")
        assert "> say" not in str(ann.screen[before:])


async def test_the_notice_of_a_snoops_end_never_follows_the_last_words(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        await type_and_see(ann, "snoop bob")
        await club.console("role ann player")
        await club.console("kick bob")
        assert str(await bob.sees_the_end()).rstrip().endswith("You are shown out by an operator.")


async def test_a_snoop_ends_with_either_connection(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        await type_and_see(ann, "snoop bob")
        await ann.hang_up()
        await bob.sees("does not watch you any longer")
        ann = await club.login("Ann")
        await type_and_see(ann, "snoop bob")
        await bob.hang_up()
        await ann.sees("You no longer snoop on Bob.")
        assert "There is nothing to show" in await type_and_see(ann, "snoop")


async def test_the_console_has_no_place_for_a_snoop(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        assert "Snoop from inside the game" in (await club.console("snoop bob")).answer


# Shutdown


async def test_a_countdown_announces_the_time_that_is_left(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob")
        await club.console("shutdown 300 Repairs.")
        for text in ("5 minutes. Repairs.", "1 minute.", "30 seconds", "10 seconds", "5 seconds", "1 second."):
            await bob.sees(f"The game closes in {text}", within=400)
        assert "Repairs." in await bob.sees_the_end()


async def test_a_shutdown_can_be_cancelled_or_replaced(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob")
        await club.console("shutdown 60")
        await club.console("shutdown 120")
        await club.console("shutdown cancel")
        await bob.sees("The game stays open after all.")
        await trio.sleep(200)
        assert not club.mud.server.is_closing
        assert "No shutdown is under way" in (await club.console("shutdown cancel")).answer
        for wrong in ("soon", "-5", "99999999", "\u0661"):
            assert "Write the seconds" in (await club.console(f"shutdown {wrong}")).answer
        await club.console("shutdown now")
        await bob.sees_the_end()


async def test_a_shutdown_that_has_begun_is_not_reported_as_cancelled(mud: OpenMud) -> None:
    async def save() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)

    async with open_club(mud) as club:
        bob = await club.member("Bob")
        club.mud.server.start_soon(save)
        await club.console("shutdown 3")
        await bob.sees_the_end()
        for line in ("shutdown cancel", "shutdown 60", "shutdown now"):
            operator = await club.console(line)
            assert operator.has_failed
            assert operator.answer == "The game closes already, and that cannot be stopped.\n"
        assert "stays open" not in bob.screen


# Reports, status, recovery


async def test_a_report_keeps_the_last_lines_that_were_seen(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        ann, bob = await club.member("Ann", Role.ADMIN), await club.member("Bob")
        (connection,) = (each for each in club.mud.server.connections if each.name == "Bob")
        connection.write("\n".join(f"line {number}" for number in range(10_000)))
        assert "Your report is noted" in await type_and_see(bob, f"report it is loud {'x' * 3000}")
        seen = await type_and_see(ann, "reports 1")
        ((_, entry),) = await club.store.entries("reports", 5)
    assert len(entry["text"]) <= 2000
    assert len(entry["seen"]) == 50
    assert entry["seen"][0] == "line 9951"
    assert "bob: it is loud" in seen
    assert "    line 9999" in seen


async def test_reports_are_bounded_in_number(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob")
        assert "Say what happened" in await type_and_see(bob, "report")
        said = [await type_and_see(bob, f"report {number}") for number in range(6)]
        assert ["noted" in each for each in said] == [True] * 5 + [False]
        await trio.sleep(120)
        assert "noted" in await type_and_see(bob, "report again")


async def test_reports_of_guests_are_bounded_by_their_address_whatever_their_names(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        said = []
        for name in ("Anna", "Bert", "Carl"):
            guest = await club.mud.player(address="192.0.2.7")
            await guest.type("guest", name)
            said += [await type_and_see(guest, f"report {number}") for number in range(3)]
            await guest.hang_up()
        assert ["noted" in each for each in said] == [True] * 5 + [False] * 4
        neighbour = await club.mud.player(address="192.0.2.8")
        await neighbour.type("guest", "Dora")
        assert "noted" in await type_and_see(neighbour, "report a noise")


async def test_status_shows_storage_and_bans(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.console("ban 192.0.2.7")
        assert (
            await club.console("status")
        ).answer == "players: 0; connections: 0\nstorage: works\nbans and mutes: 1\n"


async def test_a_code_from_the_console_lets_its_owner_choose_a_new_password(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        bob = await club.member("Bob")
        await bob.hang_up()
        code = (await club.console("recover bob")).answer.split()[-1]
        player = await club.mud.player()
        for line in ("bob", code, f"{PASSWORD}!", f"{PASSWORD}!"):
            await player.catches_up()
            await player.type(line)
        assert "Bob: back" in await type_and_see(player, "say back")
        assert code not in str(await club.store.entries("audit", 100))


async def test_tokens_are_voided_on_demand(mud: OpenMud) -> None:
    async with open_club(mud) as club:
        await club.member("Bob")
        (session,) = club.mud.server.sessions
        club.operations.accounts.resume_token(session)
        assert (await club.console("tokens void bob")).answer == "Done.\n"
        assert (await club.account("bob")).tokens == ()
        assert "is none of void" in (await club.console("tokens keep bob")).answer


@pytest.mark.parametrize("line", ["recover bob", "tokens void bob", "ban bob"])
async def test_an_account_that_is_destroyed_while_the_audit_is_written_is_a_mistake(
    mud: OpenMud, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    saved = Store.saved
    async with open_club(mud) as club:
        bob = await club.member("Bob")
        await type_and_see(bob, "say bye")
        await bob.hang_up()
        (session,) = club.mud.server.sessions
        session.leave()
        await trio.sleep(1)
        account = await club.account("bob")

        async def destroys(store: Store, within: float = 5.0) -> None:
            await saved(store, within)
            monkeypatch.setattr(Store, "saved", saved)
            store.remove(account)

        monkeypatch.setattr(Store, "saved", destroys)
        operator = await club.console(line)
        assert operator.has_failed
        assert "no account or character called bob" in operator.answer
