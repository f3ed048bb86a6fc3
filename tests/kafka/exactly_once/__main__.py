"""Many rounds, of one seed after the other; `make soak` calls it.

How far it came stands in a file, so a second call goes on. It stops at the first difference, and leaves the folder of
that round for whoever looks into it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from tests.kafka.broker import missing
from tests.kafka.exactly_once.processes import Difference
from tests.kafka.exactly_once.round import Plan, run_round

ALL_EVERY = 4
"""Every so many rounds one is of a single process that seals and evaluates."""


def plan_of(seed: int) -> Plan:
    """What happens in the round of a seed."""
    if seed % ALL_EVERY == ALL_EVERY - 1:
        return Plan(seed, stage="all", kills=6, stops=2, freezes=1, reader_kills=0)
    return Plan(seed, sealers=2 + seed % 2, freezes=3, session_seconds=(1.0, 2.0)[seed % 2])


def main() -> int:
    """0 if every round counted every event once, 1 at the first that did not."""
    options = argparse.ArgumentParser(description="Kill monitors and their broker, and count every event.")
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--seed", type=int, help="Only the round of this seed.")
    options.add_argument("--folder", type=Path, default=Path("var/soak-kafka"))
    given = options.parse_args()
    if reason := missing(own=True):
        sys.stdout.write(f"{reason}\n")
        return 1
    given.folder.mkdir(parents=True, exist_ok=True)
    progress = given.folder / "progress.json"
    done = json.loads(progress.read_text())["rounds"] if progress.exists() and given.seed is None else 0
    seeds = range(done, given.rounds) if given.seed is None else [given.seed]
    started = time.monotonic()
    for seed in seeds:
        folder = given.folder / f"seed-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            result = run_round(folder, plan_of(seed))
        except Difference as difference:
            sys.stdout.write(f"seed {seed}: {difference}\nFAILED after {seed} rounds; {folder} holds the logs\n")
            return 1
        shutil.rmtree(folder)
        sys.stdout.write(f"{result.line()}\n")
        sys.stdout.flush()
        if given.seed is None:
            progress.write_text(json.dumps({"rounds": seed + 1}))
    sys.stdout.write(f"PASSED: {len(seeds)} rounds in {time.monotonic() - started:.0f} s, {given.rounds} in all\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
