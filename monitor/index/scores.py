"""A score says how bad one value is, from 0 to 1, whatever its unit."""

from __future__ import annotations

from typing import Final

import polars as pl
from polars import col as c

from monitor.signals.model import quotient

CALM, AT_WARNING, AT_CRITICAL, TOP = 0.0, 0.5, 0.9, 1.0
"""The scores of a row's calm, warning and critical values, and of one twice as far from calm as critical is."""

ANCHORS: Final = ("calm", "warning_enter", "critical_enter")
"""The columns of what is strictly ordered, the higher the worse: values of a row where low is bad are mirrored."""


def score_of(signed: pl.Expr) -> pl.Expr:
    """The score: piecewise linear through calm, warning, critical and as far again, flat outside.

    Args:
        signed: what is compared with the thresholds, the higher the worse.

    Returns:
        Float64 in [0, 1], over `ANCHORS` as columns; null without a value, a calm or a critical one. Without a warning
        it is linear from calm to critical.

    Example: calm 15, warning 40, critical 80: 217 lies beyond 15 + 2 * 65 = 145, and scores 1.

    >>> row = pl.DataFrame({"value": [15.0, 27.5, 40.0, 60.0, 80.0, 112.5, 217.0, None]}).with_columns(
    ...     calm=15.0, warning_enter=40.0, critical_enter=80.0)
    >>> row.select(score=score_of(c("value")))["score"].to_list()
    [0.0, 0.25, 0.5, 0.7, 0.9, 0.95, 1.0, None]
    """
    calm, warning, critical = (c(name) for name in ANCHORS)
    to_warning = quotient(AT_WARNING * (signed - calm), warning - calm)
    to_critical = AT_WARNING + quotient((AT_CRITICAL - AT_WARNING) * (signed - warning), critical - warning)
    straight = quotient(AT_CRITICAL * (signed - calm), critical - calm)
    beyond = AT_CRITICAL + quotient((TOP - AT_CRITICAL) * (signed - critical), critical - calm)
    return (
        pl.when(signed.is_null() | calm.is_null() | critical.is_null())
        .then(None)
        .when(signed <= calm)
        .then(CALM)
        .when(signed >= critical)
        .then(pl.min_horizontal(beyond, pl.lit(TOP)))
        .when(warning.is_null())
        .then(straight)
        .when(signed < warning)
        .then(to_warning)
        .otherwise(to_critical)
    )
