"""Short words for long names: which of these can the player mean?

Used for verbs, for the members of an enum, and by the valley for the names of its guests.
"""

from collections.abc import Iterable, Sequence


def matches(word: str, names: Iterable[str]) -> list[str]:
    """The names that `word` can stand for, in their order: the one it spells in full, or else all that begin with it.

    Case does not matter. An empty word stands for nothing.
    """
    short = word.casefold()
    if not short:
        return []
    beginnings = [name for name in names if name.casefold().startswith(short)]
    return [name for name in beginnings if name.casefold() == short] or beginnings


def listing(names: Sequence[str], last: str) -> str:
    """Names as a sentence has them: `a`, `a or b`, `a, b or c`, where `last` is the word before the last."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
