"""Reports and exports are there whole or not at all, on a full disk too."""

import os
import resource

import pytest

from gpcore.atomic_files import replacing
from gpcore.cli.main import main

RUN = "article-gap-seed0"


@pytest.fixture
def full_disk():
    """Files stop growing at 4,000 bytes, as on a disk that becomes full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "command",
    [["report", "--out"], ["export", RUN, "--onnx"], ["maps", RUN, "--image", "0", "--layer", "2", "--out"]],
    ids=lambda command: command[0],
)
def test_a_full_disk_leaves_what_was_there(own_copy, tmp_path, data_folder, command, capsys, monkeypatch, full_disk):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out.npz"
    out.write_text("the good one")
    where = ["--store", str(own_copy), *([] if command[0] == "export" else ["--data", str(data_folder)])]
    assert main([*command, str(out), *where]) == 2
    assert out.read_text() == "the good one"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []
    assert "Could not write" in capsys.readouterr().err


def test_what_is_no_file_is_written_itself(tmp_path):
    reader, writer = os.pipe()
    with replacing(type(tmp_path)(f"/dev/fd/{writer}")) as temporary:
        temporary.write_text("whole")
    os.close(writer)
    assert os.read(reader, 99) == b"whole"
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with replacing(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
