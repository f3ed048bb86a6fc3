"""A real broker for the tests: shared, or of one test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest
from kafka.errors import KafkaError

from tests.kafka.broker import Broker, create_topic, delete_topic, need_broker, shared_broker


@pytest.fixture(scope="session")
def broker() -> Broker:
    """The broker of this process; it is not to be stopped."""
    need_broker()
    return shared_broker()


@pytest.fixture
def own_broker() -> Iterator[Broker]:
    """A broker that has started and may be killed and restarted."""
    need_broker(own=True)
    own = Broker()
    own.start()
    yield own
    own.discard()


@pytest.fixture
def topic(broker: Broker) -> Iterator[str]:
    """A new topic of four partitions on the shared broker."""
    name = f"test-{uuid4().hex}"
    create_topic(broker.bootstrap, name, 4)
    yield name
    with suppress(KafkaError):  # the test may have deleted it
        delete_topic(broker.bootstrap, name)
