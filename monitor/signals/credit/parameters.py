"""What a user may set of the credit and policy signals: nothing beside their thresholds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CreditParameters:
    """Empty: every segment's signals are asked for in the same way."""
