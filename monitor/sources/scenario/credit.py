"""Who borrows, by which issues, and how an auction of Treasuries goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Issuer(NamedTuple):
    """Who borrows: a name that nobody has, its sector and rating, and whether it builds for artificial intelligence."""

    name: str
    sector: str
    rating: str
    is_ai: bool


class Tranche(NamedTuple):
    """One bond of an issue.

    Attributes:
        tenor_years: to maturity.
        size_musd: face.
        floats: whether it pays a floating rate.
        fair_bp: where the issuer's curve would put it, over the Treasury; None: by rating and tenor.
    """

    tenor_years: int
    size_musd: int
    floats: bool = False
    fair_bp: float | None = None


@dataclass(frozen=True, slots=True)
class Issue:
    """A deal of one issuer: its tranches go the same way at the same times.

    Attributes:
        issue_id: the deal's; a tranche's is this and its number.
        issuer: who borrows.
        tranches: the bonds.
        purpose: use of proceeds.
        statuses: how far it comes, and when: (status, epoch microseconds), rising in time.
        concession_bp: what is paid over the fair value.
        cover: orders as a multiple of the size of all tranches.
        tightening_bp: from initial price talk to pricing.
        break_bp: the first spread in trading over that of pricing; below 0 is a welcome.
        wider_bp: how much wider than in calm the issuer's curve is.
    """

    issue_id: str
    issuer: Issuer
    tranches: tuple[Tranche, ...]
    purpose: str
    statuses: tuple[tuple[str, int], ...]
    concession_bp: float
    cover: float
    tightening_bp: float
    break_bp: float
    wider_bp: float = 0.0

    @property
    def size_musd(self) -> int:
        """Face of all tranches."""
        return sum(tranche.size_musd for tranche in self.tranches)


class Auction(NamedTuple):
    """How an auction of Treasuries went: when (epoch microseconds), tail in bp, cover and dealers' share as ratios."""

    ts_us: int
    tenor_years: int
    tail_bp: float
    cover: float
    dealer_share: float
