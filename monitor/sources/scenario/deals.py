"""New issues of one block: every status of every tranche, each with all that is known by then."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Final

from monitor.sources.scenario.issuance import past_issues
from monitor.sources.scenario.securities import curve_percent
from monitor.sources.scenario.timeline import Chronicle, Events, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from monitor.sources.scenario.credit import Issue, Tranche
    from monitor.sources.scenario.story import Credit, Scenario
    from monitor.sources.scenario.timeline import Block

_FAIR_BP: Final = {"AAA": 20.0, "AA": 35.0, "A": 55.0, "BBB": 90.0}
"""By rating: where a five-year bond belongs on a calm day, over the Treasury."""
_FAIR_SLOPE_BP: Final = {3: -12.0, 5: 0.0, 7: 8.0, 10: 18.0, 30: 36.0, 40: 44.0}
"""By tenor in years: what is added to it."""
_STRAY_BP: Final = 4.0
"""How far issuers of one rating are apart."""
_GUIDANCE_PART: Final = 0.3
"""Of the tightening, what is left from guidance to pricing."""


def count(scenario: Scenario, seed: int, block: Block) -> int:
    """How many changes of status the block has."""
    return _chronicle(scenario.credit, scenario.day, seed).count(block) if scenario.credit else 0


def events(scenario: Scenario, seed: int, block: Block) -> Events:
    """The changes of status of a block; a function of its arguments alone."""
    if not scenario.credit:
        return Events([], [])
    return in_order(_chronicle(scenario.credit, scenario.day, seed).rows(block))


@lru_cache(maxsize=2)
def _chronicle(credit: Credit, story_day: date, seed: int) -> Chronicle:
    issues = (*past_issues(story_day, seed), *credit.issues)
    return Chronicle(
        row
        for issue in issues
        for number, tranche in enumerate(issue.tranches, start=1)
        for row in _of_tranche(seed, issue, number, tranche)
    )


def _of_tranche(seed: int, issue: Issue, number: int, tranche: Tranche) -> Iterator[tuple[int, str]]:
    """(arrival, JSON) of a tranche's way. The book is that of the whole issue, the same on each of its tranches."""
    rnd = Random(f"{seed}:deals:{issue.issue_id}:{number}").random  # noqa: S311 - a story, no secret
    issuer = issue.issuer
    by_rating = _FAIR_BP[issuer.rating] + _FAIR_SLOPE_BP[tranche.tenor_years] + _STRAY_BP * (rnd() - 0.5)
    fair_bp = round((by_rating if tranche.fair_bp is None else tranche.fair_bp) + issue.wider_bp, 1)
    spread_bp = round(fair_bp + issue.concession_bp, 1)
    yield_percent = round(curve_percent(tranche.tenor_years) + spread_bp / 100, 3)
    known = {
        "ipt": f',"ipt_spread":{round(spread_bp + issue.tightening_bp, 1)}',
        "guidance": f',"guidance_spread":{round(spread_bp + _GUIDANCE_PART * issue.tightening_bp, 1)}'
        f',"book":{round(issue.cover * issue.size_musd)}',
        "priced": f',"spread":{spread_bp},"fair_value_spread":{fair_bp},"yield":{yield_percent}',
        "trading": f',"break_spread":{round(spread_bp + issue.break_bp, 1)}',
    }
    theme = ',"themes":["ai"]' if issuer.is_ai else ""
    text = (
        f'"size":{tranche.size_musd},"sector":"{issuer.sector}"{theme},"rating":"{issuer.rating}",'
        f'"tenor_years":{tranche.tenor_years},"coupon_type":"{"float" if tranche.floats else "fixed"}",'
        f'"purpose":"{issue.purpose}"'
    )
    for status, ts_us in issue.statuses:
        text += known.get(status, "")
        head = f'{{"ts":{ts_us},"deal_id":"{issue.issue_id}-{number}","issue_id":"{issue.issue_id}",'
        yield ts_us, f'{head}"issuer":"{issuer.name}","status":"{status}",{text}}}'
