"""What happens to the monitors and the broker in a round: drawn from a seed, in no good order."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.kafka.broker import Broker
from tests.kafka.exactly_once.processes import Difference, Monitor

KILL, STOP, FREEZE, KILL_READER, BOUNCE = "kill", "stop", "freeze", "kill the reader", "bounce"
_BORN_SECONDS: Final = 1.5
"""A process that is killed sooner has not begun with anything yet, so most live for longer."""


@dataclass
class Counted:
    """How often what was done."""

    kills: int = 0
    stops: int = 0
    zombies: int = 0
    bounces: int = 0
    refused: int = 0
    done: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.done.append(f"{time.strftime('%H:%M:%S')} {what}")


class Chaos:
    """Kills, stops and freezes monitors, and bounces the broker.

    Args:
        broker: of this round alone.
        sealers: the processes that share the partitions; one runs at most per entry.
        readers: the processes that evaluate.
        random: draws what, whom, when.
        session_seconds: a freeze is longer than that.
    """

    def __init__(
        self, broker: Broker, sealers: list[Monitor], readers: list[Monitor], random: Random, session_seconds: float
    ) -> None:
        self._broker, self._sealers, self._readers = broker, sealers, readers
        self._random, self._session = random, session_seconds
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._down_since = 0.0
        self._down_until = 0.0
        self.counted = Counted()

    def plan(self, kills: int, stops: int, freezes: int, reader_kills: int, bounces: int) -> list[str]:
        """So much of each, in a random order."""
        some = (
            [KILL] * kills + [STOP] * stops + [FREEZE] * freezes + [KILL_READER] * reader_kills + [BOUNCE] * bounces
        )  # fmt: skip
        self._random.shuffle(some)
        return some

    def run(self, plan: list[str], seconds: float) -> None:
        """Do all of it in about so many seconds, and whatever it takes to have everybody back."""
        began = time.monotonic()
        at = sorted(self._random.uniform(0.0, seconds) for _ in plan)
        for moment, what in zip(at, plan, strict=True):
            self.wait(max(0.0, began + moment - time.monotonic()))
            self._do(what)
        while self._later:
            self.wait(0.1)

    def wait(self, seconds: float) -> None:
        """Let time pass: those that were to come back come back, and those that ended by themselves are looked at."""
        until = time.monotonic() + seconds
        while True:
            now = time.monotonic()
            due = [each for each in self._later if each[0] <= now]
            self._later = [each for each in self._later if each[0] > now]
            for _, back in due:
                back()
            self._look()
            if time.monotonic() >= until:
                return
            time.sleep(0.05)

    def _do(self, what: str) -> None:
        counted, random = self.counted, self._random
        if what == BOUNCE:
            self._bounce()
            return
        among = self._readers if what == KILL_READER else self._sealers
        awake = [each for each in among if each.lives and not self._is_busy(each)]
        if not awake:
            self.wait(0.3)
            self._do(what)
            return
        one = random.choice(awake)
        if random.random() < 0.8:
            self.wait(max(0.0, one.started_at + _BORN_SECONDS - time.monotonic()))
        counted.note(f"{what} {one.name}")
        if what == STOP:
            one.terminate()
            counted.stops += 1
            self._after(random.uniform(0.0, 2.0), one, one.start)
        elif what == FREEZE:
            one.freeze()
            counted.zombies += 1
            self._after(self._session * random.uniform(1.2, 3.0), one, one.thaw)
        else:
            one.kill()
            counted.kills += 1
            self._after(random.uniform(0.0, 2.0), one, one.start)

    def _bounce(self) -> None:
        is_kill = self._random.random() < 0.5
        self.counted.note(f"{'kill' if is_kill else 'stop'} the broker")
        self._down_since, self._down_until = time.monotonic(), float("inf")
        (self._broker.kill if is_kill else self._broker.stop)()
        self.wait(self._random.uniform(0.3, 4.0))
        self._broker.start()
        self._down_until = time.monotonic()
        self.counted.bounces += 1

    def _is_busy(self, one: Monitor) -> bool:
        return any(getattr(back, "__self__", None) is one for _, back in self._later)

    def _after(self, seconds: float, _: Monitor, back: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + seconds, back))

    def _look(self) -> None:
        """A process that ended by itself is started again if the broker was away, as a service manager would."""
        for one in (*self._sealers, *self._readers):
            if one.exit_code is None or self._is_busy(one):
                continue
            if one.has_mistakes() or one.started_at > self._down_until or time.monotonic() < self._down_since:
                raise Difference(f"{one.name} ended by itself with {one.exit_code}:\n{one.said_last()}")
            self.counted.refused += 1
            self._after(0.5, one, one.start)


def end_all(monitors: list[Monitor]) -> None:
    """Nothing is left behind, however the round ended."""
    for each in monitors:
        with suppress(ProcessLookupError):
            each.kill()
