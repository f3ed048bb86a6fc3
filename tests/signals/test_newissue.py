"""The new-issue signals against their definitions in plain Python, over random deals."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.signals import newissue
from monitor.signals.found import signals_of
from monitor.signals.model import Evaluation, change_ticks, quotient
from monitor.signals.newissue.parameters import NewIssueParameters
from tests.signals.deal_logs import BUSY, busy_log, deal_logs, tiers_as_they_came
from tests.signals.deal_plain import PlainDeals
from tests.signals.events import AFTER_ALL, BEFORE_ALL

if TYPE_CHECKING:
    from monitor.engine.tiers import Tiers
    from monitor.signals.model import Signal
    from tests.signals.deal_plain import Labels
    from tests.signals.events import Log

ROWS: Final[dict[str, dict[tuple[str | None, ...], str | None]]] = {
    "newissue_concession_bp": {
        ("ai", None, "5bd"): "ai", ("rest", None, "5bd"): "rest", ("ai", None, "20bd"): None,
        ("other", None, "5bd"): None, (None, "ai", "5bd"): None, (None, None, "5bd"): None,
    },
    "newissue_concession_gap_bp": {("5bd",): "ai", ("20bd",): None},
    "newissue_book_cover_ratio": {
        (None, None, "5bd"): "total", (None, None, "20bd"): None, ("ai", None, "5bd"): None,
        (None, "bank", "5bd"): None,
    },
    "newissue_tightening_bp": {(None, None, "5bd"): None},
    "newissue_break_bp": {(None, None, "5bd"): "total", (None, None, "20bd"): None, ("rest", None, "5bd"): None},
    "newissue_pulled_count": {(): "all"},
    "newissue_supply_busd": {(None, None, "ytd"): None, ("capex", None, "5bd"): None, (None, "ai", "60bd"): None},
    "newissue_share_ratio": {("ai", "20bd"): "ai", ("ai", "ytd"): "ai", ("other", "20bd"): None},
    "newissue_pace_ratio": {(): "all"},
    "newissue_maturing_busd": {(): None},
    "newissue_maturing_ratio": {(): None},
    "newissue_pipeline_dv01_musd": {(): None},
    "newissue_issuer_share_ratio": {("ALPHA", "all"): "all", ("ALPHA", "10y+"): None},
    "newissue_issuer_hhi_ratio": {("all",): None},
    "newissue_below_treasury_count": {("20bd",): None, ("ytd",): None},
}  # fmt: skip
"""Which threshold row a label set has: read by `test_contract`."""

LOGS: Final = deal_logs() | deal_logs(BUSY, most=16)
LAST_BITS: Final = Fraction(1, 10**12)
FEW: Final = NewIssueParameters(most_names=2, most_issuers=2)
"""Two of each are soon too few."""
LISTED: Final = NewIssueParameters(themes=("green", "never"), sectors=("bank",), most_names=1)
SETTINGS: Final = settings(deadline=None, max_examples=20, phases=(Phase.explicit, Phase.generate))


def signals_with(parameters: NewIssueParameters) -> list[Signal]:
    """All of them; those of issuers without a least size, which random logs never have."""
    total = c("total_kusd").cast(pl.Float64)
    free = {
        "newissue_issuer_share_ratio": pl.when(c("place").is_not_null()).then(quotient(c("kusd"), c("total_kusd"))),
        "newissue_issuer_hhi_ratio": quotient(c("total_squares").cast(pl.Float64), total * total),
    }
    found = signals_of(newissue, parameters)
    return [replace(signal, value=free.get(signal.name, signal.value)) for signal in found]


def assert_as_defined(tiers: Tiers, parameters: NewIssueParameters, ticks: list[int]) -> None:
    """That at these ticks every signal says what the definitions say, whether it changed there or long before."""
    plain = PlainDeals(tiers, parameters)
    for signal in signals_with(parameters):
        if signal.name not in plain.answers:
            continue
        every = change_ticks([signal], tiers, BEFORE_ALL, AFTER_ALL)
        values = Evaluation(tiers, every).values(signal)
        assert not values["blind"].any()
        for tick in ticks:
            stands = values.filter(c("tick") <= tick).group_by(*signal.labels or ["blind"]).agg(c("value").last())
            found = {row[: len(signal.labels)]: row[-1] for row in stands.iter_rows()}
            known: dict[Labels, float] = {key: value for key, value in found.items() if value is not None}
            expected = {key: value for key, value in plain.answers[signal.name](tick).items() if value is not None}
            assert known.keys() == expected.keys(), (signal.name, tick)
            for key, value in expected.items():
                assert abs(Fraction(known[key]) - value) <= LAST_BITS * (1 + abs(value)), (signal.name, tick, key)


@pytest.mark.parametrize("parameters", [NewIssueParameters(), FEW, LISTED], ids=["default", "few", "listed"])
@given(data=st.data())
@SETTINGS
def test_what_stands_is_as_defined(parameters: NewIssueParameters, data: st.DataObject) -> None:
    """Also of what came late, and between the ticks at which something changes."""
    tiers = tiers_as_they_came(data.draw(LOGS))
    ticks = change_ticks(signals_with(parameters), tiers, BEFORE_ALL, AFTER_ALL).to_list()
    if ticks:
        step = st.tuples(st.sampled_from(ticks), st.sampled_from([0, 0, -1, 1, 5_000]))
        asked = data.draw(st.lists(step, max_size=6), label="ticks")
        assert_as_defined(tiers, parameters, [tick + by for tick, by in asked])


@pytest.mark.parametrize("seed", range(4))
def test_what_stands_in_a_busy_market_is_as_defined(seed: int) -> None:
    tiers = tiers_as_they_came(busy_log(seed))
    signals = signals_with(FEW)
    ticks = change_ticks(signals, tiers, BEFORE_ALL, AFTER_ALL).to_list()
    assert_as_defined(tiers, FEW, Random(seed).sample(ticks[: len(ticks) // 2], 8))
    values = Evaluation(tiers, pl.Series("tick", ticks))
    silent = {signal.name for signal in signals if not values.values(signal)["value"].is_not_null().any()}
    assert silent == {"newissue_maturing_busd", "newissue_maturing_ratio"}


@pytest.mark.parametrize("seed", range(2))
def test_a_tick_alone_says_in_a_busy_market_what_all_ticks_do(seed: int) -> None:
    """Many figures: a total that all rows have in common is divided by as any other number."""
    tiers, signals = tiers_as_they_came(busy_log(seed)), signals_with(FEW)
    ticks = change_ticks(signals, tiers, BEFORE_ALL, AFTER_ALL)
    whole = Evaluation(tiers, ticks)
    for tick in ticks.gather_every(9):
        alone = Evaluation(tiers.known_by(tick), pl.Series("tick", [tick]))
        for signal in signals:
            expected = whole.values(signal).filter(c("tick") == tick)
            assert_frame_equal(alone.values(signal), expected, check_exact=True)


@given(LOGS, st.lists(st.integers(0, 10_000), min_size=1, max_size=6))
@SETTINGS
def test_no_row_depends_on_what_comes_later(log: Log, places: list[int]) -> None:
    """One tick at a time on what was known then, and all at once: the same ticks, the same bits."""
    tiers, signals = tiers_as_they_came(log), signals_with(FEW)
    ticks = change_ticks(signals, tiers, BEFORE_ALL, AFTER_ALL)
    whole = Evaluation(tiers, ticks)
    values = {signal.name: whole.values(signal) for signal in signals}
    for place in places if ticks.len() else ():
        tick = ticks[place % ticks.len()]
        known = tiers.known_by(tick)
        near = change_ticks(signals, known, tick - 10**6, tick)
        assert near.to_list() == ticks.filter(ticks.is_between(tick - 10**6, tick, closed="right")).to_list()
        alone = Evaluation(known, pl.Series("tick", [tick]))
        for signal in signals:
            expected = values[signal.name].filter(c("tick") == tick)
            assert_frame_equal(alone.values(signal), expected, check_exact=True)
