"""A recording as the sources of a replay: each feed by itself, with what the settings make of it."""

from __future__ import annotations

from pathlib import Path

import structlog

from monitor.config import Settings
from monitor.sources.base import Source
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
    return [RecordingSource(folder, name) for name in names]
