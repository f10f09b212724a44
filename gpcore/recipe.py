"""A recipe: every choice that a run's result depends on, in one frozen value.

The names a recipe may use are here, below everything that implements them, so that a recipe can be checked, stored and shown
without PyTorch. `HEADS`, `DATASETS`, `SCHEDULES` and `AUGMENTATIONS` are dict literals over the same names; a test checks it.
"""

import dataclasses
import functools
import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from gpcore.data.locations import absolute, short
from gpcore.errors import RecipeError

Pool = Literal["gap", "gmp", "lse", "avgmax", "gem", "attention", "mlp", "mlp-dropout"]
Placement = Literal["usual", "features"]
DatasetName = Literal["fashion-mnist", "mnist", "kmnist", "cifar10", "canvas", "clothes"]
TrunkName = Literal["article", "efficientnet-lite0", "efficientnet-lite1"]
Output = Literal["sigmoid", "logits"]
Schedule = Literal["constant", "one-cycle"]
Augmentation = Literal["none", "flip", "flip-crop", "photo"]
Precision = Literal["float32", "tf32", "bfloat16"]
Initialisation = Literal["xavier", "kaiming"]

HEAD_LABELS: dict[Pool, str] = {
    "gap": "GAP",
    "gmp": "GMP",
    "lse": "LSE",
    "avgmax": "Avg+Max",
    "gem": "GeM",
    "attention": "Attention",
    "mlp": "MLP",
    "mlp-dropout": "MLP with dropout",
}
"""The usual name of every head."""

POOL_NAMES: tuple[Pool, ...] = ("gap", "gmp", "lse", "avgmax", "gem", "attention")
"""The heads that pool; the others are linear layers in a pooling's place."""

FOLDER_PREFIX = "folder:"

SMALLEST_SIDE, LARGEST_SIDE = 8, 512
"""Pixels along the longer side that the pictures of a folder can be brought to."""

SHAPE = "one sub-folder per class, or train/ and test/ (or val/) with one sub-folder per class in each"
"""How the pictures of a folder are arranged."""

CANVAS_PREFIX = "canvas:"

TIMM_PREFIX = "timm:"

SMALLEST_ITEM, LARGEST_ITEM = 2, 100
"""Per cent of a canvas that an item can take (data/canvas.py)."""

PIECES, MOST_PIECES = 8, 64
"""Pieces of clutter on a canvas: the default and the maximum."""


def _choice(default: str, names: Any, explanation: str) -> Any:
    return field(default=default, metadata={"choices": get_args(names), "help": explanation})


def _number(default: float | None, low: float, high: float, explanation: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "help": explanation})


def _plain(default: str | bool, explanation: str) -> Any:
    return field(default=default, metadata={"help": explanation})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that the result of a run depends on; two runs with equal recipes on one machine have bit-identical weights.

    Every field's `metadata` holds its explanation (`help`) and either its `choices` or its range (`low`, `high`, both
    allowed), which the form, the command line and the checks below all use.

    Raises:
        RecipeError: a field has the wrong type or a value that is not allowed.
    """

    name: str = _plain("article", "the recipe that this one started from")
    dataset: str = _plain("fashion-mnist", f"a known dataset, or {FOLDER_PREFIX}PATH for a folder of images")
    pool: Pool = _choice("gap", Pool, "the global pooling, or mlp: linear layers in its place")
    trunk: str = _plain(
        "article",
        f"the layers before the head: article, six convolutions trained with it, or a pretrained network, frozen: "
        f"{', '.join(get_args(TrunkName)[1:])}, or {TIMM_PREFIX}NAME for one of timm's",
    )
    placement: Placement = _choice(
        "usual",
        Placement,
        "what the pooling is on: usually one map per class (for gem, which needs values of 0 and more, and mlp always the "
        "features), or the features, followed by a linear layer",
    )
    epochs: int = _number(60, 1, 10_000, "passes over the training images")
    batch_size: int = _number(64, 1, 10_000, "images per step of the optimiser")
    learning_rate: float = _number(3e-4, 1e-8, 10.0, "Adam's step size; the peak of a one-cycle schedule")
    schedule: Schedule = _choice("constant", Schedule, "how the learning rate changes over the run")
    initialisation: Initialisation = _choice(
        "xavier",
        Initialisation,
        "how the first weights are drawn: Xavier uniform with biases of 0.01, as in the article, or Kaiming normal with biases "
        "of 0, which keeps values from shrinking over six rectifiers and so learns from the first step on",
    )
    output: Output = _choice("sigmoid", Output, "what the cross entropy is computed on: the article's sigmoids, or the logits")
    label_smoothing: float = _number(
        0.0,
        0.0,
        0.9,
        "the share of the target that the training loss spreads evenly over all classes (Szegedy et al. 2016), which limits "
        "overconfidence; losses after an epoch are measured without it",
    )
    shuffle: bool = _plain(False, "draw a new order of the training images every epoch")
    augmentation: Augmentation = _choice("none", Augmentation, "random changes to every training image")
    precision: Precision = _choice(
        "float32",
        Precision,
        "the arithmetic of the convolutions: bfloat16 is faster on processors that have it; tf32 rounds factors to 10 bits on "
        "an NVIDIA GPU and is float32 elsewhere; validation is always in float32",
    )
    seed: int = _number(0, 0, 2**31 - 1, "decides the first weights, the order of the images and their augmentation")
    train_images: int | None = _number(None, 1, 10_000_000, "train on the first so many images only; empty for all of them")
    held_out: int = _number(
        0,
        0,
        10_000_000,
        "use the last so many training images for validation instead of the test images, to choose between recipes without "
        "looking at the test images",
    )

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            object.__setattr__(self, spec.name, _checked(spec, getattr(self, spec.name)))
        if self.dataset.startswith(CANVAS_PREFIX):
            canvas_settings(self.dataset)
        elif self.dataset.startswith(FOLDER_PREFIX) and self.dataset != FOLDER_PREFIX:
            object.__setattr__(self, "dataset", folder_name(*folder_settings(self.dataset)))
        elif not _known_dataset(self.dataset):
            raise RecipeError(
                f"dataset is {self.dataset!r}: choose one of {', '.join(get_args(DatasetName))}, or {FOLDER_PREFIX}PATH."
            )
        if not _known_trunk(self.trunk):
            raise RecipeError(
                f"trunk is {self.trunk!r}: choose one of {', '.join(get_args(TrunkName))}, or {TIMM_PREFIX}NAME, for example "
                f"{TIMM_PREFIX}resnet18."
            )
        if self.frozen and (self.augmentation, self.precision) != ("none", "float32"):
            raise RecipeError(
                f"trunk is {self.trunk!r}, whose features are computed once: augmentation must be none and precision float32."
            )
        if not self.name or len(self.name) > 60:
            raise RecipeError(f"name is {self.name!r}: a recipe's name has 1 to 60 characters.")

    @property
    def frozen(self) -> bool:
        """Whether the trunk is pretrained and the head alone is trained."""
        return self.trunk != "article"

    def to_json(self) -> dict[str, Any]:
        """Returns the recipe as a dictionary of plain values; `from_json` restores it without loss."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Returns a recipe from a dictionary of plain values; missing fields have the article's value.

        Raises:
            RecipeError: not a dictionary, an unknown field, a wrong type or a value out of range.
        """
        if not isinstance(values, dict):
            raise RecipeError(f"a recipe is a JSON object, not {type(values).__name__}.")
        known = [spec.name for spec in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise RecipeError(f"a recipe has no field {name!r}: its fields are {', '.join(known)}.")
        return cls(**values)

    def but(self, **changes: Any) -> Self:
        """Returns the recipe with some fields changed, checked again; it keeps its name."""
        return type(self).from_json(self.to_json() | changes)


def _known_dataset(name: str) -> bool:
    return name in get_args(DatasetName) or (name.startswith(FOLDER_PREFIX) and len(name) > len(FOLDER_PREFIX))


def _known_trunk(name: str) -> bool:
    return name in get_args(TrunkName) or (name.startswith(TIMM_PREFIX) and len(name) > len(TIMM_PREFIX))


def needs_size(pool: Pool) -> bool:
    """Whether a network with this head takes images of one size only, as linear layers do."""
    return pool in ("mlp", "mlp-dropout")


@functools.lru_cache(maxsize=16_384)
def experiment_of(recipe: Recipe) -> Recipe:
    """Returns a run's experiment: its recipe without pooling and seed, which runs that are compared share.

    Cached, since every new recipe is checked, and a page needs those of all runs at every change.
    """
    return recipe.but(pool="gap", seed=0)


def canvas_settings(name: str) -> tuple[float | None, int]:
    """Parses `canvas`, `canvas:AREA` or `canvas:AREA:PIECES`: the per cent of the image that an item covers, None if it varies,
    and the number of pieces of clutter.

    Raises:
        RecipeError: another format, or out of range.
    """
    _, *numbers = name.split(":")
    try:
        area = float(numbers[0]) if numbers else None
        pieces = int(numbers[1]) if len(numbers) > 1 else PIECES
    except ValueError:
        area, pieces = math.nan, 0
    allowed = area is None or SMALLEST_ITEM <= area <= LARGEST_ITEM
    if len(numbers) > 2 or not allowed or not 0 <= pieces <= MOST_PIECES:
        raise RecipeError(
            f"dataset is {name!r}: write canvas, {CANVAS_PREFIX}AREA or {CANVAS_PREFIX}AREA:PIECES, with the per cent of the "
            f"image that an item takes, {SMALLEST_ITEM} to {LARGEST_ITEM}, and the pieces of clutter, 0 to {MOST_PIECES}."
        )
    return area, pieces


FOLDER_NAME = re.compile(r"folder:(?P<path>.*?)(\?(?=[sb])(size=(?P<size>\d+))?&?(?P<skip>broken=skip)?)?", re.DOTALL)


def folder_settings(name: str) -> tuple[str, int | None, bool]:
    """What `folder:PATH`, `folder:PATH?size=96` or `folder:PATH?size=96&broken=skip` asks for: the folder's absolute path,
    the pixels along the longer side, and whether broken files are left out.

    Raises:
        RecipeError: the size is out of range.
    """
    found = FOLDER_NAME.fullmatch(name)
    assert found
    size = int(found["size"]) if found["size"] else None
    if size is not None and not SMALLEST_SIDE <= size <= LARGEST_SIDE:
        raise RecipeError(f"size is {size:,}: it must lie between {SMALLEST_SIDE} and {LARGEST_SIDE} pixels.")
    return str(absolute(found["path"])), size, found["skip"] is not None


def folder_name(path: str, size: int | None = None, skip_broken: bool = False) -> str:
    """The name of a dataset that `folder_settings` reads."""
    options = [*([f"size={size}"] if size else []), *(["broken=skip"] if skip_broken else [])]
    return FOLDER_PREFIX + path + ("?" + "&".join(options) if options else "")


def shown_dataset(name: str) -> str:
    """A dataset as a person reads and types it: a folder's path is short where it lies in the project."""
    if not name.startswith(FOLDER_PREFIX):
        return name
    path, size, skip_broken = folder_settings(name)
    return folder_name(short(path), size, skip_broken)


def _checked(spec: dataclasses.Field, value: Any) -> Any:
    """Returns a field's value, an int as float where the field is a float; raises RecipeError if it is not allowed."""
    if spec.type is float and type(value) is int:
        value = float(value)
    choices, low, high = (spec.metadata.get(key) for key in ("choices", "low", "high"))
    wanted: Any = str if choices else spec.type
    if not _has_type(value, wanted):
        named = getattr(wanted, "__name__", "int or null")
        raise RecipeError(f"{spec.name} is {value!r}: it must be of type {named}, not {type(value).__name__}.")
    if choices and value not in choices:
        raise RecipeError(f"{spec.name} is {value!r}: choose one of {', '.join(choices)}.")
    if low is not None and value is not None and not (math.isfinite(value) and low <= value <= high):
        raise RecipeError(f"{spec.name} is {value!r}: it must lie between {low:,} and {high:,}.")
    return value


def _has_type(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool):
        return wanted is bool  # for Python, True is an int; for a recipe it is not
    return isinstance(value, wanted)


ARTICLE = Recipe()
"""The article's recipe, followed to the letter."""

MODERN = Recipe(name="modern", epochs=20, learning_rate=3e-3, schedule="one-cycle", output="logits", shuffle=True)
"""The same network as it would be trained today: plain logits, shuffled, a one-cycle learning rate."""

PHOTO = MODERN.but(name="photo", epochs=16, augmentation="photo")
"""`MODERN`, trained on images changed to look as if cut out of photographs (training/photographic.py)."""

AUGMENTED = MODERN.but(
    name="augmented",
    epochs=60,
    learning_rate=6e-3,
    initialisation="kaiming",
    label_smoothing=0.1,
    augmentation="flip-crop",
)
"""`MODERN` with longer training, chosen on the last 10,000 training images (`held_out`); smoothing helped most."""

SPRINT = MODERN.but(name="sprint", epochs=1, learning_rate=0.01, initialisation="kaiming", batch_size=32)
"""Reaches the article's accuracy in a single epoch (benchmarks/speed.py sprint)."""

PHOTOGRAPHS = MODERN.but(
    name="photographs",
    dataset="clothes",
    trunk="efficientnet-lite1",
    epochs=6,
    learning_rate=6e-3,
    label_smoothing=0.1,
)
"""A head on a pretrained network's features, for photographs: chosen by five-fold cross-validation (docs/photographs.md)."""

SMALL = MODERN.but(name="small", epochs=60, batch_size=16)
"""`MODERN` for a folder of a few hundred images, of which an epoch in batches of 64 would be a handful of steps."""

RECIPES: dict[str, Recipe] = {each.name: each for each in (ARTICLE, MODERN, AUGMENTED, PHOTO, SMALL, SPRINT, PHOTOGRAPHS)}

RECIPE_WORDS = {
    "article": "The article's to the letter: loss on sigmoids, images in file order, a constant learning rate.",
    "modern": "The same network as one would train it today: loss on logits, shuffled, one cycle of the learning rate.",
    "augmented": "Modern on images shifted and mirrored, three times as long: the most accurate.",
    "photo": "Modern on images as they might have been cut out of photographs: for Classify.",
    "small": "Modern in batches of 16 and for longer: for a folder of a few hundred images.",
    "sprint": "One look at every image, and as accurate as the article's networks.",
    "photographs": "A head on a pretrained network's features, in seconds: for photographs in colour.",
}
"""What each recipe is for."""
