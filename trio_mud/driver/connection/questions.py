"""The questions of a dialog that are built from `ask`: yes or no, a choice, a pager, a line editor.

Their texts are in the driver's `Texts`, which a game may replace.
Used by scripts, through `Dialog`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar, overload

from ...errors import NoAnswer
from ...text import Markup, Text, join, pages
from ...texts import Texts
from ..core.checks import check_function
from ..link.client import Client
from .editor import Editor

T = TypeVar("T")

TRIES = 5  # answers to one question; a player who wants to answer rarely needs more than two


class _Asked(Protocol):
    """The connection, as far as questions need it."""

    name: str
    client: Client

    def write(self, text: Text) -> bool: ...
    def _notify_player(self, text: str) -> None: ...


class Questions:
    """Base class of `Dialog` with the questions that need only its `ask`."""

    __slots__ = ()

    connection: _Asked

    @property
    def _texts(self) -> Texts:
        raise NotImplementedError

    def _give_back(self, line: str) -> None:
        """Put back a line that was not an answer."""
        raise NotImplementedError

    async def ask(self, question: Text, *, within: float | None = None) -> str:
        """Ask for one line; `Dialog` implements it."""
        raise NotImplementedError

    async def confirm(self, question: Text, *, default: bool | None = None) -> bool:
        """Ask for yes or no, in the words of `texts.yes` and `texts.no`; repeat the question after other answers.

        Args:
            question: Shown unchanged, so it should name the answers: "Burn the letter? (yes/no) ".
            default: The meaning of an empty line; None repeats the question.

        Raises:
            NoAnswer: Five answers were neither yes nor no.
        """
        texts = self._texts
        for _ in range(TRIES):
            answer = (await self.ask(question)).strip().casefold()
            if not answer and default is not None:
                return default
            for words, meaning in ((texts.yes, True), (texts.no, False)):
                if answer in words.casefold().split():
                    return meaning
            self.connection._notify_player(texts.confirm_again)
        raise self._no_answer()

    @overload
    async def choose(self, question: Text, options: Mapping[str, T]) -> T: ...

    @overload
    async def choose(self, question: Text, options: Sequence[T]) -> T: ...

    async def choose(self, question: Text, options: Mapping[str, T] | Sequence[T]) -> T:
        """List the options with numbers, and ask for one by its number, its name or the beginning of its name.

        Args:
            question: Shown below the list.
            options: A mapping by name, or a sequence of objects whose `str` is their name. Case does not matter.

        Returns:
            The mapping's value, or the sequence's item.

        Raises:
            NoAnswer: Five answers named no single option.
            ValueError: There are no options.
        """
        by_name = dict(options) if isinstance(options, Mapping) else {str(option): option for option in options}
        if not by_name:
            raise ValueError("there is nothing to choose from: give at least one option")
        texts, names = self._texts, list(by_name)
        self.connection.write("\n".join(f"{number:2}) {name}" for number, name in enumerate(names, 1)))
        for _ in range(TRIES):
            found = _named((await self.ask(question)).strip().casefold(), names)
            if len(found) == 1:
                return by_name[found[0]]
            self.connection._notify_player(texts.choose_ambiguous if found else texts.choose_again)
        raise self._no_answer()

    async def page(self, text: Text) -> bool:
        """Show a long text one window at a time: Enter continues, a word of `texts.page_stop` stops.

        Any other line stops too and is put back: it is the next line of this dialog, or becomes `Input`.
        The window may be resized meanwhile. A client with a screen reader receives the whole text at once.

        Returns:
            True if all of it was shown.
        """
        connection, read = self.connection, 0
        client, texts = connection.client, self._texts
        while True:
            before, lines = _unread(text, read, client.rendering.width)
            height = len(lines) if client.screen_reader else max(client.size.rows - 1, 1)
            if lines:
                connection.write(join("\n", lines[:height]))
            if len(lines) <= height:
                return True
            line = await self.ask(texts.page_more)
            answer = line.strip().casefold()
            if answer:
                if answer not in texts.page_stop.casefold().split():
                    self._give_back(line)
                return False
            read = before + sum(map(_ink, lines[:height]))

    async def edit(
        self,
        text: str = "",
        *,
        most_lines: int = 500,
        most_bytes: int = 32 * 1024,
        draft: Callable[[str], object] | None = None,
    ) -> str | None:
        """Let the player write a text line by line; `texts.edit_help` lists the editor's commands.

        Args:
            text: The initial text.
            most_lines: The greatest number of lines.
            most_bytes: The greatest size in bytes, in UTF-8.
            draft: Called after each line with the whole text so far. A dialog ends with its connection: keep the
                draft on the session, and pass it as `text` when the player returns.

        Returns:
            The lines, with newlines between them; None if the player gave up.
        """
        connection, texts = self.connection, self._texts
        if draft is not None:
            check_function(draft, "Dialog.edit(draft=)", "text", plain=True)
        editor = Editor(text, texts, most_lines=most_lines, most_bytes=most_bytes)
        connection._notify_player(texts.edit_hello)
        while not editor.is_over:
            connection._notify_player(editor.take(await self.ask(texts.edit_prompt)))
            if draft is not None:
                draft(editor.text)
        return editor.result

    def _no_answer(self) -> NoAnswer:
        return NoAnswer(f"{self.connection.name} gave no answer that fits, {TRIES} times: go on without")


def _named(answer: str, names: Sequence[str]) -> Sequence[str]:
    """Return the names that an answer may mean: the exact name, or else the number, or else all with that prefix."""
    if not answer:
        return []
    if exact := [name for name in names if name.casefold() == answer]:
        return exact
    if answer.isascii() and answer.isdigit():
        return names[int(answer[:9]) - 1 : int(answer[:9])] if int(answer[:9]) else []
    return [name for name in names if name.casefold().startswith(answer)]


def _unread(text: Text, read: int, width: int | None) -> tuple[int, list[Markup]]:
    """Return the ink (visible characters) before the unread lines, and those lines, wrapped at this width."""
    lines = pages(text, width, rows=2)  # one line each
    if not read:
        return 0, lines
    before = 0
    for at, line in enumerate(lines):
        ink = _ink(line)
        if before + ink > read:
            return before, lines[at:]
        before += ink
    return before, []


def _ink(text: Markup) -> int:
    """Return the number of visible characters, which does not depend on how the text is wrapped."""
    return sum(map(len, text.plain.split()))
