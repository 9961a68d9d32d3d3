"""The lines that the program prints about its places."""

from __future__ import annotations

import pytest

from trio_mud.driver.server.places import Place
from trio_mud.program.announcements import welcome


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (
            [("127.0.0.1", 4000), ("::1", 4000)],
            "telnet localhost 4000\nOnly local connections are accepted. Use --host 0.0.0.0",
        ),
        (
            [("127.0.0.1", 41), ("::1", 42)],
            "telnet 127.0.0.1 41\n    telnet ::1 42\nOnly local connections are accepted.",
        ),
        ([("0.0.0.0", 4000)], "telnet localhost 4000\nOther machines connect by the name or address of this machine."),
        ([("192.0.2.7", 4000)], "telnet 192.0.2.7 4000\nOther machines connect"),
        ([("fe80::1%eth0", 4000)], "telnet fe80::1 4000\nOther machines connect"),
    ],
)
def test_the_welcome_says_where_to_connect_and_who_can(places: list[tuple[str, int]], said: str) -> None:
    lines = welcome("tavern:hooks", [Place(*place) for place in places])

    assert said in lines
    assert "not encrypted" in lines


def test_the_welcome_names_the_port_for_tls() -> None:
    hosts = ("127.0.0.1", "::1")
    places = [Place(host, port, is_secure=port == 4443) for port in (4000, 4443) for host in hosts]

    assert welcome("tavern:hooks", places).splitlines()[1:3] == [
        "    telnet localhost 4000",
        "    localhost port 4443 with TLS, in a client that speaks it",
    ]
