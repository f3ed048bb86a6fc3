"""Random deals: issues of one to three tranches, talked, priced, amended, pulled, begun anew; said in part and late."""

from __future__ import annotations

from datetime import date, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from monitor.engine.decode import Decoder
from tests.signals.events import MIXED, Event, Log, S, batches, new_store, new_york_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.engine.tiers import Tiers

WAY: Final = ("announced", "ipt", "guidance", "launched", "priced", "trading")
HOURS: Final = tuple(map(time.fromisoformat, ("00:00", "08:30", "09:20", "14:45", "16:00", "23:59:59.5")))
DAYS: Final = (
    *(date(2019, 12, day) for day in (20, 21, 24, 26, 27, 31)),
    *(date(2020, 1, day) for day in (1, 2, 3, 6, 20, 27)),
    *(date(2020, 2, day) for day in (28, 29)),
)
"""Around a New Year, with holidays, a weekend and a leap day."""
BUSY: Final = DAYS[5:9]
"""Few days: with many deals, enough of every sort for means, gaps and pipelines."""

_SAID: Final[dict[str, list[Any]]] = {
    "size": [1_000, 1_500, 2_500, 4_000.5, 0],
    "ipt_spread": [120, 95.5],
    "spread": [100, 82.25, -3],
    "fair_value_spread": [90, 81.000_001, 104],
    "break_spread": [99, 104.5],
    "yield": [4.5, 6, 0],
    "book": [3_000, 9_000, 20_000],
    "sector": ["technology", "utility", "other", "bank"],
    "themes": [["ai"], ["ai", "cloud"], ["green", "cloud"], ["rest", "green"], []],
    "rating": ["A+", "A", "BBB", "Baa2", "NR", "BB"],
    "tenor_years": [3, 5, 10, 30],
    "coupon_type": ["fixed", "fixed", "float"],
    "purpose": ["capex", "refinancing"],
    "issuer": ["ALPHA", "BETA", "GAMMA"],
}


def deal_event(deal: str, status: str, ts_us: int, late_us: int = 0, partition: str = "deals", **said: Any) -> Event:
    """An event of a deal; its issue is what stands before the hyphen, unless it says none."""
    fields = {"ts": ts_us, "deal_id": deal, "issue_id": deal.split("-")[0], "status": status} | said
    fields = {name: value for name, value in fields.items() if value is not None}
    return Event(ts_us + late_us, "newissue", partition, fields)


@st.composite
def _said(draw: st.DrawFn, names: Sequence[str]) -> dict[str, Any]:
    return {name: draw(st.sampled_from(_SAID[name])) for name in names}


@st.composite
def _tranche(
    draw: st.DrawFn, deal: str, days: Sequence[date], terms: dict[str, Any], partitions: Sequence[str], latest_us: int
) -> Log:
    """The events of a tranche, in the order of their times; most of what is said is said at pricing at the latest."""
    ways = [WAY, WAY[4:], WAY[4:], WAY[:2], ("announced", "priced", "trading"), ("announced", "guidance")]
    ways += [("ipt", "pulled"), ("priced", "priced", "trading"), ("priced", "pulled"), ("trading",)]
    ways += [("ipt", "pulled", "pulled", "priced")]
    way = draw(st.sampled_from(ways))
    ts_us = new_york_us(draw(st.sampled_from(days)), draw(st.sampled_from(HOURS)))
    events: Log = []
    for status in way:
        ts_us += draw(st.sampled_from([0, 1, 3_600, 3_600, 86_400, 5 * 86_400])) * S
        names = draw(st.sets(st.sampled_from(sorted(_SAID)), max_size=4))
        said = draw(_said(sorted(names)))
        if status == "priced" or draw(st.integers(0, 3)) == 0:
            left_out = draw(st.sampled_from([None, None, None, *sorted(terms)]))
            said = {name: value for name, value in terms.items() if name != left_out} | said
        if draw(st.integers(0, 4)) == 0:
            said["issue_id"] = None
        late_us = draw(st.sampled_from([0, 0, 0, 0, 1, 3_600 * S, latest_us]))
        events.append(deal_event(deal, status, ts_us, late_us, draw(st.sampled_from(partitions)), **said))
    return events


@st.composite
def deal_logs(
    draw: st.DrawFn,
    days: Sequence[date] = DAYS,
    partitions: Sequence[str] = ("deals", "deals", "more"),
    most: int = 6,
    latest_us: int = 40 * 86_400 * S,
) -> Log:
    """A log of deals, in the order of arrival.

    Args:
        draw: by hypothesis.
        days: on which deals begin.
        partitions: in which their events come.
        most: how many issues.
        latest_us: how long an event takes to come at most.
    """
    log: Log = []
    for issue in range(draw(st.integers(most // 2 if days is BUSY else 0, most))):
        terms = draw(_said(sorted(set(_SAID) - {"break_spread"})))
        near = [draw(st.sampled_from(days))] * 3 + list(days)
        for tranche in range(draw(st.sampled_from([1, 1, 2, 3]))):
            log += draw(_tranche(f"i{issue}-{tranche}", near, terms, partitions, latest_us))
    return sorted(log, key=lambda event: event.arrived_us)


def busy_log(seed: int, issues: int = 60) -> Log:
    """Many deals of two weeks, more than hypothesis can draw: enough for gaps of like bonds, breaks and a pipeline."""
    random, log = Random(seed), []
    for issue in range(issues):
        terms = {name: random.choice(some) for name, some in _SAID.items() if name != "break_spread"}
        ts_us = new_york_us(random.choice(DAYS[:9]), random.choice(HOURS))
        for tranche in range(random.choice([1, 2])):
            for status in random.choice([WAY, WAY[4:], WAY[:3], ("ipt", "pulled")]):
                later = {"break_spread": random.choice(_SAID["break_spread"])} if status == "trading" else {}
                late_us = random.choice([0, 0, 0, 5 * 86_400 * S])
                amended = {name: value for name, value in terms.items() if random.random() < 0.9} | later
                log.append(deal_event(f"i{issue}-{tranche}", status, ts_us, late_us, **amended))
                ts_us += random.choice([1, 3_600, 86_400]) * S
    return sorted(log, key=lambda event: event.arrived_us)


def deal_events(scene: Sequence[date]) -> st.SearchStrategy[Log]:
    """Deals of a few days and of the time before; a part of them in a partition of quotes, which they do not hold back.

    Most logs have few: every deal has ticks of its own, at which all other signals are looked at.
    """
    days = [*scene, *scene, scene[0] - timedelta(days=30)]
    return deal_logs(days, ("deals", "deals", MIXED), 4, 3_600 * S)


def tiers_as_they_came(log: Log) -> Tiers:
    """The frames of a live run that was up to date all the time: what came late took effect when it came."""
    store, decoder = new_store(), Decoder()
    for piece in batches(log, [1] * len(log)):
        for arrived_us, batch in piece:
            store.add(decoder.decode(batch), arrived_us // S)
    store.finish()
    return store.tiers()
