"""Kills a worker repeatedly at random moments: the run must end identical to an undisturbed one, to the bit.

    PYTHONPATH=.:tests python benchmarks/kills.py [--kills 20] [--images 1000] [--epochs 12]

Both runs are trained by `python -m gpcore worker --once` on the CPU. The weights of every epoch, every batch loss, and every
figure of every epoch except its seconds are compared.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tiny

from gpcore.recipe import MODERN
from gpcore.runs.store import Store

LONGEST = 6.0
"""Seconds from a claim to the kill, at most: the data are read in the first of them, and an epoch takes one or two."""


def start_worker(store: Store) -> subprocess.Popen:
    """A worker process that ends when nothing is left."""
    command = tiny.command("worker", "--once", "--parallel", 1, "--device", "cpu", "--store", store.folder)
    return subprocess.Popen(command, cwd=tiny.ROOT, stderr=subprocess.DEVNULL, start_new_session=True)


def train_killing(store: Store, run: str, kills: int, chance: random.Random) -> int:
    """Trains a run while its worker is killed up to `kills` times, each time at a random moment of the training."""
    done = 0
    while store.run(run).status != "finished":
        store.resume(run)  # if it died three times at one place, it has failed
        process = start_worker(store)
        tiny.wait_until(lambda: store.run(run).status != "queued" and not store.waiting(), 600)
        if done < kills:
            time.sleep(chance.uniform(0, LONGEST))
            done += store.run(run).status == "running"
            tiny.kill_all(process)
        process.wait()
        print(f"  killed {done} times, {store.run(run).epochs_done} epochs done", flush=True)
    return done


def main() -> None:
    """Train one recipe twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("kills", 20), ("images", 1000), ("epochs", 12)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    recipe = MODERN.but(epochs=options.epochs, train_images=options.images)
    with tempfile.TemporaryDirectory() as folder:
        calm, rough = Store(Path(folder) / "calm"), Store(Path(folder) / "rough")
        runs = [store.add(recipe) for store in (calm, rough)]
        start_worker(calm).wait()
        kills = train_killing(rough, runs[1], options.kills, random.Random(0))
        expected, found = tiny.outcome(calm, runs[0]), tiny.outcome(rough, runs[1])
    same = [name for name in expected if expected[name] == found[name]]
    print(f"{kills} kills survived; bit-identical: {', '.join(same) or 'nothing'}, of {', '.join(expected)}")
    sys.exit(len(same) != len(expected))


if __name__ == "__main__":
    main()
