"""How far a run has told its sinks, kept beside its state, for the next process to know when it is there again.

The state is committed once a second, and what was told since is told again after a kill. On a machine that is short of
time that may be more than a second, and until then levels may be lower than what people were told last: the monitor
says that it is not ready until it is where it was.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

import structlog

from monitor.results import rfc3339

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "told"
NOTHING_MORE_SECONDS: Final = 10.0
"""A live source that brought all it has, and brings no more for so long, is not waited for."""
_TICK: Final = struct.Struct("<q")

_log = structlog.get_logger(__name__)


class ToldMark:
    """The newest tick that was told, in a file of eight bytes.

    It is not forced to the disk: it is there after a kill of the process, and after a loss of power it may be an older
    one, or none. It costs a write of eight bytes for each output.

    Args:
        folder: of the state; it is there.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file: int | None = None
        self._is_failing = False

    def read(self) -> int | None:
        """The tick up to which an earlier process told, epoch seconds; None if that is not known."""
        try:
            found = self._path.read_bytes()
        except OSError:
            return None  # a state without the mark is whole: how far it was told is then not known
        return int(_TICK.unpack(found)[0]) if len(found) == _TICK.size else None

    def write(self, tick: int) -> None:
        """Note that everything up to a tick is about to be told; said in the log once if it cannot be noted."""
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            os.pwrite(self._file, _TICK.pack(tick), 0)
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                _log.warning(
                    "how far was told cannot be noted: after a kill the monitor may say that it is ready too early",
                    file=str(self._path),
                    error=str(error),
                )
            self._is_failing = True

    def remove(self) -> None:
        """Forget it."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """The file stays."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class ToldBefore:
    """Says whether a run that goes on is where an earlier process was.

    Args:
        until: the tick up to which that one told, epoch seconds; None if there was none.

    Attributes:
        until: likewise; None as soon as it is reached, or no longer waited for.
    """

    def __init__(self, until: int | None) -> None:
        self.until = until
        self._all_in_since: float | None = None

    def ahead_of(self, ran: int | None, *, is_all_in: bool, now: float) -> str | None:
        """A sentence while less is told than was told before, else None.

        Levels may be lower than they were said to be, and whoever waits for this monitor shall not believe it yet.

        Args:
            ran: the newest tick of this run, epoch seconds.
            is_all_in: whether the sources are live and have brought all that they had: what they do not bring again,
                as one that cannot be read again, is not waited for.
            now: seconds of a monotonic clock.
        """
        if self.until is None:
            return None
        if not is_all_in:
            self._all_in_since = None
        elif self._all_in_since is None:
            self._all_in_since = now
        is_silent = self._all_in_since is not None and now - self._all_in_since >= NOTHING_MORE_SECONDS
        if is_silent or (ran is not None and ran >= self.until):
            self.until = None
            return None
        return f"going over what was told before, up to {rfc3339(self.until)}"
