"""The sentences that operators and players read from the verbs of operations, each replaceable."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OperationsPhrases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsPhrases:
    """The sentences of `Operations`. The names in braces are filled in; a phrase may omit them."""

    # Refusals of a verb

    not_permitted: str = "Your role does not permit that."
    not_over_equals: str = "{name} has a role that is not lower than yours."
    not_audited: str = "The audit cannot be written just now, so nothing was done. Try again later."
    unknown_account: str = "There is no account or character called {name}."
    not_here: str = "{name} is not in the game. A connection without a name is called #NUMBER."
    covers_you: str = "That network has your own address. Add the word force if you mean it."
    covers_many: str = "That network is very large. Add the word force if you mean it."
    no_network: str = "{word} is neither a network, such as 192.0.2.0/24, nor an account."
    not_banned: str = "There is no such entry: {name}."
    no_snoop_here: str = "Snoop from inside the game: a console has no place for the lines."
    no_report: str = "Say what happened: report WORDS."
    too_many_reports: str = "You have reported enough for now. Please wait a while."
    no_shutdown: str = "No shutdown is under way."
    closes_already: str = "The game closes already, and that cannot be stopped."
    bad_seconds: str = "Write the seconds until the shutdown, now, or cancel."

    # Answers

    done: str = "Done."
    nothing: str = "There is nothing to show."
    kicked: str = "{name} is out."
    widened: str = "{word} counts as its network, {subject}, whose owner chooses the other bits freely."
    banned: str = "{subject} is banned until {until}. Connections ended: {count}."
    muted: str = "{subject} is muted until {until}."
    recovery: str = "The code for {name}, good once and for an hour: {code}"
    snooping: str = "You see what {name} sees and types. Type snoop to stop."
    snoop_over: str = "You no longer snoop on {name}."
    reported: str = "Thank you. Your report is noted, with the last lines that you have seen."
    reloaded: str = "{package} is reloaded: {modules} modules, {records} records, in {milliseconds} ms."
    not_reloaded: str = "Nothing was reloaded: {reason}"
    forever: str = "further notice"
    present: str = "{name} ({role})"
    connected: str = " #{number} from {address}, idle {idle} s"  # follows `present` for the staff
    report: str = "{when} {by}: {text}"
    sanction: str = "{kind} {subject} until {until}, by {by}: {why}"
    status_players: str = "players: {players}; connections: {connections}"
    storage_works: str = "storage: works"
    storage_fails: str = "storage: fails: {why}"
    status_quarantined: str = "records that cannot be loaded: {count}"
    status_sanctions: str = "bans and mutes: {count}"

    # To the players concerned

    you_are_kicked: str = "You are shown out by an operator. {why}"
    you_are_banned: str = "You may not come in. {why}"
    you_are_muted: str = "You may not speak to others just now. {why}"
    you_are_snooped: str = "An operator watches what you see and type."
    you_are_snooped_no_more: str = "The operator does not watch you any longer."
    announcement: str = "Announcement: {text}"
    shutdown_in: str = "The game closes in {time}. {text}"
    shutdown_cancelled: str = "The game stays open after all."
    minute: str = "1 minute"
    minutes: str = "{count} minutes"
    second: str = "1 second"
    seconds: str = "{count} seconds"
