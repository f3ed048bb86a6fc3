"""The picture of the index: nothing is on it that is not in the file, and nothing is left out that matters."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from monitor.report.index_figure import MAX_POINTS, MAX_SPELLS, draw_index
from monitor.report.page import render
from monitor.report.style import (
    BLIND_COLOUR,
    CRITICAL,
    INFORMATION,
    REGIME_COLOURS,
    SEGMENT_COLOURS,
    SEGMENT_TITLES,
    WARNING,
)
from monitor.report.tiles import tiles
from monitor.results import INDEX_COLUMNS, REGIMES, SEGMENTS
from tests.report.decoded import decoded, named, texts

BEGIN = datetime(2025, 11, 24, 14, tzinfo=UTC)
SCHEMA = {"ts": pl.Datetime("us", "UTC")} | {name: kind for name, kind in INDEX_COLUMNS.items() if name != "tick"}
SUMMARY: dict[str, Any] = {"events": {}, "rejects": {}, "first_event": None, "last_event": None}


def row(minute: float, shares: dict[str, float], regime: str | None, *, capped: bool = False) -> dict[str, Any]:
    index = sum(shares.values()) if shares else None
    told = {"ts": BEGIN + timedelta(minutes=minute), "stress_index": index}
    told |= {"low": None, "high": None} if index is None else {"low": index / 2, "high": index + 0.2}
    told |= dict.fromkeys(shares, 0.5) | {f"contribution_{name}": share for name, share in shares.items()}
    return told | {"coverage": 0.55 if shares else 0.0, "regime": regime, "capped": capped}


ROWS = [
    row(0, {"treasury": 0.01, "repo": 0.02}, "calm"),
    row(60, {"treasury": 0.10, "repo": 0.04}, "elevated"),
    row(240, {"treasury": 0.30, "repo": 0.20}, "stressed", capped=True),
    row(300, {"treasury": 0.05, "repo": 0.01}, "calm"),
]
END = BEGIN + timedelta(minutes=420)


def index_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, SCHEMA)


def drawn(rows: list[dict[str, Any]], end: datetime | None = END) -> dict[str, Any]:
    return decoded(draw_index(index_of(rows), end=end))


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = named(figure, name)
    return found


def test_the_index_and_its_bounds_are_those_of_the_file() -> None:
    figure = drawn(ROWS)
    line = trace(figure, "stress index")
    assert line["y"] == pytest.approx([r["stress_index"] for r in [*ROWS, ROWS[-1]]]), "it stands to the end"
    assert [x[11:16] for x in line["x"]] == ["09:00", "10:00", "13:00", "14:00", "16:00"], "New York's clocks"
    assert line["line"]["shape"] == "hv", "a value stands until the next"
    low, height = trace(figure, "low"), trace(figure, "high")
    assert low["stackgroup"] == height["stackgroup"]
    assert low["x"] == height["x"] == line["x"]
    assert low["y"] == pytest.approx([r["low"] for r in [*ROWS, ROWS[-1]]])
    assert [a + b for a, b in zip(low["y"], height["y"], strict=True)] == pytest.approx(
        [r["high"] for r in [*ROWS, ROWS[-1]]]
    )
    assert line["text"][2] == "stressed, capped; 0.25 to 0.70; coverage 55%"
    assert trace(figure, "coverage")["y"] == [0.55] * 5


def test_where_there_is_no_index_nothing_is_drawn_across() -> None:
    rows = [*ROWS[:2], row(120, {}, "elevated"), row(200, {}, "elevated"), *ROWS[2:]]
    figure = drawn(rows)
    line = trace(figure, "stress index")
    assert line["connectgaps"] is False
    assert [(x[11:16], y) for x, y in zip(line["x"], line["y"], strict=True)][1:6] == [
        ("10:00", 0.14), ("11:00", 0.14), ("11:00", None), ("12:20", None), ("13:00", 0.50),
    ]  # fmt: skip
    for name in ("low", "high", "Treasury", "Repo"):
        heights = dict(zip(trace(figure, name)["x"], trace(figure, name)["y"], strict=True))
        assert heights["2025-11-24 10:59:59"] > 0, "up to the gap"
        assert heights["2025-11-24 11:00:00"] == heights["2025-11-24 12:59:59"] == 0, "no height in it"
        assert heights["2025-11-24 13:00:00"] > 0


def test_contributions_are_stacked_and_sum_to_the_index() -> None:
    figure = drawn(ROWS)
    stacked = [each for each in figure["data"] if each.get("stackgroup") == "contributions"]
    assert [each["name"] for each in stacked] == ["Treasury", "Repo"], "in the order of the segments"
    assert [each["y"][:4] for each in stacked] == [[0.01, 0.10, 0.30, 0.05], [0.02, 0.04, 0.20, 0.01]]
    sums = [sum(at) for at in zip(*(each["y"] for each in stacked), strict=True)]
    assert sums == pytest.approx([r["stress_index"] for r in [*ROWS, ROWS[-1]]])


def test_a_segment_has_its_colour_and_its_name_beside_it() -> None:
    figure = drawn(ROWS)
    for segment, peak in (("treasury", "0.30"), ("repo", "0.20")):
        assert trace(figure, SEGMENT_TITLES[segment])["fillcolor"] == SEGMENT_COLOURS[segment]
        [label] = [text for text in texts(figure) if SEGMENT_COLOURS[segment] in text]
        assert re.sub("<[^>]*>", " ", label).split() == ["■", *SEGMENT_TITLES[segment].split(), "up", "to", peak]
    assert "absent throughout: New issues, CDS, Credit and policy" in texts(figure)
    assert not any(
        "absent throughout" in text for text in texts(drawn([row(0, dict.fromkeys(SEGMENTS, 0.1), "crisis")]))
    )


def test_no_segment_has_a_colour_that_means_a_level_and_all_are_told_apart() -> None:
    assert set(SEGMENT_COLOURS) == set(SEGMENT_TITLES) == set(SEGMENTS)
    assert set(REGIME_COLOURS) == set(REGIMES)
    levels = {WARNING, CRITICAL, BLIND_COLOUR, INFORMATION, *REGIME_COLOURS.values()}
    assert not set(SEGMENT_COLOURS.values()) & levels

    def light(colour: str) -> float:
        red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        assert not green > max(red, blue), "never green"
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for below, above in pairwise(SEGMENTS):
        assert abs(light(SEGMENT_COLOURS[below]) - light(SEGMENT_COLOURS[above])) > 0.2, "also without hue"


def test_the_regime_is_said_in_words_with_its_spells() -> None:
    figure = drawn(ROWS)
    strip = [each for each in figure["data"] if each.get("hoveron") == "fills"]
    assert [(each["name"], each["x"][0][11:16], each["x"][1][11:16]) for each in strip] == [
        ("calm", "09:00", "10:00"), ("elevated", "10:00", "13:00"), ("stressed, capped", "13:00", "14:00"),
        ("calm", "14:00", "16:00"),
    ]  # fmt: skip
    assert [each["fillcolor"] for each in strip] == [
        REGIME_COLOURS[regime] for regime in ("calm", "elevated", "stressed", "calm")
    ]
    assert {"calm", "elevated", "stressed, capped"} <= set(texts(figure))
    edges = {(shape["y0"], shape["line"]["color"]) for shape in figure["layout"]["shapes"]}
    assert edges == {(0.10, INFORMATION), (0.25, WARNING), (0.45, CRITICAL)}
    assert {"elevated 0.10", "stressed 0.25", "crisis 0.45"} <= set(texts(figure))


def test_of_too_many_spells_the_worst_of_each_stretch_is_shown_and_none_is_left_out() -> None:
    regimes = ["calm", "elevated"] * 500
    regimes[501] = "crisis"
    figure = drawn(
        [row(n, {"repo": 0.1}, regime) for n, regime in enumerate(regimes)], BEGIN + timedelta(minutes=1_000)
    )
    strip = [each for each in figure["data"] if each.get("hoveron") == "fills"]
    assert [each["name"] for each in strip] == ["elevated", "crisis", "elevated"]
    assert strip[0]["x"][0] == "2025-11-24 09:00:00"
    assert strip[-1]["x"][1] == "2025-11-25 01:40:00"
    assert all(before["x"][1] == after["x"][0] for before, after in pairwise(strip)), "no hole"
    assert len([each for each in drawn([row(n, {"repo": 0.1}, r) for n, r in enumerate(regimes[:MAX_SPELLS])])["data"]
                if each.get("hoveron") == "fills"]) == MAX_SPELLS  # fmt: skip


@pytest.mark.parametrize("count", [399, 401, 30_000])
@pytest.mark.parametrize("gap", [0, 7])
def test_points_are_bounded_and_the_peak_stays(count: int, gap: int) -> None:
    rows = [
        row(n / 60, {} if gap and n % gap == 0 else {"treasury": n * 7_919 % 10_007 / 1e5, "cds": n % 5 / 50}, "calm")
        for n in range(count)
    ]
    rows[count // 3 // 7 * 7 + 1] |= {"stress_index": 0.9, "contribution_treasury": 0.8, "high": 0.95}
    figure = drawn(rows, None)
    assert max(len(each["y"]) for each in figure["data"]) <= MAX_POINTS
    assert max(y for y in trace(figure, "stress index")["y"] if y is not None) == 0.9
    assert max(trace(figure, "Treasury")["y"]) == 0.8
    assert all(a <= b for each in figure["data"] if "stackgroup" in each for a, b in pairwise(each["x"]))


def test_all_panels_have_the_replays_time_and_say_whose_clock_it_is() -> None:
    layout = drawn(ROWS)["layout"]
    axes = [layout[name] for name in layout if name.startswith("xaxis")]
    assert {tuple(axis["range"]) for axis in axes} == {("2025-11-24 09:00:00", "2025-11-24 16:00:00")}
    assert [axis["title"]["text"] for axis in axes if "title" in axis] == ["New York time"]


class TestTiles:
    def test_the_regime_and_the_peak(self) -> None:
        said = re.sub("<[^>]*>", "|", tiles([], SUMMARY, index_of(ROWS)))
        assert "|calm|regime at the end, since |2025-11-24| 14:00, index 0.06, coverage 55%|" in said
        assert "|stressed|worst regime, first at |2025-11-24| 13:00; capped: too little shows it to say crisis|" in said
        assert "|0.50|index at its peak (0.25 to 0.70), |2025-11-24| 13:00, coverage 55%, most of it Treasury|" in said

    def test_a_regime_at_the_end_without_an_index(self) -> None:
        said = tiles([], SUMMARY, index_of([*ROWS, row(330, {}, "calm")]))
        assert "index None" not in said
        assert "14:00, coverage 0%" in said
        said = tiles([], SUMMARY, index_of([row(0, {"repo": 0.3}, None)]))
        assert "regime" not in said

    @pytest.mark.parametrize(("regime", "cls"), [("calm", ""), ("elevated", "elevated"), ("crisis", "critical")])
    def test_a_colour_means_a_level(self, regime: str, cls: str) -> None:
        assert f'<div class="tile {cls}"><b>{regime}</b>' in tiles(
            [], SUMMARY, index_of([row(0, {"repo": 1.0}, regime)])
        )


def test_a_replay_without_an_index_says_so_and_one_with_it_draws_it() -> None:
    steps = pl.DataFrame(
        schema={"ts": SCHEMA["ts"], "signal": pl.String(), "labels": pl.Struct({}), "value": pl.Float64(),
                "level": pl.String()}
    )  # fmt: skip
    for nothing, why in (
        (None, "no index.parquet"),
        (index_of([]), "no headline signal"),
        (index_of([row(0, {}, "calm")]), "no headline signal"),
    ):
        page = render([], SUMMARY, [], steps, nothing)
        assert re.search(f"no stress index: [^<]*{why}", page)
        assert "Contributions of the segments" not in page
    page = render([], SUMMARY, [], steps, index_of(ROWS))
    assert "no stress index" not in page
    assert "Contributions of the segments" in page
