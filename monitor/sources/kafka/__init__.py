"""Events from Kafka topics: see `source.py`."""

from monitor.sources.kafka.source import KafkaSource

__all__ = ["KafkaSource"]
