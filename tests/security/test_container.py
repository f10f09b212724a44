"""The limits of docs/deploy.md, rehearsed without Docker: a read-only file system, a small /tmp, three gigabytes, demo mode."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import tiny

CONFINED = """
mount --make-rprivate / && mount -t tmpfs -o size=64m tmpfs /tmp && mount -o remount,bind,ro / || exit 77
cd {root} && touch must-not-exist 2>/dev/null && exit 78
ulimit -d 3000000
exec {python} -m streamlit run app.py --server.headless true --server.address 127.0.0.1 --server.port {port}
"""


def can_unshare() -> bool:
    """Whether this machine lets a process have mounts of its own."""
    code = "mount --make-rprivate / && mount -o remount,bind,ro /"
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", code]
    return bool(shutil.which("unshare")) and subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="this machine gives no process mounts of its own")
def test_the_demo_runs_where_nothing_can_be_written():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = CONFINED.format(root=tiny.ROOT, python=sys.executable, port=port)
    environment = os.environ | {"POOLSCOPE_MODE": "demo", "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert answer(f"http://127.0.0.1:{port}/_stcore/health", server) == 200
        assert answer(f"http://127.0.0.1:{port}/classify", server) == 200
    finally:
        server.terminate()
        told = server.communicate(timeout=20)[0]
    assert "Traceback" not in told, told


def answer(address: str, server: subprocess.Popen) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.2)
    return 0


def test_the_image_is_pinned_and_its_code_is_nobodys():
    dockerfile = Path(tiny.ROOT / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.12-slim@sha256:[0-9a-f]{64}$", dockerfile, re.M)
    assert "POOLSCOPE_MODE=demo" in dockerfile
    assert "--chown" not in dockerfile
    locked = [line for line in Path(tiny.ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+]+ --hash=sha256:[0-9a-f]{64}", line) for line in locked)
    names = {re.split(r"==", line)[0].replace("_", "-") for line in locked}
    wanted = Path(tiny.ROOT / "requirements.txt").read_text().split()
    assert {re.split(r"[<>=,]", line)[0] for line in wanted} <= names
