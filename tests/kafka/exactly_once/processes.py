"""Monitors in processes of their own, that are killed, stopped for a while and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
STOP_WITHIN_SECONDS: Final = 5.0
PATIENT_SECONDS: Final = 30.0
"""Where a round is not about how long a stop takes: many processes share this machine."""
_GIVEN: Final = "partitions were given"

CONFIG: Final = """\
[http]
metrics_port = 0
page_port = 0
[log]
format = "json"
level = "debug"
[run]
stage = "{stage}"
stop_within_seconds = {stop_within:g}
{state}
{begin}
[kafka]
url = "kafka://{bootstrap}"
[bars]
topic = "{bars}"
[rejects]
to = "none"
[supervisor]
longest_wait_seconds = 1.0
[sources.market]
kind = "kafka"
topics = [{topics}]
group = "{group}"
session_seconds = {session:g}
"""
SHORT_HOLDS: Final = "".join(
    f"[thresholds.treasury_spread_32nds.on_the_run_{tenor}y]\nhold_in_minutes = 1\nhold_out_minutes = 1\n"
    for tenor in (2, 5, 10, 30)
)
"""Levels are entered, and left, within a story of ten minutes."""


class Difference(AssertionError):  # noqa: N818 - that is what it is
    """What came out is not what must; the message says where."""


@dataclass(frozen=True)
class Wanted:
    """What a monitor is told.

    Attributes:
        bootstrap: host:port of the broker.
        topics: what is read.
        group: of the processes that seal.
        bars: the topic of bars.
        session_seconds: after so long without a sign a process of the group has lost its partitions.
        begin: what is earlier is past; None: all ticks are run.
        more: settings besides.
    """

    bootstrap: str
    topics: tuple[str, ...]
    group: str
    bars: str
    session_seconds: float = 1.5
    begin: datetime | None = None
    more: str = SHORT_HOLDS


class Monitor:
    """One process after the other of one stage, with one log.

    Args:
        folder: for its settings, its log and its state.
        name: of its files.
        stage: bars, signals or all.
        wanted: what it is told.
        state: whether it has a durable state.

    Attributes:
        started_at: when the process that lives was started, by the monotonic clock.
        stopped_took: how long each SIGTERM took.
    """

    def __init__(self, folder: Path, name: str, stage: str, wanted: Wanted, *, state: bool = False) -> None:
        self.name, self.stage = name, stage
        self.state = folder / f"{name}.state" if state else None
        self.log = folder / f"{name}.log"
        self.config = folder / f"{name}.toml"
        self.config.write_text(
            CONFIG.format(
                stage=stage,
                stop_within=STOP_WITHIN_SECONDS,
                state=f'state = "{self.state}"' if self.state else "",
                begin=f"begin = {wanted.begin.isoformat()}" if wanted.begin else "",
                bootstrap=wanted.bootstrap,
                bars=wanted.bars,
                topics=", ".join(f'"{each}"' for each in wanted.topics),
                group=wanted.group,
                session=wanted.session_seconds,
            )
            + wanted.more
        )
        self.started_at = 0.0
        self.stopped_took: list[float] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def lives(self) -> bool:
        """Whether its process runs, or is stopped for a while."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Of the process that ended; None while it lives, or was never started."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start a process, unless one lives."""
        if self.lives:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "monitor", "run", "--config", str(self.config)],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
            )  # fmt: skip
        self.started_at = time.monotonic()

    def kill(self) -> None:
        """Kill it, stopped for a while or not."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Let it do nothing, and not know it."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was."""
        self._send(signal.SIGCONT)

    def terminate(self, within_seconds: float = PATIENT_SECONDS) -> None:
        """End it as a person would.

        Raises:
            Difference: it did not end within that time, or not well.
        """
        if not self.lives or self._process is None:
            return
        asked_at = time.monotonic()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within_seconds + 10)
        took = time.monotonic() - asked_at
        self.stopped_took.append(took)
        # A process that was just started dies of the signal itself: it has nothing yet that it could lose.
        if took > within_seconds or self._process.poll() not in (0, -signal.SIGTERM):
            code = self._process.poll()
            self.kill()
            raise Difference(f"{self.name}: ended with {code} {took:.1f} s after SIGTERM:\n{self.said_last()}")

    def has_mistakes(self) -> bool:
        """Whether its log tells of a mistake in the program."""
        return self.log.exists() and "Traceback" in self.log.read_text(errors="replace")

    def said_last(self, lines: int = 30) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def generations(self) -> set[int]:
        """Of the group, in which it was given partitions."""
        found: set[int] = set()
        for line in self.log.read_text(errors="replace").splitlines() if self.log.exists() else ():
            if _GIVEN in line:
                with suppress(ValueError, KeyError):
                    found.add(json.loads(line)["generation"])
        return found

    def _send(self, number: signal.Signals) -> None:
        if self.lives and self._process is not None:
            self._process.send_signal(number)
