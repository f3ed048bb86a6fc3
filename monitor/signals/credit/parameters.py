"""What a user may set of the credit and policy signals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CreditParameters:
    """The settings under `[credit]`."""
