"""What each market alert goes through in the unit tests: the same life for every signal, with its own numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.alerts.sentence import quantity
from monitor.generate.rules.cases import Fires, Phase, Story, selector, utc
from monitor.generate.rules.market import STRESS_REGIME, levels_of
from monitor.generate.rules.sentences import MADE_UP_AFTER, MADE_UP_TEXT, description
from monitor.links import BOARD_OF_SEGMENT, OVERVIEW, VARIABLES
from monitor.results import REGIMES, SEGMENTS, Level
from monitor.signals.thresholds import Notify
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.generate.facts import Facts
    from monitor.signals.model import Signal

_TARGET: Final = {"instance": "127.0.0.1:9464", "job": "stress-monitor"}
_SAMPLES: Final = {
    "instrument": "SOFR", "window": "30m", "theme": "ai", "sector": "Tech & Media", "entity": "AT&T Inc", "tenor": "5y",
    "series": "IG_OAS",
}  # fmt: skip

_WARNED: Final = 1_568_635_200  # 2019-09-16 12:00 UTC
_WORSE: Final = _WARNED + 1_800
_BETTER: Final = _WARNED + 7_200

BLIND: Final = "no sound data now"
NO_VALUE: Final = "no value now"
AWAY: Final = "unknown while the monitor is away"


@dataclass(frozen=True, slots=True)
class _State:
    """What the monitor shows of a label set, or, with None, does not."""

    level: int | None = None
    value: float | None = None
    since: float | None = None
    threshold: float | None = None
    blind: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A signal's, in the order in which it gets worse."""

    warning: float
    critical: float

    @classmethod
    def of(cls, signal: Signal) -> _Numbers:
        row = signal.thresholds[0]
        edges = [edge.enter for edge in (row.warning, row.critical) if edge is not None]
        return cls(edges[0], edges[-1])

    def states(self, signal: Signal) -> dict[str, _State]:
        """By name what the monitor shows."""
        past = 1.0 + 0.0371 * (-1 if signal.thresholds[0].low_is_bad else 1)
        levels = levels_of(signal)
        warned = _State(1, self.warning * past, _WARNED, self.warning, 0, 0.55)
        worse = _State(2, self.critical * past, _WORSE, self.critical, 0, 0.95)
        if Level.WARNING not in levels:
            warned = _State(0, self.warning, None, None, 0, 0.3)
        if Level.CRITICAL not in levels:
            worse = warned
        better = _State(warned.level, warned.value, _BETTER if warned.level else None, warned.threshold, 0, 0.55)
        return {
            "calm": _State(0, 0.0, None, None, 0, 0.0),
            "warning": warned,
            "critical": worse,
            "better": better,
            "blind": _State(better.level, None, better.since, better.threshold, 1, None),
            "absent": _State(better.level, None, better.since, better.threshold, 0, None),
            "away": _State(),
        }


@dataclass(frozen=True, slots=True)
class _Look:
    """At a scrape: the state that is told, and what is said in place of its value."""

    step: int
    told: str | None
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class _Life:
    """Phases of a label set, of the monitor, and when to look.

    Attributes:
        name: what happens.
        phases: (scrapes, state).
        ready: (scrapes, monitor_ready).
        looks: what is told when.
        synthetic: whether the events are made up.
        resumed: (scrapes, monitor_resumed), if it is not as `ready`.
        has_one_label: whether the label set has its first label only.
    """

    name: str
    phases: Sequence[tuple[int, str]]
    ready: Sequence[Phase]
    looks: Sequence[_Look]
    synthetic: bool = False
    resumed: Sequence[Phase] | None = None
    has_one_label: bool = False

    @property
    def synthetic_phases(self) -> list[Phase]:
        """The gauge that says so."""
        return [(count, None if value is None else int(self.synthetic)) for count, value in self.ready]


LIVES: Final = (
    _Life(
        "calm, warning, critical, a missed scrape, the monitor down for seven minutes, back and catching up, as "
        "before, warning, blind, absent, calm",
        [
            (3, "calm"), (3, "warning"), (3, "critical"), (1, "away"), (2, "critical"), (14, "away"), (3, "away"),
            (2, "critical"), (5, "better"), (2, "blind"), (2, "absent"), (5, "calm"),
        ],
        [(9, 1), (1, None), (2, 1), (14, None), (3, 0), (16, 1)],
        looks=[
            _Look(2, None), _Look(5, "warning"), _Look(8, "critical"), _Look(9, "critical", AWAY),
            _Look(24, "critical", AWAY), _Look(28, "critical", AWAY), _Look(30, "critical"), _Look(34, "better"),
            _Look(37, "blind", BLIND), _Look(39, "absent", NO_VALUE), _Look(44, None),
        ],
    ),
    _Life(
        "made up; the monitor goes down and comes back calm",
        [(2, "critical"), (12, "away"), (5, "calm")],
        [(2, 1), (12, None), (5, 1)],
        looks=[_Look(1, "critical"), _Look(13, "critical", AWAY), _Look(18, None)],
        synthetic=True,
    ),
    _Life(
        "a source goes away for good, and what the monitor says of the others counts all the same",
        [(2, "critical"), (4, "critical"), (5, "calm")],
        [(2, 1), (9, 0)],
        looks=[_Look(1, "critical"), _Look(5, "critical"), _Look(10, None)],
        resumed=[(11, 1)],
    ),
    _Life(
        "of a label set with one label; the monitor goes down, and when it is ready again knows nothing of it",
        [(2, "critical"), (12, "away"), (2, "away"), (5, "away")],
        [(2, 1), (12, None), (2, 0), (5, 1)],
        looks=[_Look(15, "critical", AWAY), _Look(17, "critical", AWAY), _Look(20, None)],
        has_one_label=True,
    ),
)  # fmt: skip


def label_set(signal: Signal, *, has_one_label: bool) -> dict[str, str]:
    """With all labels, or with the first alone, as where a label set lacks the others."""
    every = {label: _SAMPLES.get(label, f"some {label}") for label in signal.labels}
    return dict(list(every.items())[:1]) if has_one_label else every


def segment_stories(segment: str, facts: Facts) -> list[Story]:
    """The lives of all signals of a segment."""
    signals = [signal for signal in facts.signals if signal.segment == segment and signal.thresholds]
    return [_story(life, signals, facts) for life in LIVES]


def _story(life: _Life, signals: Sequence[Signal], facts: Facts) -> Story:
    story = Story(life.name)
    story.series[selector(metrics.READY.scraped, _TARGET)] = life.ready
    story.series[selector(metrics.RESUMED.scraped, _TARGET)] = life.resumed or life.ready
    story.series[selector(metrics.SYNTHETIC.scraped, _TARGET)] = life.synthetic_phases
    for signal in signals:
        states = _Numbers.of(signal).states(signal)
        labels = label_set(signal, has_one_label=life.has_one_label)
        _add_series(story, signal, labels | _TARGET, [(count, states[name]) for count, name in life.phases])
        for look in life.looks:
            state = states[look.told] if look.told else None
            fires = [
                _fires(signal, level, labels, state, look.instead, facts, synthetic=life.synthetic)
                for level in levels_of(signal)
                if state and state.level and state.level >= level
            ]
            story.looks.append((look.step, signal.alert, fires))
    return story


def _add_series(story: Story, signal: Signal, labels: Mapping[str, str], phases: Sequence[tuple[int, _State]]) -> None:
    of_signal = {"signal": signal.name, **labels}
    shown = {
        selector(signal.metric, labels): "value",
        selector(metrics.SIGNAL_LEVEL.scraped, of_signal): "level",
        selector(metrics.SIGNAL_BLIND.scraped, of_signal): "blind",
        selector(metrics.SIGNAL_SCORE.scraped, of_signal): "score",
        selector(metrics.SIGNAL_SINCE.scraped, of_signal): "since",
        selector(metrics.SIGNAL_CROSSED.scraped, of_signal): "threshold",
    }
    for name, what in shown.items():
        story.series[name] = [(count, getattr(state, what)) for count, state in phases]


def _fires(
    signal: Signal,
    level: Level,
    labels: Mapping[str, str],
    state: _State,
    instead: str | None,
    facts: Facts,
    *,
    synthetic: bool,
) -> Fires:
    assert state.since is not None  # noqa: S101
    assert state.threshold is not None  # noqa: S101
    said = instead or quantity(state.value or 0.0, signal.unit)
    where = f"{signal.title} {', '.join(labels.values())}".strip()
    notify = signal.notify or Notify.NONE
    uid = BOARD_OF_SEGMENT[signal.segment]
    variables = {name: labels[label] for label, name in VARIABLES[uid].items() if label in labels}
    return Fires(
        {
            "signal": signal.name, **labels, "severity": level.word, "segment": signal.segment, "notify": str(notify),
        },
        {
            "summary": f"{'SYNTHETIC: ' if synthetic else ''}{where}: {said}, {Level(state.level or 0).word} since "
            f"{utc(state.since)} (threshold {quantity(state.threshold, signal.unit)}).",
            "description": description(signal, level, notify).replace(
                MADE_UP_AFTER, MADE_UP_TEXT if synthetic else ""
            ),
            "runbook_url": facts.links.runbook(signal.alert),
            "dashboard_url": facts.links.board(uid, **variables),
            "score": "unknown" if instead or state.score is None else f"{state.score:.2f}",
        },
    )  # fmt: skip


_INDEX: Final = {"calm": 0.05, "stressed": 0.31, "crisis": 0.52}
_DESCRIBED: Final = {
    Level.WARNING: "How bad it is in all segments, and how much of it at once, from 0 to 1. Stressed: several segments "
    "are bad together; the desk should know.",
    Level.CRITICAL: "How bad it is in all segments, and how much of it at once, from 0 to 1. A crisis: most of the "
    "market is bad together; on-call must act on it now.",
}


def regime_story(facts: Facts) -> Story:
    """The regime: stressed, a crisis, the monitor down, back from an old state, as before, capped at stressed, calm."""
    regimes: list[tuple[int, str | None]] = [
        (3, "calm"), (3, "stressed"), (3, "crisis"), (1, None), (2, "crisis"), (14, None), (4, "calm"), (2, "crisis"),
        (5, "stressed"), (5, "calm"),
    ]  # fmt: skip
    story = Story(
        "calm, stressed, a crisis, a missed scrape, the monitor down for seven minutes, back where it was calm, as "
        "before, capped, calm"
    )

    def add(metric: str, phases: Sequence[Phase], **labels: str) -> None:
        story.series[selector(metric, {**labels, **_TARGET})] = phases

    for regime in REGIMES:
        add(metrics.REGIME.scraped, [(n, None if r is None else int(r == regime)) for n, r in regimes], regime=regime)
    up = [(n, None if r is None else 1) for n, r in regimes]
    add(metrics.READY.scraped, up)
    add(metrics.RESUMED.scraped, [(9, 1), (1, None), (2, 1), (14, None), (4, 0), (12, 1)])
    add(metrics.SYNTHETIC.scraped, [(n, v and 0) for n, v in up])
    add(metrics.INDEX.scraped, [(n, None if r is None else _INDEX[r]) for n, r in regimes])
    add(metrics.INDEX_LOW.scraped, [(n, v and 0.2) for n, v in up])
    add(metrics.INDEX_HIGH.scraped, [(n, v and 0.7) for n, v in up])
    add(metrics.COVERAGE.scraped, [(n, v and 0.85) for n, v in up])
    add(metrics.CLOCK.scraped, [(n, v and _WARNED) for n, v in up])
    add(metrics.REGIME_CAPPED.scraped, [(32, 0), (5, 1), (5, 0)])
    for segment, part in zip(SEGMENTS, (0.1, 0.3, 0.05, 0.0, 0.07), strict=True):
        add(metrics.CONTRIBUTION.scraped, [(n, v and part) for n, v in up], segment=segment)

    seen = "Of it repo 0.30, treasury 0.10, credit 0.07, newissue 0.05, cds 0.00. Were all that is absent calm, it "
    seen += "would be 0.20, and at its worst 0.70."

    def fires(
        level: Level, regime: str, *, away: bool = False, capped: bool = False, index: str | None = None
    ) -> Fires:
        number = AWAY if away else f"{_INDEX[index or regime]:.2f}"
        tail = "" if away else ", coverage 85 %"
        tail += "; too little is seen for a crisis" if capped else ""
        return Fires(
            {"severity": level.word, "segment": "market", "notify": "on-call"},
            {
                "summary": f"Market stress index: {number}, {regime} since at least {utc(_WARNED)}{tail}.",
                "description": _DESCRIBED[level] + ("" if away else f" {seen}"),
                "runbook_url": facts.links.runbook(STRESS_REGIME),
                "dashboard_url": facts.links.board(OVERVIEW),
                "score": "unknown" if away else f"{_INDEX[index or regime]:.2f}",
            },
        )

    def look(step: int, *alerts: Fires) -> None:
        story.looks.append((step, STRESS_REGIME, list(alerts)))

    both = Level.WARNING, Level.CRITICAL
    look(2)
    look(5, fires(Level.WARNING, "stressed"))
    look(8, *(fires(level, "crisis") for level in both))
    look(9, *(fires(level, "crisis", away=True) for level in both))
    look(24, *(fires(level, "crisis", away=True) for level in both))
    for step in (27, 29):
        look(step, *(fires(level, "crisis", index="calm") for level in both))
    look(31, *(fires(level, "crisis") for level in both))
    look(36, fires(Level.WARNING, "stressed", capped=True))
    look(41)
    return story


def replica_story(facts: Facts) -> Story:
    """Two monitors, of which one reads the past again; then it is alone."""
    signal = next(each for each in facts.signals if Level.CRITICAL in levels_of(each))
    story = Story("a replica reads of an old crisis beside one that is up to date and calm; then it is alone")
    labels = label_set(signal, has_one_label=False)
    states = _Numbers.of(signal).states(signal)
    for instance, phases in (
        ("a:9464", [(10, "calm"), (10, "away")]),
        ("b:9464", [(3, "away"), (17, "critical")]),
    ):
        target = {**_TARGET, "instance": instance}
        is_there: list[Phase] = [(count, None if name == "away" else int(name == "calm")) for count, name in phases]
        story.series[selector(metrics.READY.scraped, target)] = is_there
        story.series[selector(metrics.RESUMED.scraped, target)] = is_there
        _add_series(story, signal, labels | target, [(count, states[name]) for count, name in phases])
    alone = [
        _fires(signal, level, labels, states["critical"], None, facts, synthetic=False) for level in levels_of(signal)
    ]
    story.looks += [(8, signal.alert, []), (14, signal.alert, alone)]
    return story
