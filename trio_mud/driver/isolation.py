"""The boundary around a game's own awaitables: what they raise costs them, and nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

Report = Callable[[BaseException], None]


async def isolate(
    work: Awaitable[object] | Callable[[], Awaitable[object]], *, failed: Report, interrupted: Report
) -> None:
    """Wait for the work; report what it raises, and hand on only a cancellation.

    An exception group is taken apart: a cancellation in it goes on to the scope it belongs to.

    Args:
        work: What a hook returned, or what a dialog or a background task is to call.
        failed: Told of every error.
        interrupted: Told first, if the error is a KeyboardInterrupt or SystemExit: the server is to stop.
    """
    try:
        await (work() if callable(work) else work)
    except GeneratorExit:
        raise
    except BaseException as error:
        cancelled, failure = _split(error, trio.Cancelled)
        if failure is not None:
            interrupt, _ = _split(failure, (KeyboardInterrupt, SystemExit))
            if interrupt is not None:
                interrupted(interrupt)
            failed(failure)
        if cancelled is error:
            raise
        if cancelled is not None:
            raise cancelled from None


def _split(
    error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]
) -> tuple[BaseException | None, BaseException | None]:
    """The part of an error that is of these kinds, and the part that is not."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(kinds)
    return (error, None) if isinstance(error, kinds) else (None, error)


def sole_error(error: BaseException) -> BaseException:
    """The error that nurseries wrapped in groups, if it is the only one; otherwise the group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
