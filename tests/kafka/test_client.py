"""What came together with the end of a connection is handed over before the end is told."""

from __future__ import annotations

import socket

from monitor.kafka.client import _Tcp


def test_an_answer_that_comes_with_the_end_of_the_connection_is_handed_over() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        transport = _Tcp(None, ours)
        theirs.sendall(b"the password is wrong")
        assert transport._sock_recv() == (b"the password is wrong", None)
        theirs.sendall(b"good bye")
        theirs.close()
        assert transport._sock_recv() == (b"good bye", None)
        received, ended = transport._sock_recv()
        assert received == b""
        assert "socket disconnected" in str(ended)
