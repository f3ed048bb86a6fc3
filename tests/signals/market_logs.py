"""Random days of the whole market: repo, Treasury quotes, CDS quotes, deals and published series in one log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.signals.deal_logs import deal_events
from tests.signals.events import SCENES
from tests.signals.quote_logs import cds_events, treasury_events
from tests.signals.reference_logs import reference_events
from tests.signals.repo_logs import repo_events

if TYPE_CHECKING:
    from datetime import date

    from tests.signals.events import Log


@st.composite
def _events(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    parts = [repo_events(scene), treasury_events(scene), cds_events(scene), deal_events(scene), reference_events(scene)]
    return sorted((event for part in parts for event in draw(part)), key=lambda event: event.arrived_us)


def logs() -> st.SearchStrategy[Log]:
    """A log of everything, in the order of arrival."""
    return st.sampled_from(SCENES).flatmap(_events)


@st.composite
def _quotes(draw: st.DrawFn, scene: tuple[date, ...]) -> Log:
    parts = [treasury_events(scene), cds_events(scene), deal_events(scene)]
    return sorted((event for part in parts for event in draw(part)), key=lambda event: event.arrived_us)


def quote_logs() -> st.SearchStrategy[Log]:
    """A log of quotes and deals, in the order of arrival."""
    return st.sampled_from(SCENES).flatmap(_quotes)
