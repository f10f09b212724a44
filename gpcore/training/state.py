"""The training state: the network, Adam's moments, and their progress; and the choice of a device."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from gpcore.data.datasets import Dataset
from gpcore.errors import TrainingError
from gpcore.nets.frozen import build
from gpcore.nets.network import Network
from gpcore.recipe import Recipe

Moments = dict[int, dict[str, Tensor]]
"""`optimizer.state_dict()["state"]`: Adam's moments of each parameter, by the parameter's number."""


@dataclass
class TrainingState:
    """Everything needed to continue training: the network, Adam's moments, and their progress.

    `step` counts finished batches, `epoch` finished and evaluated epochs, `seconds` the time spent in the current epoch.
    """

    network: Network
    optimizer: torch.optim.Adam = field(init=False)
    step: int = 0
    epoch: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        # One kernel for each parameter instead of a dozen: a step of the whole network takes a tenth less (benchmarks/step.py).
        self.optimizer = torch.optim.Adam(self.network.parameters(), fused=True)

    @classmethod
    def fresh(cls, recipe: Recipe, dataset: Dataset, device: torch.device) -> "TrainingState":
        """The state before the first step."""
        # On a GPU a step takes two thirds to three quarters of the time with channels first.
        layout = torch.channels_last if device.type == "cpu" else torch.contiguous_format
        network = build(recipe, dataset.test.images.shape[1:], len(dataset.classes))
        return cls(network.to(device).to(memory_format=layout))

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def load_moments(self, moments: Moments) -> None:
        """Restores Adam's moments, a copy of `optimizer.state_dict()["state"]`."""
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        # Adam's kernel reads a parameter and its moments in memory order, which files don't keep.
        for parameter, known in self.optimizer.state.items():
            for name, moment in known.items():
                if moment.shape == parameter.shape:
                    known[name] = torch.empty_like(parameter).copy_(moment)


def find_device(name: str = "auto") -> torch.device:
    """Returns the device of that name; `auto` is CUDA, else Apple's MPS, else the CPU.

    Raises:
        TrainingError: there is no such device on this machine.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, present in available.items() if present))
    if not available.get(name, False):
        present = ", ".join(kind for kind, here in available.items() if here)
        raise TrainingError(f"device is {name!r}: this machine has {present}; or choose auto.")
    return torch.device(name)
