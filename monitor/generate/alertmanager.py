"""Routes, grouping and inhibition for Alertmanager, and the text of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.generate.rules.layout import as_yaml
from monitor.generate.rules.market import MARKET, STRESS_REGIME
from monitor.generate.rules.own import CRITICAL, MONITOR, WARNING, own_alerts
from monitor.generate.rules.sentences import MADE_UP_WORD
from monitor.links import ON_CALL
from monitor.markdown import MADE
from monitor.results import SEGMENTS
from monitor.signals import label_names
from monitor.signals.thresholds import Notify

if TYPE_CHECKING:
    from monitor.generate.facts import Facts

WEBHOOKS: Final = "http://127.0.0.1:9095"
"""Where the examples send to."""
PAGER, DESK, OPERATORS, DEAD_MANS_SWITCH, NOBODY = "pager", "desk", "operators", "dead-mans-switch", "nobody"
"""The receivers."""

TEMPLATES: Final = "market.tmpl"
MOST_LINES: Final = 10
"""A page of more alerts counts the rest: nobody reads them on a telephone."""
_AWAY: Final = ("MonitorDown", "MonitorAbsent")
_NOT_SAID: Final = ("alertname", "signal", "severity", "segment", "notify")
"""Labels that do not say which instrument or name it is."""
_FOLDER: Final = "deploy/alertmanager"


def files(facts: Facts) -> dict[str, str]:
    """Path from the project's root, and text."""
    return {
        f"{_FOLDER}/alertmanager.yml": as_yaml(
            settings(facts),
            "Who is told of what, and how often. The receivers are examples: docs/alerting.md says how to put your own",
            "in their place. amtool check-config alertmanager.yml",
        ),
        f"{_FOLDER}/{TEMPLATES}": page_text(facts),
    }


def settings(facts: Facts) -> dict[str, Any]:
    """The settings of Alertmanager."""
    return {
        "templates": [TEMPLATES],
        "route": _routes(),
        "inhibit_rules": _inhibitions(facts),
        "receivers": _receivers(),
    }


def _is(label: str, value: str) -> str:
    return f'{label}="{value}"'


def _routes() -> dict[str, Any]:
    pages = [_is("severity", CRITICAL), _is("notify", Notify.ON_CALL)]
    return {
        "receiver": DESK,
        "# Warnings, and what is for the desk only: a message a segment, for that is how desks are made up.": None,
        "group_by": ["segment"],
        "# What belongs together comes within seconds; what joins later can wait for ten minutes.": None,
        "group_wait": "30s",
        "group_interval": "10m",
        "# Once a shift, for what is forgotten.": None,
        "repeat_interval": "12h",
        "routes": [
            {
                "receiver": DEAD_MANS_SWITCH,
                "# Every minute: who hears nothing for a few has to raise the alarm. The group is looked at": None,
                "# every minute, and told again if the last time is longer ago than the interval: it is shorter.": None,
                "matchers": [_is("alertname", "Watchdog")],
                "group_by": ["alertname"],
                "group_wait": "0s",
                "group_interval": "1m",
                "repeat_interval": "50s",
            },
            {
                "receiver": NOBODY,
                "# Shown on the boards, and told to nobody.": None,
                "matchers": [_is("notify", Notify.NONE)],
            },
            {
                "receiver": PAGER,
                "# The monitor itself: a page of its own, for others mend it; again every hour, for while it is": None,
                "# away nobody looks at the market.": None,
                "matchers": [*pages, _is("segment", MONITOR)],
                "group_by": ["segment"],
                "group_wait": "15s",
                "group_interval": "5m",
                "repeat_interval": "1h",
            },
            {
                "receiver": OPERATORS,
                "# What is wrong with the monitor and wakes nobody: for those who run it.": None,
                "matchers": [_is("segment", MONITOR)],
                "group_by": ["segment"],
                "group_wait": "30s",
                "group_interval": "10m",
                "repeat_interval": "12h",
            },
            {
                "receiver": PAGER,
                "# One group for the whole market: all of these are critical, so a crisis is one page, whatever": None,
                "# number of issues and names it has. Fifteen seconds gather what one tick brings; what joins is": None,
                "# told within five minutes, and what stands every four hours. A pager that adds to an incident": None,
                "# which somebody has acknowledged, and then calls nobody, needs the segment in group_by, too.": None,
                "matchers": pages,
                "group_by": ["severity"],
                "group_wait": "15s",
                "group_interval": "5m",
                "repeat_interval": "4h",
            },
        ],
    }


def _inhibitions(facts: Facts) -> list[dict[str, Any]]:
    own = own_alerts(facts)
    labels = dict.fromkeys(("alertname", "signal", *label_names(facts.signals)))
    labels |= dict.fromkeys(label for alert in own for label in alert.labels)
    hidden = "|".join(alert.name for alert in own if alert.needs_monitor)
    return [
        {
            "source_matchers": [_is("severity", CRITICAL)],
            "# A critical alert hides its own warning, of the same label set. A label that neither has counts as": None,
            "# equal, so every label that tells alerts of one name apart must stand here.": None,
            "target_matchers": [_is("severity", WARNING)],
            "equal": list(labels),
        },
        {
            "source_matchers": [f'alertname=~"{"|".join(_AWAY)}"', _is("severity", CRITICAL)],
            "# While the monitor is away all else that is wrong with it follows from that. No market alert is": None,
            "# hidden: what stood then still stands.": None,
            "target_matchers": [f'alertname=~"{hidden}"'],
        },
    ]


def _receivers() -> list[dict[str, Any]]:
    def webhook(name: str, *, tells_end: bool) -> dict[str, Any]:
        return {
            "name": name,
            "webhook_configs": [{"url": f"{WEBHOOKS}/{name}", "send_resolved": tells_end}],
        }

    return [
        webhook(PAGER, tells_end=True),
        webhook(DESK, tells_end=True),
        webhook(OPERATORS, tells_end=True),
        webhook(DEAD_MANS_SWITCH, tells_end=False),
        {"name": NOBODY},
    ]


def page_text(facts: Facts) -> str:
    """Templates for receivers that send a text: `market.title` and `market.text`."""
    not_said = " ".join(f'"{name}"' for name in _NOT_SAID)
    segments = " ".join(f'"{segment}"' for segment in (MARKET, *SEGMENTS, MONITOR))
    return f"""\
{{{{/* {MADE}
A title in one line, and a text: how bad, the sentences of the alerts, the worst first, and how many more there are.
Templates cannot count, so they lengthen a text by a letter, and take its length. */}}}}

{{{{ define "market.title" -}}}}
{{{{- $critical := "" }}}}{{{{ $all := "" }}}}{{{{ $made_up := "" -}}}}
{{{{- range .Alerts -}}}}
  {{{{- if match "^{MADE_UP_WORD}" .Annotations.summary }}}}{{{{ $made_up = "{MADE_UP_WORD}" }}}}{{{{ end -}}}}
{{{{- end -}}}}
{{{{- $made_up -}}}}
{{{{- range .Alerts.Firing }}}}{{{{ $all = printf "%sx" $all }}}}
  {{{{- if eq .Labels.severity "{CRITICAL}" }}}}{{{{ $critical = printf "%sx" $critical }}}}{{{{ end }}}}
{{{{- end -}}}}
{{{{- $told := .Alerts.Firing }}}}{{{{ if not $all }}}}{{{{ $told = .Alerts.Resolved }}}}{{{{ end -}}}}
{{{{- if not $all }}}}Over: {{{{ template "market.alerts" (len .Alerts.Resolved) }}}} ended
{{{{- else if $critical }}}}CRITICAL: {{{{ template "market.alerts" (len $critical) }}}}
{{{{- else }}}}Warning: {{{{ template "market.alerts" (len $all) }}}}
{{{{- end -}}}}
{{{{- range $segment := stringSlice {segments} }}}}{{{{ $here := "" -}}}}
  {{{{- range $told -}}}}
    {{{{- if eq .Labels.segment $segment }}}}{{{{ $here = printf "%sx" $here }}}}{{{{ end -}}}}
  {{{{- end -}}}}
  {{{{- if $here }}}}, {{{{ $segment }}}} {{{{ len $here }}}}{{{{ end -}}}}
{{{{- end -}}}}
{{{{- end }}}}

{{{{ define "market.alerts" }}}}{{{{ . }}}} {{{{ if eq . 1 }}}}alert{{{{ else }}}}alerts{{{{ end }}}}{{{{ end }}}}

{{{{ define "market.text" -}}}}
{{{{ template "market.title" . }}}}
{{{{- $shown := "" }}}}{{{{ $more := "" -}}}}
{{{{- range $rank := stringSlice "regime" "far beyond critical" "critical" "the rest" -}}}}
  {{{{- range $.Alerts.Firing -}}}}
    {{{{- $own := "the rest" -}}}}
    {{{{- if eq .Labels.alertname "{STRESS_REGIME}" }}}}{{{{ $own = "regime" -}}}}
    {{{{- else if eq .Labels.severity "{CRITICAL}" }}}}{{{{ $own = "critical" -}}}}
      {{{{- if eq .Annotations.score "1.00" }}}}{{{{ $own = "far beyond critical" }}}}{{{{ end -}}}}
    {{{{- end -}}}}
    {{{{- if eq $own $rank -}}}}
      {{{{- if lt (len $shown) {MOST_LINES} }}}}{{{{ $shown = printf "%sx" $shown }}}}
- {{{{ .Annotations.summary }}}}
  {{{{ .Annotations.runbook_url }}}} {{{{ .Annotations.dashboard_url }}}}
      {{{{- else }}}}{{{{ $more = printf "%sx" $more }}}}{{{{ end -}}}}
    {{{{- end -}}}}
  {{{{- end -}}}}
{{{{- end -}}}}
{{{{- if $more }}}}
and {{{{ len $more }}}} more{{{{ end }}}}
{{{{- $over := "" }}}}{{{{ $more = "" -}}}}
{{{{- range .Alerts.Resolved -}}}}
  {{{{- if lt (len $over) {MOST_LINES} }}}}{{{{ $over = printf "%sx" $over }}}}
- over: {{{{ .Labels.alertname }}}}
    {{{{- range (.Labels.Remove (stringSlice {not_said})).SortedPairs.Values }}}} {{{{ . }}}}{{{{ end }}}}
  {{{{- else }}}}{{{{ $more = printf "%sx" $more }}}}{{{{ end -}}}}
{{{{- end -}}}}
{{{{- if $more }}}}
and {{{{ len $more }}}} more that ended{{{{ end }}}}
All that fires: {facts.links.board(ON_CALL)}
{{{{ end }}}}
"""
