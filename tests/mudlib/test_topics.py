"""Help topics as the files of a folder."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from trio_mud.errors import ConfigurationError
from trio_mud.mudlib.topics import LONGEST_TOPIC, read_topics

GEESE = """The geese

They take the toll,
and never count it.

  goose     one
  geese     several
Beware.
"""


def test_lines_of_a_paragraph_are_joined_and_indented_lines_stay(tmp_path: Path) -> None:
    tmp_path.joinpath("geese.txt").write_text(GEESE)
    tmp_path.joinpath("notes.md").write_bytes(b"\xff")
    (topic,) = read_topics(tmp_path).values()
    assert topic.title == "The geese"
    assert topic.text == "They take the toll, and never count it.\n\n  goose     one\n  geese     several\nBeware."


def test_the_topics_of_the_valley_fit_a_narrow_window() -> None:
    topics = read_topics(files("trio_mud.mudlib").joinpath("help"))
    assert {"channels", "letters", "newcomers", "talking"} <= topics.keys()
    for name, topic in topics.items():
        assert len(topic.title) < 60, name
        indented = [line for line in topic.text.splitlines() if line.startswith(" ")]
        assert max(map(len, indented), default=0) < 80, name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("geese.txt", b"The g\xffse\n\ntext", "geese.txt: not in UTF-8: "),
        ("geese.txt", b"", "geese.txt: write a title in the first line"),
        ("geese.txt", b"\n\ntext", "geese.txt: write a title in the first line"),
        ("geese.txt", b"The geese\n\n \n", "geese.txt: write a title in the first line"),
        ("geese.txt", b"The geese\n\n" + b"g" * LONGEST_TOPIC, "geese.txt: 16395 characters; write at most 16384"),
        ("the geese.txt", GEESE.encode(), "the geese.txt: name a topic by one word"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    tmp_path.joinpath("river.txt").write_text("The river\n\nIt takes its time.")
    tmp_path.joinpath(name).write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_topics(tmp_path)
    assert str(caught.value).startswith(message)


def test_a_missing_or_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^lore: cannot be read: No such file or directory; looked for"):
        read_topics(tmp_path / "lore")
    with pytest.raises(ConfigurationError, match=r"no help topics; write files that end in \.txt$"):
        read_topics(tmp_path)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    tmp_path.joinpath("geese.txt").mkdir()
    with pytest.raises(ConfigurationError, match=r"^geese.txt: cannot be read: Is a directory"):
        read_topics(tmp_path)
