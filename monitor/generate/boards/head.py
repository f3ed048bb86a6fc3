"""What stands on every board: the banner, the data source, the marks of alerts on the time axis, the ways elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from monitor.generate.boards import manner, panels
from monitor.generate.boards.panels import About, Placed
from monitor.generate.boards.queries import SAYS, either, info, named, said
from monitor.generate.rules.recording import SYNTHETIC
from monitor.links import VARIABLES
from monitor.results import SEGMENTS, Level
from monitor.sinks import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import DashboardLink

    from monitor.generate.facts import Facts
    from monitor.signals.model import Signal

TAG: Final = "market-stress-monitor"
SOURCE_UID: Final = "msm-prometheus"
"""Of the data source that is provisioned."""
SOURCE_NAME: Final = "Prometheus of the market stress monitor"
STALE_SECONDS: Final = 300
"""As long as a quote on the run stands: older than that nothing shown is of now."""


def banner() -> Placed:
    """Whether the numbers are real, how old they are, and what time it is in the story."""
    synthetic = f"max({SYNTHETIC.name}) or max({metrics.SYNTHETIC.scraped})"
    age = f"max({metrics.CLOCK.scraped}) - max({metrics.LAST_EVENT.scraped})"
    aged = either(
        named(f"{age} <= {STALE_SECONDS}", SAYS, "Newest event, age"),
        named(f"{age} > {STALE_SECONDS}", SAYS, "▨ STALE: newest event, age"),
    )
    about = About(
        "banner",
        "",
        "Whether the numbers are made up, how old the newest event is, and the monitor's own clock: the wall's, or the "
        "story's while one is played. The time axes of all boards show when Prometheus saw something, in New York "
        "time.",
        "Trust no number while this says synthetic, stale, or that the monitor does not answer. Then open the board "
        "of the pipeline.",
    )
    placed = panels.numbers(
        about,
        [
            said(synthetic, "unknown", "Data"),
            said(aged, "The monitor does not answer", f"{{{{{SAYS}}}}}"),
            said(manner.MOMENT.of(f"max({metrics.CLOCK.scraped})"), "unknown", "Event time, New York"),
        ],
        manner.LEVEL,
        24,
        size=14,
    )  # fmt: skip
    made_up = "SYNTHETIC: made up, no number here is of a real market"
    words = manner.words({1: (made_up, manner.INFORMATION), 0: ("of the market", manner.TEXT)})
    panels.overridden(placed, "Data", mappings=[words, manner.unknown("not known")])
    panels.overridden(placed, "/age|answer/", unit=manner.SECONDS.shown)
    panels.overridden(placed, "/STALE|answer/", color=manner.fixed(manner.BLIND))
    return panels.overridden(placed, "Event time, New York", unit=manner.MOMENT.shown)


def datasource_variable() -> build.DatasourceVariable:
    """Which Prometheus; the provisioned one unless another is chosen."""
    variable = build.DatasourceVariable(panels.DATASOURCE).label("Data source").type(panels.SOURCE_KIND)
    return variable.current(VariableOption(text=SOURCE_NAME, value=SOURCE_UID))


def _asking(name: str, label: str, asked: str) -> build.QueryVariable:
    made = build.QueryVariable(name).label(label).datasource(panels.source())
    made.query({"query": asked, "refId": f"variable-{name}"}).definition(asked)
    return made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)


def variable(board: str, label: str, title: str, signal: Signal, after: Sequence[str] = ()) -> build.QueryVariable:
    """A label of a signal; only the values that go with the variables before it can be chosen.

    Args:
        board: its uid.
        label: of the signal.
        title: for people.
        signal: whose label it is.
        after: the labels whose variables come before it.
    """
    names = VARIABLES[board]
    matchers = ", ".join(f'{before}=~"${names[before]}"' for before in after)
    asked = f"label_values({signal.metric}{f'{{{matchers}}}' if matchers else ''}, {label})"
    made = _asking(names[label], title, asked)
    made.multi(True).include_all(True).all_value(".*")
    return made.current(VariableOption(text=["All"], value=["$__all"]))


def benchmark_variable(signal: Signal, first: str) -> build.QueryVariable:
    """One published benchmark, for what can be drawn of one only."""
    asked = f'label_values({signal.metric}{{window=""}}, instrument)'
    made = _asking("benchmark", "Benchmark of the band", asked)
    return made.multi(False).include_all(False).current(VariableOption(text=first, value=first))


def _mark(
    name: str, colour: str, expr: str, title: str, *, shown: bool = True, text: str = ""
) -> build.AnnotationQuery:
    mark = build.AnnotationQuery().name(name).datasource(panels.source()).enable(shown).hide(False).icon_color(colour)
    return (
        mark.expr(expr).step("15s").title_format(title).text_format(text).tag_keys("segment").use_value_for_time(False)
    )


_LAPSE: Final = "10m"
"""What was said last before a mark's interval began may be so old: a restart of the monitor turns nothing."""


def _turned(metric: str, by: str, value: int) -> str:
    """Where a metric has come to a value since the moment before on the grid, however short it was there."""
    was = f"max_over_time((max by ({by}) ({metric}) == bool {value})[$__interval:15s])"
    before = f"max by ({by}) (last_over_time({metric}[{_LAPSE}] offset $__interval))"
    return f"({was} == 1) and ({before} != {value})"


def marks(segments: Iterable[str]) -> list[build.AnnotationQuery]:
    """Transitions of alerts and of blindness, the worst first; each kind can be turned off on the board."""
    of = "|".join(segments)
    titles = info(f'segment=~"{of}", alert!=""', "alert", ("title", "segment"))
    blind = f'{metrics.SEGMENT_BLIND.scraped}{{segment=~"{of}"}}'

    def of_level(at: Level, colour: str, *, shown: bool = True) -> build.AnnotationQuery:
        # What is there must not be 0: Prometheus' annotations are the values that are not.
        turned = _turned(metrics.ALERT_LEVEL.scraped, "alert", at)
        expr = f"(1 + 0 * ({turned})) * on (alert) group_left (title, segment) {titles}"
        return _mark(f"To {at.word}", colour, expr, f"{{{{title}}}}: {at.word}", shown=shown)

    return [
        of_level(Level.CRITICAL, manner.CRITICAL),
        of_level(Level.WARNING, manner.WARNING),
        _mark("Blind", manner.BLIND, _turned(blind, "segment", 1), "{{segment}}: blind"),
        of_level(Level.CALM, manner.CALM, shown=False),
    ]


def regime_marks() -> list[build.AnnotationQuery]:
    """Where the regime turned into another."""
    turned = _turned(metrics.REGIME.scraped, "regime", 1)
    return [_mark("Regime", manner.INFORMATION, turned, "Regime: {{regime}}")]


def flag_regions() -> list[build.AnnotationQuery]:
    """Days with a calendar flag, as regions."""
    flags = f"max by (flag) ({metrics.CALENDAR_FLAG.scraped}) == 1"
    return [_mark("Calendar flags", manner.INFORMATION, flags, "Calendar flag {{flag}}: its own thresholds hold")]


def links(facts: Facts) -> list[Builder[DashboardLink]]:
    """To the other boards, with the time and the variables; and to the runbooks."""
    boards = build.DashboardLink("Boards").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(False)
    runbooks = (
        build.DashboardLink("Runbooks").type(DashboardLinkType.LINK).icon("doc").tooltip("What to do, an alert each")
    )
    return [
        boards.keep_time(True).include_vars(True).target_blank(False),
        runbooks.url(facts.links.runbook("")).target_blank(True).keep_time(False).include_vars(False),
    ]


ALL_SEGMENTS: Final[Sequence[str]] = SEGMENTS
FLAG_WORDS: Final[Mapping[str, str]] = {
    "Y": "year", "Q": "quarter", "M": "month", "C": "coupons, the 15th", "E": "announcement",
}  # fmt: skip
