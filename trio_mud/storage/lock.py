"""The lock file that keeps a second process away from a database file."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from trio_mud.errors import CannotOpenStorage

__all__ = ["IN_USE", "Lock"]

IN_USE = 75  # exit status, EX_TEMPFAIL
MAX_COMMAND = 200  # characters


class Lock:
    """A lock on `PATH.lock`, held until it is released or the process ends, however it ends.

    The file names its process and stays behind, because removing it would let two processes lock two files.
    The database itself is not locked: closing any descriptor of it would drop the locks that SQLite has on it.

    Args:
        path: That of the database.
        shared: True to let other processes have it that share it as well.

    Raises:
        CannotOpenStorage: Another process has it (status 75), or the file cannot be made.
    """

    def __init__(self, path: Path, *, shared: bool = False) -> None:
        place = path.with_name(f"{path.name}.lock")
        try:
            self._file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotOpenStorage(f"cannot make {place}: {error.strerror}; the folder must be writable") from error
        try:
            fcntl.flock(self._file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            command = " ".join(sys.argv)[:MAX_COMMAND]
            os.pwrite(self._file, f"{os.getpid()}\n{command}\n".encode(errors="replace"), 0)
        except BlockingIOError as error:
            holder = _holder(self._file)
            os.close(self._file)
            raise CannotOpenStorage(f"{path} is in use by {holder}; stop it, or name another file", IN_USE) from error
        except OSError as error:
            os.close(self._file)
            raise CannotOpenStorage(
                f"cannot lock {place}: {error.strerror}; name a file on a local disk, where files can be locked"
            ) from error

    def release(self) -> None:
        """Let the next process in."""
        os.close(self._file)


def _holder(file: int) -> str:
    number, _, command = os.pread(file, 1000, 0).decode(errors="replace").strip().partition("\n")
    if not number:
        return "another process"
    return f"process {number} ({command})" if command.strip() else f"process {number}"
