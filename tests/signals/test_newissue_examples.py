"""The new-issue signals worked by hand: the examples of their docstrings, and the edges of a deal's life."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

from monitor.signals import newissue
from monitor.signals.found import signals_of
from monitor.signals.model import Evaluation, change_ticks
from monitor.signals.newissue.parameters import NewIssueParameters
from tests.signals.deal_logs import deal_event, tiers_as_they_came
from tests.signals.events import AFTER_ALL, BEFORE_ALL, S, new_york_us, reference_event

if TYPE_CHECKING:
    from tests.signals.events import Event, Log

SIGNALS: Final = {signal.name: signal for signal in signals_of(newissue, NewIssueParameters())}
DAY: Final = date(2019, 9, 16)
"""A Monday."""
NOON: Final = time(12)


def said(deal: str, status: str = "priced", day: date = DAY, hour: int = 10, late_us: int = 0, **terms: Any) -> Event:
    return deal_event(deal, status, new_york_us(day, time(hour)), late_us, **terms)


def stands(name: str, log: Log, *labels: str | None, day: date = DAY, moment: time = NOON) -> float | None:
    """The value that stands at a moment, which may have been told long before; None: absent, or never told."""
    signal, tick = SIGNALS[name], new_york_us(day, moment) // S
    tiers = tiers_as_they_came(sorted(log, key=lambda event: event.arrived_us))
    values = Evaluation(tiers, change_ticks([signal], tiers, BEFORE_ALL, AFTER_ALL)).values(signal)
    own = values.filter(pl.col("tick") <= tick)
    for label, wanted in zip(signal.labels, labels, strict=True):
        own = own.filter(pl.col(label).eq_missing(pl.lit(wanted)))
    found: list[float | None] = own["value"].tail(1).to_list()
    return found[0] if found else None


def test_the_concession_is_weighted_by_size() -> None:
    """The example: (20 * 12 + 5 * 2 + 0) / 30."""
    terms = ((20_000, 112), (5_000, 102), (5_000, 100))
    log = [
        said(f"i{n}", size=size, spread=spread, fair_value_spread=100, themes=["ai"], sector="technology")
        for n, (size, spread) in enumerate(terms)
    ]
    for labels in (("ai", None), (None, "technology"), (None, None)):
        for window in ("5bd", "20bd"):
            assert stands("newissue_concession_bp", log, *labels, window) == pytest.approx(250 / 30)
    assert stands("newissue_concession_bp", log, "rest", None, "5bd") is None
    assert stands("newissue_concession_bp", log[:2], "ai", None, "5bd") is None
    friday, monday = date(2019, 9, 20), date(2019, 9, 23)
    assert stands("newissue_concession_bp", log, "ai", None, "5bd", day=friday, moment=time(23, 59)) is not None
    assert stands("newissue_concession_bp", log, "ai", None, "5bd", day=monday, moment=time()) is None


def test_books_count_once_an_issue() -> None:
    """The example: (20 + 9 + 5) / (5 + 3 + 2)."""
    log = [said(f"a-{n}", size=size, book=20_000) for n, size in enumerate((1_000, 2_000, 2_000))]
    log += [said("b", size=3_000, book=9_000), said("c", size=2_000, book=5_000)]
    assert stands("newissue_book_cover_ratio", log, None, None, "5bd") == 3.4
    # A floating tranche belongs to the issue's book; an issue that floats altogether is left out.
    floating = [said("a-0", size=1_000, book=20_000, coupon_type="float"), *log[1:]]
    alone = said("d", size=9_000, book=9_000, coupon_type="float")
    assert stands("newissue_book_cover_ratio", [*floating, alone], None, None, "5bd") == 3.4


def test_tightening_and_break() -> None:
    log = [
        said("a", size=4_000, ipt_spread=120, spread=95),
        said("b", size=500, ipt_spread=80, spread=80),
        said("c", size=500, ipt_spread=80, spread=80),
        said("a", "trading", hour=11, break_spread=99),
        said("b", "trading", hour=11, break_spread=79),
        said("c", "trading", hour=11, break_spread=79),
    ]
    assert stands("newissue_tightening_bp", log, None, None, "5bd") == 20
    assert stands("newissue_break_bp", log, None, None, "5bd") == 3


def test_the_gap_compares_like_with_like() -> None:
    """The example: only A at 10 years has both, 12 - 4; where most has no like it is the plain difference."""
    ten, five = {"rating": "A+", "tenor_years": 10}, {"rating": "BBB", "tenor_years": 5}

    def deal(name: str, size: int, concession: float, **terms: Any) -> Event:
        return said(name, size=size, spread=100 + concession, fair_value_spread=100, **terms)

    ai = [deal("a", 2_000, 12, themes=["ai"], **ten), deal("b", 1_000, 12, themes=["ai"], **ten)]
    ai.append(deal("c", 1_000, 20, themes=["ai"], **five))
    rest = [deal(f"r{n}", 1_000, 4, **ten) for n in range(3)]
    assert stands("newissue_concession_gap_bp", ai + rest, "5bd") == 8
    unlike = [deal(f"r{n}", 1_000, 4, rating="AA", tenor_years=30) for n in range(3)]
    assert stands("newissue_concession_gap_bp", ai + unlike, "5bd") == 14 - 4
    flood = [*ai, deal("d", 5_000, 20, themes=["ai"], **five)]  # 3 of its 9 busd have their like
    assert stands("newissue_concession_gap_bp", flood + rest, "5bd") == pytest.approx((36 + 20 + 100) / 9 - 4)
    assert stands("newissue_concession_gap_bp", ai + rest[:2], "5bd") is None


def test_both_signs_of_the_gap_are_bad() -> None:
    log = [said(f"a{n}", size=1_000, spread=92, fair_value_spread=100, themes=["ai"]) for n in range(3)]
    log += [said(f"r{n}", size=1_000, spread=100, fair_value_spread=100) for n in range(3)]
    signal = SIGNALS["newissue_concession_gap_bp"]
    tiers = tiers_as_they_came(log)
    values = Evaluation(tiers, change_ticks([signal], tiers, BEFORE_ALL, AFTER_ALL)).values(signal)
    assert values.select("value", "graded").row(0) == (-8, 8)


def test_a_pulled_issue_counts_once_and_not_for_a_tranche_that_is_dropped() -> None:
    log = [said(f"a-{n}", "pulled") for n in range(3)] + [said("b-0", "announced"), said("b-0", "pulled", hour=11)]
    log += [said("c-0", "pulled"), said("c-1", "priced", size=1_000)]
    assert stands("newissue_pulled_count", log) == 2
    assert stands("newissue_pulled_count", log, day=date(2019, 10, 11)) == 2
    # Twenty business days with Monday end on Friday, as Columbus Day is none; nobody was heard of since.
    assert stands("newissue_pulled_count", log, day=date(2019, 10, 15)) is None
    assert stands("newissue_pulled_count", [said("a", "announced")]) == 0


def test_terms_freeze_at_pricing_and_what_was_not_known_is_filled_once() -> None:
    log = [said(f"i{n}", size=1_000) for n in range(3)]
    later = [said("i0", "trading", hour=11, size=9_000), said("i0", "trading", hour=11, spread=-2)]
    later += [said("i0", "trading", hour=11, spread=50)]
    assert stands("newissue_supply_busd", log + later, None, None, "5bd") == 3
    known = [said(f"i{n}", "trading", hour=11, spread=5) for n in (1, 2)]
    assert stands("newissue_below_treasury_count", log + later + known, "20bd") == 1


def test_one_that_is_pulled_after_pricing_was_never_placed_and_may_come_again() -> None:
    log = [said(f"i{n}", size=1_500) for n in range(3)] + [said("i0", "pulled", hour=11)]
    assert stands("newissue_supply_busd", log, None, None, "5bd") is None
    assert stands("newissue_pulled_count", log) == 1
    again = said("i0", "priced", date(2019, 9, 17))
    assert stands("newissue_supply_busd", [*log, again], None, None, "5bd", day=date(2019, 9, 17)) == 4.5
    assert stands("newissue_pulled_count", [*log, again], day=date(2019, 9, 17)) == 0


def test_an_event_that_comes_late_takes_its_place() -> None:
    """Priced on Monday, heard of on Tuesday: it counts from Tuesday on, as of Monday, with Monday's terms."""
    log = [said(f"i{n}", size=1_000) for n in range(2)] + [said("i2", "trading", hour=11, size=9_000)]
    log.append(said("i2", "priced", late_us=24 * 3_600 * S, size=1_000))
    assert stands("newissue_supply_busd", log, None, None, "5bd") is None
    assert stands("newissue_supply_busd", log, None, None, "5bd", day=date(2019, 9, 20)) == 3
    assert stands("newissue_supply_busd", log, None, None, "5bd", day=date(2019, 9, 23), moment=time()) is None


def test_an_amendment_that_leaves_the_issue_out_makes_no_new_one() -> None:
    log = [said(f"a-{n}", size=1_500) for n in range(3)]
    log += [said("a-1", "trading", hour=11, issue_id=None)]
    assert stands("newissue_supply_busd", log, None, None, "5bd") is None


def test_supply_and_shares() -> None:
    log = [said(f"a{n}", size=4_000, themes=["ai"], purpose="capex") for n in range(3)]
    log += [said(f"r{n}", size=7_000) for n in range(4)]
    expected = {(None, None): 40, ("capex", None): 12, (None, "ai"): 12, (None, "rest"): 28}
    for labels, busd in expected.items():
        assert stands("newissue_supply_busd", log, *labels, "20bd") == busd
    assert stands("newissue_share_ratio", log, "ai", "20bd") == 0.3


def test_the_year_begins_anew() -> None:
    log = [said(f"i{n}", day=date(2019, 12, 31), size=1_000) for n in range(3)]
    new_year = date(2020, 1, 1)
    assert stands("newissue_supply_busd", log, None, None, "ytd", day=date(2019, 12, 31)) == 3
    assert stands("newissue_supply_busd", log, None, None, "ytd", day=new_year, moment=time()) is None
    assert stands("newissue_supply_busd", log, None, None, "5bd", day=new_year) == 3
    # The last of 250 business days of 2019: 1,800 busd in the record year.
    assert stands("newissue_pace_ratio", log, day=date(2019, 12, 31)) == pytest.approx(3 / 1_800)
    assert stands("newissue_pace_ratio", log, day=new_year) is None


def test_the_pipeline() -> None:
    """The example: 4 busd with a modified duration of 7.79 are 3.12 musd a basis point."""
    log = [said(f"i{n}", "announced", size=size, tenor_years=10) for n, size in enumerate((1_000, 2_000, 1_000))]
    log.append(said("floats", "announced", size=5_000, tenor_years=10, coupon_type="float"))
    assert stands("newissue_pipeline_dv01_musd", log) == pytest.approx(3.118, abs=1e-3)
    assert stands("newissue_pipeline_dv01_musd", [*log, said("i0", hour=11)]) is None
    assert stands("newissue_pipeline_dv01_musd", [*log, said("i0", "pulled", hour=11)]) is None
    # Thirty business days with the Monday, of which Columbus Day is none.
    assert stands("newissue_pipeline_dv01_musd", log, day=date(2019, 10, 28)) is not None
    assert stands("newissue_pipeline_dv01_musd", log, day=date(2019, 10, 29)) is None


def test_what_matures_against_a_whole_year_of_supply() -> None:
    """The example: 1,020 busd of 1,700, and nothing before twelve months of deals are known."""
    first = said("old", "announced", date(2018, 9, 17))
    log = [first, *(said(f"i{n}", size=425_000) for n in range(4))]
    published = reference_event("IG_MATURING_12M", DAY, new_york_us(DAY, time(9)), 1_020)
    log.append(replace(published, fields=published.fields | {"unit": "usd_bn"}))
    assert stands("newissue_maturing_busd", log) == 1_020
    assert stands("newissue_maturing_ratio", log) is None
    assert stands("newissue_maturing_ratio", log, day=date(2019, 9, 17), moment=time()) == 0.6


def test_issuers_need_a_history() -> None:
    log = [said(f"i{n}", size=3_000, issuer=f"N{n % 10}", tenor_years=10 if n % 2 else 5) for n in range(20)]
    assert stands("newissue_issuer_share_ratio", log, "N3", "all") == 0.1
    assert stands("newissue_issuer_hhi_ratio", log, "all") == pytest.approx(0.1)
    assert stands("newissue_issuer_share_ratio", log, "N3", "10y+") is None
    assert stands("newissue_issuer_share_ratio", log[:19], "N3", "all") is None


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        NewIssueParameters(record_curve=((0.0, 0.0), (0.5, 1.0)))
    with pytest.raises(ValueError, match="must grow"):
        NewIssueParameters(record_curve=((0.0, 5.0), (1.0, 4.0)))
    with pytest.raises(ValueError, match="at least one"):
        NewIssueParameters(most_names=0)
