"""The error that ends a process, as one line for an operator: with the place in the game's code.

Used by the processes of `trio-mud serve`, whose supervisor repeats it.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from types import TracebackType
from typing import Final

from ..driver.core.guard import traceback_of, unwrap_single
from ..driver.server.log_lines import printable
from ..errors import TrioMudError
from .loading import GameBroken

__all__ = ["sentence_of"]

_NOT_THE_GAME: Final = tuple(
    str(folder)
    for folder in (
        Path(__file__).resolve().parent.parent,
        *(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    )
)


def sentence_of(error: BaseException) -> str:
    """Return the kind of an error, its text, and where the game's code raised or caused it, in one line."""
    error = unwrap_single(error)
    if isinstance(error, GameBroken) and error.__cause__ is not None:
        error = error.__cause__
    elif isinstance(error, TrioMudError):
        return printable(str(error))
    try:
        said = str(error)
    except Exception:  # noqa: BLE001 - an exception of the game
        said = ""
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    if not isinstance(error, SyntaxError) and (place := _place_in_game(traceback_of(error))) is not None:
        text += f" ({place})"  # the text of a SyntaxError has it already
    return printable(" ".join(text.split()))


def _place_in_game(trace: TracebackType | None) -> str | None:
    """Return the innermost frame that is neither the driver's nor a library's; None without one."""
    place = None
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(("<", *_NOT_THE_GAME)):
            place = f"{code.co_filename}, line {trace.tb_lineno}, in {code.co_name}"
        trace = trace.tb_next
    return place
