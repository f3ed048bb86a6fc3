"""What a CDS spread says of the chance of default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from polars import col as c

from monitor import streams
from monitor.signals.cds.closes import UNITS2_PER_BP
from monitor.signals.cds.quotes import BLIND_HELP, LAST_QUOTED, SEGMENT
from monitor.signals.model import Signal, View, quotient
from monitor.signals.tenors import tenor_label

if TYPE_CHECKING:
    from monitor.signals.cds.parameters import CdsParameters

_BP_PER_ONE: Final = 10_000
_RECOVERY_E6: Final = 400_000
"""Where none is said."""


def signals(parameters: CdsParameters) -> tuple[Signal, ...]:  # noqa: ARG001 - every file has the same face
    """The probability of default within the tenor.

    Example: 151 bp for 5 years at a recovery of 0.4: 1 - exp(-0.0151 * 5 / 0.6) = 0.118.
    """
    # bp / 1e4 * T / (1 - R) as one division of integers.
    loss_e6 = streams.UNITS_PER_ONE - c("recovery_e6").fill_null(_RECOVERY_E6)
    units = UNITS2_PER_BP * _BP_PER_ONE * streams.UNITS_PER_YEAR // streams.UNITS_PER_ONE
    hazard = quotient(c("mid2_e6") * c("tenor_e3"), units * loss_e6)
    return (
        Signal(
            name="cds_default_probability_ratio",
            segment=SEGMENT,
            title="CDS-implied probability of default",
            help="The chance of default within the tenor that pays for the spread, were there no premium for risk.",
            formula="1 - exp(-(mid / 10,000) * years / (1 - recovery))",
            source="Hull, Predescu, White (2004), the credit triangle; ISDA, CDS Standard Model (recovery 0.4)",
            labels=("entity", "tenor"),
            over=(View(LAST_QUOTED, {"entity": c("entity"), "tenor": tenor_label(c("tenor_e3"))}),),
            value=1 - (-hazard).exp(),
            window_help=f"the last quote; {BLIND_HELP}",
        ),
    )
