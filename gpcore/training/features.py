"""The features of a frozen trunk, computed once and stored on disk: half-precision numbers, mapped into memory.

They are in `DATA/features`, a file for every trunk, its weights' checksum, split of a dataset and preparation. A file grows
piece by piece beside a journal of the pieces' checksums, so that a kill costs one piece; a complete file gets its final name.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from jaxtyping import Float16
from torch import Tensor

from gpcore.atomic_files import publish
from gpcore.data.datasets import Dataset, Split, load_dataset, scaled, test_split_only
from gpcore.data.pictures import PREPARATION, Pictures, pictures, test_squares
from gpcore.errors import DatasetError
from gpcore.nets.trunks import Trunk, load_trunk
from gpcore.recipe import Recipe
from gpcore.training.evaluate import one_thread

PIECE = 32
"""Images whose features are computed at once; a kill loses at most these."""

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Progress:
    """The progress of features: finished images of all, the bytes that they will take, and the seconds left if known."""

    dataset: str
    done: int
    images: int
    bytes: int
    seconds_left: float | None

    @property
    def sentence(self) -> str:
        """The progress as text."""
        left = "" if self.seconds_left is None else f", {self.seconds_left:.0f} s left"
        return f"features of {self.dataset}: {self.done:,} of {self.images:,} images{left}, {self.bytes / 1e6:,.0f} MB on disk"


Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class Kept:
    """The description in a file of features."""

    trunk: str
    dataset: str
    split: str
    images: int
    shape: Shape
    checksums: list[int]

    @property
    def bytes(self) -> int:
        return self.images * 2 * self.shape[0] * self.shape[1] * self.shape[2]

    def to_json(self) -> dict[str, Any]:
        """The entry for the command line."""
        return {name: getattr(self, name) for name in ("trunk", "dataset", "split", "images", "bytes")}


def nobody(progress: Progress) -> None:
    """Ignores progress."""


def training_data(recipe: Recipe, root: Path, tell: Tell = nobody) -> Dataset:
    """Returns a recipe's training data: a dataset's images, or their features from its frozen trunk.

    Raises:
        DatasetError: the dataset can't be read, or there is no room for its features.
        TrunkError: the trunk is not available.
    """
    return feature_dataset(recipe.trunk, recipe.dataset, root, tell) if recipe.frozen else load_dataset(recipe.dataset, root)


def evaluation_data(recipe: Recipe, root: Path, dataset: str | None = None, tell: Tell = nobody) -> Dataset:
    """Returns a run's evaluation data: test images of its or another dataset, or their features; raises as `training_data`."""
    name = dataset or recipe.dataset
    return feature_dataset(recipe.trunk, name, root, tell, test_only=True) if recipe.frozen else test_split_only(name, root)


def images_to_see(recipe: Recipe, root: Path) -> Dataset:
    """Returns the test images of a run's dataset as its network takes them; raises as `training_data`."""
    return (
        test_squares(recipe.dataset, root, load_trunk(recipe.trunk).side)
        if recipe.frozen
        else test_split_only(recipe.dataset, root)
    )


def feature_dataset(trunk_name: str, name: str, root: Path, tell: Tell = nobody, test_only: bool = False) -> Dataset:
    """Returns a dataset whose images are the features of a trunk, computed first if they are not stored yet.

    Raises:
        DatasetError: the dataset can't be read, or there is no room for its features.
        TrunkError: the trunk is not available.
    """
    trunk = load_trunk(trunk_name)
    parts = [pictures(name, root, train, trunk.side) for train in (True, False)]
    train, test = (
        Split(part_features(trunk, part, name, "train" if first else "test", root, tell), part.labels)
        if not (first and test_only)
        else Split(torch.empty(0, *trunk.shape, dtype=torch.float16), torch.empty(0, dtype=torch.int64))
        for first, part in zip((True, False), parts, strict=True)
    )
    return Dataset(name, parts[0].classes, train, test)


def part_features(
    trunk: Trunk, images: Pictures, name: str, split: str, root: Path, tell: Tell
) -> Float16[Tensor, "n features rows columns"]:
    """Returns the features of a split, from the disk or computed now; a damaged file is replaced."""
    path = _path(trunk, images, name, split, root)
    expected = Kept(trunk.name, name, split, len(images.labels), trunk.shape, [])
    found = _opened(path, expected)
    if found is None:
        with _alone(path, tell, Progress(name, 0, expected.images, expected.bytes, None)):
            found = _opened(path, expected)
            if found is None:
                _compute(trunk, images, path, expected, tell)
                found = _opened(path, expected)
    assert found is not None
    return found


def _path(trunk: Trunk, images: Pictures, name: str, split: str, root: Path) -> Path:
    bits = "bfloat16" if _halves() else "float32"
    key = "\0".join([trunk.checksum, str(trunk.side), images.fingerprint, PREPARATION, bits])
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{name.split('/')[-1]}-{split}-{trunk.name}")[-80:]
    return root / "features" / f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.f16"


def _halves() -> bool:
    """Returns whether the processor multiplies bfloat16 in hardware: half the time, same answers (docs/photographs.md)."""
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # since PyTorch 2.10
    return bool(known.get("amx_bf16") or known.get("avx512_bf16"))


def _opened(path: Path, expected: Kept) -> Float16[Tensor, "n features rows columns"] | None:
    """Returns the features in a file, mapped into memory; None if it is missing, damaged or of something else."""
    try:
        kept = _described(path)
        if (kept.images, kept.shape) != (expected.images, expected.shape) or path.stat().st_size != kept.bytes:
            return None
        found = torch.from_file(str(path), shared=False, size=kept.bytes // 2, dtype=torch.float16)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError):
        return None
    channels, rows, columns = kept.shape
    # Channels are innermost, also on disk: a head needs a third of the time for them.
    found = found.view(kept.images, rows, columns, channels).permute(0, 3, 1, 2)
    return found if [_sum(part) for part in found.split(PIECE)] == kept.checksums else None


def _described(path: Path) -> Kept:
    values = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return Kept(**values | {"shape": tuple(values["shape"])})


def _sum(piece: Tensor) -> int:
    return zlib.crc32(_bytes(piece))


def _bytes(piece: Float16[Tensor, "n features rows columns"]) -> memoryview:
    return piece.permute(0, 2, 3, 1).numpy().data


@contextlib.contextmanager
def _alone(path: Path, tell: Tell, waiting: Progress) -> Iterator[None]:
    """Locks out other processes that compute the same features; waits for one that already does."""
    with _disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"))
        while True:
            try:
                with lock.acquire(timeout=1):
                    yield
                return
            except Timeout:
                tell(waiting)


@contextlib.contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"Could not keep features in {path.parent.absolute()} ({error.strerror or error}): free some space, delete "
            "features with `python -m gpcore features --delete`, or name another folder with --data."
        ) from error


def _compute(trunk: Trunk, images: Pictures, path: Path, expected: Kept, tell: Tell) -> None:
    """Computes the missing pieces of a file on all cores, and gives it its final name."""
    growing, journal = path.with_suffix(".part"), path.with_suffix(".journal")
    each = expected.bytes // max(expected.images, 1)
    sums = _whole_pieces(growing, journal, each * PIECE)
    first = min(len(sums) * PIECE, expected.images)
    missing = expected.bytes - first * each
    if shutil.disk_usage(path.parent).free < missing:
        raise DatasetError(
            f"The features of {expected.dataset} take {missing / 1e6:,.0f} MB more in {path.parent.absolute()}, where there is "
            "no room: free some space, or name another folder with --data."
        )
    started, starts = time.monotonic(), range(first, expected.images, PIECE)
    tell(Progress(expected.dataset, first, expected.images, expected.bytes, None))
    with open(growing, "ab") as file, open(journal, "a", encoding="ascii") as notes, one_thread():
        file.truncate(first * each)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                for start, piece in zip(starts, pool.map(lambda at: _piece(trunk, images, at), starts), strict=True):
                    file.write(_bytes(piece))
                    _sync(file)
                    sums.append(_sum(piece))
                    notes.write(f"{sums[-1]}\n")
                    _sync(notes)
                    done = start + len(piece)
                    left = (time.monotonic() - started) / (done - first) * (expected.images - done)
                    tell(Progress(expected.dataset, done, expected.images, expected.bytes, left))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    _name_it(growing, path, Kept(**asdict(expected) | {"checksums": sums, "shape": expected.shape}))
    journal.unlink(missing_ok=True)


def _sync(file: object) -> None:
    file.flush()  # type: ignore[attr-defined]
    os.fsync(file.fileno())  # type: ignore[attr-defined]


def _name_it(growing: Path, path: Path, kept: Kept) -> None:
    note = path.with_suffix(".json.new")
    note.write_text(json.dumps(asdict(kept)), encoding="utf-8")
    publish(growing, path)
    publish(note, path.with_suffix(".json"))


def _whole_pieces(growing: Path, journal: Path, size: int) -> list[int]:
    """Returns the checksums of the pieces that an earlier process completed; the journal is cut off after them."""
    sums: list[int] = []
    if journal.exists() and growing.exists():
        noted = journal.read_text(encoding="ascii", errors="replace").split("\n")[:-1]
        with open(growing, "rb") as file:
            for note in noted:
                if not note.isdecimal() or zlib.crc32(file.read(size)) != int(note):
                    break
                sums.append(int(note))
    journal.write_text("".join(f"{each}\n" for each in sums), encoding="ascii")
    return sums


@torch.inference_mode()
def _piece(trunk: Trunk, images: Pictures, start: int) -> Float16[Tensor, "n features rows columns"]:
    inputs = scaled(images.read(start, start + PIECE))
    with torch.autocast("cpu", torch.bfloat16, enabled=_halves()):
        return trunk(inputs).half().contiguous(memory_format=torch.channels_last)


def kept_features(root: Path) -> list[tuple[Path, Kept]]:
    """Returns the files of features under a folder of datasets with their descriptions."""
    found = []
    for path in sorted((root / "features").glob("*.f16")):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            found.append((path, _described(path)))
    return found


def delete_features(root: Path) -> int:
    """Deletes all features under a folder of datasets, also incomplete ones; returns the bytes that were freed."""
    freed = 0
    for path in sorted((root / "features").glob("*")):
        if path.suffix in (".f16", ".json", ".part", ".journal", ".lock"):
            freed += path.stat().st_size
            path.unlink(missing_ok=True)
    return freed
