"""What a user may set of the new-issue signals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NewIssueParameters:
    """The settings under `[newissue]`."""
