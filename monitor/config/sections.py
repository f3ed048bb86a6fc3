"""The sections of the settings, each with its defaults."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, time, timedelta
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, SecretStr, field_serializer, field_validator, model_validator

from monitor.calendar import UserDates
from monitor.config.section import Section
from monitor.history import HISTORIES
from monitor.links import BASE_URL, GRAFANA_URL, LOOPBACK_NAMES, METRICS_PORT, PAGE_PORT, Links
from monitor.log import LogFormat, LogLevel
from monitor.signals.newissue.parameters import MOST_ISSUERS, MOST_NAMES, RECORD_CURVE
from monitor.signals.thresholds import SECONDS_PER_MINUTE, Edge, Hold, Notify, ThresholdRow
from monitor.sources.file import EXTENSIONS_TEXT
from monitor.sources.scenario import HEADLINE, SCENARIOS

WEB_ADDRESS = r"^https?://[^\s/?#]+(/[^\s?#]*[^\s/?#])?$"
"""Of a place below which there are pages: no stroke at its end."""


MIN_TOKEN = 16
"""Characters of a token: one that is shorter can be guessed."""


class HttpSettings(Section):
    """Where the monitor is looked at."""

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; loopback unless you mean it.")
    metrics_port: int = Field(METRICS_PORT, ge=0, le=65535, description="Port of /metrics, /-/healthy and /-/ready.")
    page_host: str = Field(
        "127.0.0.1", min_length=1, description="Address of the live page. Off loopback it wants a token."
    )
    page_port: int = Field(PAGE_PORT, ge=0, le=65535, description="Port of the live page.")
    token: SecretStr | None = Field(None, min_length=MIN_TOKEN, description="Who shows it may look at the live page.")
    token_file: Path | None = Field(None, description="The same, as the text of a file.")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Names, without ports, under which people reach the live page, besides those of loopback."
    )

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for each in hosts:
            if not re.fullmatch(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:]+", each):
                raise ValueError(f"{each!r} is no name of a host: without a scheme, a port and a path")
        return tuple(each.lower() for each in hosts)

    @model_validator(mode="after")
    def _guarded(self) -> HttpSettings:
        if self.token is not None and self.token_file is not None:
            raise ValueError("give token or token_file, not both")
        if self.page_host not in LOOPBACK_NAMES and self.token is None and self.token_file is None:
            raise ValueError(f"page_host is {self.page_host}, beyond this machine: give token_file, or a token")
        return self

    def page_token(self) -> str | None:
        """What is wanted of who looks at the live page; ValueError if it cannot be read or is too short."""
        token = self.token.get_secret_value() if self.token else None
        if self.token_file is not None:
            try:
                token = self.token_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"http.token_file: {self.token_file} cannot be read: {error}") from error
            if len(token) < MIN_TOKEN:
                raise ValueError(f"http.token_file: {self.token_file} holds less than {MIN_TOKEN} characters")
        return token


class LinksSettings(Section):
    """Where people find the monitor's pages: it stands in alerts, rules and boards."""

    base_url: str = Field(
        BASE_URL, pattern=WEB_ADDRESS, description="Of the monitor's own pages, such as its runbooks."
    )
    grafana_url: str = Field(GRAFANA_URL, pattern=WEB_ADDRESS, description="Of the boards.")

    def links(self) -> Links:
        """As alerts and pages have them."""
        return Links(self.base_url, self.grafana_url)


class LogSettings(Section):
    """The log, on standard error."""

    level: LogLevel = Field("info", description="The least severe line that is shown.")
    format: LogFormat = Field("auto", description="text for people, json for machines, auto: by the terminal.")


class EventSettings(Section):
    """One announcement: from when, and for how long, dealers are expected to step back."""

    start: AwareDatetime = Field(description="With its zone: 2026-06-12T08:29:00-04:00.")
    minutes: int = Field(ge=1, le=480, description="How long.")


class CalendarSettings(Section):
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


class TreasurySettings(Section):
    """The Treasury signals."""

    expected: tuple[str, ...] = Field(
        (), description="Issues that are missed when nobody quotes them, besides those quoted in the last 5 sessions."
    )
    yield_band_percent: tuple[float, float] = Field(
        (4.0, 4.5), description="The band in which the 10-year yield is placed."
    )


class RepoSettings(Section):
    """The repo signals."""

    alarmed_benchmarks: tuple[Literal["SOFR", "TGCR", "BGCR", "GCF", "TRIPARTY", "DVP"], ...] = Field(
        ("SOFR",), description="Benchmarks that have thresholds, and are blind when overdue."
    )


class NewIssueSettings(Section):
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


class CdsSettings(Section):
    """The CDS signals."""

    index_entities: tuple[str, ...] = Field(
        (), description="The indices that baskets are compared with. Default: those with CDX and IG in their names."
    )


class ScenarioSettings(Section):
    """The scenario that `stress-monitor run` plays unless it is told otherwise; all of it is made up."""

    name: str = Field(HEADLINE, description=f"An embedded scenario: {', '.join(SCENARIOS)}.")
    seed: int | None = Field(None, description="Another seed gives other noise. Default: the scenario's own.")
    speed: float | None = Field(None, gt=0, description="Seconds of event time a second.")

    @model_validator(mode="after")
    def _known(self) -> ScenarioSettings:
        if self.name not in SCENARIOS:
            raise ValueError(f"no scenario is called {self.name!r}; there is {', '.join(SCENARIOS)}")
        return self


class HistorySettings(Section):
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


class RunSettings(Section):
    """The process."""

    stop_within_seconds: float = Field(5.0, gt=0, description="How long a stop may take, all told.")
    plays: Literal["scenario", "history"] = Field("scenario", description="What is played where no source is set.")
    state: Path | None = Field(None, description="Folder of the durable state; none: it is lost with the process.")
    stage: Literal["all", "bars", "signals"] = Field(
        "all",
        description="bars: seal the partitions that the group gives, into [bars]; signals: evaluate what is there.",
    )
    begin: AwareDatetime | None = Field(
        None, description="What is earlier is past: it makes baselines, and no output. Default: all that sources bring."
    )

    synthetic: bool = Field(
        False, description="The events that the sources bring are made up: everything then says so."
    )
    clock: Literal["wall", "feed"] = Field(
        "wall",
        description="What time it is for ages and skews; feed, where one is played: its newest event.",
    )

    @property
    def first_tick(self) -> int | None:
        """The first tick that is run, epoch seconds; None: every tick."""
        return None if self.begin is None else ceil(self.begin.timestamp())


class FileSourceSettings(Section):
    """[sources.NAME] of kind file: read once, from its beginning, or from where the state was left."""

    kind: Literal["file"]
    path: Path = Field(description=f"Ends in {EXTENSIONS_TEXT}.")
    stream: Literal["treasury", "repo", "newissue", "cds", "reference"] | None = Field(
        None, description="The stream of every event; none: each object says its own in `stream`."
    )
    mapping: str | None = Field(None, min_length=1, description="[mappings.NAME] that makes our events of theirs.")


class SupervisorSection(Section):
    """How patient the supervisor of the sources is."""

    first_wait_seconds: float = Field(0.5, gt=0, description="A source that broke waits up to so long at first.")
    longest_wait_seconds: float = Field(30.0, gt=0, lt=3600, description="No wait is longer.")
    queued_records: int = Field(100_000, ge=1, description="While so many wait to be taken, no source is polled.")

    @model_validator(mode="after")
    def _in_order(self) -> SupervisorSection:
        if self.first_wait_seconds > self.longest_wait_seconds:
            raise ValueError("first_wait_seconds must not be more than longest_wait_seconds")
        return self


class EdgeSettings(Section):
    """Where a level is entered, and left."""

    enter: float = Field(description="Entered at or past this value.")
    exit: float | None = Field(None, description="Left strictly past this value; default: enter.")

    def edge(self) -> Edge:
        """As the threshold row has it."""
        return Edge(self.enter, self.enter if self.exit is None else self.exit)


class ThresholdSettings(Section):
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
