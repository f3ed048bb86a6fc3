"""The CDS signals against their definitions in plain Python, and worked by hand."""

from __future__ import annotations

from datetime import date, time
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings

from monitor.signals import CATALOGUE
from monitor.signals.model import change_ticks, evaluate
from tests.signals.events import AFTER_ALL, BEFORE_ALL, S, new_york_us, tiers_of
from tests.signals.market_logs import quote_logs
from tests.signals.plain_quotes import PlainNames
from tests.signals.quote_logs import name_event

if TYPE_CHECKING:
    from tests.signals.events import Event, Log

ROWS: Final = {"cds_spread_bp": {("ORCL", "5y"): None}}
"""Which threshold row a label set has: read by `test_contract`."""

SPREAD: Final = next(signal for signal in CATALOGUE if signal.name == "cds_spread_bp")
DAY: Final = date(2019, 9, 16)
"""A Monday."""
LAST_BIT: Final = Fraction(4, 10**16)


def told(log: Log) -> pl.DataFrame:
    tiers = tiers_of(log)
    return evaluate(SPREAD, tiers, change_ticks([SPREAD], tiers, BEFORE_ALL, AFTER_ALL))


@given(quote_logs())
@settings(deadline=None, max_examples=30)
def test_what_is_told_is_as_defined(log: Log) -> None:
    expected = {
        (tick, entity, f"{tenor:g}y"): said for (tick, entity, tenor), said in PlainNames(log).told().items()
    }  # fmt: skip
    values = told(log)
    found = {(row["tick"], row["entity"], row["tenor"]): row for row in values.iter_rows(named=True)}
    assert found.keys() == expected.keys()
    for key, (mid, blind) in expected.items():
        row = found[key]
        assert row["blind"] == blind
        assert (row["value"] is None) == (mid is None)
        if mid is not None:
            assert abs(Fraction(row["value"]) - mid) <= LAST_BIT * mid
        assert row["row"] is None


# Worked by hand.


def quote(moment: str, day: date = DAY, **fields: Any) -> Event:
    partition = str(fields.pop("partition", "names"))
    entity = str(fields.pop("entity", "ORCL"))
    return name_event(partition, entity, new_york_us(day, time.fromisoformat(moment)), 0, **fields)


def at(moment: str, day: date = DAY) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def points(log: Log) -> list[tuple[int, float | None, bool]]:
    return told(log).select("tick", "value", "blind").rows()


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"bid": 150, "ask": 152}, 151.0),
        ({"mid": 151.25}, 151.25),
        ({"bid": 150, "ask": 152, "mid": 140}, 151.0),  # two sides say more than a mid
        ({"bid": 150, "mid": 151}, 151.0),
        ({"bid": 150}, None),
        ({"bid": 152, "ask": 150}, None),
        ({"bid": 150, "ask": 150}, 150.0),
        ({"mid": 1023.918}, 1023.918),
    ],
)
def test_the_mid_is_that_of_two_sides_or_the_one_that_is_published(
    fields: dict[str, float], value: float | None
) -> None:
    assert points([quote("09:00:00.25", DAY, **fields)])[0] == (at("09:00:01"), value, False)


def test_the_last_of_a_second_counts_in_whatever_partition() -> None:
    log = [quote("09:00:00.75", mid=152, partition="mixed"), quote("09:00:00.25", mid=151)]
    assert points(log)[0] == (at("09:00:01"), 152.0, False)


@pytest.mark.parametrize(
    ("moment", "day", "overdue", "overdue_day"),
    [
        ("09:00", DAY, "10:00:01", DAY),
        ("16:30", DAY, "07:30:01", date(2019, 9, 17)),
        ("18:00", date(2019, 9, 13), "08:00", DAY),  # on a Friday evening
        ("13:30", date(2019, 7, 3), "07:30:01", date(2019, 7, 5)),  # an early close, a holiday
    ],
)
def test_a_quote_is_overdue_after_an_hour_of_session(moment: str, day: date, overdue: str, overdue_day: date) -> None:
    assert points([quote(moment, day, bid=150, ask=152)])[1:] == [(at(overdue, overdue_day), None, True)]


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (DAY, date(2019, 9, 17)),
        (date(2019, 9, 13), DAY),  # over the weekend
        (date(2019, 7, 3), date(2019, 7, 5)),  # over a holiday
        (date(2019, 9, 14), DAY),  # on a Saturday
    ],
)
def test_a_mark_is_due_at_six_in_the_evening_of_the_next_business_day(day: date, due: date) -> None:
    assert points([quote("17:30", day, mid=151)])[1:] == [(at("18:00", due), None, True)]


def test_a_mark_in_time_and_one_too_late() -> None:
    tuesday, wednesday = date(2019, 9, 17), date(2019, 9, 18)
    log = [quote("17:30", mid=151), quote("17:59:58", tuesday, mid=152), quote("18:05", wednesday, mid=1)]
    assert [(value, blind) for _, value, blind in points(log)[:4]] == [
        (151.0, False), (152.0, False), (None, True), (1.0, False),
    ]  # fmt: skip
    assert points(log)[2][0] == at("18:00", wednesday)


MARCH_2020: Final = tuple(date(2020, 3, day) for day in (19, 20, 23, 24, 25, 26, 27, 30, 31))
PEERS: Final = ("GM", "ORCL", "BA", "T")


def marks(ford: list[float], peers: list[float], names: tuple[str, ...] = PEERS) -> Log:
    """End-of-day marks of Ford and of its peers, a figure a day."""
    log = []
    for day, own, other in zip(MARCH_2020, ford, peers, strict=False):
        log.append(quote("17:30", day, mid=own, entity="F"))
        log += [quote("17:30", day, mid=other * (1 + n), entity=name) for n, name in enumerate(names)]
    return log


def ford_blind(log: Log) -> list[date]:
    """The days on which Ford's own mark is not believed."""
    values = told(log).filter((pl.col("entity") == "F") & pl.col("blind"))
    return values.filter(pl.col("tick") % 86_400 != at("18:00") % 86_400)["value_date"].to_list()


MOVING: Final = [100.0, 101, 105, 110, 108, 112, 111, 109, 115]
STANDING: Final = [100.0] * len(MARCH_2020)
FORD: Final = [950.0, *[1023.918] * 6, 880.5, 870]


def test_a_mark_that_does_not_change_for_days_while_its_peers_move_is_stale() -> None:
    """Ford stood at 1023.918 from 2020-03-20 to 27: believed until three days had shown no change, then not."""
    assert ford_blind(marks(FORD, MOVING)) == [date(2020, 3, 26), date(2020, 3, 27)]


@pytest.mark.parametrize(
    ("peers", "names"),
    [(STANDING, PEERS), (MOVING, PEERS[:2]), ([100 + n / 10 for n in range(9)], PEERS)],
    ids=["nobody moves", "too few peers", "hardly"],
)
def test_it_is_believed_while_its_peers_stand_still(peers: list[float], names: tuple[str, ...]) -> None:
    assert ford_blind(marks(FORD, peers, names)) == []


def test_it_stays_stale_until_it_changes_although_the_peers_calm_down() -> None:
    peers = [100.0, 101, 105, 110, 120, 120, 120, 120, 120]
    assert ford_blind(marks([950.0, *[1023.918] * 8], peers))[-3:] == [date(2020, 3, day) for day in (27, 30, 31)]


def test_a_tick_alone_says_of_a_stale_mark_what_all_ticks_do() -> None:
    tiers = tiers_of(marks(FORD, MOVING))
    whole = told(marks(FORD, MOVING))
    for tick in whole["tick"].unique():
        alone = evaluate(SPREAD, tiers.known_by(tick), pl.Series("tick", [tick]))
        assert alone.equals(whole.filter(pl.col("tick") == tick))
