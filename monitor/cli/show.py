"""The commands that show something: a report, the catalogue, histories, settings; and what is generated."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from monitor.cli.common import ConfigFlag, app, err, fail, out, settings_of
from monitor.generate.listing import edge_text, overrides_text, signal_as_data
from monitor.history import HISTORIES
from monitor.report import ReportError, write_report
from monitor.signals.model import Signal


@app.command(name="report", epilog="Example: stress-monitor report out")
def report_(folder: Annotated[Path, typer.Argument(help="What a replay wrote.")]) -> None:
    """Make one self-contained HTML page of a replay: its signals with thresholds, and its alerts, on a time axis."""
    try:
        sys.stdout.write(f"{write_report(folder)}\n")
    except ReportError as error:
        fail(error)


@app.command(epilog="Example: stress-monitor signals --json | jq '.[].name'")
def signals(
    config: ConfigFlag = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List the signals: name, unit, labels, window, thresholds, formula, source."""
    catalogue = settings_of(config).catalogue()
    if as_json:
        sys.stdout.write(json.dumps([signal_as_data(each) for each in catalogue], indent=2) + "\n")
        return
    for each in catalogue:
        out.print(_signal_table(each))


@app.command(epilog="Example: stress-monitor history; then stress-monitor replay --history repo-2018-2025 --out out")
def history() -> None:
    """List the real histories that the package carries."""
    table = Table("name", "first day", "last day", "what it is")
    for each in HISTORIES.values():
        table.add_row(each.name, str(each.first), str(each.last), each.title)
    out.print(table)


@app.command(epilog="Example: stress-monitor check-config monitor.toml")
def check_config(file: Annotated[Path, typer.Argument(help="A TOML file of settings.")]) -> None:
    """Say what is wrong with a settings file, by line and field, or print the settings in force."""
    settings = settings_of(file)
    sys.stdout.write(settings.model_dump_json(indent=2) + "\n")


@app.command(
    epilog="Example: stress-monitor generate --config monitor.toml --root /etc/stress-monitor   |   "
    "stress-monitor generate --check"
)
def generate(
    root: Annotated[Path, typer.Option(help="The project's root, or any folder to write below.")] = Path(),
    config: ConfigFlag = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if a file is not current.")] = False,
) -> None:
    """Write the files that are made from the catalogue: Prometheus rules, routes, Grafana boards, runbooks, docs.

    With --config they are of your own thresholds and links.
    """
    # Takes a moment, and no other command needs it.
    from monitor.generate.facts import Facts
    from monitor.generate.files import generated, stale, write_all

    settings = settings_of(config)
    files = generated(
        Facts(tuple(settings.catalogue()), settings.links.links(), f"{settings.http.host}:{settings.http.metrics_port}")
    )
    if check:
        old = stale(root, files)
        for name in old:
            err.print(f"{name} is not current: run `make generate`", highlight=False)
        raise typer.Exit(1 if old else 0)
    for path in write_all(root, files):
        sys.stdout.write(f"{path}\n")


def _signal_table(each: Signal) -> Table:
    table = Table(title=f"{each.name}  ({each.unit})", title_justify="left", show_header=False, width=110)
    table.add_column(style="bold", width=10)
    table.add_column()
    for name, text in (
        ("tells", each.help), ("formula", each.formula), ("labels", ", ".join(each.labels) or "none"),
        ("window", each.window_help), ("source", each.source),
    ):  # fmt: skip
        table.add_row(name, text)
    for row in each.thresholds:
        levels = f"warning {edge_text(row.warning)}, critical {edge_text(row.critical)} (enter/exit)"
        flagged = f"; flagged days {overrides_text(row)}" if row.overrides else ""
        table.add_row(row.id, f"{levels}{flagged}; hold {row.hold_in} in, {row.hold_out} out; notify {row.notify}")
    return table
