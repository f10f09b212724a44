"""Nagle's algorithm, as reported by the operating system."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ui.serving import sockets


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """As Streamlit opens one: without naming the protocol."""
    with socket.socket() as opened:
        opened.bind(("localhost", 0))
        opened.listen()
        yield opened


def connection_waits(listening: socket.socket) -> bool:
    """Whether what is sent over a connection made now may wait for an acknowledgement."""
    with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
        return not accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_connections_no_longer_wait(listening: socket.socket) -> None:
    assert connection_waits(listening)
    sockets.send_at_once()
    assert not connection_waits(listening)


def test_everything_else_that_is_open_stays_as_it_is(listening: socket.socket) -> None:
    reading, writing = os.pipe()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, open(os.devnull) as file:
        one, other = socket.socketpair()
        sockets.send_at_once()
        os.write(writing, b"a")
        assert os.read(reading, 1) == b"a"
        one.sendall(b"b")
        assert other.recv(1) == b"b"
        datagrams.bind(("localhost", 0))
        assert file.read() == ""
    for each in (one, other):
        each.close()
    for descriptor in (reading, writing):
        os.close(descriptor)


def test_a_system_that_lists_no_descriptors_is_left_alone(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "DESCRIPTORS", "/no/such/folder")
    sockets.send_at_once()
    assert connection_waits(listening)


def test_the_app_does_it_for_the_socket_it_is_started_with() -> None:
    program = (
        "import socket; opened = socket.socket(); opened.bind(('localhost', 0)); opened.listen(); import app; "
        "print(opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
