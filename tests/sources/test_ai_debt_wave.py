"""The scenario ai-debt-wave: the numbers of its story can be read off its events, when and in the order it says."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from monitor.calendar import MarketCalendar
from monitor.engine.decode import Decoder
from monitor.sources.clock import StoryClock
from monitor.sources.scenario import ScenarioSource
from monitor.sources.scenario.contracts import CONTRACTS
from monitor.sources.scenario.issuance import ISSUERS, LARGEST
from monitor.sources.scenario.securities import SECURITIES, SPECIALS, securities_of
from monitor.sources.scenario.source import MAKERS
from monitor.sources.scenario.story import STORY_BLOCK_US, US_PER_MINUTE, story_day_us
from monitor.sources.scenario.timeline import POSITIONS_PER_BLOCK, Chronicle, Pace, blocks_of
from monitor.sources.scenario.wave import AI_DEBT_WAVE as WAVE
from monitor.sources.scenario.wave import WAVE_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from monitor.sources.scenario.timeline import Block

NEW_YORK = ZoneInfo("America/New_York")
CALENDAR = MarketCalendar()
START_US, END_US = WAVE.story_start_us, WAVE.story_end_us
DAY_US = 24 * 60 * US_PER_MINUTE
DEALS, REFERENCE, CDS, TREASURY, REPO = "newissue", "reference", "cds", "treasury", "repo"
SEEDS = (WAVE.seed, 1, 2)
every_seed = pytest.mark.parametrize("seed", SEEDS)
ORACLE_LIKE = ("SYN-CLOUD-2", 5)

Deal = dict[str, Any]


def at(clock_time: str) -> int:
    return story_day_us(time.fromisoformat(clock_time), WAVE_DAY)


def clock_time(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, NEW_YORK).strftime("%H:%M")


def on(us: int) -> date:
    return datetime.fromtimestamp(us / 1e6, NEW_YORK).date()


@cache
def business_days_back(count: int) -> date:
    """The first day of a window of so many business days that ends with the story's."""
    day = WAVE_DAY
    for _ in range(count - 1):
        day -= timedelta(days=1)
        while not CALENDAR.is_bond_business_day(day):
            day -= timedelta(days=1)
    return day


@cache
def blocks() -> tuple[Block, ...]:
    return blocks_of(WAVE)


@cache
def told(stream: str, seed: int = WAVE.seed) -> list[Deal]:
    """All events of a stream, of Treasuries and repo those of the story's day."""
    some = [b for b in blocks() if stream not in (TREASURY, REPO) or b.day == WAVE_DAY]
    _, make = MAKERS[stream]
    return [json.loads(payload) for block in some for payload in make(WAVE, seed, block).payloads]


MINUTES = range(at("09:00"), END_US + 1, 5 * US_PER_MINUTE)


def first_past(value: Callable[[int], float | None], passed: Callable[[float], bool]) -> str:
    """The first of every five minutes of the story at which the value has passed."""
    for us in MINUTES:
        found = value(us)
        if found is not None and passed(found):
            return clock_time(us)
    return "never"


# New issues.


@cache
def states(seed: int) -> dict[str, list[Deal]]:
    """By tranche, its statuses in order."""
    found: dict[str, list[Deal]] = defaultdict(list)
    for event in told(DEALS, seed):
        found[event["deal_id"]].append(event)
    return found


@cache
def priced(seed: int) -> list[Deal]:
    return [event for event in told(DEALS, seed) if event["status"] == "priced"]


def is_ai(deal: Deal) -> bool:
    return "ai" in deal.get("themes", [])


def window(us: int, days: int, seed: int) -> list[Deal]:
    """Tranches priced in the business days up to now, today one of them."""
    since = business_days_back(days)
    return [deal for deal in priced(seed) if deal["ts"] <= us and on(deal["ts"]) >= since]


def mean_by_size(deals: Iterable[Deal], value: Callable[[Deal], float]) -> float | None:
    some = [deal for deal in deals if deal["coupon_type"] == "fixed"]
    if len({deal["issue_id"] for deal in some}) < 3 or sum(deal["size"] for deal in some) < 3_000:
        return None
    weighted: float = sum(deal["size"] * value(deal) for deal in some)
    return weighted / busd(some) / 1_000


def concession(us: int, ai: bool, seed: int, days: int = 5) -> float | None:
    some = [deal for deal in window(us, days, seed) if is_ai(deal) == ai]
    return mean_by_size(some, lambda deal: deal["spread"] - deal["fair_value_spread"])


def gap(us: int, seed: int) -> float | None:
    ai, rest = concession(us, True, seed), concession(us, False, seed)
    return None if ai is None or rest is None else ai - rest


def busd(deals: Iterable[Deal]) -> float:
    total: float = sum(deal["size"] for deal in deals)
    return total / 1_000


def year_to_date(us: int, seed: int) -> list[Deal]:
    return [deal for deal in priced(seed) if deal["ts"] <= us and on(deal["ts"]).year == WAVE_DAY.year]


def twelve_months(us: int, seed: int) -> list[Deal]:
    since = WAVE_DAY.replace(year=WAVE_DAY.year - 1)
    return [deal for deal in priced(seed) if deal["ts"] <= us and on(deal["ts"]) > since]


def test_deals_are_sound() -> None:
    order = ["announced", "ipt", "guidance", "launched", "priced", "trading"]
    by_issue: dict[str, set[str]] = defaultdict(set)
    ends: Counter[str] = Counter()
    for deal_id, events in states(WAVE.seed).items():
        statuses = [event["status"] for event in events]
        by_issue[events[0]["issue_id"]].add(deal_id)
        ends[statuses[-1]] += 1
        assert statuses == order[: len(statuses)] or statuses == [*order[:3], "pulled"]
        assert [event["ts"] for event in events] == sorted({event["ts"] for event in events})
        for event in events:
            session = CALENDAR.session(on(event["ts"]))
            assert session is not None
            assert session[0] * 10**6 <= event["ts"] < session[1] * 10**6
            assert event["issuer"] in ISSUERS
            assert event["issuer"].startswith("SYN-")
            assert is_ai(event) == ISSUERS[event["issuer"]].is_ai
        for earlier, later in itertools.pairwise(events):
            assert all(later[name] == earlier[name] for name in earlier.keys() - {"ts", "status"})
    issues = len(by_issue)
    assert 600 <= issues <= 1_200
    assert sum(len(tranches) > 1 for tranches in by_issue.values()) > issues / 3
    assert ends["pulled"] == 6
    assert ends["ipt"] == 3, "one issue of three tranches waits to the end"
    for issue in by_issue:
        books = {e["book"] for e in told(DEALS) if e["issue_id"] == issue and "book" in e}
        assert len(books) <= 1
    assert {deal["coupon_type"] for deal in priced(WAVE.seed)} == {"fixed", "float"}
    assert {deal["purpose"] for deal in priced(WAVE.seed)} == {"capex", "refinancing", "acquisition", "general"}
    assert len({deal["sector"] for deal in priced(WAVE.seed)}) == 9


@every_seed
def test_two_hyperscalers_pay_10_to_15_bp(seed: int) -> None:
    for issue, upto in (("SYN-WAVE-1", "09:35"), ("SYN-WAVE-2", "10:05")):
        tranches = [deal for deal in priced(seed) if deal["issue_id"] == issue]
        assert {clock_time(deal["ts"]) for deal in tranches} == {upto}
        assert all(10 <= deal["spread"] - deal["fair_value_spread"] <= 15 for deal in tranches)


@every_seed
def test_the_concession_of_ai_is_past_10_and_20_and_then_that_of_the_rest_is_past_10(seed: int) -> None:
    for ai in (True, False):
        calm = concession(START_US, ai, seed)
        assert calm is not None
        assert 1 <= calm <= 3
    assert first_past(lambda us: concession(us, True, seed), lambda bp: bp > 10) == "10:05"
    assert first_past(lambda us: concession(us, True, seed), lambda bp: bp > 20) == "10:45"
    assert first_past(lambda us: concession(us, False, seed), lambda bp: bp > 10) == "11:20"
    assert first_past(lambda us: gap(us, seed), lambda bp: bp > 7) == "09:35"
    assert first_past(lambda us: gap(us, seed), lambda bp: bp > 15) == "10:45"
    last = gap(END_US, seed)
    assert last is not None
    assert abs(last) < 5
    # Of windows that begin a business day earlier the same is true.
    assert (concession(at("10:05"), True, seed, 6) or 0) > 10
    assert (concession(at("10:45"), True, seed, 6) or 0) > 20
    assert (concession(at("11:20"), False, seed, 6) or 0) > 10


@every_seed
def test_concessions_of_the_past_are_small(seed: int) -> None:
    before = [deal for deal in priced(seed) if deal["ts"] < START_US]
    assert all(0.9 <= deal["spread"] - deal["fair_value_spread"] <= 3.1 for deal in before)
    opened = [event for event in told(DEALS, seed) if event["status"] == "trading" and event["ts"] < START_US]
    assert all(-1.1 <= event["break_spread"] - event["spread"] <= 0.1 for event in opened)
    assert all(event["status"] != "pulled" for event in told(DEALS, seed) if event["ts"] < START_US)


@every_seed
def test_ai_is_30_percent_of_supply(seed: int) -> None:
    def share(deals: list[Deal]) -> float:
        return busd(deal for deal in deals if is_ai(deal)) / busd(deals)

    for days in (20, 60):
        assert 0.30 <= share(window(END_US, days, seed)) <= 0.31
    assert 0.30 <= share(year_to_date(END_US, seed)) <= 0.31
    assert share(window(START_US, 20, seed)) < 0.25


@every_seed
def test_supply_of_the_year_is_1700_busd_against_the_record(seed: int) -> None:
    record = 1_214 + (1_800 - 1_214) * (WAVE_DAY - date(2025, 7, 1)).days / 184
    assert busd(year_to_date(END_US, seed)) == pytest.approx(1_700)
    assert busd(year_to_date(START_US, seed)) == pytest.approx(1_638)
    assert busd(year_to_date(START_US, seed)) / record == pytest.approx(0.976, abs=0.001)
    assert busd(year_to_date(END_US, seed)) / record == pytest.approx(1.0126, abs=0.001)


def cover(us: int, seed: int, days: int = 5) -> float:
    deals = window(us, days, seed)
    books: float = sum({deal["issue_id"]: deal["book"] for deal in deals}.values())
    return books / 1_000 / busd(deals)


@every_seed
def test_books_fall_short(seed: int) -> None:
    assert 3.5 <= cover(START_US, seed) <= 4.5
    assert first_past(lambda us: cover(us, seed), lambda ratio: ratio < 2.5) == "10:45"
    assert "11:00" <= first_past(lambda us: cover(us, seed), lambda ratio: ratio < 1.8) <= "13:20"


@every_seed
def test_new_bonds_break(seed: int) -> None:
    def broke(us: int) -> float | None:
        since = business_days_back(5)
        some = [e for e in told(DEALS, seed) if e["status"] == "trading" and e["ts"] <= us and on(e["ts"]) >= since]
        return mean_by_size(some, lambda event: event["break_spread"] - event["spread"])

    assert (broke(START_US) or 0) <= 0
    assert first_past(broke, lambda bp: bp >= 3) == "10:50"
    assert first_past(broke, lambda bp: bp >= 8) == "11:40"


def test_pulled_issues() -> None:
    pulled = [event for event in told(DEALS) if event["status"] == "pulled"]
    assert [clock_time(us) for us in sorted({event["ts"] for event in pulled})] == ["11:50", "12:25", "13:45", "14:25"]
    assert len({event["issue_id"] for event in pulled}) == 4


@every_seed
def test_some_deals_are_announced_and_not_priced_at_any_time(seed: int) -> None:
    def pipeline(us: int) -> float:
        newest = {event["deal_id"]: event for event in told(DEALS, seed) if event["ts"] <= us}
        return busd(deal for deal in newest.values() if deal["status"] in ("announced", "ipt", "guidance", "launched"))

    assert pipeline(START_US) == 21.0
    assert pipeline(END_US) == 18.0
    for back in (1, 2, 3, 4, 5):
        assert pipeline(START_US - 60 * DAY_US - back * DAY_US) > 0


def test_a_deal_is_priced_inside_treasuries() -> None:
    inside = [deal for deal in priced(WAVE.seed) if deal["spread"] < 0]
    assert [(deal["issuer"], deal["tenor_years"], deal["spread"]) for deal in inside] == [("SYN-CLOUD-1", 3, -4.0)]


@every_seed
def test_an_issuer_passes_an_insurers_limits(seed: int) -> None:
    def shares(us: int) -> Counter[str]:
        sizes: Counter[str] = Counter()
        for deal in twelve_months(us, seed):
            sizes[deal["issuer"]] += deal["size"]
        total = sum(sizes.values())
        return Counter({name: size / total for name, size in sizes.items()})

    assert shares(START_US).most_common(1)[0][0] == LARGEST
    assert 0.02 < shares(START_US)[LARGEST] < 0.0245
    assert first_past(lambda us: shares(us)[LARGEST], lambda share: share >= 0.025) == "10:05"
    assert first_past(lambda us: shares(us)[LARGEST], lambda share: share >= 0.04) == "10:45"
    assert shares(END_US)[LARGEST] > 0.0402
    assert shares(END_US).most_common(2)[1][1] < 0.025


# CDS.


def mid(event: Deal) -> float:
    found: float = event["mid"] if "mid" in event else (event["bid"] + event["ask"]) / 2
    return found


@cache
def quotes(seed: int) -> dict[tuple[str, int], list[tuple[int, float]]]:
    found: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    for event in told(CDS, seed):
        found[event["entity"], event["tenor_years"]].append((event["ts"], mid(event)))
    return {key: sorted(some) for key, some in found.items()}


@cache
def ends_of_days(seed: int) -> dict[tuple[str, int], dict[date, float]]:
    """The last mid of each past day."""
    return {
        key: {on(us): value for us, value in some if us < START_US and on(us) != WAVE_DAY}
        for key, some in quotes(seed).items()
    }


def test_marks_of_sixteen_years_agree_with_the_quotes() -> None:
    marks = [event for event in told(CDS) if "mid" in event]
    counts = Counter((event["entity"], event["tenor_years"]) for event in marks)
    assert {key for key, count in counts.items() if count > 4_000} == {
        ("SYN-CLOUD-1", 5), ORACLE_LIKE, ("SYN-BANK-1", 5),
    }  # fmt: skip
    assert min(counts.values()) >= 240
    assert set(counts) == {(each.entity, each.tenor_years) for each in CONTRACTS}
    for event in marks:
        assert datetime.fromtimestamp(event["ts"] / 1e6, NEW_YORK).time() == time(17, 30)
        assert not {"bid", "ask"} & event.keys()
    for some in quotes(WAVE.seed).values():
        calm = [(us, value) for us, value in some if WAVE.story_start_us - 24 * DAY_US < us < START_US]
        for (earlier_us, earlier), (later_us, later) in itertools.pairwise(calm):
            assert abs(later - earlier) < 0.012 * earlier + 0.13, (clock_time(earlier_us), clock_time(later_us))


@every_seed
def test_the_past_of_cds_is_calm(seed: int) -> None:
    for (entity, _), by_day in ends_of_days(seed).items():
        days = sorted(by_day)[-60:]
        if entity == "SYN-CDX-IG":
            days = [day for day in days if day >= date(2025, 9, 22)]
        for number in range(20, len(days)):
            median = statistics.median(by_day[day] for day in days[number - 20 : number])
            assert abs(by_day[days[number]] - median) < 3


@every_seed
def test_the_oracle_like_name_is_the_highest_since_2009(seed: int) -> None:
    some = quotes(seed)[ORACLE_LIKE]
    before = [value for us, value in some if START_US - 60 * DAY_US < us < START_US]
    assert min(before) > 115
    assert max(before) < 121
    ends = [value for us, value in some if us > END_US - 5 * US_PER_MINUTE]
    assert all(149 <= value <= 153 for value in ends)
    if seed == WAVE.seed:
        assert statistics.median(ends) == pytest.approx(151, abs=0.6)
        assert 1 - math.exp(-statistics.median(ends) / 1e4 * 5 / 0.6) == pytest.approx(0.118, abs=0.0006)

    def days_since_higher(us: int) -> int:
        upto = [each for each in some if each[0] <= us]
        now = upto[-1][1]
        higher = [then for then, value in upto if value >= now and on(then) != WAVE_DAY]
        return (WAVE_DAY - on(higher[-1])).days

    assert days_since_higher(at("10:00")) > 750
    assert "10:30" <= first_past(days_since_higher, lambda days: days >= 2_500) <= "12:30"
    assert days_since_higher(END_US) > 5_900
    assert on(min(us for us, _ in some)) == date(2009, 3, 2)


@every_seed
def test_volume_is_nearly_twice_what_it_was(seed: int) -> None:
    days = sorted({on(event["ts"]) for event in told(CDS, seed) if event["ts"] < END_US})
    traded: dict[str, Counter[date]] = defaultdict(Counter)
    for event in told(CDS, seed):
        if not event.get("index"):
            for key in (event["entity"], "all"):
                traded[key][on(event["ts"])] += event.get("notional", 0)

    def surge(key: str, last: int) -> float:
        sums = [
            sum(traded[key][day] for day in days[last - 20 * (back + 1) + 1 : last - 20 * back + 1])
            for back in range(7)
        ]
        return sums[0] / statistics.median(sums[1:])

    today = len(days) - 1
    assert days[today] == WAVE_DAY
    assert 1.85 <= surge("all", today - 1) < 1.9
    assert 1.9 <= surge("all", today) < 2.2
    for entity in {each.entity for each in CONTRACTS if not each.is_index}:
        assert 1.80 <= surge(entity, today - 1) < 1.95, entity
        assert 1.85 <= surge(entity, today) < 2.25, entity


def test_the_index_rolls_once_in_the_past() -> None:
    index = [event for event in told(CDS) if event.get("index")]
    by_series: dict[int, list[date]] = defaultdict(list)
    for event in index:
        by_series[event["index_series"]].append(on(event["ts"]))
    assert set(by_series) == {44, 45}
    assert max(by_series[44]) == date(2025, 9, 19)
    assert min(by_series[45]) == date(2025, 9, 22)
    assert len(set(by_series[44])) > 150
    ends = ends_of_days(WAVE.seed)["SYN-CDX-IG", 5]
    assert ends[date(2025, 9, 22)] - ends[date(2025, 9, 19)] > 2, "a new series has half a year more to run"


def mean_mid(key: tuple[str, int], from_: str, upto: str) -> float:
    return statistics.fmean(value for us, value in quotes(WAVE.seed)[key] if at(from_) <= us < at(upto))


def test_protection_on_those_who_borrow_is_first() -> None:
    before = {key: statistics.median(list(days.values())[-20:]) for key, days in ends_of_days(WAVE.seed).items()}

    def wider(entity: str, from_: str, upto: str) -> float:
        return mean_mid((entity, 5), from_, upto) - before[entity, 5]

    assert wider("SYN-CLOUD-1", "10:10", "10:20") > 8
    assert abs(wider("SYN-CDX-IG", "10:10", "10:20")) < 1.5
    assert wider("SYN-CLOUD-2", "12:00", "12:30") > 20
    assert 12 < wider("SYN-CDX-IG", "14:30", "15:30") < 25
    assert 8 < wider("SYN-CDX-IG", "16:40", "16:45") < wider("SYN-CDX-IG", "14:30", "15:30")


# Published series.


@cache
def series(name: str) -> list[tuple[int, date, float]]:
    return [
        (event["ts"], date.fromisoformat(event["effective_date"]), event["value"])
        for event in told(REFERENCE)
        if event["series"] == name
    ]


def test_spreads_of_indices_leave_their_lows() -> None:
    for name, low, before, highest in (("IG_OAS", 0.74, 0.80, 1.04), ("HY_OAS", 2.59, 2.75, 3.90)):
        past = {day: value for us, day, value in series(name) if us < START_US}
        today = [(us, value) for us, day, value in series(name) if day == WAVE_DAY]
        assert all(us >= at("09:30") for us, _ in today)
        since = WAVE_DAY.replace(year=WAVE_DAY.year - 1)
        assert min(value for day, value in past.items() if day >= since) == low
        assert len([day for day in past if day >= since]) >= 248
        assert past[date(2025, 11, 21)] == before
        assert max(value for _, value in today) == highest
        assert today[-1][1] >= 1.00
        assert before < today[-1][1] < highest
        events = [event for event in told(REFERENCE) if event["series"] == name]
        assert {event["unit"] for event in events} == {"percent"}
    last = max(us for us, _, value in series("IG_OAS") if value == 1.04)
    assert "14:30" <= clock_time(last) <= "16:00"


def test_other_series() -> None:
    names = {event["series"] for event in told(REFERENCE)}
    assert names == {
        "IORB", "ON_RRP", "TARGET_UPPER", "TARGET_LOWER", "IG_OAS", "HY_OAS", "CDX_IG", "MOVE", "DGS2", "DGS10",
        "DGS30", "ON_RRP_VOLUME", "SRF_VOLUME", "RESERVES", "TGA", "IG_MATURING_12M",
        *(f"AUCTION_{each}_{tenor}Y" for each in ("TAIL", "COVER", "DEALER_SHARE") for tenor in (10, 30)),
    }  # fmt: skip
    for name in ("CDX_IG", "MOVE", "DGS2", "DGS10", "DGS30", "ON_RRP_VOLUME", "SRF_VOLUME", "TGA"):
        assert len(series(name)) >= 248, name
    assert len(series("RESERVES")) >= 48
    assert len(series("IG_MATURING_12M")) == 13
    assert series("IG_MATURING_12M")[-1][2] == 1_050
    assert max(value for *_, value in series("SRF_VOLUME")) == 51
    for us, day, _ in (row for name in names for row in series(name)):
        assert day <= on(us)


def test_rates_hold_from_before_the_first_benchmark() -> None:
    ((us, day, value),) = series("IORB")
    assert (on(us), day, value) == (WAVE.rates_from, WAVE.rates_from, 3.65)
    first = min(each.value_date for block in blocks() for each in block.prints)
    assert day < first


def test_one_auction_goes_badly() -> None:
    for name, calm, bad in (
        ("AUCTION_TAIL_10Y", (-1, 1), 3.0), ("AUCTION_COVER_10Y", (2.4, 2.7), 2.2),
        ("AUCTION_DEALER_SHARE_10Y", (0.05, 0.2), 0.26),
    ):  # fmt: skip
        *past, last = series(name)
        assert len(past) == 13
        assert all(calm[0] <= value <= calm[1] for *_, value in past)
        assert last == (at("13:01"), WAVE_DAY, bad)


def test_the_index_series_is_the_index_that_is_quoted() -> None:
    by_day = ends_of_days(WAVE.seed)["SYN-CDX-IG", 5]
    for _, day, value in series("CDX_IG")[-30:]:
        if date(2025, 9, 22) <= day < WAVE_DAY:
            assert value == pytest.approx(by_day[day], abs=0.2)
    highest = max(value for *_, value in series("CDX_IG")[-30:])
    assert highest == pytest.approx(mean_mid(("SYN-CDX-IG", 5), "14:30", "15:30"), abs=1.5)


# Treasuries and repo.


@cache
def spreads(instrument: str) -> dict[int, float]:
    """The mean spread in 32nds of the 5 minutes up to each."""
    found: dict[int, list[float]] = defaultdict(list)
    for event in told(TREASURY):
        if event["instrument"] == instrument and event["ts"] >= START_US and "bid" in event and "ask" in event:
            found[-(-(event["ts"] + 1) // (5 * US_PER_MINUTE)) * 5 * US_PER_MINUTE].append(
                32 * max(0.0, event["ask"] - event["bid"])
            )
    return {us: statistics.fmean(some) for us, some in found.items()}


def first(values: Mapping[int, float], least: float) -> str:
    return next((clock_time(us) for us, value in sorted(values.items()) if value >= least), "never")


def last(values: Mapping[int, float], least: float) -> str:
    return clock_time(max(us for us, value in values.items() if value >= least))


def test_treasuries_follow_at_noon() -> None:
    ten = spreads("UST-10Y")
    assert max(value for us, value in ten.items() if us <= at("12:00")) < 0.7
    assert "12:10" <= first(ten, 0.9) <= "12:30"
    assert "12:40" <= first(ten, 1.25) <= "13:30"
    peak = max(ten, key=lambda us: ten[us])
    assert at("14:15") <= peak <= at("15:45")
    assert ten[END_US] < 0.7 * ten[peak]
    assert "12:10" <= first(spreads("UST-30Y"), 2.5) <= "13:10"
    assert "13:30" <= first(spreads("UST-30Y"), 4.0) <= "14:30"
    old = max((s for s in securities_of(WAVE_DAY)[7:] if s.tenor_years == 30), key=lambda s: s.maturity).instrument
    assert "12:30" <= first(spreads(old), 5.0) <= "13:10"
    assert first(spreads(old), 5.0) < first(spreads("UST-30Y"), 4.0)
    excess = {us: value - spreads("UST-30Y")[us] for us, value in spreads(old).items()}
    assert "12:30" <= first(excess, 3.5) <= "13:45"
    for tenor, exit_ in ((2, 0.4), (5, 0.4)):
        assert max(spreads(f"UST-{tenor}Y").values()) < 0.5
        assert max(value for us, value in spreads(f"UST-{tenor}Y").items() if us < at("12:30")) < 0.3 < exit_


def test_depth_falls() -> None:
    sizes: dict[str, list[float]] = defaultdict(list)
    for event in told(TREASURY):
        if event["instrument"] == "UST-10Y" and "bid" in event and "ask" in event:
            sizes[clock_time(event["ts"])[:4]].append((event["bid_size"] + event["ask_size"]) / 2)
    means = {ten_minutes: statistics.fmean(some) for ten_minutes, some in sizes.items()}
    assert means["11:3"] > 65
    assert means["13:0"] < 0.5 * 70
    assert means["14:3"] < 0.2 * 70
    assert means["16:4"] > 0.4 * 70


def test_the_securities_are_those_of_the_day() -> None:
    some = securities_of(WAVE_DAY)
    assert [s.instrument for s in some] == [s.instrument for s in SECURITIES]
    assert sum(1 <= s.years_left(blocks()[1].day) <= 10 and 1 <= s.years_left(WAVE_DAY) <= 10 for s in some) >= 30
    assert all(s.years_left(WAVE_DAY) <= s.tenor_years for s in some)
    quoted = {(event["instrument"], event["maturity"]) for event in told(TREASURY)}
    assert quoted == {(s.instrument, str(s.maturity)) for s in some}


def tail(instrument: str, from_: str, upto: str) -> tuple[float, float]:
    """Median over IORB and p99 - median, in bp, by volume."""
    volumes: Counter[float] = Counter()
    for event in {e["id"]: e for e in told(REPO) if "id" in e}.values():
        if event["instrument"] == instrument and at(from_) <= event["ts"] < at(upto):
            volumes[event["rate"]] += event["volume"]

    def percentile(percent: int) -> float:
        reached, total = 0.0, sum(volumes.values())
        for rate in sorted(volumes):
            reached += volumes[rate]
            if 100 * reached >= percent * total:
                return rate
        raise AssertionError

    return 100 * (percentile(50) - 3.65), 100 * (percentile(99) - percentile(50))


def test_repo_is_last() -> None:
    for instrument in ("GC-ON", "GCF", "TRIPARTY"):
        assert tail(instrument, "12:30", "13:00")[1] <= 15
        assert tail(instrument, "13:00", "13:30")[1] >= 40
        assert tail(instrument, "13:45", "14:15")[1] >= 80
        assert tail(instrument, "07:00", "15:00")[1] >= 80, "of the day so far"
        assert tail(instrument, "16:15", "16:45")[1] < 75
    assert tail("GC-ON", "12:30", "13:00")[0] < 5
    assert 25 <= tail("GC-ON", "14:30", "15:00")[0] <= 34
    assert tail("GC-ON", "16:15", "16:45")[0] < 25
    assert {e["instrument"] for e in told(REPO) if "id" in e} == {"GC-ON", "GCF", "TRIPARTY", *SPECIALS}


# The scenario.


def test_the_day_and_the_clock() -> None:
    assert (on(START_US), clock_time(START_US), clock_time(END_US)) == (WAVE_DAY, "09:00", "16:45")
    assert (WAVE_DAY.weekday(), CALENDAR.flags(WAVE_DAY), WAVE.day) == (0, "", WAVE_DAY)
    assert (END_US - START_US) / 1e6 / WAVE.speed <= 180
    sessions = [block for block in blocks() if block.pace is Pace.SESSION]
    assert len(sessions) == 25
    assert all(block.end_us - block.start_us == 600 * US_PER_MINUTE for block in sessions)


def test_how_much_is_told() -> None:
    past = sum(count(WAVE, WAVE.seed, b) for count, _ in MAKERS.values() for b in blocks() if b.pace is not Pace.STORY)
    story = sum(count(WAVE, WAVE.seed, b) for count, _ in MAKERS.values() for b in blocks() if b.pace is Pace.STORY)
    assert past <= 130_000
    assert past + story <= 300_000
    assert story < 162_000


@every_seed
def test_every_event_meets_its_contract_and_arrives_in_its_block(seed: int) -> None:
    decoder = Decoder()
    some = replace(WAVE, past_sessions=1, story_end_us=START_US + 8 * STORY_BLOCK_US)
    clock = StoryClock(some.story_end_us, some.story_end_us, 1.0, lambda: 0.0)
    one = ScenarioSource(some, clock, seed=seed)
    one.open()
    streams: Counter[str] = Counter()
    while (batch := one.poll(20_000)) is not None:
        (decoded,) = decoder.decode(batch)
        assert not decoded.rejects, decoded.rejects[:3]
        assert batch.arrived_us is not None
        assert batch.arrived_us == sorted(batch.arrived_us)
        streams[decoded.stream] += len(batch)
        assert decoded.events.filter(pl.Series(batch.arrived_us) < pl.col("ts_us")).is_empty()
    assert one.exhausted
    assert set(streams) == set(MAKERS)


@pytest.mark.parametrize("stream", MAKERS)
def test_a_block_by_itself_is_the_same(stream: str) -> None:
    count, make = MAKERS[stream]
    for number in (0, 1, 13, 26, 30, 60, 119):
        block = blocks()[number]
        made = make(WAVE, WAVE.seed, block)
        assert count(WAVE, WAVE.seed, block) == len(made.payloads) < POSITIONS_PER_BLOCK
        assert make(replace(WAVE, credit=WAVE.credit), WAVE.seed, block) == made
        assert all(block.since_us <= us < block.end_us for us in made.arrived_us)


def test_another_seed_has_other_deals_of_the_same_total() -> None:
    ours, theirs = (priced(seed) for seed in SEEDS[:2])
    assert busd(ours) == pytest.approx(busd(theirs))
    assert {deal["size"] for deal in ours} != {deal["size"] for deal in theirs}


def test_a_chronicle_tells_each_event_once() -> None:
    rows = [(block.since_us, str(block.number)) for block in blocks()]
    chronicle = Chronicle(reversed(rows))
    assert [chronicle.rows(block) for block in blocks()] == [[row] for row in rows]
    assert [chronicle.count(block) for block in blocks()] == [1] * len(blocks())
