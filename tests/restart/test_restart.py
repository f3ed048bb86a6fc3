"""A monitor that is killed at any moment goes on as if it had not been: nothing is lost, nothing counts twice."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from monitor.calendar import MarketCalendar
from tests.restart.chain import Killing, run_chain
from tests.restart.child import Plan
from tests.restart.feed import CRUNCH, SMALL


@pytest.mark.parametrize(
    ("plan", "killing"),
    [
        pytest.param(Plan(SMALL, 11, 90, "", ""), Killing(16), id="small"),
        pytest.param(
            Plan(CRUNCH, 12, 120, "", "", minutes=15), Killing(4, longest_seconds=2.5, within_commits=0.25),
            id="treasury-crunch-with-its-past",
        ),
    ],
)  # fmt: skip
def test_killed_again_and_again_it_ends_as_if_unbroken(tmp_path: Path, plan: Plan, killing: Killing) -> None:
    kills = run_chain(tmp_path, plan, killing, Random(plan.seed), MarketCalendar())
    assert kills == killing.kills, "the story was over before it could be killed so often"
