"""The metrics page: what has a series and what has none, and that a scrape sees one tick only."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from prometheus_client import disable_created_metrics, enable_created_metrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from monitor.results import Alarm, Level, ThresholdInForce
from monitor.sinks import market_page
from monitor.sinks.exposition import gauge_text
from monitor.sinks.prometheus import PrometheusSink
from monitor.sinks.snapshot import MetricOfSignal
from tests.sinks import made

TAIL = MetricOfSignal(
    "repo_tail_bp", "RepoTailBp", "How much more.", "repo", ("instrument", "window"), headline=True, has_levels=True,
    title="Repo tail", unit="bp", notify="on-call",
)  # fmt: skip
SPREAD = MetricOfSignal(
    "repo_spread_bp", "RepoSpreadBp", "How much dearer.", "repo", ("instrument", "window"), headline=True,
    has_levels=True,
)  # fmt: skip
JUMP = MetricOfSignal(
    "repo_jump_bp", "RepoJumpBp", "Above its month.", "repo", ("instrument", "window"), headline=False, has_levels=True
)
VOLUME = MetricOfSignal(
    "repo_volume_busd", "RepoVolumeBusd", "Volume.", "repo", ("instrument", "window"), headline=False, has_levels=False
)
CONCESSION = MetricOfSignal(
    "newissue_break_bp", "NewissueBreakBp", "Break.", "newissue", ("instrument",), headline=True, has_levels=True
)
ALL = (TAIL, SPREAD, JUMP, VOLUME, CONCESSION)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
EVIL = 'quote " backslash \\ newline \n brace } comma , equals = \u2028 ümlaut'

GOLDEN = r"""# HELP market_repo_tail_bp How much more.
# TYPE market_repo_tail_bp gauge
market_repo_tail_bp{instrument="SOFR"} 217.0
market_repo_tail_bp{instrument="GC \"ON\"",window="30m"} 12.5
# HELP market_signal_info What a signal is: names for people, its segment, and who is told of its alert.
# TYPE market_signal_info gauge
market_signal_info{alert="RepoTailBp",notify="on-call",segment="repo",signal="repo_tail_bp",title="Repo tail",unit="bp"} 1.0
# HELP market_signal_level 0 calm, 1 warning, 2 critical; stays while blind.
# TYPE market_signal_level gauge
market_signal_level{instrument="SOFR",signal="repo_tail_bp"} 2.0
market_signal_level{instrument="GC \"ON\"",signal="repo_tail_bp",window="30m"} 0.0
# HELP market_signal_blind 1 while the input is lost, stale or repeated.
# TYPE market_signal_blind gauge
market_signal_blind{instrument="SOFR",signal="repo_tail_bp"} 0.0
market_signal_blind{instrument="GC \"ON\"",signal="repo_tail_bp",window="30m"} 0.0
# HELP market_signal_score_ratio How bad a value is: 0 calm, 0.5 at warning, 0.9 at critical.
# TYPE market_signal_score_ratio gauge
market_signal_score_ratio{instrument="SOFR",signal="repo_tail_bp"} 1.0
market_signal_score_ratio{instrument="GC \"ON\"",signal="repo_tail_bp",window="30m"} 0.0
# HELP market_alert_level Highest level over an alert's label sets.
# TYPE market_alert_level gauge
market_alert_level{alert="RepoTailBp"} 2.0
# HELP market_signal_since_timestamp_seconds Event time since when a level that is not calm has stood; while it is calm there is no series.
# TYPE market_signal_since_timestamp_seconds gauge
market_signal_since_timestamp_seconds{instrument="SOFR",signal="repo_tail_bp"} 1.5687216e+09
# HELP market_signal_crossed_threshold The threshold at which the level that stands was entered, in the signal's unit; while calm there is no series.
# TYPE market_signal_crossed_threshold gauge
market_signal_crossed_threshold{instrument="SOFR",signal="repo_tail_bp"} 80.0
# HELP market_signal_blind_since_timestamp_seconds Event time since when the input is lost, stale or repeated; while it is sound there is no series.
# TYPE market_signal_blind_since_timestamp_seconds gauge
market_signal_blind_since_timestamp_seconds{instrument="GC \"ON\"",signal="repo_tail_bp",window="30m"} 1.568721601e+09
# HELP market_segment_level Highest level of a segment's signals.
# TYPE market_segment_level gauge
market_segment_level{segment="repo"} 2.0
# HELP market_segment_blind 1 while a headline signal of the segment is blind.
# TYPE market_segment_blind gauge
market_segment_blind{segment="repo"} 0.0
# HELP market_signal_threshold The thresholds in force on today's value date, in the signal's unit.
# TYPE market_signal_threshold gauge
market_signal_threshold{edge="enter",level="warning",row="benchmark",signal="repo_tail_bp"} 40.0
# HELP market_calendar_flag 1 on today's calendar flags: Y, Q, M: first or last business day of a year, a quarter, a month; C: the 15th or the business day after it; E: within an announcement of the settings.
# TYPE market_calendar_flag gauge
market_calendar_flag{flag="Q"} 1.0
market_calendar_flag{flag="C"} 0.0
# HELP monitor_signal_series Label sets of a signal that are exported.
# TYPE monitor_signal_series gauge
monitor_signal_series{signal="repo_tail_bp"} 2.0
# HELP monitor_events_total Events that met their contract; goes on after a restart with its state.
# TYPE monitor_events_total counter
monitor_events_total{stream="repo"} 3.0
# HELP monitor_events_rejected_total Events refused.
# TYPE monitor_events_rejected_total counter
monitor_events_rejected_total{reason="not_json",stream="repo"} 1.0
# HELP monitor_events_late_total Events too late to count.
# TYPE monitor_events_late_total counter
monitor_events_late_total{stream="repo"} 2.0
# HELP monitor_events_doubled_total Events dropped because they repeat a producer's id.
# TYPE monitor_events_doubled_total counter
monitor_events_doubled_total{stream="repo"} 4.0
# HELP monitor_last_event_timestamp_seconds Newest event time of a stream.
# TYPE monitor_last_event_timestamp_seconds gauge
monitor_last_event_timestamp_seconds{stream="repo"} 1.5
# HELP monitor_watermark_timestamp_seconds Event time up to which a stream is sealed.
# TYPE monitor_watermark_timestamp_seconds gauge
monitor_watermark_timestamp_seconds{stream="repo"} 0.5
"""  # noqa: E501 - as it is read

Samples = dict[str, dict[frozenset[tuple[str, str]], float]]


@pytest.fixture(autouse=True)
def _without_created() -> Iterator[None]:
    """As the command line has it: no series with the time of a counter's making."""
    disable_created_metrics()
    yield
    enable_created_metrics()


def prometheus_text(sink: PrometheusSink) -> str:
    return sink.page()[0].decode()


def samples(sink: PrometheusSink) -> Samples:
    """By sample name and label set the value, of both texts, which must agree."""
    read: Samples = {}
    for family in parse_prometheus(prometheus_text(sink)):
        for sample in family.samples:
            labels = frozenset(sample.labels.items())
            assert labels not in read.setdefault(sample.name, {}), f"{sample.name}{sample.labels} stands twice"
            read[sample.name][labels] = sample.value
    of_openmetrics: Samples = {}
    for family in parse_openmetrics(sink.page(OPENMETRICS)[0].decode()):
        for sample in family.samples:
            of_openmetrics.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    assert of_openmetrics == read
    return read


def of(name: str, sink: PrometheusSink) -> dict[frozenset[tuple[str, str]], float]:
    return samples(sink).get(name, {})


def labels(**pairs: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairs.items())


def sink_of(signals: Sequence[MetricOfSignal] = ALL, **more: Any) -> PrometheusSink:
    return PrometheusSink(signals, "1.2.3", **more)


def test_the_text_of_a_small_scrape() -> None:
    sink = sink_of([TAIL])
    rejects = [made.reject("not_json")]
    sink.ingested(
        made.ingested(events=3, rejects=rejects, late=2, doubles=4, first_event_us=1, last_event_us=1_500_000)
    )
    steps = [
        made.step("repo_tail_bp", 217.0, 2, row="benchmark", score=1.0),
        made.step("repo_tail_bp", 12.5, 0, row="trades", score=0.0, instrument='GC "ON"', window="30m"),
    ]
    thresholds = [ThresholdInForce("repo_tail_bp", "benchmark", "warning", "enter", 40)]
    alarms = [
        Alarm("repo_tail_bp", {"instrument": "SOFR"}, Level.CRITICAL, made.TICK, 80.0, None),
        Alarm("repo_tail_bp", {"instrument": 'GC "ON"', "window": "30m"}, Level.CALM, 1, None, made.TICK + 1),
    ]
    sink.wrote(
        made.output(
            steps, thresholds=thresholds, watermarks_us={"repo": 500_000}, alarms=alarms, flags={"Q": True, "C": False}
        )
    )
    text = prometheus_text(sink)
    assert text.startswith(GOLDEN)
    assert text.endswith(
        "# HELP monitor_build_info The version of the monitor.\n"
        '# TYPE monitor_build_info gauge\nmonitor_build_info{version="1.2.3"} 1.0\n'
    )
    assert samples(sink)


def test_every_promised_name_is_there() -> None:
    """The names that users' boards rely on, but Kafka's."""
    sink = sink_of(max_series=1)
    sink.ingested(made.ingested(events=1, rejects=[made.reject()], late=1, last_event_us=1))
    steps = [made.step("repo_tail_bp", 1.0, 0, score=0.0), made.step("repo_tail_bp", 1.0, 0, instrument="TGCR")]
    thresholds = [ThresholdInForce("repo_tail_bp", "benchmark", "warning", "enter", 40)]
    sink.wrote(made.output(steps, thresholds=thresholds, watermarks_us={"repo": 1}, index=[made.index_row()]))
    sink.source_state("treasury-crunch", "scenario", "up")
    sink.state_written(True)
    sink.advanced(0.02)
    sink.shown(0.03)
    promised = {
        "market_repo_tail_bp": {"instrument"},
        "market_signal_level": {"signal", "instrument"},
        "market_signal_blind": {"signal", "instrument"},
        "market_signal_threshold": {"signal", "row", "level", "edge"},
        "market_alert_level": {"alert"},
        "market_signal_score_ratio": {"signal", "instrument"},
        "market_stress_index_ratio": set(),
        "market_stress_index_low_ratio": set(),
        "market_stress_index_high_ratio": set(),
        "market_stress_segment_ratio": {"segment"},
        "market_stress_contribution_ratio": {"segment"},
        "market_stress_coverage_ratio": set(),
        "market_stress_regime": {"regime"},
        "market_stress_regime_capped": set(),
        "market_segment_level": {"segment"},
        "market_segment_blind": {"segment"},
        "monitor_events_total": {"stream"},
        "monitor_events_rejected_total": {"stream", "reason"},
        "monitor_events_late_total": {"stream"},
        "monitor_events_doubled_total": {"stream"},
        "monitor_last_event_timestamp_seconds": {"stream"},
        "monitor_watermark_timestamp_seconds": {"stream"},
        "monitor_source_up": {"source"},
        "monitor_source_info": {"source", "kind"},
        "monitor_source_state": {"source", "state"},
        "monitor_state_writable": set(),
        "monitor_tick_duration_seconds_count": set(),
        "monitor_event_to_metric_seconds_count": set(),
        "monitor_series_dropped_total": {"signal"},
        "monitor_build_info": {"version"},
    }
    there = samples(sink)
    for name, label_names in promised.items():
        assert name in there, name
        for label_set in there[name]:
            assert {label for label, _ in label_set} == label_names, name


def test_an_absent_value_has_no_series_and_its_level_stays() -> None:
    sink = sink_of()
    sink.wrote(made.output([made.step("repo_tail_bp", 217.0, 2)]))
    sink.wrote(made.output([made.step("repo_tail_bp", None, 2)]))
    assert of("market_repo_tail_bp", sink) == {}
    assert of("market_signal_level", sink) == {labels(signal="repo_tail_bp", instrument="SOFR"): 2}
    assert of("market_signal_blind", sink) == {labels(signal="repo_tail_bp", instrument="SOFR"): 0}
    assert of("market_alert_level", sink) == {labels(alert="RepoTailBp"): 2}


def test_a_blind_signal_has_no_value_its_level_stays_and_it_says_so() -> None:
    sink = sink_of()
    sink.wrote(made.output([made.step("repo_tail_bp", 50.0, 1), made.step("repo_tail_bp", 3.0, 0, instrument="TGCR")]))
    sink.wrote(made.output([made.step("repo_tail_bp", None, 1, blind=True)]))
    assert of("market_repo_tail_bp", sink) == {labels(instrument="TGCR"): 3}
    assert of("market_signal_blind", sink) == {
        labels(signal="repo_tail_bp", instrument="SOFR"): 1,
        labels(signal="repo_tail_bp", instrument="TGCR"): 0,
    }
    assert of("market_signal_level", sink)[labels(signal="repo_tail_bp", instrument="SOFR")] == 1
    sink.wrote(made.output([made.step("repo_tail_bp", 2.0, 0)]))
    assert of("market_repo_tail_bp", sink)[labels(instrument="SOFR")] == 2
    assert set(of("market_signal_blind", sink).values()) == {0}


def test_a_value_of_nothing_is_a_value() -> None:
    sink = sink_of()
    sink.wrote(made.output([made.step("repo_tail_bp", 0.0, 0)]))
    assert of("market_repo_tail_bp", sink) == {labels(instrument="SOFR"): 0}


def test_a_label_that_a_label_set_lacks_is_left_out() -> None:
    sink = sink_of()
    steps = [
        made.step("repo_tail_bp", 1.0, 0),
        made.step("repo_tail_bp", 2.0, 0, instrument="GCF", window="day"),
        made.step("repo_tail_bp", 3.0, 0, instrument="GCF", window="30m"),
        made.step("newissue_break_bp", 4.0, 0, instrument=None),
    ]
    sink.wrote(made.output(steps))
    assert of("market_repo_tail_bp", sink) == {
        labels(instrument="SOFR"): 1,
        labels(instrument="GCF", window="day"): 2,
        labels(instrument="GCF", window="30m"): 3,
    }
    assert of("market_newissue_break_bp", sink) == {labels(): 4}
    assert 'market_repo_tail_bp{instrument="SOFR"} 1.0' in prometheus_text(sink).splitlines()


def test_a_step_of_an_older_value_date_does_not_take_the_place_of_the_newest() -> None:
    sink = sink_of()
    sink.wrote(made.output([made.step("repo_tail_bp", 217.0, 2, value_date=date(2019, 9, 16))]))
    sink.wrote(made.output([made.step("repo_tail_bp", 5.0, 0, value_date=date(2019, 9, 13))]))
    assert of("market_repo_tail_bp", sink) == {labels(instrument="SOFR"): 217}
    assert of("market_alert_level", sink) == {labels(alert="RepoTailBp"): 2}
    # Within one output the order of rows is that of ticks, and a revision of the newest day counts.
    steps = [
        made.step("repo_tail_bp", 4.0, 0, value_date=date(2019, 9, 17)),
        made.step("repo_tail_bp", 6.0, 1, value_date=date(2019, 9, 16)),
        made.step("repo_tail_bp", 3.0, 0, value_date=date(2019, 9, 17)),
    ]
    sink.wrote(made.output(steps))
    assert of("market_repo_tail_bp", sink) == {labels(instrument="SOFR"): 3}
    # Values of windows have no such order.
    sink.wrote(made.output([made.step("repo_tail_bp", 1.0, 0, value_date=None)]))
    assert of("market_repo_tail_bp", sink) == {labels(instrument="SOFR"): 1}


def test_an_alert_s_level_is_the_highest_over_its_label_sets() -> None:
    sink = sink_of()
    steps = [
        made.step("repo_tail_bp", 1.0, 0),
        made.step("repo_tail_bp", None, 2, instrument="TGCR", blind=True),
        made.step("repo_tail_bp", 9.0, 1, instrument="BGCR"),
        made.step("repo_tail_bp", 9.0, None, instrument="DVP"),
        made.step("repo_spread_bp", 9.0, 1),
    ]
    sink.wrote(made.output(steps))
    assert of("market_alert_level", sink) == {labels(alert="RepoTailBp"): 2, labels(alert="RepoSpreadBp"): 1}
    assert labels(signal="repo_tail_bp", instrument="DVP") not in of("market_signal_level", sink)


def test_an_alert_and_a_segment_without_data_have_no_level() -> None:
    sink = sink_of()
    assert of("market_alert_level", sink) == of("market_segment_level", sink) == of("market_segment_blind", sink) == {}
    steps = [made.step("repo_volume_busd", 900.0, None), made.step("repo_tail_bp", 9.0, None, instrument="DVP")]
    sink.wrote(made.output(steps))
    assert of("market_repo_volume_busd", sink) == {labels(instrument="SOFR"): 900}
    assert of("market_alert_level", sink) == {}
    assert of("market_segment_level", sink) == {}, "nobody has looked whether the segment is calm"
    assert of("market_segment_blind", sink) == {labels(segment="repo"): 0}


def test_a_segment_s_level_is_the_highest_of_its_signals() -> None:
    sink = sink_of()
    steps = [
        made.step("repo_tail_bp", 1.0, 0),
        made.step("repo_jump_bp", 30.0, 2),
        made.step("newissue_break_bp", 4.0, 1),
    ]
    sink.wrote(made.output(steps))
    assert of("market_segment_level", sink) == {labels(segment="repo"): 2, labels(segment="newissue"): 1}


@pytest.mark.parametrize(
    ("signal", "is_blind"), [("repo_tail_bp", 1), ("repo_spread_bp", 1), ("repo_jump_bp", 0), ("repo_volume_busd", 0)]
)
def test_only_a_headline_makes_its_segment_blind(signal: str, is_blind: int) -> None:
    sink = sink_of()
    steps = [
        made.step(signal, None, 0, blind=True),
        *(made.step(other.name, 1.0, 0) for other in (TAIL, SPREAD) if other.name != signal),
        made.step("newissue_break_bp", 1.0, 0),
    ]
    sink.wrote(made.output(steps))
    assert of("market_segment_blind", sink) == {labels(segment="repo"): is_blind, labels(segment="newissue"): 0}


def test_thresholds_are_those_in_force_at_the_newest_tick() -> None:
    sink = sink_of()
    quarter_end = [ThresholdInForce("repo_tail_bp", "benchmark", "warning", "enter", 60.0)]
    usual = [
        ThresholdInForce("repo_tail_bp", "benchmark", "warning", edge, value)
        for edge, value in (("enter", 40.0), ("exit", 25.0))
    ]
    sink.wrote(made.output(thresholds=quarter_end))
    row = {"signal": "repo_tail_bp", "row": "benchmark", "level": "warning"}
    assert of("market_signal_threshold", sink) == {labels(**row, edge="enter"): 60}
    sink.wrote(made.output(thresholds=usual))
    assert of("market_signal_threshold", sink) == {labels(**row, edge="enter"): 40, labels(**row, edge="exit"): 25}
    sink.wrote(made.output())
    assert of("market_signal_threshold", sink) == {}


def test_counters_by_stream_and_reason() -> None:
    sink = sink_of()
    rejects = [made.reject("not_json"), made.reject("bad_text"), made.reject("not_json", stream="unknown")]
    sink.ingested(made.ingested(events=5, rejects=rejects, late=1))
    sink.ingested(made.ingested(events=7, rejects=rejects[:1]))
    sink.ingested(made.ingested(events=2, stream="reference"))
    assert of("monitor_events_total", sink) == {labels(stream="repo"): 12, labels(stream="reference"): 2}
    assert of("monitor_events_rejected_total", sink) == {
        labels(stream="repo", reason="not_json"): 2,
        labels(stream="repo", reason="bad_text"): 1,
        labels(stream="unknown", reason="not_json"): 1,
    }
    assert of("monitor_events_late_total", sink)[labels(stream="repo")] == 1


def test_the_newest_event_of_a_stream_never_gets_older() -> None:
    """Two partitions of one stream may be read in turns, the one ahead of the other."""
    sink = sink_of()
    for last_event_us in (5_000_000, 3_000_000, None):
        sink.ingested(made.ingested(events=1, last_event_us=last_event_us))
    sink.ingested(made.ingested(events=1, stream="reference", last_event_us=1_000_000))
    assert of("monitor_last_event_timestamp_seconds", sink) == {labels(stream="repo"): 5, labels(stream="reference"): 1}


def test_a_source_is_in_one_state_at_a_time() -> None:
    sink = sink_of()
    for state in ("connecting", "up", "silent", "backing_off", "up", "ended", "stopped"):
        sink.source_state("quotes", "kafka", state)
        sink.source_state("other", "file", "connecting")
        states = {key for key, value in of("monitor_source_state", sink).items() if value == 1}
        assert states == {labels(source="quotes", state=state), labels(source="other", state="connecting")}
        up = {labels(source="quotes"): state == "up", labels(source="other"): False}
        assert of("monitor_source_up", sink) == up
    assert of("monitor_source_info", sink) == {
        labels(source="quotes", kind="kafka"): 1,
        labels(source="other", kind="file"): 1,
    }


def test_whether_the_state_can_be_written() -> None:
    sink = sink_of()
    for is_written in (True, False, True):
        sink.state_written(is_written)
        assert of("monitor_state_writable", sink) == {labels(): is_written}


def test_times_and_watermarks() -> None:
    sink = sink_of()
    sink.advanced(0.02)
    sink.advanced(0.2)
    sink.shown(0.03)
    assert of("monitor_tick_duration_seconds_sum", sink) == {labels(): pytest.approx(0.22)}
    assert of("monitor_tick_duration_seconds_bucket", sink)[labels(le="0.025")] == 1
    assert of("monitor_event_to_metric_seconds_count", sink) == {labels(): 1}
    sink.wrote(made.output(watermarks_us={"repo": 1_500_000}))
    assert of("monitor_watermark_timestamp_seconds", sink) == {labels(stream="repo"): 1.5}


def test_doubles_are_counted_by_stream() -> None:
    sink = sink_of()
    sink.ingested(made.ingested(events=5, doubles=2))
    sink.ingested(made.ingested(events=5, doubles=1, stream="cds"))
    sink.ingested(made.ingested(events=1, doubles=3))
    assert of("monitor_events_doubled_total", sink) == {labels(stream="repo"): 5, labels(stream="cds"): 1}


def test_series_are_bounded_and_what_is_dropped_is_counted() -> None:
    sink = sink_of(max_series=3)
    steps = [made.step("repo_tail_bp", float(n), 2 if n == 4 else 0, instrument=f"I{n}") for n in range(5)]
    sink.wrote(made.output([*steps, made.step("repo_spread_bp", 1.0, 0)]))
    assert of("market_repo_tail_bp", sink) == {labels(instrument=f"I{n}"): n for n in range(3)}
    assert of("monitor_series_dropped_total", sink) == {labels(signal="repo_tail_bp"): 2}
    # A label set that has its place keeps it.
    sink.wrote(made.output([made.step("repo_tail_bp", 7.0, 0, instrument="I2")]))
    assert of("market_repo_tail_bp", sink)[labels(instrument="I2")] == 7
    assert of("monitor_series_dropped_total", sink) == {labels(signal="repo_tail_bp"): 2}
    assert of("market_repo_spread_bp", sink) == {labels(instrument="SOFR"): 1}


def test_what_is_at_its_end_has_no_series_and_makes_room() -> None:
    sink = sink_of([TAIL], max_series=1)
    sink.wrote(made.output([made.step("repo_tail_bp", 1.0, None)]))
    sink.wrote(made.output([made.step("repo_tail_bp", None, None, is_over=True)]))
    there = samples(sink)
    assert not [name for name in there if name.startswith(("market_repo", "market_signal_blind"))]
    sink.wrote(made.output([made.step("repo_tail_bp", 2.0, None, instrument="TGCR")]))
    assert of("market_repo_tail_bp", sink) == {labels(instrument="TGCR"): 2}
    assert of("monitor_series_dropped_total", sink) == {}


def test_characters_that_mean_something_in_the_text_are_escaped() -> None:
    sink = sink_of([TAIL])
    sink.wrote(made.output([made.step("repo_tail_bp", 1.0, 0, instrument=EVIL)]))
    assert of("market_repo_tail_bp", sink) == {labels(instrument=EVIL): 1}
    text = prometheus_text(sink)
    assert r'instrument="quote \" backslash \\ newline \n brace } comma ,' in text


def test_a_scrape_under_way_sees_none_of_the_next_tick_and_does_not_hold_it_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = sink_of()
    steps = [made.step(signal.name, 1.0, 1) for signal in ALL]
    old = [ThresholdInForce("repo_tail_bp", "benchmark", "warning", "enter", 1.0)]
    sink.wrote(made.output(steps, thresholds=old))
    more = [made.step(signal.name, 2.0, 2, instrument=name) for signal in ALL for name in ("SOFR", "TGCR")]
    new = made.output(more, thresholds=[ThresholdInForce("repo_tail_bp", "benchmark", "warning", "enter", 2.0)])
    written = 0

    def and_then_a_tick(*family: Any) -> str:
        nonlocal written
        text = gauge_text(*family)
        sink.wrote(new)  # in this very thread: a writer that waited for the scrape would wait for ever
        written += 1
        return text

    monkeypatch.setattr(market_page, "gauge_text", and_then_a_tick)
    page = prometheus_text(sink)
    monkeypatch.undo()
    assert written > len(ALL)
    families = [f for f in parse_prometheus(page) if f.name.startswith("market_")]
    values = {(s.name, tuple(s.labels.items())): s.value for family in families for s in family.samples}
    assert len(values) == 5 + 5 + 5 + 5 + 4 + 2 + 2 + 1
    assert {value for (name, _), value in values.items() if not name.endswith("_blind")} == {1.0}
    assert set(of("market_repo_tail_bp", sink).values()) == {2.0}


def test_scrapes_from_other_threads_see_whole_ticks() -> None:
    """Every value of a tick is the tick's number: a scrape that shows two numbers saw half a tick."""
    sink = sink_of()
    instruments = [f"I{n}" for n in range(20)]

    def tick(number: int) -> Any:
        steps = [made.step(signal.name, float(number), 1, instrument=name) for signal in ALL for name in instruments]
        edge = ThresholdInForce("repo_tail_bp", "benchmark", "warning", "enter", float(number))
        return made.output(steps, thresholds=[edge])

    ticks = [tick(number) for number in range(120)]
    sink.wrote(ticks[0])
    is_over = threading.Event()
    seen: list[set[float]] = []

    def scrape() -> None:
        while not is_over.is_set():
            seen.append(
                {
                    sample.value
                    for family in parse_prometheus(prometheus_text(sink))
                    if family.name.endswith(("_bp", "_busd", "_threshold"))
                    for sample in family.samples
                }
            )

    scrapers = [threading.Thread(target=scrape) for _ in range(4)]
    for scraper in scrapers:
        scraper.start()
    for each in ticks[1:]:
        sink.wrote(each)
    is_over.set()
    for scraper in scrapers:
        scraper.join(timeout=30)
    assert len(seen) >= len(scrapers)
    assert [values for values in seen if len(values) != 1] == []
    assert of("market_repo_tail_bp", sink)[labels(instrument="I0")] == 119


def test_the_index_its_parts_and_its_regime() -> None:
    sink = sink_of()
    assert of("market_stress_index_ratio", sink) == of("market_stress_regime", sink) == {}
    sink.wrote(made.output(index=[made.index_row(stress_index=0.99, regime="crisis"), made.index_row(capped=True)]))
    sink.wrote(made.output([made.step("repo_tail_bp", 1.0, 0)]))  # and the index did not change
    there = samples(sink)
    expected = {
        "index_ratio": 0.12, "index_low_ratio": 0.0363, "index_high_ratio": 0.41, "coverage_ratio": 0.55,
        "regime_capped": 1,
    }  # fmt: skip
    for name, value in expected.items():
        assert there[f"market_stress_{name}"] == {labels(): value}, name
    assert there["market_stress_segment_ratio"] == {labels(segment="treasury"): 0.6, labels(segment="repo"): 0.2}
    assert there["market_stress_contribution_ratio"] == {labels(segment="treasury"): 0.09, labels(segment="repo"): 0.03}
    assert there["market_stress_regime"] == {
        labels(regime=regime): regime == "elevated" for regime in ("calm", "elevated", "stressed", "crisis")
    }


def test_counters_are_there_from_the_start_and_so_is_what_a_scrape_asks() -> None:
    sink = sink_of(streams=("repo", "cds"), reasons=("not_json", "blank_line"))
    assert set(of("monitor_events_total", sink).values()) == {0}
    assert len(of("monitor_events_rejected_total", sink)) == 4
    ready, now_us = False, 1_500_000
    sink.stands(is_ready=lambda: ready, now_us=lambda: now_us)
    assert (of("monitor_ready", sink), of("monitor_clock_timestamp_seconds", sink)) == ({labels(): 0}, {labels(): 1.5})
    ready, now_us = True, 2_000_000
    assert (of("monitor_ready", sink), of("monitor_clock_timestamp_seconds", sink)) == ({labels(): 1}, {labels(): 2})


def test_an_index_of_nothing_has_no_series() -> None:
    sink = sink_of()
    lost = made.index_row(stress_index=None, low=0.0, high=1.0, coverage=0.0, treasury=None, repo=None)
    sink.wrote(made.output(index=[made.index_row(), lost]))
    assert of("market_stress_index_ratio", sink) == of("market_stress_segment_ratio", sink) == {}
    assert of("market_stress_contribution_ratio", sink) == {}
    assert of("market_stress_coverage_ratio", sink) == {labels(): 0}
    assert of("market_stress_regime", sink)[labels(regime="elevated")] == 1


def test_a_score_that_is_absent_has_no_series() -> None:
    sink = sink_of()
    sink.wrote(made.output([made.step("repo_tail_bp", 50.0, 1, score=0.6)]))
    assert of("market_signal_score_ratio", sink) == {labels(signal="repo_tail_bp", instrument="SOFR"): 0.6}
    sink.wrote(made.output([made.step("repo_tail_bp", None, 1, blind=True)]))
    assert of("market_signal_score_ratio", sink) == {}


@pytest.mark.parametrize(("row", "is_blind"), [("benchmark", 1), ("trades", 0), (None, 0)])
def test_only_the_rows_that_a_segment_is_scored_by_make_it_blind(row: str | None, is_blind: int) -> None:
    sink = sink_of([replace(TAIL, headline_rows=frozenset({"benchmark"}))])
    sink.wrote(made.output([made.step("repo_tail_bp", None, 0, blind=True, row=row)]))
    assert of("market_segment_blind", sink) == {labels(segment="repo"): is_blind}
