"""Panels of every kind, built once for all boards, so that they are of one manner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
    xychart,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeNamePlacement,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    DataSourceRef,
    HeatmapCellLayout,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    FieldColorModeId,
    FieldConfigSource,
    GridPos,
    MatcherConfig,
    Panel,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.xychart import MatcherConfig as XyMatcher
from grafana_foundation_sdk.models.xychart import SeriesMapping, XYShowMode

from monitor.generate.boards import manner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models.dashboard import DashboardLink, ValueMapping

    from monitor.generate.boards.manner import Unit
    from monitor.generate.boards.queries import Query
    from monitor.signals.model import Signal

DATASOURCE: Final = "datasource"
"""The variable that says which Prometheus."""
SOURCE_KIND: Final = "prometheus"


def source() -> DataSourceRef:
    """The data source that is chosen on the board."""
    return DataSourceRef(type_val=SOURCE_KIND, uid=f"${{{DATASOURCE}}}")


@dataclass(frozen=True, slots=True)
class About:
    """What a panel says of itself.

    Attributes:
        key: names it for ever: its number is made of it, and links hold that.
        title: for people.
        tells: what it shows, and how to read it.
        act: what to do about it.
        signals: whose formulas and runbooks belong to it.
        links: (title, address) of whatever else one opens from here.
    """

    key: str
    title: str
    tells: str
    act: str
    signals: tuple[Signal, ...] = ()
    links: tuple[tuple[str, str], ...] = ()

    @property
    def description(self) -> str:
        """All of it, with the formulas of its signals."""
        formulas = [f"**{signal.title}**: `{signal.formula}` ({signal.window_help})" for signal in self.signals]
        return "\n\n".join([self.tells, *formulas, f"**What to do:** {self.act}"])


class PanelBuilder(Protocol):
    """What all builders of panels have in common."""

    def build(self) -> Panel: ...  # noqa: D102
    def title(self, title: str) -> Self: ...  # noqa: D102
    def description(self, description: str) -> Self: ...  # noqa: D102
    def datasource(self, datasource: DataSourceRef) -> Self: ...  # noqa: D102
    def with_target(self, target: Builder[Dataquery]) -> Self: ...  # noqa: D102
    def unit(self, unit: str) -> Self: ...  # noqa: D102
    def decimals(self, decimals: float) -> Self: ...  # noqa: D102
    def no_value(self, no_value: str) -> Self: ...  # noqa: D102
    def id(self, id_val: int) -> Self: ...  # noqa: D102
    def grid_pos(self, grid_pos: GridPos) -> Self: ...  # noqa: D102
    def links(self, links: list[Builder[DashboardLink]]) -> Self: ...  # noqa: D102
    def transparent(self, transparent: bool) -> Self: ...  # noqa: D102


P = TypeVar("P", bound=PanelBuilder)


@dataclass(frozen=True, slots=True)
class Placed:
    """A panel and how wide it is.

    Attributes:
        about: what it says of itself.
        builder: of the panel.
        width: in columns, of 24.
    """

    about: About
    builder: PanelBuilder
    width: int


def _begun(builder: P, about: About, queries: Iterable[Query], unit: Unit) -> P:
    builder.title(about.title).description(about.description).datasource(source())
    builder.unit(unit.shown).decimals(unit.decimals).no_value("no value")
    for ref, query in zip(ascii_uppercase, queries, strict=False):
        target = prometheus.Dataquery().ref_id(ref).expr(query.asked).datasource(source())
        if query.legend:
            target.legend_format(query.legend)
        if query.instant:
            target.instant()
        else:
            target.range()
        builder.with_target(target.format(PromQueryFormat.TABLE) if query.table else target)
    return builder


def _of_now(queries: Iterable[Query]) -> list[Query]:
    return [replace(query, instant=True) for query in queries]


def _steps(of: Sequence[tuple[float | None, str]]) -> build.ThresholdsConfig:
    return build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(*step) for step in of])


def _plain() -> build.ThresholdsConfig:
    # Grafana's own default turns red from 80 on.
    return _steps([(None, manner.CALM)])


def _legend(*, table: bool = False) -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM)
    return legend.display_mode(LegendDisplayMode.TABLE if table else LegendDisplayMode.LIST)


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)


LEVEL_LINES: Final = {"warning": manner.WARNING, "critical": manner.CRITICAL}
"""By the word with which the legend of a threshold begins."""


def lines(
    about: About,
    queries: Sequence[Query],
    unit: Unit,
    width: int,
    *,
    stacked: bool = False,
    prints: bool = False,
    colour: str = manner.CALM,
    low: float | None = None,
    high: float | None = None,
) -> Placed:
    """Lines over time: a gap in data is a gap, and thresholds are dashed in the colour of their level.

    Args:
        about: the panel.
        queries: legends that begin with a level's word are thresholds.
        unit: of all of them.
        width: in columns.
        stacked: areas on one another.
        prints: values stand until the next one.
        colour: of all lines, in shades.
        low: where the axis begins at the latest.
        high: where it ends at the earliest.
    """
    panel = _begun(timeseries.Panel(), about, queries, unit)
    panel.color_scheme(build.FieldColor().mode(FieldColorModeId.SHADES).fixed_color(colour)).thresholds(_plain())
    panel.span_nulls(False).show_points(VisibilityMode.AUTO).point_size(4).line_width(0 if stacked else 1)
    panel.fill_opacity(60 if stacked else 0).legend(_legend()).tooltip(_tooltip()).axis_border_show(False)
    panel.line_interpolation(LineInterpolation.STEP_AFTER if prints else LineInterpolation.LINEAR)
    if stacked:
        panel.stacking(common.StackingConfig().mode(_NORMAL).group("A"))
    if low is not None:
        panel.axis_soft_min(low)
    if high is not None:
        panel.axis_soft_max(high)
    for word, level_colour in LEVEL_LINES.items():
        panel.override_by_regexp(f"^{word}.*", manner.dashed(level_colour))
    return Placed(about, panel, width)


_NORMAL: Final = StackingMode.NORMAL


def numbers(
    about: About,
    queries: Sequence[Query],
    unit: Unit,
    width: int,
    *,
    mappings: Sequence[ValueMapping] = (),
    steps: Sequence[tuple[float | None, str]] = ((None, manner.TEXT),),
    filled: bool = False,
    size: int | None = None,
) -> Placed:
    """Numbers, or words, to be read from two metres: of now, never the last before an outage.

    Args:
        about: the panel.
        queries: one or a few series each; only their newest value is asked for.
        unit: of all of them.
        width: in columns.
        mappings: what stands instead of a value.
        steps: colours by value.
        filled: the colour fills the panel, and is not that of the text.
        size: of the text, in pixels; as large as fits unless it is given.
    """
    panel = _begun(stat.Panel(), about, _of_now(queries), unit)
    panel.mappings([*mappings, manner.unknown("not known")]).thresholds(_steps(steps))
    panel.color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.graph_mode(BigValueGraphMode.NONE)
    panel.color_mode(BigValueColorMode.BACKGROUND_SOLID if filled else BigValueColorMode.VALUE)
    panel.text_mode(BigValueTextMode.AUTO).orientation(VizOrientation.AUTO).wide_layout(True)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    if size is not None:
        panel.text(common.VizTextDisplayOptions().title_size(size).value_size(size))
    return Placed(about, panel, width)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: its head.
        of: the field: a label, or `Value #A` of a query.
        unit: of its numbers.
        mappings: what stands instead of a value.
        cell: how a cell is drawn, as Grafana calls it.
        steps: colours by value.
        width: in pixels.
        link: (its title, its address).
        high: where a gauge is full.
        hidden: there for the links only.
    """

    name: str
    of: str
    unit: Unit | None = None
    mappings: tuple[ValueMapping, ...] = ()
    cell: str = "auto"
    steps: tuple[tuple[float | None, str], ...] = ()
    width: int | None = None
    link: tuple[str, str] | None = None
    high: float | None = None
    hidden: bool = False


def _settings(column: Column) -> dict[str, object]:
    settings: dict[str, object] = {}
    if column.unit is not None:
        settings |= {"unit": column.unit.shown, "decimals": column.unit.decimals}
    if column.mappings:
        settings["mappings"] = list(column.mappings)
    if column.cell == "gauge":
        settings |= {"custom_cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}, "min": 0}
    elif column.cell != "auto":
        settings["custom_cellOptions"] = {"type": column.cell}
    if column.hidden:
        settings["custom_hidden"] = True
    if column.high is not None:
        settings["max"] = column.high
    if column.steps:
        settings["color"] = {"mode": "thresholds"}
        settings["thresholds"] = {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in column.steps],
        }
    if column.width is not None:
        settings["custom_width"] = column.width
    if column.link is not None:
        title, url = column.link
        settings["links"] = [{"title": title, "url": url}]
    return settings


def rows(
    about: About, queries: Sequence[Query], columns: Sequence[Column], width: int, *, by: str, descending: bool = True
) -> Placed:
    """A table: the queries' rows, put together by their labels.

    Args:
        about: the panel.
        queries: instant ones in table format, all with the same labels.
        columns: those shown, in their order.
        width: in columns of the board.
        by: the head of the column by which it is sorted.
        descending: the greatest first.
    """
    panel = _begun(table.Panel(), about, queries, manner.COUNT).thresholds(_plain())
    panel.color_scheme(build.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(manner.TEXT))
    panel.with_transformation(DataTransformerConfig("merge", options={}))
    shown = {column.of: column for column in columns}
    keep = {"include": {"names": list(shown)}}
    panel.with_transformation(DataTransformerConfig("filterFieldsByName", options=keep))
    order = {name: i for i, name in enumerate(shown)}
    names = {name: column.name for name, column in shown.items()}
    tidy = {"indexByName": order, "renameByName": names, "excludeByName": {}}
    panel.with_transformation(DataTransformerConfig("organize", options=tidy))
    panel.sort_by([common.TableSortByFieldState().display_name(by).desc(descending)])
    for column in columns:
        if settings := _settings(column):
            panel.override_by_name(column.name, manner.properties(**settings))
    return Placed(about, panel, width)


def states(
    about: About,
    queries: Sequence[Query],
    width: int,
    mappings: Sequence[ValueMapping],
    *,
    hours: int | None = None,
    row_height: float = 0.8,
) -> Placed:
    """States over time, a row each, in words and colours.

    Args:
        about: the panel.
        queries: of numbers that words stand for.
        width: in columns.
        mappings: the words.
        hours: what is shown, whatever the board's range is.
        row_height: the part of a row that is filled.
    """
    panel = _begun(statetimeline.Panel(), about, queries, manner.LEVEL)
    panel.mappings(list(mappings)).thresholds(_plain()).show_value(VisibilityMode.AUTO).row_height(row_height)
    panel.color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS)).merge_values(True)
    panel.span_nulls(False).fill_opacity(80).line_width(0).tooltip(_tooltip())
    panel.legend(common.VizLegendOptions().show_legend(False).display_mode(LegendDisplayMode.LIST).placement(_BOTTOM))
    if hours is not None:
        panel.time_from(f"{hours}h")
    return Placed(about, panel, width)


_BOTTOM: Final = LegendPlacement.BOTTOM


def ranked(
    about: About,
    queries: Sequence[Query],
    unit: Unit,
    width: int,
    *,
    steps: Sequence[tuple[float | None, str]] = ((None, manner.CALM),),
    high: float | None = None,
) -> Placed:
    """A list of bars, the longest first.

    Args:
        about: the panel.
        queries: instant ones.
        unit: of all of them.
        width: in columns.
        steps: colours by value.
        high: where a bar is full, at the earliest where it is not given.
    """
    panel = _begun(bargauge.Panel(), about, _of_now(queries), unit)
    panel.mappings([manner.unknown("not known")]).thresholds(_steps(steps)).min(0)
    panel.color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC).show_unfilled(True)
    panel.name_placement(BarGaugeNamePlacement.LEFT)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    if high is not None:
        panel.max(high)
    return Placed(about, panel, width)


def heat(about: About, queries: Sequence[Query], unit: Unit, width: int, *, full: float) -> Placed:
    """A heat map, a row a series.

    Args:
        about: the panel.
        queries: whose legends name the rows.
        unit: of the cells.
        width: in columns.
        full: the value at which a cell is of the full colour; at 0 it is not seen.
    """
    panel = _begun(heatmap.Panel(), about, queries, unit).calculate(False)
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.OPACITY).fill(manner.CRITICAL)
    panel.color(colours.min(0).max(full).exponent(1).steps(64))
    panel.rows_frame(heatmap.RowsHeatmapOptions().layout(HeatmapCellLayout.UNKNOWN).value("Value"))
    panel.cell_values(heatmap.CellValues().unit(unit.shown).decimals(unit.decimals)).cell_gap(1)
    panel.filter_values(heatmap.FilterValueRange().le(0)).show_legend().exemplars_color(manner.INFORMATION)
    panel.tooltip(heatmap.HeatmapTooltip().mode(TooltipDisplayMode.SINGLE).show_color_scale(True))
    return Placed(about, panel, width)


def scatter(
    about: About, queries: Mapping[str, Query], units: Mapping[str, Unit], width: int, *, joined_by: str
) -> Placed:
    """Points of two queries: the first is along, the second up.

    Args:
        about: the panel.
        queries: by the name of their axes; instant ones in table format.
        units: by the same.
        width: in columns.
        joined_by: the label by which the two belong together.
    """
    (along, up), (first, second) = queries, units.values()
    panel = _begun(xychart.Panel(), about, list(queries.values()), first)
    panel.with_transformation(DataTransformerConfig("joinByField", options={"byField": joined_by, "mode": "inner"}))
    names = {"Value #A": along, "Value #B": up}
    tidy = {"indexByName": {}, "renameByName": names, "excludeByName": {"Time": True, "Time 1": True, "Time 2": True}}
    panel.with_transformation(DataTransformerConfig("organize", options=tidy))
    series = xychart.XYSeriesConfig().name(xychart.XychartXYSeriesConfigName().fixed(f"{up} by {along}"))
    series.frame(xychart.XychartXYSeriesConfigFrame().matcher(_Matched(XyMatcher("byIndex", 0))))
    series.x(xychart.XychartXYSeriesConfigX().matcher(_Matched(XyMatcher("byName", along))))
    series.y(xychart.XychartXYSeriesConfigY().matcher(_Matched(XyMatcher("byName", up))))
    panel.mapping(SeriesMapping.MANUAL).series([series]).show(XYShowMode.POINTS)
    panel.point_size(xychart.XychartFieldConfigPointSize().fixed(7)).fill_opacity(60)
    panel.color_scheme(build.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(manner.CALM)).thresholds(_plain())
    panel.legend(common.VizLegendOptions().show_legend(False).display_mode(LegendDisplayMode.LIST).placement(_BOTTOM))
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.SINGLE).sort(SortOrder.NONE))
    for name, unit in {along: first, up: second}.items():
        shown = manner.properties(unit=unit.shown, decimals=unit.decimals, custom_axisLabel=name)
        panel.override_by_name(name, shown)
    return Placed(about, panel, width)


class _Matched(Builder[XyMatcher]):
    """What is built already, where a builder is wanted."""

    def __init__(self, matcher: XyMatcher) -> None:
        self._matcher = matcher

    def build(self) -> XyMatcher:
        """The same."""
        return self._matcher


def overridden(placed: Placed, name: str, **values: object) -> Placed:
    """The panel, with other settings for the series of that name or of that pattern (`/.../`)."""
    config = placed.builder.build().field_config or FieldConfigSource()
    matcher = MatcherConfig("byRegexp" if name.startswith("/") else "byName", name)
    settings = manner.properties(**values)
    override = build.DashboardFieldConfigSourceOverrides().matcher(matcher).properties(settings).build()
    config.overrides.append(override)
    return placed


def linked(placed: Placed, title: str, url: str) -> Placed:
    """The panel; whoever clicks on one of its values gets there."""
    config = placed.builder.build().field_config or FieldConfigSource()
    if config.defaults is not None:
        config.defaults.links = [build.DashboardLink(title).url(url).target_blank(False).build()]
    return placed
