"""Refused events on a real broker: the bytes as they came, why and where, through a broker that is killed."""

from __future__ import annotations

import json
import time
from uuid import uuid4

from monitor.kafka.outbox import Outbox
from monitor.kafka.publisher import Publisher
from monitor.results import rfc3339
from monitor.sinks.publish import PublishSink
from monitor.sinks.rejects import RejectTopic
from tests.kafka.broker import Broker, create_topic
from tests.kafka.messages import plain
from tests.kafka.records import headers_of, records
from tests.sinks import made


def sink_on(broker: Broker) -> tuple[RejectTopic, Outbox]:
    outbox = Outbox("rejects", lambda: Publisher(plain(broker.bootstrap)))
    return RejectTopic(outbox, {"repo": "repo.rates"}, close_within_seconds=20.0), outbox


def refuse(sink: RejectTopic, *raws: bytes, topic: str, first: int = 0) -> None:
    rejects = [
        made.reject("bad_text", raw, partition=f"{topic}/{n % 2}", offset=first + n, line=1)
        for n, raw in enumerate(raws)
    ]
    sink.ingested(made.ingested(rejects=rejects))


def test_the_bytes_come_as_they_came_with_why_and_where(broker: Broker) -> None:
    topic = f"test-{uuid4().hex}"
    raws = [b'{"ts": 1}', b"", b"\x00\xff\xfe", b"a\r\nb", "\u2028é".encode(), b"x" * 1_000_000]
    create_topic(broker.bootstrap, f"{topic}.rejects", 2)
    sink, outbox = sink_on(broker)
    refuse(sink, *raws, topic=topic)
    sink.close()
    assert (outbox.waiting, outbox.dropped) == (0, 0)
    found = records(broker.bootstrap, f"{topic}.rejects", len(raws))
    assert {int(headers_of(each)["offset"]): each.value for each in found} == dict(enumerate(raws))
    assert headers_of(next(each for each in found if each.value == b"\x00\xff\xfe")) == {
        "reason": "bad_text", "detail": "cut short", "stream": "repo", "source": "repo.ndjson",
        "topic": topic, "partition": "0", "offset": "2", "line": "1",
    }  # fmt: skip
    by_key: dict[bytes, list[int]] = {}
    for each in found:
        by_key.setdefault(each.key, []).append(int(headers_of(each)["offset"]))
    assert by_key == {f"{topic}/0".encode(): [0, 2, 4], f"{topic}/1".encode(): [1, 3, 5]}


def test_one_that_the_broker_will_never_take_is_dropped_and_the_others_arrive(broker: Broker) -> None:
    topic = f"test-{uuid4().hex}"
    create_topic(broker.bootstrap, f"{topic}.rejects", 1, max_message_bytes=10_000)
    sink, outbox = sink_on(broker)
    refuse(sink, b"1", b"x" * 50_000, b"2", topic=topic)
    sink.close()
    assert outbox.dropped == 1
    assert list(dict.fromkeys(each.value for each in records(broker.bootstrap, f"{topic}.rejects", 2))) == [b"1", b"2"]


def test_a_broker_that_is_killed_and_comes_back_gets_all_in_order(own_broker: Broker) -> None:
    for name in ("t.rejects", "alerts", "index"):
        create_topic(own_broker.bootstrap, name, 1)
    rejects, outbox = sink_on(own_broker)
    results_outbox = Outbox("publish", lambda: Publisher(plain(own_broker.bootstrap)))
    results = PublishSink(
        results_outbox, [], alerts_topic="alerts", index_topic="index", close_within_seconds=20.0
    )  # fmt: skip

    def bring(numbers: range) -> None:
        for n in numbers:
            refuse(rejects, b"%d" % n, topic="t", first=n)
            tick = made.TICK + n
            index = [made.index_row(tick=tick, low=float(n))]
            results.wrote(made.output(transitions=[made.transition(tick=tick)], index=index, until=tick))

    bring(range(100))
    own_broker.kill()
    began = time.monotonic()
    bring(range(100, 300))
    assert time.monotonic() - began < 3.0, "nobody waits for a broker that is gone"
    time.sleep(0.5)
    own_broker.start()
    bring(range(300, 400))
    rejects.close()
    results.close()
    assert [(each.waiting, each.dropped) for each in (outbox, results_outbox)] == [(0, 0), (0, 0)]

    def arrived(topic: str) -> list[bytes]:
        return list(dict.fromkeys(each.value for each in records(own_broker.bootstrap, topic, 400)))

    assert [int(value) for value in arrived("t.rejects")] == list(range(400))
    assert [json.loads(value)["low"] for value in arrived("index")] == [float(n) for n in range(400)]
    assert [json.loads(value)["ts"] for value in arrived("alerts")] == [rfc3339(made.TICK + n) for n in range(400)]
