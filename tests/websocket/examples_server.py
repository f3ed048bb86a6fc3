"""A server in a process of its own: at /NAME it sends the frames of that example to everyone who connects."""

from __future__ import annotations

import sys
from base64 import b64decode
from json import loads

from websockets.sync.server import ServerConnection, serve


def main() -> None:
    """Frames come by standard input: a JSON object of lists of [is text, base64]; the port goes out."""
    examples = loads(sys.stdin.readline())

    def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        for is_text, frame in examples[connection.request.path.removeprefix("/")]:
            connection.send(b64decode(frame), text=is_text)
        for _ in connection:
            pass

    with serve(handle, "127.0.0.1", 0) as server:
        sys.stdout.write(f"{server.socket.getsockname()[1]}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
