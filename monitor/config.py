"""The settings: one typed tree out of one TOML file, `MONITOR_*` environment variables and flags, the later winning.

Every setting has its default here or beside its signal, so an empty file is a sound one. What is wrong is said with
the file's line and the setting's name.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_serializer, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from monitor import signals as catalogue_of_signals
from monitor.calendar import UserDates
from monitor.history import HISTORIES
from monitor.log import LogFormat, LogLevel
from monitor.signals import Parameters
from monitor.signals.cds.parameters import CdsParameters
from monitor.signals.model import Signal
from monitor.signals.newissue.parameters import MOST_ISSUERS, MOST_NAMES, RECORD_CURVE, NewIssueParameters
from monitor.signals.repo import RepoParameters
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, Notify, ThresholdRow
from monitor.signals.treasury.parameters import TreasuryParameters
from monitor.sources.file import EXTENSIONS_TEXT
from monitor.sources.scenario import HEADLINE, SCENARIOS

ENV_PREFIX = "MONITOR_"
ENV_DELIMITER = "__"


class ConfigError(Exception):
    """The settings are wrong; the message says where and what."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class HttpSettings(_Section):
    """Where the monitor is looked at."""

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; loopback unless you mean it.")
    metrics_port: int = Field(9464, ge=0, le=65535, description="Port of /metrics, /-/healthy and /-/ready.")


class LogSettings(_Section):
    """The log, on standard error."""

    level: LogLevel = Field("info", description="The least severe line that is shown.")
    format: LogFormat = Field("auto", description="text for people, json for machines, auto: by the terminal.")


class EventSettings(_Section):
    """One announcement: from when, and for how long, dealers are expected to step back."""

    start: AwareDatetime = Field(description="With its zone: 2026-06-12T08:29:00-04:00.")
    minutes: int = Field(ge=1, le=480, description="How long.")


class CalendarSettings(_Section):
    """Your own dates, laid over the SOFR and the bond-market calendar."""

    holidays: frozenset[date] = Field(frozenset(), description="Days that are no business days.")
    business_days: frozenset[date] = Field(frozenset(), description="Days that are, whatever the calendars say.")
    early_closes: dict[date, time] = Field({}, description="Day to New York time at which its session ends.")
    flags: dict[date, str] = Field({}, description="Day to flags that it has besides: letters out of C, M, Q, Y.")
    events: tuple[EventSettings, ...] = Field(
        (), description="Announcements, around which depth and dispersion have thresholds of their own."
    )

    def user_dates(self) -> UserDates:
        """The dates for the market calendar; ValueError if they contradict each other."""
        events = tuple((each.start, each.start + timedelta(minutes=each.minutes)) for each in self.events)
        return UserDates(self.holidays, self.business_days, self.early_closes, self.flags, events)

    @field_serializer("holidays", "business_days")
    def _in_order(self, days: frozenset[date]) -> list[date]:
        return sorted(days)

    @model_validator(mode="after")
    def _consistent(self) -> CalendarSettings:
        self.user_dates()
        return self


class TreasurySettings(_Section):
    """The Treasury signals."""

    expected: tuple[str, ...] = Field(
        (), description="Issues that are missed when nobody quotes them, besides those quoted in the last 5 sessions."
    )
    yield_band_percent: tuple[float, float] = Field(
        (4.0, 4.5), description="The band in which the 10-year yield is placed."
    )


class RepoSettings(_Section):
    """The repo signals."""

    alarmed_benchmarks: tuple[Literal["SOFR", "TGCR", "BGCR", "GCF", "TRIPARTY", "DVP"], ...] = Field(
        ("SOFR",), description="Benchmarks that have thresholds, and are blind when overdue."
    )


class NewIssueSettings(_Section):
    """The new-issue signals."""

    themes: tuple[str, ...] = Field((), description="Themes shown by name, beside ai. Default: the largest.")
    sectors: tuple[str, ...] = Field((), description="Sectors shown by name. Default: the largest.")
    most_names: int = Field(MOST_NAMES, ge=1, le=100, description="So many of the largest themes, and of the sectors.")
    most_issuers: int = Field(MOST_ISSUERS, ge=1, le=200, description="So many of the largest issuers have a share.")
    record_curve: tuple[tuple[float, float], ...] = Field(
        RECORD_CURVE,
        description="The year that this one is compared with: share of its business days gone, USD billions by then.",
    )
    default_yield_percent: float = Field(5.0, gt=0, le=50, description="Of a deal that has not said any.")


class CdsSettings(_Section):
    """The CDS signals."""

    index_entities: tuple[str, ...] = Field(
        (), description="The indices that baskets are compared with. Default: those with CDX and IG in their names."
    )


class ScenarioSettings(_Section):
    """The scenario that `stress-monitor run` plays unless it is told otherwise; all of it is made up."""

    name: str = Field(HEADLINE, description=f"An embedded scenario: {', '.join(SCENARIOS)}.")
    seed: int | None = Field(None, description="Another seed gives other noise. Default: the scenario's own.")
    speed: float | None = Field(None, gt=0, description="Seconds of event time a second.")

    @model_validator(mode="after")
    def _known(self) -> ScenarioSettings:
        if self.name not in SCENARIOS:
            raise ValueError(f"no scenario is called {self.name!r}; there is {', '.join(SCENARIOS)}")
        return self


class HistorySettings(_Section):
    """The history that `stress-monitor run` plays where `run.plays` says so."""

    name: str = Field("repo-2018-2025", description="A carried history: `stress-monitor history` lists them.")
    first: date | None = Field(None, description="First day played; earlier days are its past. Default: its highlight.")
    last: date | None = Field(None, description="Last day played.")
    speed: float | None = Field(None, gt=0, description="Seconds of event time a second.")

    @model_validator(mode="after")
    def _known(self) -> HistorySettings:
        if self.name not in HISTORIES:
            raise ValueError(f"no history is called {self.name!r}; there is {', '.join(HISTORIES)}")
        if self.first and self.last and self.last < self.first:
            raise ValueError(f"the last day, {self.last}, is before the first, {self.first}")
        return self


class RunSettings(_Section):
    """The process."""

    stop_within_seconds: float = Field(5.0, gt=0, description="How long a stop may take, all told.")
    plays: Literal["scenario", "history"] = Field("scenario", description="What is played where no source is set.")
    state: Path | None = Field(None, description="Folder of the durable state; none: it is lost with the process.")


class FileSourceSettings(_Section):
    """[sources.NAME] of kind file: read once, from its beginning, or from where the state was left."""

    kind: Literal["file"]
    path: Path = Field(description=f"Ends in {EXTENSIONS_TEXT}.")
    stream: Literal["treasury", "repo", "newissue", "cds", "reference"] | None = Field(
        None, description="The stream of every event; none: each object says its own in `stream`."
    )


class SupervisorSection(_Section):
    """How patient the supervisor of the sources is."""

    first_wait_seconds: float = Field(0.5, gt=0, description="A source that broke waits up to so long at first.")
    longest_wait_seconds: float = Field(30.0, gt=0, lt=3600, description="No wait is longer.")
    queued_records: int = Field(100_000, ge=1, description="While so many wait to be taken, no source is polled.")

    @model_validator(mode="after")
    def _in_order(self) -> SupervisorSection:
        if self.first_wait_seconds > self.longest_wait_seconds:
            raise ValueError("first_wait_seconds must not be more than longest_wait_seconds")
        return self


class EdgeSettings(_Section):
    """Where a level is entered, and left."""

    enter: float = Field(description="Entered at or past this value.")
    exit: float | None = Field(None, description="Left strictly past this value; default: enter.")

    def edge(self) -> Edge:
        """As the threshold row has it."""
        return Edge(self.enter, self.enter if self.exit is None else self.exit)


class ThresholdSettings(_Section):
    """One threshold row: what is given takes the place of the default."""

    calm: float | None = Field(None, description="The value that scores 0.")
    warning: EdgeSettings | None = None
    critical: EdgeSettings | None = None
    overrides: dict[str, tuple[float, float]] | None = Field(
        None, description="Calendar flag to (warning, critical) enter values."
    )
    hold_in_minutes: Annotated[int, Field(ge=0)] | None = Field(None, description="Before a level is entered.")
    hold_out_minutes: Annotated[int, Field(ge=0)] | None = Field(None, description="Before it is left.")
    notify: Notify | None = Field(None, description="none, desk or on-call.")

    def over(self, row: ThresholdRow, *, for_prints_only: bool) -> ThresholdRow:
        """The row with these settings; ValueError if it is then out of order, or its hold means nothing.

        Args:
            row: the default.
            for_prints_only: whether it applies to published values, and to no others.
        """
        if for_prints_only and (self.hold_in_minutes or self.hold_out_minutes):
            raise ValueError("published values come one a day and are held by prints, so no minutes can be set")
        given: dict[str, Any] = {}
        if self.calm is not None:
            given["calm"] = self.calm
        if self.warning is not None:
            given["warning"] = self.warning.edge()
        if self.critical is not None:
            given["critical"] = self.critical.edge()
        if self.overrides is not None:
            given["overrides"] = self.overrides
        if self.hold_in_minutes is not None:
            given["hold_in"] = Hold(seconds=self.hold_in_minutes * SECONDS_PER_MINUTE)
        if self.hold_out_minutes is not None:
            given["hold_out"] = Hold(seconds=self.hold_out_minutes * SECONDS_PER_MINUTE)
        if self.notify is not None:
            given["notify"] = self.notify
        return replace(row, **given)


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER
    )
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    run: RunSettings = RunSettings()
    sources: dict[str, FileSourceSettings] = Field({}, description="[sources.NAME]: what is read live.")
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
    def _thresholds_fit(self) -> Settings:
        self.catalogue()
        return self

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


class _FromFile(InitSettingsSource):
    """What the TOML file says: below flags and environment."""


def load(path: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """The settings out of file, environment and flags.

    Args:
        path: of a TOML file; None: no file.
        flags: a nested dictionary, as the file would say it.

    Raises:
        ConfigError: the file cannot be read, or a setting is wrong.
    """
    text = ""
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        from_file = tomllib.loads(text + "\n")  # so that what is wrong in the last line is told with its number
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del dotenv_settings, file_secret_settings
            return init_settings, env_settings, _FromFile(settings_cls, from_file)

    try:
        return Loaded(**(flags or {}))
    except SettingsError as error:
        raise ConfigError(_no_json(error)) from error
    except ValidationError as error:
        wrong = [_sentence(each["loc"], each["msg"], flags or {}, path, text) for each in error.errors()]
        raise ConfigError("\n".join(wrong)) from error


def _no_json(error: SettingsError) -> str:
    """The sentence on an environment variable of which pydantic tells no more than its section."""
    section = re.search(r'field "(\w+)"', str(error))
    begin = ENV_PREFIX + (section[1].upper() if section else "")
    variables = [name for name in sorted(os.environ) if name.upper().startswith(begin)]
    return f"{', '.join(variables)}: lists and tables are written as JSON, not so: {error.__cause__}"


def _sentence(
    location: tuple[int | str, ...], message: str, flags: dict[str, Any], path: Path | None, text: str
) -> str:
    """One wrong setting: where it stands, what it is called, what is wrong with it."""
    said = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "there is no such setting")
    keys = [str(part) for part in location]
    # A check of several settings together names its setting in its own words.
    named = re.match(r"(thresholds\.[^:]+):", said)
    if not named and keys:
        said = f"{'.'.join(keys)}: {said}"
    return _where(named[1].split(".") if named else keys, flags, path, text) + said


def _where(keys: list[str], flags: dict[str, Any], path: Path | None, text: str) -> str:
    """What says a setting: an environment variable, or a line of the file; nothing of a flag."""
    flag: Any = flags
    for key in keys:
        flag = flag.get(key) if isinstance(flag, dict) else flag
    if flag is not None and not isinstance(flag, dict):
        return ""
    set_ = {name.upper(): name for name in os.environ}
    # What is wrong may be within the variable's value; a whole section is rarely set by one.
    for length in range(len(keys), min(len(keys), 2) - 1, -1):
        if variable := set_.get(ENV_PREFIX + ENV_DELIMITER.join(keys[:length]).upper()):
            return f"{variable}: "
    line = _line_of(text, keys)
    return f"{path}, line {line}: " if path is not None and line else ""


def _line_of(text: str, keys: list[str]) -> int | None:
    """The line of a TOML text on which a setting, or the nearest table around it, stands; None if none does."""
    found: int | None = None
    found_depth = 0
    table: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line)
        if header:
            table = _key_parts(header[1])
            here = table
        else:
            assignment = re.match(r"\s*([\w\-.\"' ]+?)\s*=", line)
            if not assignment:
                continue
            here = table + _key_parts(assignment[1])
        depth = min(len(here), len(keys))  # a table within the setting is of the setting
        if depth > found_depth and here[:depth] == keys[:depth]:
            found, found_depth = number, depth
    return found


def _key_parts(dotted: str) -> list[str]:
    return [part.strip().strip("\"'") for part in dotted.split(".")]
