"""The sentences that builders read, each replaceable."""

from dataclasses import dataclass

__all__ = ["BuildingPhrases"]


@dataclass(frozen=True, slots=True)
class BuildingPhrases:
    """The sentences and words of building. The names in braces are filled in; a phrase may omit them.

    A world in another language or style passes its own to `add_building(phrases=BuildingPhrases(…))`.
    """

    # Words that builders type
    here: str = "here"
    me: str = "me"
    to: str = "to"
    back: str = "back"
    nowhere: str = "nowhere"
    none: str = "none"
    opposites: str = "north-south east-west northeast-southwest northwest-southeast up-down in-out"

    # Answers to digging
    dug: str = 'You dig {way} to "{room}", whose key is {key}.'
    dug_others: str = "{actor} opens a way {way}."  # markup
    joined: str = 'The way {way} leads to "{room}" now.'
    closed: str = 'The way {way} to "{room}" is closed.'
    closed_others: str = "{actor} closes the way {way}."  # markup
    way_taken: str = '{way} leads to "{room}" already. To close that way: dig {way} nowhere'
    back_taken: str = 'In "{room}", {way} leads to "{other}" already. Name another way back: back WAY'
    no_way: str = "There is no way {way} that could be closed."
    no_way_back: str = "What is the way back from there? Add: back WAY, or: back nowhere"
    not_a_way: str = '"{word}" is no direction: use one word of letters that is no command.'
    no_room: str = 'There is no room with the key "{key}". A name that begins with "to" goes into quotes.'
    too_many_rooms: str = "The world has {count} rooms already, and cannot have more."
    too_many_things: str = "The world has {count} things already, and cannot have more."

    # Answers to describing and setting
    described: str = "{thing} has a new description."
    not_described: str = "The description stays as it was."
    text_changed: str = "The description was changed while you wrote; undo brings that one back."
    text_returned: str = "This is what you wrote:"
    thing_head: str = "{thing} [{key}], {kind}:"
    field_row: str = "  {field} = {value}   ({type})"
    was_set: str = "{field} of {thing} is {value} now. It was {before}."
    no_field: str = '"{field}" cannot be set. These can:'
    wrong_value: str = '"{words}" will not do for {field}, which is {type}. It is {value}.'
    not_set: str = "{field} of {thing} cannot be {value}: {reason}"
    too_long: str = "That is too long: {field} has {most} {unit} at most."
    characters: str = "characters"
    bytes: str = "bytes"
    items: str = "items"
    bad_name: str = "A name has letters or digits in it, and none of < > {{ }}."
    is_player: str = "{thing} is played: builders change no players."
    is_gone: str = "{thing} is gone."

    # Answers to making and unmaking
    made: str = "You make {thing} in {place}."
    no_template: str = 'There is no template "{word}", and no class.'
    made_otherwise: str = "A {kind} is not made: rooms are dug, doors are in the map, and players come by themselves."
    needs_template: str = "A {kind} needs values for {fields}: write a template in the map."
    unmade: str = "{thing} is gone now."
    unmade_others: str = '"{room}" is no longer there. You are in "{limbo}".'  # markup
    is_kept: str = '"{room}" cannot be unmade: the world begins there, or lost things go there.'
    no_limbo: str = "The map has no room where the contents could go."

    # Answers to undo and export
    undone: str = "Undone: {act}"
    nothing_to_undo: str = "There is nothing of yours that could be undone."
    not_undone: str = "{act} cannot be undone: {reason}"
    changed_since: str = "{thing} was changed since."
    not_empty: str = "{thing} is not empty."
    in_use: str = "{other} refers to {thing}."
    key_taken: str = "another room has the key {key} now."
    nothing_built: str = "Nothing has been built that the maps do not have."
    too_long_to_show: str = "That is too long to be read here. Write it to a file: export NAME"
    exported: str = "Written to {file}. Name it behind the other maps of the game."
    file_exists: str = "There is a file {file} already. Choose another name."
    file_failed: str = "{file} cannot be written: {reason}"
    no_folder: str = "This game names no folder for exports."
    not_builder: str = "You are no builder any more."

    # The types of fields
    type_text: str = "text"
    type_whole: str = "a whole number"
    type_number: str = "a number"
    type_bool: str = "yes or no"
    type_choice: str = "one of {choices}"
    type_room: str = "the key of a {kind}"
    type_thing: str = "a {kind} in reach"
    type_several: str = "several, with commas between them, each {type}"
    type_optional: str = "{type}, or {none}"
    yes: str = "yes"
    no: str = "no"
