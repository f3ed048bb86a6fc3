"""The picture of the index: nothing is on it that is not in the file, and nothing is left out that matters."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from monitor.report.index_figure import MAX_POINTS, draw_index
from monitor.report.page import render
from monitor.report.style import BLIND, CRITICAL, SEGMENT_COLOURS, WARNING
from monitor.report.tiles import tiles
from monitor.results import INDEX_COLUMNS, SEGMENTS

BEGIN = datetime(2025, 11, 24, 14, tzinfo=UTC)
SCHEMA = {"ts": pl.Datetime("us", "UTC")} | {name: kind for name, kind in INDEX_COLUMNS.items() if name != "tick"}
SUMMARY: dict[str, Any] = {"events": {}, "rejects": {}, "first_event": None, "last_event": None}


def row(minute: int, shares: dict[str, float], regime: str, *, capped: bool = False) -> dict[str, Any]:
    index = sum(shares.values())
    told = {"ts": BEGIN + timedelta(minutes=minute), "stress_index": index, "low": index / 2, "high": index + 0.2}
    told |= dict.fromkeys(shares, 0.5) | {f"contribution_{name}": share for name, share in shares.items()}
    return told | {"coverage": 0.55, "regime": regime, "capped": capped}


ROWS = [
    row(0, {"treasury": 0.01, "repo": 0.02}, "calm"),
    row(60, {"treasury": 0.10, "repo": 0.04}, "elevated"),
    row(240, {"treasury": 0.30, "repo": 0.20}, "stressed", capped=True),
    row(300, {"treasury": 0.05, "repo": 0.01}, "calm"),
]


def index_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, SCHEMA)


def drawn(rows: list[dict[str, Any]]) -> dict[str, Any]:
    figure: dict[str, Any] = json.loads(draw_index(index_of(rows)).to_json())
    return figure


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [each for each in figure["data"] if each["name"] == name]
    return found


def test_the_index_and_its_bounds_are_those_of_the_file() -> None:
    figure = drawn(ROWS)
    line = trace(figure, "stress index")
    assert line["y"] == [r["stress_index"] for r in ROWS]
    assert line["x"][1] == "2025-11-24 10:00:00", "New York's clocks"
    assert trace(figure, "low")["y"] == [r["low"] for r in ROWS]
    assert trace(figure, "low")["fill"] == "tonexty"
    assert trace(figure, "high")["y"] == [r["high"] for r in ROWS]
    assert line["text"][2] == "stressed (capped), 0.25 to 0.70, coverage 55%"


def test_contributions_are_stacked_named_and_have_no_colour_that_means_a_level() -> None:
    figure = drawn(ROWS)
    stacked = [each for each in figure["data"] if each.get("stackgroup")]
    assert [each["y"] for each in stacked[:2]] == [
        [0.01, 0.10, 0.30, 0.05], [0.02, 0.04, 0.20, 0.01],
    ]  # fmt: skip
    assert all(set(each["y"]) == {0.0} for each in stacked[2:])
    named = {each["text"] for each in figure["layout"]["annotations"]}
    assert {"Treasury", "Repo"} <= named
    assert "CDS" not in named
    assert not set(SEGMENT_COLOURS.values()) & {WARNING, CRITICAL, BLIND}
    assert len(set(SEGMENT_COLOURS.values())) == len(SEGMENTS)


def test_the_regime_is_said_in_words_with_its_spells() -> None:
    figure = drawn(ROWS)
    strip = [each for each in figure["data"] if each.get("hoveron") == "fills"]
    assert [(each["name"], each["x"][0][11:16], each["x"][1][11:16]) for each in strip] == [
        ("calm", "09:00", "10:00"), ("elevated", "10:00", "13:00"), ("stressed, capped", "13:00", "14:00"),
        ("calm", "14:00", "14:00"),
    ]  # fmt: skip
    assert "elevated" in [each["text"] for each in figure["layout"]["annotations"]]


@pytest.mark.parametrize("count", [399, 401, 30_000])
def test_points_are_bounded_and_the_peak_stays(count: int) -> None:
    rows = [row(0, {"treasury": n * 7_919 % 10_007 / 1e5}, "calm") | {"ts": BEGIN + timedelta(seconds=n)}
            for n in range(count)]  # fmt: skip
    rows[count // 3] |= {"stress_index": 0.9, "contribution_treasury": 0.9}
    figure = drawn(rows)
    line = trace(figure, "stress index")
    assert len(line["y"]) <= MAX_POINTS
    assert max(line["y"]) == 0.9
    assert all(a <= b for a, b in pairwise(line["x"]))


def test_the_tiles_say_the_worst_regime_when_the_peak_and_what_it_is_made_of() -> None:
    said = tiles([], SUMMARY, index_of(ROWS))
    assert "<b>stressed, capped</b>the worst regime, first at 2025-11-24 13:00" in said
    assert "<b>calm</b>the regime at the end" in said
    assert (
        "<b>0.50</b>the index&#x27;s peak, at 2025-11-24 13:00 (0.25 to 0.70, coverage 55%), most of it Treasury"
        in said
    )


def test_a_replay_without_an_index_says_so_and_one_with_it_draws_it() -> None:
    steps = pl.DataFrame(schema={"ts": SCHEMA["ts"], "signal": pl.String(), "level": pl.String()})
    for nothing in (None, index_of([]), index_of([row(0, {}, "calm") | {"stress_index": None}])):
        page = render([], SUMMARY, [], steps, nothing)
        assert "no stress index" in page
        assert "What it is made of" not in page
    page = render([], SUMMARY, [], steps, index_of(ROWS))
    assert "no stress index" not in page
    assert "What it is made of" in page
