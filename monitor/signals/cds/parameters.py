"""What a user may set of the CDS signals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CdsParameters:
    """The settings under `[cds]`."""
