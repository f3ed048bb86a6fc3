"""The HTTP face, asked over real sockets."""

from __future__ import annotations

import errno
import gc
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from monitor.sinks.base import SinkError
from monitor.sinks.http import HttpServer, metrics_app

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
STOP_SECONDS = 2.0
SLACK_SECONDS = 1.0


Page = Callable[[str], tuple[bytes, str]]


def page(value: float = 1.0) -> Page:
    made = CollectorRegistry()
    Gauge("market_repo_tail_bp", "Tail.", ["instrument"], registry=made).labels("SOFR").set(value)
    return page_of(made)


def page_of(registry: CollectorRegistry) -> Page:
    def text(accept: str) -> tuple[bytes, str]:
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    return text


@contextmanager
def serving(not_ready_because: Callable[[], str | None] = lambda: None, of: Page | None = None) -> Iterator[HttpServer]:
    server = HttpServer(metrics_app(of or page(), not_ready_because), HOST, 0)
    server.start()
    try:
        yield server
    finally:
        server.stop(STOP_SECONDS)


def get(server: HttpServer, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"http://{HOST}:{server.port}{path}", headers=headers)


def is_serving() -> bool:
    return any(thread.name == "http" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        (None, "text/plain; version=0.0.4; charset=utf-8", parse_prometheus),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", parse_prometheus),
        ("text/html,text/plain;q=0.9", "text/plain; version=0.0.4; charset=utf-8", parse_prometheus),
        (OPENMETRICS, OPENMETRICS, parse_openmetrics),
        (f"{OPENMETRICS},text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPENMETRICS, parse_openmetrics),
    ],
)
def test_metrics_in_the_text_that_the_scraper_asks_for(accept: str | None, content_type: str, parse: Any) -> None:
    with serving() as server:
        answer = get(server, "/metrics", **({"accept": accept} if accept else {}))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(content_type)
    assert answer.headers["content-type"].count("charset") == 1
    [family] = parse(answer.text)
    assert [(sample.name, sample.labels, sample.value) for sample in family.samples] == [
        ("market_repo_tail_bp", {"instrument": "SOFR"}, 1.0)
    ]
    assert answer.text.endswith("# EOF\n") == (parse is parse_openmetrics)


def test_ready_says_why_it_is_not_until_it_is() -> None:
    reason: list[str | None] = ["the past is being read"]
    with serving(lambda: reason[0]) as server:
        answer = get(server, "/-/ready")
        assert (answer.status_code, answer.text) == (503, "not ready: the past is being read\n")
        assert get(server, "/-/healthy").status_code == 200, "it is alive all the same"
        reason[0] = None
        answer = get(server, "/-/ready")
        assert (answer.status_code, answer.text) == (200, "ready\n")
        reason[0] = "the monitor is stopping"
        assert get(server, "/-/ready").status_code == 503


def test_healthy_and_everything_else() -> None:
    with serving() as server:
        assert (get(server, "/-/healthy").status_code, get(server, "/-/healthy").text) == (200, "healthy\n")
        for path in ("/", "/metricsx", "/-/", "/api/nothing", "/..%2f..%2fetc/passwd"):
            assert get(server, path).status_code == 404, path
        assert httpx.post(f"http://{HOST}:{server.port}/metrics").status_code == 405
        assert httpx.head(f"http://{HOST}:{server.port}/metrics").status_code == 200


def test_port_0_is_one_of_the_system_s_choice_and_known_after_the_start() -> None:
    with serving() as one, serving(of=page(2.0)) as other:
        assert 0 < one.port != other.port > 0
        assert get(other, "/metrics").text.splitlines()[-1].endswith(" 2.0")


def test_a_port_in_use_is_told_with_advice() -> None:
    with serving() as server:
        second = HttpServer(metrics_app(page(), lambda: None), HOST, server.port)
        with pytest.raises(SinkError) as told:
            second.start()
        second.stop(STOP_SECONDS)
        assert str(told.value).startswith(f"{HOST}:{server.port} cannot be listened on (Address already in use)")
        for advice in ("is another monitor running?", "http.metrics_port", "MONITOR_HTTP__METRICS_PORT"):
            assert advice in str(told.value)
        assert get(server, "/-/healthy").status_code == 200, "the first one goes on"


def test_an_address_that_is_not_this_machine_s_is_told_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    monkeypatch.setattr(socket, "create_server", refuse)
    server = HttpServer(metrics_app(page(), lambda: None), HOST, 9464)
    with pytest.raises(SinkError, match=r"127\.0\.0\.1:9464 cannot be .*http\.host .*MONITOR_HTTP__HOST") as told:
        server.start()
    assert f"({os.strerror(errno.EADDRNOTAVAIL)})" in str(told.value)
    server.stop(STOP_SECONDS)


def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this system has no IPv6")
    server = HttpServer(metrics_app(page(), lambda: None), "::1", 0)
    server.start()
    assert httpx.get(f"http://[::1]:{server.port}/-/healthy").status_code == 200
    server.stop(STOP_SECONDS)


def test_stop_ends_the_thread_and_frees_the_port() -> None:
    with serving() as server:
        assert get(server, "/-/healthy").status_code == 200
        assert is_serving()
    assert not is_serving()
    again = HttpServer(metrics_app(page(), lambda: None), HOST, server.port)
    again.start()
    again.stop(STOP_SECONDS)
    again.stop(STOP_SECONDS)
    with pytest.raises(httpx.ConnectError):
        get(again, "/-/healthy")


def test_stop_before_start_does_nothing() -> None:
    HttpServer(metrics_app(page(), lambda: None), HOST, 0).stop(STOP_SECONDS)


@pytest.mark.parametrize(
    "sent", [b"", b"GET /metrics HTTP/1.1\r\nHost: 127", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"]
)
def test_stop_is_in_time_with_a_connection_that_hangs(sent: bytes) -> None:
    """A client that says nothing, one that stops in the middle, one that keeps its connection."""
    with serving() as server, socket.create_connection((HOST, server.port)) as client:
        client.sendall(sent)
        assert get(server, "/-/healthy").status_code == 200
        began = time.monotonic()
        server.stop(STOP_SECONDS)
        assert time.monotonic() - began < STOP_SECONDS + SLACK_SECONDS
        assert not is_serving()


# A server that is forced to end leaves the transport of a client that does not read to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_stop_is_in_time_with_a_client_that_does_not_read_its_answer() -> None:
    _stop_before_the_answer_is_read()
    gc.collect()


def _stop_before_the_answer_is_read() -> None:
    large = CollectorRegistry()
    gauge = Gauge("market_repo_specialness_bp", "Specialness.", ["collateral"], registry=large)
    for number in range(40_000):
        gauge.labels(f"collateral-{number:090}").set(number)
    with serving(of=page_of(large)) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.connect((HOST, server.port))
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200"), "the answer is under way"
        began = time.monotonic()
        server.stop(STOP_SECONDS)
        assert time.monotonic() - began < STOP_SECONDS + SLACK_SECONDS
        assert not is_serving()


def test_stop_is_in_time_while_an_answer_is_being_made() -> None:
    go_on = threading.Event()

    def slow() -> None:
        go_on.wait(20)

    def ask() -> None:
        with suppress(httpx.HTTPError):  # cut off, or told that the server failed
            get(server, "/-/ready")

    with serving(slow) as server:
        asker = threading.Thread(target=ask)
        asker.start()
        time.sleep(0.2)
        began = time.monotonic()
        server.stop(STOP_SECONDS)
        assert time.monotonic() - began < STOP_SECONDS + SLACK_SECONDS
        go_on.set()
        asker.join(timeout=10)
    assert not asker.is_alive()


def test_many_scrapes_at_once() -> None:
    answers: list[int] = []
    with serving() as server:
        scrapers = [
            threading.Thread(target=lambda: answers.append(get(server, "/metrics").status_code)) for _ in range(30)
        ]
        for scraper in scrapers:
            scraper.start()
        for scraper in scrapers:
            scraper.join(timeout=30)
    assert answers == [200] * 30
