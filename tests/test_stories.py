"""What can be played: names, beginnings, ends, and which state belongs to which."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from monitor.history import HISTORIES
from monitor.sources.scenario import HEADLINE, SCENARIOS
from monitor.stories import StoryError, history_story, scenario_story

NEW_YORK = ZoneInfo("America/New_York")
HISTORY = "repo-2018-2025"


def new_york(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, NEW_YORK).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_begins_on_a_monday_at_nine_and_says_that_it_is_made_up(name: str) -> None:
    story = scenario_story(name)
    assert (story.name, story.kind) == (name, "scenario")
    assert story.title.startswith("SYNTHETIC: ")
    assert datetime.fromtimestamp(story.start_us / 1e6, NEW_YORK).strftime("%A %H:%M:%S") == "Monday 09:00:00"
    assert story.first_tick * 1_000_000 == story.start_us
    assert story.speed == SCENARIOS[name].speed
    assert story.make(story.clock()).name == name


def test_what_make_run_plays_is_told_within_three_minutes() -> None:
    story = scenario_story(HEADLINE)
    assert (story.end_us - story.start_us) / 1_000_000 / story.speed <= 180


def test_the_seed_tells_states_apart_and_the_speed_does_not() -> None:
    stories = [
        scenario_story("calm"),
        scenario_story("calm", 1),
        scenario_story("calm", 2),
        scenario_story("repo-squeeze"),
    ]
    assert len({story.identity for story in stories}) == 4
    assert scenario_story("calm", SCENARIOS["calm"].seed).identity == stories[0].identity
    assert scenario_story("calm", speed=7).identity == stories[0].identity
    assert scenario_story("calm", speed=7).speed == 7
    assert scenario_story("calm", 0).identity == "the scenario calm with seed 0"


def test_the_seed_reaches_the_source() -> None:
    told = []
    for seed in (1, 1, 2):
        source = scenario_story("calm", seed).all_at_once()
        source.open()
        while (batch := source.poll(1_000)) and batch.stream != "treasury":
            pass
        assert batch
        told.append(batch.payloads)
    assert told[0] == told[1] != told[2]


def test_a_clock_goes_on_where_it_was_left() -> None:
    story = scenario_story("calm")
    assert story.clock().start_us == story.start_us
    assert story.clock(story.start_us + 5).start_us == story.start_us + 5
    assert story.clock(story.start_us - 5).start_us == story.start_us, "of a state that a replay of its past left"
    assert story.clock().end_us == story.end_us


def test_a_history_begins_at_midnight_and_lasts_whole_days() -> None:
    story = history_story(HISTORY, date(2019, 9, 16), date(2019, 9, 17), 3_600)
    assert (new_york(story.start_us), new_york(story.end_us)) == ("2019-09-16 00:00:00", "2019-09-17 23:59:59")
    assert (story.kind, story.speed, story.identity) == ("history", 3_600, f"the history {HISTORY}")
    highlight = history_story(HISTORY)
    assert (highlight.start_us, highlight.speed) == (
        history_story(HISTORY, HISTORIES[HISTORY].highlight[0]).start_us,
        HISTORIES[HISTORY].speed,
    )


def test_all_at_once_is_all_of_it() -> None:
    source = history_story(HISTORY, date(2018, 4, 3), date(2018, 4, 6)).all_at_once()
    source.open()
    count = 0
    while not source.exhausted:
        batch = source.poll(1_000)
        assert batch
        count += len(batch)
    assert count > 0
    assert source.progress() == (count, count)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: scenario_story("nix"),
            "no scenario is called 'nix'; there is ai-debt-wave, calm, treasury-crunch, repo-squeeze",
        ),
        (lambda: history_story("1929"), "no history is called '1929'; there is repo-2018-2025, treasury-2019-2020"),
        (
            lambda: history_story(HISTORY, date(2020, 2, 2), date(2020, 1, 1)),
            "the story would end before it begins: 2020-02-02 is after 2020-01-01",
        ),
    ],
)
def test_what_there_is_not_is_said(make: object, said: str) -> None:
    with pytest.raises(StoryError) as error:
        make()  # type: ignore[operator]
    assert str(error.value) == said
