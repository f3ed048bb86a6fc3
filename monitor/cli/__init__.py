"""The command line: each command teaches by an example, and says what was wrong in a sentence."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from monitor import __version__
from monitor.cli import map_check, produce, record, redrive, replay, run, show
from monitor.cli.common import app, out

__all__ = ["app", "main"]

_COMMANDS = (run, replay, record, produce, redrive, map_check, show)
"""Modules whose import makes their commands known."""


def _print_version(asked: bool) -> None:
    if asked:
        out.print(__version__)
        raise typer.Exit


@app.callback()
def _common(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Watches US Treasury, repo and credit markets for liquidity stress."""


def main() -> NoReturn:
    """The console script."""
    app()
    raise SystemExit(0)
