"""The head of an HTTP request, however it is cut, and the answers to it."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mud.transports.http import MAX_HEAD, BadRequest, Head, HttpAnswer, read_head, refusal

GET = b"GET /play?x=1 HTTP/1.1\r\nHost: mud.example\r\n\r\n"

GOOD = [
    (GET, "/play", "GET"),
    (b"HEAD / HTTP/1.1\r\nhost: mud.example\r\n\r\n", "/", "HEAD"),
    (b"GET /healthz HTTP/1.0\r\n\r\n", "/healthz", "GET"),  # as haproxy's health checks do
    (b"GET http://mud.example/a?b HTTP/1.1\r\nHost: mud.example\r\n\r\n", "/a", "GET"),
    (b"GET / HTTP/1.1\r\nHost: mud.example\r\nContent-Length: 0\r\n\r\n", "/", "GET"),
    (b"GET / HTTP/1.1\r\nHost:\r\nX: caf\xe9\r\n\r\n", "/", "GET"),
    (GET + b"\x81\x80junk\r\n\r\n", "/play", "GET"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * (MAX_HEAD - 42) + b"\r\n\r\n", "/", "GET"),
]
BAD = [
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", HTTPStatus.METHOD_NOT_ALLOWED),
    (b"OPTIONS * HTTP/1.1\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
    (b"CONNECT mud.example:4000 HTTP/1.1\r\n", HTTPStatus.METHOD_NOT_ALLOWED),
    (b"look\r\n", HTTPStatus.BAD_REQUEST),
    (b"\xff\xfd\x18", HTTPStatus.BAD_REQUEST),
    (b"\x16\x03\x01\x02\x00\x01", HTTPStatus.BAD_REQUEST),  # TLS
    (bytes(4096), HTTPStatus.BAD_REQUEST),
    (b"\r\nGET / HTTP/1.1\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET /\r\n", HTTPStatus.BAD_REQUEST),  # HTTP/0.9
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET  / HTTP/1.1\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / x HTTP/1.1\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET /\xc3\xbc HTTP/1.1\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\n\n", HTTPStatus.BAD_REQUEST),
    (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\n\r\n", HTTPStatus.BAD_REQUEST),  # no Host
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", HTTPStatus.BAD_REQUEST),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 150 + b"\r\n", HTTPStatus.BAD_REQUEST),
    (b"G" * 20_000, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (b"GET /" + b"x" * 20_000, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
]


def outcome(received: bytes) -> Head | HTTPStatus | None:
    try:
        return read_head(received)
    except BadRequest as error:
        return error.status


@pytest.mark.parametrize(("received", "path", "method"), GOOD)
def test_a_head_is_read_and_what_follows_it_is_left(received: bytes, path: str, method: str) -> None:
    head = read_head(received)
    assert head is not None
    assert (head.path, head.request.method) == (path, method)
    assert received[: head.size].endswith(b"\r\n\r\n")
    assert received[: head.size].count(b"\r\n\r\n") == 1


@pytest.mark.parametrize(("received", "status"), BAD)
def test_what_is_no_request_for_a_page_or_a_websocket_is_refused(received: bytes, status: HTTPStatus) -> None:
    assert outcome(received) == status


@pytest.mark.parametrize("received", [row[0] for row in (*GOOD, *BAD)])
def test_however_a_head_is_cut_it_is_first_incomplete_and_then_the_same(received: bytes) -> None:
    sizes = range(len(received) + 1) if len(received) < 500 else (0, 1, 100, 4000, 8000, 8192, 8193, len(received))
    outcomes = [outcome(received[:size]) for size in sizes]
    decided = [found for found in outcomes if found is not None]
    assert outcomes == [None] * (len(outcomes) - len(decided)) + decided
    if isinstance(decided[0], Head):
        assert all(isinstance(found, Head) and found.size == decided[0].size for found in decided)
    else:
        assert decided[0] in (decided[-1], HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)


def test_what_cannot_become_a_request_is_refused_at_its_first_byte() -> None:
    assert outcome(b"\x16") is HTTPStatus.BAD_REQUEST
    assert outcome(b"get") is HTTPStatus.BAD_REQUEST
    assert outcome(b"GET") is None


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_refusal(received: bytes) -> None:
    for data in (received, GET[:30] + received, GET[:-2] + received + b"\r\n\r\n"):
        outcome(data)


@pytest.mark.parametrize(
    ("upgrade", "wants"),
    [([b"websocket"], True), ([b"WebSocket, x"], True), ([b"x", b"websocket"], True), ([b"h2c"], False), ([], False)],
)
def test_only_a_request_with_that_upgrade_is_for_a_websocket(upgrade: list[bytes], wants: bool) -> None:
    head = read_head(GET[:-2] + b"".join(b"Upgrade: " + value + b"\r\n" for value in upgrade) + b"\r\n")
    assert head is not None
    assert head.wants_websocket is wants


# Answers


def test_an_answer_has_the_headers_of_a_connection_that_closes() -> None:
    answer = HttpAnswer(b"ok\n", headers=[("Cache-Control", "no-store")]).serialize()
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert body == b"ok\n"
    assert lines[0] == b"HTTP/1.1 200 OK"
    assert {
        b"Connection: close",
        b"Content-Length: 3",
        b"Content-Type: text/plain; charset=utf-8",
        b"X-Content-Type-Options: nosniff",
        b"Cache-Control: no-store",
    } <= set(lines)


def test_the_answer_to_head_has_the_length_of_the_body_and_no_body() -> None:
    answer = HttpAnswer(b"ok\n").serialize(with_body=False)
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 3\r\n" in answer


def test_a_refusal_quotes_nothing_of_the_request_and_names_the_methods_that_are_answered() -> None:
    answer = refusal(BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "<script>")).serialize()
    assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert b"Allow: GET, HEAD\r\n" in answer
    assert b"script" not in answer
