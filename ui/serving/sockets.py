"""The server's sockets: what is small is sent at once.

By Nagle's algorithm (RFC 896) a connection holds a small message back until the one before it is acknowledged, which a browser
does 40 ms later. asyncio switches that off, but not for connections to a socket that was opened without naming its protocol, as
Streamlit opens its own. A change of a widget is several small messages, and a page some hundred small files.
"""

import contextlib
import os
import socket

DESCRIPTORS = "/dev/fd"
"""Lists what this process has open; Windows has no such folder, and keeps the algorithm."""


def send_at_once() -> None:
    """Switch Nagle's algorithm off for every connection that will be made to a socket of this process."""
    for descriptor in map(int, os.listdir(DESCRIPTORS) if os.path.isdir(DESCRIPTORS) else []):
        with contextlib.suppress(OSError):  # it is something else than a socket, or of another protocol
            opened = socket.socket(fileno=descriptor)
            try:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            finally:
                opened.detach()
