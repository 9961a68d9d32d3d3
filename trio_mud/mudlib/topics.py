"""Help topics: text files in a folder, each named after its topic.

The first line of a file is the title. Lines that belong together are joined, so that they fit every window; a line
that begins with a space stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trio_mud.errors import ConfigurationError

from .toml_tables import DataFile, read_text

__all__ = ["Topic", "read_topics"]

LONGEST_TOPIC = 16 * 1024  # characters
SUFFIX = ".txt"

_NAME = re.compile(r"[a-z]{2,16}")


@dataclass(frozen=True, slots=True)
class Topic:
    """One text: a title, and paragraphs."""

    title: str
    text: str


def read_topics(folder: DataFile) -> Mapping[str, Topic]:
    """Return the topics of a folder, by name; files that do not end in `.txt` are left alone.

    Raises:
        ConfigurationError: The folder or a file cannot be read, or is wrong; the message has its name.
    """
    try:
        files = sorted(folder.iterdir(), key=lambda file: file.name)
    except OSError as error:
        raise ConfigurationError(f"{folder.name}: cannot be read: {error.strerror}; looked for {folder}") from None
    found = {file.name.removesuffix(SUFFIX): _read(file) for file in files if file.name.endswith(SUFFIX)}
    if not found:
        raise ConfigurationError(f"{folder.name}: no help topics; write files that end in {SUFFIX}")
    return found


def _read(file: DataFile) -> Topic:
    name = file.name
    if not _NAME.fullmatch(name.removesuffix(SUFFIX)):
        raise ConfigurationError(f"{name}: name a topic by one word of 2 to 16 letters from a to z")
    text = read_text(file)
    title, _, rest = text.partition("\n")
    if not title.strip() or not rest.strip():
        raise ConfigurationError(f"{name}: write a title in the first line, and the text below it")
    if len(text) > LONGEST_TOPIC:
        raise ConfigurationError(f"{name}: {len(text)} characters; write at most {LONGEST_TOPIC}")
    return Topic(title.strip(), "\n".join(_joined(rest.strip("\n").splitlines())).rstrip("\n"))


def _joined(lines: list[str]) -> Iterator[str]:
    """Yield the lines of a text, with those of a paragraph joined into one."""
    paragraph: list[str] = []
    for line in [*lines, ""]:
        is_plain = bool(line.strip()) and not line[0].isspace()
        if is_plain:
            paragraph.append(line.strip())
            continue
        if paragraph:
            yield " ".join(paragraph)
            paragraph = []
        yield line.rstrip()
