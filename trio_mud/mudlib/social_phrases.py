"""The sentences of the verbs that players talk with: channels, ignoring, absence, letters, gestures, help."""

from dataclasses import dataclass

__all__ = ["SOCIAL_PHRASES", "SocialPhrases"]


@dataclass(frozen=True, slots=True)
class SocialPhrases:
    """Sentences to players. The names in braces are filled in; a phrase may leave them out."""

    # Channels
    no_channel: str = 'There is no channel "{name}": try {choices}.'
    channel_said: str = '<cyan>[{channel}]</cyan> <b>{name}</b>: "{words}"'
    channel_kept: str = '<cyan>[{channel}]</cyan> {age} ago, <b>{name}</b>: "{words}"'
    channel_quiet: str = "Nothing has been said on {channel}."
    channel_joined: str = "You listen to {channel}."
    channel_is_joined: str = "You listen to {channel} already."
    channel_left: str = "You stop listening to {channel}: {join} changes that."
    channel_is_left: str = "You do not listen to {channel}: {join} changes that."
    channel_heard: str = "{channel}: {text} ({count} listening)"
    channel_not_heard: str = "{channel}: {text} (you do not listen)"
    minutes: str = "{count} min"
    hours: str = "{count} h"
    days: str = "{count} d"

    # Ignoring
    ignored_now: str = "You hear nothing more from {name}."
    ignored_not: str = "You hear {name} again."
    ignored_full: str = "You ignore {most} people already. Forgive one of them first, by unignore."
    ignored_nobody: str = "You ignore nobody."
    ignored_are: str = "You ignore {names}."
    ignored_unknown: str = 'You ignore nobody called "{name}".'
    ignored_self: str = "You try not to listen to yourself, and it nearly works."
    ignored_answer: str = "You ignore {name}, and will not read an answer."

    # Absence
    nobody_told: str = "Nobody has told you anything yet."
    teller_gone: str = "{name} is not in the valley any more."
    afk_now: str = "You are away: {message}. Your next command ends it."
    afk_plain: str = "away from the keyboard"
    afk_over: str = "You are back."
    afk_told: str = "{name} is away: {message}."
    afk_seen: str = "is away: {message}"

    # Letters
    no_letter: str = "You have no letter {number}."
    no_letters: str = "You have no letters."
    new_letters: str = "You have {count} new letters: {mail} lists them."
    new_letter: str = "You have 1 new letter: {mail} lists it."
    letter_came: str = "A letter from <b>{name}</b> has come: {mail} lists it."
    letter_listed: str = "{number}  from <b>{name}</b>, on {date}"
    letter_listed_new: str = "{number}  from <b>{name}</b>, on {date} (new)"
    letter_head: str = "Letter {number}, from <b>{name}</b>, on {date}:"
    letter_resumed: str = "You go on with the letter that you had begun. Type .l to see it."
    letter_discarded: str = "You throw away letter {number}, from {name}."
    letter_begun: str = "You write to {name}."
    letter_given_up: str = "You write nothing, and keep the paper."
    letter_sent: str = "Your letter to {name} is sent."
    letter_slow: str = "Your letter to {name} is under way, but the post is slow today."
    letter_unknown: str = 'No player called "{name}" has a mailbox.'
    letter_full: str = "The mailbox of {name} is full. Try again when {name} has made room."
    unreadable: str = "What is kept of {name} cannot be read. Please tell those who run this place."

    # Gestures
    socials_title: str = "Gestures: what you can do without words"
    socials_text: str = "Type one alone, or most of them with a name: bow, or bow ann."

    # Help
    help_topics: str = "There are topics to read about, too:"
    no_help: str = 'There is no help about "{word}".'


SOCIAL_PHRASES = SocialPhrases()
