"""Edits: changes to a text by position, found in the plain text and made to text and markup alike.

What is put in has no style, so a break in an underlined sentence does not underline the next line's indentation.
"""

from collections.abc import Sequence
from typing import NamedTuple

from .markup import Span
from .styles import PLAIN


class Edit(NamedTuple):
    """Replace what stands from `start` to `end`. Several edits of one text are in order and do not overlap."""

    start: int
    end: int
    text: str


def edit_text(text: str, edits: Sequence[Edit]) -> str:
    """Make the edits in a plain text."""
    pieces: list[str] = []
    at = 0
    for edit in edits:
        pieces += (text[at : edit.start], edit.text)
        at = edit.end
    pieces.append(text[at:])
    return "".join(pieces)


def edit_spans(spans: Sequence[Span], edits: Sequence[Edit]) -> list[Span]:
    """Make the edits in spans, each of which may be cut by many, and each edit may reach over many."""
    edited: list[Span] = []
    begin = kept = number = 0  # where the span begins; up to where everything is done; how many edits are
    for text, style in spans:
        end = begin + len(text)
        while number < len(edits) and edits[number].start < end:
            edit = edits[number]
            edited += ((text[max(kept - begin, 0) : edit.start - begin], style), (edit.text, PLAIN))
            kept = edit.end
            number += 1
        edited.append((text[max(kept - begin, 0) :], style))
        begin = end
    edited += [(edit.text, PLAIN) for edit in edits[number:]]
    return [span for span in edited if span[0]]
