"""One 12-megapixel photograph from its bytes to its answer, and 100 of them.

    PYTHONPATH=. python benchmarks/photo_speed.py [--run checkpoints/article-gap-seed0]

The photograph is drawn here (a garment on a noisy floor, 4000×3000 pixels, JPEG), so that the file ships with nobody's clothes.
"""

import argparse
import io
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from gpcore.data.decoding import decode
from gpcore.data.preparation import prepare
from gpcore.insight.answers import answer, calibration_of
from gpcore.runs.run import open_run


def photograph() -> bytes:
    """A dark pullover on a light floor, as a phone would store it."""
    random = np.random.default_rng(0)
    floor = 180 + cv2.resize(random.normal(0, 15, (750, 1000)), (4000, 3000))
    pixels = np.repeat(floor[..., None], 3, axis=2)
    outline = np.array([(1200, 700), (2800, 700), (3500, 2000), (3200, 2200), (2700, 1500), (2700, 2700), (1300, 2700)])
    outline = np.concatenate([outline, [(1300, 1500), (800, 2200), (500, 2000)]])
    cv2.fillPoly(pixels, [outline.astype(np.int32)], (60.0, 50.0, 90.0))
    pixels = np.clip(pixels + random.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def main() -> None:
    """Print the median times in milliseconds, and the time of 100 photographs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="checkpoints/article-gap-seed0")
    run = open_run(parser.parse_args().run)
    data, network, calibration, classes = photograph(), run.network(), calibration_of(run, Path("data")), run.classes
    times: dict[str, list[float]] = {"decode": [], "prepare": [], "network": []}
    started = time.perf_counter()
    for _ in range(100):
        begun = time.perf_counter()
        photo = decode(data, "photo.jpg")
        decoded = time.perf_counter()
        prepared = prepare(photo)
        made = time.perf_counter()
        answer(network, calibration, classes, prepared)
        ended = time.perf_counter()
        for name, seconds in zip(times, (decoded - begun, made - decoded, ended - made), strict=True):
            times[name].append(seconds)
    total = time.perf_counter() - started
    for name, seconds in times.items():
        print(f"{name:<8} {1000 * statistics.median(seconds):7.1f} ms (median of 100; worst {1000 * max(seconds):.1f})")
    print(f"100 photographs of 12 megapixels ({len(data) / 1e6:.1f} MB each): {total:.1f} s")


if __name__ == "__main__":
    main()
