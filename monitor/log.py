"""The log: for people on a terminal, JSON lines otherwise; always on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Final, Literal

import structlog

LogFormat = Literal["auto", "text", "json"]
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LogLevel = Literal["debug", "info", "warning", "error"]


def configure(level: LogLevel = "info", format_: LogFormat = "auto") -> None:
    """Set the log up, once, at the start of a command."""
    for_people = format_ == "text" or (format_ == "auto" and sys.stderr.isatty())
    render: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if for_people
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if for_people else "iso", utc=not for_people),
            *render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
