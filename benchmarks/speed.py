"""How fast training and evaluation are, beside the article's loop in plain PyTorch.

    PYTHONPATH=.:tests python benchmarks/speed.py [epoch | sprint | evaluation | limit | memory | gpu] [--rounds 3] [--seeds 10]
        [--charts docs/speed]

`epoch`: one epoch of the article's recipe on all of FashionMNIST, GAP and GMP, with training and validation accuracy after it.
The plain loop (tests/article.py) has a DataLoader, `ToTensor` for every image and PyTorch's own choice of threads, and trains
one model after the other; ours trains both side by side, each on a thread of its own, in float32 and, where the processor has
it, in bfloat16. They take turns, and medians count, also of the quotients of a turn.
`sprint`: the recipe `sprint` over several seeds, the processor seconds of its epoch and of one pass over the test images, and
how often that goes into 60 epochs of the plain loop. `evaluation`: 10,000 test images, counted and as class maps. `limit`: the
multiplications of a training step at the speed of this processor's matrix product, which no convolution is faster than.
`memory`: the effect of keeping freed memory in the process (training/allocator.py).
`gpu`, where there is one: 60 epochs of GAP and GMP as one, an epoch of 1, 2, 8 and 32 runs in each precision, and how far the
losses of 100 steps are from the processor's.
"""

import argparse
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import article
import browser
import plotly.graph_objects as go
import torch

from gpcore.data.datasets import Dataset, load_dataset
from gpcore.insight.layer_maps import all_class_maps
from gpcore.nets.convnet import ConvNet
from gpcore.recipe import ARTICLE, SPRINT, Recipe
from gpcore.runs.run import open_run
from gpcore.training.evaluate import evaluate, one_thread
from gpcore.training.fit import BatchesDone, EpochDone, fit, fit_together
from gpcore.training.state import TrainingState

DATA = Path("data")
POOLS = ("gap", "gmp")
PLAIN = "the article's loop"
ARTICLE_EPOCHS, ARTICLE_ACCURACY = 60, 0.874


def seconds(work: Callable[[], object]) -> float:
    """How long that takes by the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def conditions() -> str:
    """The processor, threads and versions of a measurement, with a warning if the machine is busy."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    models = [line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")]
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    warning = f"; WARNING: load {busy:.1f} before the start, other work distorts these figures" if busy > 0.5 else ""
    processor = models[0] if models else platform.processor()
    return f"{processor}, {torch.get_num_threads()} threads of {os.cpu_count()} cores, PyTorch {torch.__version__}{warning}"


def plain_seconds(pool: str) -> float:
    """`plain_epoch` in a fresh process with PyTorch's own choice of threads; start and imports are not counted."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(_timed_plain_epoch, (pool,))


def _timed_plain_epoch(pool: str) -> float:
    assert torch.get_num_threads() > 1 or os.cpu_count() == 1, "the baseline needs all its threads"
    return seconds(lambda: plain_epoch(pool))


def plain_epoch(pool: str) -> None:
    """An epoch of the article's recipe in plain PyTorch, both accuracies included."""
    model = article.network(article.KERNELS[pool])
    train, test = article.loader(DATA, True, 60_000), article.loader(DATA, False, 10_000)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
    list(article.training_steps(model, train, optimizer))
    article.measured(model, train)
    article.measured(model, test)


def trained(recipe: Recipe) -> EpochDone:
    """The last epoch of a run of this project."""
    dataset = load_dataset(recipe.dataset, DATA)
    *_, last = fit(recipe, dataset, TrainingState.fresh(recipe, dataset, torch.device("cpu")))
    assert isinstance(last, EpochDone)
    return last


def epoch(options: argparse.Namespace) -> None:
    """Both models for one epoch, ours against the plain loop."""
    precisions = ["float32"] + ["bfloat16"] * has_bfloat16()
    times: dict[str, list[float]] = {PLAIN: []} | {f"ours, {precision}": [] for precision in precisions}
    # Started once, as a worker is for all its runs; they have PyTorch and the images before the clock runs.
    with multiprocessing.get_context("spawn").Pool(len(POOLS)) as pool:
        both = {each: [ARTICLE.but(pool=name, epochs=1, precision=each) for name in POOLS] for each in precisions}
        pool.map(trained, [recipe.but(train_images=640) for recipes in both.values() for recipe in recipes], chunksize=1)
        for _ in range(options.rounds):
            times[PLAIN].append(sum(map(plain_seconds, POOLS)))
            for each, recipes in both.items():
                times[f"ours, {each}"].append(seconds(lambda recipes=recipes: pool.map(trained, recipes, chunksize=1)))
            print("  " + ", ".join(f"{name}: {values[-1]:.1f} s" for name, values in times.items()), flush=True)
    for name, values in times.items():
        quotients = [plain / other for plain, other in zip(times[PLAIN], values, strict=True)]
        took, faster = statistics.median(values), statistics.median(quotients)
        print(
            f"one epoch of GAP and GMP, {name}: {took:.1f} s ({min(values):.1f} to {max(values):.1f}), "
            f"{faster:.2f} times as fast ({min(quotients):.2f} to {max(quotients):.2f})"
        )
    medians = {name: statistics.median(values) for name, values in times.items()}
    draw(options, "epoch", "seconds for one epoch of GAP and GMP, all accuracies included", medians)


def has_bfloat16() -> bool:
    """Returns whether this processor multiplies in bfloat16; others emulate it slowly."""
    cpuinfo = Path("/proc/cpuinfo")  # PyTorch's own check is true for emulation too
    return cpuinfo.is_file() and "bf16" in cpuinfo.read_text()


def draw(options: argparse.Namespace, name: str, title: str, values: dict[str, float]) -> None:
    """Draws a bar for each value as SVG, if charts are requested."""
    if options.charts:
        bars = go.Bar(y=list(values), x=list(values.values()), orientation="h", text=list(values.values()))
        drawn = go.Figure(
            bars.update(texttemplate="%{text:,.1f} s", textangle=0, marker_color=["gray", *["#1f77b4"] * (len(values) - 1)])
        )
        drawn.update_yaxes(autorange="reversed", automargin=True).update_xaxes(title=title)
        drawn.update_layout(template="plotly_white", width=720, height=110 + 50 * len(values), margin={"t": 20, "r": 20})
        browser.save_chart(drawn, options.charts / f"{name}.svg")


def sprint(options: argparse.Namespace) -> None:
    """The article's accuracy, and how many of these runs its 60 epochs would take the time of."""
    loop = statistics.median(plain_seconds("gap") for _ in range(options.rounds))
    accuracies, times = [], []
    for seed in range(options.seeds):
        recipe = SPRINT.but(seed=seed)
        dataset = load_dataset(recipe.dataset, DATA)
        state = TrainingState.fresh(recipe, dataset, torch.device("cpu"))
        events = fit(recipe, dataset, state)
        started = time.process_time()
        while state.step * recipe.batch_size < len(dataset.train):
            next(events)
        with one_thread():
            accuracies.append(evaluate(state.network.eval(), dataset.test, recipe.output).accuracy)
        times.append(time.process_time() - started)
        print(f"  seed {seed}: {accuracies[-1]:.2%} after {times[-1]:.1f} s", flush=True)
    mean, spread, took = statistics.mean(accuracies), statistics.stdev(accuracies), statistics.median(times)
    print(
        f"sprint: {mean:.2%} ± {spread:.2%} (mean and standard deviation of {options.seeds} seeds, 10,000 images; the article: "
        f"{ARTICLE_ACCURACY:.1%}) after {took:.1f} s; {ARTICLE_EPOCHS} epochs of the plain loop, {loop:.1f} s each: "
        f"{ARTICLE_EPOCHS * loop / took:.0f} times as fast"
    )
    to_go = {f"{PLAIN}, {ARTICLE_EPOCHS} epochs": ARTICLE_EPOCHS * loop, f"sprint, {mean:.1%}": took}
    draw(options, "sprint", "seconds to the article's accuracy of 87.4 % with GAP", to_go)


def evaluation(options: argparse.Namespace) -> None:
    """All test images."""
    dataset = load_dataset("fashion-mnist", DATA)
    network = open_run("checkpoints/modern-gap-seed0").network()
    for name, work in {
        "counted": lambda: evaluate(network, dataset.test, "logits"),
        "as class maps": lambda: all_class_maps(network, dataset.test),
    }.items():
        work()
        took = statistics.median(seconds(work) for _ in range(5))
        print(f"10,000 test images {name}: {took:.2f} s on {os.cpu_count()} cores")


def limit(options: argparse.Namespace) -> None:
    """The step at the speed of a matrix product."""
    from gpcore.nets.cost import cost

    with one_thread():
        one, other = torch.rand(2, 1024, 1024)
        work = statistics.median(seconds(lambda: one @ other) for _ in range(20))
        rate = 2 * 1024**3 / work
        flops = cost(ConvNet("gap"), (1, 28, 28)).flops
        step = statistics.median(step_seconds() for _ in range(5))
    # Forward, and two products of the same size backward.
    print(
        f"a training step takes {step * 1e6:.0f} µs per image on one thread; its {3 * flops / 1e6:.1f} million operations at "
        f"{rate / 1e9:.0f} GFLOP/s would take {3 * flops / rate * 1e6:.0f} µs: {3 * flops / rate / step:.0%} of the limit"
    )


def step_seconds(batches: int = 100) -> float:
    """Seconds that a training step takes per image, on one thread."""
    dataset, recipe = load_dataset("fashion-mnist", DATA), ARTICLE.but(train_images=batches * ARTICLE.batch_size)
    state = TrainingState.fresh(recipe, dataset, torch.device("cpu"))
    events = fit(recipe, dataset, state)
    started = time.process_time()
    while state.step < batches:
        next(events)
    return (time.process_time() - started) / (batches * ARTICLE.batch_size)


def memory(options: argparse.Namespace) -> None:
    """Fresh processes that keep the memory they free, in turns with others that leave it to glibc."""
    found: dict[str, list[tuple[float, float]]] = {"kept": [], "left to glibc": []}
    for _ in range(options.rounds):
        for how, values in found.items():
            command = [sys.executable, Path(__file__).with_name("memory.py"), how.split()[0]]
            step, look = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            values.append((float(step), float(look)))
    for how, values in found.items():
        step, look = (f"{statistics.median(own):.0f} ({max(own):.0f})" for own in zip(*values, strict=True))
        print(f"memory {how}: a step takes {step} µs per image, an evaluation {look}; median (most)")


def gpu(options: argparse.Namespace) -> None:
    """Runs that are computed as one."""
    if not torch.cuda.is_available():
        print("no CUDA device here: nothing measured on one")
        return
    dataset = load_dataset("fashion-mnist", DATA)
    together([ARTICLE.but(pool=pool, epochs=1) for pool in POOLS], dataset)
    took = together([ARTICLE.but(pool=pool) for pool in POOLS], dataset)
    print(f"60 epochs of GAP and GMP: {took:.1f} s on {torch.cuda.get_device_name()}")
    for precision in ("float32", "tf32", "bfloat16"):
        for count in (1, 2, 8, 32):
            chosen = [ARTICLE.but(pool=POOLS[run % 2], seed=run // 2, epochs=2, precision=precision) for run in range(count)]
            print(f"an epoch of {count} runs, {precision}: {together(chosen, dataset) / 2:.2f} s", flush=True)
        for pool in POOLS:
            recipe = ARTICLE.but(pool=pool, epochs=1, train_images=6400, precision=precision)
            cpu, cuda = (first_losses(recipe.but(precision=own), dataset, device) for own, device in
                         (("float32", "cpu"), (precision, "cuda")))  # fmt: skip
            most = max(abs(one - other) for one, other in zip(cpu, cuda, strict=True))
            print(f"{pool}, {precision}: 100 losses differ from the processor's in float32 by {most:.4f} at most", flush=True)


def first_losses(recipe: Recipe, dataset: Dataset, device: str) -> list[float]:
    """The losses of an epoch's steps."""
    events = fit(recipe, dataset, TrainingState.fresh(recipe, dataset, torch.device(device)))
    return [loss for event in events if isinstance(event, BatchesDone) for loss in event.losses]


def together(recipes: list[Recipe], dataset: Dataset) -> float:
    """The seconds that runs take as one, accuracies included."""
    states = [TrainingState.fresh(recipe, dataset, torch.device("cuda")) for recipe in recipes]
    return seconds(lambda: list(fit_together(recipes, dataset, states)))


MEASUREMENTS = {"limit": limit, "memory": memory, "evaluation": evaluation, "epoch": epoch, "sprint": sprint, "gpu": gpu}


def main() -> None:
    """Measure what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*MEASUREMENTS, []], default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--charts", type=Path, help="also draw them, as SVG in this folder")
    options = parser.parse_args()
    os.environ.pop("OMP_NUM_THREADS", None)  # or the processes started here would have no choice
    print(conditions(), flush=True)
    for name in options.what or MEASUREMENTS:
        MEASUREMENTS[name](options)


if __name__ == "__main__":
    main()
