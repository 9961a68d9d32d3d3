"""The README's table of the processing of a typed line, generated from a trace of one.

    python tests/way_of_a_line.py            the trace, call by call
    python tests/way_of_a_line.py --write    brings the table in the README up to date

A server on loopback answers `look` by one `write`. Every call into the package is recorded, from the read of the socket
to the send, for the second line of a connection, when all is warm. Resumed coroutines are no calls.
`tests/docs/test_way_of_a_line.py` compares the README with it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

import trio

import trio_mud
from trio_mud import Hooks, Input, Limits, MasterServer, open_tcp_listeners

README: Final = Path(__file__).parent.parent / "README.md"
PACKAGE: Final = Path(trio_mud.__file__).parent
BEGIN, END = "<!-- the way of a line: python tests/way_of_a_line.py --write -->", "<!-- end -->"

FIRST, LAST = "Watch.read", "TcpTransport.send_nowait"
WHAT: Final = {  # what a file has to do with it; which files there are, and in which order, the trace says
    "transports/poller.py": "receives from the socket, while the connection's own task sleeps",
    "driver/link/incoming.py": "the link's receiving half: parses while the inbox has room",
    "telnet/engine.py": "separates telnet commands from text; later returns the answer's bytes",
    "telnet/lines.py": "assembles and decodes the line",
    "text/cleaning.py": "removes what a client would take for a command",
    "driver/connection/inbox.py": "queues the line, and yields it as an `Input` when its turn has come",
    "driver/core/turns.py": "gives each source with an event a turn",
    "driver/core/dispatcher.py": "calls the functions of the event",
    "limits.py": "counts the line against `limits.command_rate`",
    "driver/link/outgoing.py": "the link's sending half: queues what is written, and sends it once a batch",
    "driver/server/hook_host.py": "says which functions run, and flushes at the end of a batch",
    "driver/core/hooks.py": "holds your functions by the type of event, in order",
    "driver/connection/connection.py": '`connection.write("A bare room.")`, called by your function; it never waits',
    "telnet/outgoing.py": "joins what is queued",
    "transports/tcp.py": "hands it to the kernel in one call; a writer task sends what did not fit",
}


class Call(NamedTuple):
    """One call into the package."""

    file: str  # below the package
    function: str


async def trace() -> list[Call]:
    """Type two lines at a server, and note the calls that the second one causes."""
    hooks = Hooks()
    hooks.on(Input)(lambda event: event.connection.write("A bare room."))
    server = MasterServer(hooks, limits=Limits(first_input_timeout=None))
    (listener,) = await open_tcp_listeners(0, host="127.0.0.1")
    calls: list[Call] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(PACKAGE) and not _is_resumed(frame):
            calls.append(Call(file.relative_to(PACKAGE).as_posix(), frame.f_code.co_qualname))

    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, [listener])
        async with await trio.open_tcp_stream(*listener.address) as player:
            await player.send_all(b"look\r\n")
            await _read_until(player, b"A bare room.\r\n")
            sys.setprofile(note)
            try:
                await player.send_all(b"look\r\n")
                await _read_until(player, b"A bare room.\r\n")
            finally:
                sys.setprofile(None)
        server.shutdown()
    functions = [call.function for call in calls]
    return calls[functions.index(FIRST) : functions.index(LAST) + 1]


def table(calls: list[Call]) -> str:
    """Render the files in the order in which they are entered first, with the functions that are called in each."""
    functions: dict[str, dict[str, None]] = {}
    for call in calls:
        if not call.function.endswith("<lambda>"):
            functions.setdefault(call.file, {})[call.function] = None
    rows = [
        f"| {number} | [`{file}`](trio_mud/{file}) | {', '.join(f'`{name}`' for name in names)} | {WHAT[file]} |"
        for number, (file, names) in enumerate(functions.items(), 1)
    ]
    return "\n".join(["| | file | calls | what it does |", "|---|---|---|---|", *rows])


def in_readme() -> str:
    """Return the table in the README."""
    return README.read_text().split(BEGIN)[1].split(END)[0].strip()


def _is_resumed(frame: FrameType) -> bool:
    is_coroutine = frame.f_code.co_flags & 0x80  # inspect.CO_COROUTINE
    return bool(is_coroutine) and frame.f_lasti > 4


async def _read_until(stream: trio.SocketStream, wanted: bytes) -> None:
    seen = b""
    while not seen.endswith(wanted):
        seen += await stream.receive_some()


def main() -> None:
    """Show the trace, or write the table."""
    calls = trio.run(trace)
    if "--write" in sys.argv[1:]:
        text = README.read_text()
        README.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{table(calls)}\n{END}", text, flags=re.DOTALL))
    else:
        for call in calls:
            print(f"{call.file:40} {call.function}")


if __name__ == "__main__":
    main()
