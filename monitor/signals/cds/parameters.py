"""What a user may set of the CDS signals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CdsParameters:
    """The settings under `[cds]`.

    Attributes:
        index_entities: the indices of investment-grade credit that baskets are compared with, of several the first that
            is quoted; none named: every index whose name contains CDX and IG, by name.
    """

    index_entities: tuple[str, ...] = ()
