"""What is exported and stands on no board, each with its reason: whatever is not here has to be on one."""

from __future__ import annotations

from typing import Final

from monitor.sinks import metrics

NOT_SHOWN: Final = {
    metrics.SIGNAL_CROSSED.scraped: "what is recorded of it is shown, which stands while the monitor is away",
    metrics.RESUMED.scraped: "rules hold the levels of before by it; whether the monitor is ready is shown",
    metrics.TURNS.scraped: "it always grows; MonitorStuck tells when it stands",
    metrics.CLOCK_INFO.scraped: "ClockSkew compares the wall's clock alone by it; what is made up is shown",
    "process_virtual_memory_bytes": "address space that is asked for and mostly not used; what is held is shown",
}
"""By name the reason."""
