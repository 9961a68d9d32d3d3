"""What a dialog can ask that takes more than one line: yes or no, one of several, page after page, a whole text.

Each is made of `Dialog.ask`, which says how lines come and go, and of the driver's `Texts`, which a game may replace.
Who uses it: scripts, through `Dialog`.
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

TRIES = 5  # answers to one question; who means to answer it needs two


class _Asked(Protocol):
    """The connection, as far as questions need it."""

    name: str
    client: Client

    def write(self, text: Text) -> bool: ...
    def notify_player(self, text: str) -> None: ...


class Questions:
    """The half of a `Dialog` that asks by its other half."""

    __slots__ = ()

    connection: _Asked

    @property
    def _texts(self) -> Texts:
        raise NotImplementedError

    def _give_back(self, line: str) -> None:
        """Put back a line that was no answer."""
        raise NotImplementedError

    async def ask(self, question: Text, *, within: float | None = None) -> str:
        """Ask for one line; the other half's."""
        raise NotImplementedError

    async def confirm(self, question: Text, *, default: bool | None = None) -> bool:
        """Ask for yes or no, in the words of `texts.yes` and `texts.no`; anything else is asked again.

        Args:
            question: Shown as it is, so say what may be answered: "Burn the letter? (yes/no) ".
            default: What an empty line says; None: it says nothing.

        Raises:
            NoAnswer: Neither was said five times.
        """
        texts = self._texts
        for _ in range(TRIES):
            answer = (await self.ask(question)).strip().casefold()
            if not answer and default is not None:
                return default
            for words, meaning in ((texts.yes, True), (texts.no, False)):
                if answer in words.casefold().split():
                    return meaning
            self.connection.notify_player(texts.confirm_again)
        raise self._no_answer()

    @overload
    async def choose(self, question: Text, options: Mapping[str, T]) -> T: ...

    @overload
    async def choose(self, question: Text, options: Sequence[T]) -> T: ...

    async def choose(self, question: Text, options: Mapping[str, T] | Sequence[T]) -> T:
        """List the options with numbers, and let one be chosen by its number, its name or a beginning of that.

        Args:
            question: Shown below the list.
            options: By their names, or things whose `str` is their name. Case does not matter.

        Returns:
            The mapping's value, or the sequence's item.

        Raises:
            NoAnswer: None was chosen five times.
            ValueError: There are none.
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
            self.connection.notify_player(texts.choose_ambiguous if found else texts.choose_again)
        raise self._no_answer()

    async def page(self, text: Text) -> bool:
        """Show a long text, a window at a time: Enter reads on, and a word of `texts.page_stop` stops.

        Any other line stops too, and is not lost: it is the next line of this dialog, or else becomes `Input`.
        The window may change its size meanwhile. A screen reader gets everything at once.

        Returns:
            Whether all of it was shown.
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
        """Let a text be written, line by line; `texts.edit_help` says how.

        Args:
            text: What it begins with.
            most_lines: No line is added beyond these.
            most_bytes: Nor beyond these, in UTF-8.
            draft: Called after each line with all that is written so far. A dialog ends with its connection: keep the
                draft on the session, and give it as `text` when the player is back.

        Returns:
            The lines, with newlines between them; None if the player gave up.
        """
        connection, texts = self.connection, self._texts
        if draft is not None:
            check_function(draft, "Dialog.edit(draft=)", "text")
        editor = Editor(text, texts, most_lines=most_lines, most_bytes=most_bytes)
        connection.notify_player(texts.edit_hello)
        while not editor.is_over:
            connection.notify_player(editor.take(await self.ask(texts.edit_prompt)))
            if draft is not None:
                draft(editor.text)
        return editor.result

    def _no_answer(self) -> NoAnswer:
        return NoAnswer(f"{self.connection.name} gave no answer that fits, {TRIES} times: go on without")


def _named(answer: str, names: Sequence[str]) -> Sequence[str]:
    """The names that an answer may mean: its very name first, then its number, then all that begin so."""
    if not answer:
        return []
    if exact := [name for name in names if name.casefold() == answer]:
        return exact
    if answer.isascii() and answer.isdigit():
        return names[int(answer[:9]) - 1 : int(answer[:9])] if int(answer[:9]) else []
    return [name for name in names if name.casefold().startswith(answer)]


def _unread(text: Text, read: int, width: int | None) -> tuple[int, list[Markup]]:
    """The lines, at this width, that hold what is not read, and how much ink stands before them."""
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
    """How many characters can be seen: what stays the same however a text is wrapped."""
    return sum(map(len, text.plain.split()))
