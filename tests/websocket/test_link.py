"""How a feed is reached, who we are to it, and what a person is told when it refuses us."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from monitor.sources.base import SourceError
from monitor.sources.websocket import Link, WebSocketSource
from monitor.sources.websocket.link import SUBSCRIBE
from tests.kafka.certificates import Authority
from tests.websocket.server import FeedServer, serving, until_closed

TOKEN = "s3cret/of+the=desk"  # noqa: S105 - made up
HEADER_VALUE = "an0ther s3cret"


def opened_and_closed(link: Link, server: FeedServer | None = None) -> None:
    """Open it, have the server hear of it, and close it."""
    source = WebSocketSource("feed", None, link)
    before = len(server.heard) if server else 0
    try:
        source.open()
        ends_at = time.monotonic() + 10
        while server and len(server.heard) == before and time.monotonic() < ends_at:
            time.sleep(0.001)
    finally:
        source.close(1.0)


def refusal(link: Link) -> str:
    with pytest.raises(SourceError) as raised:
        opened_and_closed(link)
    assert raised.value.__cause__ is None, "what the library says may hold secrets"
    return str(raised.value)


def request_of(server: FeedServer) -> Request:
    request = server.connections[-1].request
    assert request is not None
    return request


@pytest.mark.parametrize(
    ("token_in", "header", "path"),
    [
        ("header", ("Authorization", f"Bearer {TOKEN}"), "/quotes?depth=1"),
        ("header:X-Api-Key", ("X-Api-Key", TOKEN), "/quotes?depth=1"),
        ("query:api key", None, "/quotes?depth=1&api%20key=s3cret%2Fof%2Bthe%3Ddesk"),
    ],
)
def test_a_token_goes_where_the_feed_wants_it(token_in: str, header: tuple[str, str] | None, path: str) -> None:
    with serving(until_closed) as server:
        opened_and_closed(
            Link(f"{server.url}/quotes?depth=1", token=TOKEN, token_in=token_in, headers={"X-Desk": HEADER_VALUE}),
            server,
        )
        request = request_of(server)
        assert request.path == path
        assert request.headers["X-Desk"] == HEADER_VALUE
        if header:
            assert request.headers[header[0]] == header[1]
        assert ("Authorization" in request.headers) == (token_in == "header")  # noqa: S105 - where it goes


def test_a_token_file_is_read_at_every_connection(tmp_path: Path) -> None:
    file = tmp_path / "token"
    with serving(until_closed) as server:
        link = Link(server.url, token_file=file)
        assert refusal(link) == f"{server.url}: token_file {file} cannot be read: No such file or directory"
        for token in ("first", "second"):
            file.write_text(f"{token}\n")
            opened_and_closed(link, server)
            assert request_of(server).headers["Authorization"] == f"Bearer {token}"
        file.write_text(f"{TOKEN} and more")
        assert refusal(link).endswith("holds no token: one word of ASCII letters, digits and signs")
        file.write_bytes(b"\xff\xfe")
        assert refusal(link).endswith("cannot be read: it is no UTF-8 text")


def test_it_subscribes_at_every_connection_in_order() -> None:
    with serving(until_closed, subscribes=2) as server:
        for _ in range(3):
            opened_and_closed(Link(server.url, subscribe=('{"op":"auth"}', '{"op":"subscribe"}')), server)
        assert server.heard == [['{"op":"auth"}', '{"op":"subscribe"}']] * 3


def test_a_token_stands_in_the_messages_where_they_want_it() -> None:
    token = 's3cr"et\\'  # noqa: S105 - made up
    messages = ('{"op":"auth","key":"{token}"}', '{"op":"subscribe"}')
    with serving(until_closed, subscribes=2) as server:
        opened_and_closed(Link(server.url, subscribe=messages, token=token, token_in=SUBSCRIBE), server)
        assert [json.loads(each) for each in server.heard[0]] == [{"op": "auth", "key": token}, {"op": "subscribe"}]
        assert "Authorization" not in request_of(server).headers


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "the server does not know who we are (HTTP 401)"),
        (403, "the server lets us not in (HTTP 403)"),
        (404, "the server has nothing at this path (HTTP 404); look at url"),
        (302, "the server sends us elsewhere (HTTP 302), where no token is taken to; put that address into url"),
        (500, "the server answers HTTP 500 and no WebSocket"),
    ],
)
def test_a_refusal_is_a_sentence_without_secrets(status: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(HTTPStatus(status), f"{request.path} {request.headers}")
        response.headers["Location"] = "/elsewhere"
        return response

    with caplog.at_level(logging.DEBUG), serving(until_closed, process_request=refuse) as server:
        for token_in in ("header", "query:key"):
            text = refusal(Link(f"{server.url}/q?user=me", token=TOKEN, token_in=token_in, headers={"X": HEADER_VALUE}))
            assert text.startswith(f"{server.url}/q: {said}")
        ours = [each.getMessage() for each in caplog.records if not each.name.startswith("websockets.server")]
        assert not any(TOKEN in text or HEADER_VALUE in text or "s3cret%2F" in text for text in [*ours, text])


@pytest.mark.parametrize("is_in_file", [True, False])
def test_a_server_that_says_our_secrets_when_it_closes_does_not_bring_them_into_the_error(
    tmp_path: Path, is_in_file: bool
) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    token: dict[str, Any] = {"token_file": file} if is_in_file else {"token": TOKEN}

    def close(connection: ServerConnection) -> None:
        connection.close(4001, f"bad key {TOKEN}, {HEADER_VALUE}")

    with serving(close) as server:
        source = WebSocketSource("feed", None, Link(server.url, headers={"X": HEADER_VALUE}, **token))
        source.open()
        server_said = f"{server.url}: the server closed the connection (4001 bad key (secret), (secret))"
        with pytest.raises(SourceError) as raised:  # noqa: PT012 - whenever it comes
            while True:
                source.poll(1)
        source.close(1.0)
        assert str(raised.value) == server_said


def test_each_word_of_a_header_is_a_secret() -> None:
    said = Link("ws://h:1", headers={"Authorization": f"Basic {TOKEN}"}).failed(f"Basic auth: {TOKEN} is unknown")
    assert str(said) == "ws://h:1: Basic auth: (secret) is unknown"


def test_a_server_that_reads_nothing_holds_up_nobody_who_subscribes() -> None:
    is_over = threading.Event()

    def deaf(connection: ServerConnection) -> None:
        with connection.recv_flow_control:
            is_over.wait(30)

    link = Link("", subscribe=("x" * 4_000_000,) * 8, open_seconds=0.3)
    try:
        with serving(deaf, compression=None) as server:
            text = refusal(replace(link, url=server.url))
            is_over.set()
    finally:
        is_over.set()
    assert text.startswith(f"{server.url}: ")


def test_a_link_does_not_show_its_secrets() -> None:
    link = Link("ws://host:1/p?key=s3cret", token=TOKEN, headers={"X": HEADER_VALUE})
    assert link.address == "ws://host:1/p"
    assert Link("ws://[::1]:7/p").address == "ws://[::1]:7/p"
    assert TOKEN not in repr(link)
    assert HEADER_VALUE not in repr(link)


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """A plain server that says something, or nothing, to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        done = threading.Event()

        def run() -> None:
            with listening.accept()[0] as connection:
                if answer is not None:
                    connection.recv(65536)
                    connection.sendall(answer)
                else:
                    done.wait(10)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            done.set()
            thread.join(10)


@pytest.mark.parametrize(
    ("scheme", "answer", "said"),
    [
        ("ws", b"HTTP/1.1 banana\r\n\r\n", "what answers there is no WebSocket server, or speaks TLS; look at url"),
        ("ws", b"\x00\xff" * 999, "what answers there is no WebSocket server, or speaks TLS; look at url"),
        ("ws", b"", "what answers there is no WebSocket server, or speaks TLS; look at url"),
        ("ws", b"HTTP/1.1 101 Switching", "what answers there is no WebSocket server, or speaks TLS; look at url"),
        ("wss", b"HTTP/1.1 400 Bad\r\n\r\n", "no TLS is spoken there, or none that is ours; is url ws:// in place"),
        ("ws", None, "no answer came within 0.2 s (open_seconds)"),
        ("wss", None, "no answer came within 0.2 s (open_seconds)"),
    ],
)
def test_what_is_no_feed_is_told(scheme: str, answer: bytes | None, said: str) -> None:
    with answering(answer) as at:
        assert refusal(Link(f"{scheme}://{at}", open_seconds=0.2 if answer is None else 10)).startswith(
            f"{scheme}://{at}: {said}"
        )


def test_who_cannot_be_reached_is_told() -> None:
    assert "nothing listens there" in refusal(Link("ws://127.0.0.1:1"))
    assert "the host of url cannot be found" in refusal(Link("ws://no-such-host.invalid:1"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates") / "ours", "Ours")


def tls_of(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def test_tls_is_verified(authority: Authority, tmp_path: Path) -> None:
    tls = tls_of(*authority.signed("server", "IP:127.0.0.1"))
    (tmp_path / "empty.pem").write_text("")
    with serving(until_closed, tls=tls, subscribes=1) as server:
        opened_and_closed(Link(server.url, ca_file=authority.certificate, subscribe=("hello",)), server)
        assert server.heard == [["hello"]]
        said = "the server's certificate is not signed by an authority that is trusted here; name its own by ca_file"
        assert refusal(Link(server.url)) == f"{server.url}: {said}"
        by_name = server.url.replace("127.0.0.1", "localhost")
        assert refusal(Link(by_name, ca_file=authority.certificate)) == (
            f"{by_name}: the server's certificate is not for the host of url"
        )
        assert "cannot be read: No such file" in refusal(Link(server.url, ca_file=tmp_path / "gone.pem"))
        assert "cannot be read: it holds no certificates" in refusal(Link(server.url, ca_file=tmp_path / "empty.pem"))
        plain = server.url.replace("wss", "ws")
        assert "speaks TLS; look at url" in refusal(Link(plain))


def test_an_expired_certificate_is_told(authority: Authority, tmp_path: Path) -> None:
    certificate, key, request = tmp_path / "old.pem", tmp_path / "old.key", tmp_path / "old.csr"
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=old",
         "-keyout", key, "-out", request],
        check=True, capture_output=True,
    )  # fmt: skip
    extensions = tmp_path / "ext"
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    subprocess.run(
        ["openssl", "x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", authority.folder / "ca.key",
         "-CAcreateserial", "-extfile", extensions, "-days", "-1", "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    with serving(until_closed, tls=tls_of(certificate, key)) as server:
        assert refusal(Link(server.url, ca_file=authority.certificate)) == (
            f"{server.url}: the server's certificate has expired; its owner must renew it"
        )
