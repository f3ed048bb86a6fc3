"""Real history for truth: March 2020 by FedInvest's end-of-day quotes, and what they repeat."""

from __future__ import annotations

from datetime import date, time

import polars as pl
import pytest
from polars import col as c

from monitor.calendar import MarketCalendar
from monitor.history import HISTORIES
from monitor.pipeline import Pipeline
from monitor.results import Level, Output
from monitor.signals import CATALOGUE
from monitor.sources.inputs import parse_inputs

HISTORY = HISTORIES["treasury-2019-2020"]
TEN_2019, TEN_2020, THIRTY, OLD_THIRTY = "912828YB0", "912828Z94", "912810SL3", "912810SH2"
REPEATED = {
    date(2019, 8, 19), date(2019, 9, 4), date(2019, 10, 10),
    date(2020, 2, 27), date(2020, 3, 26), date(2020, 4, 14), date(2020, 4, 29),
}  # fmt: skip
SPREAD, EXCESS = "treasury_spread_32nds", "treasury_off_the_run_excess_32nds"


@pytest.fixture(scope="module")
def output() -> Output:
    pipeline = Pipeline(CATALOGUE, MarketCalendar())
    for source in parse_inputs([str(HISTORY.folder)]):
        source.open()
        while not source.exhausted:
            batch = source.poll(5_000)
            if batch is not None:
                assert not any(what.rejects for what in pipeline.ingest(batch))
        source.close(1)
    pipeline.finish()
    (everything,) = pipeline.advance()
    return everything


def spreads(output: Output, issue: str) -> pl.DataFrame:
    """A row a value date: what stands of it in the end."""
    steps = output.steps.filter(c("signal") == SPREAD, c("instrument") == issue)
    return steps.sort("value_date", "tick").unique("value_date", keep="last", maintain_order=True)


def sixty_fourths(output: Output, issue: str) -> dict[date, float]:
    rows = spreads(output, issue).drop_nulls("value")
    return dict(zip(rows["value_date"], rows["value"] * 2, strict=True))


def levels(output: Output, issue: str) -> dict[date, Level]:
    rows = spreads(output, issue).drop_nulls("level")
    return {day: Level(level) for day, level in rows.select("value_date", "level").iter_rows()}


def at_print(tick: int, day: date) -> bool:
    return tick == MarketCalendar.at_new_york(day, time(15, 30))


class TestMarch2020:
    def test_the_off_the_run_30_year_breaks(self, output: Output) -> None:
        found = sixty_fourths(output, OLD_THIRTY)
        broken = {day for day in found if date(2020, 3, 9) <= day <= date(2020, 4, 8)}
        assert len(broken) == 22  # of 23 sessions one is a copy
        assert all(found[day] >= 16 for day in broken)
        assert (max(found.values()), max(found, key=lambda day: found[day])) == (53, date(2020, 3, 24))
        assert all(width <= 7 for day, width in found.items() if day >= date(2020, 4, 22) or day <= date(2020, 3, 6))

    def test_its_level(self, output: Output) -> None:
        """Latched through the copies: 03-26 and 04-14 stay what the day before was."""
        found = levels(output, OLD_THIRTY)
        for day, level in found.items():
            expected = Level.CALM
            if date(2020, 3, 9) <= day <= date(2020, 4, 21):
                expected = Level.CRITICAL if day <= date(2020, 4, 9) else Level.WARNING
            assert level is expected, day
        assert found[date(2020, 3, 26)] is Level.CRITICAL
        assert found[date(2020, 4, 14)] is Level.WARNING
        assert len(found) == 53

    def test_its_level_is_told_when_it_is_printed(self, output: Output) -> None:
        told = [
            (t.value_date, t.after, t.value, t.threshold)
            for t in output.transitions
            if t.signal == SPREAD and t.labels == {"instrument": OLD_THIRTY} and "blind" not in (t.before, t.after)
        ]
        assert told == [
            (date(2020, 3, 9), "critical", 8.0, 8.0),
            (date(2020, 4, 13), "warning", 5.5, 6.0),
            (date(2020, 4, 22), "calm", 3.5, 4.0),
        ]

    def test_the_on_the_run_10_year_holds(self, output: Output) -> None:
        found = sixty_fourths(output, TEN_2020)
        assert max(found.values()) == 3
        assert min(found.values()) == 0  # bid and ask equal, as they are rounded

    def test_the_excess(self, output: Output) -> None:
        steps = output.steps.filter(c("signal") == EXCESS, c("tenor") == "30y", c("value").is_not_null())
        found = dict(zip(steps["value_date"], steps["value"] * 2, strict=True))
        assert found[date(2020, 3, 24)] == 53 - 8
        assert (max(found.values()), max(found, key=lambda day: found[day])) == (48, date(2020, 3, 23))
        critical = steps.filter(c("level") == int(Level.CRITICAL))["value_date"]
        assert (critical.min(), critical.max()) == (date(2020, 3, 9), date(2020, 4, 9))


def test_september_2019_is_calm_in_treasuries(output: Output) -> None:
    """On 2019-09-17 overnight money cost 315 bp more than the Fed paid, and the 10-year stood a 64th wide."""
    assert sixty_fourths(output, TEN_2019)[date(2019, 9, 17)] == 1
    in_2019 = output.steps.filter(c("value_date") < date(2020, 1, 1), c("level").is_not_null())
    assert in_2019.height > 50
    assert in_2019["level"].max() == Level.CALM
    raised = [
        t
        for t in output.transitions
        if t.value_date and t.value_date.year == 2019 and t.after in ("warning", "critical")
    ]
    assert raised == []


class TestRepeatedDays:
    def test_they_are_flagged_and_no_other(self, output: Output) -> None:
        """What is blind at its print; beside them an issue is blind where no print came by the session's end."""
        blind = output.steps.filter(c("signal") == SPREAD, "blind")
        printed = [at_print(*row) for row in blind.select("tick", "value_date").iter_rows()]
        copies = blind.filter(pl.Series(printed))
        assert {(day, issue) for day, issue in copies.select("value_date", "instrument").iter_rows()} == {
            (day, issue)
            for day in REPEATED
            for issue in ((TEN_2019,) if day.year == 2019 else (TEN_2020, THIRTY, OLD_THIRTY))
        }
        overdue = blind.filter(~pl.Series(printed)).select("value_date", "instrument").sort("value_date", "instrument")
        assert overdue.rows() == [(date(2019, 11, 1), TEN_2019)]

    def test_each_is_a_line_and_so_is_the_day_after_it(self, output: Output) -> None:
        lines = {
            (t.value_date, t.before, t.after) for t in output.transitions if t.labels == {"instrument": OLD_THIRTY}
        }
        assert {
            (date(2020, 3, 26), "critical", "blind"),
            (date(2020, 3, 27), "blind", "critical"),
            (date(2020, 4, 14), "warning", "blind"),
            (date(2020, 4, 15), "blind", "warning"),
        } <= lines


def test_every_session_of_the_carried_spans_is_there() -> None:
    carried = pl.read_csv(HISTORY.folder / "treasury.csv", try_parse_dates=False)
    days = carried.with_columns(day=c("ts").str.slice(0, 10).str.to_date())
    assert carried.height == 215
    assert (days["day"].min(), days["day"].max()) == (HISTORY.first, HISTORY.last)
    for (issue,), rows in days.group_by("instrument"):
        first, last = rows["day"].min(), rows["day"].max()
        assert isinstance(first, date)
        assert isinstance(last, date)
        sessions = MarketCalendar().days(first, last).filter("bond_business_day")["date"]
        assert rows["day"].sort().equals(sessions.rename("day")), issue


def test_it_stands_in_the_provenance_by_issue() -> None:
    text = (HISTORY.folder.parent / "PROVENANCE.md").read_text(encoding="utf-8")
    section = text.split(f"## {HISTORY.name}\n")[1].split("\n## ")[0]
    for issue in (TEN_2019, TEN_2020, THIRTY, OLD_THIRTY):
        assert issue in section
    for day in REPEATED:
        assert str(day) in section
