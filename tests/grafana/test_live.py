"""The boards are alive: every query of every panel has an answer from a real Prometheus that scrapes a real monitor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.generate.boards.not_shown import NOT_SHOWN
from monitor.generate.boards.queries import NOT_KNOWN
from monitor.generate.rules import JOB
from monitor.results import SEGMENTS
from monitor.signals import CATALOGUE
from monitor.sinks import metrics
from tests.chain.parts import Monitor, Prometheus, of_monitor, until
from tests.grafana.live import Answers, ask_until_told, choose
from tests.grafana.reading import BOARDS, MARKS, QUERIES, Asked, metrics_in, panels_of, variables_of
from tests.prometheus.tools import lay_out, need

pytestmark = pytest.mark.timeout(900)
SPEED: Final = 300
STORY_SECONDS: Final = 420
"""Three times what the story takes on a machine that has nothing else to do."""
_ENDED: Final = f'max({metrics.SOURCE_STATE.scraped}{{state="ended"}}) == 1'

# What a story played without a broker, on a Prometheus a minute old, has rightly nothing to tell of; by board,
# panel and queries, the reason.
NOTHING_TO_TELL: Final = {
    ("msm-overview", "Change of the index", "AB"): "Prometheus has not run for an hour",
    ("msm-repo", "Rate against IORB, and the corridor", "F"): "the rates in force were published long before the story",
    ("msm-new-issues", "Maturity wall", "B"): "of 12 months' supply not all are known",
    ("msm-on-call", "Silenced", "AB"): "no Alertmanager is scraped",
    ("msm-on-call", "What is blind, and since when", "AB"): "no input is lost in this story",
    ("msm-pipeline", "Events refused, by reason", "AB"): "every event of the story meets its contract",
    ("msm-pipeline", "Messages that wait, by partition", "AB"): "no broker is read",
    ("msm-pipeline", "Label sets against their limit", "C"): "none is left out",
    ("msm-pipeline", "Read up to", "A"): "no broker is read",
    ("msm-pipeline", "Messages lost", "A"): "no broker is read",
    ("msm-pipeline", "Messages without content", "A"): "no broker is read",
    ("msm-pipeline", "Silence of partitions", "A"): "no broker is read",
    ("msm-pipeline", "Frames of feeds", "A"): "no feed is read over WebSocket",
    ("msm-pipeline", "Bytes of feeds", "A"): "no feed is read over WebSocket",
    ("msm-pipeline", "What feeds lost", "ABCD"): "no feed that numbers its messages is read",
    ("msm-pipeline", "Messages not acknowledged", "A"): "nothing is published",
    ("msm-pipeline", "Messages sent", "A"): "nothing is published",
    ("msm-pipeline", "Messages lost for others", "A"): "nothing is published",
}


@dataclass(frozen=True)
class Live:
    """What runs, and what it has answered."""

    monitor: Monitor
    prometheus: Prometheus
    answers: Answers


def has_nothing(query: Asked) -> bool:
    """Whether it may have nothing to tell here."""
    return any(
        (query.board, query.title) == (board, title) and query.ref in refs for board, title, refs in NOTHING_TO_TELL
    )


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A monitor that plays its story, and a Prometheus with the generated rules beside it."""
    need("prometheus")
    folder: Path = tmp_path_factory.mktemp("live")
    rules = lay_out(folder / "project") / "deploy/prometheus/rules"
    with (
        Monitor(folder / "monitor", "--speed", str(SPEED)) as monitor,
        Prometheus(folder / "prometheus", of_monitor(monitor), rules) as prometheus,
    ):
        until(lambda: bool(prometheus.query(metrics.INDEX.scraped)), "the index is there", 120)
        expected = [query for query in QUERIES if not has_nothing(query)]
        goes_on = lambda: not prometheus.query(_ENDED)  # noqa: E731
        answers = ask_until_told(prometheus, expected, goes_on, STORY_SECONDS)
        yield Live(monitor, prometheus, answers)


def test_every_query_of_every_panel_brings_data(live: Live) -> None:
    dead = [query.place for query in QUERIES if not has_nothing(query) and query not in live.answers.told]
    assert not dead


def test_none_is_ever_without_any_series(live: Live) -> None:
    live.answers.ask(live.prometheus, QUERIES)
    assert not sorted(query.place for query in live.answers.empty)


def test_what_has_nothing_to_tell_here_is_there() -> None:
    titles = {(board["uid"], panel["title"]) for board in BOARDS for panel in panels_of(board)}
    assert {(board, title) for board, title, _ in NOTHING_TO_TELL} <= titles


def test_with_values_chosen_no_panel_is_without_any_series(live: Live) -> None:
    for board in BOARDS:
        chosen = choose(live.prometheus, variables_of(board))
        without = [
            query.place
            for query in QUERIES
            if query.board == board["uid"] and not live.prometheus.query(query.filled(chosen))
        ]
        assert not without, chosen


def test_no_panel_has_more_than_twenty_lines(live: Live) -> None:
    for board in BOARDS:
        for panel in panels_of(board):
            if panel["type"] in {"timeseries", "heatmap", "state-timeline", "bargauge", "stat"}:
                of_panel = [query for query in QUERIES if query.board == board["uid"] and query.panel is panel]
                lines = sum(len(live.prometheus.query(query.filled())) for query in of_panel)
                assert lines <= 20, f"{board['uid']} {panel['title']}: {lines}"


def test_every_mark_is_understood(live: Live) -> None:
    for mark in MARKS:
        live.prometheus.query(mark.filled())


def test_what_the_monitor_exports_is_on_a_board_or_has_a_reason_not_to_be(live: Live) -> None:
    page = live.monitor.get("/metrics")
    exported = {sample.name for family in text_string_to_metric_families(page) for sample in family.samples}
    shown = {name for query in QUERIES for name in metrics_in(query.expr)}
    histograms = {family.name for family in metrics.FAMILIES if family.kind == "histogram"}
    of_shown = {
        f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count") if f"{name}_bucket" in shown
    }
    assert exported
    assert exported - shown - of_shown - set(NOT_SHOWN) == set()


def rows_of(live: Live, title: str) -> list[set[tuple[str, str]]]:
    """The rows of a table by query, each what and where."""
    boards_queries = [query for query in QUERIES if query.title == title]
    return [
        {(each["metric"].get("title", ""), each["metric"].get("where", "")) for each in rows}
        for rows in (live.prometheus.query(query.filled()) for query in boards_queries)
    ]


def test_while_the_monitor_is_away_no_table_says_that_all_is_well(live: Live) -> None:
    """The last one: it ends the monitor."""
    tables = ("What fires", "Firing alerts")
    before = rows_of(live, "What fires")[0]
    titles = {signal.title for signal in CATALOGUE}
    of_market = {row for row in before if row[0] in titles}
    assert of_market, "the story ends in stress"
    live.monitor.kill()
    up = f'max(up{{job="{JOB}"}})'
    until(lambda: live.prometheus.query(up)[0]["value"][1] == "0", "the monitor is away")
    fires = lambda: "MonitorDown" in {each["labels"]["alertname"] for each in live.prometheus.firing()}  # noqa: E731
    assert not fires(), "the moment before anybody is told is the one that matters"
    for moment in ("at once", "when MonitorDown fires"):
        for table in tables:
            for rows in rows_of(live, table):
                said = {title for title, _ in rows}
                assert of_market <= rows, f"{table}, {moment}"
                assert not said & {"nothing fires", NOT_KNOWN}, f"{table}, {moment}: nothing besides what fires"
        for rows in rows_of(live, "What is blind, and since when"):
            assert rows <= {(NOT_KNOWN, ""), *(("Blind when last heard of", each) for each in SEGMENTS)}, moment
        counts = [
            live.prometheus.query(query.filled())[0]["value"][1]
            for query in QUERIES
            if query.title == "Coverage, alerts, age" and query.ref in "BC"
        ]
        assert len(counts) == 2
        assert "0" not in counts, f"{moment}: that there is none is not known"
        assert counts != ["NaN", "NaN"], moment
        until(fires, "MonitorDown fires", 90)
    assert ("MonitorDown", "monitor") in rows_of(live, "What fires")[0]
