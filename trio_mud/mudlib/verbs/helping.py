"""Helping: what `help` answers, about commands and about topics."""

from collections.abc import Mapping

from trio_mud.commands import Commands, Mistake, listing, matches, similar

from ..social_phrases import SOCIAL_PHRASES
from ..topics import Topic
from ..villager import Villager

__all__ = ["add_help"]


def add_help(table: Commands[Villager], topics: Mapping[str, Topic]) -> None:
    """Give a table a help that lists its commands and these topics, and explains each of them."""

    @table.verb("help", "?")
    def explain(who: Villager, word: str = "") -> None:
        """List the commands, or explain one of them, or a topic."""
        word = word.strip().casefold()
        who.read(answer(table, topics, who, word) if word else overview(table, topics, who))


def overview(table: Commands[Villager], topics: Mapping[str, Topic], who: Villager) -> str:
    """Return the list of all commands and topics."""
    more = table.phrases.more.format(verb="help")
    width = max(map(len, topics))
    listed = [f"{name:{width}}  {topic.title}" for name, topic in sorted(topics.items())]
    return "\n".join([table.explain("", who), "", more, SOCIAL_PHRASES.help_topics, "", *listed])


def answer(table: Commands[Villager], topics: Mapping[str, Topic], who: Villager, word: str) -> str:
    """Return what there is to read about a word: the command, the topic, or both if both have that name.

    A name in full takes precedence over a shortened one, and a command over a topic.

    Raises:
        Mistake: There is nothing; the text names what may be meant.
    """
    topic = topics.get(word)
    try:
        command, _ = table.find(word, who)
    except Mistake:
        command = None
    is_exact = command is not None and word in command.verbs
    parts = []
    if command is not None and (is_exact or topic is None):
        parts.append(table.explain(word, who))
    if topic is None and not parts and len(shortened := matches(word, topics)) == 1:
        topic = topics[shortened[0]]
    if topic is not None:
        parts.append(f"{topic.title}\n\n{topic.text}")
    if not parts:
        raise Mistake(unknown(table, topics, who, word))
    return "\n\n".join(parts)


def unknown(table: Commands[Villager], topics: Mapping[str, Topic], who: Villager, word: str) -> str:
    """Return that there is no such help, with the commands and topics that are spelt like it."""
    verbs = [line.split()[0] for line in table.explain("", who).splitlines() if line]
    text = SOCIAL_PHRASES.no_help.format(word=word)
    if likely := similar(word, dict.fromkeys([*verbs, *topics])):
        choices = listing(likely, table.phrases.either)
        text = f"{text} {table.phrases.did_you_mean.format(choices=choices)}"
    return text
