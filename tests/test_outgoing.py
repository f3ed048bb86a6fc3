"""Which sinks the settings ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.cli.outgoing import publish_sink, reject_sink
from monitor.config import Settings
from monitor.sinks.publish import PublishSink
from monitor.sinks.rejects import RejectFile, RejectTopic
from tests.sinks import made


class Counts:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, int]] = []

    def outbox_waiting(self, sink: str, count: int) -> None:
        self.told.append(("waiting", sink, count))

    def outbox_sent(self, sink: str, count: int) -> None:
        self.told.append(("sent", sink, count))

    def outbox_dropped(self, sink: str, count: int) -> None:
        self.told.append(("dropped", sink, count))


def settings(**more: Any) -> Settings:
    return Settings(**more)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, None),
        ({"run": {"state": "STATE"}}, RejectFile),
        ({"run": {"state": "STATE"}, "rejects": {"to": "none"}}, None),
        ({"rejects": {"path": "STATE/mine.jsonl"}}, RejectFile),
        ({"rejects": {"to": "kafka"}}, RejectTopic),
    ],
)
def test_where_refused_events_go(given: dict[str, Any], kind: type | None, tmp_path: Path) -> None:
    of_test = {
        section: {name: value.replace("STATE", str(tmp_path)) for name, value in values.items()}
        for section, values in given.items()
    }
    sink = reject_sink(settings(**of_test), Counts(), is_synthetic=False)
    assert (None if sink is None else type(sink)) is kind
    if sink is not None:
        sink.close()


def test_they_are_kept_beside_the_state_and_counted(tmp_path: Path) -> None:
    counts = Counts()
    sink = reject_sink(settings(run={"state": tmp_path}, rejects={"most": 1}), counts, is_synthetic=True)
    assert sink is not None
    sink.ingested(made.ingested(rejects=[made.reject(), made.reject()]))
    assert '"synthetic": true' in (tmp_path / "rejects.jsonl").read_text()
    assert counts.told == [("sent", "rejects", 1), ("dropped", "rejects", 1)]


def test_results_are_sent_where_a_topic_is_named() -> None:
    assert publish_sink(settings(), [], Counts(), is_synthetic=False) is None
    for name in ("alerts_topic", "index_topic"):
        sink = publish_sink(settings(publish={name: "t"}), [], Counts(), is_synthetic=False)
        assert isinstance(sink, PublishSink)
        sink.close()


def test_brokers_that_are_gone_do_not_hold_up_the_end() -> None:
    counts = Counts()
    given = {"kafka": {"url": "kafka://127.0.0.1:1"}, "rejects": {"to": "kafka"}, "run": {"stop_within_seconds": 1.0}}
    sink = reject_sink(settings(**given), counts, is_synthetic=False)
    assert sink is not None
    sink.ingested(made.ingested(rejects=[made.reject()]))
    sink.close()
    assert counts.told == [("waiting", "rejects", 1), ("dropped", "rejects", 1), ("waiting", "rejects", 0)]
