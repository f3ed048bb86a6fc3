"""Synthetic scenarios: made markets with a past and a story, equal to the byte in every run.

Everything is a function of the scenario, the seed and the block of time, so any block can be made by itself.
`story` says what happens, and `wave` what happens in the story of all five streams; `timeline` cuts the time;
`treasury`, `repo`, `deals`, `cds` and `reference` make one stream's events of one block, with `benchmarks`, `issuance`,
`marks`, `policy` and `series` for what comes seldom; and `source` hands it all over by the scenario's clock.
"""

from __future__ import annotations

from typing import Final

from monitor.sources.scenario.source import ScenarioSource
from monitor.sources.scenario.story import REPO_SQUEEZE, TREASURY_CRUNCH, Scenario
from monitor.sources.scenario.wave import AI_DEBT_WAVE

__all__ = ["HEADLINE", "SCENARIOS", "Scenario", "ScenarioSource"]

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        AI_DEBT_WAVE,
        Scenario("calm", "A day on which nothing happens"),
        Scenario(
            "treasury-crunch",
            "A dash for cash: off-the-runs break first, repo follows, the central bank steps in at 12:30",
            TREASURY_CRUNCH,
        ),
        Scenario("repo-squeeze", "Cash runs short: repo rates climb past the corridor, until noon", REPO_SQUEEZE),
    )
}
"""The embedded scenarios, by name. The pasts of all but the first are the same."""

HEADLINE: Final = AI_DEBT_WAVE.name
"""What is played unless another one is asked for: the chain that the monitor exists for."""
