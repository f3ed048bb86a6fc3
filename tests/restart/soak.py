"""Many kills: stories of one seed after the other, until so many kills were survived. `make soak` calls it.

How far it came stands in a file, so a second call goes on. It stops at the first difference, and leaves the folder of
that story for whoever looks into it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from random import Random

from monitor.calendar import MarketCalendar
from tests.restart.chain import Difference, Killing, run_chain
from tests.restart.child import Plan
from tests.restart.feed import CRUNCH, SMALL

KILLS_A_STORY = 25
CRUNCH_EVERY = 4
"""Every so many stories one is of the scenario treasury-crunch, without its past; the others are small."""


def plan_of(seed: int) -> Plan:
    """What is played with a seed: the paces differ, so that kills meet other moments."""
    random = Random(f"plan {seed}")
    speed = random.choice((60.0, 90.0, 150.0))
    plan = (
        Plan(CRUNCH, seed, 2 * speed, "", "", past_sessions=0, minutes=45)
        if seed % CRUNCH_EVERY == CRUNCH_EVERY - 1
        else Plan(SMALL, seed, speed, "", "")
    )
    plan.advance_seconds, plan.commit_seconds = random.choice((0.02, 0.1)), random.choice((0.02, 0.06, 0.3))
    return plan


def main() -> int:
    """0 if all kills were survived, 1 at the first difference."""
    options = argparse.ArgumentParser(description="Kill the monitor many times, and hold it against unbroken runs.")
    options.add_argument("--kills", type=int, default=1_000)
    options.add_argument("--folder", type=Path, default=Path("var/soak"))
    given = options.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    progress = given.folder / "progress.json"
    known = json.loads(progress.read_text()) if progress.exists() else {"kills": 0, "seed": 0}
    kills, seed = known["kills"], known["seed"]
    calendar, started = MarketCalendar(), time.monotonic()
    while kills < given.kills:
        story = given.folder / f"seed-{seed}"
        shutil.rmtree(story, ignore_errors=True)
        wanted = min(KILLS_A_STORY, given.kills - kills)
        try:
            kills += run_chain(story, plan_of(seed), Killing(wanted), Random(f"kills {seed}"), calendar)
        except Difference as difference:
            sys.stdout.write(f"seed {seed}: {difference}\nFAILED after {kills} kills; {story} holds both runs\n")
            return 1
        shutil.rmtree(story)
        seed += 1
        progress.write_text(json.dumps({"kills": kills, "seed": seed}))
        took = time.monotonic() - started
        sys.stdout.write(f"{kills} of {given.kills} kills, {seed} stories, {took:.0f} s: no difference so far\n")
        sys.stdout.flush()
    sys.stdout.write(f"PASSED: {kills} kills in {seed} stories, and not one difference to the unbroken runs\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
