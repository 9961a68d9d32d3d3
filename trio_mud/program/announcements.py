"""The lines that the program prints: its plan for `--check-config`, and how to connect once it is open."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from ..driver.server.places import Place
from ..storage import Backend, Memory
from .effective import Effective
from .settings import SETTINGS

__all__ = ["plan", "welcome"]

UNENCRYPTED = "Telnet is not encrypted: every network on the way can read it, including passwords."
_LISTED = ("accounts", "limits", "texts")  # the tables whose changed settings the plan lists


def plan(effective: Effective, backend: Backend | None) -> str:
    """Return one line on what a server with this configuration does, with all changed limits and texts."""
    configuration = effective.configuration
    changed = [
        f"{setting.table} {setting.name} = {value!r}"
        for setting in SETTINGS.values()
        if setting.table in _LISTED and (value := effective.value(setting.key)) != setting.default
    ]
    text = f"would open {configuration.game} at {configuration.host} port {configuration.port}"
    if configuration.tls_port is not None:
        text += f" and with TLS at port {configuration.tls_port}, certificate {configuration.tls_certificate}"
    for port, kind in (
        (effective.web_port, "WebSocket"),
        (configuration.web_tls_port, "WebSocket and TLS"),
    ):
        if port is not None:
            text += f" and with {kind} at port {port}"
    if configuration.unix is not None:
        text += f" and at the socket {configuration.unix}"
    if configuration.proxy_from:
        text += f", behind proxies in {', '.join(configuration.proxy_from)}"
    if configuration.watch.port is not None:
        text += f", watched at {configuration.watch.host} port {configuration.watch.port}"
    if backend is not None and not isinstance(backend, Memory):
        text += f", with records in {backend.name}"
    return text + (f", with {'; '.join(changed)}" if changed else "")


def welcome(game: str, places: Sequence[Place], admin_page: str | None = None) -> str:
    """Return the lines that say how to connect, from where, how to watch the game, and how to stop the server."""
    lines = [f"{game} is open. To connect:"]
    for protocol, is_secure, form in (
        ("telnet", False, "    telnet {} {}"),
        ("telnet", True, "    {} port {} with TLS, in a client that speaks it"),
        ("websocket", False, "    http://{}:{}/ in a browser, or ws:// there in a client that uses WebSocket"),
        ("websocket", True, "    https://{}:{}/ in a browser, or wss:// there in a client that uses WebSocket"),
    ):
        chosen = [place for place in places if (place.protocol, place.is_secure) == (protocol, is_secure)]
        lines += _reached(chosen, form)
    if all(_address(place).is_loopback for place in places):
        lines.append(f"Only local connections are accepted. Use --host 0.0.0.0 to accept others. {UNENCRYPTED}")
    else:
        lines.append(f"Other machines connect by the name or address of this machine. {UNENCRYPTED}")
    if admin_page is not None:
        lines.append(f"To watch the game: {admin_page}")
    lines.append("Press Ctrl-C to stop the server.")
    return "\n".join(lines)


def _reached(places: Sequence[Place], form: str) -> list[str]:
    """Return one line for each way to reach these places from this machine."""
    one_port = len({place.port for place in places}) == 1  # a free port may differ between the addresses of one name
    lines: dict[str, None] = {}
    for place in places:
        address = _address(place)
        is_localhost = address.is_unspecified or (address.is_loopback and one_port)
        host = "localhost" if is_localhost else f"[{address}]" if "://" in form and address.version == 6 else address
        lines[form.format(host, place.port)] = None
    return list(lines)


def _address(place: Place) -> IPv4Address | IPv6Address:
    return ip_address(place.host.partition("%")[0])
