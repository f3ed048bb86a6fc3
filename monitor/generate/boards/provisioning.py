"""What Grafana is given at its start: the data source, and where the boards lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.generate.boards.head import SOURCE_NAME, SOURCE_UID
from monitor.generate.boards.panels import SOURCE_KIND
from monitor.generate.rules.layout import as_yaml
from monitor.generate.rules.server import INTERVAL

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = "grafana/provisioning"
BOARDS_FOLDER: Final = "grafana/boards"
MOUNTED: Final = "/etc/grafana/boards"
"""Where the boards' folder is mounted."""
URL_VARIABLE: Final = "PROMETHEUS_URL"
"""Of Grafana's environment: where Prometheus is, as seen from Grafana."""
FOLDER, FOLDER_UID = "Market stress", "market-stress"


def files() -> dict[str, str]:
    """Path from the project's root, and text."""
    return {
        f"{ROOT}/datasources/prometheus.yml": as_yaml(
            _datasources(),
            f"Grafana's environment says where Prometheus is: {URL_VARIABLE}=http://prometheus:9090",
        ),
        f"{ROOT}/dashboards/boards.yml": as_yaml(_providers(), f"{BOARDS_FOLDER} is mounted to {MOUNTED}."),
    }


def _datasources() -> Mapping[str, Any]:
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": SOURCE_NAME,
                "uid": SOURCE_UID,
                "type": SOURCE_KIND,
                "access": "proxy",
                "url": f"${{{URL_VARIABLE}}}",
                "isDefault": True,
                "editable": False,
                "jsonData": {"httpMethod": "POST", "timeInterval": INTERVAL, "prometheusType": "Prometheus"},
            }
        ],
    }


def _providers() -> Mapping[str, Any]:
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": FOLDER,
                "orgId": 1,
                "folder": FOLDER,
                "folderUid": FOLDER_UID,
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": MOUNTED, "foldersFromFilesStructure": False},
            }
        ],
    }
