"""The signals of a segment's folder: a new signal is a new file."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from monitor.signals.model import Signal


def signals_of(package: ModuleType, parameters: object) -> tuple[Signal, ...]:
    """Every signal of a folder's files: headlines first, then by file.

    Args:
        package: a folder of modules; those that have a function `signals` add to the catalogue.
        parameters: what a user may set of the segment's signals; each `signals` is called with it.

    >>> from monitor.signals import treasury
    >>> from monitor.signals.treasury.parameters import TreasuryParameters
    >>> {s.name: s.unit for s in signals_of(treasury, TreasuryParameters())}["treasury_spread_32nds"]
    '32nds'
    """
    modules = [import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__)]
    every = [signal for module in modules if hasattr(module, "signals") for signal in module.signals(parameters)]
    return tuple(sorted(every, key=lambda signal: not signal.headline))
