"""The alerts on the monitor itself: whether what it says, or does not say, can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from monitor import streams
from monitor.generate.rules.market import KEEP_FIRING_FOR
from monitor.generate.rules.recording import LAG, REJECTED, SEGMENT_BLIND, WINDOW
from monitor.generate.rules.sentences import MADE_UP, UTC
from monitor.links import PIPELINE
from monitor.results import SEGMENTS
from monitor.signals.thresholds import Notify
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.generate.facts import Facts
    from monitor.links import Links

JOB: Final = "stress-monitor"
"""The scrape job of the monitor."""
MONITOR: Final = "monitor"
"""The segment of what is about the monitor itself."""

WARNING, CRITICAL, NONE = "warning", "critical", "none"
"""Severities."""

# Beyond these something is wrong, and not merely busy.
FEW_REJECTS: Final = 10
"""So many in the window at least: a single bad message is in the log, and wakes nobody."""
REJECTED_WARNING, REJECTED_CRITICAL = 0.01, 0.1
"""A hundredth is a producer with a fault; a tenth is a market that is seen in part."""
FEW_MISSING: Final = 10
"""So many messages of a feed within ten minutes at least: one that is lost now and then is in the log."""
LAG_RECORDS: Final = 1_000
"""Fewer are taken in a moment."""
SKEW_SECONDS: Final = streams.MAX_AHEAD_US / streams.MICROSECONDS_PER_SECOND / 2
"""Half of what an event may be ahead of its arrival before it is refused."""
RESTARTS: Final = 3
"""Within a quarter of an hour: one is an update, two an update put back."""


FUNDED: Final = ("treasury", "repo")
"""The segments in which a crunch is over before the others show it: on-call hears when one of them is not seen."""
BLIND_PAGES_AFTER: Final = "30m"
"""Off session nothing is blind, so these are minutes of the session."""


@dataclass(frozen=True, slots=True)
class OwnRule:
    """One severity of an alert.

    Attributes:
        severity: `critical`, `warning` or `none`.
        expr: PromQL.
        wait: for how long it must hold.
        summary: one sentence, as a template.
        labels: what tells it from another rule of the same alert and severity.
    """

    severity: str
    expr: str
    wait: str
    summary: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnAlert:
    """An alert on the monitor itself.

    Attributes:
        name: in CamelCase.
        tells: what it means, and what follows from it: its description.
        rules: the most severe first.
        labels: names of those that its expressions leave, or its rules have: they tell alerts of one name apart.
        needs_monitor: nothing can be said of it while the monitor is away, and nobody is told of it then.
        notify: who is told.
    """

    name: str
    tells: str
    rules: tuple[OwnRule, ...]
    labels: tuple[str, ...] = ()
    needs_monitor: bool = True
    notify: Notify = Notify.ON_CALL


def _first(expr: str, form: str) -> str:
    """A template: the value of a query of one series, as `form` prints it; nothing where it has none."""
    return f'{{{{ with query `{expr}` }}}}{{{{ . | first | value | printf "{form}" }}}}{{{{ end }}}}'


_UP: Final = f'up{{job="{JOB}"}}'
_NOT_READY: Final = f"max(max_over_time({metrics.READY.scraped}[1m])) == 0"
_NOT_UP: Final = (
    f"max by (source, state) ({metrics.SOURCE_STATE.scraped} == 1) unless on (source) {metrics.SOURCE_UP.scraped} == 1"
)
_WAITING: Final = _first(f"sum({LAG.name})", ", %.0f messages wait")
_NOT_READY_SUMMARY: Final = (
    "The monitor has not been ready for {WAIT}"
    f'{{{{ range query `{_NOT_UP}` }}}}, source {{{{ label "source" . }}}} is {{{{ label "state" . }}}}{{{{ end }}}}'
    f"{_WAITING}."
)

_TAKEN: Final = f"increase({metrics.EVENTS.scraped}[{WINDOW}])"
# Events of a stream whose newest time stands are late, or of one moment: they move no watermark. And while sources
# catch up ticks wait for the one that is behind: that is told by MonitorNotReady.
_STANDS: Final = (
    f"(\n"
    f"  sum by (stream) ({_TAKEN}) > 0\n"
    f"  and on (stream) max by (stream) (changes({metrics.WATERMARK.scraped}[{WINDOW}])) == 0\n"
    f"  unless on (stream) max by (stream) (changes({metrics.LAST_EVENT.scraped}[{WINDOW}])) == 0\n"
    f")\n"
    f"unless on () max({metrics.READY.scraped}) == 0"
)  # fmt: skip
_NOTHING_TAKEN: Final = (
    f"max by (topic) (min_over_time({LAG.name}[2m])) > 0\n"
    f"and on () (sum(increase({metrics.EVENTS.scraped}[2m])) + sum(increase({metrics.REJECTED.scraped}[2m]))) == 0"
)

_LOOP_STANDS: Final = f"max by (instance) (increase({metrics.TURNS.scraped}[2m])) == 0"

_REFUSED: Final = f"sum by (stream) (increase({metrics.REJECTED.scraped}[{WINDOW}]))"
_REFUSED_SUMMARY: Final = (
    "{{ $value | humanizePercentage }} of the events of {{ $labels.stream }} were refused in the last 5 minutes"
    f"{{{{ with query (printf `topk(1, sum by (reason) (increase({metrics.REJECTED.scraped}{{stream=%q}}[{WINDOW}])))`"
    " $labels.stream) }}"
    ', most of them (about {{ . | first | value | printf "%.0f" }}) as {{ . | first | label "reason" }}{{ end }}.'
)

# Every count of the last minutes is above every count of those before: a burst that is being taken is none.
_GROWS: Final = (
    f"last_over_time({LAG.name}[1m]) > {LAG_RECORDS}\n"
    f"and min_over_time({LAG.name}[4m]) > max_over_time({LAG.name}[5m] offset 5m)"
)  # fmt: skip
_GROWS_SUMMARY: Final = (
    '{{ $value | printf "%.0f" }} messages of {{ $labels.topic }} wait, and their number has only grown for {WAIT}.'
)

_REFUSED_AHEAD: Final = f'increase({metrics.REJECTED.scraped}{{reason="{streams.Reason.AHEAD_OF_ARRIVAL}"}}[{WINDOW}])'
_MISSING: Final = f"sum by (source) (increase({metrics.FEED_MISSING.scraped}[10m]))"
_DROPPED: Final = metrics.OUTBOX_DROPPED.scraped
# What is played has its own clock, which is not to be compared with the wall's.
_BY_THE_WALL: Final = f'{metrics.CLOCK_INFO.scraped}{{clock="{metrics.WALL}"}}'
_SKEW: Final = f"({metrics.CLOCK.scraped} - timestamp({metrics.CLOCK.scraped})) and on (instance, job) {_BY_THE_WALL}"


def _segment_blind(facts: Facts) -> Iterator[OwnRule]:
    """A rule a segment, for each knows its own headline signals."""
    for segment in SEGMENTS:
        names = "|".join(signal.name for signal in facts.signals if signal.segment == segment and signal.headline)
        if not names:
            continue
        of = f'{{signal=~"{names}"}}'
        blind, since = f"{metrics.SIGNAL_BLIND.scraped}{of}", f"{metrics.SIGNAL_BLIND_SINCE.scraped}{of}"
        counted = _first(f"count({blind} == 1)", ": %.0f") + _first(
            f"count({blind})", " of %.0f label sets of its headline signals have no sound data"
        )
        waits = [(WARNING, "1m")] if segment not in FUNDED else [(CRITICAL, BLIND_PAGES_AFTER), (WARNING, "1m")]
        for severity, wait in waits:
            yield OwnRule(
                severity,
                f'max({SEGMENT_BLIND.name}{{segment="{segment}"}})',
                wait,
                f"{MADE_UP}\nThe segment {segment} is blind"
                f"{{{{ with query `min({since})` }}}} since {UTC}{{{{ end }}}}{counted}; levels stay as they were.",
                {"segment": segment},
            )


def own_alerts(facts: Facts) -> tuple[OwnAlert, ...]:
    """All of them, in the order in which one looks."""
    return (
        OwnAlert(
            "Watchdog",
            "Always fires, to show that alerts arrive: what must hear from it every minute, and does not, has to "
            "raise the alarm itself, for then Prometheus or Alertmanager is gone.",
            (OwnRule(NONE, "vector(1)", "0s", "Alerts arrive: this one always fires."),),
            needs_monitor=False,
            notify=Notify.NONE,
        ),
        OwnAlert(
            "MonitorDown",
            "Prometheus gets no answer from the monitor. No market alert ends for that, and none can begin: what "
            "stands is what was known last.",
            (
                OwnRule(
                    CRITICAL, f"max({_UP}) == 0", "30s",
                    f"The monitor does not answer: none of {_first(f'count({_UP})', '%.0f')} is up.",
                ),
                OwnRule(
                    WARNING, f"{_UP} == 0 and on () max({_UP}) == 1", "30s",
                    f"The monitor at {{{{ $labels.instance }}}} does not answer; {_first(f'sum({_UP})', '%.0f')} "
                    f"of {_first(f'count({_UP})', '%.0f')} are up.",
                ),
            ),
            labels=("instance", "job"),
            needs_monitor=False,
        ),
        OwnAlert(
            "MonitorAbsent",
            f"Prometheus has no target of the job {JOB}, or what answers there is no monitor. No market alert can "
            "begin: nobody looks at the market.",
            (
                OwnRule(
                    CRITICAL, f"absent({metrics.RESUMED.scraped}) unless on () max({_UP}) == 0", "1m",
                    f"No monitor is scraped: {{{{ if query `{_UP}` }}}}what answers for the job {JOB} evaluates no "
                    f"signal{{{{ else }}}}the job {JOB} has no target{{{{ end }}}}.",
                ),
            ),
            needs_monitor=False,
        ),
        OwnAlert(
            "MonitorRestarting",
            "The monitor starts again and again. Market alerts stand meanwhile, but what happens between two starts "
            "is told late. Its log says why it ended.",
            (
                OwnRule(
                    WARNING, f'max(changes(process_start_time_seconds{{job="{JOB}"}}[15m])) >= {RESTARTS}', "0s",
                    'The monitor was started {{ $value | printf "%.0f" }} times within 15 minutes.',
                ),
            ),
        ),
        OwnAlert(
            "MonitorNotReady",
            "A source is not connected, or is still read up to where it is now: levels are those of an earlier time.",
            (
                OwnRule(CRITICAL, _NOT_READY, "30m", _NOT_READY_SUMMARY.replace("{WAIT}", "30 minutes")),
                OwnRule(WARNING, _NOT_READY, "5m", _NOT_READY_SUMMARY.replace("{WAIT}", "5 minutes")),
            ),
        ),
        OwnAlert(
            "MonitorStuck",
            "Events arrive and nothing comes of them: the watermark of a stream stands, so no tick is run and no level "
            "can change, or messages wait and none is taken, or the program itself stands still. A stream that is "
            "merely silent is not meant.",
            (
                OwnRule(
                    CRITICAL, _LOOP_STANDS, "30s",
                    "The monitor at {{ $labels.instance }} answers, and has done nothing for more than 2 minutes: what "
                    "it shows is of then.",
                    {"stands": "loop"},
                ),
                OwnRule(
                    CRITICAL, _STANDS, "1m",
                    'About {{ $value | printf "%.0f" }} events of {{ $labels.stream }} came in 5 minutes, and its '
                    "watermark stands"
                    f"{{{{ with query (printf `max(max_over_time({metrics.WATERMARK.scraped}{{stream=%q}}[{WINDOW}]))`"
                    f" $labels.stream) }}}} at {UTC}{{{{ end }}}}.",
                    {"stands": "watermark"},
                ),
                OwnRule(
                    CRITICAL, _NOTHING_TAKEN, "5m",
                    '{{ $value | printf "%.0f" }} messages of {{ $labels.topic }} or more wait, and none of any topic '
                    "was taken in 5 minutes.",
                    {"stands": "intake"},
                ),
            ),
            labels=("stands", "stream", "topic", "instance"),
        ),
        OwnAlert(
            "SegmentBlind",
            "The input of a headline signal of the segment is lost, stale or repeated. Blind is not calm: what is not "
            "seen has no value, and keeps its level until fresh data comes.",
            tuple(_segment_blind(facts)),
            labels=("segment",),
        ),
        OwnAlert(
            "RejectsHigh",
            "Events break their contract and do not count. They are kept with their reasons, and can be put back by "
            "`stress-monitor redrive` when the fault is mended.",
            (
                OwnRule(
                    CRITICAL, f"{REJECTED.name} >= {REJECTED_CRITICAL:g}\nand on (stream) {_REFUSED} >= {FEW_REJECTS}",
                    "1m", _REFUSED_SUMMARY,
                ),
                OwnRule(
                    WARNING, f"{REJECTED.name} >= {REJECTED_WARNING:g}\nand on (stream) {_REFUSED} >= {FEW_REJECTS}",
                    "1m", _REFUSED_SUMMARY,
                ),
            ),
            labels=("stream",),
        ),
        OwnAlert(
            "FeedMissing",
            "By the numbers that the feed itself gives, some of what it sent never came. Quotes and trades that are "
            "missing make a market look calmer, or emptier, than it is.",
            (
                OwnRule(
                    WARNING, f"{_MISSING} >= {FEW_MISSING}", "0s",
                    'About {{ $value | printf "%.0f" }} messages of the feed {{ $labels.source }} never came, in 10 '
                    "minutes.",
                ),
            ),
            labels=("source",),
        ),
        OwnAlert(
            "ConsumerLagGrowing",
            "More comes in than the monitor takes, so what it says is older with every minute.",
            (
                OwnRule(CRITICAL, _GROWS, "30m", _GROWS_SUMMARY.replace("{WAIT}", "40 minutes")),
                OwnRule(WARNING, _GROWS, "0s", _GROWS_SUMMARY.replace("{WAIT}", "10 minutes")),
            ),
            labels=("topic",),
        ),
        OwnAlert(
            "ClockSkew",
            "Two clocks that must agree do not. Events more than "
            f"{streams.MAX_AHEAD_US // streams.MICROSECONDS_PER_SECOND} s ahead of their arrival are refused, and ages "
            "are wrong by as much.",
            (
                OwnRule(
                    WARNING,
                    f"max(abs({_SKEW})) > {SKEW_SECONDS:g}",
                    "2m",
                    'The clocks of the monitor and of Prometheus are {{ $value | printf "%.1f" }} s apart.',
                    {"clock": "monitor"},
                ),
                OwnRule(
                    WARNING,
                    f"sum by (stream) ({_REFUSED_AHEAD}) >= {FEW_REJECTS}",
                    "0s",
                    'About {{ $value | printf "%.0f" }} events of {{ $labels.stream }} were refused in 5 minutes, for '
                    "they were ahead of their arrival: the clock of their producer, or of this host, is wrong.",
                    {"clock": "producer"},
                ),
            ),
            labels=("clock", "stream"),
        ),
        OwnAlert(
            "SeriesDropped",
            "A signal has more label sets than are exported, so some are on no board and in no alert. It ends with a "
            "restart of the monitor.",
            (
                OwnRule(
                    WARNING, f"sum by (signal) ({metrics.SERIES_DROPPED.scraped}) > 0", "0s",
                    "Not all of {{ $labels.signal }} is shown: it has more than the "
                    f"{_first(f'max({metrics.SERIES_LIMIT.scraped})', '%.0f ')}label sets that are exported, "
                    'and {{ $value | printf "%.0f" }} steps were left out.',
                ),
            ),
            labels=("signal",),
        ),
        OwnAlert(
            "StateNotWritable",
            "The monitor cannot write its durable state. It goes on, but after a restart it would begin where it could "
            "last write. The disk may be full.",
            (
                OwnRule(CRITICAL, _unwritable(), "15m", _unwritable_summary("15 minutes")),
                OwnRule(WARNING, _unwritable(), "1m", _unwritable_summary("a minute")),
            ),
        ),
        OwnAlert(
            "OutboxDropping",
            "Messages for other programs will never arrive: what reads them has gaps. The monitor's own levels are "
            "right.",
            (
                OwnRule(
                    # A counter begins with its first drop, which is no increase yet.
                    WARNING,
                    f"sum by (sink) (increase({_DROPPED}[10m])) > 0\n"
                    f"or sum by (sink) ({_DROPPED}) > 0 unless on (sink) sum by (sink) ({_DROPPED} offset 10m)",
                    "0s",
                    'About {{ $value | printf "%.0f" }} messages of {{ $labels.sink }} were lost in 10 minutes.',
                ),
            ),
            labels=("sink",),
        ),
    )  # fmt: skip


def _unwritable() -> str:
    return f"min(max_over_time({metrics.STATE_WRITABLE.scraped}[1m])) == 0"


def _unwritable_summary(wait: str) -> str:
    return f"The state of the monitor could not be written for {wait}."


def own_rules(facts: Facts) -> list[dict[str, Any]]:
    """All rules, by alert."""
    return [rule for alert in own_alerts(facts) for rule in _of_alert(alert, facts.links)]


def _of_alert(alert: OwnAlert, links: Links) -> Iterator[dict[str, Any]]:
    for rule in alert.rules:
        yield {
            "alert": alert.name,
            "expr": rule.expr,
            "for": rule.wait,
            "keep_firing_for": KEEP_FIRING_FOR,
            "labels": {"severity": rule.severity, "segment": MONITOR, "notify": str(alert.notify), **rule.labels},
            "annotations": {
                "summary": rule.summary,
                "description": alert.tells,
                "runbook_url": links.runbook(alert.name),
                "dashboard_url": links.board(PIPELINE),
            },
        }
