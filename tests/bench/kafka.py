"""What the way from a Kafka topic to the metrics page costs, as ratios to the bare `poll()` loop of the same client.

A real broker, one topic of four partitions for single events and one for messages of 100; the loop and the monitor read
the same topic, turn about, from its beginning. The monitor's way is the one of a live run: the supervisor's thread
polls, and the run decodes, seals, evaluates all signals and fills the metrics page.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
import time
from dataclasses import dataclass
from random import Random
from typing import Final

import structlog
from kafka import KafkaConsumer, TopicPartition

from monitor.calendar import MarketCalendar
from monitor.cli.assembly import metric_of
from monitor.engine.decode import Decoder
from monitor.kafka.connection import KafkaConnection
from monitor.kafka.publisher import Publisher
from monitor.live import LiveRun
from monitor.pipeline import Pipeline
from monitor.signals import CATALOGUE
from monitor.sinks.prometheus import PrometheusSink
from monitor.sources.base import RawBatch
from monitor.sources.kafka import KafkaSource
from monitor.sources.kafka.topics import Topics
from monitor.sources.supervisor import Feed, Supervisor, SupervisorSettings
from monitor.streams import TREASURY
from tests.bench.made_quotes import lines
from tests.kafka.broker import Broker, create_topic, missing

PARTITIONS: Final = 4
INSTRUMENTS: Final = 200
_LONGEST_SECONDS: Final = 300.0


@dataclass(frozen=True)
class Case:
    """A topic.

    Attributes:
        events_a_message: how many events a message holds.
        events: how many events there are.
        aim: the ratio hoped for.
    """

    events_a_message: int
    events: int
    aim: float

    @property
    def topic(self) -> str:
        """Its name."""
        return f"quotes-by-{self.events_a_message}"


def fill(broker: Broker, case: Case) -> None:
    """Produce made quotes, keyed by issue: of each issue in the order of time."""
    create_topic(broker.bootstrap, case.topic, PARTITIONS)
    held: dict[bytes, list[bytes]] = {}
    with Publisher(KafkaConnection(brokers=(broker.bootstrap,)), linger_ms=20) as publisher:
        for line in lines(case.events, INSTRUMENTS, case.events // 1_000):
            key = line.split(b'"', 6)[5]
            some = held.setdefault(key, [])
            some.append(line)
            if len(some) == case.events_a_message:
                publisher.send(case.topic, b"\n".join(some), key=key)
                some.clear()
        for key, some in held.items():
            if some:
                publisher.send(case.topic, b"\n".join(some), key=key)
        publisher.flush(120)


def bare(broker: Broker, case: Case) -> float:
    """Events a second of a loop that only polls."""
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False)
    tps = [TopicPartition(case.topic, number) for number in range(PARTITIONS)]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    messages = sum(consumer.end_offsets(tps).values())
    seen, began = 0, time.perf_counter()
    while seen < messages:
        seen += sum(map(len, consumer.poll(timeout_ms=1_000, max_records=10_000).values()))
    took = time.perf_counter() - began
    consumer.close()
    return case.events / took


def monitored(broker: Broker, case: Case, *, signals: bool) -> float:
    """Events a second from the topic to the metrics page."""
    chosen = CATALOGUE if signals else ()
    connection = KafkaConnection(brokers=(broker.bootstrap,))
    sink = PrometheusSink([metric_of(each) for each in chosen], "bench")
    pipeline = Pipeline(chosen, MarketCalendar(), is_durable=False)
    feed = Feed(
        "bench", "kafka",
        lambda: KafkaSource("bench", connection, Topics((case.topic,)), group="bench", stream=TREASURY.name),
    )  # fmt: skip
    supervisor = Supervisor(
        [feed], {}, settings=SupervisorSettings(), on_state=sink.source_state, wall_us=lambda: time.time_ns() // 1_000,
        random=Random(),
    )  # fmt: skip
    run = LiveRun(supervisor, None, pipeline, [sink], sink)
    stop = threading.Event()
    thread = threading.Thread(target=run.run, args=(stop,))
    newest = (case.events // 1_000) - 4  # of the story's seconds all but those that wait for the next
    began = time.perf_counter()
    thread.start()
    while pipeline.newest_event_us is None or pipeline.ran is None or not _is_done(pipeline, sink, case, newest):
        time.sleep(0.01)
        if time.perf_counter() - began > _LONGEST_SECONDS:
            raise RuntimeError("the monitor did not come to the end of the topic")
    took = time.perf_counter() - began
    stop.set()
    thread.join()
    supervisor.stop(time.monotonic() + 5)
    return case.events / took


def _is_done(pipeline: Pipeline, sink: PrometheusSink, case: Case, seconds: int) -> bool:
    counted = sink.registry.get_sample_value("monitor_events_total", {"stream": TREASURY.name}) or 0
    newest_us = pipeline.newest_event_us or 0
    return counted >= case.events and (pipeline.ran or 0) >= newest_us // 1_000_000 - 4 and seconds > 0


def decode_alone(case: Case) -> float:
    """Events a second of the decoder alone, in batches as the source hands them over."""
    some = list(lines(min(case.events, 200_000), INSTRUMENTS, 200))
    decoder = Decoder()
    began = time.perf_counter()
    for first in range(0, len(some), 10_000):
        part = some[first : first + 10_000]
        decoder.decode(RawBatch("bench", TREASURY.name, "bench", range(first, first + len(part)), part))
    return len(some) / (time.perf_counter() - began)


def main() -> None:
    """Both cases, with and without signals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if because := missing(own=True):
        sys.stdout.write(f"Kafka: not measured, {because}\n")
        return
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    events = 60_000 if given.quick else 600_000
    broker = Broker()
    broker.start()
    try:
        for case in (Case(1, events, 0.5), Case(100, 2 * events, 0.4)):
            fill(broker, case)
            _compare(broker, case, given.rounds)
    finally:
        broker.discard()


def _compare(broker: Broker, case: Case, rounds: int) -> None:
    ratios: dict[bool, list[float]] = {True: [], False: []}
    rates: dict[str, list[float]] = {"bare": [], "all": [], "bars": []}
    bare(broker, case)  # what is not in the page cache comes into it
    for _ in range(rounds):
        for signals in (False, True):
            peer, ours = bare(broker, case), monitored(broker, case, signals=signals)
            ratios[signals].append(ours / peer)
            rates["bare"].append(peer)
            rates["all" if signals else "bars"].append(ours)
    what = "single events" if case.events_a_message == 1 else f"messages of {case.events_a_message} events"
    middle = {name: statistics.median(some) for name, some in rates.items()}
    rows = [
        ("bare poll() loop", middle["bare"], ""),
        ("decoder alone, no Kafka", decode_alone(case), ""),
        ("poll, decode, bars", middle["bars"], f"{statistics.median(ratios[False]):.2f} of the loop"),
        ("and all signals, metrics", middle["all"], f"{statistics.median(ratios[True]):.2f} (aim {case.aim:g})"),
    ]
    sys.stdout.write(f"Kafka, {case.events:,} quotes of {INSTRUMENTS} issues, {what}, wall time, median of {rounds}\n")
    sys.stdout.writelines(f"  {name:<25} {rate:>11,.0f} events/s   {ratio}\n" for name, rate, ratio in rows)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
