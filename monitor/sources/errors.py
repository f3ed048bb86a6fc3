"""The error of an input that a person named: three parts, so that none is forgotten."""

from __future__ import annotations

from monitor.sources.base import SourceError


class InputError(SourceError):
    """A file, folder or word of the command line cannot be read.

    Args:
        which: the path or word, as the user wrote it.
        wrong: what is wrong with it.
        advice: what is allowed, or what to do.
    """

    def __init__(self, which: str, wrong: str, advice: str) -> None:
        super().__init__(f"{which}: {wrong}; {advice}")


def error_text(error: BaseException) -> str:
    """The first line of what an error says, without the path and the number that an OSError repeats."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return text.partition("\n")[0]
