"""Resume tokens and recovery codes: good once, not for long, and void when they should be."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import trio

from trio_mud import Connection, InvalidToken, Secret, Session, Texts
from trio_mud.accounts import Account
from trio_mud.accounts.tokens import CODE_LENGTH, CODE_LETTERS, MOST_TOKENS
from trio_mud.errors import EntryRefused, NotSaved
from trio_mud.storage import Memory, Stored
from trio_mud.testing import OpenMud, Player

from ..storage.faulty import FULL, Faulty, delayed
from .inn import CHEAP, PASSWORD, Inn, answers, open_inn

TEXTS = Texts()
HOUR = 3600.0


def session_of(inn: Inn, key: str = "ann") -> Session:
    session = inn.mud.server.sessions.get(key)
    assert session is not None
    return session


async def stranger(inn: Inn) -> tuple[Player, Connection]:
    """A player who is asked for a name, and the connection."""
    player = await inn.player()
    return player, list(inn.mud.server.connections)[-1]


async def resume(inn: Inn, token: str) -> str:
    """Try a token from a new link; return the key of the session, or why there is none."""
    player, connection = await stranger(inn)
    try:
        session = await inn.accounts.resume(connection, token)
    except InvalidToken as error:
        await player.hang_up()
        return str(error)
    return str(session.key)


async def test_a_token_enters_once_from_anywhere(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        token = inn.accounts.resume_token(session_of(inn))
        assert await resume(inn, token) == "ann"
        assert TEXTS.taken_over in await ann.sees_the_end()
        assert await resume(inn, token) == "this token is void: log in"


async def test_a_token_is_good_after_a_restart_and_a_crash(mud: OpenMud) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        await inn.newcomer("Ann")
        token = inn.accounts.resume_token(session_of(inn))
        await inn.store.saved()
        crashed = Memory().stored
        crashed.rows |= stored.rows
        crashed.values |= stored.values
    for after in (stored, crashed):
        async with open_inn(mud, after) as inn:
            assert await resume(inn, token) == "ann"
            await inn.mud.pass_time(1)
            assert inn.events == ["Ann comes"]


async def test_that_a_token_was_used_is_on_disk_before_it_lets_anyone_in(mud: OpenMud) -> None:
    backend = Faulty()
    async with open_inn(mud, backend=backend) as inn:
        await inn.newcomer("Ann")
        token = inn.accounts.resume_token(session_of(inn))
        await inn.store.saved()
        backend.error = FULL
        _, connection = await stranger(inn)
        with pytest.raises(NotSaved):
            await inn.accounts.resume(connection, token)
        assert connection.session is None
        backend.error = None


@pytest.mark.parametrize("moved", [-2 * HOUR, 2 * HOUR])
async def test_a_token_is_void_after_an_hour_and_when_the_clock_was_moved(mud: OpenMud, moved: float) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        await inn.newcomer("Ann")
        tokens = [inn.accounts.resume_token(session_of(inn)) for _ in range(3)]
        await trio.sleep(HOUR - 1)
        assert await resume(inn, tokens[0]) == "ann"
        await trio.sleep(1)
        assert "void" in await resume(inn, tokens[1])
        tokens = [inn.accounts.resume_token(session_of(inn))]
    async with open_inn(mud, stored, clock_moved=moved) as inn:
        assert "void" in await resume(inn, tokens[0])


@pytest.mark.parametrize("act", ["quit", "password", "ban", "delete", "eight others"])
async def test_a_token_is_void_after(mud: OpenMud, act: str) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        token = inn.accounts.resume_token(session_of(inn))
        if act == "quit":
            await ann.type("quit")
        elif act == "password":
            await answers(ann, "password", PASSWORD, "another horse", "another horse")
            assert TEXTS.password_changed in ann.screen
        elif act == "ban":
            await inn.accounts.void_tokens("Ann")
        elif act == "delete":
            await answers(ann, "delete", PASSWORD)
        else:
            for _ in range(MOST_TOKENS):
                inn.accounts.resume_token(session_of(inn))
        await inn.mud.pass_time(1)
        assert "void" in await resume(inn, token)


async def test_a_link_death_and_a_shutdown_leave_a_token_good(mud: OpenMud) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        ann = await inn.newcomer("Ann")
        token = inn.accounts.resume_token(session_of(inn))
        await ann.vanish()
        await inn.mud.pass_time(301)
        assert inn.events == ["Ann comes", "Ann goes"]
        assert await resume(inn, token) == "ann"
        token = inn.accounts.resume_token(session_of(inn))
    async with open_inn(mud, stored) as inn:
        assert await resume(inn, token) == "ann"


@pytest.mark.parametrize("token", ["", ".", "ann", "ann.", "ann.kPzDAtJcIqHaKlsxuB3cMA", "bob.x", "\ud800.\ud800"])
async def test_what_is_no_token_lets_nobody_in(mud: OpenMud, token: str) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        inn.accounts.resume_token(session_of(inn))
        assert "void" in await resume(inn, token)


async def test_tokens_differ_and_have_128_bits(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        tokens = {inn.accounts.resume_token(session_of(inn)) for _ in range(8)}
        assert len(tokens) == 8
        assert all(len(token.rpartition(".")[2]) >= 22 and isinstance(token, Secret) for token in tokens)


async def test_a_guest_has_no_token(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.player("guest", "Bob")
        with pytest.raises(LookupError, match="belongs to no account"):
            inn.accounts.resume_token(session_of(inn, "bob"))


def test_a_recovery_code_has_128_bits_in_letters_that_can_be_read_out() -> None:
    assert len(CODE_LETTERS) ** CODE_LENGTH >= 2**128
    assert not set("lo01i") & set(CODE_LETTERS)


async def test_a_recovery_code_lets_its_owner_set_a_new_password_once(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        code = await inn.accounts.recovery_code("ann")
        ann = await inn.player("Ann", f" {code.upper()} ")
        assert TEXTS.recovery_used in ann.screen
        await answers(ann, "another horse", "another horse")
        assert TEXTS.recovery_notice in ann.screen
        assert "You are Ann" in ann.screen
        for password, answer in ((code, TEXTS.login_wrong), (PASSWORD, TEXTS.login_wrong)):
            assert answer in (await inn.login("Ann", password=password)).screen
        again = await inn.login("Ann", password="another horse")
        assert "You are back" in again.screen
        assert TEXTS.recovery_notice not in again.screen
        audit = [entry["event"] for _, entry in await inn.store.entries("audit")]
        assert audit == ["character created", "recovery code issued", "recovery code used", "password changed"]


async def test_a_link_that_is_lost_before_the_new_password_leaves_no_way_in(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        code = await inn.accounts.recovery_code("ann")
        ann = await inn.player("Ann", code, "another horse")
        await ann.vanish()
        await inn.mud.pass_time(1)
        assert TEXTS.login_wrong in (await inn.login("Ann", password=code)).screen
        assert TEXTS.login_wrong in (await inn.login("Ann", password="another horse")).screen
        assert TEXTS.login_wrong in (await inn.login("Ann")).screen  # a thief may know the old password
        assert len(inn.mud.server.sessions) == 0
        owner = await inn.login("Ann", password=await inn.accounts.recovery_code("ann"))
        await answers(owner, "another horse", "another horse")
        assert "You are Ann" in owner.screen


async def test_a_code_that_is_typed_voids_an_old_password_that_is_being_checked(mud: OpenMud) -> None:
    async with open_inn(mud, execute=delayed(lambda: 2.0), pause=3) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        code = await inn.accounts.recovery_code("Ann")
        thief, owner = await inn.player("Ann"), await inn.player("Ann")
        await inn.mud.race(partial(thief.type, PASSWORD), partial(owner.type, code))
        await inn.mud.pass_time(5)
        assert TEXTS.login_wrong in thief.screen + await thief.catches_up()
        assert TEXTS.recovery_used in owner.screen + await owner.catches_up()


async def test_a_recovery_code_is_void_after_an_hour_a_new_one_and_a_new_password(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        ann = await inn.newcomer("Ann")
        first, second = await inn.accounts.recovery_code("ann"), await inn.accounts.recovery_code("ann")
        assert TEXTS.login_wrong in (await inn.login("Ann", password=first)).screen
        await trio.sleep(HOUR)
        assert TEXTS.login_wrong in (await inn.login("Ann", password=second)).screen
        third = await inn.accounts.recovery_code("ann")
        await answers(ann, "password", PASSWORD, "another horse", "another horse")
        assert TEXTS.login_wrong in (await inn.login("Ann", password=third)).screen


async def test_guesses_at_a_code_are_penalised_and_the_code_works_while_an_account_is_under_attack(
    mud: OpenMud,
) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        code = await inn.accounts.recovery_code("ann")
        for _ in range(3):
            await inn.login("Ann", password="a" * CODE_LENGTH, address="203.0.113.9")
        for address in ("203.0.113.9", "198.51.100.8"):
            assert "Please wait" in (await inn.login("Ann", password=code[:-1], address=address)).screen
        assert TEXTS.recovery_used in (await inn.login("Ann", password=code, address="198.51.100.8")).screen


async def test_there_is_no_code_for_an_account_that_does_not_exist(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        for call in (inn.accounts.recovery_code, inn.accounts.void_tokens, inn.accounts.export):
            with pytest.raises(LookupError, match="there is no account 'Bob'"):
                await partial(call, "Bob")()


# The same by a program, with the GMCP package Session

GMCP = replace(CHEAP, plain_gmcp=True)


async def program(inn: Inn, *, answers_at: float = 1.0) -> Player:
    player = await inn.mud.player(gmcp=("Session",))
    await trio.sleep(answers_at)
    return player


async def token_of(inn: Inn, player: Player) -> str:
    """The token that the program got when its player logged in."""
    await answers(player, "Ann", PASSWORD, pause=inn.pause)
    package, data = player.gmcp[-1]
    assert package == "Session.Token"
    assert isinstance(data, dict)
    assert data["grace"] == HOUR
    return str(data["token"])


async def present(inn: Inn, token: object) -> Player:
    """A new link whose program presents a token at the first question."""
    player = await program(inn)
    await player.send_gmcp("Session.Resume", {"token": token})
    await trio.sleep(1 + inn.pause)
    await player.catches_up()
    return player


@pytest.mark.parametrize("is_killed", [False, True])
async def test_a_program_returns_by_its_token_after_a_restart_once_and_reads_no_more_questions(
    mud: OpenMud, is_killed: bool
) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        token = await token_of(inn, await program(inn))
        await inn.store.saved()
        if is_killed:
            stored = Stored(dict(stored.rows), dict(stored.entries), dict(stored.values))
    async with open_inn(mud, stored, rules=GMCP) as inn:
        ann = await present(inn, token)
        assert ("Session.Resumed", {"lines": 0, "missed": 0, "lost": 0}) in ann.gmcp
        await ann.type("gold")
        await ann.sees("You have 0")
        assert ann.screen.endswith("You have 0\n")
        connection = session_of(inn).connection
        assert connection is not None
        assert connection.name == "Ann"
        fresh = [data["token"] for package, data in ann.gmcp if package == "Session.Token" and isinstance(data, dict)]
        assert [str(text).startswith("ann.") for text in fresh] == [False, True]  # of this session, of the account
        thief = await present(inn, token)
        assert thief.gmcp[-1] == ("Session.Void", None)
        assert thief.screen.endswith(TEXTS.login_question)
        await answers(thief, "Ann", PASSWORD)
        assert "You are back" in thief.screen


@pytest.mark.parametrize("cause", ["password", "ban", "logout", "deletion"])
async def test_a_programs_token_is_void_after_a_restart_if_it_was_voided_before(mud: OpenMud, cause: str) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        ann = await program(inn)
        token = await token_of(inn, ann)
        account = await inn.accounts.find("Ann")
        assert account is not None
        match cause:
            case "password":
                await inn.accounts.set_password(account, "battery staple")
            case "ban":
                await inn.accounts.void_tokens("Ann")
            case "logout":
                await ann.type("quit")
            case _:
                await inn.accounts.delete(account)
    async with open_inn(mud, stored, rules=GMCP) as inn:
        late = await present(inn, token)
        assert late.gmcp[-1] == ("Session.Void", None)
        assert not inn.mud.server.sessions


@pytest.mark.parametrize("token", ["", "ann.", "ann.x", "ann." + "x" * 60_000, 7, None, ["a"], {"a": 1}])
async def test_what_is_no_token_changes_nothing_and_the_login_goes_on(mud: OpenMud, token: object) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        ann = await present(inn, token)
        await answers(ann, "Ann", PASSWORD)
        assert "You are Ann" in ann.screen


async def test_an_account_that_may_not_enter_reads_why_and_its_token_opens_no_session(mud: OpenMud) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        token = await token_of(inn, await program(inn))

        def refuse(account: Account) -> None:
            raise EntryRefused("The inn is closed.")

        inn.accounts.check_entry = refuse
        late = await present(inn, token)
        await late.sees_the_end()
        assert late.screen.endswith("The inn is closed.\n")
        assert "Session.Resumed" not in [package for package, _ in late.gmcp]


async def test_a_token_sent_twice_at_once_enters_once(mud: OpenMud) -> None:
    async with open_inn(mud, rules=GMCP, executor=delayed(lambda: 0.2), pause=1) as inn:
        await inn.newcomer("Ann")
        token = await token_of(inn, await program(inn))
        links = [await program(inn) for _ in range(3)]
        for link in links:
            await link.send_gmcp("Session.Resume", {"token": token})
        await inn.mud.pass_time(5)
        for link in links:
            await link.catches_up()
        replies = [
            [package for package, _ in link.gmcp if package in ("Session.Void", "Session.Resumed")] for link in links
        ]
        assert sorted(replies) == [["Session.Resumed"], ["Session.Void"], ["Session.Void"]]
        assert inn.events.count("Ann comes") == 1


async def test_a_player_who_is_in_the_game_keeps_the_dialog_and_the_token_when_it_is_presented_again(
    mud: OpenMud,
) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        ann = await program(inn)
        token = await token_of(inn, ann)
        await answers(ann, "password")
        await ann.send_gmcp("Session.Resume", {"token": token})
        await ann.catches_up()
        assert ann.gmcp[-1] == ("Session.Void", None)
        connection = session_of(inn).connection
        assert connection is not None
        assert connection.dialog is not None
        assert await resume(inn, token) == "ann"


async def test_a_program_returns_by_the_token_of_its_account_with_each_line_once(mud: OpenMud) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        ann = await program(inn)
        await token_of(inn, ann)
        session = session_of(inn)
        session.write("<1>")
        await ann.sees("<1>")
        ann.go_silent()
        session.write("<2>")
        await trio.sleep(1)
        back = await ann.come_back()
        await trio.sleep(1)
        session.write("<3>")
        await back.sees("<3>")
        shown = ann.screen + back.screen
        assert [shown.count(line) for line in ("<1>", "<2>", "<3>", "taken over")] == [1, 1, 1, 0]
        assert ann.returns is not None
        assert ann.returns.token.startswith("ann.")


async def test_after_another_device_a_program_that_returns_by_its_old_token_begins_a_new_count(mud: OpenMud) -> None:
    async with open_inn(mud, rules=GMCP) as inn:
        await inn.newcomer("Ann")
        first = await program(inn)
        await token_of(inn, first)
        session_of(inn).write("<1>")
        await first.sees("<1>")
        await first.vanish()
        second = await program(inn)
        await answers(second, "Ann", PASSWORD)
        for line in ("<2>", "<3>", "<4>", "<5>"):
            session_of(inn).write(line)
        await second.sees("<5>")
        await second.vanish()
        await inn.mud.pass_time(1)
        session_of(inn).write("<6>")
        back = await first.come_back()
        await back.sees("<6>")
        assert [back.screen.count(f"<{number}>") for number in range(1, 7)] == [0, 0, 0, 0, 0, 1]
        assert ("Session.Resumed", {"lines": 0, "missed": 0, "lost": 0}) in back.gmcp


async def test_a_plain_link_gets_no_token_of_the_account_but_one_that_ends_with_the_session(mud: OpenMud) -> None:
    stored = Memory().stored
    async with open_inn(mud, stored) as inn:
        await inn.newcomer("Ann")
        ann = await program(inn)
        await answers(ann, "Ann", PASSWORD)
        assert "You are back" in ann.screen
        (token,) = [
            data["token"] for package, data in ann.gmcp if package == "Session.Token" and isinstance(data, dict)
        ]
        await ann.vanish()
        back = await present(inn, token)
        assert "Session.Resumed" in [package for package, _ in back.gmcp]
        (fresh,) = [
            data["token"] for package, data in back.gmcp if package == "Session.Token" and isinstance(data, dict)
        ]
    async with open_inn(mud, stored) as inn:
        late = await present(inn, fresh)
        assert late.gmcp[-1] == ("Session.Void", None)


async def test_a_secret_of_one_account_under_the_name_of_another_is_void_and_spends_nothing(mud: OpenMud) -> None:
    async with open_inn(mud) as inn:
        await inn.newcomer("Ann")
        await inn.newcomer("Bob")
        token = inn.accounts.resume_token(session_of(inn))
        _, _, secret = token.rpartition(".")
        assert await resume(inn, f"bob.{secret}") == "this token is void: log in"
        assert await resume(inn, token) == "ann"


async def test_a_recovery_code_that_is_typed_from_two_links_at_once_lets_one_of_them_in(mud: OpenMud) -> None:
    async with open_inn(mud, executor=delayed(lambda: 0.2), pause=1) as inn:
        await (await inn.newcomer("Ann")).type("quit")
        code = await inn.accounts.recovery_code("Ann")
        links = [await inn.player("Ann") for _ in range(2)]
        await inn.mud.race(*(partial(link.type, code) for link in links))
        await inn.mud.pass_time(2)
        screens = [link.screen + await link.catches_up() for link in links]
        assert sum(TEXTS.recovery_used in screen for screen in screens) == 1
        assert sum(TEXTS.login_wrong in screen for screen in screens) == 1
