"""The page's server, asked over real sockets: what it serves, what it pushes, and whom it refuses."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from monitor.generate.facts import Facts
from monitor.generate.runbooks import library
from monitor.page import Guard, hub
from monitor.page.differences import applied
from monitor.page.guard import COOKIE
from monitor.sinks.http import HttpServer
from monitor.sinks.runbook_pages import PREFIX, runbook_routes
from tests.page.made import Market, many, serving
from tests.sinks.made import TICK, step

TOKEN = "a-token-of-the-desk"  # noqa: S105 - made up
WAIT_SECONDS = 10.0


def crunched() -> Market:
    market = Market()
    market.crunch()
    return market


def get(server: HttpServer, path: str, **more: Any) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", timeout=WAIT_SECONDS, **more)


@contextmanager
def listening(server: HttpServer, query: str = "", **more: Any) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{server.port}/ws{query}", close_timeout=1, max_size=None, **more) as connection:
        yield connection


def heard(connection: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(connection.recv(timeout=WAIT_SECONDS))
    return message


def heard_until(connection: ClientConnection, done: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    messages = [heard(connection)]
    while not done(messages[-1]):
        messages.append(heard(connection))
    return messages


def has_tick(tick: int) -> Callable[[dict[str, Any]], bool]:
    """Whether a message has what came at a tick: several may have parts of it."""
    return lambda each: f"index/{tick}" in each.get("set", {})


class TestWhatItServes:
    def test_the_page_has_the_state_in_it_and_nothing_from_elsewhere(self) -> None:
        market = crunched()
        with serving(market) as server:
            answer = get(server, "/")
        whole = re.search(r'<script type="application/json" id="whole">(.*?)</script>', answer.text, re.DOTALL)
        assert whole is not None
        assert json.loads(whole[1])["state"]["head"]["regime"] == "elevated"
        assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", answer.text)
        scripts = re.findall(r"<script([^>]*)>", answer.text)
        assert all("src=" in each or "application/json" in each for each in scripts), "no script stands in the page"
        assert "script-src 'self';" in answer.headers["content-security-policy"]

    def test_no_name_of_a_feed_can_become_markup(self) -> None:
        market = Market()
        market.wrote(step("repo_tail_bp", 1.0, 0, instrument="</script><script>alert(1)</script>"))
        with serving(market) as server:
            text = get(server, "/").text
        assert "<script>alert" not in text
        assert "\\u003c/script>\\u003cscript>alert(1)" in text

    def test_all_that_the_page_names_is_there(self) -> None:
        with serving(crunched()) as server:
            named = set(re.findall(r'(?:src|href)="(/[^"#]+)"', get(server, "/").text))
            scripts = [each for each in named if each.startswith("/static/") and each.endswith(".js")]
            while scripts:
                script = scripts.pop()
                more = {
                    f"/static/{each}" for each in re.findall(r'from "\./([^"]+)"', get(server, script).text)
                } - named
                named |= more
                scripts += more
            served = {path: get(server, path) for path in named if not path.startswith(PREFIX)}
        assert {path: answer.status_code for path, answer in served.items()} == dict.fromkeys(served, 200)
        assert any(path.startswith("/plotly-") for path in served)
        assert len(served) > 12

    def test_plotly_is_packed_and_kept(self) -> None:
        with serving(Market()) as server:
            (path,) = re.findall(r'src="(/plotly-[^"]+)"', get(server, "/").text)
            packed = get(server, path)
            plain = get(server, path, headers={"accept-encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.text == plain.text
        assert "immutable" in packed.headers["cache-control"]

    @pytest.mark.parametrize("path", ["/static/nothing.js", "/static/..%2fapp.py", "/static/index.html", "/nothing"])
    def test_nothing_else_is_served(self, path: str) -> None:
        with serving(Market()) as server:
            assert get(server, path).status_code == 404

    def test_programs_get_json(self) -> None:
        with serving(crunched()) as server:
            signals, alerts = get(server, "/api/signals").json(), get(server, "/api/alerts").json()
            history = get(server, "/api/history", params={"series": "repo_tail_bp|SOFR|"}).json()
            unknown = [get(server, "/api/history", params={"series": each}) for each in ("nix|a", "repo_tail_bp|SOFR")]
        assert {each["signal"] for each in signals} == {"repo_tail_bp", "repo_volume_busd"}
        assert alerts["firing"][0]["alert"] == "RepoTailBp"
        assert history == [[TICK, 217.0]]
        assert [each.status_code for each in unknown] == [404, 404]

    def test_probes_and_runbooks(self) -> None:
        market = Market(not_ready="catching up: repo.rates/3")
        with serving(market, others=runbook_routes(library(Facts()))) as server:
            assert get(server, "/-/healthy").status_code == 200
            ready = get(server, "/-/ready")
            assert (ready.status_code, ready.text) == (503, "not ready: catching up: repo.rates/3\n")
            market.not_ready = None
            assert get(server, "/-/ready").status_code == 200
            assert get(server, PREFIX).status_code == 200


class TestWhatItPushes:
    def test_the_whole_and_then_what_changes_makes_what_the_page_would_bring(self) -> None:
        market = crunched()
        with serving(market) as server, listening(server) as connection:
            first = heard(connection)
            market.crunch(60, 150.0)
            messages = heard_until(connection, has_tick(TICK + 60))
            state = first["state"]
            for message in messages:
                state = applied(state, message)
            whole = heard_whole(server)
        assert state == whole["state"]
        assert state["now/repo_tail_bp|SOFR|"][0] == 150.0
        assert len(json.dumps(messages[-1])) < len(json.dumps(first)) / 2

    def test_versions_count_by_one_and_silence_is_broken_every_second(self) -> None:
        with serving(crunched()) as server, listening(server) as connection:
            version = heard(connection)["version"]
            began = time.monotonic()
            alive = heard(connection)
            assert set(alive) == {"version", "at"}
            assert alive["version"] == version
            assert time.monotonic() - began < 5, "a page that hears nothing for so long says that it is stale"

    def test_who_comes_back_gets_what_was_missed(self) -> None:
        market = crunched()
        with serving(market) as server:
            with listening(server) as connection:
                first = heard(connection)
            with listening(server) as other:  # while somebody looks, versions go on
                heard(other)
                for at in (60, 120):
                    market.crunch(at, float(at))
                    heard_until(other, has_tick(TICK + at))
                with listening(server, f"?run={first['run']}&version={first['version']}") as back:
                    missed = heard_until(back, has_tick(TICK + 120))
                with listening(server, f"?run=another&version={first['version']}") as stranger:
                    assert "state" in heard(stranger), "versions of another process mean nothing"
                with listening(server, f"?run={first['run']}&version=99999") as ahead:
                    assert "state" in heard(ahead)
                with listening(server, f"?run={first['run']}&version=x") as odd:
                    assert "state" in heard(odd)
        assert [each["version"] for each in missed] == [first["version"] + 1 + at for at in range(len(missed))]
        state = first["state"]
        for message in missed:
            state = applied(state, message)
        assert state["now/repo_tail_bp|SOFR|"][0] == 120.0

    def test_what_is_too_long_ago_is_told_as_a_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub, "REMEMBERED_SECONDS", -1.0)
        market = crunched()
        with serving(market) as server:
            with listening(server) as connection:
                first = heard(connection)
            market.crunch(60)
            time.sleep(2 * hub.EVERY_SECONDS)
            with listening(server, f"?run={first['run']}&version={first['version']}") as back:
                assert "state" in heard(back)

    def test_a_page_that_takes_nothing_is_dropped_and_others_are_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub, "EVERY_SECONDS", 0.01)
        market, steps = many(1_500)
        with capture_logs() as log, serving(market) as server, listening(server) as good:
            before = heard(good)["version"]
            deaf = socket.create_connection(("127.0.0.1", server.port))
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.sendall(
                b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            ends_at = time.monotonic() + 4 * WAIT_SECONDS
            level, version = 0, before
            while not has_ended(deaf) and time.monotonic() < ends_at:
                level = 3 - level if level else 1
                market.wrote(*[each | {"level": level, "tick": TICK + version} for each in steps])
                version = heard_until(good, lambda each: "set" in each)[-1]["version"]
            assert time.monotonic() < ends_at, "it was not dropped"
            assert version > before + hub.WAITING_MESSAGES
            market.crunch(9_999)
            assert "set" in heard_until(good, lambda each: "set" in each)[-1]
            deaf.close()
        assert [each["event"] for each in log] == ["a page took too little, and was dropped"]

    def test_a_mistake_in_the_state_is_logged_and_does_not_end_the_push(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub, "_AGAIN_SECONDS", 0.05)
        market = crunched()
        with capture_logs() as log, serving(market) as server, listening(server) as connection:
            heard(connection)
            sink, market.prometheus = market.prometheus, None  # type: ignore[assignment]
            until(lambda: log)
            market.prometheus = sink
            market.crunch(60)
            assert "set" in heard_until(connection, lambda each: "set" in each)[-1]
        assert "the live page's state cannot be made" in log[0]["event"]

    def test_no_more_pages_than_can_be_served(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hub, "MAX_READERS", 1)
        with serving(Market()) as server, listening(server) as first:
            heard(first)
            with listening(server) as second, pytest.raises(ConnectionClosed) as closed:
                second.recv(timeout=WAIT_SECONDS)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == hub.TRY_AGAIN_LATER

    def test_a_page_that_talks_too_much_is_closed(self) -> None:
        with serving(Market()) as server, listening(server) as talker:
            heard(talker)
            with pytest.raises(ConnectionClosed):  # noqa: PT012 - whenever it comes
                talker.send("x" * 5_000)
                while True:
                    talker.recv(timeout=WAIT_SECONDS)

    def test_the_end_of_the_monitor_is_the_end_of_the_connection(self) -> None:
        with serving(Market()) as server, listening(server) as connection:
            heard(connection)
            began = time.monotonic()
            server.stop(3.0)
            with pytest.raises(ConnectionClosed):  # noqa: PT012 - whenever it comes
                while True:
                    connection.recv(timeout=WAIT_SECONDS)
            assert time.monotonic() - began < 5


def until(is_so: Callable[[], object]) -> None:
    ends_at = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < ends_at
        time.sleep(0.01)


def heard_whole(server: HttpServer) -> dict[str, Any]:
    with listening(server) as connection:
        return heard(connection)


def has_ended(deaf: socket.socket) -> bool:
    """Whether the other side is gone, of a socket from which nothing is read."""
    try:
        deaf.sendall(b"\x8a\x80\0\0\0\0")  # a pong that nobody asked for
    except OSError:
        return True
    return False


class TestWhomItRefuses:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"host": "127.0.0.1:8080"}, 200),
            ({"host": "localhost"}, 200),
            ({"host": "[::1]:8080"}, 200),
            ({"host": "evil.example"}, 421),
            ({"host": "127.0.0.1.evil.example"}, 421),
            ({"host": "evil.example:80@127.0.0.1"}, 421),
            ({"host": "desk.example:8080"}, 200),
            ({"host": "DESK.example"}, 200),
            ({"host": "localhost", "origin": "http://localhost"}, 200),
            ({"host": "localhost", "origin": "http://evil.example"}, 421),
            ({"host": "localhost", "origin": "null"}, 421),
            ({"host": "["}, 421),
            ({"host": "localhost", "origin": "http://["}, 421),
        ],
    )
    def test_other_hosts_and_pages_of_other_sites(self, headers: dict[str, str], status: int) -> None:
        with serving(Market(), Guard(frozenset({"desk.example"}))) as server:
            assert get(server, "/", headers=headers).status_code == status

    def test_a_push_to_a_page_of_another_site(self) -> None:
        with (
            serving(Market()) as server,
            pytest.raises(InvalidStatus) as refused,
            listening(server, origin="http://evil.example"),
        ):
            pass
        assert refused.value.response.status_code == 403

    def test_without_the_token_nothing_but_probes(self) -> None:
        with serving(crunched(), Guard(token=TOKEN)) as server:
            for path in ("/", "/api/signals", "/static/main.js", "/runbooks/", "/?token=wrong"):
                answer = get(server, path)
                assert answer.status_code == 401
                assert "repo" not in answer.text
            assert get(server, "/-/healthy").status_code == 200
            with pytest.raises(InvalidStatus), listening(server):
                pass

    def test_the_token_in_a_header_a_cookie_or_the_address(self) -> None:
        bearer = {"authorization": f"Bearer {TOKEN}"}
        with serving(crunched(), Guard(token=TOKEN)) as server:
            assert get(server, "/api/alerts", headers=bearer).status_code == 200
            with listening(server, additional_headers=bearer) as connection:
                assert "state" in heard(connection)
            with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as browser:
                moved = browser.get("/", params={"token": TOKEN, "a": "b"})
                assert (moved.status_code, moved.headers["location"]) == (303, "/?a=b"), "no address keeps a token"
                cookie = moved.headers["set-cookie"].lower()
                assert "httponly" in cookie
                assert "samesite=lax" in cookie
                elsewhere = get(server, f"//evil.example/?token={TOKEN}")
                assert elsewhere.headers["location"] == "/evil.example/", "nobody is led to another host"
                assert browser.get("/").status_code == 200
            with listening(server, additional_headers={"cookie": f"{COOKIE}={TOKEN}"}) as connection:
                assert "state" in heard(connection)

    def test_every_answer_keeps_a_browser_safe(self) -> None:
        with serving(Market(), Guard(token=TOKEN)) as server:
            answers = [get(server, path) for path in ("/", "/-/healthy", "/nothing")]
            answers.append(get(server, "/", headers={"host": "evil.example"}))
        for answer in answers:
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "unsafe-eval" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert "server" not in answer.headers
