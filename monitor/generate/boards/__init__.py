"""The boards of Grafana, and what provisions them: a module a board, and their common manner."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from monitor.generate.boards import cds_credit, new_issues, on_call, overview, pipeline, provisioning, repo, treasury
from monitor.generate.boards.layout import dashboard
from monitor.generate.boards.of_signals import Catalogue
from monitor.generate.boards.provisioning import BOARDS_FOLDER

if TYPE_CHECKING:
    from monitor.generate.boards.layout import Board
    from monitor.generate.facts import Facts

__all__ = ["BOARDS_FOLDER", "boards", "dashboards", "files"]


def boards(facts: Facts) -> tuple[Board, ...]:
    """All of them, in the order in which they are read."""
    catalogue = Catalogue(facts)
    return (
        overview.board(facts, catalogue),
        treasury.board(catalogue),
        repo.board(catalogue),
        new_issues.board(catalogue),
        cds_credit.board(catalogue),
        on_call.board(facts, catalogue),
        pipeline.board(),
    )


def dashboards(facts: Facts) -> tuple[dict[str, Any], ...]:
    """The same as Grafana reads them."""
    return tuple(dashboard(board, facts) for board in boards(facts))


def files(facts: Facts) -> dict[str, str]:
    """Path from the project's root, and text."""
    return {
        f"{BOARDS_FOLDER}/{each['uid'].removeprefix('msm-')}.json": json.dumps(each, indent=2, ensure_ascii=False)
        + "\n"
        for each in dashboards(facts)
    } | provisioning.files()
