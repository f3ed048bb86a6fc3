"""The runbooks as pages: at each alert's link, readable, without anything that a strict security policy forbids."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from monitor.generate.facts import Facts
from monitor.generate.runbooks import library
from monitor.links import Links
from monitor.signals import CATALOGUE
from monitor.signals.thresholds import Edge
from monitor.sinks.runbook_pages import runbook_routes

LINKS = Links(base_url="http://monitor.example", grafana_url="https://boards.example")


def client(facts: Facts) -> TestClient:
    return TestClient(Starlette(routes=list(runbook_routes(library(facts), facts.links))))


FACTS = Facts(links=LINKS)
CLIENT = client(FACTS)
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
def test_every_alert_has_its_page(alert: str) -> None:
    answer = CLIENT.get(f"/runbooks/{alert}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<h1>{alert}" in answer.text
    for heading in ("Look at first", "False alarms", "What to do", "When to escalate"):
        assert f"<h2>{heading}</h2>" in answer.text


@pytest.mark.parametrize("path", ["/runbooks/", "/runbooks/Nothing", *(f"/runbooks/{alert}" for alert in ALERTS)])
def test_every_page_is_sound_and_leads_only_to_what_is_there(path: str) -> None:
    page = Tags(CLIENT.get(path).text)
    names = [tag for tag, _ in page.seen]
    assert names.count("h1") == names.count("main") == names.count("nav") == 1
    assert not {"script", "style", "img", "iframe"} & set(names), "nothing that a strict policy forbids"
    for _, attributes in page.seen:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.seen
    for to in page.links():
        if to.startswith("/"):
            assert CLIENT.get(to).status_code == 200, to
        else:
            assert to.startswith("https://boards.example/d/msm-"), to
    for at, (tag, _) in enumerate(page.seen):
        if tag == "table":
            assert page.seen[at - 1][1].get("class") == "scroll", "a table scrolls, and not the page"


def test_the_list_names_all_of_them() -> None:
    assert {f"/runbooks/{alert}" for alert in ALERTS} <= set(Tags(CLIENT.get("/runbooks/").text).links())
    assert CLIENT.get("/runbooks").url.path == "/runbooks/"


def test_an_unknown_one_is_told_with_what_there_is_and_not_repeated() -> None:
    for asked in ("Nothing", "<script>alert(1)<", "repotailbp", "RepoTailBp.md", "..%2f..%2fetc%2fpasswd"):
        answer = CLIENT.get(f"/runbooks/{asked}")
        assert answer.status_code == 404, asked
        assert "alert(1)" not in answer.text
    answer = CLIENT.get("/runbooks/Nothing")
    assert "There is no runbook of that name." in answer.text
    assert {f"/runbooks/{alert}" for alert in ALERTS} <= set(Tags(answer.text).links())


def test_the_style_is_a_file_of_its_own() -> None:
    [sheet] = [attributes["href"] for tag, attributes in Tags(CLIENT.get("/runbooks/").text).seen if tag == "link"]
    answer = CLIENT.get(str(sheet))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in answer.text
    assert "url(" not in answer.text, "nothing is loaded from elsewhere"


def test_thresholds_are_those_in_force() -> None:
    changed = tuple(
        replace(each, thresholds=tuple(replace(row, warning=Edge(33, 22)) for row in each.thresholds))
        if each.name == "repo_tail_bp"
        else each
        for each in CATALOGUE
    )
    page = client(Facts(signals=changed, links=LINKS)).get("/runbooks/RepoTailBp").text
    assert "<td>33/22</td>" in page
    assert "<td>40/25</td>" not in page
    assert "<td>40/25</td>" in CLIENT.get("/runbooks/RepoTailBp").text


def test_what_is_written_as_html_is_text() -> None:
    bad = tuple(
        replace(each, help="<b onclick=x>Bad</b> & worse.") if each.name == "repo_tail_bp" else each
        for each in CATALOGUE
    )
    page = client(Facts(signals=bad, links=LINKS)).get("/runbooks/RepoTailBp").text
    assert "<b onclick" not in page
    assert "&lt;b onclick=x&gt;Bad&lt;/b&gt; &amp; worse." in page


def test_only_reading_is_possible() -> None:
    assert CLIENT.post("/runbooks/RepoTailBp").status_code == 405
    assert CLIENT.head("/runbooks/RepoTailBp").status_code == 200


def test_markdown_leaves_no_trace() -> None:
    for alert in ALERTS:
        text = re.sub(r"<code.*?</code>", "", CLIENT.get(f"/runbooks/{alert}").text, flags=re.DOTALL)
        assert "**" not in text, alert
        assert "](" not in text, alert
        assert "| --- |" not in text, alert
