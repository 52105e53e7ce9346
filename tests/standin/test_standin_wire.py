"""The stand-in's HTTP, tested byte by byte over a socket."""

import json
import socket

import pytest

from rigs.standin_requests import params
from standin.standin import StandIn

BODY = json.dumps(params()).encode()
HEAD = (
    b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAUTHORIZATION: Bearer k\r\n"
    b"anthropic-version: 2026-10-21\r\n"
)


@pytest.fixture(scope="module")
def standin():
    with StandIn() as running:
        yield running


def spoken(standin: StandIn, *pieces: bytes) -> bytes:
    """Send these pieces; returns everything until the stand-in closes the connection."""
    host, port = standin.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        said = b""
        while piece := connection.recv(65_536):
            said += piece
    return said


def request(extra: bytes = b"", body: bytes = BODY) -> bytes:
    return HEAD + extra + b"content-length: %d\r\n\r\n" % len(body) + body


def test_a_request_may_come_in_any_pieces(standin) -> None:
    whole = request(b"connection: close\r\n")
    said = spoken(standin, *(whole[n : n + 1] for n in range(len(whole))))
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"stop_reason": "end_turn"' in said


def test_requests_sent_at_once_are_answered_in_order(standin) -> None:
    counting = HEAD.replace(b"messages", b"models/claude-haiku-5-5").replace(b"POST", b"GET")
    said = spoken(standin, request() + counting + b"\r\n" + request(b"Connection: close\r\n"))
    assert said.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert said.index(b'"type": "message"') < said.index(b'"display_name"')


def test_a_client_may_ask_before_it_sends(standin) -> None:
    said = spoken(standin, request(b"Expect: 100-continue\r\nconnection: close\r\n"))
    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET /v1/models FTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (HEAD + b"content-length: many\r\n\r\n", 400),
        (HEAD + b"content-length: -1\r\n\r\n", 400),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000, 431),
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_closed(standin, raw, status) -> None:
    assert spoken(standin, raw).startswith(b"HTTP/1.1 %d " % status)


def test_a_client_that_goes_away_harms_nobody(standin) -> None:
    host, port = standin.url.removeprefix("http://").split(":")
    for piece in (b"", b"POST", request()[:-5], request()):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(piece)
    assert spoken(standin, request(b"connection: close\r\n")).startswith(b"HTTP/1.1 200")


def test_a_stand_in_ends_while_clients_are_connected() -> None:
    with StandIn(latency=60) as standin:
        host, port = standin.url.removeprefix("http://").split(":")
        idle = socket.create_connection((host, int(port)))
        waiting = socket.create_connection((host, int(port)))
        waiting.sendall(request())
        while not standin.billed:
            pass
    with idle, waiting:
        for connection in (idle, waiting):
            try:
                assert connection.recv(10) == b""
            except ConnectionResetError:
                continue
