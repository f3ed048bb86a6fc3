"""The text of a page, as Alertmanager's own templates make it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from monitor.links import ON_CALL, Links
from tests.prometheus.tools import lay_out, need, run


def alert(
    number: int, name: str = "RepoTailBp", segment: str = "repo", severity: str = "critical", **more: str
) -> dict[str, Any]:
    return {
        "status": more.pop("status", "firing"),
        "labels": {"alertname": name, "segment": segment, "severity": severity},
        "annotations": {
            "summary": f"{name} {number}.", "runbook_url": f"http://m/runbooks/{name}", "dashboard_url": "http://g/d/x",
            **more,
        },
    }  # fmt: skip


def rendered(folder: Path, name: str, *alerts: dict[str, Any]) -> str:
    data = folder / "data.json"
    data.write_text(json.dumps({"receiver": "pager", "status": "firing", "alerts": list(alerts)}))
    template = lay_out(folder) / "deploy/alertmanager/market.tmpl"
    made = run(
        need("amtool"), "template", "render", f"--template.glob={template}", f"--template.data={data}",
        f'--template.text={{{{ template "{name}" . }}}}',
    )  # fmt: skip
    assert made.returncode == 0, made.stdout
    return made.stdout.strip()


def test_the_worst_come_first(tmp_path: Path) -> None:
    text = rendered(
        tmp_path, "market.text",
        alert(1, score="0.93"), alert(2, severity="warning", score="0.60"), alert(3, score="1.00", segment="cds"),
        alert(4, name="StressRegime", segment="market", score="0.52"), alert(5, status="resolved"),
    )  # fmt: skip
    assert text.splitlines() == [
        "CRITICAL: 3 alerts, market 1, repo 2, cds 1",
        "- StressRegime 4.", "  http://m/runbooks/StressRegime http://g/d/x",
        "- RepoTailBp 3.", "  http://m/runbooks/RepoTailBp http://g/d/x",
        "- RepoTailBp 1.", "  http://m/runbooks/RepoTailBp http://g/d/x",
        "- RepoTailBp 2.", "  http://m/runbooks/RepoTailBp http://g/d/x",
        "- over: RepoTailBp",
        f"All that fires: {Links().board(ON_CALL)}",
    ]  # fmt: skip


def test_of_two_hundred_ten_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    lines = rendered(tmp_path, "market.text", *(alert(n, score="0.95") for n in range(200))).splitlines()
    assert lines[0] == "CRITICAL: 200 alerts, repo 200"
    assert sum(line.startswith("- ") for line in lines) == 10
    assert lines[-2] == "and 190 more"


def test_titles(tmp_path: Path) -> None:
    assert rendered(tmp_path, "market.title", alert(1, severity="warning")) == "Warning: 1 alert, repo 1"
    assert rendered(tmp_path, "market.title", alert(1)) == "CRITICAL: 1 alert, repo 1"
    ended = (alert(1, status="resolved"), alert(2, status="resolved"))
    assert rendered(tmp_path, "market.title", *ended) == "Over: 2 alerts ended, repo 2"
    ended[1]["labels"] |= {"instrument": "GC-ON", "window": "30m", "signal": "repo_tail_bp", "notify": "on-call"}
    text = rendered(tmp_path, "market.text", *ended)
    assert text.splitlines() == [
        "Over: 2 alerts ended, repo 2", "- over: RepoTailBp", "- over: RepoTailBp GC-ON 30m",
        f"All that fires: {Links().board(ON_CALL)}",
    ]  # fmt: skip


def test_of_many_that_ended_ten_are_named(tmp_path: Path) -> None:
    ended = (alert(n, status="resolved") for n in range(200))
    lines = rendered(tmp_path, "market.text", *ended).splitlines()
    assert sum(line.startswith("- over: ") for line in lines) == 10
    assert lines[-2] == "and 190 more that ended"


def test_what_is_made_up_says_so_in_the_title(tmp_path: Path) -> None:
    for status, expected in (("firing", "CRITICAL: 1 alert"), ("resolved", "Over: 1 alert ended")):
        made_up = alert(1, status=status)
        made_up["annotations"]["summary"] = "SYNTHETIC: Repo tail SOFR: 217 bp."
        assert rendered(tmp_path, "market.title", made_up) == f"SYNTHETIC: {expected}, repo 1"
