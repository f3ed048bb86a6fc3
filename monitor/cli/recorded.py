"""A recording as the sources of a replay: each feed by itself, with what the settings make of it."""

from __future__ import annotations

from pathlib import Path

import structlog

from monitor.config import Settings
from monitor.sources.base import Source
from monitor.sources.mapped import MappedSource
from monitor.sources.recording import RecordingSource, recorded_feeds

_log = structlog.get_logger(__name__)


def recorded_sources(folder: Path, settings: Settings) -> list[Source]:
    """The feeds of a recording, not opened yet.

    Args:
        folder: of the recording.
        settings: of the run; their [sources.NAME] say how what a recorded feed brought is mapped.

    Raises:
        SourceError: there is no recording, or it cannot be read.
    """
    names = recorded_feeds(folder)
    unknown = sorted(set(names) - set(settings.sources))
    if settings.sources and unknown:
        _log.warning("the settings do not name these recorded feeds: they are read as they came", feeds=unknown)
    return [_mapped(RecordingSource(folder, name), settings) for name in names]


def _mapped(source: Source, settings: Settings) -> Source:
    mapper = settings.mapper(source.name)
    # Nothing goes on in the middle of a recording, so what its positions are of need not be known before it is read.
    return MappedSource(source, mapper, of_messages=False) if mapper else source
