"""Where a page is read, and what its links look like there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """Where pages are read.

    Attributes:
        runbook: the address of another runbook, with `{}` for its alert.
        document: that of a page of the docs, with `{}` for its name; None: they are not there.
        thresholds: whose thresholds stand on the pages.
    """

    runbook: str
    document: str | None
    thresholds: str

    def link_to_runbook(self, alert: str) -> str:
        """A link to another runbook.

        >>> DOCS.link_to_runbook("RepoTailBp"), SERVED.link_to_runbook("RepoTailBp")
        ('[RepoTailBp](RepoTailBp.md)', '[RepoTailBp](/runbooks/RepoTailBp)')
        """
        return f"[{alert}]({self.runbook.format(alert)})"

    def link_to_document(self, name: str) -> str:
        """A link to a page of the docs, or its name where there is none.

        >>> DOCS.link_to_document("kafka.md"), SERVED.link_to_document("kafka.md")
        ('[docs/kafka.md](../kafka.md)', '`docs/kafka.md`')
        """
        return f"`docs/{name}`" if self.document is None else f"[docs/{name}]({self.document.format(name)})"


DOCS: Final = Place(
    "{}.md",
    "../{}",
    "These are the defaults. Settings take their place; the page that the monitor serves has those in force.",
)
SERVED: Final = Place("/runbooks/{}", None, "These are in force in this run of the monitor.")
