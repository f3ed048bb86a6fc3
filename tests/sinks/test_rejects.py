"""Dead letters: the exact bytes with why and where, in a file that is bounded, and in topics of their own."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from monitor.sinks.rejects import RejectFile, RejectTopic, rejects_topic
from tests.sinks import made

NOW_US = 1_779_984_000_123_456  # 2026-05-28T16:00:00.123456Z
TOPICS = {"repo": "repo.rates", "treasury": "treasury.quotes"}


class Counts:
    def __init__(self) -> None:
        self.kept = self.dropped = 0

    def add_kept(self, count: int) -> None:
        self.kept += count

    def add_dropped(self, count: int) -> None:
        self.dropped += count


def reject_file(path: Path, most: int = 1_000, counts: Counts | None = None, **more: Any) -> RejectFile:
    told = counts or Counts()
    return RejectFile(
        path, most, wall_us=lambda: NOW_US, on_kept=told.add_kept, on_dropped=told.add_dropped, **more
    )  # fmt: skip


def refuse(sink: RejectFile | RejectTopic, *raws: bytes, **more: Any) -> None:
    sink.ingested(made.ingested(rejects=[made.reject(raw=raw, **more) for raw in raws]))


def raws_of(path: Path) -> list[bytes]:
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return [base64.b64decode(line["raw_base64"]) if "raw_base64" in line else line["raw"].encode() for line in lines]


class TestFile:
    def test_a_line_is_that_of_a_replay_with_when_it_was(self, tmp_path: Path) -> None:
        path = tmp_path / "state" / "rejects.jsonl"
        refuse(reject_file(path), b'{"ts": \xc3\xa9')
        assert path.read_text(encoding="utf-8") == (
            '{"stream": "repo", "reason": "not_json", "detail": "cut short", "source": "repo.ndjson", '
            '"position": "in/repo.ndjson:7", "raw": "{\\"ts\\": é", "refused_at": "2026-05-28T16:00:00.123Z"}\n'
        )

    def test_made_up_events_say_so(self, tmp_path: Path) -> None:
        refuse(reject_file(tmp_path / "f", is_synthetic=True), b"{")
        assert json.loads((tmp_path / "f").read_text())["synthetic"] is True

    def test_without_a_refused_event_there_is_no_file(self, tmp_path: Path) -> None:
        sink = reject_file(tmp_path / "f")
        sink.ingested(made.ingested(events=5))
        sink.wrote(made.output())
        sink.close()
        assert not (tmp_path / "f").exists()

    @given(raws=st.lists(st.binary(max_size=50), min_size=1, max_size=4))
    def test_any_bytes_come_back(self, tmp_path_factory: pytest.TempPathFactory, raws: list[bytes]) -> None:
        path = tmp_path_factory.mktemp("any") / "f"
        refuse(reject_file(path), *raws)
        assert raws_of(path) == raws

    @pytest.mark.parametrize("raw", [b"", b"\n", "  \x85".encode(), b'"\\\x00', b"x" * (1 << 20), b"\xff" * (1 << 20)])
    def test_hard_bytes_come_back(self, tmp_path: Path, raw: bytes) -> None:
        refuse(reject_file(tmp_path / "f"), raw, b"next")
        assert raws_of(tmp_path / "f") == [raw, b"next"]

    def test_a_name_that_is_no_utf_8_comes_back(self, tmp_path: Path) -> None:
        name = os.fsdecode(b"in/\xff.ndjson")
        refuse(reject_file(tmp_path / "f"), b"{", partition=name)
        assert json.loads((tmp_path / "f").read_bytes())["position"] == f"{name}:7"

    def test_a_restart_appends_and_the_bound_is_of_the_whole_file(self, tmp_path: Path) -> None:
        path, counts = tmp_path / "f", Counts()
        with capture_logs() as told:
            refuse(reject_file(path, 5, counts), b"1", b"2")
            again = reject_file(path, 5, counts)
            refuse(again, b"3", b"4")
            refuse(again, b"5", b"6", b"7")
            refuse(again, b"8")
        assert raws_of(path) == [b"1", b"2", b"3", b"4", b"5"]
        assert (counts.kept, counts.dropped) == (5, 3)
        assert [(line["log_level"], line["most"], line["file"]) for line in told] == [("error", 5, str(path))]

    def test_one_that_is_moved_away_is_begun_anew(self, tmp_path: Path) -> None:
        path, counts = tmp_path / "f", Counts()
        sink = reject_file(path, 2, counts)
        with capture_logs() as told:
            refuse(sink, b"1", b"2", b"3")
            path.rename(tmp_path / "old")
            refuse(sink, b"4")
            refuse(sink, b"5", b"6")
        assert (raws_of(tmp_path / "old"), raws_of(path)) == ([b"1", b"2"], [b"4", b"5"])
        assert (counts.kept, counts.dropped, len(told)) == (4, 2, 2)

    def test_half_a_line_of_a_crash_spoils_no_other(self, tmp_path: Path) -> None:
        path = tmp_path / "f"
        refuse(reject_file(path), b"1")
        path.write_bytes(path.read_bytes() + b'{"stream": "re')
        refuse(reject_file(path), b"2")
        lines = path.read_bytes().split(b"\n")
        assert [json.loads(lines[0])["raw"], lines[1], json.loads(lines[2])["raw"]] == ["1", b'{"stream": "re', "2"]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
    def test_a_full_disk_is_said_once_counted_and_over_when_it_is_over(self, tmp_path: Path) -> None:
        path, counts = tmp_path / "f", Counts()
        path.symlink_to("/dev/full")
        sink = reject_file(path, counts=counts)
        with capture_logs() as told:
            refuse(sink, b"1")
            refuse(sink, b"2", b"3")
            path.unlink()
            refuse(sink, b"4")
        assert raws_of(path) == [b"4"]
        assert (counts.kept, counts.dropped) == (1, 3)
        assert [(line["log_level"], line.get("error")) for line in told] == [
            ("error", "No space left on device"), ("info", None),
        ]  # fmt: skip

    def test_a_disk_that_fills_up_on_the_way_leaves_no_half_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, counts, room, write = tmp_path / "f", Counts(), [30], os.write

        def some(descriptor: int, what: bytes) -> int:
            if not room[0]:
                raise OSError(28, "No space left on device")
            done = write(descriptor, what[: room[0]])
            room[0] -= done
            return done

        refuse(sink := reject_file(path, counts=counts), b"1")
        with monkeypatch.context() as patched, capture_logs():
            patched.setattr("os.write", some)
            refuse(sink, b"2", b"3")
        refuse(sink, b"4")
        assert raws_of(path) == [b"1", b"4"]
        assert (counts.kept, counts.dropped) == (2, 2)

    def test_one_that_cannot_be_written_does_not_stop_the_run(self, tmp_path: Path) -> None:
        (tmp_path / "f").mkdir()
        (tmp_path / "plain").write_text("")
        for path in (tmp_path / "f", tmp_path / "plain" / "f"):
            counts = Counts()
            with capture_logs() as told:
                refuse(reject_file(path, counts=counts), b"1")
            assert (counts.dropped, len(told)) == (1, 1)


class Outbox:
    """Keeps what is put in."""

    def __init__(self) -> None:
        self.put_in: list[tuple[str, bytes, bytes | None, dict[str, str]]] = []
        self.closed_within: float | None = None
        self.waiting = self.dropped = 0

    def put(
        self, topic: str, value: bytes, *, key: bytes | None = None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        self.put_in.append((topic, value, key, {name: text.decode() for name, text in headers}))

    def close(self, timeout_seconds: float) -> int:
        self.closed_within = timeout_seconds
        return 0


def reject_topic(outbox: Outbox, counts: Counts | None = None, **more: Any) -> RejectTopic:
    return RejectTopic(
        outbox, TOPICS, close_within_seconds=2.0, on_dropped=(counts or Counts()).add_dropped, **more
    )  # fmt: skip


class TestTopic:
    def test_one_of_kafka_goes_to_the_rejects_topic_of_its_topic(self) -> None:
        outbox = Outbox()
        sink = reject_topic(outbox)
        refuse(sink, b"\x00\xff", partition="my.rates/3", offset=17, line=2, source="feeds")
        sink.wrote(made.output())
        sink.close()
        headers = {
            "reason": "not_json", "detail": "cut short", "stream": "repo", "source": "feeds",
            "topic": "my.rates", "partition": "3", "offset": "17", "line": "2",
        }  # fmt: skip
        assert outbox.put_in == [("my.rates.rejects", b"\x00\xff", b"my.rates/3", headers)]
        assert outbox.closed_within == 2.0

    @pytest.mark.parametrize(
        ("stream", "partition", "goes_to", "topic"),
        [
            ("repo", "in/repo.ndjson", "repo.rates.rejects", "repo.rates"),
            ("unknown", "in/all.ndjson", "unknown.rejects", None),
            ("unknown", "all.feeds/0", "all.feeds.rejects", "all.feeds"),
            ("repo", "/in/2024/3", "repo.rates.rejects", "repo.rates"),
        ],
    )
    def test_where_one_goes(self, stream: str, partition: str, goes_to: str, topic: str | None) -> None:
        outbox = Outbox()
        refuse(reject_topic(outbox, is_synthetic=True), b"{", stream=stream, partition=partition)
        [(to, _, key, headers)] = outbox.put_in
        assert (to, key, headers.get("topic"), headers["synthetic"]) == (goes_to, partition.encode(), topic, "true")
        assert "line" not in headers

    def test_what_stands_in_a_rejects_topic_is_not_put_there_again(self) -> None:
        outbox, counts = Outbox(), Counts()
        sink = reject_topic(outbox, counts)
        with capture_logs() as told:
            refuse(sink, b"1", b"2", partition="repo.rates.rejects/0")
        assert (outbox.put_in, counts.dropped, len(told)) == ([], 2, 1)

    def test_a_name_that_would_be_too_long_is_cut_and_stays_of_its_topic_alone(self) -> None:
        assert rejects_topic("a" * 241) == "a" * 241 + ".rejects"
        long = ["a" * 242, "a" * 249, "a" * 248 + "b"]
        names = [rejects_topic(topic) for topic in long]
        assert len(set(names)) == 3
        assert {len(name) for name in names} == {249}
        assert all(name.endswith(".rejects") for name in names)
