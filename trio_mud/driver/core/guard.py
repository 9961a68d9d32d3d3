"""The boundary around a game's own code: a failure costs the call that raised, and nothing else.

Theory of operation
-------------------
Game code runs inside tasks of the driver: hooks, dialogs, background work, timers, telnet options, descriptions.
Whatever it raises must stay with the connection, the session or the event that it ran for.
Asynchronous code runs through `run_guarded`. Synchronous calls on a hot path are wrapped in `try` where they are made.

`Cancelled` needs care, because a nursery whose task raises it stops in silence. Only trio raises it, for a scope
around the running task. Game code can catch one and raise it later in another task, as a cache does that keeps the
exception of the task that filled it. `is_own_cancellation` tells the two apart: if no scope around the task is
cancelled, the exception is foreign, and it is a failure like any other.

A cancel scope that game code enters and never exits, as `break` out of an async generator does (PEP 789), makes the
exit of the scope around it raise. So `run_guarded` has a scope of its own, and the exception is raised inside it.

Nothing here calls a method of an exception or of a value from the game without a `try` around it. A class of a game
can replace every attribute of an exception, `__class__` and `__traceback__` too. So its kind is that of its type, which
`isinstance` does not stop at, its attributes are read by the descriptors of `BaseException`, and an exception that
cannot be formatted is logged as a plain one in its place.
"""

from __future__ import annotations

import logging
import math
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
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
    """Call an async function of a game and wait for it; pass on only a cancellation of the running task.

    Args:
        function: What to call. It may turn out to return something that cannot be awaited.
        failed: Called with every other exception; a cancellation of the running task is taken out of a group first.
            Also called with a TypeError if the function returns a coroutine that it has not awaited.
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
            failed(_not_awaited(result))


def own_cancellation(error: BaseException) -> BaseException | None:
    """The `Cancelled` in an exception if it is the running task's own; None if there is none, or a foreign one."""
    for leaf in _leaves(error):
        if is_a(leaf, trio.Cancelled):
            return leaf if trio.current_effective_deadline() == -math.inf else None
    return None


def interrupt_in(error: BaseException) -> BaseException | None:
    """The KeyboardInterrupt or SystemExit that an exception is or holds: the server is to stop."""
    return _part(error, (KeyboardInterrupt, SystemExit), wanted=True)


def unwrap_single(error: BaseException) -> BaseException:
    """The exception that nurseries wrapped in groups, if it is the only one; otherwise the group."""
    while is_a(error, BaseExceptionGroup) and len(inner := _EXCEPTIONS.__get__(error)) == 1:
        error = inner[0]
    return error


def is_a(error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """True if the type of an exception is one of these kinds. Never raises, unlike `isinstance`."""
    return issubclass(type(error), kinds)


def traceback_of(error: BaseException) -> TracebackType | None:
    """The traceback of an exception, whatever its class says. Never raises."""
    return cast("TracebackType | None", _TRACEBACK.__get__(error))


def presentable(error: BaseException) -> BaseException:
    """The exception or, if it cannot be formatted, a plain one with its type's name and its traceback. Never raises."""
    try:
        for _ in traceback.TracebackException(type(error), error, traceback_of(error), compact=True).format():
            pass
        error.__traceback__  # noqa: B018 - read by `logging`
    except BaseException as problem:  # noqa: BLE001 - code of the game
        text = f"{type(error).__name__}, which cannot be formatted: that raised {type(problem).__name__}"
        return RuntimeError(text).with_traceback(traceback_of(error))
    return error


def allow_interrupts(function: Callable[..., object]) -> None:
    """Let Ctrl-C interrupt this function of a game, unlike the driver around it, which is protected.

    An interrupt inside the driver's own steps could lose an event;
    an endless loop in a game's function is what Ctrl-C is for.
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
    """The `repr` of a value of the game, or its type if that raises. Never raises."""
    try:
        return repr(value)
    except BaseException as error:  # noqa: BLE001 - a description costs nobody anything
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def attribute_of(value: object, name: str) -> object:
    """An attribute of an object of the game, None if it has none or reading it raises. Never raises."""
    try:
        return getattr(value, name, None)
    except BaseException:  # noqa: BLE001 - as in `describe_value`
        return None


def log_error(error: BaseException | None, message: str, *args: object, level: int = logging.ERROR) -> None:
    """Log an error with its traceback. Never raises, whatever the handlers and filters of the log do."""
    try:
        logger.log(level, message, *args, exc_info=None if error is None else presentable(error))
    except BaseException:  # noqa: BLE001 - it reports a failure, and must not be a second one
        if sys.stderr is not None:
            try:
                traceback.print_exc()
            except (OSError, ValueError):
                return


@contextmanager
def naming_forgotten_awaits() -> Iterator[None]:
    """Have Python's warning of a coroutine that was never awaited say where the coroutine was made.

    Its own line number is that of the code which runs when the coroutine is dropped, which is often the driver's.
    It costs 0.1 us for each call of an async function.
    """
    depth = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(max(1, depth))
    try:
        yield
    finally:
        sys.set_coroutine_origin_tracking_depth(depth)


def _not_awaited(coroutine: CoroutineType[object, object, object]) -> TypeError:
    name, code = coroutine.__qualname__.rpartition("<locals>.")[2], coroutine.cr_code
    coroutine.close()  # or Python warns of it, too
    return TypeError(
        f"it returned {name}(…) of {code.co_filename}:{code.co_firstlineno}, which was never awaited: "
        f"write `await {name}(…)`"
    )


def _abandon_nurseries(task: trio.lowlevel.Task, keep: int) -> None:
    """End nurseries that game code has left open, and forget them.

    A task that exits with one would raise in the nursery around it. There is no public way to close such a nursery;
    if a version of trio keeps the list elsewhere, this does nothing. One that counts as closed is not waited for: a
    finalizer of an async generator that did so would have this task run again after its end, which crashes trio.
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
    """The exceptions in nested groups, in order, or the exception itself, however deep they are nested."""
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
    """The part of an exception that is of these kinds, or that is not; None if that is nothing of it.

    `split` of a group would call `derive` of its class, which may be a game's own and may raise. What is left of a
    nested group is flat: code that wraps its last group at each try makes them deeper than Python may recurse.
    """
    leaves = list(_leaves(error))
    parts = [leaf for leaf in leaves if is_a(leaf, kinds) is wanted]
    if len(parts) == len(leaves):
        return error
    return BaseExceptionGroup("the rest of a group", parts).with_traceback(traceback_of(error)) if parts else None
