"""Recording rules: what stands through an outage of the monitor, and what several alerts and boards need.

A latch is a rule that reads itself: what the monitor said last stands while it says nothing, and until it is back where
it was. A source that is away later holds no latch: the monitor then says itself what is blind, and what is over.
Prometheus answers an instant query with a sample of up to five minutes ago, and so finds what the rule itself wrote an
evaluation earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from monitor.generate.rules.cases import selector
from monitor.results import REGIMES
from monitor.sinks import metrics

WINDOW: Final = "5m"
"""Over which rejected events are counted."""

_TARGET: Final = "instance, job"
"""The labels that a scrape adds. Without them an alert stays the same one on whichever replica or host."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that Prometheus makes of others.

    Attributes:
        name: `level:metric:operation`.
        expr: PromQL.
        help: one sentence.
    """

    name: str
    expr: str
    help: str

    @property
    def rule(self) -> dict[str, Any]:
        """As it stands in a group."""
        return {"record": self.name, "expr": self.expr}


def newest(metric: str) -> str:
    """A metric over the replicas of the monitor.

    >>> newest("x")
    'max without (instance, job) (x)'
    """
    return f"max without ({_TARGET}) ({metric})"


def _heard() -> Recording:
    resumed = metrics.RESUMED.scraped
    return Recording(
        f"instance:{resumed}:heard",
        f"{resumed} == 1\nor\n({resumed} unless on () (max({resumed}) == 1))",
        "The processes whose levels count: those that are where the one before them was, or all while none is.",
    )


HEARD: Final = _heard()
"""A replica that reads the past again says what was so then: it raises nothing beside one that is up to date."""


def _said(metric: str) -> str:
    """A metric over the replicas that are heard."""
    return f"max without ({_TARGET}) ({metric} and on ({_TARGET}) {HEARD.name})"


_HAS_RESUMED: Final = f"max({metrics.RESUMED.scraped}) == 1"


def _held(name: str, said: str) -> str:
    """What stood when a monitor was last heard of, of that which it now says nothing of, or less.

    A monitor that goes on from its state says first what was known when that was written, which may be less.
    """
    return f"(\n  {name} > {said}\n  or\n  ({name} unless {said})\n)\n  unless on () ({_HAS_RESUMED})"


def _latched(name: str, said: str, stands: str = "") -> str:
    """What stands now, or stood when a monitor that is where it was last said anything of that label set."""
    return f"{_held(name, said)}\nor\n{said}{stands}"


def _level() -> Recording:
    name = f"signal:{metrics.SIGNAL_LEVEL.scraped}:latched"
    return Recording(
        name,
        _latched(name, _said(metrics.SIGNAL_LEVEL.scraped), " > 0"),
        "The level of each label set that is not calm; it stands while the monitor is away.",
    )


LEVEL: Final = _level()


def _beside_level(metric: str, help_: str) -> Recording:
    """What belongs to a level that stands, and stands as long."""
    name = f"signal:{metric}:latched"
    held = f"({name} and {LEVEL.name} > {_said(metrics.SIGNAL_LEVEL.scraped)})"
    return Recording(name, f"{held}\nor\n{_said(metric)}\nor\n({name} and {LEVEL.name})", help_)


SINCE: Final = _beside_level(
    metrics.SIGNAL_SINCE.scraped, "Since when a level has stood; it stands while the monitor is away."
)
CROSSED: Final = _beside_level(
    metrics.SIGNAL_CROSSED.scraped, "The threshold at which it was entered; it stands while the monitor is away."
)


def _rank() -> Recording:
    """Regimes as numbers, from 0, so that what is worse is more."""
    ranks = [
        f"{rank} * max({_said(selector(metrics.REGIME.scraped, {'regime': each}))} == 1)"
        for rank, each in reversed(list(enumerate(REGIMES)))
    ]
    return Recording(
        f"market:{metrics.REGIME.scraped}:rank",
        "\nor\n".join(ranks),
        f"The regime that is said now: {', '.join(f'{rank} {each}' for rank, each in enumerate(REGIMES))}.",
    )


RANK: Final = _rank()


def _rank_latched() -> Recording:
    name = f"{RANK.name}_latched"
    return Recording(name, _latched(name, RANK.name), "The same; it stands while the monitor is away.")


RANK_LATCHED: Final = _rank_latched()


def _regime() -> Recording:
    regimes = [
        f'label_replace({RANK_LATCHED.name} == bool {rank}, "regime", "{each}", "", "") == 1'
        for rank, each in enumerate(REGIMES)
    ]
    return Recording(
        f"regime:{metrics.REGIME.scraped}:latched",
        "\nor\n".join(regimes),
        "1 for the regime that it is; it stands while the monitor is away.",
    )


REGIME: Final = _regime()


def _regime_since() -> Recording:
    name = f"regime:{metrics.REGIME.scraped}:since"
    return Recording(
        name,
        f"({name} and {REGIME.name})\nor\n{REGIME.name} * on () group_left () max({metrics.CLOCK.scraped})",
        "The monitor's time at which Prometheus first saw the regime that it is.",
    )


REGIME_SINCE: Final = _regime_since()


def _segment_blind() -> Recording:
    name = f"segment:{metrics.SEGMENT_BLIND.scraped}:latched"
    return Recording(
        name,
        _latched(name, _said(metrics.SEGMENT_BLIND.scraped), " == 1"),
        "1 for each segment that is blind; it stands while the monitor is away.",
    )


SEGMENT_BLIND: Final = _segment_blind()


def _synthetic() -> Recording:
    name = f"monitor:{metrics.SYNTHETIC.scraped}:latched"
    return Recording(
        name,
        f"max({metrics.SYNTHETIC.scraped})\nor\n{name}",
        "1 if the events are made up; it stands while the monitor is away, so that nothing made up looks real then.",
    )


SYNTHETIC: Final = _synthetic()

LAG: Final = Recording(
    f"topic:{metrics.LAG.scraped}:sum",
    f"sum by (topic) ({metrics.LAG.scraped})",
    "Messages of a topic that wait.",
)


def _rejected() -> Recording:
    rejected, met = (
        f"sum by (stream) (increase({each.scraped}[{WINDOW}]))" for each in (metrics.REJECTED, metrics.EVENTS)
    )
    return Recording(
        f"stream:{metrics.REJECTED.name}:ratio_increase{WINDOW}",
        f"{rejected}\n/\n({rejected} + {met})",
        "The part of a stream's events that was refused in the last 5 minutes.",
    )


REJECTED: Final = _rejected()

RECORDING: Final = {
    each.name: each
    for each in (
        HEARD,
        LEVEL,
        SINCE,
        CROSSED,
        RANK,
        RANK_LATCHED,
        REGIME,
        REGIME_SINCE,
        SEGMENT_BLIND,
        SYNTHETIC,
        LAG,
        REJECTED,
    )
}
"""By name every recorded series, in the order of evaluation: each may read those above it, as of the same moment."""
