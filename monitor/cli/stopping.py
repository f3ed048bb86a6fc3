"""How somebody asks a command to end."""

from __future__ import annotations

import signal
import threading


def asked_to_stop() -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM; the second ends the process at once."""
    asked = threading.Event()

    def ask(number: int, _: object) -> None:
        asked.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return asked
