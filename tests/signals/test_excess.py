"""The excess of off-the-runs against its definition in plain Python, and worked by hand."""

from __future__ import annotations

from datetime import date, time
from fractions import Fraction
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from monitor.signals.model import evaluate
from monitor.signals.treasury import excess
from monitor.signals.treasury.parameters import TreasuryParameters
from tests.signals.dense_logs import SEEDS
from tests.signals.events import AFTER_ALL, BEFORE_ALL, CALENDAR, S, new_york_us, tiers_of
from tests.signals.plain import day_of
from tests.signals.plain_quotes import ABSENT, BLIND, PRESENT, PlainTreasury, patience_ends, session_of
from tests.signals.quote_logs import quote_event

if TYPE_CHECKING:
    from tests.signals.events import Event, Log

ROWS: Final = {"treasury_off_the_run_excess_32nds": {("30y",): "30y", ("20y",): None, ("10y",): None}}
"""Which threshold row a label set has: read by `test_contract`."""

[SIGNAL] = excess.signals(TreasuryParameters())
MONDAY, TUESDAY = date(2019, 9, 16), date(2019, 9, 17)
MOMENTS: Final = tuple(map(time.fromisoformat, ("06:50", "07:00", "09:00", "09:10", "16:40", "16:58", "16:59:58")))


def issue_log(seed: int) -> Log:
    """A few days of a tenor's issues, on and off the run, one of them new: each is quoted, and falls silent."""
    random, log = Random(seed), []
    days = random.choice([(MONDAY, TUESDAY), (date(2019, 7, 3), date(2019, 7, 5)), (date(2019, 9, 13), MONDAY)])
    far = random.choice([MONDAY, date(2019, 9, 23), date(2019, 9, 24)])
    issues: dict[str, tuple[float | None, bool | None, str | None]] = {
        "OLD": (30, True, "2049-05-15"), "NEW": (30, True, "2049-08-15"), "A": (30, False, "2044-08-15"),
        "B": (30, False, "2019-09-16"), "C": (30, False, None), "T": (10, True, "2029-08-15"),
        "U": (10, False, "2028-08-15"), "X": (None, None, None),
    }  # fmt: skip
    for name in random.sample(sorted(issues), random.randint(2, 8)):
        tenor, is_new, maturity = issues[name]
        for _ in range(random.randint(1, 3)):
            now = new_york_us(random.choice([*days, far]), random.choice(MOMENTS))
            rolls = random.random() < 0.2
            for n in range(random.randint(1, 5)):
                fields: dict[str, object] = {"bid": 100, "ask": 100 + random.choice([1, 2, 5, 9]) / 64}
                if random.random() < 0.15:
                    fields |= random.choice([{"ask": None}, {"ask": 99}])
                run = False if is_new and rolls and n > 1 else is_new
                fields |= {"tenor_years": tenor, "on_the_run": run, "maturity": maturity}
                partition = random.choice(["quotes-0", "quotes-0", "quotes-1"])
                log.append(quote_event(partition, name, now, 0, **fields))
                now += random.choice([0, 1, 29, 30, 31, 119, 120, 121, 299, 300, 301, 600, 900, 901]) * S
                now += random.choice([0, 1, 500_000])
    # Of one partition at a time in order, as a feed brings it.
    return sorted(log, key=lambda event: event.arrived_us)


class PlainIssues(PlainTreasury):
    """Also retired are those that have matured."""

    def over(self, issue: str, tick: int) -> list[int]:
        ends = super().over(issue, tick)
        for place, quotes in enumerate(self.seen(issue, tick)):
            said = [quote.fields["maturity"] for quote in quotes if "maturity" in quote.fields]
            if said:
                day = max(date.fromisoformat(said[-1]), day_of(quotes[-1].second + 1))
                ends[place] = min(ends[place], patience_ends(new_york_us(day, time(23, 59)) // S, 0))
        return ends

    def says(self, issue: str, tick: int) -> bool:
        session, over = session_of(tick), self.over(issue, tick)
        due = [min(*ends) for ends in zip(self.due(issue, tick), over, strict=True)]
        speaks = any(tick <= each for each in due) or tick in over
        return session is not None and session[0] <= tick <= session[1] and speaks

    def is_over(self, issue: str, tick: int) -> bool:
        ends = self.over(issue, tick)
        return bool(ends) and all(end <= tick for end in ends)

    def maturity(self, issue: str, tick: int) -> str:
        newest = sorted((quotes for quotes in self.seen(issue, tick)), key=lambda qs: (qs[-1].ts, qs[-1].partition))
        said = [q.fields["maturity"] for quotes in newest for q in quotes if "maturity" in q.fields]
        return said[-1] if said else ""

    def group(self, tenor: float, tick: int) -> list[str]:
        """The issues that are of a tenor, those that retire at this tick among them."""
        found = []
        for issue in self.issues:
            its, run = self.attributes(issue, tick)
            is_gone = self.is_over(issue, tick) and tick not in self.over(issue, tick)
            if its == tenor and run is not None and not is_gone:
                found.append(issue)
        return found

    def excess(self, tenor: float, tick: int) -> tuple[str, Fraction | None, bool]:
        """The state, the value, and whether it is partial."""
        awaited = [issue for issue in self.group(tenor, tick) if not self.is_over(issue, tick)]
        on = [issue for issue in awaited if self.attributes(issue, tick)[1]]
        off = [issue for issue in awaited if issue not in on]
        silent = [issue for issue in off if self.state(issue, "spread", tick) == BLIND]
        means = {issue: self.mean(issue, "spread", tick) for issue in off if issue not in silent}
        spreads = [mean for mean in means.values() if mean is not None]
        is_partial = len(spreads) < len(off)
        if not on or not off:
            return ABSENT, None, is_partial
        newest = max(on, key=lambda issue: (self.maturity(issue, tick), issue))
        if self.state(newest, "spread", tick) == BLIND or 2 * len(silent) > len(off):
            return BLIND, None, is_partial
        own = self.mean(newest, "spread", tick)
        if not spreads or own is None:
            return ABSENT, None, is_partial
        return PRESENT, median(spreads) - own, is_partial


def told(log: Log, extra: list[int] | None = None) -> pl.DataFrame:
    tiers = tiers_of(log)
    ticks = change_points(log)
    return evaluate(SIGNAL, tiers, pl.concat([ticks, pl.Series("tick", extra or [], pl.Int64)]).unique().sort())


def change_points(log: Log) -> pl.Series:
    return SIGNAL.over[0].window.ticks(tiers_of(log), BEFORE_ALL, AFTER_ALL)


@given(SEEDS)
@settings(deadline=None, max_examples=25)
def test_it_is_as_defined(seed: int) -> None:
    log = issue_log(seed)
    plain, random = PlainIssues(log), Random(seed)
    ticks = change_points(log).to_list()
    extra = [random.choice(ticks) + random.choice([1, 7, 60, 400]) for _ in range(8)]
    values = told(log, extra)
    found = {(row["tick"], row["tenor"]): row for row in values.iter_rows(named=True)}
    expected = {
        (tick, f"{tenor}y")
        for tick in {*ticks, *extra}
        for tenor in (10, 30)
        if any(plain.says(issue, tick) for issue in plain.group(tenor, tick))
    }
    assert found.keys() == expected
    for (tick, label), row in found.items():
        state, excess_32nds, is_partial = plain.excess(int(label[:-1]), tick)
        assert row["blind"] == (state == BLIND), (tick, label)
        assert row["is_partial"] == is_partial
        assert (row["value"] is None) == (excess_32nds is None)
        if excess_32nds is not None:
            assert abs(Fraction(row["value"]) - excess_32nds) < Fraction(1, 10**12)


@given(SEEDS)
@settings(deadline=None, max_examples=15)
def test_every_change_of_state_has_its_tick(seed: int) -> None:
    """At any second of a session the state is that of the last tick, also where issues roll, fall silent or retire."""
    log = issue_log(seed)
    plain, random, values = PlainIssues(log), Random(seed), told(log)
    for tenor in (10, 30):
        own = values.filter(pl.col("tenor") == f"{tenor}y")
        said = [
            (row["tick"], BLIND if row["blind"] else ABSENT if row["value"] is None else PRESENT)
            for row in own.iter_rows(named=True)
        ]
        for tick in {each + random.choice([-1, 0, 1, 30, 299]) for each, _ in said}:
            session = CALENDAR.session(day_of(tick))
            state = plain.excess(tenor, tick)[0]
            # What left the window in the course of a second is told at the end of it.
            if session and session[0] < tick < session[1] and plain.excess(tenor, tick - 1)[0] == state:
                before = [each for at, each in said if at <= tick]
                assert (before[-1] if before else ABSENT) == state, (tenor, tick)


@given(SEEDS)
@settings(deadline=None, max_examples=8)
def test_a_tick_by_itself_says_what_it_says_among_all(seed: int) -> None:
    log = issue_log(seed)
    tiers, ticks, random = tiers_of(log), change_points(log), Random(seed)
    whole = evaluate(SIGNAL, tiers, ticks)
    for tick in random.sample(ticks.to_list(), min(6, ticks.len())):
        alone = evaluate(SIGNAL, tiers.known_by(tick), pl.Series("tick", [tick]))
        assert_frame_equal(alone, whole.filter(pl.col("tick") == tick), check_exact=True)


# Worked by hand.


def quote(name: str, moment: str, width: float | None, day: date = MONDAY, **more: Any) -> Event:
    """An off-the-run 30-year, unless it says otherwise; the spread in 32nds."""
    fields: dict[str, Any] = {"bid": 100, "tenor_years": 30, "on_the_run": name.startswith("ON")}
    if width is not None:
        fields["ask"] = 100 + width / 32
    return quote_event("quotes-0", name, new_york_us(day, time.fromisoformat(moment)), 0, **(fields | more))


def at(moment: str, day: date = MONDAY) -> int:
    return new_york_us(day, time.fromisoformat(moment)) // S


def row(log: Log, moment: str, day: date = MONDAY) -> tuple[float | None, bool, bool]:
    """The value, whether it is blind, and whether it is partial, as it stands at a moment."""
    log = sorted(log, key=lambda event: event.arrived_us)
    last = told(log).filter(pl.col("tick") <= at(moment, day), pl.col("tenor") == "30y").tail(1)
    return last.select("value", "blind", "is_partial").row(0)


THREE: Final = [quote(name, "09:00", width) for name, width in (("A", 5), ("B", 7), ("C", 9))]
ON: Final = quote("ON", "09:00", 1)


def test_three_off_the_runs_5_7_and_9_wide_beside_an_on_the_run_of_1_are_an_excess_of_6() -> None:
    assert row([ON, *THREE], "09:00:01") == (6.0, False, False)
    assert row([ON, *THREE[:2]], "09:00:01") == (5.0, False, False)


def test_while_the_on_the_run_is_silent_it_is_blind() -> None:
    later = [quote(name, "09:04", 8) for name in "ABC"]
    assert row([ON, *THREE, *later], "09:05:00")[1] is False
    assert row([ON, *THREE, *later], "09:05:01") == (None, True, False)


def test_it_is_partial_while_one_off_the_run_is_silent_and_blind_while_more_than_half_are() -> None:
    awake = [quote("ON", "09:12", 1), quote("ON", "09:15", 1)]
    one, two = [quote(name, "09:10", 8) for name in "BC"], [quote("C", "09:10", 8)]
    assert row([ON, *THREE, *awake, *one], "09:15:02") == (7.0, False, True)
    assert row([ON, *THREE, *awake, *two], "09:15:02") == (None, True, True)
    half = [quote("D", "09:10", 8), quote("C", "09:10", 8)]
    assert row([ON, *THREE, *awake, *half], "09:15:02") == (7.0, False, True)


def test_of_two_on_the_run_the_one_that_matures_later_counts() -> None:
    new: dict[str, Any] = {"maturity": "2049-08-15"}
    old: dict[str, Any] = {"maturity": "2049-05-15"}
    log = [quote("ON-A", "09:00", 3, **new), quote("ON-B", "09:00", 1, **old), *THREE]
    assert row(log, "09:00:01") == (4.0, False, False)
    assert row([*log, quote("ON-B", "09:04", 1, **old), *THREE], "09:05:01") == (None, True, False)


def test_where_the_only_on_the_run_rolls_off_there_is_nothing_to_compare_until_the_new_one_is_quoted() -> None:
    rolled = quote("ON", "09:01", 1, on_the_run=False)
    assert row([ON, *THREE, rolled], "09:01:01") == (None, False, False)
    new = quote("ON-NEW", "09:02", 2)
    assert row([ON, *THREE, rolled, new], "09:02:01") == (4.0, False, False)


def test_a_one_sided_off_the_run_has_no_spread_and_makes_the_rest_partial() -> None:
    """Dealers leave before they widen: if the widest lost a side, a narrow median would be no recovery."""
    assert row([ON, *THREE[:2], quote("C", "09:00", None)], "09:00:01") == (5.0, False, True)


def test_when_its_only_off_the_run_is_retired_it_is_blind_no_more() -> None:
    """Quoted on Monday, it is missed until the Monday after, and given up on Tuesday."""
    log = [
        ON,
        quote("A", "09:00", 5),
        quote("ON", "09:00", 1, date(2019, 9, 23)),
        quote("ON", "07:00", 1, date(2019, 9, 24)),
    ]
    assert row(log, "09:00:01", date(2019, 9, 23)) == (None, True, True)
    assert row(log, "07:00:01", date(2019, 9, 24)) == (None, False, False)


def test_thresholds_are_for_the_30_year() -> None:
    other = [quote("ON-T", "09:00", 1, tenor_years=10), quote("T", "09:00", 3, tenor_years=10)]
    rows = dict(told([ON, *THREE, *other]).filter(pl.col("tick") == at("09:00:01")).select("tenor", "row").iter_rows())
    assert rows == {"30y": "30y", "10y": None}
