"""What people read when a level changes: golden sentences."""

from __future__ import annotations

from datetime import date

import pytest

from monitor.alerts.sentence import new_york, quantity, sentence
from monitor.signals import CATALOGUE

SIGNALS = {signal.name: signal for signal in CATALOGUE}
SEPTEMBER_18 = 1_568_808_000  # 2019-09-18 08:00 New York, in summer time
JANUARY_2 = 1_546_437_600  # 2019-01-02 09:00 New York
SOFR, HALF_HOUR = {"instrument": "SOFR"}, {"instrument": "GC-ON", "window": "30m"}


SINCE = "since 2019-09-18 08:00 New York"


@pytest.mark.parametrize(
    ("signal", "labels", "state", "value", "threshold", "value_date", "text"),
    [
        (
            "repo_spread_bp", SOFR, "critical", 315.0, 30.0, date(2019, 9, 17),
            f"Repo spread to IORB SOFR: 315 bp for 2019-09-17, critical {SINCE} (threshold 30 bp).",
        ),
        (
            "repo_corridor_bp", SOFR, "warning", 9.5, 8.0, date(2019, 9, 17),
            f"Repo above the corridor SOFR: 9.5 bp for 2019-09-17, warning {SINCE} (threshold 8 bp).",
        ),
        (
            "repo_tail_bp", HALF_HOUR, "calm", 12.25, 25.0, date(2019, 9, 18),
            f"Repo tail GC-ON, 30m: 12 bp for 2019-09-18, calm again {SINCE} (threshold 25 bp).",
        ),
        (
            "repo_spread_bp", SOFR, "blind", None, None, date(2019, 9, 17),
            f"Repo spread to IORB SOFR: no sound data {SINCE}; its level stays until there is.",
        ),
        (
            "repo_spread_bp", SOFR, "critical", 45.0, None, date(2019, 9, 18),
            f"Repo spread to IORB SOFR: 45 bp for 2019-09-18, critical {SINCE}.",
        ),
        ("repo_jump_bp", HALF_HOUR, "calm", None, None, None, f"Repo jump GC-ON, 30m: no value, calm again {SINCE}."),
        (
            "repo_spread_bp", {}, "warning", -21.0, -20.0, None,
            f"Repo spread to IORB: -21 bp, warning {SINCE} (threshold -20 bp).",
        ),
    ],
)  # fmt: skip
def test_a_transition_in_words(
    signal: str, labels: dict[str, str], state: str, value: float | None, threshold: float | None,
    value_date: date | None, text: str,
) -> None:  # fmt: skip
    assert sentence(SIGNALS[signal], labels, state, SEPTEMBER_18, value, threshold, value_date) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (217.0, "bp", "217 bp"),
        (12.25, "bp", "12 bp"),
        (-9.96, "bp", "-10.0 bp"),
        (9.5, "bp", "9.5 bp"),
        (9.0, "bp", "9 bp"),
        (0.0, "bp", "0 bp"),
        (-0.04, "bp", "0.0 bp"),
        (-0.0, "bp", "0 bp"),
        (-2.5, "32nds", "-2.5 32nds"),
        (2_345.6, "busd", "2,346 busd"),
        (0.118, "ratio", "12 %"),
        (-0.001, "ratio", "-0.1 %"),
        (-0.0004, "ratio", "0 %"),
        (0.07, "ratio", "7 %"),
        (0.025, "ratio", "2.5 %"),
        (5_162.0, "days", "5,162 days"),
        (1.7, "ratio", "170 %"),
    ],
)
def test_a_number_with_its_unit(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_the_clocks_are_those_of_new_york() -> None:
    assert new_york(SEPTEMBER_18) == "2019-09-18 08:00"
    assert new_york(JANUARY_2) == "2019-01-02 09:00"
