"""The tail: what a client has received and what it is missing is always all that was sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trio_mud.driver.link.tail import OVERHEAD, Tail

# Whole lines, and prompts.
TEXTS = st.lists(st.text("ab\n", max_size=12).map(lambda text: text[: text.rfind("\n") + 1] or text), max_size=20).map(
    lambda texts: [text.encode() for text in texts]
)


@given(TEXTS, st.integers(1, 300), st.data())
def test_received_and_missing_lines_are_all_lines_or_it_is_known_how_many_are_lost(
    texts: list[bytes], limit: int, data: st.DataObject
) -> None:
    tail = Tail(limit)
    for text in texts:
        tail.add(text)
    lines = b"".join(text for text in texts if b"\n" in text).split(b"\n")
    assert tail.lines == len(lines) - 1
    seen = data.draw(st.integers(0, tail.lines))
    missing = tail.missing(seen)
    assert missing.lost is not None
    assert missing.first == seen + missing.lost
    assert missing.first + missing.lines == tail.lines
    assert missing.text.count(b"\n") == missing.lines
    kept = missing.text.split(b"\n")
    assert kept[:-1] == lines[missing.first : -1]
    if limit > sum(len(text) + OVERHEAD for text in texts):
        assert missing.lost == 0


@given(TEXTS, st.integers(1, 300))
def test_the_kept_text_is_bounded_by_its_limit_or_by_one_chunk_within_it(texts: list[bytes], limit: int) -> None:
    tail = Tail(limit)
    for text in texts:
        tail.add(text)
    assert len(tail.missing(0).text) <= limit


def test_a_client_that_shows_nothing_gets_all_that_is_kept() -> None:
    tail = Tail(1000)
    tail.add(b"one\r\ntwo\r\n")
    assert tail.missing(None) == tail.missing(0) == (b"one\r\ntwo\r\n", 0, 2, 0)


def test_a_count_of_another_session_is_taken_for_none() -> None:
    tail = Tail(1000)
    tail.add(b"one\r\n")
    assert tail.missing(2) == tail.missing(-1) == tail.missing(None)


def test_a_chunk_longer_than_the_limit_is_cut_at_a_line_and_nothing_older_is_sent_in_its_place() -> None:
    tail = Tail(10)
    tail.add(b"old\r\n")
    tail.add(b"x" * 9 + b"\r\nnew\r\n")
    assert tail.missing(0) == (b"new\r\n", 2, 1, 2)
    tail.add(b"y" * 20 + b"\r\n")
    assert tail.missing(0) == (b"", 4, 0, 4)


def test_text_after_a_prompt_is_sent_again_from_the_line_end_on() -> None:
    tail = Tail(1000)
    tail.add(b"one\r\n")
    tail.add(b"> ")
    tail.add(b"\r\ntwo\r\n")
    assert tail.missing(1).text == b"\r\ntwo\r\n"
