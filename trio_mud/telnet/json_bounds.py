"""Bounds on JSON from outside, held against the bytes before anything decodes them.

It is not a parser: what it lets pass may still not be JSON, but costs no decoder much.  The GMCP messages use it.

An interpreter's own limits are no contract: the same nesting fails on one Python and passes on the next, and where it
fails it may take the whole stack.  So the bytes are measured first, by a few passes at the speed of `bytes.replace`.
"""

from typing import Final

MAX_DEPTH: Final = 32  # lists and objects within each other; no package in use needs more than five
MAX_NUMBER: Final = 32  # characters of a number; the longest double has 24, and Python refuses over 4300 digits
MAX_VALUES: Final = 4096  # members of lists and objects; an empty list of 2 bytes takes 56 once decoded

_DIGIT: Final = b"0"
_OVERLONG: Final = _DIGIT * (MAX_NUMBER + 1)
_NUMBERS: Final = bytes.maketrans(b"123456789+-.eE", _DIGIT * 14)
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def fault_of(json: bytes) -> str | None:
    """What makes this text unfit to be decoded, without quoting it; None if nothing does."""
    opened = json.count(b"[") + json.count(b"{")
    has_overlong = _OVERLONG in json.translate(_NUMBERS)
    if opened <= MAX_DEPTH and not has_overlong and len(json) <= MAX_VALUES:
        return None
    # Perhaps all that lies in strings, so look again without them.
    bare = _without_strings(json)
    if bare.count(b"[") + bare.count(b"{") + bare.count(b",") > MAX_VALUES:
        return f"over {MAX_VALUES} values"
    if has_overlong and _OVERLONG in bare.translate(_NUMBERS):
        return f"a number of over {MAX_NUMBER} characters"
    if not _is_shallow(bare):
        return f"over {MAX_DEPTH} deep"
    return None


def _without_strings(json: bytes) -> bytes:
    """Leave of each string a quote; where the text is not JSON a decoder stops before this could go wrong."""
    unescaped = json.replace(rb"\\", b"").replace(rb"\"", b"")
    return b'"'.join(unescaped.split(b'"')[::2])


def _is_shallow(bare: bytes) -> bool:
    """Whether all brackets close again and lie at most `MAX_DEPTH` deep: each pass takes the innermost away."""
    brackets = bare.translate(_BRACKETS, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return not brackets
