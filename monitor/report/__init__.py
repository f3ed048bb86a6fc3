"""One self-contained HTML page of a replay: what was how bad, since when, and why."""

from monitor.report.page import ReportError, write_report

__all__ = ["ReportError", "write_report"]
