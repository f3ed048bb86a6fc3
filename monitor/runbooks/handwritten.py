"""The texts that people write: a file an alert, its sections under fixed headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

IN_THE_MARKET, MEANING, LOOK, HISTORY, FALSE_ALARMS, DO, ESCALATE = (
    "What it means in the market",
    "What it means",
    "Look at first",
    "How it was",
    "False alarms",
    "What to do",
    "When to escalate",
)
WANTED: Final = (LOOK, FALSE_ALARMS, DO, ESCALATE)
"""The sections of every text after the first, in this order; `HISTORY` may stand among them, after `LOOK`."""
FEWEST_STEPS, MOST_STEPS = 3, 5
"""So many things to look at first: fewer are no diagnosis, and more are not read at night."""

_HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_STEP: Final = re.compile(r"^\d+\. ", re.MULTILINE)


class TextError(ValueError):
    """A text is not in order; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Text:
    """What somebody wrote of one alert.

    Attributes:
        says: one line: what the alert says.
        sections: heading to Markdown, in the order of the page.
    """

    says: str
    sections: dict[str, str]


def parse(name: str, written: str) -> Text:
    """A text out of its file; TextError if it is not in order."""
    says, *parts = _HEADING.split(written.replace("\r\n", "\n"))
    says, headings = says.strip(), parts[::2]
    sections = {heading: body.strip() for heading, body in zip(headings, parts[1::2], strict=True)}
    wrong = _wrong(says, headings, sections)
    if wrong:
        raise TextError(f"the runbook text {name} {wrong}")
    return Text(says, sections)


def _wrong(says: str, headings: list[str], sections: dict[str, str]) -> str | None:
    if not says or "\n" in says:
        return "must begin with one line that says what the alert says"
    if not headings or headings[0] not in (IN_THE_MARKET, MEANING):
        return f'begins with neither "{IN_THE_MARKET}" nor "{MEANING}"'
    rest = [heading for heading in headings[1:] if heading != HISTORY]
    if rest != list(WANTED) or headings.count(HISTORY) > 1 or (HISTORY in headings and headings.index(HISTORY) != 2):
        return f"must have the sections {', '.join(WANTED)}, in this order, not {', '.join(headings[1:])}"
    empty = [heading for heading, body in sections.items() if not body]
    if empty:
        return f"has nothing under {', '.join(empty)}"
    steps = len(_STEP.findall(sections[LOOK]))
    if not FEWEST_STEPS <= steps <= MOST_STEPS:
        return f"has {steps} numbered steps under {LOOK}, not {FEWEST_STEPS} to {MOST_STEPS}"
    return None


@cache
def text_of(name: str) -> Text | None:
    """The text that the package carries of a signal's name or an alert; None if nobody wrote one."""
    file = files("monitor.runbooks") / "texts" / f"{name}.md"
    return parse(name, file.read_text(encoding="utf-8")) if file.is_file() else None


def written() -> set[str]:
    """The names of all texts that the package carries."""
    folder = files("monitor.runbooks") / "texts"
    return {file.name.removesuffix(".md") for file in folder.iterdir() if file.name.endswith(".md")}
