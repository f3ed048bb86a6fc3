"""When all input stops no tick comes to say so: then the wall clock decides, and touches nothing but what is told."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from monitor.pipeline import Pipeline
from monitor.signals import CATALOGUE
from monitor.sinks.files import transition_line
from monitor.sources.base import RawBatch
from tests.signals.events import CALENDAR, S, new_york_us

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.results import Output, Transition

SIGNALS: Final = tuple(s for s in CATALOGUE if s.name in ("treasury_spread_32nds", "treasury_two_sided_ratio"))
OPEN_US: Final = new_york_us(date(2019, 9, 16), time(9))
MINUTE_US: Final = 60 * S
WIDE: Final = 8 / 32
LABELS: Final = {"instrument": "UST-10Y"}


def quotes(begin: int, end: int, width: float) -> RawBatch:
    """The 10-year, a quote a second from one minute after nine to another."""
    seconds = range(begin * 60, end * 60)
    payloads = [
        msgspec.json.encode(
            {"ts": OPEN_US + n * S, "instrument": "UST-10Y", "tenor_years": 10, "on_the_run": True,
             "bid": 99.5 - n % 3 / 64, "ask": 99.5 - n % 3 / 64 + width}
        )
        for n in seconds
    ]  # fmt: skip
    return RawBatch("feed", "treasury", "quotes", seconds, payloads)


def transitions(outputs: Iterable[Output]) -> list[Transition]:
    return [each for output in outputs for each in output.transitions if each.labels == LABELS]


def steps(outputs: Iterable[Output]) -> pl.DataFrame:
    return pl.concat([output.steps for output in outputs])


@pytest.fixture
def stressed() -> Pipeline:
    """Wide quotes for a quarter of an hour, and then nothing."""
    pipeline = Pipeline(SIGNALS, CALENDAR)
    pipeline.ingest(quotes(0, 15, WIDE), now_us=OPEN_US + 15 * MINUTE_US)
    told = transitions(pipeline.advance(None, OPEN_US + 15 * MINUTE_US + 11 * S))
    assert [each.after for each in told] == ["critical"]
    return pipeline


def test_after_the_hold_it_is_blind_by_the_wall_clock_and_the_level_stays(stressed: Pipeline) -> None:
    assert not transitions(stressed.silent(299 * S))
    ran = stressed.ran
    [told] = transitions(stressed.silent(301 * S))
    assert (told.before, told.after, told.by_wall_clock) == ("critical", "blind", True)
    assert transition_line(told)["clock"] == "wall"
    assert told.tick == OPEN_US // S + 15 * 60 + 300
    assert stressed.ran == ran
    standing = stressed.standing()
    assert standing is not None
    now = standing.steps.filter(pl.col("instrument") == "UST-10Y").row(0, named=True)
    assert (now["blind"], now["value"], now["level"]) == (True, None, 2)
    assert not transitions(stressed.silent(3_600 * S)), "it is told once"


@pytest.mark.parametrize("width", [WIDE, 0.5 / 32], ids=["still wide", "narrow"])
def test_what_comes_after_it_is_told_as_if_nobody_had_waited(stressed: Pipeline, width: float) -> None:
    """An outage of the feed, which then brings all that it had held back: nothing is lost, and nothing is too late."""
    unbroken = Pipeline(SIGNALS, CALENDAR)
    [*unbroken.ingest(quotes(0, 15, WIDE)), *unbroken.advance()]
    rest = quotes(15, 75, width)
    list(stressed.silent(1_800 * S))
    assert [each.late for each in stressed.ingest(rest)] == [0]
    after, expected = list(stressed.advance()), []
    unbroken.ingest(rest)
    expected = list(unbroken.advance())
    assert_frame_equal(
        steps(after).filter(pl.col("tick") > OPEN_US // S + 15 * 60 + 2),
        steps(expected).filter(pl.col("tick") > OPEN_US // S + 15 * 60 + 2),
    )
    own, others = transitions(after), transitions(expected)
    assert (own[0].before, own[0].after) == ("blind", "critical")
    assert own[1:] == others
    assert [each.after for each in others] == ([] if width == WIDE else ["warning", "calm"])


def test_a_restart_in_the_silence_knows_what_was_told(stressed: Pipeline) -> None:
    before = stressed.checkpoint()
    assert transitions(stressed.silent(600 * S))
    after = stressed.checkpoint()
    again = Pipeline(SIGNALS, CALENDAR)
    again.restore(type(after)(before.appends | after.appends, after.states))
    assert not transitions(again.silent(600 * S))
    again.ingest(quotes(15, 16, WIDE))
    assert [(each.before, each.after) for each in transitions(again.advance())] == [("blind", "critical")]


def test_before_the_first_tick_there_is_nothing_to_be_blind() -> None:
    assert not list(Pipeline(SIGNALS, CALENDAR).silent(3_600 * S))
