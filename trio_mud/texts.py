"""Every sentence that the driver itself sends to players.

The sentences are short and belong to no particular world. A game can replace each of them, and so can the table
`[texts]` of a configuration file.
They are plain text, without markup and line ends; only `missed` has a placeholder.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Texts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The sentences that the driver sends to players; an empty text is not sent.

    There is none for a write stall or a reset, because a dead link takes no text.

    Raises:
        ValueError: A text is not a `str`.
    """

    # Refusals: the peer reads one of these, and the connection is closed

    server_full: str = "Every place is taken just now. Please try again in a little while."
    """`limits.max_connections` connections are open."""

    too_many_from_address: str = "Too many visitors came from your address. Please leave with one of them first."
    """`limits.max_per_address` connections from this address are open, or `max_per_prefix` from its network."""

    too_many_without_session: str = "Many people are at the door just now. Please try again in a little while."
    """Too many connections are open that have no session, see `limits.max_without_session`."""

    connect_failed: str = "The door is stuck. We have been told; please try again later."
    """A connect function raised."""

    connect_too_slow: str = "The doorkeeper does not answer. Please try again later."
    """An async connect function exceeded `limits.hook_timeout`."""

    world_away: str = "The world does not answer just now. Please try again in a little while."
    """A gateway has waited `limits.world_timeout` for the world, which is another process."""

    world_restarted: str = "(The world has restarted. What you were doing was cancelled; begin it again.)"
    """The world of a split server died during a dialog of this player, such as the login."""

    refused: str = "You may not come in."
    """A connect function refused without a text."""

    # During the game: the player reads one of these and stays

    command_failed: str = "Something went wrong with that. We have been told."
    """A function that handled the player's line raised."""

    command_too_slow: str = "That took too long and was given up."
    """An async function that handled the player's line exceeded `limits.hook_timeout`."""

    line_cut: str = "That line was too long; only its beginning was read."
    """A line exceeded `limits.max_line` bytes."""

    output_dropped: str = "(Some lines are missing here: they came faster than you could read them.)"
    """Messages were dropped because `limits.max_output` bytes were pending."""

    world_silent: str = "(The world is silent for a moment. Your lines wait, and none is lost.)"
    """A gateway has had no answer of the world for `limits.world_silence_timeout`, and a line of the player waits."""

    world_back: str = "(The world answers again.)"
    """The same player, once the world answers."""

    idle_warning: str = "Are you still there? Say something, or you will be shown out soon."
    """One minute of `limits.idle_timeout` is left, or half of it if that is less."""

    missed: str = "({count} lines came and went while you were away.)"
    """Text written during a link death exceeded `limits.max_replay`; `{count}` is the number of dropped texts."""

    # Dialogs: questions, and the words that answer them, separated by spaces

    yes: str = "yes y"
    """The words that mean yes to `dialog.confirm`, in upper or lower case."""

    no: str = "no n"
    """The words that mean no."""

    confirm_again: str = "Please answer yes or no."
    """The answer was neither yes nor no."""

    choose_again: str = "Please choose one of these, by its number or its name."
    """The answer matched no option of `dialog.choose`."""

    choose_ambiguous: str = "That could be more than one of these."
    """The answer was the beginning of several options."""

    no_answer: str = "Never mind, then."
    """The player gave no valid answer to a repeated question, and the script does not handle that."""

    page_more: str = "[Enter reads on, q stops] "
    """The question between two pages."""

    page_stop: str = "q quit"
    """The words that end the reading."""

    edit_hello: str = "Write line by line. A dot alone ends it, and .h helps."
    """The editor starts."""

    edit_prompt: str = "] "
    """The prompt of the editor."""

    edit_help: str = ". ends, .q gives up, .l lists, .d 3 deletes, .i 3 text inserts, .r 3 replaces"
    """The answer to `.h`: the editor's commands."""

    edit_unknown: str = "There is no such command, or no such line. A dot alone ends, and .h helps."
    """A line in the editor began with a dot, and was not a valid command."""

    edit_full: str = "There is no room for that."
    """The text in the editor has reached its greatest length."""

    # Names, in the login dialog of accounts; words that are answers stand apart by spaces

    by_name_question: str = "By what name? "
    """The only question of `play_by_name`, a game without passwords."""

    name_length: str = "A name has {shortest} to {longest} letters."
    """It is too short or too long."""

    name_letters: str = "A name is one word, and plain letters only."
    """It holds something other than letters."""

    name_deceptive: str = "That name could be misread: write it in the plain letters of one alphabet."
    """Its letters could be taken for others."""

    name_reserved: str = "Nobody can be called that here."
    """It is a word of the game."""

    name_taken: str = "That name is taken. Please choose another one."
    """An account, a character or a guest has it, or one that looks like it."""

    # In the login dialog of accounts

    login_hint: str = "Type your name, or new if you have none here yet."
    """Before the first question."""

    login_guest_hint: str = "Type guest to look around without one."
    """The same, if guests may come."""

    login_question: str = "Name: "
    """The first question."""

    login_new: str = "new create"
    """The words that make an account."""

    login_guest: str = "guest"
    """The words that let a guest in."""

    name_question: str = "What is your name to be? "
    """The name of a new account, character or guest."""

    password_question: str = "Password: "
    """The password of an account."""

    password_new: str = "New password: "
    """The first of two questions for a new password."""

    password_again: str = "The same again: "
    """The second one."""

    password_different: str = "These were two different passwords."
    """Its answer was another one."""

    password_short: str = "A password has {count} characters at least, and is not the name."
    """The new password is too easy to guess."""

    password_long: str = "A password has at most {count} bytes."
    """The new password is too long."""

    password_changed: str = "Your password is changed."
    """The new password is stored."""

    login_wrong: str = "There is no such name with that password."
    """The same whether the name or the password is wrong."""

    login_wait: str = "Too many tries. Please wait {seconds} seconds, and try again."
    """The address or the account is penalised; the link closes."""

    login_over: str = "That did not work. Please try again later."
    """The last of `max_tries`; the link closes."""

    login_busy: str = "Too many people are logging in. Please try again in a minute."
    """The queue of passwords to check is full; the link closes."""

    login_not_saved: str = "This cannot be saved just now, so it was not done. Please try again later."
    """The store did not confirm a new account, or a new password."""

    login_unreadable: str = "Your character cannot be loaded. We have been told."
    """The record of an account or a character is damaged; the link closes."""

    login_gone: str = "That account or character is no longer there. Please log in again."
    """It was deleted while its owner logged in; the link closes."""

    plain_warning: str = "This link is not encrypted: your password can be read on its way."
    """Before the first question, unless the link is encrypted or local."""

    plain_refused: str = "Passwords are taken over encrypted links only: connect with TLS to port {port}."
    """The same, if `plain = "refuse"`; the link closes."""

    choose_character: str = "Who do you want to be? "
    """The account has several characters."""

    too_many_characters: str = "You have as many characters as you may have."
    """The account has `max_characters`."""

    taken_over_from: str = "Your character was taken over from {address}."
    """To the old link, before `taken_over`."""

    another_character: str = "You have come in as another of your characters, so this one leaves."
    """The account has `max_played` characters in the game already; the link of the first one closes."""

    recovery_used: str = "The code was right, and is used up. Now choose a new password."
    """A recovery code was typed in place of the password."""

    recovery_notice: str = "An operator made a recovery code for this account since your last login."
    """At the next login."""

    delete_question: str = "Type your password to delete the account with all its characters: "
    """A player wants to delete the account."""

    delete_done: str = "Your account is deleted. Log in within {days} days if you change your mind."
    """It is hidden from now on; the link closes."""

    delete_undo: str = "This account will be destroyed in {days} days. Keep it instead? (yes/no) "
    """Its owner has logged in."""

    # Last words: the player reads one of these, and the connection is closed

    no_input: str = "You have not said a word. Come back when you feel like talking."
    """No line was typed within `limits.first_input_timeout`."""

    idle: str = "You have been silent for too long. Come back when you feel like talking."
    """No line was typed for `limits.idle_timeout`."""

    gateway_closes: str = "This way in closes. Connect again, and you are where you were."
    """A gateway ends, and the world goes on."""

    taken_over: str = "You have come in by another way; this one closes."
    """A second connection took over the session."""

    protocol_abuse: str = "Your program sends what we cannot understand. Goodbye."
    """The peer caused `limits.max_anomalies` protocol faults."""

    not_http: str = "This port is for MUD clients and telnet, not for web browsers."
    """A browser requested a page; nothing that it sends becomes input."""

    shutdown: str = "The world is closing its doors. See you soon!"
    """The server is shutting down, and `shutdown` was called without a text."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str):
                raise ValueError(f'{field.name} = {value!r}: write a text, or "" to say nothing')
            if type(value) is not str:  # its methods are the game's, and may raise
                object.__setattr__(self, field.name, str.__str__(value))
