"""From the values of signals to steps and alert transitions: the one evaluator.

It keeps what the next tick needs: of window values the last change point of every label set, and of published
values all of them, so that a revision can take the place of what it revises and later levels be told anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl
from polars import col as c

from monitor.alerts.levels import LEVEL_COLUMNS, RULE_COLUMNS, SIGNED, fold
from monitor.alerts.rules import in_force, with_rules
from monitor.alerts.teller import Teller
from monitor.calendar import EVENT, FLAG_ORDER
from monitor.index.scores import score_of
from monitor.results import STEP_COLUMNS, Level, Output, label_columns
from monitor.signals import label_names
from monitor.signals.model import VALUE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from monitor.calendar import MarketCalendar
    from monitor.results import Transition
    from monitor.signals.model import Signal

_KEY_SEPARATOR: Final = "\x1f"  # no label has a control character
_NO_LABEL: Final = "\x1e"

_MARKS: Final[dict[str, pl.DataType]] = {
    "is_step": pl.Boolean(),  # something changed: it goes to the sinks
    "is_newest": pl.Boolean(),  # it is of the newest value date of its label set
    "is_retold": pl.Boolean(),  # it stands among several value dates of its label set at one tick
}

_SPEAKS: Final = c("value").is_not_null() | c("blind")
"""Whether a row says anything; absence does not."""


class Evaluator:
    """Levels, steps and transitions of a catalogue's signals, tick after tick.

    The same values give the same results however their ticks are cut into calls of `advance`.
    """

    def __init__(self, signals: Sequence[Signal], calendar: MarketCalendar) -> None:
        self._signals = tuple(signals)
        self._calendar = calendar
        self._labels = label_names(signals)
        self._point = (
            {"key": pl.String(), "signal": pl.String()} | label_columns(self._labels) | VALUE_COLUMNS | RULE_COLUMNS
        )
        folded = self._point | LEVEL_COLUMNS
        self._last = pl.DataFrame(schema=folded)  # window values: the last change point of each key
        self._prints = pl.DataFrame(schema=folded)  # published values: the newest version of each value date
        folded |= {"level": pl.Int8(), "score": pl.Float64()}
        # Published values: the row of each key's newest value date, what is mute among them.
        self._newest = pl.DataFrame(schema=folded | {"is_mute": pl.Boolean()})
        # The newest telling of each key, as the sinks know it.
        self._standing = pl.DataFrame(schema=folded | _MARKS)
        self._teller = Teller(signals, self._labels)

    @property
    def step_shape(self) -> dict[str, pl.DataType]:
        """The columns of the frames of steps."""
        return STEP_COLUMNS | label_columns(self._labels)

    def advance(self, values: Mapping[str, pl.DataFrame], until: int) -> Output:
        """Take in the change points of all signals up to a tick.

        Args:
            values: by signal, what `evaluate` gave for all ticks after the last call's `until` and up to this one; a
                signal that is not in it did not change.
            until: the newest tick run, epoch seconds; every value stands until then.
        """
        sets, ranks = self._label_sets(values)
        points = self._points(values, sets)
        windows = self._of_windows(self._at_event_edges(points.filter(~c("by_print")), until), until)
        loud = pl.concat([windows, *self._of_prints(points.filter("by_print"), until)])
        quiet = self._quiet(values, sets)
        # As the sinks get them: by tick, signal, labels and value date.
        loud = loud.join(ranks, on="key", how="left", maintain_order="left")
        loud = loud.sort("tick", "rank", "value_date", maintain_order=True)
        transitions = self._teller.tell(loud.drop("rank"), quiet, self._standing)
        newest = pl.concat([self._standing, loud.filter("is_newest"), quiet], how="diagonal")
        newest = newest.select(self._standing.columns).unique("key", keep="last", maintain_order=True)
        self._standing = newest.filter(~self._is_forgotten())
        shape = [*self.step_shape, "rank"]
        steps = pl.concat([loud.filter("is_step").select(shape), quiet.filter("is_step").select(shape)])
        return self._output(until, steps.sort("tick", "rank", "value_date"), transitions)

    def blinded(self, values: Mapping[str, pl.DataFrame], until: int) -> Output:
        """Tell what went blind by the wall clock, as all input had stopped.

        No level and no hold is touched, and nothing counts as run: when input comes again, ticks go on where they were.

        Args:
            values: by signal, what `evaluate` gave for ticks that no input has reached.
            until: the newest of them, epoch seconds.
        """
        sets, _ = self._label_sets(values)
        parts = [pl.DataFrame(schema={"key": pl.String(), "since": pl.Int64()})]
        for signal in self._signals:
            mine = sets.filter(c("signal") == signal.name)
            if mine.height:
                rows = _of_label_sets(values[signal.name].filter("blind"), mine, signal)
                parts.append(rows.group_by("key").agg(since=c("tick").min()))
        new = pl.concat(parts)
        rows = (
            self._standing.filter(~c("blind"))
            .join(new, on="key")
            .with_columns(
                tick=c("since"),
                value=pl.lit(None, pl.Float64),
                graded=pl.lit(None, pl.Float64),
                score=pl.lit(None, pl.Float64),
                blind=pl.lit(value=True),
                is_step=pl.lit(value=True),
                is_newest=pl.lit(value=True),
                is_retold=pl.lit(value=False),
            )
            .select(self._standing.columns)
            .sort("tick", "key")
        )
        loud = rows.filter(c("row").is_not_null())
        transitions = [
            replace(each, by_wall_clock=True) for each in self._teller.tell(loud, rows.clear(), self._standing)
        ]
        self._standing = pl.concat([self._standing, rows]).unique("key", keep="last", maintain_order=True)
        return self._output(until, rows, transitions)

    def standing(self, until: int) -> Output:
        """Every label set's newest telling, as steps, for sinks that have seen nothing yet.

        Args:
            until: the newest tick run, epoch seconds.
        """
        return self._output(until, self._standing.sort("tick", "signal", *self._labels), ())

    def _output(self, until: int, steps: pl.DataFrame, transitions: Iterable[Transition]) -> Output:
        flags = self._calendar.flags_at(until)
        told = tuple(transitions)  # before the alarms: telling changes them
        return Output(
            until=until,
            steps=steps.select(*self.step_shape),
            transitions=told,
            thresholds=tuple(in_force(self._signals, flags)),
            alarms=self._teller.alarms,
            flags={flag: flag in flags for flag in (EVENT, *FLAG_ORDER)},
        )

    def state(self) -> dict[str, pl.DataFrame]:
        """All that the next tick needs to know, by name."""
        return {
            "last": self._last,
            "prints": self._prints,
            "newest": self._newest,
            "standing": self._standing,
            "told": self._teller.state(),
        }

    def restore(self, state: Mapping[str, pl.DataFrame]) -> None:
        """Go on from what an earlier process left; label sets of signals that are no more are forgotten."""
        known = [signal.name for signal in self._signals]

        def fitted(name: str, shape: pl.DataFrame) -> pl.DataFrame:
            frame = state[name].filter(c("signal").is_in(known))
            missing = {column: kind for column, kind in shape.schema.items() if column not in frame.columns}
            filled = frame.with_columns(**{column: pl.lit(None, kind) for column, kind in missing.items()})
            return filled.select(shape.columns)

        self._last = fitted("last", self._last)
        self._prints = fitted("prints", self._prints)
        self._newest = fitted("newest", self._newest)
        self._standing = fitted("standing", self._standing)
        self._teller.restore(state["told"], self._standing)

    def _label_sets(self, values: Mapping[str, pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Every label set among the values, and the places of all that are known.

        A label set to which no threshold ever applied is *quiet*: it has no level to be followed, which is most of the
        work.

        Returns:
            Signal, the labels, key, rank (its place by signal and labels), is_loud; and key and rank, also of label
            sets that have no values now, as their holds may come to an end.
        """
        labels = label_columns(self._labels)
        parts = [pl.DataFrame(schema={"signal": pl.String()} | labels | {"is_ruled": pl.Boolean(), "key": pl.String()})]
        for signal in self._signals:
            if signal.name in values:
                is_ruled = (c("by_print") | c("row").is_not_null()).any()
                # One without labels has one label set, the empty one.
                keys = signal.labels or [pl.lit(0).alias(_NO_LABEL)]
                sets = values[signal.name].group_by(keys).agg(is_ruled=is_ruled).drop(_NO_LABEL, strict=False)
                parts.append(sets.with_columns(signal=pl.lit(signal.name), key=_key(signal)))
        sets = pl.concat(parts, how="diagonal")
        order = ["signal", *self._labels]
        ranks = pl.concat([sets.select("key", *order), self._last.select("key", *order)]).unique("key")
        ranks = ranks.sort(order).select("key", rank=pl.int_range(pl.len()))
        sets = sets.join(ranks, on="key").sort("rank")
        followed = c("key").is_in(self._last["key"].implode())
        return sets.with_columns(is_loud=c("is_ruled") | followed).drop("is_ruled"), ranks

    def _points(self, values: Mapping[str, pl.DataFrame], sets: pl.DataFrame) -> pl.DataFrame:
        """The change points of loud label sets with their keys and rules, in the order of ticks.

        What was absent or blind before it ever had a value says nothing, and is left out.
        """
        parts = [pl.DataFrame(schema=self._point)]
        loud = sets.filter("is_loud")
        for signal in self._signals:
            mine = loud.filter(c("signal") == signal.name)
            if mine.height:
                frame = _of_label_sets(values[signal.name], mine, signal)
                parts.append(with_rules(frame, signal, self._calendar).select(*self._point))
        points = pl.concat(parts).sort("tick", "key", "value_date")
        has_value = c("value").is_not_null().cum_max().over("key")
        return points.filter(has_value | c("key").is_in(self._standing["key"].implode()))

    def _at_event_edges(self, points: pl.DataFrame, until: int) -> pl.DataFrame:
        """The window values; where an event begins or ends, what stands comes again with the rules from there on."""
        edges = self._calendar.event_edges()
        edges = edges.filter(edges <= until)
        minded = [s for s in self._signals if any(EVENT in row.overrides for row in s.thresholds)]
        if edges.is_empty() or not minded:
            return points
        standing = pl.concat([self._last.select(*self._point), points])
        standing = standing.filter(c("signal").is_in([signal.name for signal in minded])).sort("tick", "key")
        standing = standing.with_columns(then=c("tick").shift(-1).over("key").fill_null(until + 1))
        again = standing.filter(c("value").is_not_null()).join(edges.alias("edge").to_frame(), how="cross")
        again = again.filter(c("tick") < c("edge"), c("edge") < c("then")).with_columns(tick="edge")
        again = again.select(name for name in self._point if name not in RULE_COLUMNS or name == "row")
        parts = [points]
        for signal in minded:
            mine = again.filter(c("signal") == signal.name)
            parts.append(with_rules(mine, signal, self._calendar).select(*self._point))
        return pl.concat(parts).sort("tick", "key", "value_date")

    def _is_forgotten(self) -> pl.Expr:
        """What is at its end, and can have no level: there may be thousands of them in a year."""
        levelless = [signal.name for signal in self._signals if not signal.thresholds]
        return c("is_over").fill_null(value=False) & c("value").is_null() & c("signal").is_in(levelless)

    def _quiet(self, values: Mapping[str, pl.DataFrame], sets: pl.DataFrame) -> pl.DataFrame:
        """The change points of quiet label sets, by label set and tick.

        Columns: those of what stands that such a label set has, `rank` and `is_step`.
        """
        told = ["key", "signal", *self._labels, *VALUE_COLUMNS, "level", "score", *_MARKS]
        shape = {name: kind for name, kind in self._standing.schema.items() if name in told} | {"rank": pl.Int64()}
        parts = [pl.DataFrame(schema=shape)]
        quiet = sets.filter(~c("is_loud"))
        stood = self._standing.select("key", stood="value", stood_blind="blind", was_there=pl.lit(value=True))
        for signal in self._signals:
            mine = quiet.filter(c("signal") == signal.name).join(stood, on="key", how="left", maintain_order="left")
            if mine.is_empty():
                continue
            frame = _of_label_sets(values[signal.name], mine, signal).sort("rank", "tick")
            is_first = (c("rank") != c("rank").shift(1)).fill_null(value=True)
            before = pl.when(is_first).then(c("stood")).otherwise(c("value").shift(1))
            blind_before = pl.when(is_first).then(c("stood_blind")).otherwise(c("blind").shift(1))
            is_step = c("value").ne_missing(before) | c("blind").ne_missing(blind_before)
            # What is at its end begins anew: it says nothing again until it has a value.
            life = c("is_over").cast(pl.Int64).cum_sum().shift(1, fill_value=0).over("rank")
            has_value = c("value").is_not_null().cum_max().over("rank", "life")
            has_value = pl.when(c("life") == 0).then(c("was_there").fill_null(has_value)).otherwise(has_value)
            frame = frame.with_columns(life=pl.lit(0) if signal.thresholds else life)
            marks = {"is_newest": pl.lit(value=True), "is_retold": pl.lit(value=False)}
            marks |= {"level": pl.lit(None, pl.Int8), "score": pl.lit(None, pl.Float64)}
            parts.append(frame.with_columns(**marks, is_step=is_step).filter(has_value).select(*shape))
        return pl.concat(parts)

    def _of_windows(self, points: pl.DataFrame, until: int) -> pl.DataFrame:
        """What becomes of window values: each follows the one before it in time."""
        before = self._handed_over(points, self._prints, self._last)
        folded = _with_level(fold(points, before, until, self._calendar))
        base = folded.filter(~c("is_hold_end")).select(self._last.columns)
        latches = folded.select("key", "warning", "critical").unique("key", keep="last", maintain_order=True)
        self._last = (
            pl.concat([self._last, base]).unique("key", keep="last", maintain_order=True)
            .update(latches, on="key")
        )  # fmt: skip
        return self._marked(folded, is_step=_differs(folded, self._standing, "value", "blind", "level", "score"))

    @staticmethod
    def _handed_over(points: pl.DataFrame, other: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
        """What stands before these points: a label set that had values of the other sort only keeps its level.

        So an issue that was printed at the end of the day and is quoted from now on does not begin as calm.
        """
        new = points.select("key").unique().join(own, on="key", how="anti")
        if new.is_empty() or other.is_empty():
            return own
        so_far = {name: pl.lit(0, kind) for name, kind in LEVEL_COLUMNS.items() if name.endswith("_so_far")}
        taken = (
            other.join(new, on="key", how="semi")
            .sort("tick")
            .unique("key", keep="last", maintain_order=True)
            .with_columns(**so_far, value=pl.lit(None, pl.Float64), by_print=~c("by_print"))
        )
        return pl.concat([own, taken])

    def _of_prints(self, points: pl.DataFrame, until: int) -> Iterator[pl.DataFrame]:
        """What becomes of published values: each follows the one of the value date before it.

        Ticks at which every label set moves on to a new value date go together; a tick with a revision, or with
        several value dates of one label set, goes by itself.
        """
        if points.is_empty():
            return
        sound = self._prints.group_by("key").agg(sound=c("value_date").max())
        stood = self._newest.select("key", stood="value_date")
        points = points.join(sound, on="key", how="left", maintain_order="left")
        points = points.join(stood, on="key", how="left", maintain_order="left").with_columns(
            sound=pl.max_horizontal("sound", _newest_before(pl.when(~c("blind")).then("value_date"))),
            stood=pl.max_horizontal("stood", _newest_before(c("value_date"))),
        )
        past = ((c("value_date") <= c("sound")) | (c("value_date") < c("stood"))).fill_null(value=False)
        several = pl.len().over("key", "tick") > 1
        points = points.with_columns(awkward=(past | several).max().over("tick")).with_columns(
            part=pl.when("awkward").then(c("tick").rank("dense")).otherwise(0).rle_id()
        )
        for part in points.partition_by("part", maintain_order=True):
            rows = part.select(*self._point)
            yield self._retold(rows, until) if part["awkward"][0] else self._moved_on(rows, until)

    def _moved_on(self, points: pl.DataFrame, until: int) -> pl.DataFrame:
        """Published values that all are of a newer value date than the one before."""
        before = self._prints.sort("value_date").unique("key", keep="last", maintain_order=True)
        before = self._handed_over(points, self._last, before)
        folded = _with_level(fold(points, before, until, self._calendar))
        # Absence after absence is no news, nor is that the same value date is blind still.
        spoke = self._newest.select("key", spoke=_SPEAKS)
        folded = folded.join(spoke, on="key", how="left", maintain_order="left")
        spoke_before = _SPEAKS.shift(1).over("key").fill_null(c("spoke").fill_null(value=False))
        is_news = ~c("blind") | _differs(folded, self._newest, "value_date", "blind", "level")
        folded = folded.with_columns(is_step=(_SPEAKS | spoke_before) & is_news, is_mute="blind")
        self._remember(folded)
        self._prints = pl.concat([self._prints, folded.filter(~c("blind")).select(self._prints.columns)])
        return self._marked(folded, is_step=c("is_step"))

    def _retold(self, points: pl.DataFrame, until: int) -> pl.DataFrame:
        """Published values of one tick, of which some take the place of earlier versions: levels from there on anew."""
        version = ["key", "value_date"]
        reach = points.group_by("key").agg(first=c("value_date").min(), last=c("value_date").max())
        known = self._prints.join(reach, on="key")
        before = known.filter(c("value_date") < c("first")).sort("value_date").unique("key", keep="last")
        after = known.filter(c("value_date") >= c("first")).select(*self._point)
        old = _with_level(self._prints).select(*version, old_value="value", old_level="level", known=pl.lit(value=True))
        # What is blind, or withdraws a value, is shown and takes the place of nothing: no level falls because of it.
        is_mute = c("blind") | (c("value").is_null() & c("old_value").is_not_null())
        points = points.join(old, on=version, how="left", maintain_order="left").with_columns(is_mute=is_mute)
        kept = after.join(points.filter(~c("is_mute")), on=version, how="anti").with_columns(
            is_mute=pl.lit(value=False)
        )
        # A newer value date that is mute stays so, whatever comes of earlier ones.
        silent = self._newest.filter("is_mute").join(reach, on="key").filter(c("value_date") > c("last"))
        order = pl.concat([kept, points.select(kept.columns), silent.select(kept.columns)])
        order = order.sort("key", "value_date", "is_mute")
        folded = _with_level(fold(order.select(*self._point), before, until, self._calendar)).with_columns(
            tick=pl.lit(points["tick"][0], pl.Int64)
        )

        folded = folded.join(old, on=version, how="left", maintain_order="left").with_columns(
            same=c("value").eq_missing(c("old_value")) & c("level").eq_missing(c("old_level")) & ~c("blind"),
            is_mute=is_mute,
        )
        replaced = folded.filter(~c("is_mute"))
        self._prints = pl.concat(
            [self._prints.join(replaced, on=version, how="anti"), replaced.select(self._prints.columns)]
        )
        is_touched = points.select(*version, is_touched=pl.lit(value=True))
        folded = folded.join(is_touched, on=version, how="left", maintain_order="left").with_columns(
            is_newest=c("value_date") == c("value_date").max().over("key")
        )
        stood = self._newest.filter("is_mute").select(*version, "level", "blind", still=pl.lit(value=True))
        folded = folded.join(
            stood, on=[*version, "level", "blind"], how="left", nulls_equal=True, maintain_order="left"
        ).with_columns(still=c("still").fill_null(value=False) & c("is_mute"))
        self._remember(folded)
        # What a mute version stands in front of is kept for the levels, and not told.
        is_hidden = ~c("is_mute") & c("is_mute").any().over(version)
        told = folded.filter(
            ~c("same").fill_null(value=False) | c("is_touched").fill_null(value=False) | c("is_newest"), ~is_hidden
        )
        known_so = c("same") & c("known").fill_null(value=False)
        return self._marked(told, is_step=~(known_so | c("still")), is_retold=True)

    def _remember(self, folded: pl.DataFrame) -> None:
        """Keep the row of each key's newest value date."""
        newest = folded.select(self._newest.columns)
        self._newest = pl.concat([self._newest, newest]).unique("key", keep="last", maintain_order=True)

    def _marked(self, folded: pl.DataFrame, *, is_step: pl.Expr, is_retold: bool = False) -> pl.DataFrame:
        marks = {"is_step": is_step, "is_retold": pl.lit(is_retold)}
        if "is_newest" not in folded.columns:
            marks["is_newest"] = pl.lit(value=True)
        return folded.with_columns(**marks).select(self._standing.columns)


def _of_label_sets(values: pl.DataFrame, sets: pl.DataFrame, signal: Signal) -> pl.DataFrame:
    """The values of these label sets, with what is known of each."""
    if not signal.labels:
        return values.join(sets, how="cross", maintain_order="left")
    return values.join(sets, on=list(signal.labels), nulls_equal=True, maintain_order="left")


def _key(signal: Signal) -> pl.Expr:
    """A label set as one word; it does not depend on the other signals of the catalogue, so it outlives versions."""
    labels = [c(name).fill_null(_NO_LABEL) for name in signal.labels]
    return pl.concat_str(pl.lit(signal.name), *labels, separator=_KEY_SEPARATOR)


def _with_level(folded: pl.DataFrame) -> pl.DataFrame:
    """The latches as a level, null where no thresholds apply; and how bad the value is."""
    level = pl.when("critical").then(int(Level.CRITICAL)).when("warning").then(int(Level.WARNING)).otherwise(0)
    return folded.with_columns(
        level=pl.when(c("row").is_not_null()).then(level).cast(pl.Int8), score=score_of(SIGNED)
    )  # fmt: skip


def _newest_before(dates: pl.Expr) -> pl.Expr:
    """The greatest date of a key's rows before each; nulls are passed over."""
    return dates.cum_max().forward_fill().shift(1).over("key")


def _differs(folded: pl.DataFrame, standing: pl.DataFrame, *names: str) -> pl.Expr:
    """Whether one of these columns is another than in the key's row before, or in what stands before the first."""
    before = folded.select("key").join(standing.select("key", *names), on="key", how="left", maintain_order="left")
    is_first = c("key").is_first_distinct()

    def differs(name: str) -> pl.Expr:
        previous = pl.when(is_first).then(pl.lit(before[name])).otherwise(c(name).shift(1))
        return c(name).ne_missing(previous)

    return pl.any_horizontal(differs(name) for name in names)
