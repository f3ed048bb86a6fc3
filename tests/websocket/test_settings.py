"""The section of a feed: what is refused, what is shown, and what the parts get of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

from monitor.cli import app
from monitor.config import load
from monitor.config.websocket import WebSocketSourceSettings
from monitor.sinks.prometheus import PrometheusSink

SECRET = "s3cret-of-the-desk"  # noqa: S105 - made up


def section(**given: object) -> WebSocketSourceSettings:
    return TypeAdapter(WebSocketSourceSettings).validate_python({"kind": "websocket", "url": "ws://h:1/p", **given})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://h/p"}, "it is not of the form ws://HOST:PORT/PATH or wss://HOST:PORT/PATH"),
        ({"url": "ws://"}, "it is not of the form"),
        ({"url": "ws://h:99999/"}, "it is not of the form"),
        ({"url": "ws://h/ p"}, "it is not of the form"),
        ({"url": f"wss://user:{SECRET}@h/"}, "put the user and the password into headers or token_file"),
        ({"token": "a", "token_file": "b"}, "give token or token_file, not both"),
        ({"token_in": "cookie"}, "a token goes in header, header:NAME, query:NAME or subscribe"),
        ({"token_in": "header:a b"}, "a token goes in"),
        ({"token_in": "subscribe"}, "stands in a message of subscribe where token_in"),
        ({"subscribe": ('{"key":"{token}"}',)}, "stands in a message of subscribe where token_in"),
        ({"headers": {"a b": "c"}}, "'a b' is no name of a header"),
        ({"headers": {"a": f"{SECRET}\r\nb: c"}}, "the value of a is not of ASCII letters, digits and signs"),
        ({"headers": {"sec-websocket-key": "b"}}, "sec-websocket-key is a header that the connection itself sets"),
        ({"headers": {"Host": "b"}}, "Host is a header that the connection itself sets"),
        ({"sequence": "a..b"}, "names with single dots between them"),
        ({"sequence": 'a."b"'}, "names with single dots between them"),
        ({"ping_seconds": 0}, "greater than 0"),
        ({"max_frame_bytes": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        section(**given)


def test_the_parts_get_what_the_section_says() -> None:
    place = "query:key"
    each = section(
        url="wss://h/p?a=1", token=SECRET, headers={"X-Desk": "rates"}, token_in=place, compression=False,
        sequence="a.b", sequence_of="frame", subscribe=["one", "two"], max_frame_bytes=9, open_seconds=3,
    )  # fmt: skip
    link, numbers = each.link(), each.numbers("desk")
    assert (link.url, link.token, link.headers, link.token_in) == (
        "wss://h/p?a=1",
        SECRET,
        {"X-Desk": "rates"},
        "query:key",
    )
    assert (link.subscribe, link.max_frame_bytes, link.open_seconds) == (("one", "two"), 9, 3)
    assert not link.has_compression
    assert numbers is not None
    assert numbers.number_of(b'{"a":{"b":3}}') == 3
    assert section().numbers("desk") is None


def test_check_config_shows_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "monitor.toml"
    text = f'[sources.desk]\nkind = "websocket"\ntoken = "{SECRET}"\nheaders = {{ X-Key = "{SECRET}" }}\n'
    file.write_text(f'{text}url = "wss://h/p?key={SECRET}&b={SECRET}"\n')
    shown = CliRunner().invoke(app, ["check-config", str(file)])
    assert shown.exit_code == 0, shown.output
    assert "wss://h/p?key=(hidden)&b=(hidden)" in shown.output
    assert SECRET not in shown.output
    for url in (f"wss://user:{SECRET}@h/p", f"wss://h:port/{SECRET}"):
        file.write_text(f'{text}url = "{url}"\n')
        refused = CliRunner().invoke(app, ["check-config", str(file)])
        assert refused.exit_code != 0
        assert SECRET not in refused.output


def test_the_counts_of_feeds_are_metrics() -> None:
    sink = PrometheusSink([], "1")
    sink.feed_counts("desk", {"connections": 1})
    sink.feed_counts("desk", {"frames": 3, "bytes": 70, "missing": 0, "repeated": 1, "out_of_order": 2})
    sink.feed_counts("desk", {"frames": 2, "missing": 5})
    page = sink.page()[0].decode()
    for line in ("connections_total 1", "frames_total 5", "bytes_total 70", "missing_total 5", "repeated_total 1",
                 "out_of_order_total 2"):  # fmt: skip
        name, value = line.split()
        assert f'monitor_feed_{name}{{source="desk"}} {value}.0\n' in page


def test_what_is_shipped_is_sound() -> None:
    source = load(Path(__file__).parents[2] / "deploy/monitor.websocket.toml").sources["feed"]
    assert isinstance(source, WebSocketSourceSettings)
    assert source.numbers("feed") is not None
