"""A made-up catalogue of all segments, and random logs of its steps."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any, Final

import polars as pl
from hypothesis import strategies as st

from monitor.calendar import MarketCalendar
from monitor.results import STEP_COLUMNS, label_columns
from monitor.signals.model import Signal
from monitor.signals.thresholds import Edge, ThresholdRow

CALENDAR: Final = MarketCalendar()
SHAPE: Final = STEP_COLUMNS | label_columns(("instrument",))
FRIDAY: Final = CALENDAR.at_new_york(date(2019, 9, 13), time(15))
DAY: Final = date(2019, 9, 12)
HEADLINES: Final = {
    "treasury": ("spread", "depth"),
    "repo": ("tail",),
    "newissue": ("cover",),
    "cds": ("widening",),
    "credit": ("off_low", "off_low"),
}
ROWS: Final = ("headline", "other", "quiet")


def signal(name: str, segment: str, headline: str) -> Signal:
    """One with a headline's row, another headline's of the same segment, and a row that is not scored for any."""
    edges = {"calm": 0.0, "warning": Edge(1, 1), "critical": Edge(2, 2)}
    thresholds = (
        ThresholdRow("headline", pl.lit(value=True), "", "", headline=headline, **edges),  # type: ignore[arg-type]
        ThresholdRow("other", pl.lit(value=True), "", "", headline="other", **edges),  # type: ignore[arg-type]
        ThresholdRow("quiet", pl.lit(value=True), "", "", **edges),  # type: ignore[arg-type]
    )
    return Signal(name, segment, "", "", "", "", ("instrument",), (), pl.lit(None), "", thresholds)


SIGNALS: Final = tuple(
    signal(f"{segment}_{number}", segment, headline)
    for segment, headlines in HEADLINES.items()
    for number, headline in enumerate(headlines)
)
NAMES: Final = [each.name for each in SIGNALS]


def step(tick: int, name: str, score: float | None, **more: Any) -> dict[str, Any]:
    """A value with its score, of the headline's row."""
    told = {
        "tick": tick, "value_date": None, "signal": name, "value": score, "blind": False, "level": 0,
        "row": "headline", "score": score, "is_partial": False, "instrument": "A",
    }  # fmt: skip
    return told | more


def blind(tick: int, name: str, **more: Any) -> dict[str, Any]:
    return step(tick, name, None, blind=True, **more)


def over(tick: int, name: str, **more: Any) -> dict[str, Any]:
    return step(tick, name, None, row=None, level=None, **more)


def frame(steps: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(steps, schema=SHAPE, orient="row")


GAPS: Final = (0, 0, 0, 1, 60, 7_200, 20_000, 86_400, 3 * 86_400)
SCORES: Final = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 1 / 3)
KINDS: Final = ("value",) * 5 + ("partial", "partial", "absent", "blind", "blind", "blind", "over", "old")


@st.composite
def logs(draw: st.DrawFn, longest: int = 40) -> list[dict[str, Any]]:
    """Steps in the order of ticks: spells of blindness, partial values, revisions, retirements, nights, weekends."""
    steps: list[dict[str, Any]] = []
    tick = FRIDAY
    scores = st.sampled_from(SCORES) | st.floats(0, 1)
    for _ in range(draw(st.integers(1, longest))):
        tick += draw(st.sampled_from(GAPS))
        name, instrument = draw(st.sampled_from(NAMES)), draw(st.sampled_from("AABCDE"))
        kind = draw(st.sampled_from(KINDS))
        if kind == "over":
            steps.append(over(tick, name, instrument=instrument))
            continue
        level, row = draw(st.sampled_from([0, 0, 0, 1, 2])), draw(st.sampled_from(ROWS[:1] * 6 + ROWS))
        day = draw(st.sampled_from([None, DAY, DAY + timedelta(1)])) if kind != "old" else DAY - timedelta(5)
        score = draw(scores) if kind in {"value", "partial", "old"} else None
        more = {"level": level, "row": row, "value_date": day, "is_partial": kind == "partial"}
        steps.append(step(tick, name, score, blind=kind == "blind", instrument=instrument, **more))
    return steps
