"""The run in words: who is told what, and how often."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from monitor.sinks.log import EVERY_SECONDS, LogSink
from tests.sinks import made


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.mark.parametrize(
    ("after", "severity"), [("critical", "error"), ("blind", "error"), ("warning", "warning"), ("calm", "info")]
)
def test_a_transition_is_its_sentence_as_loud_as_its_level(wall: Wall, after: str, severity: str) -> None:
    with capture_logs() as told:
        LogSink([], wall).wrote(made.output(transitions=[made.transition(after=after, sentence="100 % {bad}")]))
    assert told == [
        {"event": "100 % {bad}", "log_level": severity, "alert": "RepoTailBp", "to": after, "notify": "on-call"}
    ]


def test_refused_and_late_events(wall: Wall) -> None:
    sink = LogSink([], wall)
    with capture_logs() as told:
        sink.ingested(made.ingested(events=5))
        rejects = [made.reject("bad_text", partition="f", offset=3), made.reject("not_json")]
        sink.ingested(made.ingested(rejects=rejects, late=4))
    assert [(line["event"], line["log_level"], line["count"]) for line in told] == [
        ("events refused", "warning", 2),
        ("events came too late to count", "warning", 4),
    ]
    assert (told[0]["first_reason"], told[0]["first_position"]) == ("bad_text", "f:3")


def test_how_it_stands_is_told_of_headlines_now_and_then(wall: Wall) -> None:
    sink = LogSink(["repo_tail_bp", "repo_spread_bp"], wall)
    steps = [
        made.step("repo_tail_bp", 3.0, 0),
        made.step("repo_tail_bp", 4.0, 0),
        made.step("repo_tail_bp", 99.0, None, instrument="TGCR"),
        made.step("repo_spread_bp", 5.0, 0),
        made.step("repo_spread_bp", None, 0),
        made.step("repo_jump_bp", 6.0, 0),
    ]
    with capture_logs() as told:
        sink.wrote(made.output(steps))
        wall.seconds += EVERY_SECONDS - 0.01
        sink.wrote(made.output(steps))
        wall.seconds += 0.01
        sink.wrote(made.output())
        sink.wrote(made.output([made.step("repo_tail_bp", 7.0, 0)]))
        sink.close()
    assert [{k: v for k, v in line.items() if k not in {"event", "log_level"}} for line in told] == [
        {"event_time": "2019-09-17T12:00:00Z", "repo_tail_bp": 4.0, "repo_spread_bp": 5.0},
        {"event_time": "2019-09-17T12:00:00Z", "repo_tail_bp": 7.0},
    ]
    assert {(line["event"], line["log_level"]) for line in told} == {("worst of each", "info")}


def test_a_change_of_regime_is_told_with_its_index_its_bounds_and_what_makes_it(wall: Wall) -> None:
    sink = LogSink([], wall)
    rows = [
        made.index_row(regime="calm"),
        made.index_row(tick=made.TICK + 1),
        made.index_row(tick=made.TICK + 2, stress_index=0.13),
        made.index_row(tick=made.TICK + 3, stress_index=None, contribution_treasury=None, contribution_repo=None,
                       regime="calm", coverage=0.0),
    ]  # fmt: skip
    with capture_logs() as told:
        for row in rows:
            sink.wrote(made.output(index=[row]))
        LogSink([], wall).wrote(made.output(index=rows))
    lines = [(line["log_level"], line["event"], line["event_time"]) for line in told]
    assert lines[:2] == [
        ("warning", "regime: calm -> elevated, index 0.12 (0.04-0.41), coverage 55 %, largest: treasury, repo",
         "2019-09-17T12:00:01Z"),
        ("info", "regime: elevated -> calm, index unknown (0.04-0.41), coverage 0 %", "2019-09-17T12:00:03Z"),
    ]  # fmt: skip
    assert lines[2:] == lines[:2], "however the rows come"


def test_a_capped_crisis_says_so_once(wall: Wall) -> None:
    sink = LogSink([], wall, is_synthetic=True)
    with capture_logs() as told:
        for capped in (False, True, True, False, True):
            sink.wrote(made.output(index=[made.index_row(regime="stressed", capped=capped)]))
    assert ["capped: a crisis by the index" in line["event"] for line in told] == [False, True, True]
    assert told[1]["event"].startswith("SYNTHETIC: regime: stressed -> stressed, index")
    assert told[1]["synthetic"] is True
