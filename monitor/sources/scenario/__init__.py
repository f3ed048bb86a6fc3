"""Synthetic scenarios: made markets with a past and a story, equal to the byte in every run.

Everything is a function of the scenario, the seed and the block of time, so any block can be made by itself.
`story` says what happens, `timeline` cuts the time, `treasury`, `repo` and `cds` make one stream's events of one
block, `policy` and `benchmarks` what is published, and `source` hands it all over by the scenario's clock.
"""

from __future__ import annotations

from typing import Final

from monitor.sources.scenario.source import ScenarioSource
from monitor.sources.scenario.story import REPO_SQUEEZE, TREASURY_CRUNCH, Scenario

__all__ = ["SCENARIOS", "Scenario", "ScenarioSource"]

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario("calm", "A day on which nothing happens"),
        Scenario(
            "treasury-crunch",
            "A dash for cash: off-the-runs break first, repo follows, the central bank steps in at 12:30",
            TREASURY_CRUNCH,
        ),
        Scenario("repo-squeeze", "Cash runs short: repo rates climb past the corridor, until noon", REPO_SQUEEZE),
    )
}
"""The embedded scenarios, by name. Their pasts are the same."""
