"""The verbs `describe` and `set`."""

from __future__ import annotations

from functools import partial

from trio_mud import Dialog
from trio_mud.commands import Mistake, matches
from trio_mud.commands.arguments import unquoted
from trio_mud.errors import DuplicateKey
from trio_mud.storage.schema import kind_of

from ..being import Traveller
from ..thing import Thing
from .fields import settable
from .naming import checked_text
from .workshop import Workshop, shown_key

__all__ = ["Setting"]


class Setting:
    """Shows and sets fields for builders."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._phrases = workshop.phrases

    def describe(self, who: Traveller, thing: str, text: str = "") -> None:
        """Write the description of a thing, or of the room (here); in the editor, if no text follows.

        describe here A long room with a cold hearth.
        describe lamp
        """
        target = self._shop.find(who, thing)
        if text:
            self._describe(who, target, unquoted(text))
        elif who.session is not None and who.session.connection is not None:
            who.session.connection.start_dialog(partial(self._edit, who=who, thing=target))

    async def _edit(self, dialog: Dialog, who: Traveller, thing: Thing) -> None:
        """Let the builder write a description; a text that cannot be taken any more is given back."""
        before, text = thing.text, None

        def check(_: str) -> None:
            self._shop.check_role(who)

        try:
            text = await dialog.edit(before, most_bytes=self._shop.options.max_text, draft=check)
            if text is None:
                who.write(self._phrases.not_described)
                return
            self._shop.check_buildable(thing)
            has_changed = thing.text != before
            self._describe(who, thing, text)
            if has_changed:
                who.write(self._phrases.text_changed)
        except Mistake as mistake:
            who.write(str(mistake))
            if text:
                who.write(f"{self._phrases.text_returned}\n{text}")

    def _describe(self, who: Traveller, thing: Thing, text: str) -> None:
        text = checked_text(text, "text", self._phrases, self._shop.options)
        with self._shop.act(who, f"describe {shown_key(thing)}") as act:
            act.set(thing, "text", text)
        who.write(self._phrases.described.format(thing=thing))

    def set_field(self, who: Traveller, thing: str, field: str = "", value: str = "") -> None:
        """Set a field of a thing, or of the room (here); without a value, show what can be set.

        set lamp
        set lamp oil 300
        set lamp aliases lantern, light
        set lamp text ""
        """
        target = self._shop.find(who, thing)
        fields, found = self._shop.fields(who), matches(field, settable(target))
        if len(found) != 1 or not value:
            head = self._phrases.thing_head.format(thing=target, key=shown_key(target), kind=kind_of(type(target)))
            if field and len(found) != 1:
                head = self._phrases.no_field.format(field=field)
            shown = found if field and found else None
            who.write("\n".join([head, *fields.rows(target, shown)]))
            return
        name = found[0]
        new, before = fields.read(target, name, value), getattr(target, name)
        with self._shop.act(who, f"set {shown_key(target)} {name} {fields.show(new)}") as act:
            try:
                act.set(target, name, new)
            except (DuplicateKey, TypeError, ValueError) as error:  # the class of the game refuses it
                reason = str(error)
                raise Mistake(
                    self._phrases.not_set.format(field=name, thing=target, value=fields.show(new), reason=reason)
                ) from None
        before_shown, value_shown = fields.show(before), fields.show(new)
        who.write(self._phrases.was_set.format(field=name, thing=target, value=value_shown, before=before_shown))
