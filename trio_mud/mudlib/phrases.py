"""What the verbs of the valley say to players when something cannot be done, beside the phrases of their tables."""

from dataclasses import dataclass

__all__ = ["PHRASES", "WorldPhrases"]


@dataclass(frozen=True, slots=True)
class WorldPhrases:
    """The sentences of the valley. The names in braces are filled in; a phrase may leave them out."""

    no_charset: str = 'No charset is called "{word}": try {choices}.'
    no_account: str = "You are a guest here, and have no account."
    too_long: str = "That was too much at once: only the first {longest} characters of it are heard."


PHRASES = WorldPhrases()
