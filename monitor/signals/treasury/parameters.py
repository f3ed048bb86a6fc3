"""What a user may set of the Treasury signals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TreasuryParameters:
    """The settings under `[treasury]`.

    Attributes:
        expected: issues that are missed when nobody quotes them, besides those that were quoted lately.
        yield_band_percent: the band in which the 10-year yield is placed: its lower and its upper end.
    """

    expected: tuple[str, ...] = ()
    yield_band_percent: tuple[float, float] = (4.0, 4.5)

    def __post_init__(self) -> None:
        low, high = self.yield_band_percent
        if not low < high:
            raise ValueError(f"the yield band must go from low to high, not from {low:g} to {high:g} percent")
