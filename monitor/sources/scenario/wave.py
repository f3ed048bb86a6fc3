"""The story `ai-debt-wave`: borrowing for artificial intelligence fills the bond market, then everything it touches.

Two hyperscalers open the day with concessions, and the default swaps of those who lend to them widen first. A jumbo
deal follows by 10:45; from 11:00 all other issuers pay for it. At noon Treasuries feel the rate locks and the dealers'
full books, after 13:00 and a bad auction repo does; the height is 14:30 to 15:30, and by the end some of it has eased.
Everybody in it is made up.
"""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Final

from monitor.sources.scenario.credit import Auction, Issue, Tranche
from monitor.sources.scenario.issuance import ISSUERS, LARGEST
from monitor.sources.scenario.story import Course, Credit, Scenario, Stress, story_day_us
from monitor.streams import MICROSECONDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

WAVE_DAY: Final = date(2025, 11, 24)
"""A Monday without a flag, and with 25 whole sessions before it; late in a year whose supply is near the record."""
_FRIDAY: Final = date(2025, 11, 21)


def _course(knots: Mapping[str, float]) -> Course:
    return Course(knots, WAVE_DAY)


def _at(clock_time: str) -> int:
    return story_day_us(time.fromisoformat(clock_time), WAVE_DAY)


def _friday(clock_time: str) -> int:
    return story_day_us(time.fromisoformat(clock_time), _FRIDAY)


# New issues. The first two and the jumbo take the concession of ai over 5 business days past 10 bp by 10:05 and past 20
# by 10:45; the five of the others take theirs past 10 by 11:20, and the gap between the two closes. Orders fall short
# at the same time: below 2.5 times the sizes at 10:45, below 1.8 about noon.
_ISSUES: Final = (
    # The Alphabet-like deal. Its three-year bond is priced inside Treasuries, dear as it is for its issuer.
    Issue(
        "SYN-WAVE-1", ISSUERS["SYN-CLOUD-1"],
        (
            Tranche(3, 1_500, fair_bp=-16.0), Tranche(5, 2_000), Tranche(10, 3_000), Tranche(30, 2_500),
            Tranche(40, 1_000),
        ),
        "capex",
        (
            ("announced", _friday("14:00")), ("ipt", _friday("15:10")), ("guidance", _at("09:05")),
            ("launched", _at("09:20")), ("priced", _at("09:35")), ("trading", _at("10:20")),
        ),
        concession_bp=12.0, cover=2.6, tightening_bp=14.0, break_bp=4.0,
    ),
    # The Meta-like one, and an hour later as much as no issuer has sold in a day.
    Issue(
        "SYN-WAVE-2", ISSUERS[LARGEST],
        (Tranche(5, 2_000), Tranche(10, 3_000), Tranche(30, 2_000), Tranche(40, 1_000)),
        "capex",
        (
            ("announced", _friday("14:30")), ("ipt", _at("09:10")), ("guidance", _at("09:30")),
            ("launched", _at("09:45")), ("priced", _at("10:05")), ("trading", _at("10:50")),
        ),
        concession_bp=14.5, cover=1.8, tightening_bp=9.0, break_bp=7.0, wider_bp=2.0,
    ),
    Issue(
        "SYN-WAVE-3", ISSUERS[LARGEST],
        (
            Tranche(3, 3_000, floats=True), Tranche(5, 5_000), Tranche(7, 4_000), Tranche(10, 6_000),
            Tranche(30, 6_000),
        ),
        "capex",
        (
            ("announced", _at("09:50")), ("ipt", _at("10:00")), ("guidance", _at("10:20")),
            ("launched", _at("10:35")), ("priced", _at("10:45")), ("trading", _at("11:40")),
        ),
        concession_bp=34.0, cover=1.0, tightening_bp=2.0, break_bp=16.0, wider_bp=6.0,
    ),
    Issue(
        "SYN-WAVE-4", ISSUERS["SYN-BANK-1"], (Tranche(5, 2_000), Tranche(10, 2_000)), "general",
        (
            ("announced", _at("09:15")), ("ipt", _at("09:40")), ("guidance", _at("10:15")),
            ("launched", _at("10:40")), ("priced", _at("11:00")), ("trading", _at("12:00")),
        ),
        concession_bp=18.0, cover=1.1, tightening_bp=6.0, break_bp=6.0, wider_bp=8.0,
    ),
    Issue(
        "SYN-WAVE-5", ISSUERS["SYN-UTILITY-1"], (Tranche(10, 2_000), Tranche(30, 2_000)), "refinancing",
        (
            ("announced", _at("09:25")), ("ipt", _at("09:55")), ("guidance", _at("10:30")),
            ("launched", _at("11:00")), ("priced", _at("11:20")), ("trading", _at("12:15")),
        ),
        concession_bp=24.0, cover=1.0, tightening_bp=3.0, break_bp=9.0, wider_bp=10.0,
    ),
    Issue(
        "SYN-WAVE-6", ISSUERS["SYN-HEALTH-1"], (Tranche(5, 1_000), Tranche(10, 1_500), Tranche(30, 1_500)),
        "acquisition",
        (
            ("announced", _at("10:10")), ("ipt", _at("10:50")), ("guidance", _at("11:30")),
            ("launched", _at("11:55")), ("priced", _at("12:10")), ("trading", _at("13:10")),
        ),
        concession_bp=26.0, cover=0.95, tightening_bp=2.0, break_bp=10.0, wider_bp=13.0,
    ),
    Issue(
        "SYN-WAVE-7", ISSUERS["SYN-INDUSTRY-2"], (Tranche(5, 2_000), Tranche(10, 2_000)), "refinancing",
        (
            ("announced", _at("10:30")), ("ipt", _at("11:45")), ("guidance", _at("12:30")),
            ("launched", _at("13:00")), ("priced", _at("13:20")), ("trading", _at("14:20")),
        ),
        concession_bp=28.0, cover=0.9, tightening_bp=0.0, break_bp=11.0, wider_bp=17.0,
    ),
    Issue(
        "SYN-WAVE-8", ISSUERS["SYN-TELECOM-1"], (Tranche(7, 2_000), Tranche(10, 2_000)), "refinancing",
        (
            ("announced", _at("11:15")), ("ipt", _at("12:45")), ("guidance", _at("13:50")),
            ("launched", _at("14:20")), ("priced", _at("14:40")), ("trading", _at("15:40")),
        ),
        concession_bp=30.0, cover=0.9, tightening_bp=-3.0, break_bp=12.0, wider_bp=22.0,
    ),
    # Four that give up: two before 12:30, two more by 14:25.
    Issue(
        "SYN-WAVE-9", ISSUERS["SYN-DATACENTER-2"], (Tranche(5, 1_500), Tranche(10, 1_500)), "capex",
        (("announced", _friday("15:30")), ("ipt", _at("10:05")), ("guidance", _at("11:10")), ("pulled", _at("11:50"))),
        concession_bp=40.0, cover=0.6, tightening_bp=0.0, break_bp=0.0, wider_bp=12.0,
    ),
    Issue(
        "SYN-WAVE-10", ISSUERS["SYN-INDUSTRY-5"], (Tranche(10, 1_200),), "acquisition",
        (("announced", _at("10:40")), ("ipt", _at("11:20")), ("guidance", _at("12:00")), ("pulled", _at("12:25"))),
        concession_bp=32.0, cover=0.7, tightening_bp=0.0, break_bp=0.0, wider_bp=14.0,
    ),
    Issue(
        "SYN-WAVE-11", ISSUERS["SYN-ENERGY-3"], (Tranche(7, 900),), "refinancing",
        (("announced", _at("11:30")), ("ipt", _at("12:30")), ("guidance", _at("13:15")), ("pulled", _at("13:45"))),
        concession_bp=34.0, cover=0.5, tightening_bp=0.0, break_bp=0.0, wider_bp=18.0,
    ),
    Issue(
        "SYN-WAVE-12", ISSUERS["SYN-DATACENTER-5"], (Tranche(5, 1_000), Tranche(10, 1_000)), "capex",
        (("announced", _at("12:20")), ("ipt", _at("13:10")), ("guidance", _at("13:55")), ("pulled", _at("14:25"))),
        concession_bp=45.0, cover=0.4, tightening_bp=0.0, break_bp=0.0, wider_bp=20.0,
    ),
    # And one that waits: announced, not priced, as its issuer sells Treasuries to lock the rate.
    Issue(
        "SYN-WAVE-13", ISSUERS["SYN-CLOUD-2"], (Tranche(10, 8_000), Tranche(30, 7_000), Tranche(40, 3_000)), "capex",
        (("announced", _at("11:05")), ("ipt", _at("13:05"))),
        concession_bp=35.0, cover=1.0, tightening_bp=10.0, break_bp=0.0, wider_bp=20.0,
    ),
)  # fmt: skip

_SERIES: Final = {
    # From 80 bp to 104 and from 275 to 390: 30 and 131 off the lows of the year.
    "IG_OAS": _course({
        "09:30": 0.0, "10:00": 3.0, "11:00": 8.0, "12:00": 13.0, "13:00": 18.0, "14:30": 23.0, "15:15": 24.0,
        "16:45": 22.0,
    }),
    "HY_OAS": _course({
        "09:40": 0.0, "10:30": 18.0, "11:30": 45.0, "13:00": 85.0, "14:30": 112.0, "15:15": 115.0, "16:45": 106.0,
    }),
    "CDX_IG": _course({"10:30": 0.0, "11:30": 6.0, "13:00": 13.0, "14:30": 16.5, "15:30": 16.5, "16:45": 14.0}),
    "MOVE": _course({"11:30": 0.0, "13:00": 14.0, "14:30": 34.0, "15:30": 36.0, "16:45": 24.0}),
    "SRF_VOLUME": _course({"13:40": 0.0, "13:45": 24.0, "14:40": 24.0, "14:45": 51.0}),
    "ON_RRP_VOLUME": _course({"13:10": 0.0, "13:15": -3.0}),
    "DGS2": _course({"12:00": 0.0, "14:30": 0.06, "15:30": 0.06, "16:45": 0.04}),
    "DGS10": _course({"11:30": 0.0, "13:00": 0.05, "14:30": 0.13, "15:30": 0.14, "16:45": 0.09}),
    "DGS30": _course({"11:30": 0.0, "13:00": 0.08, "14:30": 0.19, "15:30": 0.20, "16:45": 0.13}),
}  # fmt: skip

WAVE_CREDIT: Final = Credit(_ISSUES, _SERIES, (Auction(_at("13:01"), 10, 3.0, 2.20, 0.26),))

# Quotes. Hyperscalers' protection is bought from 09:25 on, everybody else's an hour later.
_HYPERSCALER: Final = _course({
    "09:25": 1.0, "10:15": 1.15, "11:30": 1.24, "13:00": 1.30, "14:30": 1.38, "15:30": 1.38, "16:45": 1.33,
})  # fmt: skip
_ORACLE_LIKE: Final = _course({
    "09:25": 1.0, "10:00": 1.09, "11:00": 1.145, "12:30": 1.19, "14:00": 1.235, "15:15": 1.272, "16:45": 1.272,
})  # fmt: skip
"""To 151 bp, above all since the summer of 2009; it does not come back with the others."""
_LONG_END: Final = _course({
    "12:00": 1.0, "12:20": 2.2, "13:00": 2.9, "13:30": 3.6, "14:30": 4.7, "15:30": 4.5, "16:15": 2.4, "16:45": 1.7,
})  # fmt: skip
_TEN_YEARS: Final = _course({
    "12:00": 1.0, "12:20": 1.9, "13:00": 2.2, "13:30": 2.7, "14:30": 3.4, "15:30": 3.2, "16:15": 1.9, "16:45": 1.5,
})  # fmt: skip
_FIVE_YEARS: Final = _course({"12:30": 1.0, "13:30": 1.5, "14:30": 1.85, "15:30": 1.8, "16:15": 1.3, "16:45": 1.2})
_TWO_YEARS: Final = _course({"12:30": 1.0, "13:30": 1.9, "14:30": 2.9, "15:30": 2.7, "16:15": 1.5, "16:45": 1.3})
_REPO: Final = _course({"13:00": 0.0, "13:45": 14.0, "14:30": 30.0, "15:30": 30.0, "16:45": 14.0})

WAVE_STRESS: Final = Stress(
    on_the_run_spread={
        2: _TWO_YEARS, 3: _FIVE_YEARS, 5: _FIVE_YEARS, 7: _TEN_YEARS, 10: _TEN_YEARS, 20: _LONG_END, 30: _LONG_END,
    },
    off_the_run_spread=_course({
        "11:50": 1.0, "12:20": 2.8, "13:00": 4.2, "13:30": 5.4, "14:30": 7.2, "15:30": 6.8, "16:15": 3.2, "16:45": 2.0,
    }),
    depth=_course({
        "11:50": 1.0, "12:30": 0.55, "13:15": 0.34, "14:30": 0.17, "15:30": 0.18, "16:15": 0.42, "16:45": 0.55,
    }),
    sell_off_bp=_course({"11:30": 0.0, "13:00": 5.0, "13:05": 7.5, "14:30": 13.0, "15:30": 14.0, "16:45": 9.0}),
    jumps_bp=_course({"11:50": 0.0, "13:00": 0.6, "13:02": 1.4, "14:30": 1.9, "15:30": 1.7, "16:45": 0.5}),
    mispricing_bp=_course({"11:50": 0.7, "13:00": 2.5, "14:30": 7.0, "15:30": 6.5, "16:45": 2.5}),
    one_sided=_course({"12:00": 0.0, "13:15": 0.06, "14:30": 0.20, "15:30": 0.18, "16:15": 0.05, "16:45": 0.02}),
    crossed=_course({"13:00": 0.0, "14:30": 0.005, "15:30": 0.004, "16:15": 0.0}),
    repo_bp={
        "GC-ON": _REPO,
        "GCF": _course({"13:00": 0.0, "13:45": 17.0, "14:30": 38.0, "15:30": 38.0, "16:45": 17.0}),
        "TRIPARTY": _course({"13:00": 0.0, "13:45": 8.0, "14:30": 20.0, "15:30": 20.0, "16:45": 9.0}),
    },
    repo_tail_bp=_course({"13:00": 5.0, "13:20": 70.0, "14:00": 125.0, "15:30": 120.0, "16:45": 40.0}),
    special_bp=_course({"13:00": 0.0, "14:30": 60.0, "15:30": 55.0, "16:45": 20.0}),
    cds_level=_course({"10:30": 1.0, "11:30": 1.11, "13:00": 1.23, "14:30": 1.31, "15:30": 1.31, "16:45": 1.26}),
    cds_levels={
        **{f"SYN-CLOUD-{n}": _HYPERSCALER for n in (1, 3, 4)},
        "SYN-CLOUD-2": _ORACLE_LIKE,
    },
    cds_bid_ask=_course({"09:25": 1.0, "11:30": 1.8, "13:00": 3.0, "14:30": 4.6, "15:30": 4.4, "16:45": 2.4}),
    cds_traded=_course({"09:25": 1.0, "10:00": 4.0, "16:45": 4.0}),
)  # fmt: skip

AI_DEBT_WAVE: Final = Scenario(
    "ai-debt-wave",
    "Record borrowing for artificial intelligence: concessions and default swaps first, then all other issuers, "
    "Treasuries at noon and repo after it",
    WAVE_STRESS,
    seed=20_251_124,
    story_start_us=_at("09:00"),
    story_end_us=_at("16:45"),
    speed=160.0,
    rates_from=date(2025, 6, 20),
    conflated_us=5 * MICROSECONDS_PER_SECOND,
    credit=WAVE_CREDIT,
)
