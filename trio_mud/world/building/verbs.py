"""The verbs of builders, and the way in: `add_building`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import trio

from trio_mud import Dialog
from trio_mud.commands import Commands, Mistake, Role

from ..being import Traveller
from ..room import Room
from .digging import Digging
from .export import export
from .making import Making
from .naming import free_key
from .options import BuildingOptions
from .phrases import BuildingPhrases
from .setting import Setting
from .workshop import Workshop

__all__ = ["add_building"]

BuilderT = TypeVar("BuilderT", bound=Traveller)


def add_building(
    commands: Commands[BuilderT],
    *,
    room: type[Room] = Room,
    exports: str | Path | None = None,
    phrases: BuildingPhrases | None = None,
    options: BuildingOptions | None = None,
) -> None:
    """Add the verbs of builders to a table: dig, describe, set, make, unmake, undo and export.

    They exist for actors whose role, by `role_of` of the table, is `Role.BUILDER` or higher. They are typed in full,
    so the abbreviations of other verbs stay as they are.

    Args:
        commands: The table, made with `role_of=`.
        room: The class of rooms that are dug; all its fields have defaults.
        exports: The folder for files of `export NAME`; None if it only shows the export.
        phrases: The sentences that builders read.
        options: The bounds.
    """
    shop = Workshop(commands, phrases or BuildingPhrases(), options or BuildingOptions(), room)
    digging, making, setting = Digging(shop), Making(shop), Setting(shop)
    exporting = Exporting(shop, Path(exports) if exports is not None else None)
    table: Commands[Any] = Commands(help_verbs=())
    for verb, function in (
        ("dig", digging.dig),
        ("describe", setting.describe),
        ("set", setting.set_field),
        ("make", making.make),
        ("unmake", making.unmake),
        ("undo", shop.undo),
        ("export", exporting.export),
    ):
        table.verb(verb, abbreviated=False, role=Role.BUILDER)(function)
    commands.include(table)


class Exporting:
    """Shows the export, and writes it to files."""

    def __init__(self, workshop: Workshop, folder: Path | None) -> None:
        self._shop, self._folder = workshop, folder

    async def export(self, who: Traveller, name: str = "") -> None:
        """Show what builders have changed, as a map; with a name, write it to a new file."""
        phrases = self._shop.phrases
        text = export(who.world)
        if not text:
            raise Mistake(phrases.nothing_built)
        if name:
            await self._write(who, name, text)
        elif len(text.encode()) > self._shop.options.max_shown:
            raise Mistake(phrases.too_long_to_show)
        elif who.session is not None and who.session.connection is not None:
            who.session.connection.start_dialog(partial(_page, text=text))

    async def _write(self, who: Traveller, name: str, text: str) -> None:
        phrases = self._shop.phrases
        if self._folder is None:
            raise Mistake(phrases.no_folder)
        file = trio.Path(self._folder / f"{free_key(name, ())}.toml")
        self._shop.log(who, f"export {file.name}")
        try:
            await file.parent.mkdir(parents=True, exist_ok=True)
            if await file.exists():
                raise Mistake(phrases.file_exists.format(file=file.name))
            async with await file.open("x", encoding="utf-8") as opened:
                await opened.write(text)
        except OSError as error:
            raise Mistake(phrases.file_failed.format(file=file.name, reason=error.strerror)) from None
        who.write(phrases.exported.format(file=file))


async def _page(dialog: Dialog, text: str) -> None:
    await dialog.page(text)
