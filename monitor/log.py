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
    # Tracebacks without the values of variables: a secret may be among them.
    render: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if for_people
        else [
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    )
    mark: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if for_people else "iso", utc=not for_people),
    ]
    structlog.configure(
        processors=[*mark, *render],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # What libraries warn of by the standard library's log, which nothing else handles, looks the same.
    of_libraries = logging.StreamHandler(sys.stderr)
    of_libraries.setLevel(LEVELS[level])
    of_libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=mark, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render]
        )
    )
    logging.lastResort = of_libraries
