"""Every sentence that the driver itself says to players.

They are short and belong to no particular world, so that a game may keep them; a game may replace each one.
They are plain text: no markup, no placeholders, no line end.
Who uses them: the driver, when no hook is there to speak; a configuration file replaces them in its table `[texts]`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Texts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The driver's own words; an empty text says nothing.

    Nobody is told of a write stall or a reset: there is nobody left to tell.

    Raises:
        ValueError: A text is not a `str`.
    """

    # At the door: the visitor reads one of these and the link closes

    server_full: str = "Every place is taken just now. Please try again in a little while."
    """As many connections as `limits.max_connections` allows."""

    too_many_from_address: str = "Too many visitors came from your address. Please leave with one of them first."
    """As many connections from there as `limits.max_per_address` allows."""

    connect_failed: str = "The door is stuck. We have been told; please try again later."
    """A connect function raised."""

    connect_too_slow: str = "The doorkeeper does not answer. Please try again later."
    """A waiting connect function was cut at `limits.hook_timeout`."""

    refused: str = "You may not come in."
    """A connect function refused, and gave no text of its own."""

    # Inside: the player reads one of these and stays

    command_failed: str = "Something went wrong with that. We have been told."
    """A function on the player's line raised."""

    command_too_slow: str = "That took too long and was given up."
    """A waiting function on the player's line was cut at `limits.hook_timeout`."""

    line_cut: str = "That line was too long; only its beginning was read."
    """More bytes than `limits.max_line` allows."""

    output_dropped: str = "(Some lines are missing here: they came faster than you could read them.)"
    """Messages were dropped because more than `limits.max_output` bytes were waiting."""

    idle_warning: str = "Are you still there? Say something, or you will be shown out soon."
    """A minute is left, or half, of `limits.idle_timeout`."""

    missed: str = "({count} lines came and went while you were away.)"
    """More was written during a link death than `limits.max_replay` keeps; `{count}` says how much was lost."""

    # In dialogs: words that a player may answer, apart by spaces, and what the questions say

    yes: str = "yes y"
    """What says yes to `dialog.confirm`, in whatever case."""

    no: str = "no n"
    """What says no."""

    confirm_again: str = "Please answer yes or no."
    """Neither was said."""

    choose_again: str = "Please choose one of these, by its number or its name."
    """None of the options of `dialog.choose` was named."""

    choose_ambiguous: str = "That could be more than one of these."
    """The beginnings of several options were named."""

    no_answer: str = "Never mind, then."
    """Asked again and again, the player gave no answer that fits, and the script does not go on without."""

    page_more: str = "[Enter reads on, q stops] "
    """The question between two pages."""

    page_stop: str = "q quit"
    """What says that enough was read."""

    edit_hello: str = "Write line by line. A dot alone ends it, and .h helps."
    """The editor begins."""

    edit_prompt: str = "] "
    """The editor waits for a line."""

    edit_help: str = ". ends, .q gives up, .l lists, .d 3 deletes, .i 3 text inserts, .r 3 replaces"
    """The editor's commands."""

    edit_unknown: str = "There is no such command, or no such line. A dot alone ends, and .h helps."
    """A line for the editor began with a dot, and it could not do what it says."""

    edit_full: str = "There is no room for that."
    """The text in the editor is as long as it may become."""

    # The last words: the player reads one of these and the link closes

    no_input: str = "You have not said a word. Come back when you feel like talking."
    """No line typed within `limits.first_input_timeout`."""

    idle: str = "You have been silent for too long. Come back when you feel like talking."
    """No line typed for `limits.idle_timeout`."""

    taken_over: str = "You have come in by another way; this one closes."
    """A second connection took over the session."""

    protocol_abuse: str = "Your program sends what we cannot understand. Goodbye."
    """The last of `limits.max_anomalies` protocol faults."""

    not_http: str = "This port is for MUD clients and telnet, not for web browsers."
    """To a browser that asks for a page; nothing it sends becomes input."""

    shutdown: str = "The world is closing its doors. See you soon!"
    """The server is shutting down, and was given no text of its own."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str):
                raise ValueError(f'{field.name} = {value!r}: write a text, or "" to say nothing')
            if type(value) is not str:  # its methods are the game's, and may raise
                object.__setattr__(self, field.name, str.__str__(value))
