"""What all commands share: the application, how they say what was wrong, their flags."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from monitor import log
from monitor.config import ConfigError, Settings, load
from monitor.kafka.connection import quiet_library_log
from monitor.sources.scenario import SCENARIOS

app = typer.Typer(
    name="stress-monitor",
    help="Watches US Treasury, repo and credit markets for liquidity stress.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)

USAGE_ERROR = 2


def fail(message: object) -> NoReturn:
    """Say what was wrong, and end."""
    err.print(f"stress-monitor: {message}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(USAGE_ERROR)


def settings_of(config: Path | None, **flags: dict[str, Any]) -> Settings:
    """The settings out of a file, the environment and flags that were given; sets up the log."""
    given = {section: {k: v for k, v in values.items() if v is not None} for section, values in flags.items()}
    try:
        settings = load(config, {section: values for section, values in given.items() if values})
    except ConfigError as error:
        fail(error)
    log.configure(settings.log.level, settings.log.format)
    quiet_library_log()
    return settings


ConfigFlag = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.", show_default=False)]
HistoryFlag = Annotated[
    str | None, typer.Option("--history", help="A carried history: `stress-monitor history` lists them.")
]
ScenarioFlag = Annotated[
    str | None,
    typer.Option("--scenario", help=f"An embedded scenario, made up: {', '.join(SCENARIOS)}."),
]
SeedFlag = Annotated[int | None, typer.Option("--seed", help="Of a scenario: other noise.")]
StateFlag = Annotated[
    Path | None,
    typer.Option("--state", help="Folder of the durable state: a new start goes on from it.", show_default=False),
]
FirstFlag = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; earlier days are its past.")
]
LastFlag = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")]


def day(moment: datetime | None) -> date | None:
    """The day of a flag."""
    return moment.date() if moment else None
