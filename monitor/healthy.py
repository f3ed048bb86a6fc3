"""Asks a running monitor whether it is healthy: `python -m monitor.healthy URL`, as its container's health check does.

It imports nothing of the monitor: a check that is made every few seconds must not cost what the monitor's start does.
"""

from __future__ import annotations

import sys
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

ANSWER_WITHIN_SECONDS = 3.0


def unhealthy_because(url: str) -> str | None:
    """A sentence on why the monitor at a URL is not healthy; None if it is."""
    page = f"{url.rstrip('/')}/-/healthy"
    if not page.startswith(("http://", "https://")):
        return f"{url!r} is no address of a web page: http://127.0.0.1:9464"
    try:
        # Not by the environment's proxies: what is asked is on this machine.
        with build_opener(ProxyHandler({})).open(page, timeout=ANSWER_WITHIN_SECONDS):
            return None
    except (OSError, HTTPException, ValueError) as error:  # of an answer other than 2xx, urllib makes an OSError
        return f"{page} does not answer as it should: {error}"


def main() -> int:
    """Says how it is; 0 if it is healthy, 1 if not."""
    if len(sys.argv) != 2:
        sys.stderr.write("one address is needed: python -m monitor.healthy http://127.0.0.1:9464\n")
        return 1  # 2 means nothing to Docker
    reason = unhealthy_because(sys.argv[1])
    if reason is None:
        sys.stdout.write("healthy\n")
        return 0
    sys.stderr.write(f"{reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
