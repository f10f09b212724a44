"""How far a network's answers can be trusted: calibrated probabilities, and a warning for pictures of unknown classes."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from gpcore.atomic_files import replacing
from gpcore.data.datasets import Split
from gpcore.errors import CheckpointError
from gpcore.insight.layer_maps import all_scores
from gpcore.nets.network import Network

Logits = Float[Tensor, "n classes"]
Labels = Int64[Tensor, " n"]

FALSE_ALARMS = 0.05
"""Share of the dataset's test images that may get the warning."""


@dataclass(frozen=True)
class Calibration:
    """A network's calibration, measured on images that it was not trained on.

    `temperature` divides the logits before the softmax. A picture is doubtful if its `doubt` exceeds `threshold`, as for
    `FALSE_ALARMS` of `images` test images. `epoch` is the epoch of the weights.
    """

    epoch: int
    images: int
    temperature: float
    threshold: float

    def probabilities(self, logits: Logits) -> Float[Tensor, "n classes"]:
        """`softmax(logits / temperature)` (Guo et al. 2017, "On calibration of modern neural networks")."""
        return torch.softmax(logits / self.temperature, dim=1)


def doubt(logits: Logits) -> Float[Tensor, " n"]:
    """Returns the doubt about an answer: `mean(logits) - max(logits)`, never positive, 0 if all classes score alike.

    Of nine scores tried with four networks on the development photographs, it separated hats, shorts and skirts from
    FashionMNIST's test images best, or as well as the best (benchmarks/photos.py measures it and three others). It hardly
    separates them from photographs of known classes, which differ from the test images too.
    """
    return logits.mean(1) - logits.amax(1)


def calibrate(network: Network, split: Split, epoch: int) -> Calibration:
    """Measure a network's temperature and threshold on images that it was not trained on."""
    logits = all_scores(network, split)
    threshold = torch.quantile(doubt(logits), 1 - FALSE_ALARMS).item()
    return Calibration(epoch, len(split), fit_temperature(logits, split.labels), threshold)


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """The temperature at which the labels are likeliest: the minimum of `mean cross entropy(logits / T)` over T.

    The mean cross entropy is convex in 1/T; golden sections of log T between 1/100 and 100 find the minimum.
    """

    def loss(log_temperature: float) -> float:
        return functional.cross_entropy(logits / math.exp(log_temperature), labels).item()

    low, high, golden = math.log(0.01), math.log(100.0), (math.sqrt(5) - 1) / 2
    while high - low > 1e-4:
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration as JSON."""
    try:
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asdict(calibration), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise CheckpointError(f"Could not write {path}: {error.strerror}.") from error


def read_calibration(path: Path) -> Calibration:
    """A calibration that `write_calibration` wrote; raises CheckpointError if it is damaged."""
    try:
        return Calibration(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}): delete it, and `calibrate` measures it again.") from error
