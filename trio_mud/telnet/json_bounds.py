"""Limits on received JSON, checked on the bytes before they are decoded.

It is not a parser: accepted text may still be invalid JSON, but decoding it is cheap. The GMCP messages use it.

The limits of an interpreter are not a contract: the same nesting fails in one Python version and passes in the next,
and a failure may exhaust the stack. So the bytes are measured first, in a few passes at the speed of `bytes.replace`.
"""

from typing import Final

MAX_DEPTH: Final = 32  # nested lists and objects; no package in use needs more than five
MAX_NUMBER: Final = 32  # characters of a number; the longest double has 24, and Python refuses over 4300 digits
MAX_VALUES: Final = 4096  # members of lists and objects; an empty list of 2 bytes takes 56 once decoded

_DIGIT: Final = b"0"
_OVERLONG: Final = _DIGIT * (MAX_NUMBER + 1)
_NUMBERS: Final = bytes.maketrans(b"123456789+-.eE", _DIGIT * 14)
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def fault_of(json: bytes) -> str | None:
    """Return the limit that this text exceeds, without quoting the text; None if it is within all limits."""
    opened = json.count(b"[") + json.count(b"{")
    has_overlong = _OVERLONG in json.translate(_NUMBERS)
    if opened <= MAX_DEPTH and not has_overlong and len(json) <= MAX_VALUES:
        return None
    # The brackets and digits may lie inside strings, so measure again without strings.
    bare = _without_strings(json)
    if bare.count(b"[") + bare.count(b"{") + bare.count(b",") > MAX_VALUES:
        return f"over {MAX_VALUES} values"
    if has_overlong and _OVERLONG in bare.translate(_NUMBERS):
        return f"a number of over {MAX_NUMBER} characters"
    if not _is_shallow(bare):
        return f"over {MAX_DEPTH} deep"
    return None


def _without_strings(json: bytes) -> bytes:
    """Replace each string by a quote. In invalid JSON the result may be wrong, but there a decoder stops early."""
    unescaped = json.replace(rb"\\", b"").replace(rb"\"", b"")
    return b'"'.join(unescaped.split(b'"')[::2])


def _is_shallow(bare: bytes) -> bool:
    """True if all brackets are closed and at most `MAX_DEPTH` deep: each pass removes the innermost pairs."""
    brackets = bare.translate(_BRACKETS, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return not brackets
