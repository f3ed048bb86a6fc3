"""The texts: there is one for each alert, all are in order, and what they refer to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.generate.facts import Facts
from monitor.generate.runbooks import library
from monitor.links import BOARDS, Links
from monitor.runbooks import DOCS, SERVED
from monitor.runbooks.handwritten import HISTORY, IN_THE_MARKET, LOOK, MEANING, TextError, parse, text_of, written
from monitor.runbooks.references import BOARD_NAMES, UnknownReferenceError, references, resolved
from monitor.signals import CATALOGUE

DOCUMENTS = Path(__file__).parents[2] / "docs"
LIBRARY = library(Facts())
SIGNALS = {signal.alert: signal for signal in CATALOGUE if signal.thresholds}
NAMES = {alert: SIGNALS[alert].name if alert in SIGNALS else alert for alert in LIBRARY.alerts}
SOUND = """One line.

## What it means

Something.

## Look at first

1. One.
2. Two.
3. Three.

## False alarms

- None.

## What to do

Wait.

## When to escalate

Never.
"""


@pytest.mark.parametrize("alert", LIBRARY.alerts)
class TestEachText:
    def test_somebody_wrote_it(self, alert: str) -> None:
        text = text_of(NAMES[alert])
        assert text is not None, f"write monitor/runbooks/texts/{NAMES[alert]}.md"
        assert (IN_THE_MARKET if alert in SIGNALS else MEANING) in text.sections
        assert text.says.endswith(".")

    def test_it_is_as_long_as_can_be_read_at_night(self, alert: str) -> None:
        text = text_of(NAMES[alert])
        assert text is not None
        assert 120 < sum(len(body.split()) for body in text.sections.values()) < 600

    def test_it_names_a_board_and_what_confirms_or_contradicts(self, alert: str) -> None:
        text = text_of(NAMES[alert])
        assert text is not None
        named = {what for what, _ in references(text.sections[LOOK])}
        assert named & set(BOARD_NAMES) or alert == "MonitorAbsent"
        every = {what for body in text.sections.values() for what, _ in references(body)}
        assert alert not in every, "a page that refers to itself"
        if alert in SIGNALS:
            assert named & set(LIBRARY.alerts)

    @pytest.mark.parametrize("place", [DOCS, SERVED])
    def test_all_that_it_refers_to_is_there(self, alert: str, place) -> None:
        page = LIBRARY.page(alert, place).markdown
        assert "{" not in re.sub(r"```.*?```", "", page, flags=re.DOTALL)
        for name in re.findall(r"\.\./([\w-]+\.md)", page):
            assert (DOCUMENTS / name).is_file(), name

    def test_documents_are_there_wherever_they_are_named(self, alert: str) -> None:
        for name in re.findall(r"docs/([\w-]+\.md)", LIBRARY.page(alert, SERVED).markdown):
            assert (DOCUMENTS / name).is_file(), name


def test_no_text_is_left_over() -> None:
    assert written() == set(NAMES.values())


def test_every_board_has_a_name() -> None:
    assert set(BOARD_NAMES) == set(BOARDS)


def test_no_sentence_stands_on_two_pages() -> None:
    """What is said everywhere is read nowhere."""
    short = 10
    seen: dict[str, str] = {}
    for alert, name in NAMES.items():
        text = text_of(name)
        assert text is not None
        said = re.sub(r"\{[^{}]+\}", "", " ".join(text.sections.values()))
        for sentence in re.split(r"(?<=[.:!?])\s+", " ".join(said.split())):
            if len(sentence.split()) >= short:
                assert sentence not in seen, f"{alert} and {seen[sentence]} both say: {sentence}"
                seen[sentence] = alert


class TestParsing:
    def test_a_sound_one(self) -> None:
        text = parse("x", SOUND)
        assert text.says == "One line."
        assert list(text.sections) == [
            "What it means",
            "Look at first",
            "False alarms",
            "What to do",
            "When to escalate",
        ]
        assert text.sections[LOOK] == "1. One.\n2. Two.\n3. Three."
        assert parse("x", SOUND.replace("\n", "\r\n")) == text

    def test_how_it_was_may_stand_after_what_to_look_at(self) -> None:
        told = SOUND.replace("## False alarms", "## How it was\n\nBad.\n\n## False alarms")
        assert parse("x", told).sections[HISTORY] == "Bad."

    @pytest.mark.parametrize(
        ("changed", "why"),
        [
            (SOUND.removeprefix("One line."), "must begin with one line"),
            (SOUND.replace("One line.", "One\nline."), "must begin with one line"),
            (SOUND.replace("## What it means\n", "## What\n"), "begins with neither"),
            (SOUND.replace("## False alarms", "## Wrong alarms"), "must have the sections"),
            (SOUND.replace("## What to do\n\nWait.\n\n", ""), "must have the sections"),
            (SOUND + "\n## How it was\n\nBad.\n", "must have the sections"),
            (SOUND.replace("Never.\n", ""), "has nothing under When to escalate"),
            (SOUND.replace("3. Three.\n", ""), "has 2 numbered steps"),
            (SOUND.replace("3. Three.", "3. Three.\n4. Four.\n5. Five.\n6. Six."), "has 6 numbered steps"),
        ],
    )
    def test_what_is_not_in_order_is_told_with_its_name(self, changed: str, why: str) -> None:
        with pytest.raises(TextError, match=f"the runbook text x {why}"):
            parse("x", changed)


class TestReferences:
    @pytest.mark.parametrize(
        ("place", "told"),
        [
            (DOCS, "[RepoTailBp](RepoTailBp.md), [Repo: Tail](http://g/d/msm-repo), [docs/kafka.md](../kafka.md)"),
            (SERVED, "[RepoTailBp](/runbooks/RepoTailBp), [Repo: Tail](http://g/d/msm-repo), `docs/kafka.md`"),
        ],
    )
    def test_they_are_links_of_the_place_of_reading(self, place, told: str) -> None:
        said = "{RepoTailBp}, {msm-repo: Tail}, {docs/kafka.md}"
        assert resolved(said, {"RepoTailBp"}, place, Links(grafana_url="http://g")) == told

    def test_one_that_leads_nowhere_is_refused(self) -> None:
        for said in ("{RepoTial}", "{msm-nothing}", "{msm-nothing: Tail}"):
            with pytest.raises(UnknownReferenceError, match="is no alert, no board and no page"):
                resolved(said, {"RepoTailBp"}, DOCS, Links())
