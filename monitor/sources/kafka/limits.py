"""How patient and how greedy a source of Kafka is."""

from __future__ import annotations

from typing import Final

CONNECT_SECONDS: Final = 5.0
"""How long a broker may take to answer at first."""
ANSWER_SECONDS: Final = 2.0
"""How long brokers may take to say how far their partitions go."""
LOST_SECONDS: Final = 10.0
"""Brokers that have not said it for so long are gone: the source has broken."""
ROUND_SECONDS: Final = 0.02
"""From one look at the ends to the next, at least."""
STALL_SECONDS: Final = 2.0
"""A round that brings nothing for so long is given up: the leader of a partition may be gone, and others go on."""
IDLE_ROUND_SECONDS: Final = 0.5
"""The same while nothing comes: then it shows whether the brokers are still there."""
POLL_SECONDS: Final = 60.0
"""A member of a group that does not poll for so long is none any more, and holds up no rebalance."""
OUTSIDE_SECONDS: Final = 90.0
"""So long at most a rebalance may take; then the source is connected anew."""
DISCOVER_SECONDS: Final = 5.0
"""From one look for new topics and partitions to the next."""
CLOSE_SECONDS: Final = 1.0
"""So long at most a close may take, of whatever it is given."""
REQUEST_MS: Final = 5_000
"""A request that is not answered for so long has failed."""
FETCH_WAIT_MS: Final = 10
"""How long a poll waits for the brokers while nothing is in hand."""
JOIN_WAIT_MS: Final = 250
"""The client throws away a membership that it was given between two polls, and joins again (kafka-python 3.0.12): while
it joins it is polled without a break, or it would do so dozens of times, and all members of the group with it."""
BUFFERED_RECORDS: Final = 20_000
"""While so many messages of a partition wait for others of their round, no more of it are fetched."""
BUFFERED_IN_ALL: Final = 200_000
BUFFERED_BYTES: Final = 64 << 20
"""About so many messages, and bytes, wait so in all partitions together."""
LEAST_BUFFERED: Final = 500
"""So many messages of a partition may wait however many partitions there are."""
FETCHED_AT_ONCE: Final = 10_000
"""The most messages that are taken from the client at a time."""
PARTITION_FETCH_BYTES: Final = 4 << 20
"""The most that a broker sends of a partition at a time."""
