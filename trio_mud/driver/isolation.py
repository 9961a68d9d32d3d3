"""The boundary around a game's own code: what it raises costs it, and nobody else; and Ctrl-C reaches it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from types import MethodType

import trio
from trio.lowlevel import disable_ki_protection

_PROTECTED = ("trio.", "trio_mud.driver.")  # modules: `server.after(3600, server.shutdown)` opens none of them

Report = Callable[[BaseException], None]


async def isolate(work: Awaitable[object] | Callable[[], Awaitable[object]], failed: Report) -> None:
    """Wait for the work; report what it raises, and hand on only a cancellation.

    An exception group is taken apart: a cancellation in it goes on to the scope it belongs to.

    Args:
        work: What a hook returned, or what a dialog or a background task is to call.
        failed: Told of the error, whatever it is.
    """
    try:
        await (work() if callable(work) else work)
    except GeneratorExit:
        raise
    except BaseException as error:
        cancelled, failure = _split(error, trio.Cancelled)
        if failure is not None:
            failed(failure)
        if cancelled is error:
            raise
        if cancelled is not None:
            raise cancelled from None


def interrupt_in(error: BaseException) -> BaseException | None:
    """The KeyboardInterrupt or SystemExit that an error is or holds: the server is to stop."""
    return _split(error, (KeyboardInterrupt, SystemExit))[0]


def let_interrupts_in(function: Callable[..., object]) -> None:
    """Let Ctrl-C break into this function of a game, unlike into the driver around it, which is protected.

    An interrupt inside the driver's own steps could lose an event;
    an endless loop in a game's function is just what Ctrl-C is for.
    """
    inner = function
    while isinstance(inner, partial | MethodType):
        inner = inner.func if isinstance(inner, partial) else inner.__func__
    if not hasattr(inner, "__code__"):
        inner = type(inner).__call__  # an object that can be called
    own = f"{getattr(inner, '__module__', '')}.".startswith(_PROTECTED)
    if hasattr(inner, "__code__") and not own:
        disable_ki_protection(inner)


def sole_error(error: BaseException) -> BaseException:
    """The error that nurseries wrapped in groups, if it is the only one; otherwise the group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _split(
    error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]
) -> tuple[BaseException | None, BaseException | None]:
    """The part of an error that is of these kinds, and the part that is not."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(kinds)
    return (error, None) if isinstance(error, kinds) else (None, error)
