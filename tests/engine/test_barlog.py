"""The bar log: what was committed is there again, whatever breaks; what is not whole is found."""

from __future__ import annotations

import errno
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing.parametric import dataframes
from structlog.testing import capture_logs

from monitor.engine.barlog import BarLog, BarLogError, Recovered
from monitor.engine.barlog_file import MAGIC, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Frames = dict[str, pl.DataFrame]

BARS = pl.Schema({"second": pl.Int64(), "instrument": pl.String(), "price_e9": pl.Int128(), "drop": pl.Boolean()})
PRINTS = pl.Schema({"tick": pl.Int64(), "day": pl.Date()})
BIG = 1 << 100


def bars(*seconds: int, drop: bool = False) -> pl.DataFrame:
    return pl.DataFrame([(s, f"N{s}", s * BIG, drop) for s in seconds], schema=BARS, orient="row")


def prints(*ticks: int) -> pl.DataFrame:
    return pl.DataFrame([(t, date(2025, 1, 1)) for t in ticks], schema=PRINTS, orient="row")


def positions(offset: int) -> pl.DataFrame:
    return pl.DataFrame({"partition": ["p0", "p1"], "offset": [offset, -offset]})


def bits(frame: pl.DataFrame) -> list[list[Any]]:
    """Every value, a float as its bytes."""
    return [
        [struct.pack("<d", value) if isinstance(value, float) else value for value in column.to_list()]
        for column in frame.iter_columns()
    ]


def same_frames(a: Frames, b: Frames) -> bool:
    return list(a) == list(b) and all(a[name].schema == b[name].schema and bits(a[name]) == bits(b[name]) for name in a)


@dataclass
class Model:
    """What a log holds, in memory."""

    appends: Frames = field(default_factory=dict)
    states: Frames = field(default_factory=dict)
    commits: int = 0

    def commit(self, appends: Frames, states: Frames) -> Model:
        """The model after one more commit."""
        rows = {k: pl.concat([self.appends[k], v]) if k in self.appends else v for k, v in appends.items()}
        return Model(self.appends | rows, self.states | states, self.commits + 1)

    def is_in(self, recovered: Recovered | None) -> bool:
        if recovered is None:
            return self.commits == 0
        return (
            recovered.commits == self.commits
            and same_frames(by_name(recovered.appends), by_name(self.appends))
            and same_frames(by_name(recovered.states), by_name(self.states))
        )


def by_name(frames: Frames) -> Frames:
    return dict(sorted(frames.items()))


def content(n: int) -> tuple[Frames, Frames]:
    """Something for the n-th commit; not every frame is in every one."""
    appends = {"bars": bars(*range(n, n + n % 3))} | ({"prints": prints(n)} if n % 2 else {})
    return appends, {"positions": positions(n)} | ({"levels": prints(n, n)} if n % 3 == 0 else {})


def fill(folder: Path, commits: int, fan_out: int) -> Model:
    """A closed log of some commits."""
    log, model = BarLog(folder, fan_out=fan_out), Model()
    log.open()
    for n in range(1, commits + 1):
        log.commit(*content(n))
        model = model.commit(*content(n))
    log.close()
    return model


def model_of(commits: int) -> Model:
    model = Model()
    for n in range(1, commits + 1):
        model = model.commit(*content(n))
    return model


def reopened(folder: Path, **how: Any) -> Recovered | None:
    log = BarLog(folder, **how)
    try:
        return log.open()
    finally:
        log.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("barlog-lock"))


def name(first: int, last: int | None = None) -> str:
    return f"{first:012d}-{first if last is None else last:012d}.bars"


STEPS = ("open", "write", "fsync", "replace", "rename", "unlink", "close", "mkdir")


class CrashError(BaseException):
    """The process is dead: nothing may catch it."""


@dataclass(frozen=True)
class Step:
    """A call of a function that changes the disk."""

    of: str
    args: tuple[Any, ...]


@contextmanager
def stepping(before: Callable[[int, Step], None]) -> Iterator[list[Step]]:
    """Call something before each step, which may raise; gives the steps made."""
    steps: list[Step] = []
    held: set[int] = set()
    real_close = os.close

    def stand_in(of: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            step = Step(of, args)
            steps.append(step)
            before(len(steps) - 1, step)
            result = real(*args, **kwargs)
            if of == "open":
                held.add(result)
            elif of == "close":
                held.discard(args[0])
            return result

        return call

    with pytest.MonkeyPatch.context() as patch:
        for of in STEPS:
            patch.setattr(os, of, stand_in(of, getattr(os, of)))
        try:
            yield steps
        except CrashError:
            for descriptor in held:
                real_close(descriptor)
            raise


def crashed(do: Callable[[], Any], at: int, *, torn: bool = False) -> bool:
    """Whether a process that does something and dies at a step came so far; torn: within a write."""
    real_write = os.write

    def die(n: int, step: Step) -> None:
        if n == at and torn and step.of == "write":
            real_write(step.args[0], step.args[1][: len(step.args[1]) // 2])
        if n >= at:
            raise CrashError

    try:
        with stepping(die):
            do()
    except CrashError:
        return True
    return False


def die_with(log: BarLog) -> None:
    """A dead process holds no lock."""
    if log._lock is not None:
        os.close(log._lock)
        log._lock = None


DTYPES: list[type[pl.DataType] | pl.DataType] = [
    pl.Int128, pl.Int64, pl.Int8, pl.Date, pl.Boolean, pl.String, pl.Float64, pl.Null, pl.List(pl.String),
    pl.Decimal(38, 0), pl.Datetime("us", "UTC"),
]  # fmt: skip


class TestValues:
    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(
        dataframes(allowed_dtypes=DTYPES, min_cols=1, max_cols=6, max_size=6),
        dataframes(allowed_dtypes=DTYPES, min_cols=1, max_cols=3, max_size=6),
    )
    def test_frames_come_back_to_the_bit(self, appended: pl.DataFrame, state: pl.DataFrame) -> None:
        with TemporaryDirectory() as folder:
            log = BarLog(Path(folder), fan_out=2)
            log.open()
            for _ in range(3):  # the third merges the first two
                log.commit({"a": appended, "empty": appended.clear()}, {"a": state, "empty": state.clear()})
            log.close()
            recovered = reopened(Path(folder))
        assert recovered is not None
        assert same_frames(recovered.appends, {"a": pl.concat([appended] * 3), "empty": appended.clear()})
        assert same_frames(recovered.states, {"a": state, "empty": state.clear()})

    def test_the_ends_of_every_dtype(self, tmp_path: Path) -> None:
        nan = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_00AB))[0]
        frame = pl.DataFrame({
            "i128": pl.Series([2**127 - 1, -(2**127), -1, None, 0, 2**64], dtype=pl.Int128),
            "i64": [2**63 - 1, -(2**63), -1, None, 0, 1],
            "i8": pl.Series([127, -128, -1, None, 0, 1], dtype=pl.Int8),
            "f64": [nan, -0.0, math.inf, None, -math.inf, 5e-324],
            "date": [date.min, date.max, None, None, date(1970, 1, 1), date(2025, 1, 1)],
            "text": ["", "\0", "é日本" * 100, None, "a", "b"],
            "flag": [True, False, None, None, True, True],
            "null": pl.Series([None] * 6, dtype=pl.Null),
            "list": [["", None], [], None, [None], ["x" * 50], ["a", "b"]],
            "li128": pl.Series([[2**100], [], None, [None], [-1], [0]], dtype=pl.List(pl.Int128)),
            "enum": pl.Series(["x", "y", None, "x", "x", "y"], dtype=pl.Enum(["x", "y"])),
            "kind": pl.Series(["x", "y", None, "x", "x", "z"], dtype=pl.Categorical),
            "part": [{"a": 1, "b": "z"}, {"a": None, "b": None}, None, None, None, None],
        })  # fmt: skip
        in_chunks = pl.concat([frame[:2], frame[2:5], frame[5:]], rechunk=False)
        log = BarLog(tmp_path)
        log.open()
        log.commit({"t": in_chunks}, {"t": frame[1:4], "none": frame.clear()})
        log.close()
        recovered = reopened(tmp_path)
        assert recovered is not None
        assert same_frames(recovered.appends, {"t": frame})
        assert same_frames(recovered.states, {"t": frame[1:4], "none": frame.clear()})


ROWS = st.lists(st.integers(-5, 5), max_size=4)
COMMITS = st.tuples(
    st.fixed_dictionaries(
        {}, optional={"bars": ROWS.map(lambda s: bars(*s)), "prints": ROWS.map(lambda t: prints(*t))}
    ),
    st.fixed_dictionaries(
        {}, optional={"positions": st.integers(0, 99).map(positions), "x": ROWS.map(lambda t: prints(*t))}
    ),
)


class TestModel:
    @settings(deadline=None, max_examples=60)
    @given(st.lists(COMMITS | st.sampled_from(["reopen", "open again"]) | st.just("discard"), max_size=30), st.data())
    def test_any_commits_reopened_at_any_point(self, steps: list[Any], data: st.DataObject) -> None:
        fan_outs = st.integers(2, 4)
        model = Model()
        with TemporaryDirectory() as name_of_folder:
            folder = Path(name_of_folder) / "log"
            log = BarLog(folder, fan_out=data.draw(fan_outs))
            assert log.open() is None
            for step in steps:
                if step == "reopen":
                    log.close()
                    log = BarLog(folder, fan_out=data.draw(fan_outs))
                    assert model.is_in(log.open())
                elif step == "open again":
                    assert model.is_in(log.open())
                elif step == "discard":
                    log.discard()
                    model = Model()
                else:
                    log.commit(*step)
                    model = model.commit(*step)
            log.close()
            assert model.is_in(reopened(folder))

    def test_few_files_each_row_rewritten_seldom(self, tmp_path: Path) -> None:
        log = BarLog(tmp_path, fan_out=3)
        log.open()
        written: Counter[int] = Counter()
        for n in range(1, 301):
            with stepping(lambda _, __: None) as steps:
                log.commit({"prints": prints(n)}, {})
            for step in steps:
                if step.of == "replace":
                    first, last = span_of(Path(step.args[1]).name)
                    written.update(range(first, last + 1))
            counts = [last - first + 1 for first, last in map(span_of, names(tmp_path))]
            assert sum(counts) == n
            assert counts == sorted(counts, reverse=True), "the oldest are the largest"
            assert max(Counter(counts).values()) <= 3
        assert max(written.values()) <= 1 + math.log(300, 3)
        assert counts[0] == 243
        log.close()

    def test_the_fan_out_is_16(self, tmp_path: Path) -> None:
        fill(tmp_path, 17, fan_out=16)
        as_given = BarLog(tmp_path / "default")
        as_given.open()
        for n in range(1, 18):
            as_given.commit(*content(n))
        assert names(tmp_path / "default") == [name(1, 16), name(17)] == names(tmp_path)[:2]
        as_given.close()
        with pytest.raises(ValueError, match="at least 2"):
            BarLog(tmp_path, fan_out=1)

    def test_what_is_pruned_is_gone_and_only_that(self, tmp_path: Path) -> None:
        asked: list[tuple[str, list[int]]] = []

        def prune(tier: str, rows: pl.DataFrame) -> pl.DataFrame:
            asked.append((tier, rows.to_series().to_list()))
            return rows.filter(~pl.col("drop")) if tier == "bars" else rows

        log = BarLog(tmp_path, prune=prune, fan_out=2)
        log.open()
        for n in range(1, 6):
            log.commit({"bars": pl.concat([bars(n), bars(-n, drop=True)]), "prints": prints(n)}, {})
        log.close()
        assert asked == [
            ("bars", [1, -1, 2, -2]), ("prints", [1, 2]), ("bars", [3, -3, 4, -4]), ("prints", [3, 4]),
            ("bars", [1, 2, 3, 4]), ("prints", [1, 2, 3, 4]),
        ]  # fmt: skip
        recovered = reopened(tmp_path, prune=prune)
        assert recovered is not None
        assert recovered.appends["bars"]["second"].to_list() == [1, 2, 3, 4, 5, -5]
        assert recovered.appends["prints"]["tick"].to_list() == [1, 2, 3, 4, 5]

    def test_a_tier_keeps_its_columns(self, tmp_path: Path) -> None:
        log = BarLog(tmp_path, fan_out=2, prune=lambda _, rows: rows.drop("day", strict=False))
        log.open()
        log.commit({"a": bars(1)}, {"a": prints(1)})
        with pytest.raises(BarLogError, match=r"commit 2: the columns of the tier 'a' are .* discard the log"):
            log.commit({"a": bars(1).drop("drop")}, {})
        log.commit({"a": bars(2)}, {"a": positions(1)})
        log.commit({"a": bars(3), "b": prints(1)}, {})
        log.commit({"b": prints(1)}, {})
        with pytest.raises(BarLogError, match="left by pruning"):
            log.commit({"b": prints(1)}, {})
        log.close()
        with pytest.raises(BarLogError, match="not open"):
            log.commit({}, {})
        log.open()
        with pytest.raises(BarLogError, match="commit 5: the columns of the tier 'b'"):
            log.commit({"b": bars(1)}, {})
        log.close()


def span_of(file_name: str) -> tuple[int, int]:
    first, last = file_name.removesuffix(".bars").split("-")
    return int(first), int(last)


class TestCrash:
    @pytest.mark.parametrize("torn", [False, True])
    @pytest.mark.parametrize("commits", [0, 1, 2, 3, 8])  # with fan-out 2 the next merges 0, 0, 1, 0 and 3 times
    def test_at_every_step_of_a_commit(self, tmp_path: Path, commits: int, *, torn: bool) -> None:
        before = fill(tmp_path / "log", commits, fan_out=2)
        after = before.commit(*content(commits + 1))
        outcomes = []
        for at in range(1000):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(tmp_path / "log", folder)
            log = BarLog(folder, fan_out=2)
            log.open()
            if not crashed(lambda log=log: log.commit(*content(commits + 1)), at, torn=torn):  # type: ignore[misc]
                break
            die_with(log)
            with capture_logs() as told:
                recovered = reopened(folder, fan_out=2)
            assert told == [], "nothing is damaged"
            assert before.is_in(recovered) or after.is_in(recovered)
            outcomes.append(after.is_in(recovered))
            assert all(re.fullmatch(r"\d{12}-\d{12}\.bars", each) for each in names(folder))
            then = after if outcomes[-1] else before
            log = BarLog(folder, fan_out=2)
            log.open()
            for n in (77, 78):
                log.commit(*content(n))
                then = then.commit(*content(n))
            log.close()
            assert then.is_in(reopened(folder))
        assert outcomes == sorted(outcomes), "once it is there, it stays"
        assert set(outcomes) == {False, True}
        assert len(outcomes) >= 8
        log.close()

    def test_at_every_step_of_an_open_after_a_crash(self, tmp_path: Path) -> None:
        before = fill(tmp_path / "log", 4, fan_out=2)
        after = before.commit(*content(5))
        for at in range(0, 1000, 2):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(tmp_path / "log", folder)
            log = BarLog(folder, fan_out=2)
            log.open()
            if not crashed(lambda log=log: log.commit(*content(5)), at):  # type: ignore[misc]
                break
            die_with(log)
            for again in range(1000):
                log = BarLog(folder, fan_out=2)
                if not crashed(log.open, again):
                    log.close()
                    break
                log._lock = None  # a descriptor of the dead process
            recovered = reopened(folder)
            assert before.is_in(recovered) or after.is_in(recovered)
        assert at > 20
        log.close()

    def test_at_every_step_of_a_discard(self, tmp_path: Path) -> None:
        before = fill(tmp_path / "log", 7, fan_out=2)
        outcomes = []
        for at in range(1000):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(tmp_path / "log", folder)
            log = BarLog(folder)
            log.open()
            if not crashed(log.discard, at):
                break
            die_with(log)
            recovered = reopened(folder)
            assert recovered is None or before.is_in(recovered)
            outcomes.append(recovered is None)
        assert outcomes == sorted(outcomes)
        assert set(outcomes) == {False, True}
        assert names(folder) == []
        log.commit(*content(1))
        log.close()
        assert model_of(1).is_in(reopened(folder))

    def test_the_order_that_survives_a_power_cut(self, tmp_path: Path) -> None:
        """Content reaches the disk before its name, a name before what depends on it."""
        fill(tmp_path, 8, fan_out=2)
        log = BarLog(tmp_path, fan_out=2)
        log.open()
        opened: dict[int, str] = {}
        real_open = os.open

        def note(path: Any, *args: Any, **kwargs: Any) -> int:
            descriptor = real_open(path, *args, **kwargs)
            opened[descriptor] = str(path)
            order.append(("open", str(path)))
            return descriptor

        order: list[tuple[str, str]] = []

        def before(_: int, step: Step) -> None:
            if step.of in {"write", "fsync"}:
                order.append((step.of, opened[step.args[0]]))
            elif step.of in {"replace", "unlink"}:
                order.append((step.of, str(step.args[0])))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "open", note)
            with stepping(before):
                log.commit(*content(9))
        log.close()
        unsynced: set[str] = set()
        names_unsynced = False
        replaced = 0
        for what, path in order:
            if what == "write":
                unsynced.add(path)
            elif what == "fsync" and path == str(tmp_path):
                names_unsynced = False
            elif what == "fsync":
                unsynced.discard(path)
            elif what == "replace":
                assert path not in unsynced
                names_unsynced = True
                replaced += 1
            elif what == "unlink":
                assert not names_unsynced
        assert not names_unsynced
        assert not unsynced
        assert replaced == 4

    def test_what_a_merge_left_is_removed(self, tmp_path: Path) -> None:
        model = fill(tmp_path, 2, fan_out=2)
        old = {each: (tmp_path / each).read_bytes() for each in names(tmp_path)}
        log = BarLog(tmp_path, fan_out=2)
        log.open()
        log.commit(*content(3))
        log.close()
        model = model.commit(*content(3))
        assert names(tmp_path) == [name(1, 2), name(3)]
        for each, raw in old.items():
            (tmp_path / each).write_bytes(raw)
        assert model.is_in(reopened(tmp_path))
        assert names(tmp_path) == [name(1, 2), name(3)]


def flipped(raw: bytes, at: int, mask: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ mask]) + raw[at + 1 :]


def damages(raw: bytes, seed: int) -> Iterator[bytes]:
    """The bytes with one bit changed, or cut off: all places of the header, some of the rest."""
    of_chance = random.Random(seed)
    for at in [*range(24), *of_chance.sample(range(len(raw)), 60), len(raw) - 1]:
        yield flipped(raw, at, 1 << of_chance.randrange(8))
    for length in [0, 1, 11, 12, 15, 16, 23, 24, 47, 55, 56, *of_chance.sample(range(len(raw)), 40), len(raw) - 1]:
        yield raw[:length]
    yield raw + b"\0"
    yield bytes(len(raw))


class TestDamage:
    def test_of_the_newest_file_sets_it_aside(self, tmp_path: Path) -> None:
        before = fill(tmp_path, 2, fan_out=16)
        fill(tmp_path / "next", 3, fan_out=16)
        newest, raw = tmp_path / name(3), (tmp_path / "next" / name(3)).read_bytes()
        shutil.rmtree(tmp_path / "next")
        for bad in damages(raw, 1):
            newest.write_bytes(bad)
            with capture_logs() as told:
                assert before.is_in(reopened(tmp_path))
            [line] = told
            assert line["log_level"] == "warning"
            assert "set aside" in line["event"]
            assert (line["file"], line["goes_on_from"]) == (str(newest), 2)
            assert names(tmp_path) == [name(1), name(2), f"{name(3)}.damaged"]
            assert (tmp_path / line["kept_as"]).read_bytes() == bad
            (tmp_path / line["kept_as"]).unlink()
        newest.write_bytes(raw)
        assert before.commit(*content(3)).is_in(reopened(tmp_path)), "as it was, it is whole"

    def test_of_an_older_file_is_refused_and_nothing_touched(self, tmp_path: Path) -> None:
        fill(tmp_path, 7, fan_out=2)
        assert names(tmp_path) == [name(1, 4), name(5, 6), name(7)]
        for older in (name(1, 4), name(5, 6)):
            raw = (tmp_path / older).read_bytes()
            for bad in damages(raw, 2):
                (tmp_path / older).write_bytes(bad)
                with pytest.raises(BarLogError, match=rf"{older} is damaged .* discard the log"):
                    reopened(tmp_path)
                assert names(tmp_path) == [name(1, 4), name(5, 6), name(7)]
                assert (tmp_path / older).read_bytes() == bad
            (tmp_path / older).write_bytes(raw)
        assert model_of(7).is_in(reopened(tmp_path))

    def test_the_log_goes_on_and_keeps_every_damaged_file(self, tmp_path: Path) -> None:
        model = fill(tmp_path, 2, fan_out=16)
        for n in range(3):
            (tmp_path / name(3)).write_bytes(b"no" * n)
            log = BarLog(tmp_path)
            assert model.is_in(log.open())
            log.commit(*content(3))
            log.close()
            assert model.commit(*content(3)).is_in(reopened(tmp_path))
        assert names(tmp_path) == [
            name(1), name(2), name(3), f"{name(3)}.2.damaged", f"{name(3)}.3.damaged", f"{name(3)}.damaged",
        ]  # fmt: skip

    def test_of_the_only_file_begins_anew(self, tmp_path: Path) -> None:
        fill(tmp_path, 1, fan_out=16)
        (tmp_path / name(1)).write_bytes(b"")
        with capture_logs() as told:
            assert reopened(tmp_path) is None
        assert told[0]["goes_on_from"] == 0

    def test_of_two_files_is_refused(self, tmp_path: Path) -> None:
        fill(tmp_path, 3, fan_out=16)
        for n in (2, 3):
            (tmp_path / name(n)).write_bytes(b"")
        with pytest.raises(BarLogError, match=rf"{name(2)} is damaged \(it is only 0 bytes long\)"):
            reopened(tmp_path)
        assert names(tmp_path) == [name(1), name(2), name(3)]

    def test_of_a_merged_file_whose_parts_are_still_there(self, tmp_path: Path) -> None:
        model = fill(tmp_path, 4, fan_out=16)
        (tmp_path / name(1, 4)).write_bytes(b"torn")
        with capture_logs() as told:
            assert model.is_in(reopened(tmp_path))
        assert told[0]["goes_on_from"] == 4
        assert f"{name(1, 4)}.damaged" in names(tmp_path)

    def test_a_gap_is_refused(self, tmp_path: Path) -> None:
        fill(tmp_path, 7, fan_out=2)
        for lost, after in ((name(1, 4), name(5, 6)), (name(5, 6), name(7))):
            raw = (tmp_path / lost).read_bytes()
            (tmp_path / lost).unlink()
            with pytest.raises(BarLogError, match=rf"{lost}.* is missing before {after}, so bars would be missing"):
                reopened(tmp_path)
            (tmp_path / name(7)).rename(tmp_path / "aside")
            (tmp_path / name(7)).write_bytes(b"torn")
            with pytest.raises(BarLogError, match="is missing before"):
                reopened(tmp_path)
            (tmp_path / "aside").replace(tmp_path / name(7))
            (tmp_path / lost).write_bytes(raw)
        assert model_of(7).is_in(reopened(tmp_path))

    def test_another_files_name_is_damage(self, tmp_path: Path) -> None:
        model = fill(tmp_path, 3, fan_out=16)
        shutil.copy(tmp_path / name(1), tmp_path / name(4))
        with capture_logs() as told:
            assert model.is_in(reopened(tmp_path))
        assert told[0]["damage"] == "it holds the commits 1 to 1, which is not what its name says"
        shutil.copy(tmp_path / name(1), tmp_path / name(2))
        with pytest.raises(BarLogError, match=rf"{name(2)} is damaged \(it holds the commits 1 to 1, which is not"):
            reopened(tmp_path)

    def test_overlapping_files_are_refused(self, tmp_path: Path) -> None:
        fill(tmp_path / "by-2", 5, fan_out=2)
        fill(tmp_path / "by-3", 4, fan_out=3)
        assert names(tmp_path / "by-2") == [name(1, 4), name(5)]
        shutil.copy(tmp_path / "by-3" / name(1, 3), tmp_path / "by-2")
        assert model_of(5).is_in(reopened(tmp_path / "by-2"))
        assert names(tmp_path / "by-2") == [name(1, 4), name(5)], "what another covers is needless"
        fill(tmp_path / "by-6", 7, fan_out=6)
        fill(tmp_path / "by-9", 12, fan_out=4)
        shutil.copy(tmp_path / "by-9" / name(5, 8), tmp_path / "by-6")
        with pytest.raises(BarLogError, match=rf"{name(5, 8)} holds commits that are also in another file: remove it"):
            reopened(tmp_path / "by-6")

    @pytest.mark.parametrize("n", [1, 3])
    def test_an_unknown_version_is_refused_and_not_touched(self, tmp_path: Path, n: int) -> None:
        fill(tmp_path, 3, fan_out=16)
        begin = struct.pack("<8sI", MAGIC, VERSION + 1)
        raw = begin + struct.pack("<I", zlib.crc32(begin)) + b"whatever it holds"
        (tmp_path / name(n)).write_bytes(raw)
        with pytest.raises(BarLogError, match=rf"{name(n)} has .* {VERSION + 1}, .* only {VERSION}: use the release"):
            reopened(tmp_path)
        assert (tmp_path / name(n)).read_bytes() == raw
        assert names(tmp_path) == [name(1), name(2), name(3)]

    @pytest.mark.parametrize("how", ["damaged", "removed"])
    def test_between_open_and_a_merge_is_found_before_the_commit(self, tmp_path: Path, how: str) -> None:
        fill(tmp_path, 2, fan_out=2)
        log = BarLog(tmp_path, fan_out=2)
        log.open()
        raw = (tmp_path / name(1)).read_bytes()
        if how == "damaged":
            (tmp_path / name(1)).write_bytes(flipped(raw, 90, 1))
        else:
            (tmp_path / name(1)).unlink()
        for _ in range(2):
            with pytest.raises(BarLogError, match=rf"{name(1)} was {how} while the log was open"):
                log.commit(*content(3))
        (tmp_path / name(1)).write_bytes(raw)
        log.commit(*content(3))
        log.close()
        assert model_of(3).is_in(reopened(tmp_path))

    def test_a_log_that_cannot_be_opened_can_be_discarded(self, tmp_path: Path) -> None:
        fill(tmp_path, 3, fan_out=16)
        (tmp_path / name(1)).unlink()
        log = BarLog(tmp_path)
        with pytest.raises(BarLogError, match="missing"):
            log.open()
        log.discard()
        assert log.open() is None
        log.commit(*content(1))
        log.close()
        assert model_of(1).is_in(reopened(tmp_path))


class TestFolder:
    def test_left_over_and_foreign_files(self, tmp_path: Path) -> None:
        model = fill(tmp_path, 2, fan_out=16)
        foreign = [
            "notes.txt",
            "notes.tmp",
            "copy.bars",
            f"{name(9)}.damaged",
            "1-2.bars",
            f"0{name(3)}",
            f"x{name(3)}",
        ]
        for each in [*foreign, f"{name(3)}.tmp", f"{name(1, 2)}.tmp", "barlog-discarded.tmp", "barlog-probe.tmp"]:
            (tmp_path / each).write_bytes(b"half of")
        assert model.is_in(reopened(tmp_path))
        assert names(tmp_path) == sorted([name(1), name(2), *foreign])
        BarLog(tmp_path).discard()
        assert names(tmp_path) == sorted(foreign)

    def test_one_process_at_a_time(self, tmp_path: Path) -> None:
        log = BarLog(tmp_path / "log")
        log.open()
        for do in (BarLog.open, BarLog.discard):
            with pytest.raises(BarLogError, match="log is in use by another monitor"):
                do(BarLog(tmp_path / "log"))
        ask = (
            "import sys, pathlib\nfrom monitor.engine.barlog import BarLog, BarLogError\n"
            "try: BarLog(pathlib.Path(sys.argv[1])).open()\nexcept BarLogError as e: print(e)\nelse: print('open')"
        )
        command = [sys.executable, "-c", ask, str(tmp_path / "log")]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert "is in use by another monitor: end that one" in told
        log.close()
        log.close()
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert told == "open\n"
        (tmp_path / "log" / name(2)).write_bytes(b"")
        (tmp_path / "log" / name(1)).write_bytes(b"")
        failed = BarLog(tmp_path / "log")
        with pytest.raises(BarLogError, match="damaged"):
            failed.open()
        (tmp_path / "log" / name(2)).unlink()
        assert reopened(tmp_path / "log") is None, "after an error the lock is free"

    def test_a_folder_that_cannot_be_made_or_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for folder in (tmp_path / "file", tmp_path / "file" / "log"):
            with pytest.raises(BarLogError, match=rf"{tmp_path}/file.*: the log cannot be opened: .* another folder"):
                reopened(folder)
        assert reopened(tmp_path / "a" / "b" / "c") is None

        def read_only(_: int, step: Step) -> None:
            if step.of == "open" and step.args[1] & os.O_CREAT and "lock" not in str(step.args[0]):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(step.args[0]))

        fill(tmp_path / "log", 1, fan_out=16)
        with pytest.raises(BarLogError, match="Read-only file system"), stepping(read_only):
            reopened(tmp_path / "log")
        assert model_of(1).is_in(reopened(tmp_path / "log"))


class TestFullDisk:
    @pytest.mark.parametrize("stays", [False, True])
    @pytest.mark.parametrize("commits", [1, 2, 8])
    def test_at_every_step_of_a_commit(self, tmp_path: Path, commits: int, *, stays: bool) -> None:
        """A failing step, or all steps from it on, leaves nothing, and the same can be committed again."""
        before = fill(tmp_path / "log", commits, fan_out=2)
        after = before.commit(*content(commits + 1))
        refused: list[str] = []
        for at in range(1000):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(tmp_path / "log", folder)
            log = BarLog(folder, fan_out=2)
            log.open()

            def full(n: int, step: Step, at: int = at) -> None:
                # Removing and closing take no room.
                if (n == at or (stays and n > at)) and step.of not in {"unlink", "close"}:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            try:
                with stepping(full) as steps, capture_logs():
                    log.commit(*content(commits + 1))
            except BarLogError as error:
                refused.append(str(error))
                assert sum(last - first + 1 for first, last in map(span_of, names(folder))) == commits
                shutil.copytree(folder, tmp_path / "as-left")
                assert before.is_in(reopened(tmp_path / "as-left"))
                shutil.rmtree(tmp_path / "as-left")
                log.commit(*content(commits + 1))
            then = after
            for n in (77, 78, 79):
                log.commit(*content(n))
                then = then.commit(*content(n))
            log.close()
            assert not [each for each in names(folder) if each.endswith(".tmp")]
            assert then.is_in(reopened(folder))
            if at >= len(steps):
                break
        assert len(refused) >= 5
        for each in refused:
            assert re.search(rf"written \(commit {commits + 1}\): No space left on device; make room", each)

    @pytest.mark.parametrize("commits", [1, 8])
    def test_not_even_removing_works(self, tmp_path: Path, commits: int) -> None:
        before = fill(tmp_path / "log", commits, fan_out=2)
        after = before.commit(*content(commits + 1))
        for at in range(1000):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(tmp_path / "log", folder)
            log = BarLog(folder, fan_out=2)
            log.open()

            def broken(n: int, step: Step, at: int = at) -> None:
                if n >= at and step.of != "close":
                    raise OSError(errno.EIO, os.strerror(errno.EIO))

            with capture_logs():
                try:
                    with stepping(broken) as steps:
                        log.commit(*content(commits + 1))
                except BarLogError:
                    shutil.copytree(folder, tmp_path / "as-left")
                    recovered = reopened(tmp_path / "as-left")
                    assert before.is_in(recovered) or after.is_in(recovered)
                    shutil.rmtree(tmp_path / "as-left")
                    log.commit(*content(commits + 1))
                log.commit(*content(77))
            log.close()
            assert after.commit(*content(77)).is_in(reopened(folder))
            if at >= len(steps):
                break
        assert at > 5

    @pytest.mark.parametrize("stays", [False, True])
    def test_at_every_step_of_a_discard(self, tmp_path: Path, *, stays: bool) -> None:
        """What is committed after a discard that failed is not taken away by it."""
        before = fill(tmp_path / "log", 3, fan_out=2)
        for at in range(1000):
            folder = tmp_path / f"at-{at}"
            shutil.copytree(tmp_path / "log", folder)
            log = BarLog(folder, fan_out=2)
            log.open()

            def broken(n: int, step: Step, at: int = at) -> None:
                if (n == at or (stays and n > at)) and step.of != "close":
                    raise OSError(errno.EIO, os.strerror(errno.EIO))

            model = Model()
            try:
                with stepping(broken) as steps:
                    log.discard()
            except BarLogError:
                with pytest.raises(BarLogError, match="not open"):
                    log.commit(*content(4))
                recovered = log.open()
                model = before if recovered else model
                assert model.is_in(recovered)
            log.commit(*content(4))
            log.close()
            assert model.commit(*content(4)).is_in(reopened(folder))
            if at >= len(steps):
                break
        assert at > 8

    def test_a_merge_without_room_is_put_off(self, tmp_path: Path) -> None:
        fill(tmp_path, 3, fan_out=3)
        log = BarLog(tmp_path, fan_out=3)
        log.open()

        def no_merge(_: int, step: Step) -> None:
            if step.of == "open" and name(1, 3) in str(step.args[0]):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with stepping(no_merge), capture_logs() as told:
            for n in (4, 5, 6):
                log.commit(*content(n))
        [line] = told
        assert line["log_level"] == "warning"
        assert (line["error"], line["tried_again_at_commit"]) == ("No space left on device", 7)
        assert len(names(tmp_path)) == 6
        log.commit(*content(7))
        assert names(tmp_path) == [name(1, 3), name(4, 6), name(7)]
        log.close()
        assert model_of(7).is_in(reopened(tmp_path))

    def test_a_write_may_take_less_than_it_is_given(self, tmp_path: Path) -> None:
        real_write = os.write
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", lambda descriptor, data: real_write(descriptor, data[:100]))
            model = fill(tmp_path, 3, fan_out=2)
        assert model.is_in(reopened(tmp_path))

    def test_a_real_limit(self, tmp_path: Path) -> None:
        """The system refuses to let a file grow, in the middle of a write."""
        script = """
import pathlib, random, resource, sys
import polars as pl
from monitor.engine.barlog import BarLog, BarLogError
log = BarLog(pathlib.Path(sys.argv[1]))
log.open()
log.commit({"t": pl.DataFrame({"x": [1]})}, {})
rows = pl.DataFrame({"x": [random.getrandbits(62) for _ in range(20_000)]})
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
for _ in range(2):
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        log.commit({"t": rows}, {})
    except BarLogError as error:
        print(error)
    print(sorted(p.name for p in pathlib.Path(sys.argv[1]).iterdir()))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.commit({"t": rows}, {})
log.close()
print(log.open().appends["t"]["x"].to_list() == [1, *rows["x"]])
"""
        command = [sys.executable, "-c", script, str(tmp_path)]
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        lines = run.stdout.splitlines()
        assert "the log cannot be written (commit 2): File too large; make room" in lines[0]
        assert lines[1] == str(["000000000001-000000000001.bars", "barlog-lock"])
        assert lines[2:] == [*lines[:2], "True"]
