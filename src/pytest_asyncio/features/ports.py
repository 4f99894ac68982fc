"""Port numbers that nothing listens on."""

from __future__ import annotations

import socket
from collections.abc import Callable


def unused_port(kind: int) -> int:
    """Return a port of the loopback interface that is unused at this moment.

    `kind` is `socket.SOCK_STREAM` for TCP or `socket.SOCK_DGRAM` for UDP.
    """
    with socket.socket(type=kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def different_ports(find: Callable[[], int]) -> Callable[[], int]:
    """Return a function that returns what `find` does, but nothing twice."""
    produced: set[int] = set()

    def factory() -> int:
        """Return an unused port."""
        port = find()
        while port in produced:
            port = find()
        produced.add(port)
        return port

    return factory
