"""The boundary around a game's own code: a failure costs the call that raised and nothing else.

Theory of operation
-------------------
Game code runs inside tasks of the driver: hooks, dialogs, background work, timers, telnet options, descriptions.
An exception must stay with the connection, the session or the event that the code ran for.
Asynchronous code runs through `run_guarded`. Synchronous calls on a hot path are wrapped in `try` where they are made.

`Cancelled` needs care, because a nursery whose task raises it stops silently. Only trio raises it, for a scope
around the running task. Game code can catch one and raise it later in another task, as a cache does that keeps the
exception of the task that filled it. `own_cancellation` distinguishes the two: if no scope around the task is
cancelled, the exception is foreign and is a failure like any other.

A cancel scope that game code enters and never exits, as `break` out of an async generator does (PEP 789), makes the
exit of the scope around it raise. So `run_guarded` has a scope of its own, and the exception is raised inside it.

Nothing here calls a method of an exception or of a value from the game without a `try` around it. A class of a game
can replace every attribute of an exception, including `__class__` and `__traceback__`. So exceptions are compared by
`type()`, since `isinstance` reads `__class__`; attributes are read by the descriptors of `BaseException`; and an
exception that cannot be formatted is replaced in the log by a plain one.
"""

from __future__ import annotations

import logging
import math
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from types import CoroutineType, MethodType, TracebackType
from typing import TypeVarTuple, cast

import trio
from trio.lowlevel import disable_ki_protection

logger = logging.getLogger("trio_mud")

_PROTECTED = ("trio.", "trio_mud.driver.")  # modules: `server.after(3600, server.shutdown)` opens none of them

# Descriptors: a subclass of a game may have properties of these names.
_EXCEPTIONS = BaseExceptionGroup.exceptions
_TRACEBACK = BaseException.__dict__["__traceback__"]

OnFailure = Callable[[BaseException], object]
Args = TypeVarTuple("Args")


async def run_guarded(function: Callable[[*Args], Awaitable[object]], failed: OnFailure, *args: *Args) -> None:
    """Await an async function of a game; raise only a cancellation of the running task.

    Args:
        function: The function to call. Its result may turn out not to be awaitable.
        failed: Called with every other exception; a cancellation of the running task is taken out of a group first.
            Called with a TypeError if the function returns a coroutine that it has not awaited.
        args: Its arguments.
    """
    task = trio.lowlevel.current_task()
    nurseries = len(task.child_nurseries)
    try:
        with trio.CancelScope():  # its exit raises if game code has left a scope open
            result = await function(*args)
    except BaseException as error:
        if is_a(error, GeneratorExit) and not _is_running(task):
            raise  # the coroutine is being closed by the garbage collector
        if len(task.child_nurseries) > nurseries:
            _abandon_nurseries(task, nurseries)
        cancelled = own_cancellation(error)
        failure = error if cancelled is None else _part(error, trio.Cancelled, wanted=False)
        if failure is not None:
            failed(failure)
        if cancelled is not None:
            raise cancelled from None
    else:
        if type(result) is CoroutineType:
            failed(not_awaited(result))


def own_cancellation(error: BaseException) -> BaseException | None:
    """Return the `Cancelled` in an exception if it is the running task's own; otherwise None."""
    for leaf in _leaves(error):
        if is_a(leaf, trio.Cancelled):
            # trio offers no way to ask for whom a Cancelled was raised. -inf means that a scope around this task
            # is cancelled, shields included.
            return leaf if trio.current_effective_deadline() == -math.inf else None
    return None


def interrupt_in(error: BaseException) -> BaseException | None:
    """Return the KeyboardInterrupt or SystemExit in an exception, which stops the server; None if there is none."""
    return _part(error, (KeyboardInterrupt, SystemExit), wanted=True)


def unwrap_single(error: BaseException) -> BaseException:
    """Return the exception that nurseries wrapped in groups if it is the only one; otherwise the group."""
    while is_a(error, BaseExceptionGroup) and len(inner := _EXCEPTIONS.__get__(error)) == 1:
        error = inner[0]
    return error


def is_a(error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Return True if the type of an exception is one of these kinds. Never raises, unlike `isinstance`."""
    return issubclass(type(error), kinds)


def traceback_of(error: BaseException) -> TracebackType | None:
    """Return the traceback of an exception, even if its class overrides the attribute. Never raises."""
    return cast("TracebackType | None", _TRACEBACK.__get__(error))


def presentable(error: BaseException) -> BaseException:
    """Return the exception, or a plain one with its traceback if it cannot be formatted. Never raises."""
    try:
        for _ in traceback.TracebackException(type(error), error, traceback_of(error), compact=True).format():
            pass
        error.__traceback__  # noqa: B018 - read by `logging`
    except BaseException as problem:  # noqa: BLE001 - code of the game
        text = f"{type(error).__name__}, which cannot be formatted: that raised {type(problem).__name__}"
        return RuntimeError(text).with_traceback(traceback_of(error))
    return error


def allow_interrupts(function: Callable[..., object]) -> None:
    """Let Ctrl-C interrupt this function of a game. The driver around it stays protected.

    An interrupt inside the driver's own steps could lose an event.
    An endless loop in a game's function must be interruptible.
    """
    inner = function
    while isinstance(inner, partial | MethodType):
        inner = inner.func if isinstance(inner, partial) else inner.__func__
    if not hasattr(inner, "__code__"):
        inner = type(inner).__call__  # an object that can be called
    own = f"{getattr(inner, '__module__', '')}.".startswith(_PROTECTED)
    if hasattr(inner, "__code__") and not own:
        disable_ki_protection(inner)


def describe_value(value: object) -> str:
    """Return the `repr` of a value of the game, or its type if that raises. Never raises."""
    try:
        return repr(value)
    except BaseException as error:  # noqa: BLE001 - a failing description must not hide the failure described
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def attribute_of(value: object, name: str) -> object:
    """Return an attribute of an object of the game; None if it is missing or reading it raises. Never raises."""
    try:
        return getattr(value, name, None)
    except BaseException:  # noqa: BLE001 - as in `describe_value`
        return None


def log_error(error: BaseException | None, message: str, *args: object, level: int = logging.ERROR) -> None:
    """Log an error with its traceback. Never raises, even if a log handler or filter does."""
    try:
        logger.log(level, message, *args, exc_info=None if error is None else presentable(error))
    except BaseException:  # noqa: BLE001 - it reports a failure, and must not be a second one
        if sys.stderr is not None:
            try:
                traceback.print_exc()
            except (OSError, ValueError):
                return


def not_awaited(coroutine: CoroutineType[object, object, object]) -> TypeError:
    """Close a coroutine that a function of a game has returned, and return the error that names it."""
    name, code = coroutine.__qualname__.rpartition("<locals>.")[2], coroutine.cr_code
    coroutine.close()  # or Python warns about it too
    return TypeError(
        f"it returned {name}(…) of {code.co_filename}:{code.co_firstlineno}, which was never awaited: "
        f"write `await {name}(…)`"
    )


def _abandon_nurseries(task: trio.lowlevel.Task, keep: int) -> None:
    """Cancel nurseries that game code has left open, and forget them.

    A task that exits with an open nursery would raise in the nursery around it. trio has no public way to close one;
    if a version of trio keeps the list elsewhere, this does nothing. A nursery marked as closed is not waited for.
    Otherwise the finalizer of an async generator would wait for it and reschedule this task after its end, which
    crashes trio.
    """
    for nursery in task.child_nurseries[keep:]:
        nursery.cancel_scope.cancel(reason="it was left open")
        if hasattr(nursery, "_closed"):
            nursery._closed = True
    del getattr(task, "_child_nurseries", [])[keep:]


def _is_running(task: trio.lowlevel.Task) -> bool:
    try:
        return trio.lowlevel.current_task() is task
    except RuntimeError:  # no task runs
        return False


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions in nested groups, in order, or the exception itself. The nesting may have any depth."""
    waiting: list[BaseException] = [error]
    while waiting:
        inner = waiting.pop()
        if is_a(inner, BaseExceptionGroup):
            waiting += reversed(_EXCEPTIONS.__get__(inner))
        else:
            yield inner


def _part(
    error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...], *, wanted: bool
) -> BaseException | None:
    """Return the part of an exception that is of these kinds, or that is not; None if that part is empty.

    `split` of a group would call `derive` of its class, which may be a game's own and may raise. The rest of a
    nested group is returned flat: code that wraps its last group at each retry nests deeper than Python may recurse.
    """
    leaves = list(_leaves(error))
    parts = [leaf for leaf in leaves if is_a(leaf, kinds) is wanted]
    if len(parts) == len(leaves):
        return error
    return BaseExceptionGroup("the rest of a group", parts).with_traceback(traceback_of(error)) if parts else None
