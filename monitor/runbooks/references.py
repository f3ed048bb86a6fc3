"""References in a text: `{RepoTailBp}`, `{msm-repo: Tail}`, `{docs/kafka.md}` become links of the place of reading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from monitor.links import BOARD_OF_SEGMENT, ON_CALL, OVERVIEW, PIPELINE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from monitor.links import Links
    from monitor.runbooks.places import Place

BOARD_NAMES: Final = {
    OVERVIEW: "Overview",
    BOARD_OF_SEGMENT["treasury"]: "Treasury",
    BOARD_OF_SEGMENT["repo"]: "Repo",
    BOARD_OF_SEGMENT["newissue"]: "New issues",
    BOARD_OF_SEGMENT["cds"]: "CDS and credit",
    ON_CALL: "On-call",
    PIPELINE: "Pipeline",
}
"""By uid, what a board is called in a sentence."""

_REFERENCE: Final = re.compile(r"\{([^{}\n]+)\}")
_DOCUMENT: Final = "docs/"


class UnknownReferenceError(ValueError):
    """A text refers to something that is not there."""


def references(text: str) -> Iterator[tuple[str, str | None]]:
    """Each reference: what it is to, and the panel if it is to one of a board.

    >>> list(references("See {RepoTailBp} and {msm-repo: Tail}."))
    [('RepoTailBp', None), ('msm-repo', 'Tail')]
    """
    for found in _REFERENCE.findall(text):
        what, _, panel = found.partition(": ")
        yield what, panel or None


def resolved(text: str, alerts: Collection[str], place: Place, links: Links) -> str:
    """The text with links in the place of its references; UnknownReferenceError if one leads nowhere."""

    def link(match: re.Match[str]) -> str:
        [(what, panel)] = references(match[0])
        if what in BOARD_NAMES:
            said = f"{BOARD_NAMES[what]}: {panel}" if panel else f"{BOARD_NAMES[what]} board"
            return f"[{said}]({links.board(what)})"
        if what in alerts:
            return place.link_to_runbook(what)
        if what.startswith(_DOCUMENT):
            return place.link_to_document(what.removeprefix(_DOCUMENT))
        raise UnknownReferenceError(f"{match[0]} is no alert, no board and no page of the docs")

    return _REFERENCE.sub(link, text)
