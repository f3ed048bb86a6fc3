"""The whole tree of settings."""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from monitor import signals as catalogue_of_signals
from monitor.config.kafka import (
    BarsSettings,
    KafkaSettings,
    KafkaSourceSettings,
    PublishSettings,
    RejectSettings,
    both_read,
)
from monitor.config.mappings import MappingSettings
from monitor.config.sections import (
    CalendarSettings,
    CdsSettings,
    FileSourceSettings,
    HistorySettings,
    HttpSettings,
    LinksSettings,
    LogSettings,
    NewIssueSettings,
    RepoSettings,
    RunSettings,
    ScenarioSettings,
    SupervisorSection,
    ThresholdSettings,
    TreasurySettings,
)
from monitor.config.websocket import WebSocketSourceSettings
from monitor.mapping import Mapper
from monitor.mapping.words import near
from monitor.signals import Parameters
from monitor.signals.cds.parameters import CdsParameters
from monitor.signals.model import Signal
from monitor.signals.newissue.parameters import NewIssueParameters
from monitor.signals.repo import RepoParameters
from monitor.signals.thresholds import ThresholdRow
from monitor.signals.treasury.parameters import TreasuryParameters
from monitor.sources.file import TABLES, extension_of

ENV_PREFIX = "MONITOR_"
ENV_DELIMITER = "__"


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER
    )
    http: HttpSettings = HttpSettings()
    links: LinksSettings = LinksSettings()
    log: LogSettings = LogSettings()
    run: RunSettings = RunSettings()
    sources: dict[
        str, Annotated[FileSourceSettings | KafkaSourceSettings | WebSocketSourceSettings, Field(discriminator="kind")]
    ] = Field({}, description="[sources.NAME]: what is read live.")
    mappings: dict[str, MappingSettings] = Field(
        {}, description="[mappings.NAME]: how what a vendor sends becomes our events; a source names one."
    )
    kafka: KafkaSettings = KafkaSettings()
    rejects: RejectSettings = RejectSettings()
    publish: PublishSettings = PublishSettings()
    bars: BarsSettings = BarsSettings()
    supervisor: SupervisorSection = SupervisorSection()
    scenario: ScenarioSettings = ScenarioSettings()
    history: HistorySettings = HistorySettings()
    calendar: CalendarSettings = CalendarSettings()
    treasury: TreasurySettings = TreasurySettings()
    repo: RepoSettings = RepoSettings()
    newissue: NewIssueSettings = NewIssueSettings()
    cds: CdsSettings = CdsSettings()
    thresholds: dict[str, dict[str, ThresholdSettings]] = Field(
        {}, description="[thresholds.SIGNAL.ROW]: `stress-monitor signals` lists signals and rows."
    )

    @model_validator(mode="after")
    def _topics_differ(self) -> Settings:
        kafka = {name: each for name, each in self.sources.items() if isinstance(each, KafkaSourceSettings)}
        if wrong := both_read(kafka):
            raise ValueError(wrong)
        written = {self.publish.alerts_topic, self.publish.index_topic, self.bars.topic} - {None}
        for name, each in kafka.items():
            if own := sorted(each.reads().among(filter(None, written))):
                raise ValueError(f"sources.{name}: it reads {', '.join(own)}, to which the monitor itself writes")
        return self

    @model_validator(mode="after")
    def _mappings_are_there(self) -> Settings:
        for name, each in self.sources.items():
            if each.mapping is None:
                continue
            if each.mapping not in self.mappings:
                advice = near(each.mapping, self.mappings)
                raise ValueError(f"sources.{name}.mapping: there is no [mappings.{each.mapping}]: {advice}")
            if isinstance(each, FileSourceSettings) and extension_of(str(each.path)).startswith(TABLES):
                raise ValueError(f"sources.{name}.mapping: a mapping reads NDJSON, and {each.path} is a table")
            if each.stream is not None and each.stream != self.mappings[each.mapping].stream:
                raise ValueError(f"sources.{name}.stream: the mapping {each.mapping} says it already: leave it out")
        return self

    @model_validator(mode="after")
    def _thresholds_fit(self) -> Settings:
        self.catalogue()
        return self

    def mapper(self, source: str) -> Mapper | None:
        """What makes our events of what a source hands over; None if it hands over ours, or is not named here."""
        named = self.sources[source].mapping if source in self.sources else None
        return self.mappings[named].mapper() if named else None

    def parameters(self) -> Parameters:
        """The parameters of the signals."""
        return Parameters(
            treasury=TreasuryParameters(tuple(self.treasury.expected), self.treasury.yield_band_percent),
            repo=RepoParameters(tuple(self.repo.alarmed_benchmarks)),
            newissue=NewIssueParameters(**self.newissue.model_dump()),
            cds=CdsParameters(**self.cds.model_dump()),
        )

    def catalogue(self) -> tuple[Signal, ...]:
        """The signals with the thresholds in force; ValueError if a threshold names none, or is out of order."""
        known = {signal.name: signal for signal in catalogue_of_signals.catalogue(self.parameters())}
        rows = {name: {row.id: row for row in signal.thresholds} for name, signal in known.items()}
        own: dict[tuple[str, str], ThresholdRow] = {}
        for signal, settings in self.thresholds.items():
            for row, given in settings.items():
                if signal not in rows:
                    raise ValueError(f"thresholds.{signal}: no such signal; there are {', '.join(rows)}")
                if row not in rows[signal]:
                    there = ", ".join(rows[signal]) or "none"
                    raise ValueError(f"thresholds.{signal}.{row}: no such row; there is {there}")
                try:
                    default = rows[signal][row]
                    own[signal, row] = given.over(default, for_prints_only=_is_for_prints_only(known[signal], default))
                except ValueError as error:
                    raise ValueError(f"thresholds.{signal}.{row}: {error}") from error
        return catalogue_of_signals.catalogue(self.parameters(), own)


def _is_for_prints_only(signal: Signal, row: ThresholdRow) -> bool:
    """Whether a threshold row can apply to published values, and to no others.

    A label that a view lacks is null, and one that is not known yet is taken for null: what then is not certainly
    false may be true.
    """
    shape = dict.fromkeys(signal.labels, pl.String()) | signal.attributes
    unknown = pl.DataFrame({name: [None] for name in shape}, schema=shape)
    may_apply = set()
    for view in signal.over:
        fixed = {name: expr.cast(pl.String) for name, expr in view.labels.items() if not expr.meta.root_names()}
        if unknown.with_columns(**fixed).select(row.applies).item() is not False:
            may_apply.add(view.window.by_print)
    return may_apply == {True}
