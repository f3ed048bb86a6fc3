"""Sends a story while brokers go away and come back; nothing of it is lost, doubled or out of order."""

from __future__ import annotations

import threading
import time
from typing import Final

from monitor.kafka.publisher import Publisher, PublishTimeoutError
from tests.kafka.exactly_once.story import Message
from tests.kafka.messages import plain

_STEP_SECONDS: Final = 0.1


class Feeding:
    """Sends messages at an even pace, in a thread of its own.

    Args:
        bootstrap: host:port of the broker.
        prelude: sent, and acknowledged, before this returns.
        course: sent once it is started.
        seconds: how long that takes.
    """

    def __init__(self, bootstrap: str, prelude: list[Message], course: list[Message], seconds: float) -> None:
        self._publisher = Publisher(plain(bootstrap), wait_seconds=1.0, delivery_seconds=600.0)
        self._course, self._seconds = course, seconds
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeding", daemon=True)
        self.send(prelude)

    def start(self) -> None:
        """Begin with the course."""
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether all of the course is acknowledged; raises what went wrong."""
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def send(self, messages: list[Message]) -> None:
        """Send these, and wait until the broker has them."""
        for each in messages:
            self._send(each)
        self._flush()

    def close(self) -> None:
        """Let go of the broker, whatever is left to be sent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(20)
        self._publisher.close(1.0)

    def _run(self) -> None:
        try:
            began = time.monotonic()
            first_us, last_us = self._course[0].at_us, self._course[-1].at_us
            for each in self._course:
                due = began + (each.at_us - first_us) / max(1, last_us - first_us) * self._seconds
                while not self._stop.is_set() and time.monotonic() < due:
                    time.sleep(_STEP_SECONDS)
                if self._stop.is_set():
                    return
                self._send(each)
            self._flush()
        except BaseException as error:  # noqa: BLE001 - told by `is_over`
            self._error = error

    def _send(self, each: Message) -> None:
        while not self._stop.is_set():
            try:
                self._publisher.send(each.topic, each.value, partition=each.number)
            except PublishTimeoutError:
                continue  # it was not taken
            return

    def _flush(self) -> None:
        while not self._stop.is_set():
            try:
                self._publisher.flush(1.0)
            except PublishTimeoutError:
                continue
            return
