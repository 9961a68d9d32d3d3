"""HTTP as far as a WebSocket port needs it: the head of one request, and short answers.

A connection carries one request, without a body; it is answered and closed, or becomes a WebSocket. `websockets` parses
the headers. Sans-IO; `websocket` moves the bytes.

Source: RFC 9112; RFC 6455, section 4.2.1
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from .framing import LIBRARY_LOGGER

MAX_HEAD: Final = 8192  # bytes; the limit of nginx, and a browser sends less than a quarter of it

_END: Final = b"\r\n\r\n"
_METHODS: Final = (b"GET", b"HEAD")
_REQUEST_LINE: Final = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.[01]")
_BEGINNING: Final = re.compile(rb"(?:[A-Z]+(?: [!-~]*(?: [HTP/.\d]{0,8})?)?\r?)?")  # of a request line


class BadRequest(ValueError):
    """The request is refused.

    Attributes:
        status: The status of the answer.
    """

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """A request line and its headers.

    Attributes:
        request: As parsed.
        path: The path of its target, without the query.
        size: Bytes of the head; the bytes after it belong to the next protocol.
    """

    request: Request
    path: str
    size: int

    @property
    def wants_websocket(self) -> bool:
        """True if it asks for a WebSocket, whether or not in a valid way."""
        return any("websocket" in value.lower() for value in self.request.headers.get_all("Upgrade"))


def read_head(received: bytes) -> Head | None:
    """Parse the head at the beginning of the received bytes; return None if it is incomplete.

    Raises:
        BadRequest: It is malformed, too long, or of an unknown method; raised as soon as that is certain.
    """
    end = received.find(_END)
    line, line_end, _ = received.partition(b"\r\n")
    if not (_REQUEST_LINE if line_end else _BEGINNING).fullmatch(line):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "this is not HTTP/1")
    if max(end, len(line)) > MAX_HEAD or (end < 0 and len(received) > MAX_HEAD):
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"its head is longer than {MAX_HEAD} bytes")
    if line_end and line.partition(b" ")[0] not in _METHODS:
        raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "its method is neither GET nor HEAD")
    if end < 0:
        return None
    request = _parse(received[: end + len(_END)])
    if request.protocol == "HTTP/1.1" and len(request.headers.get_all("Host")) != 1:  # RFC 9112, section 3.2
        raise BadRequest(HTTPStatus.BAD_REQUEST, "it does not have one Host header")
    try:
        path = urlsplit(request.path).path if "://" in request.path else request.path.partition("?")[0]
    except ValueError:
        path = ""
    if not path.startswith("/"):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "its target is not a path")
    return Head(request, path, end + len(_END))


def _parse(head: bytes) -> Request:
    protocol = ServerProtocol(logger=LIBRARY_LOGGER)
    protocol.receive_data(head)
    match protocol.events_received():
        case [Request() as request]:
            return request
    raise BadRequest(HTTPStatus.BAD_REQUEST, f"its headers are malformed: {protocol.handshake_exc!r}")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The answer to a request, after which the connection is closed.

    Args:
        body: Its content.
        content_type: The type of the content.
        status: Its status.
        headers: Further headers, as pairs of name and value.
    """

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: Sequence[tuple[str, str]] = ()

    def serialize(self, *, with_body: bool = True) -> bytes:
        """Return the bytes to send; without the body for HEAD."""
        headers = Headers(
            [
                ("Date", formatdate(usegmt=True)),
                ("Connection", "close"),
                ("Content-Type", self.content_type),
                ("Content-Length", str(len(self.body))),
                ("X-Content-Type-Options", "nosniff"),
                *self.headers,
            ]
        )
        body = self.body if with_body else b""
        return Response(self.status.value, self.status.phrase, headers, body).serialize()


def refusal(error: BadRequest) -> HttpAnswer:
    """Return the answer to a request that is refused. It does not quote the request."""
    status = error.status
    headers = [("Allow", "GET, HEAD")] if status is HTTPStatus.METHOD_NOT_ALLOWED else []
    return HttpAnswer(f"{status.value} {status.phrase}\n".encode(), status=status, headers=headers)
