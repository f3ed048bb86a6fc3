"""Results on a real broker: a compacted topic would keep the newest state of each label set."""

from __future__ import annotations

import json

from monitor.kafka.outbox import Outbox
from monitor.kafka.publisher import Publisher
from monitor.sinks.files import transition_line
from monitor.sinks.publish import PublishSink
from monitor.sinks.snapshot import MetricOfSignal
from tests.kafka.broker import Broker, create_topic
from tests.kafka.messages import plain
from tests.kafka.records import records
from tests.sinks import made

SIGNAL = MetricOfSignal("repo_tail_bp", "RepoTailBp", "", "repo", ("instrument",), headline=True, has_levels=True)


def sink_on(bootstrap: str, topic: str, index: str) -> PublishSink:
    outbox = Outbox("publish", lambda: Publisher(plain(bootstrap)))
    return PublishSink(outbox, [SIGNAL], alerts_topic=topic, index_topic=index, close_within_seconds=20.0)


def test_transitions_and_the_index_arrive_by_key(broker: Broker, topic: str) -> None:
    index = f"{topic}-index"
    create_topic(broker.bootstrap, index, 1, cleanup_policy="compact")
    killed = sink_on(broker.bootstrap, topic, index)
    changes = [("calm", "warning"), ("warning", "critical"), ("critical", "blind")]
    for n, (before, after) in enumerate(changes):
        transition = made.transition(tick=made.TICK + n, before=before, after=after)
        killed.wrote(made.output(transitions=[transition], index=[made.index_row(tick=made.TICK + n)]))
    killed.close()
    again = sink_on(broker.bootstrap, topic, index)
    again.wrote(made.output([made.step("repo_tail_bp", 1.0, 0, tick=made.TICK + 9)], index=[made.index_row()]))
    again.close()
    alerts = records(broker.bootstrap, topic, 4)
    assert {each.key for each in alerts} == {b'RepoTailBp{instrument="SOFR"}'}
    assert [json.loads(each.value)["to"] for each in alerts] == ["warning", "critical", "blind", "calm"]
    assert json.loads(alerts[0].value) == transition_line(made.transition(before="calm", after="warning"))
    assert json.loads(alerts[-1].value)["standing"] is True
    rows = records(broker.bootstrap, index, 4)
    assert {each.key for each in rows} == {b"stress-index"}
    assert [json.loads(each.value)["ts"][-3:] for each in rows] == ["00Z", "01Z", "02Z", "00Z"]
