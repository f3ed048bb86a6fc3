"""The runbooks as pages: at each alert's link, readable, without anything that a strict security policy forbids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser

import httpx
import pytest
from starlette.applications import Starlette

from monitor.generate.facts import Facts
from monitor.generate.runbooks import library
from monitor.links import Links
from monitor.signals import CATALOGUE
from monitor.signals.thresholds import Edge
from monitor.sinks.http import HttpServer
from monitor.sinks.runbook_pages import runbook_routes

LINKS = Links(base_url="http://monitor.example", grafana_url="https://boards.example")


@contextmanager
def serving(facts: Facts) -> Iterator[httpx.Client]:
    server = HttpServer(Starlette(routes=list(runbook_routes(library(facts)))), "127.0.0.1", 0)
    server.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", follow_redirects=True) as client:
            yield client
    finally:
        server.stop(2.0)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(FACTS) as asking:
        yield asking


FACTS = Facts(links=LINKS)
ALERTS = library(FACTS).alerts


class Tags(HTMLParser):
    """The tags of a page, which must be closed in their order."""

    VOID = frozenset({"meta", "link", "br", "hr", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attrs) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self._open.pop() == tag

    def links(self) -> list[str]:
        return [str(attributes["href"]) for tag, attributes in self.seen if tag == "a"]


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_its_page(client: httpx.Client, alert: str) -> None:
    answer = client.get(f"/runbooks/{alert}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<h1>{alert}" in answer.text
    for heading in ("Look at first", "False alarms", "What to do", "When to escalate"):
        assert f"<h2>{heading}</h2>" in answer.text


@pytest.mark.parametrize("path", ["/runbooks/", "/runbooks/Nothing", *(f"/runbooks/{alert}" for alert in ALERTS)])
def test_every_page_is_sound_and_leads_only_to_what_is_there(client: httpx.Client, path: str) -> None:
    page = Tags(client.get(path).text)
    names = [tag for tag, _ in page.seen]
    assert names.count("h1") == names.count("main") == names.count("nav") == 1
    assert not {"script", "style", "img", "iframe"} & set(names), "nothing that a strict policy forbids"
    for _, attributes in page.seen:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.seen
    for to in page.links():
        if to.startswith("/"):
            assert to == "/runbooks/" or to.removeprefix("/runbooks/") in ALERTS, to
        else:
            assert to.startswith("https://boards.example/d/msm-"), to
    for at, (tag, _) in enumerate(page.seen):
        if tag == "table":
            assert page.seen[at - 1][1].get("class") == "scroll", "a table scrolls, and not the page"


def test_the_list_names_all_of_them(client: httpx.Client) -> None:
    assert {f"/runbooks/{alert}" for alert in ALERTS} <= set(Tags(client.get("/runbooks/").text).links())
    assert client.get("/runbooks").url.path == "/runbooks/"


def test_an_unknown_one_is_told_with_what_there_is_and_not_repeated(client: httpx.Client) -> None:
    for asked in ("Nothing", "<script>alert(1)<", "repotailbp", "RepoTailBp.md", "..%2f..%2fetc%2fpasswd"):
        answer = client.get(f"/runbooks/{asked}")
        assert answer.status_code == 404, asked
        assert "alert(1)" not in answer.text
    answer = client.get("/runbooks/Nothing")
    assert "There is no runbook of that name." in answer.text
    assert {f"/runbooks/{alert}" for alert in ALERTS} <= set(Tags(answer.text).links())


def test_the_style_is_a_file_of_its_own(client: httpx.Client) -> None:
    [sheet] = [attributes["href"] for tag, attributes in Tags(client.get("/runbooks/").text).seen if tag == "link"]
    answer = client.get(str(sheet))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in answer.text
    assert "url(" not in answer.text, "nothing is loaded from elsewhere"


def test_thresholds_are_those_in_force(client: httpx.Client) -> None:
    changed = tuple(
        replace(each, thresholds=tuple(replace(row, warning=Edge(33, 22)) for row in each.thresholds))
        if each.name == "repo_tail_bp"
        else each
        for each in CATALOGUE
    )
    with serving(Facts(signals=changed, links=LINKS)) as other:
        page = other.get("/runbooks/RepoTailBp").text
    assert "<td>33/22</td>" in page
    assert "<td>40/25</td>" not in page
    assert "<td>40/25</td>" in client.get("/runbooks/RepoTailBp").text


def test_what_is_written_as_html_is_text() -> None:
    bad = tuple(
        replace(each, help="<b onclick=x>Bad</b> & worse.") if each.name == "repo_tail_bp" else each
        for each in CATALOGUE
    )
    with serving(Facts(signals=bad, links=LINKS)) as other:
        page = other.get("/runbooks/RepoTailBp").text
    assert "<b onclick" not in page
    assert "&lt;b onclick=x&gt;Bad&lt;/b&gt; &amp; worse." in page


def test_only_reading_is_possible(client: httpx.Client) -> None:
    assert client.post("/runbooks/RepoTailBp").status_code == 405
    assert client.head("/runbooks/RepoTailBp").status_code == 200


def test_markdown_leaves_no_trace(client: httpx.Client) -> None:
    for alert in ALERTS:
        text = re.sub(r"<code.*?</code>", "", client.get(f"/runbooks/{alert}").text, flags=re.DOTALL)
        assert "**" not in text, alert
        assert "](" not in text, alert
        assert "| --- |" not in text, alert
