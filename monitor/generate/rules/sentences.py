"""What an alert says, as templates that Prometheus fills in.

The numbers come from what the monitor exports when the alert is evaluated, so an alert says what its value is now, and
not what it was when it fired. Numbers look as in `monitor/alerts/sentence.py`, which tells of transitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from monitor.generate.rules.recording import CROSSED, SINCE, SYNTHETIC
from monitor.results import Level
from monitor.signals.thresholds import Notify
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.signals.model import Signal

TIME_FORMAT: Final = "2006-01-02 15:04"
"""A minute, in Go's manner."""

_IS_SYNTHETIC: Final = f'query "{SYNTHETIC.name} == 1"'
MADE_UP_WORD: Final = "SYNTHETIC: "
MADE_UP: Final = f"{{{{ if {_IS_SYNTHETIC} }}}}{MADE_UP_WORD}{{{{ end -}}}}"
"""Before a sentence on what is made up."""
MADE_UP_TEXT: Final = " SYNTHETIC: the events are made up, and no number here is of a real market."
MADE_UP_AFTER: Final = f"{{{{ if {_IS_SYNTHETIC} }}}}{MADE_UP_TEXT}{{{{ end }}}}"
"""After a description of what is made up."""

UTC: Final = f'{{{{ (. | first | value | toTime).Format "{TIME_FORMAT}" }}}} UTC'
"""The time that a query within `with` gave."""

_WHOLE: Final = "(ge . 10.0) (le . -10.0)"
_NO_MINUS_ZERO: Final = 'reReplaceAll "^-(0|0[.]0)$" "$1"'
_COMMAS: Final = 'reReplaceAll "([0-9])([0-9]{3})([.]|$)" "$1,$2$3" | reReplaceAll "([0-9])([0-9]{3})," "$1,$2,"'

_MEANING: Final = {
    (Level.WARNING, Notify.NONE): "A warning that is shown and tells nobody.",
    (Level.WARNING, Notify.DESK): "A warning: the desk should know.",
    (Level.WARNING, Notify.ON_CALL): "A warning: the desk should know; critical would page on-call.",
    (Level.CRITICAL, Notify.NONE): "Critical, shown, and tells nobody.",
    (Level.CRITICAL, Notify.DESK): "Critical: the desk must act on it; it pages nobody.",
    (Level.CRITICAL, Notify.ON_CALL): "Critical: on-call must act on it now.",
}


def quantity_template(unit: str) -> str:
    """Defines `quantity`: a number with its unit and as many digits as mean something; a ratio comes in percent."""
    if unit == "32nds":
        number = '{{ printf "%.3g" . | reReplaceAll "^-0$" "0" }} 32nds'
    else:
        # Of a small number that is whole, or a percentage that is nearly so, no digit after the point means anything.
        is_whole = (
            'eq (printf "%.1f" .) (printf "%.0f.0" .)' if unit == "ratio" else 'eq (printf "%.0f" .) (printf "%g" .)'
        )
        commas = "" if unit == "ratio" else f" | {_COMMAS}"
        number = (
            '{{ $n := printf "%.1f" . -}}\n'
            f'{{{{ if or {_WHOLE} ({is_whole}) }}}}{{{{ $n = printf "%.0f" . }}}}{{{{ end -}}}}\n'
            f"{{{{ $n | {_NO_MINUS_ZERO}{commas} }}}} {'%' if unit == 'ratio' else unit}"
        )
    return f'{{{{ define "quantity" -}}}}\n{number}\n{{{{- end -}}}}'


def where_template(labels: tuple[str, ...]) -> str:
    """Sets `$where`: the matchers of the alert's label set; a label that it lacks is matched as lacking."""
    matchers = ",".join(f"{label}=%q" for label in labels)
    return f"{{{{ $where := printf `{matchers}`{''.join(f' $labels.{label}' for label in labels)} -}}}}"


def _selected(metric: str, more: str = "") -> str:
    return f"{metric}{{{more}%s}}"


def _query(expr: str) -> str:
    return f"query (printf `{expr}` $where)"


def summary(signal: Signal, level: Level) -> str:
    """One sentence: where, the value, the level, since when, the threshold.

    Args:
        signal: whose level it is.
        level: the alert's; that for warnings goes on while it is critical, and then says so.
    """
    factor = "100 * " if signal.unit == "ratio" else ""
    worst = "min" if signal.thresholds[0].low_is_bad else "max"
    value = f"{factor}{worst} without (instance, job) ({_selected(signal.metric)})"
    of_signal = f'signal="{signal.name}",'
    is_blind = f"{_selected(metrics.SIGNAL_BLIND.scraped, of_signal)} == 1"
    word = level.word if level is Level.CRITICAL else "{{ if eq $value 2.0 }}critical{{ else }}warning{{ end }}"
    return "\n".join([
        quantity_template(signal.unit),
        where_template(signal.labels),
        f"{MADE_UP}",
        f"{signal.title}{_at(signal.labels)}:",
        f'{{{{- with {_query(value)} }}}} {{{{ template "quantity" (. | first | value) }}}}',
        f"{{{{- else }}}}{{{{ if {_query(is_blind)} }}}} no sound data now",
        f'{{{{- else if query "max({metrics.READY.scraped}) == 1" }}}} no value now',
        "{{- else }} unknown while the monitor is away",
        f"{{{{- end }}}}{{{{ end }}}}, {word}",
        f"{{{{- with {_query(_selected(SINCE.name, of_signal))} }}}} since {UTC}{{{{ end }}}}",
        f"{{{{- with {_query(factor + _selected(CROSSED.name, of_signal))} }}}} (threshold",
        '{{- " " }}{{ template "quantity" (. | first | value) }}){{ end }}.',
    ])  # fmt: skip


def _at(labels: tuple[str, ...]) -> str:
    """The label set in words, after a space; nothing where it has no label."""
    if not labels:
        return ""
    if len(labels) == 1:
        return f"{{{{ with $labels.{labels[0]} }}}} {{{{ . }}}}{{{{ end }}}}"
    form = ", ".join(["%s"] * len(labels))
    values = "".join(f" $labels.{label}" for label in labels)
    present = f'printf "{form}"{values} | reReplaceAll "(, )+" ", " | reReplaceAll "^, |, $" ""'
    return f"{{{{ with {present} }}}} {{{{ . }}}}{{{{ end }}}}"


def description(signal: Signal, level: Level, notify: Notify) -> str:
    """What the signal tells, what the level means, and how the number is made."""
    return f"{signal.help} {_MEANING[level, notify]} Formula: {signal.formula}.{MADE_UP_AFTER}"


def score(signal: Signal) -> str:
    """How bad, 0 to 1, for putting the worst of a page first."""
    score_of = (
        _selected(f"max without (instance, job) ({metrics.SIGNAL_SCORE.scraped}", f'signal="{signal.name}",') + ")"
    )
    return (
        f"{where_template(signal.labels)}\n"
        f'{{{{ with {_query(score_of)} }}}}{{{{ . | first | value | printf "%.2f" }}}}'
        "{{ else }}unknown{{ end }}"
    )


def variables(labels: tuple[str, ...], names: Mapping[str, str]) -> str:
    """The part of a board's address that sets its variables to the label set.

    Args:
        labels: of the alert.
        names: by label the board's variable.

    >>> variables(("pair", "instrument"), {"instrument": "rate"})
    '{{ $mark := "?" }}{{ with $labels.instrument }}{{ $mark }}var-rate={{ urlquery . }}{{ $mark = "&" }}{{ end }}'
    >>> variables(("pair",), {"instrument": "rate"})
    ''
    """
    # Any of several may be lacking, so whichever comes first brings the question mark.
    chosen = [
        f"{{{{ with $labels.{label} }}}}{{{{ $mark }}}}var-{name}={{{{ urlquery . }}}}"
        '{{ $mark = "&" }}{{ end }}'
        for label, name in names.items()
        if label in labels
    ]
    return "".join(['{{ $mark := "?" }}', *chosen]) if chosen else ""
