"""What can be wrong with a recording; the message is a sentence for people."""

from __future__ import annotations


class RecordingError(Exception):
    """A recording cannot be used: which, what is wrong with it, and what to do."""


class DamagedError(RecordingError):
    """A block is not what was written.

    Args:
        path: the file.
        place: the byte at which the block begins.
        wrong: what is wrong with it.
    """

    def __init__(self, path: object, place: int, wrong: str) -> None:
        super().__init__(
            f"{path}: the block at byte {place} is damaged: {wrong}; what stands before it is sound. Fetch the file "
            f"again; or, to do without the block and all that follows it in the file: truncate -s {place} {path}"
        )
        self.place = place
