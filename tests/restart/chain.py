"""A story that is killed again and again and goes on each time, against the same story unbroken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import polars as pl

from monitor.calendar import MarketCalendar
from monitor.engine.barlog import BarLog
from monitor.engine.retention import pruned
from monitor.results import STEP_COLUMNS
from tests.restart.child import Plan

ROOT: Final = Path(__file__).parents[2]
LONGEST_LIFE_SECONDS: Final = 120.0
_IS_OVER: Final = list(STEP_COLUMNS).index("is_over")
CALLS_A_COMMIT: Final = 18
"""About so many calls that change the disk a commit has, and a merge a few more."""


class Difference(AssertionError):  # noqa: N818 - that is what it is
    """The killed run is not the unbroken one; the message says where."""


@dataclass
class Killing:
    """How a story is killed.

    Attributes:
        kills: how often at most; a story that is over earlier is not killed any more.
        longest_seconds: a kill from outside comes within so many seconds after the life began.
        within_commits: the share of the kills that strike at a call that changes the disk.
    """

    kills: int
    longest_seconds: float = 1.2
    within_commits: float = 0.5


@dataclass
class Told:
    """What a life told: ticks with their rows, transitions with theirs."""

    begin: int | None = None
    until: int | None = None
    is_whole: bool = False
    standing: dict[str, Any] | None = None
    ticks: dict[int, list[Any]] = field(default_factory=dict)
    transitions: list[dict[str, Any]] = field(default_factory=list)


class Nursery:
    """Children that have loaded all they need and wait for their plan: the next gets ready while one lives."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._next = self._born()

    def _born(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.restart.child"],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
            )  # fmt: skip

    def live(self, plan: Plan, kill_after: float | None) -> int:
        """Let a child live by a plan, killed after so many seconds; its exit code."""
        child, self._next = self._next, self._born()
        try:
            child.stdin.write(msgspec.json.encode(plan) + b"\n")  # type: ignore[union-attr]
            child.stdin.close()  # type: ignore[union-attr]
            return child.wait(LONGEST_LIFE_SECONDS if kill_after is None else kill_after)
        except subprocess.TimeoutExpired:
            if kill_after is None:
                raise Difference(f"the story did not come to its end within {LONGEST_LIFE_SECONDS:g} s") from None
            return -signal.SIGKILL
        finally:
            child.kill()
            child.wait()

    def close(self) -> None:
        """Nobody else is wanted."""
        self._next.kill()
        self._next.communicate()


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """A nursery whose log lies in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = Nursery(folder / "children.log")
    try:
        yield opened
    finally:
        opened.close()


def unbroken(children: Nursery, plan: Plan) -> None:
    """Play a story from beginning to end."""
    code = children.live(plan, None)
    if code:
        raise Difference(f"the unbroken run ended with {code}: see children.log")


def killed(children: Nursery, plan: Plan, killing: Killing, random: Random) -> int:
    """Play a story, killing it as said, to its end; how often it was killed."""
    done = 0
    while done < killing.kills:
        life, kill_after = plan, random.uniform(0.0, killing.longest_seconds)
        if random.random() < killing.within_commits:
            at = random.randrange(1, 4 * CALLS_A_COMMIT)
            life = msgspec.structs.replace(plan, die_at=at, die_half_way=random.random() < 0.5)
            kill_after = 4 * killing.longest_seconds
        code = children.live(life, kill_after)
        if code == 0:
            return done
        if code != -signal.SIGKILL:
            raise Difference(f"after {done} kills a new start ended with {code}: see children.log")
        done += 1
    unbroken(children, plan)
    return done


def lives_of(path: Path) -> list[Told]:
    """What was told, a life at a time; a line that a kill cut short was not told."""
    lives: list[Told] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        # Behind a line that was cut short the next life goes on.
        start = line.rfind('{"kind": "start"')
        try:
            told = json.loads(line[max(start, 0) :])
        except ValueError:
            continue
        if told["kind"] == "start":
            lives.append(Told(begin=told["until"], until=told["until"]))
            continue
        life = lives[-1]
        life.until = told["until"]
        if told["kind"] == "end":
            life.is_whole = True
        elif told["kind"] == "standing":
            life.standing = told
        else:
            for row in told["steps"]:
                life.ticks.setdefault(row[0], []).append(row)
            life.transitions += told["transitions"]
    return lives


def compare(calendar: MarketCalendar, expected: Plan, found: Plan) -> None:
    """Hold a killed run against the unbroken one.

    Raises:
        Difference: what they told, what is in their logs, or how they stand at the end is not the same.
    """
    [whole] = lives_of(Path(expected.told))
    lives = lives_of(Path(found.told))
    if not whole.is_whole or not lives[-1].is_whole:
        raise Difference("a run did not come to its end")
    reached: int | None = None
    for number, life in enumerate(lives, start=1):
        _compare_life(f"life {number} of {len(lives)}", whole, life)
        if life.begin is not None and (reached is None or life.begin > reached):
            raise Difference(f"life {number} goes on after {life.begin}, and only {reached} had been reached")
        reached = max(filter(None, (reached, life.until)), default=None)
    if reached != whole.until:
        raise Difference(f"it ended at {reached}, the unbroken run at {whole.until}")
    _compare_logs(calendar, Path(expected.state), Path(found.state))


def _compare_life(which: str, whole: Told, life: Told) -> None:
    """A life tells all that the unbroken run tells between where it went on and where it ended, and nothing else."""
    if life.until is None:
        return  # killed before its first word
    begin = -1 if life.begin is None else life.begin
    expected = {tick: rows for tick, rows in whole.ticks.items() if begin < tick <= life.until}
    for tick in sorted(expected.keys() | life.ticks.keys()):
        if expected.get(tick) != life.ticks.get(tick):
            raise Difference(f"{which}, tick {tick}: {life.ticks.get(tick)} is not {expected.get(tick)}")
    transitions = [each for each in whole.transitions if begin < each["tick"] <= life.until]
    if transitions != life.transitions:
        raise Difference(f"{which}: its transitions are {life.transitions}, not {transitions}")
    if life.standing is not None:
        _compare_standing(which, whole, life.standing)


def _compare_standing(which: str, whole: Told, standing: dict[str, Any]) -> None:
    """What a new start shows first is what stood: per label set the newest step of the newest value date."""
    newest: dict[str, list[Any]] = {}
    for tick in sorted(whole.ticks):
        if tick <= standing["until"]:
            for row in whole.ticks[tick]:
                key = _key(row)
                if not (key in newest and row[1] and newest[key][1] and row[1] < newest[key][1]):
                    newest[key] = row
    shown = {_key(row): row for row in standing["steps"]}
    # What is at its end, and can have no level, is forgotten.
    newest = {key: row for key, row in newest.items() if key in shown or not (row[_IS_OVER] and row[3] is None)}
    # Value, blindness, level: a tick may be that of a later telling of the same.
    if {key: row[3:6] for key, row in newest.items()} != {key: row[3:6] for key, row in shown.items() if key in newest}:
        raise Difference(f"{which}: what it shows first is not what stood")


def _key(row: list[Any]) -> str:
    """The signal and the labels, which come after what every step has."""
    return json.dumps([row[2], *row[len(STEP_COLUMNS) :]])


def _compare_logs(calendar: MarketCalendar, expected: Path, found: Path) -> None:
    """The bars of all tiers, prints, ids and transitions, each once; and all that the next tick would need."""
    logs = []
    for folder in (expected, found):
        log = BarLog(folder)
        recovered = log.open()
        log.close()
        if recovered is None:
            raise Difference(f"there is no log in {folder}")
        ran = recovered.states["facts"]["ran"][0]
        appends = {name: pruned(name, rows, calendar, ran) for name, rows in recovered.appends.items()}
        # Where a partition was released depends on when somebody looked.
        appends.pop("releases", None)
        logs.append((appends, recovered.states))
    for kind, one, other in (("tier", logs[0][0], logs[1][0]), ("state", logs[0][1], logs[1][1])):
        if one.keys() != other.keys():
            raise Difference(f"one log has the {kind}s {sorted(one)}, the other {sorted(other)}")
        for name, frame in one.items():
            left, right = _in_order(frame), _in_order(other[name])
            if not left.equals(right):
                raise Difference(f"the {kind} {name} differs: {_what_differs(left, right)}")


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort(pl.all())


def _what_differs(left: pl.DataFrame, right: pl.DataFrame) -> str:
    if left.schema != right.schema:
        return f"the columns {left.schema} are not {right.schema}"
    missing = left.join(right, on=left.columns, how="anti", nulls_equal=True)
    extra = right.join(left, on=left.columns, how="anti", nulls_equal=True)
    return f"{left.height} rows, {right.height} after kills; missing {missing.head(3)}, not expected {extra.head(3)}"


def run_chain(folder: Path, plan: Plan, killing: Killing, random: Random, calendar: MarketCalendar) -> int:
    """An unbroken story and a killed one in a folder, compared; how many kills there were."""
    with nursery(folder) as children:
        expected = msgspec.structs.replace(plan, state=str(folder / "unbroken"), told=str(folder / "unbroken.jsonl"))
        found = msgspec.structs.replace(plan, state=str(folder / "killed"), told=str(folder / "killed.jsonl"))
        # The unbroken one is played with other cuts: nothing may depend on when somebody looks.
        quick = {"speed": plan.speed * 4, "advance_seconds": 0.05, "commit_seconds": 0.5}
        unbroken(children, msgspec.structs.replace(expected, **quick))
        kills = killed(children, found, killing, random)
    compare(calendar, expected, found)
    return kills
