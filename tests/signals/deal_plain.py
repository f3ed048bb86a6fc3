"""The new-issue signals once more: slow, obvious, in plain Python, from their definitions and not from their code.

Every question is asked of all events anew: what is known of this deal at this tick, which days are in the period, who
is the largest. Sums are of integers, and divisions exact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tests.signals.events import CALENDAR, ZONE, S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monitor.engine.tiers import Tiers
    from monitor.signals.newissue.parameters import NewIssueParameters

TERMS: Final = (
    "issuer", "size_kusd", "ipt_spread_e6", "spread_e6", "fair_value_spread_e6", "yield_e6", "book_kusd", "sector",
    "themes", "rating", "tenor_e3", "coupon_type", "purpose",
)  # fmt: skip
Labels = tuple[str | None, ...]


@dataclass
class Deal:
    """What is known of a deal at a tick."""

    issue: str
    terms: dict[str, Any]
    priced: date | None = None
    pulled: date | None = None
    heard: date | None = None  # while it waits
    name: str = ""
    times: tuple[int, ...] = ()  # when it was priced, as often as that was said

    def __getattr__(self, name: str) -> Any:
        return self.terms[name]

    @property
    def is_fixed(self) -> bool:
        return bool(self.coupon_type != "float")

    @property
    def is_ai(self) -> bool:
        return "ai" in (self.themes or [])


def day_of(us: int) -> date:
    return datetime.fromtimestamp(us // S, ZONE).date()


def is_in(period: str, day: date, today: date) -> bool:
    """Whether what happened on a day is in the period that ends today."""
    if period == "ytd":
        return day.year == today.year
    if period == "12m":
        leap = (day.month, day.day) == (2, 29)
        return today < (date(day.year + 1, 2, 28) if leap else day.replace(year=day.year + 1))
    return _rolled(day) >= _first_day(today, int(period.removesuffix("bd")))


@cache
def _rolled(day: date) -> date:
    """The day, or the next business day."""
    while not CALENDAR.is_bond_business_day(day):
        day += timedelta(days=1)
    return day


@cache
def _first_day(today: date, count: int) -> date:
    """The first of so many business days up to and with today."""
    while True:
        count -= CALENDAR.is_bond_business_day(today)
        if count == 0:
            return today
        today -= timedelta(days=1)


def mean(pairs: Iterable[tuple[int, int]]) -> Fraction:
    """Of (weight, number)."""
    pairs = list(pairs)
    return Fraction(sum(w * x for w, x in pairs), sum(w for w, _ in pairs))


def is_enough(deals: list[Deal], issues: int = 3, kusd: int = 3_000_000) -> bool:
    return len({deal.issue for deal in deals}) >= issues and sum(deal.size_kusd for deal in deals) >= kusd


class PlainDeals:
    """Answers for the events that a replay has, each at the tick at which it took effect."""

    def __init__(self, tiers: Tiers, parameters: NewIssueParameters, last_deals: int = 20) -> None:
        self.events = sorted(tiers.deals.to_dicts(), key=lambda e: (e["ts_us"], e["partition"], e["offset"]))
        self.parameters, self.most_last_deals = parameters, last_deals
        self._known: dict[int, list[Deal]] = {}
        self.answers: dict[str, Callable[[int], dict[Labels, Fraction | None]]] = {
            "newissue_concession_bp": lambda tick: self.terms(tick, self.concession),
            "newissue_tightening_bp": lambda tick: self.terms(tick, self.tightening),
            "newissue_break_bp": lambda tick: self.terms(tick, self.first_trades),
            "newissue_book_cover_ratio": lambda tick: self.terms(tick, self.cover),
            "newissue_concession_gap_bp": self.gap,
            "newissue_pulled_count": self.pulled,
            "newissue_supply_busd": self.supply,
            "newissue_share_ratio": self.shares,
            "newissue_pace_ratio": self.pace,
            "newissue_pipeline_dv01_musd": self.pipeline,
            "newissue_below_treasury_count": self.below,
            "newissue_issuer_share_ratio": self.issuer_shares,
            "newissue_issuer_hhi_ratio": self.concentration,
            "newissue_deal_concession_bp": lambda tick: self.last_deals(tick, self.own_concession),
            "newissue_deal_size_busd": lambda tick: self.last_deals(tick, lambda d: Fraction(d.size_kusd, 1_000_000)),
            "newissue_deal_age_days": lambda tick: self.last_deals(tick, lambda d: self.age(d, tick)),
            "newissue_deal_newer_count": self.places,
        }

    # What is known.

    def deals(self, tick: int) -> list[Deal]:
        if tick not in self._known:
            by_deal: dict[str, list[dict[str, Any]]] = {}
            for event in self.events:
                if event["tick"] <= tick:
                    by_deal.setdefault(event["deal_id"], []).append(event)
            self._known[tick] = [self._deal(events) for events in by_deal.values()]
        return self._known[tick]

    @staticmethod
    def _deal(events: list[dict[str, Any]]) -> Deal:
        """Of events in their order."""
        issues = [e["issue_id"] for e in events if e["issue_id"] != e["deal_id"]]
        issue = issues[-1] if issues else events[0]["deal_id"]
        statuses = [e["status"] for e in events]
        begun = len(statuses) - statuses[::-1].index("pulled") if "pulled" in statuses else 0
        if begun == len(events):
            first = begun - 1
            while first > 0 and statuses[first - 1] == "pulled":
                first -= 1
            return Deal(issue, {}, pulled=day_of(events[first]["ts_us"]))
        at = next((n for n in range(begun, len(events)) if statuses[n] == "priced"), None)

        def said(name: str, some: list[dict[str, Any]]) -> list[Any]:
            return [e[name] for e in some if e[name] is not None]

        if at is None:
            terms = {name: (said(name, events) or [None])[-1] for name in TERMS}
            waits = statuses[-1] in ("announced", "ipt", "guidance", "launched")
            return Deal(issue, terms, heard=day_of(events[-1]["ts_us"]) if waits else None)
        terms = {
            name: (said(name, events[: at + 1])[-1:] or said(name, events[at + 1 :])[:1] or [None])[0] for name in TERMS
        }
        terms["break_spread_e6"] = (said("break_spread_e6", events[at:]) or [None])[0]
        times = tuple(e["ts_us"] for e in events if e["status"] == "priced")
        return Deal(issue, terms, priced=day_of(events[at]["ts_us"]), name=events[0]["deal_id"], times=times)

    def placed(self, tick: int, period: str) -> list[Deal]:
        today = day_of(tick * S)
        return [d for d in self.deals(tick) if d.priced and d.size_kusd and is_in(period, d.priced, today)]

    def shown(self, tick: int, names_of: Callable[[Deal], set[str]], listed: tuple[str, ...], first: str) -> set[str]:
        """The names that have a label set of their own."""
        sizes: dict[str, int] = {}
        for deal in self.placed(tick, "12m"):
            for name in names_of(deal) - {"other", "rest" if first == "ai" else ""}:
                sizes[name] = sizes.get(name, 0) + deal.size_kusd
        if listed:
            return {*listed, first} & sizes.keys()
        ordered = sorted(sizes, key=lambda name: (name != first, -sizes[name], name))
        return set(ordered[: self.parameters.most_names])

    def by_theme(self, deals: list[Deal], tick: int) -> dict[str, list[Deal]]:
        def names_of(deal: Deal) -> set[str]:
            return set(deal.themes or [])

        shown = self.shown(tick, names_of, self.parameters.themes, "ai")
        found = {name: [d for d in deals if name in names_of(d)] for name in shown}
        found["other"] = [d for d in deals if names_of(d) - shown]
        return {name: some for name, some in found.items() if some}

    def by_sector(self, deals: list[Deal], tick: int) -> dict[str, list[Deal]]:
        shown = self.shown(tick, lambda d: {d.sector} if d.sector else set(), self.parameters.sectors, "other")
        found = {name: [d for d in deals if d.sector == name] for name in shown - {"other"}}
        found["other"] = [d for d in deals if d.sector and d.sector not in shown - {"other"}]
        return {name: some for name, some in found.items() if some}

    # Terms.

    def terms(self, tick: int, value: Callable[[list[Deal]], Fraction | None]) -> dict[Labels, Fraction | None]:
        found: dict[Labels, Fraction | None] = {}
        for period in ("5bd", "20bd"):
            deals = self.placed(tick, period)
            found[None, None, period] = value(deals)
            found["rest", None, period] = value([d for d in deals if not d.is_ai])
            found |= {(name, None, period): value(some) for name, some in self.by_theme(deals, tick).items()}
            found |= {(None, name, period): value(some) for name, some in self.by_sector(deals, tick).items()}
        return found

    @staticmethod
    def _difference(deals: list[Deal], left: str, right: str) -> Fraction | None:
        known = [d for d in deals if d.is_fixed and None not in (d.terms[left], d.terms[right])]
        if not is_enough(known):
            return None
        return mean((d.size_kusd, d.terms[left] - d.terms[right]) for d in known) / 1_000_000

    def concession(self, deals: list[Deal]) -> Fraction | None:
        return self._difference(deals, "spread_e6", "fair_value_spread_e6")

    def tightening(self, deals: list[Deal]) -> Fraction | None:
        return self._difference(deals, "ipt_spread_e6", "spread_e6")

    def first_trades(self, deals: list[Deal]) -> Fraction | None:
        return self._difference(deals, "break_spread_e6", "spread_e6")

    @staticmethod
    def cover(deals: list[Deal]) -> Fraction | None:
        books, counted = 0, []
        for issue in {d.issue for d in deals}:
            own = [d for d in deals if d.issue == issue]
            said = [d.book_kusd for d in own if d.book_kusd is not None]
            if said and any(d.is_fixed for d in own):
                books += max(said)
                counted += own
        return Fraction(books, sum(d.size_kusd for d in counted)) if is_enough(counted) else None

    def gap(self, tick: int) -> dict[Labels, Fraction | None]:
        return {(period,): self._gap(self.placed(tick, period)) for period in ("5bd", "20bd")}

    def _gap(self, deals: list[Deal]) -> Fraction | None:
        known = [d for d in deals if d.is_fixed and None not in (d.spread_e6, d.fair_value_spread_e6)]
        ai, rest = [d for d in known if d.is_ai], [d for d in known if not d.is_ai]
        if not (is_enough(ai) and is_enough(rest)):
            return None

        def concession(some: list[Deal]) -> Fraction:
            return mean((d.size_kusd, d.spread_e6 - d.fair_value_spread_e6) for d in some) / 1_000_000

        weight, total = 0, Fraction(0)
        for bucket in {_bucket(d) for d in known} - {None}:
            own, others = [d for d in ai if _bucket(d) == bucket], [d for d in rest if _bucket(d) == bucket]
            if own and others:
                kusd = sum(d.size_kusd for d in own)
                weight, total = weight + kusd, total + kusd * (concession(own) - concession(others))
        is_alike = 2 * weight >= sum(d.size_kusd for d in ai)
        return total / weight if is_alike else concession(ai) - concession(rest)

    # Counts and sums.

    def pulled(self, tick: int) -> dict[Labels, Fraction | None]:
        today, deals = day_of(tick * S), self.deals(tick)
        if not any(e["tick"] <= tick and is_in("20bd", day_of(e["ts_us"]), today) for e in self.events):
            return {(): None}
        placed = {d.issue for d in self.placed(tick, "12m")}
        issues = {d.issue for d in deals if d.pulled and is_in("20bd", d.pulled, today)}
        return {(): Fraction(len(issues - placed))}

    def supply(self, tick: int) -> dict[Labels, Fraction | None]:
        found: dict[Labels, Fraction | None] = {}
        for period in ("5bd", "20bd", "60bd", "ytd"):
            deals = self.placed(tick, period)
            sets: dict[Labels, list[Deal]] = {(None, None): deals}
            sets |= {(p, None): [d for d in deals if d.purpose == p] for p in ("capex", "refinancing")}
            sets |= {(None, name): [d for d in deals if d.is_ai == (name == "ai")] for name in ("ai", "rest")}
            for labels, some in sets.items():
                busd = Fraction(sum(d.size_kusd for d in some), 1_000_000)
                found[*labels, period] = busd if is_enough(some) else None
        return found

    def shares(self, tick: int) -> dict[Labels, Fraction | None]:
        found: dict[Labels, Fraction | None] = {}
        for period in ("20bd", "60bd", "ytd"):
            deals = self.placed(tick, period)
            themes: dict[str, list[Deal]] = {"ai": []} | self.by_theme(deals, tick) if deals else {}
            for name, some in themes.items():
                share = Fraction(sum(d.size_kusd for d in some), sum(d.size_kusd for d in deals))
                found[name, period] = share if is_enough(deals) else None
        return found

    def pace(self, tick: int) -> dict[Labels, Fraction | None]:
        today, deals = day_of(tick * S), self.placed(tick, "ytd")
        day, gone, days = date(today.year, 1, 1), 0, 0
        while day.year == today.year:
            is_open = CALENDAR.is_bond_business_day(day)
            days, gone, day = days + is_open, gone + (is_open and day <= today), day + timedelta(days=1)
        share = Fraction(gone, days)
        half, whole = Fraction(1_214), Fraction(1_800)
        record = share * 2 * half if share <= Fraction(1, 2) else half + (share - Fraction(1, 2)) * 2 * (whole - half)
        if not is_enough(deals) or record == 0:
            return {(): None}
        return {(): Fraction(sum(d.size_kusd for d in deals), 1_000_000) / record}

    def pipeline(self, tick: int) -> dict[Labels, Fraction | None]:
        today = day_of(tick * S)
        deals = [
            d for d in self.deals(tick)
            if d.heard and is_in("30bd", d.heard, today) and d.size_kusd and d.tenor_e3 and d.is_fixed
        ]  # fmt: skip
        usd = 0
        for d in deals:
            y = (d.yield_e6 or 5_000_000) / 1e8
            # The price of a par bond, differentiated.
            coupons = sum(y / 2 * k / 2 / (1 + y / 2) ** (k + 1) for k in range(1, d.tenor_e3 // 500 + 1))
            years = d.tenor_e3 / 1_000
            usd += round(d.size_kusd * 1_000 / 10_000 * (coupons + years / (1 + y / 2) ** (2 * years + 1)))
        return {(): Fraction(usd, 1_000_000) if is_enough(deals) else None}

    def below(self, tick: int) -> dict[Labels, Fraction | None]:
        found: dict[Labels, Fraction | None] = {}
        for period in ("20bd", "ytd"):
            known = [d for d in self.placed(tick, period) if d.is_fixed and d.spread_e6 is not None]
            found[(period,)] = Fraction(sum(d.spread_e6 < 0 for d in known)) if is_enough(known) else None
        return found

    # Issuers; the tests ask for them without a least size.

    def _sizes(self, tick: int) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {"all": {}, "10y+": {}}
        for deal in self.placed(tick, "12m"):
            if deal.issuer is not None:
                for bucket in ("all", "10y+") if (deal.tenor_e3 or 0) >= 10_000 else ("all",):
                    found[bucket][deal.issuer] = found[bucket].get(deal.issuer, 0) + deal.size_kusd
        return found

    def issuer_shares(self, tick: int) -> dict[Labels, Fraction | None]:
        found: dict[Labels, Fraction | None] = {}
        for bucket, sizes in self._sizes(tick).items():
            largest = sorted(sizes, key=lambda name: (-sizes[name], name))[: self.parameters.most_issuers]
            found |= {(name, bucket): Fraction(sizes[name], sum(sizes.values())) for name in largest}
        return found

    def concentration(self, tick: int) -> dict[Labels, Fraction | None]:
        return {
            (bucket,): Fraction(sum(size**2 for size in sizes.values()), sum(sizes.values()) ** 2)
            for bucket, sizes in self._sizes(tick).items() if sizes
        }  # fmt: skip

    # The last deals.

    def newest(self, tick: int) -> list[Deal]:
        def when(deal: Deal) -> int:
            return min(us for us in deal.times if day_of(us) == deal.priced)

        ordered = sorted(self.placed(tick, "60bd"), key=lambda deal: (-when(deal), deal.name))
        return ordered[: self.most_last_deals]

    def last_deals(self, tick: int, value: Callable[[Deal], Fraction | None]) -> dict[Labels, Fraction | None]:
        return {self._labels(deal): value(deal) for deal in self.newest(tick)}

    def places(self, tick: int) -> dict[Labels, Fraction | None]:
        return {self._labels(deal): Fraction(place) for place, deal in enumerate(self.newest(tick))}

    @staticmethod
    def _labels(deal: Deal) -> Labels:
        tenor = None if deal.tenor_e3 is None else f"{deal.tenor_e3 / 1_000:g}y"
        return deal.issuer, tenor, "ai" if deal.is_ai else "rest", deal.name

    @staticmethod
    def own_concession(deal: Deal) -> Fraction | None:
        if not deal.is_fixed or None in (deal.spread_e6, deal.fair_value_spread_e6):
            return None
        return Fraction(deal.spread_e6 - deal.fair_value_spread_e6, 1_000_000)

    @staticmethod
    def age(deal: Deal, tick: int) -> Fraction:
        assert deal.priced
        return Fraction((day_of(tick * S) - deal.priced).days)


def _bucket(deal: Deal) -> tuple[str, int] | None:
    letters = re.sub("[^A-Z]", "", (deal.rating or "").upper())
    letters = {"BAA": "BBB", "BB": "HY"}.get(letters, letters)
    if letters not in ("AAA", "AA", "A", "BBB", "HY") or deal.tenor_e3 is None:
        return None
    return letters, sum(deal.tenor_e3 > end for end in (3_000, 7_000, 12_000))
