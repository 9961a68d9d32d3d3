"""The verbs of a game's staff, and `who` and `report` for every player.

Each privileged verb awaits `office.permit` before it acts. The docstrings are the help that players read.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from trio_mud import Cause, Connection, Rate, broadcast
from trio_mud.accounts import Account
from trio_mud.commands import Commands, Mistake, Role
from trio_mud.errors import ReloadFailed
from trio_mud.origins import inner_address, origin_of

from .actors import Staff
from .countdown import LONGEST
from .office import AUDIT, Office
from .sanctions import Network, network_of, seconds_of

__all__ = ["verbs_of"]

REPORTS = "reports"  # the log
MAX_REPORT = 2000  # characters
ROUNDING = 1e-3  # seconds; a sum of floats is not exact
MAX_LISTED = 200  # lines of one answer
LARGEST = {4: 8, 6: 16}  # the shortest prefix of a network that is banned without force
YEAR_10000 = 253_402_300_800  # seconds since 1970; no date has that year


def verbs_of(office: Office) -> Commands[Staff]:
    """Return the table of all verbs."""
    commands: Commands[Staff] = Commands(help_verbs=("help", "?"), role_of=office.role_of)
    for add in (_add_for_all, _add_over_players, _add_bans, _add_over_server, _add_over_accounts):
        add(office, commands)
    return commands


def _add_for_all(office: Office, commands: Commands[Staff]) -> None:
    phrases = office.phrases
    rate, full_at = Rate(1 / 60, burst=5), dict[str, float]()

    @commands.verb("who")
    def list_players(who: Staff) -> None:
        """List who is in the game."""
        is_staff = office.role_of(who) >= Role.ADMIN
        lines = []
        for session in office.server.sessions:
            connection, account = session.connection, office.accounts.account_of(session)
            role = _role_name(account.role if account is not None else Role.GUEST)
            line = phrases.present.format(name=getattr(session.body, "name", session.key), role=role)
            if is_staff and connection is not None:
                idle = f"{connection.idle_seconds:.0f}"
                line += phrases.connected.format(number=connection.number, address=connection.address, idle=idle)
            lines.append(line)
        _show(who, sorted(lines), phrases.nothing)

    @commands.verb("report", abbreviated=False)
    def report(who: Staff, words: str = "") -> None:
        """Report something to the people who run the game, with the last lines that you have seen."""
        name, source, now = office.name_of(who), _source_of(office, who), office.wall_clock()
        if not words.strip():
            raise Mistake(phrases.no_report)
        after, wait = rate.spend(full_at.get(source, -math.inf), now, 0)
        if wait > ROUNDING:
            raise Mistake(phrases.too_many_reports)
        full_at[source] = rate.spend(after, now)[0]
        for known in [known for known, full in full_at.items() if full <= now]:
            del full_at[known]
        seen = office.screens.lines_of(who.session)
        office.accounts.store.log(REPORTS, by=name, text=words[:MAX_REPORT], seen=seen)
        who.write(phrases.reported)

    @commands.verb("reports", role=Role.ADMIN, abbreviated=False)
    async def show_reports(who: Staff, count: int = 5) -> None:
        """Show the last reports, with the lines that their players had seen."""
        await office.permit(who, "reports", Role.ADMIN, count=count)
        lines = []
        for at, entry in await office.accounts.store.entries(REPORTS, min(max(count, 1), MAX_LISTED)):
            lines.append(phrases.report.format(when=_when(at), by=entry["by"], text=entry["text"]))
            lines += [f"    {line}" for line in entry["seen"]]
        _show(who, lines, phrases.nothing)


def _add_over_players(office: Office, commands: Commands[Staff]) -> None:
    phrases = office.phrases

    @commands.verb("connections", role=Role.ADMIN, abbreviated=False)
    def list_connections(who: Staff) -> None:
        """List all connections, including those without a name, by the numbers that kick and snoop take."""
        lines = [
            f"#{each.number} {each.name} from {each.address}, idle {each.idle_seconds:.0f} s"
            for each in office.server.connections
        ]
        _show(who, lines, phrases.nothing)

    @commands.verb("kick", role=Role.ADMIN, abbreviated=False)
    async def kick(who: Staff, player: str, why: str = "") -> None:
        """End a player's connection: kick ann, kick #7, with a reason if you like."""
        target = office.find_connection(player)
        await office.permit(who, "kick", Role.ADMIN, over=target, player=player, why=why, address=target.address)
        target.quit(phrases.you_are_kicked.format(why=why).strip(), cause=Cause.KICKED)
        who.write(phrases.kicked.format(name=player))

    @commands.verb("snoop", role=Role.ADMIN, abbreviated=False)
    async def snoop(who: Staff, player: str = "") -> None:
        """See what a player sees and types; without a name, stop that."""
        watcher = who.session.connection if who.session is not None else None
        if watcher is None:
            raise Mistake(phrases.no_snoop_here)
        if not player:
            watched = office.snoops.stop(watcher)
            who.write(phrases.snoop_over.format(name=watched.name) if watched is not None else phrases.nothing)
            return
        target = office.find_connection(player)
        await office.permit(who, "snoop", Role.ADMIN, over=target, player=player)
        if target.ending is not None or target is watcher:
            raise Mistake(phrases.not_here.format(name=player))
        office.snoops.begin(who, watcher, target)
        who.write(phrases.snooping.format(name=target.name))

    @commands.verb("mute", role=Role.ADMIN, abbreviated=False)
    async def mute(who: Staff, player: str, words: str = "") -> None:
        """Keep a player from speaking to others: mute ann 30m, with a reason if you like."""
        account = await office.find_account(player)
        until, _, why = _terms(office, words)
        await office.permit(who, "mute", Role.ADMIN, over=account, account=account.key, until=until, why=why)
        office.sanctions.add("mute", account.key, until, why, office.name_of(who))
        for connection in _connections_of(office, account):
            connection.write(phrases.you_are_muted.format(why=why).strip())
        who.write(phrases.muted.format(subject=account.name, until=_end(office, until)))

    @commands.verb("unmute", role=Role.ADMIN, abbreviated=False)
    async def unmute(who: Staff, player: str) -> None:
        """Let a muted player speak again."""
        account, key = await _sanctioned(office, "mute", player)
        await office.permit(who, "unmute", Role.ADMIN, over=account, account=key)
        if not office.sanctions.remove("mute", key):
            raise Mistake(phrases.not_banned.format(name=player))
        who.write(phrases.done)


def _add_bans(office: Office, commands: Commands[Staff]) -> None:
    phrases, sanctions = office.phrases, office.sanctions

    @commands.verb("ban", role=Role.ADMIN, abbreviated=False)
    async def ban(who: Staff, whom: str, words: str = "") -> None:
        """Keep an account or a network out: ban ann 7d, ban 192.0.2.0/24 30m, with a reason if you like.

        Times end in s, m, h, d or w; without one it is for ever. An IPv6 address stands for its /64. A network that has
        your own address, or that is very large, needs the word force before the reason.
        """
        until, is_forced, why = _terms(office, words)
        network = network_of(whom)
        account = None
        if network is None:
            if "/" in whom or ":" in whom:
                raise Mistake(phrases.no_network.format(word=whom))
            account = await office.find_account(whom)
        elif not is_forced:
            _check_size(office, who, network)
        kind, subject = ("network", str(network)) if account is None else ("account", account.key)
        await office.permit(who, "ban", Role.ADMIN, over=account, kind=kind, subject=subject, until=until, why=why)
        sanctions.add(kind, subject, until, why, office.name_of(who))
        if network is not None and network.version == 6 and "/" not in whom:
            who.write(phrases.widened.format(word=whom, subject=subject))
        ended = 0
        text = phrases.you_are_banned.format(why=why).strip()
        if account is not None:
            ended = _end_sessions(office, account, text)  # before anything waits
            with _existing(office, whom):
                await office.accounts.void_tokens(account.key)
        elif network is not None:
            for connection in _within(office, who, network):
                connection.quit(text, cause=Cause.BANNED)
                ended += 1
        who.write(phrases.banned.format(subject=subject, until=_end(office, until), count=ended))

    @commands.verb("unban", role=Role.ADMIN, abbreviated=False)
    async def unban(who: Staff, whom: str) -> None:
        """Let an account or a network in again."""
        account, kind, subject = None, "network", str(network_of(whom))
        if network_of(whom) is None:
            kind = "account"
            account, subject = await _sanctioned(office, kind, whom)
        await office.permit(who, "unban", Role.ADMIN, over=account, kind=kind, subject=subject)
        if not sanctions.remove(kind, subject):
            raise Mistake(phrases.not_banned.format(name=whom))
        who.write(phrases.done)

    @commands.verb("bans", role=Role.ADMIN, abbreviated=False)
    def list_bans(who: Staff) -> None:
        """List all bans and mutes, with their ends, reasons and authors."""
        lines = [
            phrases.sanction.format(
                kind=each.kind, subject=each.subject, until=_end(office, each.until), by=each.by, why=each.why
            )
            for each in sanctions
        ]
        _show(who, lines, phrases.nothing)


def _add_over_server(office: Office, commands: Commands[Staff]) -> None:
    phrases = office.phrases

    @commands.verb("announce", role=Role.ADMIN, abbreviated=False)
    async def announce(who: Staff, words: str) -> None:
        """Say something to all players."""
        await office.permit(who, "announce", Role.ADMIN, text=words)
        broadcast(phrases.announcement.format(text=words), to=office.server.connections)
        who.write(phrases.done)

    @commands.verb("shutdown", role=Role.OWNER, abbreviated=False)
    async def shut_down(who: Staff, when: str, words: str = "") -> None:
        """Close the game: shutdown 300 TEXT counts down, shutdown now does not wait, shutdown cancel stops it."""
        is_number = when.isascii() and when.isdecimal() and int(when[:9]) <= LONGEST and len(when) < 9
        if when not in ("now", "cancel") and not is_number:
            raise Mistake(phrases.bad_seconds)
        await office.permit(who, "shutdown", Role.OWNER, when=when, text=words)
        if office.server.is_closing:
            raise Mistake(phrases.closes_already)
        if when != "cancel":
            office.countdown.begin(office.server, 0 if when == "now" else int(when), words)
        elif not office.countdown.cancel(office.server):
            raise Mistake(phrases.no_shutdown)
        who.write(phrases.done)

    @commands.verb("reload", role=Role.ADMIN, abbreviated=False)
    async def reload(who: Staff) -> None:
        """Read the code of the game again, while it is played. If it is wrong, nothing changes."""
        await office.permit(who, "reload", Role.ADMIN)
        try:
            done = await office.server.reload()
        except ReloadFailed as error:
            office.accounts.store.log(AUDIT, event="reload", by=office.name_of(who), outcome=f"not done: {error}")
            raise Mistake(phrases.not_reloaded.format(reason=error)) from error
        who.write(
            phrases.reloaded.format(
                package=min(done.modules, key=len),
                modules=len(done.modules),
                records=done.records,
                milliseconds=round(done.seconds * 1000),
            )
        )

    @commands.verb("status", role=Role.ADMIN, abbreviated=False)
    def status(who: Staff) -> None:
        """Show whether the game is stored, and how many are in it."""
        server, store = office.server, office.accounts.store
        counts = {"players": len(server.sessions), "connections": len(server.connections)}
        who.write(phrases.status_players.format(**counts))
        who.write(phrases.storage_works if store.error is None else phrases.storage_fails.format(why=store.error))
        if store.quarantined:
            who.write(phrases.status_quarantined.format(count=len(store.quarantined)))
        who.write(phrases.status_sanctions.format(count=len(list(office.sanctions))))

    @commands.verb("audit", role=Role.ADMIN, abbreviated=False)
    async def show_audit(who: Staff, count: int = 20) -> None:
        """Show the last entries of the audit."""
        entries = await office.accounts.store.entries(AUDIT, min(max(count, 1), MAX_LISTED))
        lines = []
        for at, entry in entries:
            shown = entry | ({"until": _end(office, until)} if type(until := entry.get("until")) is float else {})
            rest = ", ".join(f"{name} {value}" for name, value in shown.items() if name != "event" and value != "")
            lines.append(f"{_when(at)} {entry.get('event')}: {rest}")
        _show(who, lines, phrases.nothing)


def _add_over_accounts(office: Office, commands: Commands[Staff]) -> None:
    phrases = office.phrases

    @commands.verb("role", role=Role.ADMIN, abbreviated=False)
    async def set_role(who: Staff, player: str, role: Role) -> None:
        """Give an account a role that is lower than yours: role ann builder."""
        account = await office.find_account(player)
        await office.permit(
            who, "set role", Role.ADMIN, over=account, at_most=role, account=account.key, before=account.role, now=role
        )
        account.role = int(role)
        for session in office.server.sessions:
            if office.accounts.account_of(session) is account:
                office.set_idle_timeout(session)
        who.write(phrases.done)

    @commands.verb("recover", role=Role.OWNER, abbreviated=False)
    async def recover(who: Staff, player: str) -> None:
        """Show a code that an owner types once in place of a forgotten password."""
        account = await office.find_account(player)
        await office.permit(who, "recover", Role.OWNER, over=account, account=account.key)
        with _existing(office, player):
            code = await office.accounts.recovery_code(account.key)
        who.write(phrases.recovery.format(name=account.name, code=str(code)))

    @commands.verb("tokens", role=Role.ADMIN, abbreviated=False)
    async def void_tokens(who: Staff, action: Literal["void"], player: str) -> None:
        """Make the resume tokens of an account void: tokens void ann."""
        account = await office.find_account(player)
        await office.permit(who, "tokens void", Role.ADMIN, over=account, account=account.key)
        with _existing(office, player):
            await office.accounts.void_tokens(account.key)
        who.write(phrases.done)


# Steps


@contextmanager
def _existing(office: Office, name: str) -> Iterator[None]:
    """Raise Mistake if the account was destroyed while the audit was written."""
    try:
        yield
    except LookupError:
        raise Mistake(office.phrases.unknown_account.format(name=name)) from None


async def _sanctioned(office: Office, kind: str, name: str) -> tuple[Account | None, str]:
    """Return the account of a sanction and its key; None and the key if the account was destroyed.

    Raises:
        Mistake: There is neither the account nor the sanction.
    """
    key = await office._find_key(name)
    account = await office.accounts.store.load(Account, key)
    if account is None and office.sanctions.get(kind, key) is None:
        raise Mistake(office.phrases.unknown_account.format(name=name))
    return account, key


def _source_of(office: Office, who: Staff) -> str:
    """Return the source by which reports are limited: an account, or the address of a guest, who is free to be another.

    A guest without an address counts by name.
    """
    session = who.session
    if session is None or session.connection is None or office.accounts.account_of(session) is not None:
        return office.name_of(who)
    return origin_of(session.connection.address) or office.name_of(who)


def _show(who: Staff, lines: list[str], otherwise: str) -> None:
    for line in lines[-MAX_LISTED:] or [otherwise]:
        who.write(line)


def _terms(office: Office, words: str) -> tuple[float, bool, str]:
    """Return the end of a sanction, whether force is meant, and the reason."""
    first, _, rest = words.strip().partition(" ")
    seconds = seconds_of(first)
    until = 0.0 if seconds is None else office.wall_clock() + seconds
    why = words.strip() if seconds is None else rest.strip()
    forced, _, rest = why.partition(" ")
    is_forced = forced.casefold() == "force"
    return until, is_forced, rest.strip() if is_forced else why


def _check_size(office: Office, who: Staff, network: Network) -> None:
    """Raise Mistake if a ban of this network would keep out its own author, or very many."""
    if who.session is not None and who.session.connection is not None:
        host = inner_address(who.session.connection.address)
        if host is not None and host in network:
            raise Mistake(office.phrases.covers_you)
    if network.prefixlen < LARGEST[network.version]:
        raise Mistake(office.phrases.covers_many)


def _within(office: Office, who: Staff, network: Network) -> list[Connection]:
    """Return the connections from a network, but those of accounts over which the actor has no power."""
    rank, found = office.rank_of(who), []
    for connection in office.server.connections:
        host = inner_address(connection.address)
        account = office.accounts.account_of(connection.session)
        if host is not None and host in network and (account is None or account.role < rank):
            found.append(connection)
    return found


def _connections_of(office: Office, account: Account) -> list[Connection]:
    sessions = [each for each in office.server.sessions if office.accounts.account_of(each) is account]
    return [connection for session in sessions for connection in session.connections]


def _end_sessions(office: Office, account: Account, text: str) -> int:
    """End every session of an account, link-dead ones included; return the number of connections."""
    ended = 0
    for session in office.server.sessions:
        if office.accounts.account_of(session) is account:
            for connection in session.connections:
                connection.quit(text, cause=Cause.BANNED)
                ended += 1
            if not session.connections:
                session.leave()
    return ended


def _role_name(role: int) -> str:
    """Return the name of the highest role that is not above this number."""
    return max((each for each in Role if each <= role), default=Role.GUEST).name.lower()


def _when(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def _end(office: Office, until: float) -> str:
    return _when(until) if 0 < until < YEAR_10000 else office.phrases.forever
