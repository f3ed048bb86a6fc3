"""Results for other programs: what each message holds, and that the last message of a key says how it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from monitor.sinks.files import transition_line
from monitor.sinks.publish import PublishSink, alert_key
from monitor.sinks.snapshot import MetricOfSignal
from tests.sinks import made

SIGNALS = [
    MetricOfSignal("repo_tail_bp", "RepoTailBp", "", "repo", ("instrument", "window"), headline=True, has_levels=True),
    MetricOfSignal("repo_volume_busd", "RepoVolumeBusd", "", "repo", ("instrument",), headline=False, has_levels=False),
]
SOFR = 'RepoTailBp{instrument="SOFR"}'


class Outbox:
    """Keeps what is put in, and drops what it is told to."""

    def __init__(self) -> None:
        self.put_in: list[tuple[str, str | None, dict[str, Any]]] = []
        self.waiting = self.dropped = 0
        self.closed_within: float | None = None

    def put(
        self, topic: str, value: bytes, *, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        assert not headers
        self.put_in.append((topic, key.decode() if key else None, json.loads(value)))

    def close(self, timeout_seconds: float) -> int:
        self.closed_within = timeout_seconds
        return 0

    def taken(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        taken, self.put_in = self.put_in, []
        return taken


def publish_sink(outbox: Outbox, **more: Any) -> PublishSink:
    told: dict[str, Any] = {"alerts_topic": "alerts", "index_topic": "index", "close_within_seconds": 2.0}
    return PublishSink(outbox, SIGNALS, **(told | more))


def test_a_transition_is_its_line_keyed_by_alert_and_labels() -> None:
    outbox = Outbox()
    sink = publish_sink(outbox)
    sink.ingested(made.ingested(rejects=[made.reject()]))
    sink.wrote(made.output(transitions=[made.transition(), made.transition(by_wall_clock=True)]))
    sink.close()
    line = transition_line(made.transition())
    assert outbox.put_in == [("alerts", SOFR, line), ("alerts", SOFR, line | {"clock": "wall"})]
    assert outbox.closed_within == 2.0


def test_made_up_events_say_so() -> None:
    outbox = Outbox()
    sink = publish_sink(outbox, is_synthetic=True)
    steps = [made.step("repo_tail_bp", 1.0, 0, instrument="TGCR")]
    sink.wrote(made.output(steps, [made.transition()], index=[made.index_row()]))
    assert [line["synthetic"] for _, _, line in outbox.put_in] == [True] * 3
    assert str(outbox.put_in[0][2]["sentence"]).startswith("SYNTHETIC: ")


def test_a_key_is_the_same_however_its_labels_come() -> None:
    keys = {alert_key("A", labels) for labels in ({"b": 'x"y', "a": "é,="}, {"a": "é,=", "b": 'x"y'})}
    assert keys == {'A{a="é,=",b="x\\"y"}'}
    assert alert_key("A", {}) == "A{}"
    assert alert_key("A", {"a": '1",b="2'}) != alert_key("A", {"a": "1", "b": "2"})


def test_a_row_of_the_index() -> None:
    outbox = Outbox()
    sink = publish_sink(outbox)
    sink.wrote(made.output(index=[made.index_row(), made.index_row(tick=made.TICK + 1)], until=made.TICK + 1))
    sink.wrote(made.output(index=[made.index_row(tick=made.TICK + 9)], until=made.TICK + 1))
    row = {
        "ts": "2019-09-17T12:00:00Z", "stress_index": 0.12, "low": 0.0363, "high": 0.41,
        "treasury": 0.6, "repo": 0.2, "newissue": None, "cds": None, "credit": None,
        "contribution_treasury": 0.09, "contribution_repo": 0.03,
        "contribution_newissue": None, "contribution_cds": None, "contribution_credit": None,
        "coverage": 0.55, "regime": "elevated", "capped": False,
    }  # fmt: skip
    assert outbox.put_in == [
        ("index", "stress-index", row | {"standing": True}),
        ("index", "stress-index", row | {"ts": "2019-09-17T12:00:01Z"}),
        ("index", "stress-index", row | {"ts": "2019-09-17T12:00:09Z", "clock": "wall"}),
    ]


class TestStanding:
    def test_a_label_set_that_is_heard_of_first_is_told_as_it_stands_and_then_no_more(self) -> None:
        outbox = Outbox()
        sink = publish_sink(outbox)
        steps = [
            made.step("repo_tail_bp", 217.0, 2),
            made.step("repo_tail_bp", None, 1, instrument="GC-ON", window="30m", blind=True),
            made.step("repo_tail_bp", 1.0, 0, instrument="TGCR"),
            made.step("repo_tail_bp", 1.0, None, instrument="quiet"),
            made.step("repo_volume_busd", 900.0, None),
        ]
        sink.wrote(made.output(steps))
        told = {key: line for _, key, line in outbox.taken()}
        assert {key: (line["from"], line["to"], line["value"]) for key, line in told.items()} == {
            SOFR: (None, "critical", 217.0),
            'RepoTailBp{instrument="GC-ON",window="30m"}': ("warning", "blind", None),
            'RepoTailBp{instrument="TGCR"}': (None, "calm", 1.0),
        }
        assert set(told[SOFR]) == set(transition_line(made.transition())) | {"standing"}
        assert told[SOFR] == {
            "ts": "2019-09-17T12:00:00Z", "value_date": "2019-09-16", "alert": "RepoTailBp", "signal": "repo_tail_bp",
            "segment": "repo", "labels": {"instrument": "SOFR"}, "from": None, "to": "critical", "since": None,
            "value": 217.0, "threshold": None, "contributors": [], "runbook": "/runbooks/RepoTailBp", "notify": None,
            "sentence": None, "standing": True,
        }  # fmt: skip
        sink.wrote(made.output([made.step("repo_tail_bp", 218.0, 2)]))
        assert outbox.taken() == []

    def test_one_that_changed_is_told_by_its_transition(self) -> None:
        outbox = Outbox()
        sink = publish_sink(outbox)
        sink.wrote(made.output([made.step("repo_tail_bp", 217.0, 2)], [made.transition()]))
        assert [line.get("standing") for _, _, line in outbox.taken()] == [None]

    def test_a_consumer_that_missed_the_end_of_an_alert_hears_of_it_after_a_restart(self) -> None:
        outbox = Outbox()
        publish_sink(outbox).wrote(made.output(transitions=[made.transition()]))
        # Killed before "calm" got out; the state has it.
        publish_sink(outbox).wrote(made.output([made.step("repo_tail_bp", 1.0, 0)]))
        newest = {key: line for _, key, line in outbox.put_in}
        assert newest[SOFR]["to"] == "calm"

    def test_the_newest_of_its_rows_counts_and_no_revision_of_an_older_day(self) -> None:
        outbox = Outbox()
        steps = [
            made.step("repo_tail_bp", 1.0, 0),
            made.step("repo_tail_bp", 60.0, 1, tick=made.TICK + 1),
            made.step("repo_tail_bp", 217.0, 2, tick=made.TICK + 1, value_date=made.DAY - timedelta(days=1)),
        ]
        publish_sink(outbox).wrote(made.output(steps, until=made.TICK + 1))
        assert [line["to"] for _, _, line in outbox.taken()] == ["warning"]

    def test_what_the_wall_clock_decided_says_so(self) -> None:
        outbox = Outbox()
        steps = [made.step("repo_tail_bp", None, 1, tick=made.TICK + 1, blind=True)]
        publish_sink(outbox).wrote(made.output(steps))
        assert [line["clock"] for _, _, line in outbox.taken()] == ["wall"]

    def test_after_messages_were_dropped_all_is_told_once_more_when_the_way_is_free(self) -> None:
        outbox = Outbox()
        sink = publish_sink(outbox)
        sink.wrote(made.output([made.step("repo_tail_bp", 1.0, 0, instrument="TGCR")], [made.transition()]))
        sink.wrote(made.output(index=[made.index_row()]))
        outbox.taken()
        outbox.dropped, outbox.waiting = 2, 5
        sink.wrote(made.output())
        assert outbox.taken() == []
        outbox.waiting = 0
        sink.wrote(made.output())
        sink.wrote(made.output())
        again = outbox.taken()
        assert [(topic, key, line["standing"]) for topic, key, line in again] == [
            ("alerts", SOFR, True), ("alerts", 'RepoTailBp{instrument="TGCR"}', True), ("index", "stress-index", True),
        ]  # fmt: skip
        assert again[0][2] == transition_line(made.transition()) | {"standing": True}


def test_only_what_has_a_topic_is_sent() -> None:
    steps, transitions, index = [made.step("repo_tail_bp", 1.0, 0)], [made.transition()], [made.index_row()]
    for topic, other in (("alerts", "index_topic"), ("index", "alerts_topic")):
        outbox = Outbox()
        sink = publish_sink(outbox, **{other: None})
        sink.wrote(made.output(steps, transitions, index=index))
        outbox.dropped = 1
        sink.wrote(made.output())
        assert {name for name, _, _ in outbox.taken()} == {topic}
