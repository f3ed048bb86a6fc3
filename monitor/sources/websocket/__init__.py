"""Events from a feed over WebSocket: see `source.py`."""

from monitor.sources.websocket.link import Link
from monitor.sources.websocket.numbers import Numbers
from monitor.sources.websocket.source import WebSocketSource

__all__ = ["Link", "Numbers", "WebSocketSource"]
