"""The settings of a Prometheus that scrapes the monitor, evaluates the rules, and tells Alertmanager."""

from __future__ import annotations

from typing import Any, Final

from monitor.generate.rules.own import JOB

INTERVAL: Final = "5s"
"""Of scrapes and evaluations: levels move by the second, and a page of 5 s ago is new enough for people."""
ALERTMANAGER: Final = "127.0.0.1:9093"


def server(monitor: str, alertmanager: str = ALERTMANAGER) -> dict[str, Any]:
    """The settings, for a monitor and an Alertmanager at these addresses."""
    targets = {JOB: monitor, "alertmanager": alertmanager}
    return {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in targets.items()
        ],
    }
