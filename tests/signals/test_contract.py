"""What every signal of the catalogue keeps to, whoever wrote it.

The heart of it: `evaluate` gives the same bits for all ticks at once, for any pieces of them, and for one tick at a
time on what was known then; and a live run, which reads a log as it comes, finds the same ticks and the same values as
a replay of what it recorded. New signals, and the `ROWS` of their own tests, are found by themselves; new
streams want their events in the logs.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import col as c
from polars.testing import assert_frame_equal

from monitor.engine.decode import Decoder
from monitor.engine.tiers import TierStore
from monitor.signals import CATALOGUE, Parameters, catalogue, label_names
from monitor.signals.model import UNITS, VALUE_COLUMNS, Evaluation, Signal, change_ticks, evaluate
from monitor.signals.repo import RepoParameters
from monitor.signals.traded import Traded
from monitor.streams import MICROSECONDS_PER_SECOND
from tests.signals.events import AFTER_ALL, BEFORE_ALL, batches, new_store, tiers_of
from tests.signals.market_logs import logs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.engine.tiers import Tiers
    from tests.signals.events import Log

SEGMENTS: Final = ("treasury", "repo", "newissue", "cds", "credit")
FIRST_WORDS: Final = {"credit": {"credit", "auction", "policy"}}
"""What names of a segment begin with, where that is not its own word: its context comes from auctions and policy."""
OF_ANY_UNIT: Final = {"reference"}
"""`market_reference{series}` shows whatever is published, each series in its own unit: its name can say none."""
Values = dict[str, pl.DataFrame]
EVERY_SECOND: Final = {"treasury_dispersion_32nds"}
"""Signals that may change at every second."""

each_signal = pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.name)


def values_at(tiers: Tiers, ticks: pl.Series) -> Values:
    evaluation = Evaluation(tiers, ticks)
    return {signal.name: evaluation.values(signal) for signal in CATALOGUE}


def put_together(parts: Sequence[Values]) -> Values:
    empty = values_at(new_store().tiers(), pl.Series("tick", dtype=pl.Int64))
    return {name: pl.concat([frame, *(part[name] for part in parts)]) for name, frame in empty.items()}


def assert_same(found: Values, expected: Values) -> None:
    """To the bit: values, nulls, types, order."""
    for name, frame in expected.items():
        try:
            assert_frame_equal(found[name], frame, check_exact=True)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


# The same bits in every mode.


@given(st.data())
@settings(deadline=None, max_examples=10)
def test_all_ticks_pieces_of_them_and_one_at_a_time_are_the_same(data: st.DataObject) -> None:
    tiers = tiers_of(data.draw(logs()))
    ticks = change_ticks(CATALOGUE, tiers, BEFORE_ALL, AFTER_ALL)
    whole = values_at(tiers, ticks)
    # Most ticks are those of dispersion alone: half of what is looked at shall be where something else changes.
    others = [signal for signal in CATALOGUE if signal.name not in EVERY_SECOND]
    points = change_ticks(others, tiers, BEFORE_ALL, AFTER_ALL).to_list()

    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, ticks.len() - 1)), max_size=3), label="cuts"))
    pieces = [ticks[a:b] for a, b in pairwise([0, *cuts, ticks.len()])]
    assert_same(put_together([values_at(tiers, piece) for piece in pieces]), whole)

    some = st.sampled_from(ticks.to_list()) | st.sampled_from(points) if points else st.nothing()
    for tick in sorted(data.draw(st.sets(some, max_size=8), label="ticks")):
        then = values_at(tiers.known_by(tick), pl.Series("tick", [tick]))
        assert_same(then, {name: frame.filter(c("tick") == tick) for name, frame in whole.items()})


def live_run(log: Log, sizes: Sequence[int], store: TierStore) -> Iterator[tuple[pl.Series, Values]]:
    """What a live run evaluates, piece by piece, as the log comes."""
    decoder, ran = Decoder(), BEFORE_ALL
    for piece in batches(log, sizes):
        for _, batch in piece:
            store.add(decoder.decode(batch), ran + 1)
        now = max(arrived_us for arrived_us, _ in piece) // MICROSECONDS_PER_SECOND
        upto = min(now, store.horizon)
        if upto > ran:
            yield _run(store.tiers(), ran, upto)
            ran = upto
    store.finish()
    yield _run(store.tiers(), ran, AFTER_ALL)


def _run(tiers: Tiers, after: int, upto: int) -> tuple[pl.Series, Values]:
    ticks = change_ticks(CATALOGUE, tiers, after, upto)
    return ticks, values_at(tiers, ticks)


@given(logs(), st.lists(st.integers(1, 12), max_size=6))
@settings(deadline=None, max_examples=10)
def test_a_live_run_and_the_replay_of_what_it_recorded_are_the_same(log: Log, sizes: list[int]) -> None:
    store = new_store()
    runs = list(live_run(log, sizes, store))
    ticks, values = _run(store.tiers(), BEFORE_ALL, AFTER_ALL)
    assert [tick for some, _ in runs for tick in some] == ticks.to_list()
    assert_same(put_together([part for _, part in runs]), values)


@given(st.data())
@settings(deadline=None, max_examples=10)
def test_no_change_of_a_window_is_missed(data: st.DataObject) -> None:
    """Between two change points every window that can be looked at says what it said at the first of them."""
    tiers = tiers_of(data.draw(logs()))
    ticks = change_ticks(CATALOGUE, tiers, BEFORE_ALL, AFTER_ALL)
    windows = {view.window for signal in CATALOGUE for view in signal.over if isinstance(view.window, Traded)}
    evaluation = Evaluation(tiers, ticks)
    for window in windows:
        keys = window.bars(tiers).select("key").unique()
        steps = data.draw(
            st.lists(st.tuples(st.sampled_from(ticks.to_list()), st.integers(-5_000, 90_000)), max_size=8)
        )
        asked = pl.DataFrame({"tick": sorted({tick + step for tick, step in steps})}, schema={"tick": pl.Int64()})
        looked = window.look(tiers, asked.join(keys, how="cross").sort("tick", "key"))
        rows = evaluation.rows(window)
        # The rates that a window is compared with, and its last month, matter only where it has a median.
        columns = [name for name in rows.columns if name not in ("tick", "value_date", "key")]
        compared = ("iorb_e6", "target_upper_e6", "trailing_spread_e6")

        def seen(
            frame: pl.DataFrame, columns: list[str] = columns, compared: tuple[str, ...] = compared
        ) -> pl.DataFrame:
            with_median = [pl.when(c("median_e6").is_not_null()).then(name).alias(name) for name in compared]
            return frame.with_columns(*with_median, blind=c("blind").fill_null(value=False)).select(columns)

        stood = looked.select("tick", "key").join_asof(rows, on="tick", by="key", check_sortedness=False)
        assert_frame_equal(seen(stood), seen(looked), check_exact=True)


@given(logs())
@settings(deadline=None, max_examples=3)
def test_deals_change_nothing_but_the_signals_of_new_issues(log: Log) -> None:
    others = [signal for signal in CATALOGUE if signal.segment != "newissue"]
    values = []
    for some in (log, [event for event in log if event.stream != "newissue"]):
        tiers = tiers_of(some)
        evaluation = Evaluation(tiers, change_ticks(others, tiers, BEFORE_ALL, AFTER_ALL))
        values.append({signal.name: evaluation.values(signal) for signal in others})
    assert_same(*values)


# The shape of what it gives.


def test_nothing_known_gives_nothing(subtests: pytest.Subtests) -> None:
    tiers = new_store().tiers()
    assert change_ticks(CATALOGUE, tiers, BEFORE_ALL, AFTER_ALL).to_list() == []
    for signal in CATALOGUE:
        with subtests.test(signal=signal.name):
            shape = dict.fromkeys(signal.labels, pl.String()) | VALUE_COLUMNS
            for ticks in ([], [1_568_635_200]):
                found = evaluate(signal, tiers, pl.Series("tick", ticks, dtype=pl.Int64))
                assert found.schema == shape
                assert found.is_empty()


@given(logs())
@settings(deadline=None, max_examples=5)
def test_every_change_point_is_sound(log: Log) -> None:
    tiers = tiers_of(log)
    ticks = change_ticks(CATALOGUE, tiers, BEFORE_ALL, AFTER_ALL)
    for name, values in values_at(tiers, ticks).items():
        signal = next(signal for signal in CATALOGUE if signal.name == name)
        assert values.schema == dict.fromkeys(signal.labels, pl.String()) | VALUE_COLUMNS
        assert values["tick"].is_in(ticks.implode()).all()
        always = values.select(pl.exclude(*signal.labels, "value", "row", "graded"))
        assert always.null_count().sum_horizontal().item() == 0
        assert values.filter(c("blind"), c("value").is_not_null()).is_empty()
        assert values.filter(~c("value").is_finite()).is_empty()
        assert not values.select("tick", "value_date", *signal.labels).is_duplicated().any()
        assert values["tick"].is_sorted()
        # A label that no view gives would be an empty column; a label set whose labels all are is no label set.
        if signal.labels:
            assert values.filter(pl.all_horizontal(c(*signal.labels).is_null())).is_empty()


# What stands in the catalogue.


def test_names_are_unique() -> None:
    assert len({signal.name for signal in CATALOGUE}) == len(CATALOGUE)
    assert len({signal.alert for signal in CATALOGUE}) == len(CATALOGUE)
    assert set(label_names(CATALOGUE)) == {label for signal in CATALOGUE for label in signal.labels}


@each_signal
def test_a_name_says_segment_and_unit(signal: Signal) -> None:
    assert signal.segment in SEGMENTS
    words = signal.name.split("_")
    if signal.name not in OF_ANY_UNIT:
        assert words[0] in FIRST_WORDS.get(signal.segment, {signal.segment})
        assert UNITS & set(words[1:])
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", signal.name)
    assert signal.metric == f"market_{signal.name}"
    assert signal.alert == "".join(word.capitalize() for word in words)
    assert signal.runbook == f"/runbooks/{signal.alert}"


@each_signal
def test_a_signal_is_documented(signal: Signal) -> None:
    texts = (signal.title, signal.help, signal.formula, signal.source, signal.window_help)
    assert all(text == text.strip() and len(text) > 3 for text in texts)
    assert signal.help.endswith(".")
    assert not signal.title.endswith(".")
    for row in signal.thresholds:
        assert row.reason == row.reason.strip()
        assert len(row.reason) > 20, row.id
        assert row.applies_to, row.id


@each_signal
def test_labels_are_those_of_the_views(signal: Signal) -> None:
    assert len(set(signal.labels)) == len(signal.labels)
    assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in signal.labels)
    assert signal.over
    assert set().union(*(view.labels for view in signal.over)) == set(signal.labels)


def nodes(tree: object) -> Iterator[tuple[str, Any]]:
    """Every (name, what is below it) of a serialised expression."""
    if isinstance(tree, dict):
        for name, below in tree.items():
            yield name, below
            yield from nodes(below)
    elif isinstance(tree, list):
        for each in tree:
            yield from nodes(each)


FLOATING: Final = {"mean", "std", "var"}
"""Of floats these depend on the order of what they sum."""


@each_signal
def test_a_value_holds_no_floating_sum_and_no_division_by_a_constant(signal: Signal) -> None:
    """See `monitor.signals.model.divided`: such a division is one thing for one row, another for many."""
    for name, below in nodes(json.loads(signal.value.meta.serialize(format="json"))):
        words = {name.lower(), str(below.get("function", "")).lower() if isinstance(below, dict) else ""}
        assert not words & FLOATING, f"{name} in the value of {signal.name}"
        if name == "BinaryExpr" and below["op"] in ("TrueDivide", "Divide"):
            assert "Literal" not in below["right"], f"{signal.name} divides by a constant"


def _modules_of_windows() -> set[str]:
    return {type(view.window).__module__ for signal in CATALOGUE for view in signal.over}


@pytest.mark.parametrize("module", sorted(_modules_of_windows()))
def test_a_window_holds_no_floating_sum(module: str) -> None:
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))) if isinstance(node, ast.Call)]
    assert calls
    for call in calls:
        if isinstance(call.func, ast.Attribute):
            assert not set(call.func.attr.split("_")) & FLOATING, f"{call.func.attr} in {module}, line {call.lineno}"


# Thresholds.


def rows_of(signal: Signal, label_set: dict[str, Any]) -> list[str]:
    """The ids of all threshold rows that apply to a label set with its attributes, in order."""
    shape = dict.fromkeys(signal.labels, pl.String()) | signal.attributes
    frame = pl.DataFrame({name: [label_set.get(name)] for name in shape}, shape)
    return [row.id for row in signal.thresholds if frame.select(row.applies).item()]


Rows = dict[tuple[Any, ...], str | None]


def _rows() -> dict[str, Rows]:
    """What the test modules of this folder say in their `ROWS`."""
    found: dict[str, Rows] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path != Path(__file__) and "\nROWS" in path.read_text(encoding="utf-8"):
            rows = import_module(f"tests.signals.{path.stem}").ROWS
            assert not found.keys() & rows.keys(), f"{path.name} says again what another module says"
            found |= rows
    return found


ROWS: Final = _rows()
"""By signal, the threshold row that a label set (with its attributes behind) has; None: no thresholds."""


def test_the_rows_are_those_of_the_catalogue() -> None:
    """A new signal's own test module says in its `ROWS` which threshold row each of its label sets has."""
    assert ROWS.keys() == {signal.name for signal in CATALOGUE}


@each_signal
def test_each_label_set_has_the_thresholds_it_should_have(signal: Signal) -> None:
    assert len({row.id for row in signal.thresholds}) == len(signal.thresholds)
    expected = ROWS[signal.name]
    for label_set, row in expected.items():
        found = rows_of(signal, dict(zip((*signal.labels, *signal.attributes), label_set, strict=True)))
        assert found[:1] == ([row] if row else []), label_set
        # No second row waits behind the first: an order of rows would be easy to break unseen.
        assert len(found) <= 1, label_set
    assert {row.id for row in signal.thresholds} == {row for row in expected.values() if row}


@given(logs())
@settings(deadline=None, max_examples=3)
def test_no_label_set_of_the_values_has_two_rows(log: Log) -> None:
    tiers = tiers_of(log)
    for signal in CATALOGUE:
        values = evaluate(signal, tiers, change_ticks([signal], tiers, BEFORE_ALL, AFTER_ALL))
        for label_set in values.select(*signal.labels, "row").unique().iter_rows(named=True):
            if not signal.attributes:
                row = label_set.pop("row")
                if row is None and "instrument" not in label_set:
                    continue  # it may be at its end: then no thresholds apply to it
                assert rows_of(signal, label_set) == ([row] if row else []), (signal.name, label_set)


@each_signal
def test_published_values_are_held_by_prints_and_window_values_by_seconds(signal: Signal) -> None:
    """Where a row is for published values only, seconds would wait for nothing."""
    for label_set, row_id in ROWS[signal.name].items():
        row = next((row for row in signal.thresholds if row.id == row_id), None)
        if row is None:
            continue
        if all(view.window.by_print for view in signal.over):
            assert (row.hold_in.seconds, row.hold_out.seconds) == (0, 0)
            continue
        assert (row.hold_in.prints, row.hold_out.prints) == (1, 1)
        if "window" in signal.labels and label_set[signal.labels.index("window")] is None:
            assert (row.hold_in.seconds, row.hold_out.seconds) == (0, 0)


def test_settings_replace_a_row_and_choose_the_benchmarks() -> None:
    def named(signals: Sequence[Signal], name: str) -> Signal:
        return next(signal for signal in signals if signal.name == name)

    spread = named(CATALOGUE, "repo_spread_bp")
    own = spread.thresholds[1]
    with_own = catalogue(thresholds={(spread.name, "benchmark"): own, ("no_such_bp", "benchmark"): own})
    assert named(with_own, spread.name).thresholds == (own, own)
    for signal in with_own:
        if signal.name != spread.name:
            assert signal.thresholds == named(CATALOGUE, signal.name).thresholds
    more = named(catalogue(Parameters(repo=RepoParameters(("SOFR", "TGCR")))), spread.name)
    assert rows_of(more, {"instrument": "TGCR"}) == ["benchmark"]
    assert rows_of(more, {"instrument": "GCF"}) == []
