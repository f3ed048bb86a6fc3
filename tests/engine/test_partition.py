"""A partition: positions, restarts, releases, late records and ids, against a record after the other.

A restart is told by lives: each reads some of the log from where the last left its state, and dies.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import sealer as sealing
from monitor.engine.bars import KINDS
from monitor.engine.partition import NO_TICK, Partition, Pushed
from monitor.engine.sealer import Sealed, Sealer
from monitor.engine.watermark import NEVER_US
from tests.engine.plain_quotes import BASE, SECOND, Record, Row, decoded, events_of, plain_seconds

properties = settings(deadline=None, max_examples=30)
SEEDS = st.integers(0, 2**32)
LATENESS = 2 * SECOND
BARS = tuple(KINDS)


def random_log(random: Random, size: int = 40) -> list[Record]:
    """Quotes, trades, benchmarks and reference values in one log: mostly in turn, some late, some ahead."""
    log: list[Record] = []
    at_us, offset = BASE * SECOND, random.choice([0, 5])
    for _ in range(random.randint(1, size)):
        at_us += random.choice([0, 1, 100_000, 400_000, 900_000])
        ts_us = at_us + random.choice([0, 0, -1_500_000, -2_500_000, -4_000_000, 1_200_000])
        log.append(_record(random, random.choice(["treasury", "repo", "cds", "reference"])) | {"ts_us": ts_us})
        log[-1]["offset"] = offset
        offset += random.choice([1, 1, 1, 4])  # compacted topics have gaps
    return log


def _record(random: Random, stream: str) -> Record:
    record: Record = {"stream": stream}
    if stream == "treasury":
        bid = random.randint(99, 101) * 1_000_000_000
        record |= {"instrument": random.choice("AB"), "bid_e9": bid, "ask_e9": bid + random.randint(-1, 9)}
        record["bid_size_kusd"], record["ask_size_kusd"] = random.randint(0, 3), random.choice([None, 4])
        record["on_the_run"] = random.choice([None, None, True, False])
        record["tenor_e3"] = random.choice([None, None, 2_000, 10_000])
        record["close_e9"] = random.choice([None] * 9 + [99_000_000_000])
    elif stream == "cds":
        record |= {"entity": "E", "tenor_e3": 5_000, "mid_e6": random.randint(1, 3), "recovery_e6": 400_000}
        record |= {"index_series": random.choice([None, None, 43]), "notional_kusd": random.choice([None, 0, 7])}
        record["id"] = random.choice([None, None, *"abcde"])
    elif stream == "repo":
        record |= {"instrument": "SOFR", "rate_e6": random.randint(1, 2), "volume_kusd": random.choice([None, 1, 2])}
        record |= {"kind": random.choice(["trade"] * 5 + ["benchmark"]), "term_days": random.choice([1] * 5 + [7])}
        record["id"] = random.choice([None, *"abcdefghijkl"])
    return record


def counts(record: Record) -> bool:
    """Whether a record is a quote or a trade, and not a print."""
    match record["stream"]:
        case "treasury":
            return bool(record["close_e9"] is None)
        case "repo":
            return bool(record["kind"] == "trade" and record["term_days"] == 1)
        case stream:
            return bool(stream == "cds")


@dataclass
class Plain:
    """A record after the other, in the order of positions."""

    newest_us: int = NEVER_US + LATENESS
    taken: list[Record] = field(default_factory=list)
    ids: dict[tuple[str, str], int] = field(default_factory=dict)
    late: Counter[str] = field(default_factory=Counter)
    doubles: Counter[str] = field(default_factory=Counter)
    floors: dict[int, int] = field(default_factory=dict)

    def read(self, log: list[Record]) -> Plain:
        for record in log:
            stream, mark_us = record["stream"], self.newest_us - LATENESS
            if not counts(record):
                self.floors[record["offset"]] = NO_TICK if mark_us == NEVER_US else mark_us // SECOND + 1
                continue
            self.newest_us = max(self.newest_us, record["ts_us"])
            if record["ts_us"] // SECOND < mark_us // SECOND:
                self.late[stream] += 1
            elif record.get("id") is not None and (stream, record["id"]) in self.ids:
                self.doubles[stream] += 1
            else:
                self.taken.append(record)
                if record.get("id") is not None:
                    self.ids[stream, record["id"]] = record["offset"]
        return self

    def bars(self, stream: str) -> list[Row]:
        if stream != "repo":
            return plain_seconds(stream, self.taken)
        sums: dict[tuple[Any, ...], list[int]] = {}
        for r in self.taken:
            if r["stream"] == "repo":
                key = (r["ts_us"] // SECOND, r["instrument"], r.get("segment"), r["rate_e6"])
                its = sums.setdefault(key, [0, 0])
                its[0] += r["volume_kusd"] or 0
                its[1] += 1
        return [dict(zip(KINDS["repo"].seconds, (*key, *sums[key]), strict=True)) for key in sorted(sums)]

    def suspects(self, stream: str) -> int:
        volume = {"repo": "volume_kusd", "cds": "notional_kusd"}.get(stream)
        told = [r for r in self.taken if r["stream"] == stream and volume and r[volume] and r["id"] is None]
        return len(told) - len({str(sorted((k, v) for k, v in r.items() if k != "offset")) for r in told})


@dataclass
class Kept:
    """What is durable: what was sealed, and the state of the partition at one moment."""

    sealed: list[tuple[str, Sealed]] = field(default_factory=list)
    ids: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    attributes: dict[str, pl.DataFrame] = field(default_factory=dict)
    next_position: int = 0
    oldest_open: int = 0
    watermark_us: int = NEVER_US
    is_held: bool = False

    def bars(self, stream: str) -> list[Row]:
        shape = KINDS[stream].seconds
        frames = [each.bars for name, each in self.sealed if name == stream]
        frame = pl.concat([pl.DataFrame(schema=shape), *frames])
        names = [n for n in ("second", "partition", *KINDS[stream].series, "segment", "rate_e6") if n in shape]
        assert not frame.select(names).is_duplicated().any(), "each second once"
        return frame.sort(names).to_dicts()

    def suspects(self, stream: str) -> int:
        return sum(each.suspects for name, each in self.sealed if name == stream)


class Life:
    """A process that reads one partition."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.partition = Partition("p0", LATENESS)
        self.kept = replace(kept, sealed=list(kept.sealed)) if kept else Kept()
        self.told: list[Pushed] = []
        if kept:
            self.partition.restore(kept.next_position, kept.oldest_open, kept.watermark_us, is_held=kept.is_held)
            for stream in kept.attributes:
                ids = pl.DataFrame(
                    kept.ids.get(stream, []), schema={"id": pl.String(), "offset": pl.Int64()}, orient="row"
                )
                self.partition.restore_sealer(stream, kept.attributes[stream], ids)

    def read(self, batch: list[Record], ran: int = NO_TICK) -> None:
        """As the pipeline does: what is read again brings no prints anew."""
        again, new = self.partition.split([r["offset"] for r in batch])
        self.partition.push(decoded([r for r in batch[again] if counts(r)]), ran)
        if new.start < new.stop:
            self.told.append(self.partition.push(decoded(batch[new]), ran))
        self.keep_sealed(self.partition.seal())

    def keep_sealed(self, sealed: dict[str, Sealed]) -> None:
        self.kept.sealed += sealed.items()

    def commit(self) -> Kept:
        p, ids = self.partition, {stream: list(its) for stream, its in self.kept.ids.items()}
        for stream, sealer in p.sealers.items():
            ids.setdefault(stream, []).extend(sealer.take_new_ids().rows())
        self.kept = Kept(
            list(self.kept.sealed), ids, {stream: sealer.attributes for stream, sealer in p.sealers.items()},
            p.next_position, p.oldest_open, p.watermark.value_us, p.is_held,
        )  # fmt: skip
        return replace(self.kept, sealed=list(self.kept.sealed))

    def told_of(self, what: str) -> Counter[str]:
        found: Counter[str] = Counter()
        for pushed in self.told:
            found.update(getattr(pushed, what))
        return +found


def batches(random: Random, log: list[Record], *, redeliver: bool = False) -> list[list[Record]]:
    """The log in pieces; now and then the source goes back some way, and delivers again."""
    found, at = [], 0
    while at < len(log):
        end = at + random.randint(1, 8)
        found.append(log[at:end])
        at = max(0, end - random.randint(0, 6)) if redeliver and random.random() < 0.4 else end
    return found


def ended(life: Life) -> Kept:
    life.keep_sealed(life.partition.release())
    return life.commit()


def check(kept: Kept, plain: Plain) -> None:
    for stream in BARS:
        assert kept.bars(stream) == plain.bars(stream), stream
        assert kept.suspects(stream) == plain.suspects(stream), stream


def lived(log: list[Record], random: Random, deaths: int) -> Kept:
    """Lives that read some batches, commit, read on, and die; the last reads to the end."""
    kept: Kept | None = None
    for death in range(deaths + 1):
        life = Life(kept)
        resume = kept.oldest_open if kept else 0
        # A source may begin somewhat before the position that is wanted.
        wanted = resume - random.choice([0, 0, 3])
        parts = batches(random, [r for r in log if r["offset"] >= wanted], redeliver=random.random() < 0.3)
        if death == deaths:
            for part in parts:
                life.read(part)
            return ended(life)
        died = random.randint(0, len(parts))
        committed = random.randint(0, died)
        for at, part in enumerate(parts[:died]):
            if at == committed:
                kept = life.commit()
            life.read(part)
        kept = kept if committed < died else life.commit()
    raise AssertionError("the last life returns")


class TestPositions:
    @properties
    @given(SEEDS)
    def test_each_position_counts_once_however_it_is_delivered(self, seed: int) -> None:
        random = Random(seed)
        log = random_log(random)
        life, plain = Life(), Plain().read(log)
        for part in batches(random, log, redeliver=True):
            life.read(part)
        check(ended(life), plain)
        assert life.told_of("late") == plain.late
        assert life.told_of("doubles") == plain.doubles

    @properties
    @given(
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=8), st.integers(0, 20), st.integers(0, 10)
    )
    def test_after_a_restart_the_open_positions_are_wanted_once(
        self, spans: list[tuple[int, int]], next_position: int, open_count: int
    ) -> None:
        oldest_open = max(0, next_position - open_count)
        partition = Partition("p0", LATENESS)
        partition.restore(next_position, oldest_open, 0, is_held=True)
        assert partition.oldest_open == oldest_open
        seen_again: list[int] = []
        seen_new: list[int] = []
        frontier = oldest_open
        for first, size in spans:
            # A source never skips what it was asked for.
            offsets = range(min(first, frontier), min(first, frontier) + size)
            again, new = partition.split(offsets)
            seen_again += offsets[again]
            seen_new += offsets[new]
            frontier = max(frontier, offsets.stop) if size else frontier
        assert seen_again == list(range(oldest_open, min(frontier, next_position)))
        assert seen_new == list(range(next_position, frontier))
        assert partition.next_position == max(next_position, frontier)
        # Nothing is held open here: what is still to be read again is all that must be.
        assert partition.oldest_open == min(frontier, partition.next_position)

    def test_an_empty_batch_wants_nothing(self) -> None:
        partition = Partition("p0", LATENESS)
        partition.restore(7, 3, 0, is_held=True)
        assert partition.split([]) == (slice(0, 0), slice(0, 0))
        assert (partition.next_position, partition.oldest_open) == (7, 3)


class TestRestarts:
    @settings(deadline=None, max_examples=60)
    @given(SEEDS, st.integers(1, 4))
    def test_any_number_of_deaths_gives_the_bars_of_an_unbroken_run(self, seed: int, deaths: int) -> None:
        random = Random(seed)
        log = random_log(random, 60)
        check(lived(log, random, deaths), Plain().read(log))

    @pytest.mark.parametrize("seed", range(3))
    def test_at_every_position_and_again_at_every_position_of_what_is_read_again(self, seed: int) -> None:
        log = random_log(Random(seed), 18)
        plain = Plain().read(log)
        for died in range(len(log) + 1):
            first = Life()
            first.read(log[:died])
            after_first = first.commit()
            again = [r for r in log if r["offset"] >= after_first.oldest_open]
            for read in range(len([r for r in again if r["offset"] < after_first.next_position]) + 1):
                second = Life(after_first)
                second.read(again[:read])
                after_second = second.commit()
                third = Life(after_second)
                third.read([r for r in log if r["offset"] >= after_second.oldest_open])
                check(ended(third), plain)

    @pytest.mark.parametrize(
        "forgotten",
        ["oldest_open and watermark_us", "watermark_us", "oldest_open", "attributes", "ids"],
    )
    def test_each_part_of_the_state_is_needed(self, forgotten: str) -> None:
        """With one of them left out some of these runs go wrong: why all of them are stored."""
        wrong = 0
        for seed in range(40):
            random = Random(seed)
            log = random_log(random, 60)
            first = Life()
            first.read(log[: random.randint(0, len(log))])
            kept = first.commit()
            if "oldest_open" in forgotten:
                kept.oldest_open = kept.next_position
            if "watermark_us" in forgotten:
                kept.watermark_us = NEVER_US
            if forgotten == "attributes":
                kept.attributes = {stream: frame.clear() for stream, frame in kept.attributes.items()}
            if forgotten == "ids":
                kept.ids = {}
            second = Life(kept)
            second.read([r for r in log if r["offset"] >= kept.oldest_open])
            try:
                check(ended(second), Plain().read(log))
            except AssertionError:
                wrong += 1
        assert wrong > 0

    def test_an_example(self) -> None:
        """The newest event seals two seconds; the third is open, and one of its events came before the others'."""

        def trade(offset: int, at: float, **said: Any) -> Record:
            ts_us = BASE * SECOND + round(at * SECOND)
            return {
                "stream": "repo", "instrument": "GCF", "rate_e6": 1, "volume_kusd": 10**offset, "kind": "trade",
                "term_days": 1, "id": None, "ts_us": ts_us, "offset": offset,
            } | said  # fmt: skip

        log = [trade(0, 2.5), trade(1, 0), trade(2, 1), trade(3, 4.1), trade(4, 1.9), trade(5, 2.9)]
        first = Life()
        first.read(log[:4])
        kept = first.commit()
        assert (kept.next_position, kept.oldest_open) == (4, 0)
        assert kept.watermark_us == BASE * SECOND + 2_100_000
        assert [(r["second"] - BASE, r["volume_kusd"]) for r in kept.bars("repo")] == [(0, 10), (1, 100)]
        second = Life(kept)
        second.read(log)
        assert second.told_of("late") == {"repo": 1}, "the one before the position is not counted again"
        rows = ended(second).bars("repo")
        assert [(r["second"] - BASE, r["volume_kusd"]) for r in rows] == [(0, 10), (1, 100), (2, 100_001), (4, 1_000)]


class TestOneWatermark:
    @properties
    @given(SEEDS)
    def test_streams_of_a_partition_share_it_whatever_the_cuts(self, seed: int) -> None:
        random = Random(seed)
        log = random_log(random)
        plain = Plain().read(log)
        for _ in range(2):
            life = Life()
            for part in batches(random, log):
                life.read(part)
            assert life.told_of("late") == plain.late
            assert life.partition.watermark.value_us == plain.newest_us - LATENESS
            check(ended(life), plain)

    def test_one_stream_makes_another_late(self) -> None:
        far = _record(Random(0), "cds") | {"ts_us": (BASE + 10) * SECOND, "offset": 0, "id": None}
        behind = _record(Random(1), "treasury") | {"ts_us": (BASE + 7) * SECOND, "offset": 1, "close_e9": None}
        in_time = behind | {"ts_us": (BASE + 8) * SECOND, "offset": 2}
        # Whatever the order in which the decoder names the streams.
        for turned in (1, -1):
            partition = Partition("p0", LATENESS)
            pushed = partition.push(decoded([far, behind, in_time])[::turned], NO_TICK)
            assert pushed.late == {"cds": 0, "treasury": 1}

    @properties
    @given(SEEDS)
    def test_the_floor_of_a_print_follows_from_the_log_alone(self, seed: int) -> None:
        random = Random(seed)
        log = random_log(random)
        plain = Plain().read(log)
        for _ in range(2):
            life = Life()
            for part in batches(random, log):
                life.read(part)
            floors = {
                offset: floor
                for pushed in life.told
                for prints in pushed.prints.values()
                for offset, floor in prints.select("offset", "floor").rows()
            }
            assert floors == plain.floors

    @properties
    @given(SEEDS, st.integers(BASE - 5, BASE + 20))
    def test_nor_does_it_depend_on_the_cuts_once_ticks_have_run(self, seed: int, ran: int) -> None:
        """A print takes effect at no tick that has run, and that is said besides."""
        random = Random(seed)
        log = random_log(random)
        found = []
        for _ in range(3):
            partition = Partition("p0", LATENESS)
            floors: dict[int, int] = {}
            for part in batches(random, log):
                for prints in partition.push(decoded(part), ran).prints.values():
                    floors |= {o: max(f, ran + 1) for o, f in prints.select("offset", "floor").rows()}
            found.append((floors, partition.watermark.value_us))
        assert found[0] == found[1] == found[2]


class TestReleases:
    @properties
    @given(SEEDS)
    def test_what_is_open_is_sealed_and_what_comes_back_for_it_is_late(self, seed: int) -> None:
        random = Random(seed)
        log = [r for r in random_log(random) if counts(r)]
        life = Life()
        life.read(log)
        life.keep_sealed(life.partition.release())
        check(life.kept, Plain().read(log))
        assert not life.partition.is_held
        assert life.partition.oldest_open == life.partition.next_position
        seconds = [r["second"] for stream in BARS for r in life.kept.bars(stream)]
        back = [
            {**r, "id": None, "offset": 1_000 + at, "ts_us": second * SECOND + 999_999}
            for at, (r, second) in enumerate(zip(log * 9, seconds, strict=False))
        ]
        before = len(life.told)
        life.read(back)
        assert sum(sum(pushed.late.values()) for pushed in life.told[before:]) == len(back)
        assert life.partition.is_held == bool(back)
        assert all(each.bars.is_empty() for each in life.partition.release().values())

    @pytest.mark.parametrize("is_new", [True, False])
    def test_who_comes_or_comes_back_joins_at_the_tick_that_has_run(self, is_new: bool) -> None:
        quote = _record(Random(0), "cds") | {"id": None}
        life = Life()
        if not is_new:
            life.read([quote | {"ts_us": BASE * SECOND, "offset": 0}])
            life.keep_sealed(life.partition.release())
        ran = BASE + 100
        back = [BASE + 99, BASE + 100, BASE + 50, BASE + 101]
        life.read([quote | {"ts_us": at * SECOND, "offset": 1 + i} for i, at in enumerate(back)], ran)
        assert life.told[-1].late == {"cds": 2}
        assert life.partition.watermark.value_us == ran * SECOND
        life.read([quote | {"ts_us": (BASE + 99) * SECOND, "offset": 9}], ran + 100)
        assert life.partition.watermark.value_us == ran * SECOND, "one that is held is not moved by ticks"
        assert [r["second"] for r in ended(life).bars("cds")][-2:] == [BASE + 100, BASE + 101]

    @pytest.mark.parametrize("is_held", [True, False])
    def test_a_restart_knows_who_was_released(self, is_held: bool) -> None:
        """Ticks waited for who is held, so it stays where its watermark is; who was released joins where they are."""
        partition = Partition("p0", LATENESS)
        partition.restore(5, 5, BASE * SECOND, is_held=is_held)
        assert partition.is_held == is_held
        quote = _record(Random(0), "cds") | {"id": None, "offset": 5, "ts_us": (BASE + 1) * SECOND}
        assert partition.push(decoded([quote]), BASE + 3).late == {"cds": int(not is_held)}

    def test_one_that_never_brought_a_quote_stays_as_it_is(self) -> None:
        partition = Partition("p0", LATENESS)
        partition.push(decoded([{"stream": "reference", "ts_us": BASE * SECOND, "offset": 0}]), BASE)
        assert not partition.is_held
        assert partition.release() == {}
        assert partition.watermark.value_us == NEVER_US


class TestIds:
    @staticmethod
    def trade(offset: int, name: str | None, **said: Any) -> Record:
        return {
            "stream": "repo", "instrument": "GCF", "rate_e6": 1, "volume_kusd": 5, "kind": "trade", "term_days": 1,
            "id": name, "ts_us": BASE * SECOND, "offset": offset,
        } | said  # fmt: skip

    def test_an_event_that_is_read_again_is_no_double_of_itself(self) -> None:
        first = Sealer(KINDS["repo"], "p0")
        log = [self.trade(0, "a"), self.trade(1, "b"), self.trade(2, "a"), self.trade(3, None)]
        assert first.push(events_of("repo", log)) == 1
        ids = first.take_new_ids()
        assert ids.rows() == [("a", 0), ("b", 1)]
        assert first.take_new_ids().is_empty()
        second = Sealer(KINDS["repo"], "p0")
        second.restore(first.attributes, ids)
        assert second.push(events_of("repo", [*log, self.trade(4, "b"), self.trade(5, "c")])) == 2
        assert second.take_new_ids().rows() == [("c", 5)], "what was restored is not new"
        assert second.seal(None).bars["trades"].to_list() == [4]

    def test_a_restart_remembers_the_same_ids(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also of an id that was forgotten, and came again."""
        monkeypatch.setattr(sealing, "IDS_REMEMBERED", 2)
        names = ["a", "b", "c", "a", "c", "d"]
        log = [self.trade(at, name) for at, name in enumerate(names)]
        first = Sealer(KINDS["repo"], "p0")
        assert first.push(events_of("repo", log)) == 1
        ids = first.take_new_ids()
        assert ids["id"].to_list() == ["a", "b", "c", "a", "d"]
        second = Sealer(KINDS["repo"], "p0")
        second.restore(first.attributes, ids)
        later = events_of("repo", [self.trade(10 + at, name) for at, name in enumerate(["a", "c", "d", "a", "c"])])
        assert second.push(later) == first.push(later) == 3

    def test_a_late_event_does_not_use_its_id_up(self) -> None:
        life = Life()
        life.read([self.trade(0, "x", ts_us=(BASE + 9) * SECOND), self.trade(1, "a")])
        life.read([self.trade(2, "a", ts_us=(BASE + 9) * SECOND)])
        assert life.told_of("doubles") == {}
        assert [r["trades"] for r in ended(life).bars("repo")] == [2]

    @pytest.mark.parametrize(
        ("changed", "expected"),
        [
            ({}, 1), ({"rate_e6": 2}, 0), ({"ts_us": BASE * SECOND + 1}, 0), ({"segment": "gcf"}, 0), ({"id": "z"}, 0),
            ({"volume_kusd": 6}, 0), ({"instrument": "DVP"}, 0),
        ],
    )  # fmt: skip
    def test_a_suspect_equals_another_in_all_but_its_position(self, changed: dict[str, Any], expected: int) -> None:
        for cut in (0, 1):
            life = Life()
            for part in (
                ([self.trade(0, None)], [self.trade(1, None) | changed])
                if cut
                else ([self.trade(0, None), self.trade(1, None) | changed],)
            ):
                life.read(part)
            assert ended(life).suspects("repo") == expected

    @pytest.mark.parametrize("volume", [None, 0])
    def test_without_volume_there_is_no_suspicion(self, volume: int | None) -> None:
        life = Life()
        life.read([self.trade(at, None, volume_kusd=volume) for at in range(3)])
        assert ended(life).suspects("repo") == 0
