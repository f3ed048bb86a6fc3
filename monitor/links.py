"""Where people find the monitor's pages and its boards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from monitor.results import SEGMENTS

METRICS_PORT: Final = 9464
"""Where the monitor listens unless it is told otherwise."""
PAGE_PORT: Final = 8080
"""Where the live page is unless the settings say otherwise."""
LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Under which only programs on the same machine find it."""
MONITOR: Final = f"127.0.0.1:{METRICS_PORT}"
BASE_URL: Final = f"http://{MONITOR}"
"""Where the monitor's own pages are, unless the settings say otherwise."""
GRAFANA_URL: Final = "http://127.0.0.1:3000"

OVERVIEW, ON_CALL, PIPELINE = "msm-overview", "msm-on-call", "msm-pipeline"
BOARD_OF_SEGMENT: Final = {
    "treasury": "msm-treasury",
    "repo": "msm-repo",
    "newissue": "msm-new-issues",
    "cds": "msm-cds-credit",
    "credit": "msm-cds-credit",
}
"""By segment, the uid of the board that shows its signals."""
BOARDS: Final = (OVERVIEW, *dict.fromkeys(BOARD_OF_SEGMENT[segment] for segment in SEGMENTS), ON_CALL, PIPELINE)
"""The uids of all boards, in the order in which they are read: they never change, for links and bookmarks hold them."""
VARIABLES: Final = {
    BOARD_OF_SEGMENT["treasury"]: {"instrument": "issue", "tenor": "issue_tenor"},
    BOARD_OF_SEGMENT["repo"]: {"window": "window", "instrument": "rate"},
    BOARD_OF_SEGMENT["newissue"]: {"theme": "deal_theme", "issuer": "issuer"},
    BOARD_OF_SEGMENT["cds"]: {"tenor": "cds_tenor", "entity": "entity", "theme": "basket"},
}
"""By board its variables, by the label that each chooses. One label means different things on different boards, and
links between boards carry variables by name: so no two boards have one of the same name."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where people find the pages.

    Attributes:
        base_url: of the monitor's own pages.
        grafana_url: of the boards.
    """

    base_url: str = BASE_URL
    grafana_url: str = GRAFANA_URL

    def runbook(self, alert: str) -> str:
        """The address of an alert's runbook.

        >>> Links().runbook("RepoTailBp")
        'http://127.0.0.1:9464/runbooks/RepoTailBp'
        """
        return f"{self.base_url}/runbooks/{alert}"

    def board(self, uid: str, **variables: str) -> str:
        """The address of a board, its variables set.

        >>> Links().board("msm-repo", rate="SOFR")
        'http://127.0.0.1:3000/d/msm-repo?var-rate=SOFR'
        """
        chosen = urlencode({f"var-{name}": value for name, value in variables.items()})
        return f"{self.grafana_url}/d/{uid}" + (f"?{chosen}" if chosen else "")
