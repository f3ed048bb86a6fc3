"""The alerts on the market: one a signal and severity, on the monitor's own level, and one on the regime.

No rule compares a value with a threshold: the monitor has done that, with holds, calendar and exits, and nobody else
may come to another answer. Nor does a rule wait (`for`): a level has waited already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.generate.rules import sentences
from monitor.generate.rules.recording import LEVEL, REGIME, REGIME_SINCE
from monitor.links import BOARD_OF_SEGMENT, OVERVIEW, VARIABLES
from monitor.results import REGIMES, Level
from monitor.signals.thresholds import Notify
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.generate.facts import Facts
    from monitor.links import Links
    from monitor.signals.model import Signal

KEEP_FIRING_FOR: Final = "1m"
"""Four scrapes of Prometheus' usual 15 s: what is missed for so long resolves nothing."""
STRESS_REGIME: Final = "StressRegime"
MARKET: Final = "market"
"""The segment of what is about all of them."""

_STRESSED, _CRISIS = REGIMES[2:]


def levels_of(signal: Signal) -> list[Level]:
    """The levels that a signal can have, the least first."""
    edges = {Level.WARNING: "warning", Level.CRITICAL: "critical"}
    return [level for level, edge in edges.items() if any(getattr(row, edge) is not None for row in signal.thresholds)]


def market_rules(facts: Facts) -> list[dict[str, Any]]:
    """All of them, by signal, then the regime."""
    return [rule for signal in facts.signals for rule in _of_signal(signal, facts.links)] + list(
        _of_regime(facts.links)
    )


def _of_signal(signal: Signal, links: Links) -> Iterator[dict[str, Any]]:
    notify = signal.notify or Notify.NONE  # of rows that differ the loudest: a rule cannot tell a label set's row
    uid = BOARD_OF_SEGMENT[signal.segment]
    board = links.board(uid) + sentences.variables(signal.labels, VARIABLES[uid])
    for level in levels_of(signal):
        compared = f"== {level:d}" if level is Level.CRITICAL else f">= {level:d}"
        yield {
            "alert": signal.alert,
            "expr": f'{LEVEL.name}{{signal="{signal.name}"}} {compared}',
            "for": "0s",
            "keep_firing_for": KEEP_FIRING_FOR,
            "labels": {"severity": level.word, "segment": signal.segment, "notify": str(notify)},
            "annotations": {
                "summary": sentences.summary(signal, level),
                "description": sentences.description(signal, level, notify),
                "runbook_url": links.runbook(signal.alert),
                "dashboard_url": board,
                "score": sentences.score(signal),
            },
        }


def _of_regime(links: Links) -> Iterator[dict[str, Any]]:
    crisis, stressed = (f'{REGIME.name}{{regime="{regime}"}}' for regime in (_CRISIS, _STRESSED))
    exprs = {
        Level.WARNING: f"max without (regime) ({crisis} * {Level.CRITICAL:d} or {stressed})",
        Level.CRITICAL: f"max without (regime) ({crisis} * {Level.CRITICAL:d})",
    }
    for level, expr in exprs.items():
        yield {
            "alert": STRESS_REGIME,
            "expr": expr,
            "for": "0s",
            "keep_firing_for": KEEP_FIRING_FOR,
            "labels": {"severity": level.word, "segment": MARKET, "notify": str(Notify.ON_CALL)},
            "annotations": {
                "summary": _REGIME_SUMMARY,
                "description": _REGIME_DESCRIPTION[level],
                "runbook_url": links.runbook(STRESS_REGIME),
                "dashboard_url": links.board(OVERVIEW),
                "score": _REGIME_SCORE,
            },
        }


_HUNDREDTHS: Final = '{{ . | first | value | printf "%.2f" }}'
_REGIME_SCORE: Final = (
    f'{{{{ with query "max({metrics.INDEX.scraped})" }}}}{_HUNDREDTHS}{{{{ else }}}}unknown{{{{ end }}}}'
)
_REGIME_SUMMARY: Final = "\n".join([
    f'{{{{ $regime := "{_STRESSED}" -}}}}',
    f'{{{{ if eq $value {Level.CRITICAL:d}.0 }}}}{{{{ $regime = "{_CRISIS}" }}}}{{{{ end -}}}}',
    sentences.MADE_UP,
    "Market stress index:",
    f'{{{{- with query "max({metrics.INDEX.scraped})" }}}} {_HUNDREDTHS}',
    f'{{{{- else }}}}{{{{ if query "max({metrics.READY.scraped}) == 1" }}}} no value now',
    "{{- else }} unknown while the monitor is away",
    "{{- end }}{{ end }}, {{ $regime }}",
    f"{{{{- with query (printf `{REGIME_SINCE.name}{{regime=%q}}` $regime) }}}} since at least {sentences.UTC}",
    f'{{{{- end }}}}{{{{ with query "100 * max({metrics.COVERAGE.scraped})" }}}}, coverage',
    '{{- . | first | value | printf " %.0f" }} %',
    f'{{{{- end }}}}{{{{ if query "max({metrics.REGIME_CAPPED.scraped}) == 1" }}}}; too little is seen for a crisis',
    "{{- end }}.",
])  # fmt: skip
_WHY: Final = "\n".join([
    f'{{{{- with query "sort_desc(max without (instance, job) ({metrics.CONTRIBUTION.scraped}))" }}}} Of it',
    '{{- range $i, $part := . }}{{ if $i }},{{ end }} {{ label "segment" $part }} {{ value $part | printf "%.2f" }}',
    "{{- end }}.{{ end }}",
    f'{{{{- with query "max({metrics.INDEX_LOW.scraped})" }}}} Were all that is absent calm, it would be {_HUNDREDTHS}',
    f'{{{{- with query "max({metrics.INDEX_HIGH.scraped})" }}}}, and at its worst {_HUNDREDTHS}',
    "{{- end }}.{{ end }}",
])  # fmt: skip
_TELLS: Final = "How bad it is in all segments, and how much of it at once, from 0 to 1."
_REGIME_DESCRIPTION: Final = {
    level: f"{_TELLS} {meaning}\n{_WHY}{sentences.MADE_UP_AFTER}"
    for level, meaning in {
        Level.WARNING: "Stressed: several segments are bad together; the desk should know.",
        Level.CRITICAL: "A crisis: most of the market is bad together; on-call must act on it now.",
    }.items()
}
