"""Treasury liquidity: what it costs to trade an issue at once, how much can be traded, and how orderly prices are.

Every module here that has a function `signals` adds to the catalogue: a new signal is a new file. Prices are integers
of 1e-9 of a point and times of a microsecond, so a mean over time is a quotient of two integers.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.signals.model import Signal
    from monitor.signals.treasury.parameters import TreasuryParameters


def signals(parameters: TreasuryParameters) -> tuple[Signal, ...]:
    """Every signal of this folder's files: headlines first, then by file.

    >>> from monitor.signals.treasury.parameters import TreasuryParameters
    >>> {s.name: s.unit for s in signals(TreasuryParameters())}["treasury_spread_32nds"]
    '32nds'
    """
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    every = [signal for module in modules if hasattr(module, "signals") for signal in module.signals(parameters)]
    return tuple(sorted(every, key=lambda signal: not signal.headline))
