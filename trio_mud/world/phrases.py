"""The sentences that the standard verbs show to players, each replaceable."""

from dataclasses import dataclass

from trio_mud.commands import Phrases

__all__ = ["FightPhrases", "VerbPhrases"]


@dataclass(frozen=True, slots=True)
class VerbPhrases(Phrases):
    """The sentences of `StandardVerbs`, and those of `Commands`. The names in braces are filled in.

    A sentence with `{actor}` is for the others in the room.
    """

    exits: str = "Exits: {exits}."
    no_exits: str = "There is no way out."
    closed_exit: str = "{way} (closed)"
    here: str = "You see {things}."
    inside: str = "In it: {things}."
    empty: str = "It is empty."
    carried: str = "You carry {things}."
    carry_nothing: str = "You carry nothing."
    counted: str = "{name} ({count})"
    others: str = "{count} more"
    both: str = "and"  # placed before the last of several things
    plain: str = "You see nothing special about {thing}."
    is_open: str = "The {thing} is open."
    is_closed: str = "The {thing} is closed."
    is_locked: str = "The {thing} is locked."
    nowhere: str = "You are nowhere."
    no_way: str = "You cannot go {way}."
    leave: str = "{actor} leaves {way}."
    arrive: str = "{actor} comes in."
    take: str = "You take the {thing}."
    others_take: str = "{actor} takes the {thing}."
    take_from: str = "You take the {thing} out of the {box}."
    others_take_from: str = "{actor} takes the {thing} out of the {box}."
    cannot_take: str = "You cannot take {thing}."
    nothing_to_take: str = "There is nothing to take."
    drop: str = "You drop the {thing}."
    others_drop: str = "{actor} drops the {thing}."
    put: str = "You put the {thing} into the {box}."
    others_put: str = "{actor} puts the {thing} into the {box}."
    no_room: str = "The {thing} does not fit into the {box}."
    give: str = "You give the {thing} to {target}."
    others_give: str = "{actor} gives the {thing} to {target}."
    target_give: str = "{actor} gives you the {thing}."
    open: str = "You open the {thing}."
    others_open: str = "{actor} opens the {thing}."
    beyond_open: str = "The {thing} opens."  # read on the other side of a door
    close: str = "You close the {thing}."
    others_close: str = "{actor} closes the {thing}."
    beyond_close: str = "The {thing} closes."
    lock: str = "You lock the {thing}."
    others_lock: str = "{actor} locks the {thing}."
    unlock: str = "You unlock the {thing}."
    others_unlock: str = "{actor} unlocks the {thing}."
    no_key: str = "You have no key for the {thing}."
    is_unlocked: str = "The {thing} is not locked."


@dataclass(frozen=True, slots=True)
class FightPhrases:
    """The sentences of a fight; a class of beings may have its own. The names in braces are filled in."""

    hit: str = "You hit {target}."
    others_hit: str = "{actor} hits {target}."
    target_hit: str = "{actor} hits you."
    die: str = "You die."
    others_die: str = "{actor} dies."
