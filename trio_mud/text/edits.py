"""Edits: replacements by position, computed on the plain text and applied to text and markup alike.

Inserted text has no style, so a line break in an underlined sentence does not underline the indentation after it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from .markup import Span
from .styles import PLAIN


class Edit(NamedTuple):
    """Replaces the text from `start` to `end`. The edits of one text are in order and do not overlap."""

    start: int
    end: int
    text: str


def edit_text(text: str, edits: Sequence[Edit]) -> str:
    """Apply the edits to a plain text."""
    pieces: list[str] = []
    at = 0
    for edit in edits:
        pieces += (text[at : edit.start], edit.text)
        at = edit.end
    pieces.append(text[at:])
    return "".join(pieces)


def edit_spans(spans: Sequence[Span], edits: Sequence[Edit]) -> list[Span]:
    """Apply the edits to spans. A span may contain several edits, and an edit may cover several spans."""
    edited: list[Span] = []
    begin = kept = number = 0  # start of the span; position up to which all is done; number of edits applied
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
