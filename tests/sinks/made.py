"""Outputs of a made-up market, for the tests of all sinks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import polars as pl

from monitor.results import (
    INDEX_COLUMNS,
    SEGMENTS,
    STEP_COLUMNS,
    Alarm,
    Contributor,
    Ingested,
    Output,
    RejectedEvent,
    ThresholdInForce,
    Transition,
    label_columns,
)

LABELS = ("instrument", "window")
STEP_SHAPE = STEP_COLUMNS | label_columns(LABELS)
TICK = 1_568_721_600  # 2019-09-17T12:00:00Z
DAY = date(2019, 9, 16)


def step(signal: str, value: float | None, level: int | None, **more: Any) -> dict[str, Any]:
    """A row of a frame of steps; `instrument` SOFR, of a benchmark, unless it is said otherwise."""
    told = {"tick": TICK, "value_date": DAY, "signal": signal, "value": value, "blind": False, "level": level}
    return (
        told
        | {"row": None, "score": None, "is_partial": False, "is_over": False, "instrument": "SOFR", "window": None}
        | more
    )


def output(
    steps: Sequence[dict[str, Any]] = (),
    transitions: Sequence[Transition] = (),
    thresholds: Sequence[ThresholdInForce] = (),
    until: int = TICK,
    watermarks_us: dict[str, int] | None = None,
    index: Sequence[dict[str, Any]] = (),
    alarms: Sequence[Alarm] = (),
    flags: dict[str, bool] | None = None,
) -> Output:
    frame = pl.DataFrame(list(steps), schema=STEP_SHAPE)
    rows = pl.DataFrame(list(index), schema=INDEX_COLUMNS)
    return Output(
        until, frame, tuple(transitions), tuple(thresholds), watermarks_us or {}, rows, tuple(alarms), flags or {}
    )


def index_row(**more: Any) -> dict[str, Any]:
    """Treasury and repo are known, and elevated together, unless it is said otherwise."""
    nothing = {name: None for segment in SEGMENTS for name in (segment, f"contribution_{segment}", f"level_{segment}")}
    known = {
        "tick": TICK, "stress_index": 0.12, "low": 0.0363, "high": 0.41, "treasury": 0.6, "repo": 0.2,
        "contribution_treasury": 0.09, "contribution_repo": 0.03, "coverage": 0.55, "regime": "elevated",
        "capped": False, "level_treasury": 1, "level_repo": 0, "blind_treasury": False, "blind_repo": True,
    }  # fmt: skip
    return nothing | {f"blind_{segment}": None for segment in SEGMENTS} | known | more


def transition(**more: Any) -> Transition:
    """The spike of 2019-09-17, unless it is said otherwise."""
    spike: dict[str, Any] = {
        "tick": TICK,
        "value_date": DAY,
        "alert": "RepoTailBp",
        "signal": "repo_tail_bp",
        "segment": "repo",
        "labels": {"instrument": "SOFR"},
        "before": "calm",
        "after": "critical",
        "since": TICK - 60,
        "value": 217.0,
        "threshold": 80.0,
        "contributors": (Contributor({"instrument": "SOFR"}, 217.0), Contributor({"instrument": "TGCR"}, 1.5)),
        "runbook": "/runbooks/RepoTailBp",
        "notify": "on-call",
        "sentence": "Repo tail SOFR: 217 bp for 2019-09-16, critical since 2019-09-17 08:00 New York.",
    }
    return Transition(**(spike | more))


def ingested(events: int = 0, rejects: Sequence[RejectedEvent] = (), **more: Any) -> Ingested:
    counts: dict[str, Any] = {"stream": "repo", "late": 0, "doubles": 0, "first_event_us": None, "last_event_us": None}
    return Ingested(events=events, rejects=tuple(rejects), **(counts | more))


def reject(reason: str = "not_json", raw: bytes = b"{", **more: Any) -> RejectedEvent:
    told: dict[str, Any] = {
        "stream": "repo",
        "detail": "cut short",
        "source": "repo.ndjson",
        "partition": "in/repo.ndjson",
        "offset": 7,
    }
    return RejectedEvent(reason=reason, raw=raw, **(told | more))
