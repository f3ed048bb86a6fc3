"""Monitors and their broker are killed at random, and every event is counted once; `make soak` has more rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kafka.broker import need_broker
from tests.kafka.exactly_once.round import Plan, run_round


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(
            Plan(1, seconds=15, minutes=10, kills=2, stops=1, freezes=2, reader_kills=1, bounces=1), id="two stages"
        ),
        pytest.param(
            Plan(2, "all", seconds=10, minutes=10, kills=2, stops=1, freezes=0, reader_kills=0, bounces=1),
            id="one process",
        ),
    ],
)
def test_every_event_is_counted_once(tmp_path: Path, capsys: pytest.CaptureFixture[str], plan: Plan) -> None:
    need_broker(own=True)
    result = run_round(tmp_path, plan)
    with capsys.disabled():
        print(f"\n{result.line()}")  # noqa: T201 - it is what the round is run for
    assert result.counted.kills == plan.kills + plan.reader_kills
    assert result.counted.bounces == plan.bounces
    assert result.transitions
