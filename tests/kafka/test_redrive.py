"""What was refused is put back: the bytes as they came, what was selected, each once, and an end is reached."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.kafka.connection import KafkaConnectionError
from monitor.kafka.outbox import Outbox
from monitor.kafka.publisher import Publisher
from monitor.redrive import origin
from monitor.redrive import run as running
from monitor.redrive.kept import Kept, NotKeptError, of_line, of_message
from monitor.redrive.origin import KeptFile, KeptTopics, RedriveError
from monitor.redrive.run import Redriven, redrive
from monitor.redrive.selection import Selection
from monitor.redrive.target import Folder, Target, Topics
from monitor.results import RejectedEvent
from monitor.sinks.files import reject_line
from monitor.sinks.rejects import RejectFile, RejectTopic
from tests.kafka.broker import Broker, create_topic
from tests.kafka.messages import plain
from tests.kafka.records import headers_of, records
from tests.sinks import made

NOW_US = 1_779_984_000_000_000  # 2026-05-28T16:00:00Z
TOPICS = {"repo": "repo.rates", "treasury": "treasury.quotes"}
ALL = Selection()


class Put(Target):
    """Keeps what is put there."""

    is_noted = True

    def __init__(self) -> None:
        self.there: list[tuple[bytes, int]] = []
        self.flushed = 0

    def refuses(self, each: Kept) -> str | None:
        return None if each.topic else "nothing says which topic they came from"

    def put(self, each: Kept, times: int) -> None:
        self.there.append((each.raw, times))

    def flush(self) -> None:
        self.flushed = len(self.there)

    def close(self) -> None:
        pass


def kept_file(path: Path, rejects: Sequence[RejectedEvent], *, is_synthetic: bool = False) -> Path:
    sink = RejectFile(path, 1_000_000, wall_us=lambda: NOW_US, is_synthetic=is_synthetic)
    sink.ingested(made.ingested(rejects=rejects))
    return path


def of_file(path: Path, target: Target, selection: Selection = ALL, **more: bool | int) -> Redriven:
    return redrive(KeptFile(path), target, selection, **more)  # type: ignore[arg-type]


class TestKept:
    @given(raw=st.binary(max_size=60), offset=st.integers(0, 1 << 62), line=st.none() | st.integers(1, 99))
    def test_a_line_gives_back_what_was_refused(self, raw: bytes, offset: int, line: int | None) -> None:
        reject = made.reject("bad_text", raw, partition="my.rates/3", offset=offset, line=line)
        kept = of_line(json.dumps(reject_line(reject), ensure_ascii=False).encode())
        assert (kept.raw, kept.offset, kept.line or 1) == (raw, offset, line or 1)
        assert (kept.topic, kept.partition, kept.place) == ("my.rates", 3, "my.rates/3")
        assert (kept.stream, kept.reason, kept.detail, kept.refused_us) == ("repo", "bad_text", "cut short", None)

    @pytest.mark.parametrize(
        ("stream", "partition", "topic"),
        [("repo", "in/repo:1.ndjson", "repo.rates"), ("unknown", "in/all.ndjson", None), ("unknown", "a.b/0", "a.b")],
    )
    def test_where_it_is_put_back(self, stream: str, partition: str, topic: str | None) -> None:
        kept = of_line(json.dumps(reject_line(made.reject(stream=stream, partition=partition))).encode())
        assert (kept.topic, kept.place, kept.offset) == (topic, partition, 7)

    def test_one_that_was_kept_twice_is_one_and_a_neighbour_another(self) -> None:
        def identity(**more: object) -> str:
            return of_line(json.dumps(reject_line(made.reject(**more))).encode()).identity  # type: ignore[arg-type]

        assert identity() == identity(reason="bad_text")
        assert len({identity(), identity(offset=8), identity(line=2), identity(raw=b"}"), identity(partition="f")}) == 5
        headers = [("stream", b"repo"), ("reason", b"x"), ("detail", b""), ("source", b"s"), ("partition", b"3"),
                   ("topic", b"my.rates"), ("offset", b"17"), ("line", b"1")]  # fmt: skip
        by_message = of_message("my.rates.rejects", headers, b"{", 5)
        by_line = json.dumps(reject_line(made.reject(partition="my.rates/3", offset=17, line=1))).encode()
        assert by_message.identity == of_line(by_line).identity
        assert by_message.refused_us == 5_000

    @pytest.mark.parametrize("line", [b"", b"\n", b"{", b"[]", b"1", b'{"raw": "x"}', b'{"raw": 7, "position": "a:1"}'])
    def test_what_is_none_says_so(self, line: bytes) -> None:
        with pytest.raises(NotKeptError):
            of_line(line)
        with pytest.raises(NotKeptError):
            of_message("t", [("reason", line)], b"", 0)


class TestFile:
    def test_each_is_put_back_once_also_by_a_second_run(self, tmp_path: Path) -> None:
        rejects = [made.reject("bad_text", b"%d" % n, offset=n) for n in range(3)]
        path = kept_file(tmp_path / "f", [*rejects, rejects[1]])
        first, second, third = Put(), Put(), Put()
        done = of_file(path, first)
        assert (first.there, first.flushed, done.doubles) == ([(b"0", 1), (b"1", 1), (b"2", 1)], 3, 1)
        assert done.put == {("bad_text", "repo.rates"): 3}
        kept_file(path, [made.reject("bad_text", b"3", offset=3)])
        done = of_file(path, second)
        assert (second.there, done.earlier) == ([(b"3", 1)], 4)
        done = of_file(path, third, again=True)
        assert (third.there, done.again) == ([(b"%d" % n, 2) for n in range(4)], 4)

    def test_a_part_of_them_leaves_the_others_to_be_put_back(self, tmp_path: Path) -> None:
        path = kept_file(tmp_path / "f", [made.reject(["a", "b"][n % 2], b"%d" % n, offset=n) for n in range(6)])
        runs = [
            (Selection(reasons=frozenset({"a"}), offsets=(2, 9), partition="in/repo.ndjson"), None, [b"2", b"4"]),
            (ALL, 2, [b"0", b"1"]),
            (ALL, None, [b"3", b"5"]),
            (ALL, None, []),
        ]
        for selection, limit, wanted in runs:
            target = Put()
            redrive(KeptFile(path), target, selection, limit=limit)
            assert [raw for raw, _ in target.there] == wanted

    def test_what_was_put_back_and_refused_again_says_how_often(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        for n in range(3):
            kept_file(path, [made.reject(raw=b"poison", partition="repo.rates/0", offset=n)])
            target = Put()
            done = of_file(path, target)
            assert (target.there, done.again) == ([(b"poison", n + 1)], n > 0)

    def test_a_dry_run_puts_nothing_back(self, tmp_path: Path) -> None:
        path = kept_file(tmp_path / "f", [made.reject(offset=n) for n in range(9)])
        target = Put()
        done = of_file(path, target, is_dry=True)
        assert (target.there, done.put.total(), len(done.examples)) == ([], 9, running.EXAMPLES)
        assert of_file(path, Put()).put.total() == 9

    def test_what_cannot_be_put_back_is_counted(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        kept_file(path, [made.reject(), made.reject(stream="unknown"), made.reject(raw=b"x" * ((1 << 20) + 1))])
        kept_file(path, [made.reject(offset=8)], is_synthetic=True)
        path.write_bytes(path.read_bytes() + b"\nhalf a li")
        done = of_file(path, target := Put())
        assert [raw for raw, _ in target.there] == [b"{"]
        assert (sorted(done.refused.values()), done.broken) == ([1, 1, 1], 2)

    def test_a_kill_before_the_note_puts_back_at_most_a_batch_twice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(running, "NOTED_AT_ONCE", 3)
        path = kept_file(tmp_path / "f", [made.reject(raw=b"%d" % n, offset=n) for n in range(8)])

        class Killed(Put):
            def put(self, each: Kept, times: int) -> None:
                if each.raw == b"5":
                    raise KeyboardInterrupt
                super().put(each, times)

        killed, after = Killed(), Put()
        with pytest.raises(KeyboardInterrupt):
            of_file(path, killed)
        of_file(path, after)
        assert [raw for raw, _ in killed.there] == [b"0", b"1", b"2", b"3", b"4"]
        assert [raw for raw, _ in after.there] == [b"3", b"4", b"5", b"6", b"7"]

    def test_by_time(self, tmp_path: Path) -> None:
        path = kept_file(tmp_path / "f", [made.reject()])
        (tmp_path / "old").write_text(json.dumps(reject_line(made.reject())) + "\n")
        for since, until, taken in ((NOW_US, None, 1), (NOW_US + 1, None, 0), (None, NOW_US, 0), (0, NOW_US + 1, 1)):
            selection = Selection(since_us=since, until_us=until)
            assert of_file(path, Put(), selection, is_dry=True).put.total() == taken
            assert of_file(tmp_path / "old", Put(), selection, is_dry=True).unselected == 1

    def test_to_a_folder_it_is_a_copy_for_a_replay(self, tmp_path: Path) -> None:
        rejects = [
            made.reject(raw=b"\xff", offset=1), made.reject(raw=b"a\nb", offset=2), made.reject(raw=b"", offset=3),
            made.reject(raw=b"{}", stream="treasury"), made.reject(stream="unknown"),
        ]  # fmt: skip
        path = kept_file(tmp_path / "f", rejects)
        for name in ("one", "two"):
            folder = Folder(tmp_path / name)
            done = of_file(path, folder)
            folder.close()
            assert (done.put.total(), done.earlier, done.refused.total()) == (3, 0, 2)
            assert (tmp_path / name / "repo.ndjson").read_bytes() == b"\xff\n\n"
            assert (tmp_path / name / "treasury.ndjson").read_bytes() == b"{}\n"
        with pytest.raises(RedriveError, match=r"one has treasury.ndjson already: name a new folder"):
            Folder(tmp_path / "one")

    def test_one_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(RedriveError, match="none cannot be read: No such file"):
            KeptFile(tmp_path / "none")


@pytest.fixture
def rejected(broker: Broker) -> tuple[str, list[bytes]]:
    """A topic, and what its rejects topic holds: every seventh is of another reason."""
    topic = f"test-{uuid4().hex}"
    create_topic(broker.bootstrap, topic, 3)
    create_topic(broker.bootstrap, f"{topic}.rejects", 2)
    raws = [b'{"n": %d}\n' % n for n in range(20)] + [b"", b"\x00\xff", b"y" * 900_000]
    refuse(broker, topic, raws)
    return topic, raws


def refuse(broker: Broker, topic: str, raws: Sequence[bytes], first: int = 0) -> None:
    outbox = Outbox("rejects", lambda: Publisher(plain(broker.bootstrap)))
    sink = RejectTopic(outbox, TOPICS, close_within_seconds=20.0)
    for n, raw in enumerate(raws, start=first):
        reason = "bad_text" if n % 7 == 0 else "not_json"
        sink.ingested(made.ingested(rejects=[made.reject(reason, raw, partition=f"{topic}/{n % 3}", offset=n)]))
    sink.close()
    assert outbox.dropped == 0


def put_back(broker: Broker, topic: str, selection: Selection = ALL, **more: bool | int) -> Redriven:
    kept = KeptTopics(plain(broker.bootstrap), [f"{topic}.rejects"])
    target = Topics(plain(broker.bootstrap))
    try:
        return redrive(kept, target, selection, **more)  # type: ignore[arg-type]
    finally:
        target.close()
        kept.close()


class TestTopics:
    def test_the_bytes_go_back_to_their_partition_in_their_order(
        self, broker: Broker, rejected: tuple[str, list[bytes]]
    ) -> None:
        topic, raws = rejected
        done = put_back(broker, topic)
        assert done.put == {("bad_text", topic): 4, ("not_json", topic): 19}
        there = records(broker.bootstrap, topic, len(raws))
        assert [[each.value for each in there if each.partition == p] for p in range(3)] == [
            raws[p::3] for p in range(3)
        ]
        assert {each.key for each in there} == {None}
        assert [headers_of(each) for each in there] == [{"redriven": "1"}] * len(raws)
        assert put_back(broker, topic).earlier == len(raws)
        assert len(records(broker.bootstrap, topic, len(raws))) == len(raws)

    def test_a_selected_part_is_put_back_and_the_rest_by_the_next_run(
        self, broker: Broker, rejected: tuple[str, list[bytes]]
    ) -> None:
        topic, raws = rejected
        assert put_back(broker, topic, is_dry=True).put.total() == len(raws)
        put_back(broker, topic, Selection(reasons=frozenset({"bad_text"})))
        put_back(broker, topic, Selection(partition=f"{topic}/1", offsets=(1, 7)))
        there = sorted(each.value for each in records(broker.bootstrap, topic, 6))
        assert there == sorted({*raws[::7], raws[1], raws[4], raws[7]})
        done = put_back(broker, topic, limit=5)
        assert (done.put.total(), done.earlier) == (5, 6)
        put_back(broker, topic)
        assert sorted(each.value for each in records(broker.bootstrap, topic, len(raws))) == sorted(raws)

    def test_what_is_refused_again_meanwhile_waits_for_the_next_run_which_counts(
        self, broker: Broker, rejected: tuple[str, list[bytes]]
    ) -> None:
        topic, raws = rejected
        kept = KeptTopics(plain(broker.bootstrap), [f"{topic}.rejects"])
        refuse(broker, topic, [raws[0], b"new"], first=100)
        target = Topics(plain(broker.bootstrap))
        assert redrive(kept, target, ALL).put.total() == len(raws), "up to the end at its start"
        target.close()
        kept.close()
        done = put_back(broker, topic)
        assert (done.put.total(), done.again, done.earlier) == (2, 1, len(raws))
        there = {(each.value, headers_of(each)["redriven"]) for each in records(broker.bootstrap, topic, len(raws) + 2)}
        assert {(raws[0], "2"), (b"new", "1"), (raws[1], "1")} <= there

    def test_a_topic_that_is_not_there_is_told_and_not_made(self, broker: Broker) -> None:
        for _ in range(2):
            with pytest.raises(RedriveError, match=r"127.0.0.1:\d+ have no topic none.rejects"):
                KeptTopics(plain(broker.bootstrap), ["none.rejects"])

    def test_a_broker_that_is_not_there_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(origin, "CONNECT_SECONDS", 0.5)
        with pytest.raises(KafkaConnectionError, match="nothing listens there"):
            KeptTopics(plain("127.0.0.1:1"), ["none.rejects"])

    def test_a_partition_that_is_there_no_more(self, broker: Broker, topic: str) -> None:
        target = Topics(plain(broker.bootstrap))
        kept = of_line(json.dumps(reject_line(made.reject(partition=f"{topic}/77"))).encode())
        target.put(dataclasses.replace(kept, raw=b"kept"), 1)
        target.flush()
        target.close()
        assert [each.value for each in records(broker.bootstrap, topic, 1)] == [b"kept"]


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """Runs the command in this process, in a new folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(origin, "CONNECT_SECONDS", 0.5)
    log_before, last_resort = structlog.get_config(), logging.lastResort
    yield lambda *words: CliRunner().invoke(app, ["redrive", *words])
    # The command has set the log up for an output that is closed by now.
    structlog.configure(**log_before)
    logging.lastResort = last_resort


class TestCommand:
    def test_a_set_of_a_topic(
        self, broker: Broker, rejected: tuple[str, list[bytes]], monitor: Callable[..., Result]
    ) -> None:
        topic, raws = rejected
        words = ("--from", f"kafka://{broker.bootstrap}", "--topic", f"{topic}.rejects", "--reason", "bad_text")
        dry = monitor(*words, "--dry-run")
        assert (dry.exit_code, "4 events would be put back" in dry.stderr) == (0, True), dry.stderr
        assert f'{topic}/0:0 bad_text: cut short\n  {{"n": 0}}' in dry.stderr
        since = ("--since", datetime(2020, 1, 1, tzinfo=UTC).isoformat())
        done = monitor(*words, *since)
        assert (done.exit_code, "4 events were put back to where they came from" in done.stderr) == (0, True)
        assert "19 were not selected" in done.stderr
        again = monitor(*words)
        assert "4 were put back by an earlier run, and are passed over" in again.stderr
        assert sorted(each.value for each in records(broker.bootstrap, topic, 4)) == sorted(raws[::7])

    def test_a_file_to_brokers(
        self, broker: Broker, topic: str, tmp_path: Path, monitor: Callable[..., Result]
    ) -> None:
        rejects = [made.reject(raw=b"%d" % n, partition=f"{topic}/{n}", offset=n) for n in range(3)]
        kept_file(tmp_path / "rejects.jsonl", rejects)
        done = monitor("rejects.jsonl", "--to", f"kafka://{broker.bootstrap}")
        assert (done.exit_code, "3 events were put back" in done.stderr) == (0, True), done.stderr
        assert [(e.partition, e.value) for e in records(broker.bootstrap, topic, 3)] == [
            (0, b"0"),
            (1, b"1"),
            (2, b"2"),
        ]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "name either a FILE or a rejects --topic"),
            (("f", "--topic", "t"), "name either a FILE or a rejects --topic"),
            (("f", "--from", "kafka://a"), "--from goes with --topic"),
            (("f", "--offsets", "1-2"), "--offsets are of a --partition"),
            (("f", "--partition", "p", "--offsets", "x-2"), "it is written as 1200-1300"),
            (("f", "--since", "2026-01-01T00:00:00"), "it has no offset"),
            (("f", "--until", "soon"), "it is written as 2026"),
            (("f", "--reason", "bad"), "there is no reason bad"),
            (("none.jsonl",), "none.jsonl cannot be read: No such file"),
            (("--topic", "t", "--from", "http://a"), "does not begin with kafka://"),
            (("--topic", "t", "--from", "kafka://127.0.0.1:1"), "nothing listens there"),
        ],
    )
    def test_what_is_wrong_is_said_in_a_sentence(
        self, words: tuple[str, ...], said: str, monitor: Callable[..., Result]
    ) -> None:
        done = monitor(*words)
        assert done.exit_code == 2
        assert said in done.stderr
        assert isinstance(done.exception, SystemExit)
