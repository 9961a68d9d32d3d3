"""The sentences of the valley that stand alone: refusals, and what is said at the door."""

from dataclasses import dataclass

__all__ = ["PHRASES", "WorldPhrases"]


@dataclass(frozen=True, slots=True)
class WorldPhrases:
    """The sentences of the valley. The names in braces are filled in; a phrase may leave them out."""

    valley: str = "Valley of the Slow Water"

    # At the door
    name_looks_taken: str = "Somebody in the valley has a name that looks just like this one."
    too_many_tries: str = "The geese lose patience. Come back when you know who you are."
    left_at_the_door: str = "The road takes you back over the rise."
    without_a_name: str = "You seem to be nobody. Please come in again."
    slip_back: str = "{name}'s body still stands where it was left. You slip back into it, and hear what it heard."

    # Tuning, keeping, talking
    no_charset: str = 'No charset is called "{word}": try {choices}.'
    no_account: str = "You are a guest here, and have no account."
    too_long: str = "That was too much at once: only the first {longest} characters of it are heard."
    not_in_valley: str = 'Nobody in the valley is called "{words}".'
    which_one: str = "Do you mean {choices}?"

    # Moving
    no_way: str = "There is no way {way} from here."
    which_way: str = "Do you mean {choices}?"

    # The board
    no_board: str = "There is no board here. You remember one on Gnomon Square."


PHRASES = WorldPhrases()
