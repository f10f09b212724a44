"""Accuracy on photographs, for every pipeline from a photograph to 28×28 pixels and for every run.

    PYTHONPATH=. python benchmarks/photos.py [--photos FOLDER] [--store checkpoints] [--run RUN ...]

FOLDER has one sub-folder per kind of clothes (`t-shirt`, `pants`, `longsleeve`, `dress`, `outwear`, `shirt`, `shoes`; `hat`,
`shorts` and `skirt` have no answer). Of each kind, in the order of the file names, the even files (0, 2, …) were used for
development; the odd ones were held out and never looked at. Without a folder, only enlarged test images and calibration are
measured, with FashionMNIST itself.
"""

import argparse
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import torch
from scipy.stats import rankdata
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from gpcore.data import foreground, preparation
from gpcore.data.datasets import FASHION_CLASSES, Split, scaled, test_split_only
from gpcore.data.decoding import Photo, decode, read_photo
from gpcore.insight.layer_maps import all_scores
from gpcore.insight.uncertainty import FALSE_ALARMS, doubt, fit_temperature
from gpcore.nets.convnet import ConvNet
from gpcore.runs.run import Run
from gpcore.runs.store import Store

ANSWERS = {
    "t-shirt": ["T-shirt"], "pants": ["Trouser"], "longsleeve": ["Pullover", "Shirt"], "dress": ["Dress"], "outwear": ["Coat"],
    "shirt": ["Shirt"], "shoes": ["Sandal", "Sneaker", "Ankle boot"],
}  # fmt: skip
NO_ANSWER = ("hat", "shorts", "skirt")
HALVES = ("development", "held out")


def squeezed(photo: Photo) -> np.ndarray:
    """Grey and resized, as in most demonstrations."""
    return cv2.resize(cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY), (28, 28), interpolation=cv2.INTER_AREA)


def squeezed_negated(photo: Photo) -> np.ndarray:
    """Grey, resized and negated."""
    return 255 - squeezed(photo)


def cut_out(mask_of: Callable[[np.ndarray], np.ndarray], narrowing: float) -> Callable[[Photo], np.ndarray]:
    """The pipeline with another way to find the object, or another width."""

    def made(photo: Photo) -> np.ndarray:
        small = foreground._reduced(photo.pixels)
        mask = mask_of(small)
        mask = cv2.resize(mask.astype(np.uint8) * 255, photo.size, interpolation=cv2.INTER_LINEAR) >= 128
        mask = mask if mask.any() else np.ones_like(mask)
        levels = preparation._levels(photo.pixels, mask, "photograph", "automatic")
        return preparation._on_canvas(levels, mask, narrowing, "photograph")

    return made


def guess(number: int) -> Callable[[np.ndarray], np.ndarray]:
    """GrabCut from one first guess alone."""
    return lambda small: foreground._tidy(foreground._refined(small, list(foreground._trimaps(small))[number]))


def unlike_border(small: np.ndarray) -> np.ndarray:
    """Otsu's threshold on the distance from the border's colours, and no GrabCut."""
    return foreground._tidy(next(foreground._trimaps(small)) == cv2.GC_PR_FGD)


PIPELINES: dict[str, Callable[[Photo], np.ndarray]] = {
    "grey, resized": squeezed,
    "… and negated": squeezed_negated,
    "unlike the border": cut_out(unlike_border, preparation.NARROWING),
    "GrabCut from the border": cut_out(guess(0), preparation.NARROWING),
    "GrabCut from the middle": cut_out(guess(1), preparation.NARROWING),
    "GrabCut from a frame": cut_out(guess(2), preparation.NARROWING),
    "as shipped, not narrowed": cut_out(
        lambda small: max((guess(number)(small) for number in range(3)), key=foreground.plausibility), 1.0
    ),
    "as shipped": lambda photo: preparation.prepare(photo).image,
}


def images_of(folder: Path, kinds: tuple[str, ...], half: int) -> dict[str, list[Photo]]:
    """The photographs of one half, by kind."""
    return {kind: [read_photo(path) for path in sorted((folder / kind).iterdir())[half::2]] for kind in kinds}


def stacked(pictures: list[np.ndarray]) -> Tensor:
    """Images (n, 28, 28) as a network takes them."""
    return scaled(torch.from_numpy(np.stack(pictures)).unsqueeze(1))


def accuracies(network: ConvNet, pictures: dict[str, Tensor]) -> dict[str, float]:
    """Returns the accuracy of each kind, and of all."""
    right = {}
    for kind, images in pictures.items():
        wanted = torch.tensor([FASHION_CLASSES.index(name) for name in ANSWERS[kind]])
        right[kind] = torch.isin(network(images).argmax(1), wanted).float().mean().item()
    return right | {"all": float(np.mean(list(right.values())))}


def roc_area(doubtful: Tensor, sure: Tensor) -> float:
    """The chance that a picture of no class scores higher than one of a class (Mann and Whitney's U)."""
    ranks = rankdata(torch.cat([doubtful, sure]).numpy())
    count = len(doubtful)
    return float((ranks[:count].sum() - count * (count + 1) / 2) / count / len(sure))


def enlarged(images: Tensor, colour: tuple[int, int, int]) -> Iterator[np.ndarray]:
    """Test images as 300×300 JPEG files, in a colour on white, through the whole of decoding and preparing."""
    for image in images[:, 0].numpy():
        large = np.asarray(PIL.Image.fromarray(image).resize((300, 300), PIL.Image.Resampling.BICUBIC), float)[..., None] / 255
        file = io.BytesIO()
        pixels = np.rint(255 * (1 - large) + np.array(colour) * large).astype(np.uint8)
        PIL.Image.fromarray(pixels).save(file, "JPEG", quality=90)
        yield preparation.prepare(decode(file.getvalue(), "enlarged")).image


def measure_photos(folder: Path, runs: list[Run], networks: list[ConvNet], names: list[str]) -> None:
    """The table of accuracies."""
    print(f"\n| half | pipeline | run | {' | '.join(ANSWERS)} | all |\n|{'---|' * (len(ANSWERS) + 4)}")
    for half, title in enumerate(HALVES):
        found = images_of(folder, tuple(ANSWERS), half)
        for name in names:
            pictures = {kind: stacked([PIPELINES[name](photo) for photo in part]) for kind, part in found.items()}
            for run, network in zip(runs, networks, strict=True):
                shares = " | ".join(f"{share:.0%}" for share in list(accuracies(network, pictures).values())[:-1])
                print(f"| {title} | {name} | {run.id} | {shares} | {accuracies(network, pictures)['all']:.1%} |", flush=True)


def measure_doubt(folder: Path, test: Split, runs: list[Run], networks: list[ConvNet]) -> None:
    """ROC areas of the warning and how often it comes up."""
    scores: dict[str, Callable[[Tensor], Tensor]] = {
        "mean − max logit (used)": doubt,
        "free energy": lambda logits: -logits.logsumexp(1),
        "largest logit": lambda logits: -logits.amax(1),
        "entropy": lambda logits: torch.distributions.Categorical(logits=logits).entropy(),
    }
    print("\n| half | run | score | ROC area: no class against test images | against answerable photographs | warned: no class"
          " | warned: answerable |\n|---|---|---|---|---|---|---|")  # fmt: skip
    for half, title in enumerate(HALVES):
        parts = (images_of(folder, kinds, half) for kinds in (NO_ANSWER, tuple(ANSWERS)))
        none, some = (
            stacked([preparation.prepare(photo).image for part in found.values() for photo in part]) for found in parts
        )
        for run, network in zip(runs, networks, strict=True):
            logits = network(none), network(some), all_scores(network, test)
            for name, score in scores.items():
                strange, known, sure = (score(values) for values in logits)
                threshold = torch.quantile(sure, 1 - FALSE_ALARMS)
                warned = [f"{(part > threshold).float().mean().item():.0%}" for part in (strange, known)]
                areas = f"{roc_area(strange, sure):.3f} | {roc_area(strange, known):.3f}"
                print(f"| {title} | {run.id} | {name} | {areas} | {' | '.join(warned)} |", flush=True)


def measure_fashion(test: Split, runs: list[Run], networks: list[ConvNet], count: int) -> None:
    """Enlarged test images against the test images themselves, and calibration before and after."""
    part = Split(test.images[:count], test.labels[:count])
    large = stacked(list(enlarged(part.images, (90, 40, 60))))
    print(
        f"\n| run | test images (first {count:,}) | the same, 300×300 JPEG | T | ECE before | ECE after |"
        "\n|---|---|---|---|---|---|"
    )
    half = len(test) // 2
    for run, network in zip(runs, networks, strict=True):
        logits = all_scores(network, test)
        own = (logits[:count].argmax(1) == part.labels).float().mean().item()
        enlarged_share = (network(large).argmax(1) == part.labels).float().mean().item()
        temperature = fit_temperature(logits[:half], test.labels[:half])
        errors = [
            multiclass_calibration_error((logits[half:] / divisor).softmax(1), test.labels[half:], logits.shape[1], n_bins=15)
            for divisor in (1.0, temperature)
        ]
        print(
            f"| {run.id} | {own:.2%} | {enlarged_share:.2%} | {temperature:.2f} | {errors[0]:.4f} | {errors[1]:.4f} |",
            flush=True,
        )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--store", type=Path, action="append")
    parser.add_argument("--run", action="append", help="only these runs")
    parser.add_argument("--pipeline", action="append", choices=PIPELINES, help="only these pipelines")
    parser.add_argument("--enlarged", type=int, default=2000, help="how many test images to enlarge")
    options = parser.parse_args()
    stores = [Store(folder, read_only=True) for folder in options.store or [Path("checkpoints")]]
    runs = [Run(store, record) for store in stores for record in store.runs() if record.epochs_done]
    runs = [run for run in runs if run.recipe.dataset == "fashion-mnist" and (not options.run or run.id in options.run)]
    networks = [run.network() for run in runs]
    test = test_split_only("fashion-mnist", Path("data")).test
    with torch.inference_mode():
        measure_fashion(test, runs, networks, options.enlarged)
        if options.photos:
            measure_photos(options.photos, runs, networks, options.pipeline or list(PIPELINES))
            measure_doubt(options.photos, test, runs, networks)
        else:
            print("\nPhotographs: skipped, since no folder was given with --photos.")


if __name__ == "__main__":
    main()
