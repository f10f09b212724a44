"""Measures reading a folder of large photographs: seconds, memory, and seconds when it is read again.

PYTHONPATH=. python benchmarks/folders.py [--photos 10000] [--megapixels 12] [--kind jpg]

Few files are distinct: the others are copies of them under other names, which are decoded all the same.
"""

import argparse
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image

from gpcore.data.folders import read_pictures

DISTINCT = 20


def make(folder: Path, photos: int, megapixels: float, kind: str) -> None:
    """Writes photographs of two classes, as copies of a few."""
    random = np.random.default_rng(0)
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    for number in range(photos):
        path = folder / ("even", "odd")[number % 2] / f"{number:06}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < DISTINCT:
            small = PIL.Image.fromarray(random.integers(0, 256, (60, 80, 3), np.uint8))
            small.resize((height * 4 // 3, height), PIL.Image.Resampling.BICUBIC).save(path, quality=85)
        else:
            shutil.copyfile(folder / ("even", "odd")[number % 2] / f"{number % DISTINCT:06}.{kind}", path)


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--kind", default="jpg")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"] = str(Path(name) / "cache")
        make(Path(name) / "photos", options.photos, options.megapixels, options.kind)
        for title in ("read", "read again"):
            started = time.monotonic()
            found = read_pictures(Path(name) / "photos")
            print(f"{title}: {time.monotonic() - started:.1f} s for {len(found.images):,} images of {found.size}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"largest memory: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
