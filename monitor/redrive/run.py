"""One redrive: what is selected is put back once, and noted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from monitor.redrive.kept import content_of
from monitor.redrive.origin import Note

if TYPE_CHECKING:
    from monitor.redrive.kept import Kept
    from monitor.redrive.origin import Origin
    from monitor.redrive.selection import Selection
    from monitor.redrive.target import Target

EXAMPLES: Final = 5
NOTED_AT_ONCE: Final = 500
"""So many at most are put back twice, if the run is killed between them and their note."""


@dataclass(slots=True)
class Redriven:
    """What a redrive did, or would do.

    Attributes:
        put: by reason and topic, how many were put back.
        again: how many of them had been put back before, in the same words, and were refused anew.
        earlier: how many were selected, and passed over because an earlier run put them back.
        doubles: how many were kept twice.
        refused: by why, how many were selected and cannot be put back.
        unselected: how many were not selected.
        broken: how many lines or messages were none of a refused event.
        examples: the first of those that were put back.
    """

    put: Counter[tuple[str, str]] = field(default_factory=Counter)
    again: int = 0
    earlier: int = 0
    doubles: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    unselected: int = 0
    broken: int = 0
    examples: list[Kept] = field(default_factory=list)


def redrive(
    origin: Origin,
    target: Target,
    selection: Selection,
    *,
    limit: int | None = None,
    again: bool = False,
    is_dry: bool = False,
) -> Redriven:
    """Put back what is selected, each once.

    Args:
        origin: where it was kept.
        target: where it is put.
        selection: what is meant.
        limit: so many at most, the first.
        again: also what an earlier run put back.
        is_dry: only count.
    """
    done = Redriven()
    before = origin.put_back()
    passed_over = before.keys() if target.is_noted and not again else set()
    putting = _Putting(origin, target, before, done, is_dry=is_dry)
    for each in origin.kept():
        if not selection.takes(each):
            done.unselected += 1
        elif putting.has(each):
            done.doubles += 1
        elif why_not := _refused(each, target):
            done.refused[why_not] += 1
        elif each.identity in passed_over:
            done.earlier += 1
        elif limit is None or done.put.total() < limit:
            putting.put(each)
    putting.settle()
    done.broken = origin.broken
    return done


class _Putting:
    """Puts back one after the other, and notes what is there."""

    def __init__(self, origin: Origin, target: Target, before: Counter[str], done: Redriven, *, is_dry: bool) -> None:
        self._origin, self._target, self._done, self._is_dry = origin, target, done, is_dry
        self._times = Counter[str]()
        for identity, count in before.items():
            self._times[content_of(identity)] += count
        self._seen: set[str] = set()
        self._batch: list[Note] = []

    def has(self, each: Kept) -> bool:
        """Whether it was put back by this run."""
        return each.identity in self._seen

    def put(self, each: Kept) -> None:
        done, times = self._done, self._times[each.content]
        self._seen.add(each.identity)
        done.put[each.reason, each.topic or ""] += 1
        done.again += times > 0
        if len(done.examples) < EXAMPLES:
            done.examples.append(each)
        if self._is_dry:
            return
        self._target.put(each, times + 1)
        self._batch.append(Note(each.identity, each.kept_in))
        if len(self._batch) >= NOTED_AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Wait until all is there, and note it."""
        if not self._batch:
            return
        self._target.flush()
        if self._target.is_noted:
            self._origin.note(self._batch)
        self._batch.clear()


def _refused(each: Kept, target: Target) -> str | None:
    if each.is_synthetic:
        return "they are made up"
    if each.is_cut:
        return "only their beginning was kept, for they are longer than an event may be"
    return target.refuses(each)
