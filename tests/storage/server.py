"""A PostgreSQL server started for the tests, on a Unix socket, for the length of a test run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def program(name: str) -> str | None:
    """The path of one of PostgreSQL's programs, which Debian keeps off the PATH."""
    return next((str(folder / name) for folder in FOLDERS if (folder / name).is_file()), shutil.which(name))


@contextmanager
def postgres(folder: Path) -> Iterator[str | None]:
    """Start a server in this folder and give its URL; None if there is no such program, or no user to run it as."""
    initdb, control = program("initdb"), program("pg_ctl")
    prefix: list[str] = []
    if os.geteuid() == 0:  # which the server refuses to run as
        if shutil.which("runuser") is None or shutil.which("getent") is None:
            initdb = None
        else:
            prefix = ["runuser", "-u", "postgres", "--"]
            if subprocess.run(["getent", "passwd", "postgres"], capture_output=True, check=False).returncode:
                initdb = None
    if initdb is None or control is None:
        yield None
        return
    if prefix:
        shutil.chown(folder, "postgres")
        for above in folder.parents:
            if above.stat().st_uid == 0 and not above.stat().st_mode & 0o001:
                above.chmod(above.stat().st_mode | 0o011)
    data = folder / "data"

    def run(*command: str) -> None:
        # Not captured: the server would hold the pipe open.
        subprocess.run(
            [*prefix, *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
        )

    run(initdb, "--pgdata", str(data), "--username", "mud", "--auth", "trust", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    run(control, "start", "--pgdata", str(data), "--wait", "--log", str(folder / "log"), "--options", options)
    try:
        yield f"postgresql://mud@/postgres?host={quote(str(folder), safe='')}"
    finally:
        run(control, "stop", "--pgdata", str(data), "--mode", "immediate", "--wait")
