"""All other CDS signals against their definitions in plain Python, and worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.engine.bars.cds import CDS
from monitor.engine.recent import Recent
from monitor.signals import CATALOGUE
from monitor.signals.cds import basket
from monitor.signals.cds.baskets import INDEX_MARKS, NO_INDEX_MARK
from monitor.signals.cds.parameters import CdsParameters
from monitor.signals.model import change_ticks, evaluate
from tests.signals.dense_logs import PLACES, assert_same_in_every_mode
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, Event, S, new_york_us, reference_event, tiers_of
from tests.signals.plain import day_of
from tests.signals.plain_cds import PlainCds, age, back, business_day, cds_log, is_business_day, marks_of
from tests.signals.quote_logs import name_event

if TYPE_CHECKING:
    from monitor.signals.model import Signal
    from tests.signals.events import Log
    from tests.signals.plain_cds import Stands

ROWS: Final[dict[str, dict[tuple[object, ...], str | None]]] = {
    "cds_widening_bp": {
        ("ORCL", "5y", False): "name",
        ("CDX.NA.IG", "5y", True): "index",
        ("ORCL", "1y", False): None,
        ("CDX.NA.IG", "10y", True): None,
    },
    "cds_widening_ratio": {("ORCL", "5y"): None},
    "cds_change_bp": {("ORCL", "5y", "1bd"): None, ("CDX.NA.IG", "5y", "20bd"): None},
    "cds_slope_bp": {("ORCL",): "all"},
    "cds_bid_ask_ratio": {("ORCL", "5y"): "5y", ("ORCL", "1y"): None},
    "cds_basket_bp": {("ai",): None},
    "cds_basket_change_bp": {("ai", "20bd"): None},
    "cds_basket_excess_bp": {("ai",): "all"},
    "cds_default_probability_ratio": {("ORCL", "5y"): None},
    "cds_volume_surge_ratio": {(): "all"},
    "cds_days_since_higher": {("ORCL",): "all"},
    "cds_history_days": {("ORCL",): None},
}
"""Which threshold row a label set has: read by `test_contract`."""

SIGNALS: Final = {signal.name: signal for signal in CATALOGUE if signal.segment == "cds"}
SEEDS: Final = st.integers(0, 1 << 32)
NO_SHRINKING: Final = (Phase.explicit, Phase.generate)
TENORS: Final = {"5y": 5, "1y": 1, "0.5y": 0.5}
DAY: Final = date(2019, 9, 16)
"""A Monday."""


def near(value: float | None, expected: float | Fraction | None) -> bool:
    if value is None or expected is None:
        return value is None and expected is None
    return abs(value - float(expected)) <= 1e-9 * max(1.0, abs(float(expected)))


def values_of(signal: Signal | str, log: Log) -> pl.DataFrame:
    signal = SIGNALS[signal] if isinstance(signal, str) else signal
    tiers = tiers_of(log)
    return evaluate(signal, tiers, change_ticks([signal], tiers, BEFORE_ALL, AFTER_ALL))


def last(signal: Signal | str, log: Log, **labels: str) -> dict[str, Any]:
    """The newest row that is not blind."""
    rows = values_of(signal, log).filter(~c("blind"), *(c(name) == label for name, label in labels.items()))
    return rows.row(-1, named=True)


def days_before(day: date, count: int) -> list[date]:
    """So many business days up to a day, and with it."""
    return [back(day, n) for n in range(count - 1, -1, -1)]


# Against plain Python.


def expected_of(name: str, plain: PlainCds, row: dict[str, Any], stands: Stands) -> tuple[Any, Any]:
    """Value, and what is graded if that is another, of a row that is not blind."""
    key, tick, mid = (row["entity"], TENORS[row.get("tenor", "5y")]), row["tick"], stands.mid
    if name == "cds_bid_ask_ratio":
        return plain.bid_ask(key, tick), None
    if name == "cds_history_days":
        return plain.days_since(key, tick, Fraction())[1], None
    if mid is None:
        return None, None
    widening = plain.widening(key, tick, mid)
    if name == "cds_widening_bp":
        if widening is None:
            return None, None
        return widening[0], widening[0] if stands.said.get("index") else min(widening[0], in_bp(widening[1]))
    if name == "cds_widening_ratio":
        return widening and widening[1], None
    if name == "cds_change_bp":
        return plain.change(key, tick, stands, int(row["window"].removesuffix("bd"))), None
    if name == "cds_default_probability_ratio":
        return plain.default_probability(mid, key[1], stands.said.get("recovery")), None
    assert name == "cds_days_since_higher"
    high = plain.days_since(key, tick, mid)[0]
    return high, None if high is None else high if widening is not None and widening[0] >= 10 else 0


def in_bp(ratio: Fraction) -> Fraction:
    """A widening of a name by a part of the base, on the scale of bp."""
    points = [(0, 0), (5, 3), (15, 10), (25, 15), (40, 25), (60, 40)]
    percent = 100 * ratio
    piece = max(0, min(len(points) - 2, sum(percent >= x for x, _ in points) - 1))
    (x0, y0), (x1, y1) = points[piece : piece + 2]
    return y0 + (percent - x0) * Fraction(y1 - y0, x1 - x0)


OF_NAMES: Final = (
    "cds_bid_ask_ratio", "cds_widening_bp", "cds_widening_ratio", "cds_change_bp", "cds_default_probability_ratio",
    "cds_days_since_higher", "cds_history_days",
)  # fmt: skip


@given(SEEDS)
@settings(deadline=None, max_examples=15, phases=NO_SHRINKING)
def test_what_is_told_of_names_is_as_defined(seed: int) -> None:
    log = cds_log(seed)
    plain, random = PlainCds(log), Random(seed)
    for name in OF_NAMES:
        values = values_of(name, log)
        ticks = {(row["tick"], row["entity"]) for row in values_of("cds_spread_bp", log).iter_rows(named=True)}
        found = {(row["tick"], row["entity"]) for row in values.iter_rows(named=True)}
        assert found <= ticks if name in ("cds_days_since_higher", "cds_history_days") else found >= ticks
        rows = values.rows(named=True)
        for row in random.sample(rows, min(12, len(rows))) + rows[-3:]:
            stands = plain.stands((row["entity"], TENORS[row.get("tenor", "5y")]), row["tick"])
            assert stands is not None
            assert row["blind"] == stands.blind, (name, row)
            if stands.blind:
                continue
            value, graded = expected_of(name, plain, row, stands)
            assert near(row["value"], value), (name, row, value)
            assert near(row["graded"], graded), (name, row, graded)


@given(SEEDS)
@settings(deadline=None, max_examples=20, phases=NO_SHRINKING)
def test_the_slope_is_as_defined(seed: int) -> None:
    log = cds_log(seed, 30)
    plain = PlainCds(log)
    for row in values_of("cds_slope_bp", log).rows(named=True)[-30:]:
        long, short = (plain.stands((row["entity"], tenor), row["tick"]) for tenor in (5, 1))
        assert long is not None
        assert short is not None
        assert row["blind"] == (long.blind or short.blind)
        if not row["blind"]:
            mids = long.mid, short.mid
            assert near(row["value"], None if None in mids else mids[0] - mids[1]), row  # type: ignore[operator]


@given(SEEDS)
@settings(deadline=None, max_examples=30, phases=NO_SHRINKING)
def test_what_is_told_of_baskets_is_as_defined(seed: int) -> None:
    log = cds_log(seed, 50)
    plain, random = PlainCds(log), Random(seed)
    baskets, excesses = values_of("cds_basket_bp", log), values_of("cds_basket_excess_bp", log)
    changes = values_of("cds_basket_change_bp", log)
    kinds = (("basket", baskets), ("change", changes), ("excess", excesses))
    for kind, row in [
        (kind, row) for kind, frame in kinds for row in random.sample(frame.rows(named=True), min(25, frame.height))
    ]:
        theme, tick = row["theme"], row["tick"]
        members = plain.members(theme, tick)
        silent = sum(each.blind for each in members.values())
        index = plain.stands(("CDX.NA.IG", 5), tick)
        if index is not None and age(day_of(tick), day_of(index.quote.second + 1)) > 5:
            index = None
        is_index_blind = kind == "excess" and bool(members) and index is not None and index.blind
        assert row["blind"] == (2 * silent > len(members) or is_index_blind), (kind, row)
        missing = sum(each.blind or each.mid is None for each in members.values())
        # A change may lack a member that has no close of that very day, besides.
        assert row["is_partial"] == (missing > 0) or (kind != "basket" and row["is_partial"])
        if row["blind"]:
            continue
        if kind == "basket":
            expected = plain.basket(theme, tick)
        elif kind == "change":
            expected = plain.basket_change(theme, tick, int(row["window"].removesuffix("bd")))
        else:
            market = None if index is None else plain.change(("CDX.NA.IG", 5), tick, index, 20)
            own = plain.basket_change(theme, tick, 20)
            expected = None if market is None or own is None else own - market
        assert near(row["value"], expected), (kind, row, expected)
    # Whoever says something, his themes are told of.
    told = {(row["tick"], row["theme"]) for row in baskets.iter_rows(named=True)}
    for tick, entity in values_of("cds_spread_bp", log).filter(c("tenor") == "5y").select("tick", "entity").rows():
        stands = plain.stands((entity, 5), tick)
        assert stands is not None
        if not stands.said.get("index"):
            assert all((tick, theme) in told for theme in stands.said.get("themes") or []), (tick, entity)


@given(SEEDS)
@settings(deadline=None, max_examples=4, phases=NO_SHRINKING)
def test_the_surge_is_as_defined(seed: int) -> None:
    log = cds_log(seed, 330)
    plain = PlainCds(log)
    values = values_of("cds_volume_surge_ratio", log)
    for row in values.rows(named=True)[-25:]:
        day = day_of(row["tick"] - 1)
        if not row["blind"]:
            assert near(row["value"], plain.surge(day)), (row, day)


@pytest.mark.parametrize("name", [name for name in SIGNALS if name != "cds_spread_bp"])
@given(SEEDS, PLACES)
@settings(deadline=None, max_examples=4, phases=NO_SHRINKING)
def test_no_row_depends_on_what_comes_later(name: str, seed: int, places: list[int]) -> None:
    """All ticks at once, pieces of them, and one at a time on what was known then: the same bits."""
    assert_same_in_every_mode(SIGNALS[name], tiers_of(cds_log(seed, 330 if "surge" in name else 110)), places)


@given(SEEDS)
@settings(deadline=None, max_examples=10, phases=NO_SHRINKING)
def test_a_live_tick_wants_no_more_seconds_than_are_kept(seed: int) -> None:
    tiers, random = tiers_of(cds_log(seed, 40)), Random(seed)
    signals = list(SIGNALS.values())
    ticks = change_ticks(signals, tiers, BEFORE_ALL, AFTER_ALL)
    for tick in random.sample(ticks.to_list(), min(5, ticks.len())):
        then, only = tiers.known_by(tick), pl.Series("tick", [tick])
        recent = Recent(CDS.seconds, CDS.keys, CDS.kept_seconds)
        recent.add(then.cds_seconds)
        kept = replace(then, cds_seconds=recent.since(tick), kept={})
        assert change_ticks(signals, kept, tick - 1, tick).to_list() == [tick]
        for signal in signals:
            assert_frame_equal(evaluate(signal, kept, only), evaluate(signal, tiers, only), check_exact=True)


# Worked by hand.


def test_the_probability_of_default_is_that_of_the_credit_triangle() -> None:
    """Oracle at 151 bp: 0.118."""
    row = last("cds_default_probability_ratio", marks_of([DAY], [151]))
    assert round(row["value"], 3) == 0.118
    assert last("cds_default_probability_ratio", marks_of([DAY], [151], recovery=0))["value"] < row["value"]


def test_a_widening_is_against_the_median_of_the_days_before() -> None:
    row = last("cds_widening_bp", marks_of(days_before(DAY, 21), [120.0] * 20 + [151]))
    assert (row["value"], row["row"]) == (31.0, "name")
    assert row["graded"] == pytest.approx(15 + 10 * (31 / 120 - 0.25) / 0.15)
    assert last("cds_widening_ratio", marks_of(days_before(DAY, 21), [120.0] * 20 + [151]))["value"] == 31 / 120


@pytest.mark.parametrize(("closes", "value"), [(9, None), (10, 31.0)])
def test_a_widening_wants_ten_closes(closes: int, value: float | None) -> None:
    row = last("cds_widening_bp", marks_of(days_before(DAY, closes + 1), [120.0] * closes + [151]))
    assert row["value"] == value


@pytest.mark.parametrize(
    ("base", "mid", "graded"),
    [
        (60, 75, 15.0),  # both edges at once
        (100, 115, 10.0),  # 15 bp, and 15 %: no warning, and one that stands is not left yet
        (20, 26, 6.0),  # 30 %, and 6 bp
        (100, 160, 40.0),
        (60, 84, 24.0),
        (400, 420, 3.0),
        (500, 900, 55.0),  # 80 %: beyond the last edge as before it
        (500, 820, 40 + 0.04 * 75),
        (100, 90, -10.0),
    ],
)
def test_a_name_must_be_past_bp_and_ratio(base: float, mid: float, graded: float) -> None:
    log = marks_of(days_before(DAY, 21), [base] * 20 + [mid])
    assert last("cds_widening_bp", log)["graded"] == pytest.approx(graded, abs=1e-12)


def test_an_index_goes_by_bp_alone() -> None:
    row = last("cds_widening_bp", marks_of(days_before(DAY, 21), [100.0] * 20 + [112], "CDX.NA.IG", index=True))
    assert (row["value"], row["graded"], row["row"]) == (12.0, 12.0, "index")


def test_a_crisis_is_not_let_into_the_base_for_sixty_days() -> None:
    """Unfrozen it would be the median after ten days, and the widening be gone."""
    crisis = 85
    days = days_before(DAY, 20 + crisis)
    peers = [mark for n in range(4) for mark in marks_of(days, [50 + n + i / 2 for i in range(len(days))], f"P{n}")]
    # It moves by a hair, or it would be stale.
    mids = [120 + i % 2 / 100 for i in range(20)] + [200 + i % 2 / 100 for i in range(crisis)]
    rows = values_of("cds_widening_bp", sorted([*marks_of(days, mids), *peers], key=lambda mark: mark.arrived_us))
    own = rows.filter(c("entity") == "ORCL", ~c("blind"))["value"].to_list()
    assert own[20:80] == pytest.approx([80] * 60, abs=0.02)
    assert own[80:] == pytest.approx([80] * 10 + [40] + [0] * 14, abs=0.02)


def test_no_change_is_told_across_a_roll() -> None:
    days = days_before(DAY, 3)
    log = [*marks_of(days[:1], [50], "CDX.NA.IG", index=True, index_series=44),
           *marks_of(days[1:], [54, 55], "CDX.NA.IG", index=True, index_series=45)]  # fmt: skip
    values = values_of("cds_change_bp", log).filter(~c("blind"), c("window") == "1bd")
    assert values["value"].to_list() == [None, None, 1.0]


def test_bid_ask_is_weighted_by_time() -> None:
    """12 of 156 bp for four minutes, 8 of 156 for one."""
    sides = {"09:00": (150, 162), "09:04": (152, 160)}
    log = [
        name_event("names", "ORCL", new_york_us(DAY, time.fromisoformat(moment)), 0, bid=bid, ask=ask)
        for moment, (bid, ask) in sides.items()
    ]
    rows = values_of("cds_bid_ask_ratio", log)
    values = dict(rows.select("tick", "value").rows())
    assert values[new_york_us(DAY, time(9, 5)) // S + 1] == pytest.approx(
        (12 * 239 + 8 * 61) / 300 / 156, abs=1e-12
    )  # the window has moved on by a second, as the quote of 9:00 is seen at 9:00:01
    assert values[new_york_us(DAY, time(9, 9)) // S + 1] == 8 / 156
    assert rows["row"].unique().to_list() == ["5y"]


@pytest.mark.parametrize(("first", "is_censored"), [(160.0, False), (140.0, True)])
def test_the_highest_for_sixteen_years(first: float, is_censored: bool) -> None:
    """As Oracle in the autumn of 2025; where the history begins lower it may be longer, and the two say so."""
    began, today = date(2009, 7, 10), date(2025, 11, 14)
    days = [began, date(2015, 3, 2), *days_before(today, 21)]
    log = marks_of(days, [first, 90, *[120.0] * 20, 151])
    row, history = (last(name, log) for name in ("cds_days_since_higher", "cds_history_days"))
    assert row["value"] == history["value"] == (today - began).days == 5_971
    assert (row["graded"], row["row"]) == (5_971, "all")
    higher = marks_of(days, [first, 150, *[120.0] * 20, 145])
    assert last("cds_days_since_higher", higher)["value"] == (today - date(2015, 3, 2)).days
    assert last("cds_history_days", higher)["value"] == 5_971
    assert is_censored == (first < 151)


def test_a_high_without_a_widening_scores_nothing() -> None:
    row = last("cds_days_since_higher", marks_of(days_before(DAY, 21), [120.0] * 20 + [125]))
    assert (row["value"], row["graded"]) == ((DAY - back(DAY, 20)).days, 0)


def traded(count: int, surge: float) -> Log:
    """So many days of a million a name and day, and of more in the last twenty."""
    days = days_before(DAY, count)
    return [
        name_event("names", "ORCL", new_york_us(day, time(17, 30)), 0, mid=100 + n % 2, notional=notional)
        for n, day in enumerate(days)
        for notional in [10 * (surge if n >= count - 20 else 1)]
    ]


def test_a_surge_is_against_the_half_year_before() -> None:
    """DTCC: 90 % more."""
    log = traded(140, 1.9)
    assert last("cds_volume_surge_ratio", log)["value"] == 1.9
    assert values_of("cds_volume_surge_ratio", traded(139, 1.9))["value"].is_null().all()
    rows = values_of("cds_volume_surge_ratio", log)
    assert rows["tick"].to_list()[-2:] == [
        new_york_us(date(2019, 9, 17)) // S,
        new_york_us(date(2019, 9, 18)) // S,  # a business day has passed unheard
    ]
    assert rows["blind"].to_list()[-2:] == [False, True]


def test_a_surge_leaves_out_indices_and_days_without_a_quote() -> None:
    index = [name_event("names", "CDX", mark.fields["ts"], 0, mid=50, notional=1_000, index=True)
             for mark in traded(140, 1)[-20:]]  # fmt: skip
    log = sorted([*traded(140, 1.9), *index], key=lambda mark: mark.arrived_us)
    assert last("cds_volume_surge_ratio", log)["value"] == 1.9
    gap = [mark for n, mark in enumerate(traded(150, 1.9)) if n not in range(60, 70)]
    assert last("cds_volume_surge_ratio", gap)["value"] == 1.9


# Baskets.


def basket_log(*, index: bool = True, joins: float | None = 300) -> Log:
    """The example of `basket.signals`, by marks, on 21 days."""
    days = days_before(DAY, 21)
    parts = [marks_of(days, [100 + 0.9 * n for n in range(21)], "A", themes=["ai"]),
             marks_of(days, [60 + 0.1 * n for n in range(21)], "B", themes=["ai"])]  # fmt: skip
    if index:
        parts.append(marks_of(days, [52 + 0.1 * n for n in range(21)], "SYN-CDX-IG", index=True, index_series=45))
    if joins is not None:
        parts.append(marks_of(days[-1:], [joins], "C", themes=["ai"]))
    return sorted((mark for part in parts for mark in part), key=lambda mark: mark.arrived_us)


def test_a_basket_its_change_and_its_excess() -> None:
    two, three = basket_log(joins=None), basket_log()
    assert last("cds_basket_bp", two)["value"] == 90.0
    assert last("cds_basket_bp", three)["value"] == 160.0
    for log in (two, three):
        assert last("cds_basket_change_bp", log, window="20bd")["value"] == 10.0
        row = last("cds_basket_excess_bp", log)
        assert (row["value"], row["row"]) == (8.0, "all")


def published(log: Log, before: float | None, now: float) -> Log:
    days = days_before(DAY, 21)
    points = [(days[-1], now)] if before is None else [(days[0], before), (days[-1], now)]
    prints = [reference_event("CDX_IG", day, new_york_us(day, time(18)), value) for day, value in points]
    for event in prints:
        event.fields["unit"] = "bp"
    return sorted([*log, *prints], key=lambda event: event.arrived_us)


def test_the_published_index_stands_in_where_none_is_quoted() -> None:
    log = basket_log(index=False)
    assert values_of("cds_basket_excess_bp", log)["value"].is_null().all()
    assert last("cds_basket_excess_bp", published(log, 52, 55))["value"] == 7.0
    assert last("cds_basket_excess_bp", published(log, None, 55))["value"] is None
    assert last("cds_basket_excess_bp", published(basket_log(), 52, 59))["value"] == 8.0


def test_the_index_may_be_named() -> None:
    named, other = (
        next(signal for signal in basket.signals(CdsParameters((name,))) if signal.name == "cds_basket_excess_bp")
        for name in ("SYN-CDX-IG", "ITRAXX")
    )
    assert last(named, basket_log())["value"] == 8.0
    assert values_of(other, basket_log())["value"].is_null().all()


def test_a_silent_member_lowers_no_level_and_is_missed_for_twenty_days() -> None:
    days = days_before(DAY, 24)
    log = [*marks_of(days[:1], [300], "A", themes=["ai"]), *marks_of(days, [60.0 + n for n in range(24)], "B",
           themes=["ai"]), *marks_of(days, [70.0 + n for n in range(24)], "C", themes=["ai"])]  # fmt: skip
    values = values_of("cds_basket_bp", sorted(log, key=lambda mark: mark.arrived_us)).filter(~c("blind"))
    by_day = {row["value_date"]: (row["value"], row["is_partial"]) for row in values.iter_rows(named=True)}
    assert by_day[days[0]] == (430 / 3, False)
    assert by_day[days[2]] == (67.0, True)
    assert by_day[days[20]] == (85.0, True)
    assert by_day[days[22]] == (87.0, False)


def test_a_member_that_shows_one_side_only_makes_its_basket_partial() -> None:
    [day] = days_before(DAY, 1)
    log = [*marks_of([day], [160], "A", themes=["ai"]), *marks_of([day], [60], "B", themes=["ai"])]
    half = Event(log[-1].arrived_us + 60 * S, "cds", log[-1].partition, log[0].fields | {
        "ts": log[-1].fields["ts"] + 60 * S, "mid": None, "ask": 230.0})  # fmt: skip
    last = values_of("cds_basket_bp", [*log, half]).filter(~c("blind")).row(-1, named=True)
    assert (last["value"], last["is_partial"]) == (60.0, True)


def test_an_index_of_high_yield_is_none_of_investment_grade() -> None:
    names = ["CDX HIGH YIELD", "CDX.NA.HY", "CDX.NA.IG.HVOL", "CDX.NA.IG", "CDX IG 45", "ITRAXX"]
    upper = pl.DataFrame({"entity": names}).select(
        pl.all_horizontal(c("entity").str.contains(mark) for mark in INDEX_MARKS)
        & ~c("entity").str.contains(NO_INDEX_MARK)
    )
    assert upper.to_series().to_list() == [False, False, False, True, True, False]


def test_a_warning_that_stands_is_not_swallowed_by_its_base() -> None:
    """At 73 the warning of 80 stands: its exit is at 70. Were those days let in, the base would come up to them."""
    days = days_before(DAY, 60)
    closes = [60.0] * 25 + [80.0] * 3 + [73.0] * 32
    values = values_of("cds_widening_bp", marks_of(days, closes, "A")).filter(~c("blind"))
    assert values.filter(c("value_date") == days[-1])["value"].to_list() == [13.0]


def test_a_theme_that_is_left_by_its_last_name_is_over() -> None:
    days = days_before(DAY, 3)
    log = [*marks_of(days[:2], [60, 61], "A", themes=["ai"]), *marks_of(days[2:], [62], "A", themes=["cloud"])]
    values = values_of("cds_basket_bp", log).filter(c("value_date") == DAY)
    assert {row["theme"]: row["value"] for row in values.iter_rows(named=True)} == {"ai": None, "cloud": 62.0}


def test_the_first_twelve_themes_are_told_of() -> None:
    themes = [f"t{n:02}" for n in range(11)]
    more = [f"s{n:02}" for n in range(5)]
    days = days_before(DAY, 2)
    log = [*marks_of(days, [60, 61], "A", themes=themes), *marks_of(days[1:], [62], "B", themes=more)]
    values = values_of("cds_basket_bp", log)
    assert set(values["theme"]) == {*themes, "s00"}


@pytest.mark.parametrize("day", [date(2019, 9, 14), date(2019, 9, 15), date(2019, 7, 4)])
def test_plain_business_days_are_those_of_the_calendar(day: date) -> None:
    assert not is_business_day(day)
    assert back(day, 1) < day < business_day(day)
    assert age(business_day(day) + timedelta(days=1), day) == 1
    assert CALENDAR.is_bond_business_day(business_day(day))
