"""The INPUT words of the command line: which files are read as which streams.

Nothing is guessed from a file's content. A word either names its stream, or is a folder whose files are named
after their streams; so the output of an earlier replay, or a stray file, is never taken for events.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.sources.blocks import expand
from monitor.sources.errors import InputError, error_text
from monitor.sources.file import EXTENSIONS, EXTENSIONS_TEXT, STDIN, FileSource, extension_of
from monitor.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Sequence

_STREAMS_TEXT = ", ".join(STREAMS)
_EXAMPLE = "for example `treasury=quotes.ndjson.gz`, `repo=-` for standard input, or a folder with `treasury.parquet`"
_OUTPUTS = ("signals.parquet", "alerts.jsonl", "summary.json")


def parse_inputs(words: Sequence[str]) -> list[FileSource]:
    """The sources that the words name, not opened yet.

    Args:
        words: each `STREAM=PATH`, where PATH `-` is standard input, or a folder, of which every file named
            `STREAM.EXT` is read and all others are not.

    Returns:
        The sources in the order of the words; those of a folder in the order of the contracts.

    Raises:
        InputError: a word cannot be read so, or names an input that an earlier one named.
    """
    sources: list[FileSource] = []
    seen: dict[str, str] = {}
    for word in words:
        for source in _sources(word):
            identity = STDIN if source.partition == STDIN else os.path.realpath(expand(source.partition))
            if identity in seen:
                wrong = f"`{source.partition}` was given before, by `{seen[identity]}`"
                raise InputError(word, wrong, "give each file, and standard input, once")
            seen[identity] = word
            sources.append(source)
    return sources


def _sources(word: str) -> list[FileSource]:
    stream, equals, path = word.partition("=")
    if equals and stream in STREAMS:
        return [_named(word, stream, path)]
    if os.path.isdir(expand(word)):  # noqa: PTH112 - the text as the user wrote it names the partition
        return _folder(word)
    if equals:
        near = difflib.get_close_matches(stream.strip().lower(), STREAMS, n=1)
        meant = f"perhaps {near[0]} is meant; " if near else ""
        raise InputError(word, f"`{stream}` is no stream", f"{meant}a stream is one of {_STREAMS_TEXT}: {_EXAMPLE}")
    if word in ("", STDIN) or os.path.exists(expand(word)):  # noqa: PTH110
        advice = f"write STREAM={word or 'PATH'}, with STREAM one of {_STREAMS_TEXT}: {_EXAMPLE}"
        raise InputError(word or "``", "it does not say which stream it is", advice)
    raise InputError(
        word, "there is no such folder", f"an INPUT is STREAM=PATH, with STREAM one of {_STREAMS_TEXT}: {_EXAMPLE}"
    )


def _named(word: str, stream: str, path: str) -> FileSource:
    if not path:
        raise InputError(word, "there is no path behind the `=`", f"name a file, or `-`: {_EXAMPLE}")
    if os.path.isdir(expand(path)):  # noqa: PTH112
        advice = f"give a file, or the folder without `{stream}=`, which reads all streams in it: {_EXAMPLE}"
        raise InputError(word, "the path is a folder", advice)
    if path != STDIN and not extension_of(path):
        raise InputError(word, "its name does not tell its format", f"it must end in {EXTENSIONS_TEXT}: {_EXAMPLE}")
    return FileSource(path, stream)


def _folder(word: str) -> list[FileSource]:
    try:
        there = sorted(entry.name for entry in Path(expand(word)).iterdir())
    except OSError as error:
        raise InputError(word, f"the folder cannot be read: {error_text(error)}", "check who may read it") from error
    wanted = {stream + extension: stream for stream in STREAMS for extension in EXTENSIONS}
    found = [
        FileSource(os.path.join(word, name), stream)  # noqa: PTH118
        for stream in STREAMS
        for name in there
        if wanted.get(name.lower()) == stream
    ]
    if not found:
        wrong = "none of the files in the folder is named after a stream"
        if any(name in there for name in _OUTPUTS):
            wrong += " (it looks like the output of a replay)"
        fitting = ", ".join(f"{stream}.EXT" for stream in STREAMS)
        raise InputError(word, wrong, f"{fitting} would be read, where .EXT is {EXTENSIONS_TEXT}")
    return found
