"""Edits: the same change, to text and to spans."""

from hypothesis import given
from hypothesis import strategies as st

from trio_mud.text.edits import Edit, edit_spans, edit_text
from trio_mud.text.styles import PLAIN, Style

BOLD = Style(bold=True)


def test_a_text_is_edited_at_several_places() -> None:
    edits = [Edit(0, 0, ">"), Edit(1, 3, ""), Edit(4, 4, "-"), Edit(6, 6, "<")]
    assert edit_text("abcdef", edits) == ">ad-ef<"
    assert edit_text("abc", []) == "abc"


def test_what_is_put_in_has_no_style() -> None:
    assert edit_spans([("ab", BOLD)], [Edit(1, 1, "-")]) == [("a", BOLD), ("-", PLAIN), ("b", BOLD)]


def test_an_edit_may_reach_over_many_spans() -> None:
    spans = [("ab", BOLD), ("c", PLAIN), ("de", BOLD)]
    assert edit_spans(spans, [Edit(1, 4, "-")]) == [("a", BOLD), ("-", PLAIN), ("e", BOLD)]
    assert edit_spans(spans, [Edit(0, 5, "-")]) == [("-", PLAIN)]


@given(
    st.lists(st.text("ab ", max_size=5)), st.lists(st.tuples(st.integers(0, 20), st.text("xy", max_size=2))), st.data()
)
def test_spans_are_edited_as_text_is(pieces: list[str], cuts: list[tuple[int, str]], data: st.DataObject) -> None:
    text = "".join(pieces)
    edits: list[Edit] = []
    for start, new in sorted(cuts):
        begin = max(start, edits[-1].end if edits else 0)
        if begin <= len(text):
            edits.append(Edit(begin, data.draw(st.integers(begin, len(text))), new))
    spans = edit_spans([(piece, BOLD) for piece in pieces], edits)
    assert "".join([span for span, _ in spans]) == edit_text(text, edits)
    assert "" not in [span for span, _ in spans]
