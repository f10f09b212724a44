"""Makes the server send small messages at once.

Nagle's algorithm (RFC 896) holds a small message back until the one before it is acknowledged, which a browser does 40 ms
later. asyncio switches it off, but not for connections to a socket that was opened without naming its protocol, as Streamlit
opens its own. A change of a widget is several small messages, and a page about a hundred small files. Where Streamlit opens
its socket differently, or the system lists no descriptors, everything works at the usual speed.
"""

import contextlib
import os
import socket

DESCRIPTORS = "/dev/fd"
"""Lists the open files of this process; Windows has no such folder."""


def send_at_once() -> None:
    """Switches Nagle's algorithm off for every later connection to a socket of this process."""
    descriptors: list[str] = []
    with contextlib.suppress(OSError):
        descriptors = os.listdir(DESCRIPTORS)
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # not a socket, or of another protocol
            opened = socket.socket(fileno=int(descriptor))
            try:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            finally:
                opened.detach()
