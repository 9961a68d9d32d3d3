"""The task tree of this run, and the place at which each task waits.

Used by `virtual` and the simulator to name the tasks of a deadlock, and by tests of the tree's shape.
"""

from __future__ import annotations

from collections.abc import Iterator

import trio


def every_task() -> Iterator[trio.lowlevel.Task]:
    """Yield every task."""
    root = trio.lowlevel.current_root_task()
    tasks = [root] if root is not None else []
    while tasks:
        task = tasks.pop()
        tasks += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
        yield task


def waiting_places(*others: str) -> list[str]:
    """Return the place at which each task waits, sorted by task name: its innermost frame outside some files.

    Args:
        others: Parts of paths of files to skip. A task that waits only in these files is left out.
    """
    places = []
    for task in every_task():
        frames = [(frame.f_code, line) for frame, line in task.iter_await_frames()]
        for code, line in reversed(frames):
            if not any(path in code.co_filename for path in others):
                places.append(f"{task.name} at {code.co_filename}:{line}, in {code.co_name}")
                break
    return sorted(places)
