"""The decisions of a web port: subprotocol, origin, and the address that a proxy forwards."""

from __future__ import annotations

import ipaddress

import pytest

from trio_mud.transports.http import BadRequest, Head, HttpAnswer, read_head
from trio_mud.transports.site import Site, check_origin
from trio_mud.web import SUBPROTOCOLS

UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8:1::/48"))


def head_of(*headers: str, line: str = "GET / HTTP/1.1", host: str = "mud.example") -> Head:
    head = read_head("\r\n".join((line, f"Host: {host}", *headers, "", "")).encode("latin-1"))
    assert head is not None
    return head


def site(**settings: object) -> Site:
    return Site(SUBPROTOCOLS, **settings)  # type: ignore[arg-type]


# The subprotocol


@pytest.mark.parametrize(
    ("named", "confirmed"),
    [
        ([], None),
        (["json.mudstandards.org"], "json.mudstandards.org"),
        (["gmcp.mudstandards.org"], "gmcp.mudstandards.org"),
        (["terminal.mudstandards.org"], "terminal.mudstandards.org"),
        (["telnet.mudstandards.org"], "telnet.mudstandards.org"),
        (["ascii"], "ascii"),
        (["binary"], "binary"),
        (["terminal.mudstandards.org", "json.mudstandards.org"], "terminal.mudstandards.org"),
        (["unknown.protocol", "terminal.mudstandards.org"], "terminal.mudstandards.org"),
        (["unknown.protocol"], None),
        (["v1.evennia.com"], None),
        (["TERMINAL.mudstandards.org"], None),
    ],
)
def test_the_subprotocol_is_the_first_that_the_client_names_and_the_port_supports(
    named: list[str], confirmed: str | None
) -> None:
    header = [f"Sec-WebSocket-Protocol: {', '.join(named)}"] if named else []
    response, make_codec = site().accept(head_of(*UPGRADE, *header))
    assert response.status_code == 101
    assert response.headers.get("Sec-WebSocket-Protocol") == confirmed
    assert make_codec is SUBPROTOCOLS.get(confirmed or "telnet")


def test_compression_is_never_agreed() -> None:
    response, _ = site().accept(head_of(*UPGRADE, "Sec-WebSocket-Extensions: permessage-deflate"))
    assert response.status_code == 101
    assert "Sec-WebSocket-Extensions" not in response.headers


@pytest.mark.parametrize(
    ("replaced", "by", "status"),
    [
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 12", 400),
        ("Sec-WebSocket-Version: 13", "X: 13", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: YWJj", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: ?", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "X: y", 400),
        ("Connection: Upgrade", "Connection: close", 426),
        ("Upgrade: websocket", "Upgrade: websocket, h2c", 426),
    ],
)
def test_an_invalid_request_for_a_websocket_is_refused(replaced: str, by: str, status: int) -> None:
    with pytest.raises(BadRequest) as caught:
        site().accept(head_of(*(by if line == replaced else line for line in UPGRADE)))
    assert caught.value.status == status


@pytest.mark.parametrize(("line", "status"), [("HEAD / HTTP/1.1", 405), ("GET / HTTP/1.0", 505)])
def test_a_websocket_needs_get_and_http_1_1(line: str, status: int) -> None:
    with pytest.raises(BadRequest) as caught:
        site().accept(head_of(*UPGRADE, line=line))
    assert caught.value.status == status


# The origin


@pytest.mark.parametrize(
    ("origins", "host"),
    [
        ([], "mud.example"),
        (["https://mud.example"], "mud.example"),
        (["http://MUD.example"], "mud.Example"),
        (["http://mud.example:4080"], "mud.example:4080"),
        (["https://play.example"], "mud.example"),
    ],
)
def test_programs_the_ports_own_pages_and_those_of_named_origins_may_connect(origins: list[str], host: str) -> None:
    head = head_of(*(f"Origin: {origin}" for origin in origins), host=host)
    site(origins=frozenset({"https://play.example"})).check_origin(head)


@pytest.mark.parametrize(
    "origins",
    [
        ["https://evil.example"],
        ["null"],
        [""],
        ["https://mud.example:8443"],
        ["http://play.example"],  # not the scheme that was named
        ["https://mud.example", "https://mud.example"],
        ["https://mud.example", "https://evil.example"],
        ["https://mud.example.evil.example"],
        ["mud.example"],
    ],
)
def test_pages_of_other_origins_may_not(origins: list[str]) -> None:
    head = head_of(*(f"Origin: {origin}" for origin in origins))
    with pytest.raises(BadRequest) as caught:
        site(origins=frozenset({"https://play.example"})).check_origin(head)
    assert caught.value.status == 403


@pytest.mark.parametrize("origin", ["https://Mud.example", "http://localhost:8000", "https://[2001:db8::7]:4080"])
def test_an_origin_of_the_configuration_is_a_scheme_and_a_host(origin: str) -> None:
    assert check_origin(origin) == origin.lower()


@pytest.mark.parametrize("origin", ["mud.example", "https://mud.example/", "ws://mud.example", "https://", "*", "null"])
def test_anything_else_is_refused_with_the_right_form(origin: str) -> None:
    with pytest.raises(ValueError, match=r"write an origin such as https://mud\.example"):
        check_origin(origin)


# The address that a proxy forwards


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ([], ""),
        (["X-Forwarded-For: 203.0.113.5"], "203.0.113.5"),
        (["X-Forwarded-For: 6.6.6.6, 203.0.113.5"], "203.0.113.5"),  # the first was sent by the client
        (["X-Forwarded-For: 6.6.6.6, 203.0.113.5, 10.1.1.1"], "203.0.113.5"),
        (["X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 203.0.113.5"], "203.0.113.5"),
        (["X-Forwarded-For: 10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        (["X-Forwarded-For: 203.0.113.5:4711"], "203.0.113.5"),
        (["X-Forwarded-For: [2001:DB8::7]:4711"], "2001:db8::7"),
        (["X-Forwarded-For: 2001:db8:0::7, 2001:db8:1::1"], "2001:db8::7"),
        (["X-Forwarded-For: ::ffff:203.0.113.5"], "203.0.113.5"),
        (["X-Forwarded-For: unknown"], ""),
        (["X-Forwarded-For: 203.0.113.5, junk, 10.1.1.1"], "10.1.1.1"),
        (["X-Forwarded-For: "], ""),
        (["Forwarded: for=203.0.113.5"], ""),
    ],
)
def test_the_address_is_the_last_forwarded_one_that_is_no_proxys(headers: list[str], address: str) -> None:
    assert site(forwarded_from=PROXIES).client_address(head_of(*headers), "10.0.0.1") == address


def test_a_proxy_is_recognised_by_its_network() -> None:
    trusting = site(forwarded_from=PROXIES)
    assert trusting.is_proxy("10.9.9.9")
    assert trusting.is_proxy("2001:db8:1::9")
    assert not any(map(trusting.is_proxy, ("192.0.2.1", "", "localhost")))
    assert not site().is_proxy("10.9.9.9")


@pytest.mark.parametrize(("proto", "is_secure"), [("https", True), ("HTTPS", True), ("http", False), ("", False)])
def test_a_proxy_reports_whether_its_client_uses_tls(proto: str, is_secure: bool) -> None:
    assert site().is_forwarded_securely(head_of(f"X-Forwarded-Proto: {proto}")) is is_secure


# Pages


def test_a_path_without_a_page_is_not_found() -> None:
    page = HttpAnswer(b"<!doctype html>", "text/html")
    shown = site(pages={"/": page})
    assert shown.answer(head_of(line="GET /?a HTTP/1.1")) is page
    assert shown.answer(head_of(line="GET /other HTTP/1.1")).status == 404
