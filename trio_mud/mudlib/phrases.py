"""The sentences of the valley that stand alone: refusals, and what is said at the door."""

from dataclasses import dataclass
from typing import Final

from trio_mud.world import FightPhrases, VerbPhrases

__all__ = ["FIGHTING", "HANDLING", "PHRASES", "WorldPhrases"]


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

    is_closed: str = "The {door} is closed."

    # Looking
    nothing_special: str = "You see nothing special about the {thing}."
    darkness: str = "It is as dark as inside a bell. Something drips."
    things_here: str = "Lying about: {things}."

    # Lamps and loaves
    lamp_dies: str = "The {lamp} gutters, remembers something, and goes out."
    lamp_lit: str = "It burns with a small blue flame."
    lamp_dark: str = "It is not lit."
    is_lit: str = "The {lamp} burns already."
    is_not_lit: str = "The {lamp} is not lit."
    no_oil: str = "There is not a drop of oil in the {lamp}."

    # Giving and taking
    too_much: str = "The {thing} is one thing too many for {who}."
    give_creature: str = "The {whom} has no pockets."
    give_absent: str = "{whom} is absent in mind, and takes nothing."

    # Fighting
    no_fight: str = "You would not fight the {foe}: the valley does not hold with that."
    fights_already: str = "You are busy with that already."
    no_foe: str = "You are not in a fight."
    no_escape: str = "There is no way out!"
    health: str = "You have {health} of {most} drops of life."
    wakes_up: str = "{actor} sits up in the grass and looks surprised."

    # The board
    no_board: str = "There is no board here. You remember one on Gnomon Square."
    board_gone: str = "The board is not here any more. You keep your note."


PHRASES: Final = WorldPhrases()
HANDLING: Final = VerbPhrases(carried="You carry: {things}.", inside="In it you see: {things}.")
FIGHTING: Final = FightPhrases(
    die="It goes dark, and you hear a drop fall, and another. You wake up somewhere else.",
    others_die="{actor} falls, grows thin as breath on a pane, and is gone.",
)
