"""The tiers of one stream: exact sums of what is below them, whenever and however often they are climbed."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from random import Random
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.calendar import MarketCalendar
from monitor.engine.bars import KINDS
from monitor.engine.bars.kind import PERIOD_SECONDS
from monitor.engine.ladder import DAYS, PERIODS, SECONDS, Ladder
from monitor.engine.tiers import TierStore
from tests.engine.plain_quotes import (
    BASE,
    COUNTS,
    HOURS,
    LATEST,
    MEASURES,
    SECOND,
    Record,
    Row,
    Series,
    decoded,
    plain_periods,
    plain_seconds,
    quotes,
)  # fmt: skip

SEEDS = st.integers(0, 2**32)
properties = settings(deadline=None, max_examples=20)
every_stream = pytest.mark.parametrize("stream", ["treasury", "cds", "repo"])
NEW_YORK = ZoneInfo("America/New_York")
TIERS = (SECONDS, PERIODS, DAYS)
NAMES = ("p0", "p1", "p2")

Tables = dict[str, list[Row]]


def date_of(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).astimezone(NEW_YORK).date()


# What the tiers must be.


def repo_rows(key: str, bars: list[tuple[int | date, Row]]) -> list[Row]:
    sums: dict[tuple[int | date, str, str | None, int], list[int]] = defaultdict(lambda: [0, 0])
    for when, bar in bars:
        its = sums[when, bar["instrument"], bar["segment"], bar["rate_e6"]]
        its[0] += bar["volume_kusd"]
        its[1] += bar["trades"]
    names = (key, "instrument", "segment", "rate_e6", "volume_kusd", "trades")
    return [dict(zip(names, (*name, *its), strict=True)) for name, its in sums.items()]


def plain_tiers(stream: str, logs: dict[str, list[Record]]) -> Tables:
    if stream == "repo":
        bars: list[Row] = [
            {name: r.get(name) for name in ("instrument", "segment", "rate_e6", "volume_kusd")}
            | {"trades": 1, "at": r["ts_us"] // SECOND}
            for log in logs.values()
            for r in log
        ]
        return {
            PERIODS: repo_rows("period", [(bar["at"] - bar["at"] % PERIOD_SECONDS, bar) for bar in bars]),
            DAYS: repo_rows("value_date", [(date_of(bar["at"]), bar) for bar in bars]),
        }
    seconds, periods = [], []
    for name, log in logs.items():
        seconds += plain_seconds(stream, log, name)
        periods += plain_periods(stream, log, name)
    return {SECONDS: seconds, PERIODS: periods, DAYS: plain_days(stream, periods)}


def plain_days(stream: str, periods: list[Row]) -> list[Row]:
    days: dict[Series, Row] = {}
    series = ("partition", *KINDS[stream].series)
    for row in sorted(periods, key=lambda row: row["period"]):
        day = date_of(row["period"])
        key = (day, *(row[name] for name in series))
        sums = [*(f"{m}_{what}" for m in MEASURES[stream] for what in ("area", "us")), *COUNTS[stream]]
        its = days.setdefault(key, {"value_date": day} | {n: row[n] for n in series} | dict.fromkeys(sums, 0))
        its |= {name: its[name] + row[name] for name in sums} | {name: row[name] for name in LATEST[stream]}
    return list(days.values())


def in_order(rows: list[Row]) -> list[Row]:
    return sorted((dict(sorted(row.items())) for row in rows), key=str)


# A partition seals its seconds at its own pace; ticks, and with them the ladder, wait for the slowest.


class Climbed:
    """A ladder, and all that it gave."""

    def __init__(self, stream: str) -> None:
        self.kind = KINDS[stream]
        self.ladder = Ladder(self.kind)
        self.given: dict[str, list[pl.DataFrame]] = {tier: [] for tier in TIERS}

    def take(self) -> None:
        for tier, rows in self.ladder.take_new().items():
            self.given[tier].append(rows)

    def frames(self) -> dict[str, pl.DataFrame]:
        shapes = {SECONDS: self.kind.seconds, PERIODS: self.kind.periods, DAYS: self.kind.days}
        return {tier: pl.concat([pl.DataFrame(schema=shapes[tier]), *self.given[tier]]) for tier in TIERS}

    def restart(self) -> None:
        self.take()
        ladder = Ladder(self.kind)
        ladder.restore(**self.frames(), until=self.ladder.until)
        assert ladder.take_new() == {}, "what was kept is not new"
        self.ladder = ladder

    def result(self) -> Tables:
        self.take()
        assert in_order(self.ladder.days.to_dicts()) == in_order(self.frames()[DAYS].to_dicts())
        return {tier: in_order(frame.to_dicts()) for tier, frame in self.frames().items()}


def bars_of(stream: str, log: list[Record], partition: str) -> pl.DataFrame:
    if stream != "repo":
        return pl.DataFrame(plain_seconds(stream, log, partition), schema=KINDS[stream].seconds)
    events = decoded([record | {"stream": "repo"} for record in log])
    shape = KINDS["repo"].seconds
    if not events:
        return pl.DataFrame(schema=shape)
    return KINDS["repo"].to_seconds(events[0].events.with_columns(second=pl.col("ts_us") // SECOND)).select(*shape)


def end_of(logs: dict[str, list[Record]]) -> int:
    newest = max((record["ts_us"] // SECOND for log in logs.values() for record in log), default=BASE)
    return newest + 2 * 86_400


def at_once(stream: str, logs: dict[str, list[Record]]) -> Tables:
    climbed = Climbed(stream)
    for name, log in logs.items():
        climbed.ladder.add(bars_of(stream, log, name))
    climbed.ladder.climb(end_of(logs))
    return climbed.result()


def step_by_step(stream: str, logs: dict[str, list[Record]], seed: int, *, restarts: bool) -> Tables:
    """Partitions that seal by turns, a ladder that is climbed, asked and restarted now and then."""
    random = Random(seed)
    climbed = Climbed(stream)
    bars = {name: bars_of(stream, log, name) for name, log in logs.items()}
    first = min((record["ts_us"] // SECOND for log in logs.values() for record in log), default=BASE)
    sealed, end = dict.fromkeys(logs, first - 400), end_of(logs)
    while min(sealed.values()) < end:
        name = random.choice([name for name, upto in sealed.items() if upto < end])
        upto = min(end, sealed[name] + random.choice([1, 299, 300, 401, 1_000, 3_000, 10_000, 200_000]))
        second = pl.col("second")
        climbed.ladder.add(bars[name].filter((second >= sealed[name]) & (second < upto)))
        sealed[name] = upto
        if random.random() < 0.6:
            climbed.ladder.climb(min(sealed.values()))
        if random.random() < 0.3:
            climbed.take()
        if restarts and random.random() < 0.3:
            climbed.restart()
    climbed.ladder.climb(end)
    return climbed.result()


def shifted(logs: dict[str, list[Record]], by_seconds: int) -> dict[str, list[Record]]:
    return {name: [r | {"ts_us": r["ts_us"] + by_seconds * SECOND} for r in log] for name, log in logs.items()}


@st.composite
def trades(draw: st.DrawFn) -> list[Record]:
    made = st.fixed_dictionaries(
        {
            "ts_us": HOURS, "instrument": st.sampled_from(["SOFR", "GCF"]),
            "segment": st.none() | st.sampled_from(["gcf", "dvp"]), "rate_e6": st.sampled_from([1, 4_300_000]),
            "volume_kusd": st.integers(0, 10**11),
        }
    )  # fmt: skip
    return [r | {"offset": at, "kind": "trade"} for at, r in enumerate(draw(st.lists(made, max_size=12)))]


@st.composite
def several(draw: st.DrawFn, stream: str) -> dict[str, list[Record]]:
    one = trades() if stream == "repo" else quotes(stream, HOURS, most=10)
    return {name: draw(one) for name in NAMES[: draw(st.integers(1, 3))]}


def check(found: Tables, expected: Tables) -> None:
    for tier, rows in expected.items():
        assert found[tier] == in_order(rows), tier


class TestSums:
    @every_stream
    @properties
    @given(st.data())
    def test_of_seconds_that_are_all_there(self, stream: str, data: st.DataObject) -> None:
        logs = data.draw(several(stream))
        check(at_once(stream, logs), plain_tiers(stream, logs))

    @every_stream
    @properties
    @given(st.data(), SEEDS)
    def test_of_seconds_that_come_partition_by_partition(self, stream: str, data: st.DataObject, seed: int) -> None:
        """Whenever the ladder is climbed: every row once, and the same."""
        logs = data.draw(several(stream))
        found = step_by_step(stream, logs, seed, restarts=False)
        check(found, plain_tiers(stream, logs))
        assert found == at_once(stream, logs)

    @every_stream
    @properties
    @given(st.data(), SEEDS)
    def test_across_restarts(self, stream: str, data: st.DataObject, seed: int) -> None:
        logs = data.draw(several(stream))
        check(step_by_step(stream, logs, seed, restarts=True), plain_tiers(stream, logs))

    @every_stream
    @pytest.mark.parametrize("day", [date(2025, 3, 9), date(2025, 11, 2), date(2024, 12, 31), date(2024, 2, 29)])
    @settings(deadline=None, max_examples=5)
    @given(st.data(), SEEDS)
    def test_days_are_new_yorks(self, stream: str, day: date, data: st.DataObject, seed: int) -> None:
        """The events lie about both midnights of a day, on which clocks may be set forward or back."""
        logs = data.draw(several(stream))
        calendar = MarketCalendar()
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp())
        after = calendar.at_new_york(date.fromordinal(day.toordinal() + 1), datetime.min.time())
        assert after - midnight == {date(2025, 3, 9): 23, date(2025, 11, 2): 25}.get(day, 24) * 3_600
        first, second = shifted(logs, midnight - BASE - 7_200), shifted(logs, after - BASE - 7_200)
        both = {name: [*log, *second[name]] for name, log in first.items()}
        both = {name: [r | {"offset": at} for at, r in enumerate(log)] for name, log in both.items()}
        expected = plain_tiers(stream, both)
        check(at_once(stream, both), expected)
        check(step_by_step(stream, both, seed, restarts=True), expected)


class TestLongPasts:
    @pytest.mark.parametrize("stream", ["treasury", "cds"])
    def test_gaps_of_weeks_and_stretches_longer_than_one_climb(self, stream: str) -> None:
        """Bars every few days through more than two of the longest climbs, and then none for half a year."""
        name: Record = {"instrument": "A"} if stream == "treasury" else {"entity": "A", "tenor_e3": 5_000}
        unit = "e9" if stream == "treasury" else "e6"
        days = [*range(0, 70, 7), 250, 251]
        log: list[Record] = [
            {"stream": stream, "offset": at, "ts_us": (BASE + day * 86_400 + 299) * SECOND, f"bid_{unit}": 2 + at}
            | {f"ask_{unit}": 5 + 2 * at}
            | name
            for at, day in enumerate(days)
        ]
        logs = {"p0": log}
        expected = plain_tiers(stream, logs)
        check(at_once(stream, logs), expected)
        climbed = Climbed(stream)
        bars = bars_of(stream, log, "p0")
        for at in range(bars.height):
            climbed.ladder.add(bars[at : at + 1])
            climbed.ladder.climb(bars["second"][at] + 1)
        climbed.ladder.climb(end_of(logs))
        check(climbed.result(), expected)


class TestLatecomers:
    def quote(self, offset: int, second: int) -> Record:
        return {
            "stream": "treasury", "instrument": "A", "offset": offset, "ts_us": (BASE + second) * SECOND,
            "bid_e9": 99_000_000_000, "ask_e9": 99_000_000_001,
        }  # fmt: skip

    def test_a_partition_that_begins_later_but_not_before_the_horizon(self) -> None:
        """Also where the first bars of another are far ahead of the horizon when the ladder is first climbed."""
        logs = {"p0": [self.quote(0, 10_000)], "p1": [self.quote(0, 700)]}
        climbed = Climbed("treasury")
        climbed.ladder.climb(BASE)
        assert climbed.ladder.until is None
        climbed.ladder.add(bars_of("treasury", logs["p0"], "p0"))
        climbed.ladder.climb(BASE + 650)
        assert climbed.ladder.until is None, "nothing is summed, and no empty years are, before the first bar"
        climbed.ladder.add(bars_of("treasury", logs["p1"], "p1"))
        climbed.ladder.climb(end_of(logs))
        check(climbed.result(), plain_tiers("treasury", logs))

    def test_nothing_is_lost_to_the_sums_when_a_partition_that_was_idle_comes_back(self) -> None:
        """While no partition holds ticks back, no more is summed than the ticks that run have seen."""
        store = TierStore(MarketCalendar())
        store.add(decoded([self.quote(0, 0), self.quote(1, 400)]), BASE)
        store.tiers(BASE, BASE + 401)
        store.release("p0")
        store.tiers(BASE + 401, BASE + 900)
        assert store.add(decoded([self.quote(2, 910), self.quote(3, 1_300)]), BASE + 901).late == {"treasury": 0}
        store.finish()
        tiers = store.tiers()
        expected = plain_tiers("treasury", {"p0": [self.quote(at, s) for at, s in enumerate((0, 400, 910, 1_300))]})
        new = store.take_new()
        assert in_order(new["treasury_periods"].to_dicts()) == in_order(expected[PERIODS])
        assert in_order(new["treasury_days"].to_dicts()) == in_order(expected[DAYS])
        assert tiers.treasury_seconds.height == 4
