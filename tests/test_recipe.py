"""A recipe checks itself, survives JSON, and names only what exists."""

import dataclasses
import json
import math
from typing import get_args

import pytest

from gpcore import recipe as recipes
from gpcore.data.datasets import DATASETS
from gpcore.errors import RecipeError
from gpcore.nets.convnet import INITIALISATIONS
from gpcore.nets.heads import HEADS
from gpcore.recipe import ARTICLE, MODERN, PHOTOGRAPHS, RECIPE_WORDS, RECIPES, Recipe
from gpcore.training.augmentations import AUGMENTATIONS
from gpcore.training.fit import SCHEDULES


def test_the_article():
    assert ARTICLE.to_json() == {
        "name": "article",
        "dataset": "fashion-mnist",
        "pool": "gap",
        "trunk": "article",
        "placement": "usual",
        "epochs": 60,
        "batch_size": 64,
        "learning_rate": 3e-4,
        "schedule": "constant",
        "initialisation": "xavier",
        "output": "sigmoid",
        "label_smoothing": 0.0,
        "shuffle": False,
        "augmentation": "none",
        "precision": "float32",
        "seed": 0,
        "train_images": None,
        "held_out": 0,
    }


def test_modern_is_the_article_with_plain_logits_shuffled_and_one_cycle():
    changed = {name for name, value in MODERN.to_json().items() if value != ARTICLE.to_json()[name]}
    assert changed == {"name", "epochs", "learning_rate", "schedule", "output", "shuffle"}
    assert (MODERN.epochs, MODERN.learning_rate, MODERN.schedule, MODERN.output) == (20, 3e-3, "one-cycle", "logits")
    assert all(recipe.name == name for name, recipe in RECIPES.items())
    assert list(RECIPE_WORDS) == list(RECIPES)


EVERYTHING_ELSE = Recipe(
    name="mine", dataset="folder:/some where/ünd", pool="lse", placement="features", epochs=3, batch_size=17,
    learning_rate=0.1 + 0.2, schedule="one-cycle", output="logits", label_smoothing=0.1, shuffle=True, augmentation="flip-crop",
    precision="bfloat16", initialisation="kaiming", seed=2**31 - 1, train_images=1, held_out=2,
)  # fmt: skip


@pytest.mark.parametrize("recipe", [ARTICLE, MODERN, PHOTOGRAPHS, EVERYTHING_ELSE], ids=lambda recipe: recipe.name)
def test_json_and_back_loses_nothing(recipe):
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_the_round_trip_covers_every_field():
    kept = {spec.name for spec in dataclasses.fields(Recipe) if getattr(EVERYTHING_ELSE, spec.name) == spec.default}
    assert kept == {"trunk"}  # frozen, it allows neither augmentation nor bfloat16
    assert PHOTOGRAPHS.trunk != ARTICLE.trunk


def test_fields_that_are_left_out_are_the_articles():
    assert Recipe.from_json({}) == ARTICLE
    assert Recipe.from_json({"pool": "gmp"}) == ARTICLE.but(pool="gmp")


def test_a_recipe_is_a_value():
    assert len({ARTICLE, ARTICLE.but(seed=0), MODERN}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        ARTICLE.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("names", "implementations"),
    [
        (recipes.Pool, HEADS),
        (recipes.Pool, recipes.HEAD_LABELS),
        (recipes.DatasetName, DATASETS),
        (recipes.Schedule, SCHEDULES),
        (recipes.Augmentation, AUGMENTATIONS),
        (recipes.Initialisation, INITIALISATIONS),
    ],
    ids=["heads", "labels", "datasets", "schedules", "augmentations", "initialisations"],
)
def test_the_names_a_recipe_may_use_are_those_that_exist(names, implementations):
    assert get_args(names) == tuple(implementations)


def test_a_whole_number_is_a_learning_rate_too():
    changed = ARTICLE.but(learning_rate=1)
    assert changed.learning_rate == 1.0
    assert type(changed.learning_rate) is float


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"pool": "max"}, "pool is 'max': choose one of gap, gmp, lse, avgmax, gem, attention, mlp, mlp-dropout."),
        ({"pool": None}, "pool is None: it must be of type str, not NoneType."),
        ({"pool": ["gap"]}, "pool is ['gap']: it must be of type str, not list."),
        ({"placement": "trunk"}, "placement is 'trunk': choose one of usual, features."),
        ({"epochs": 0}, "epochs is 0: it must lie between 1 and 10,000."),
        ({"epochs": 10_001}, "epochs is 10001: it must lie between 1 and 10,000."),
        ({"epochs": 1.0}, "epochs is 1.0: it must be of type int, not float."),
        ({"epochs": "60"}, "epochs is '60': it must be of type int, not str."),
        ({"epochs": True}, "epochs is True: it must be of type int, not bool."),
        ({"batch_size": 0}, "batch_size is 0: it must lie between 1 and 10,000."),
        ({"learning_rate": 0}, "learning_rate is 0.0: it must lie between 1e-08 and 10.0."),
        ({"learning_rate": math.nan}, "learning_rate is nan: it must lie between 1e-08 and 10.0."),
        ({"learning_rate": math.inf}, "learning_rate is inf: it must lie between 1e-08 and 10.0."),
        ({"learning_rate": True}, "learning_rate is True: it must be of type float, not bool."),
        ({"schedule": "cosine"}, "schedule is 'cosine': choose one of constant, one-cycle."),
        ({"initialisation": "zeros"}, "initialisation is 'zeros': choose one of xavier, kaiming."),
        ({"output": "softmax"}, "output is 'softmax': choose one of sigmoid, logits."),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0: it must lie between 0.0 and 0.9."),
        ({"shuffle": 1}, "shuffle is 1: it must be of type bool, not int."),
        ({"augmentation": "mixup"}, "augmentation is 'mixup': choose one of none, flip, flip-crop, photo."),
        ({"precision": "float16"}, "precision is 'float16': choose one of float32, tf32, bfloat16."),
        ({"seed": -1}, "seed is -1: it must lie between 0 and 2,147,483,647."),
        ({"train_images": 0}, "train_images is 0: it must lie between 1 and 10,000,000."),
        ({"train_images": "all"}, "train_images is 'all': it must be of type int or null, not str."),
        ({"held_out": -1}, "held_out is -1: it must lie between 0 and 10,000,000."),
        (
            {"dataset": "imagenet"},
            "dataset is 'imagenet': choose one of fashion-mnist, mnist, kmnist, cifar10, canvas, clothes, or folder:PATH.",
        ),
        (
            {"dataset": "folder:"},
            "dataset is 'folder:': choose one of fashion-mnist, mnist, kmnist, cifar10, canvas, clothes, or folder:PATH.",
        ),
        (
            {"dataset": "canvas:1"},
            "dataset is 'canvas:1': write canvas, canvas:AREA or canvas:AREA:PIECES, with the per cent of the image that an "
            "item takes, 2 to 100, and the pieces of clutter, 0 to 64.",
        ),
        (
            {"trunk": "resnet"},
            "trunk is 'resnet': choose one of article, efficientnet-lite0, efficientnet-lite1, or timm:NAME, for example "
            "timm:resnet18.",
        ),
        ({"name": ""}, "name is '': a recipe's name has 1 to 60 characters."),
        ({"name": "x" * 61}, f"name is '{'x' * 61}': a recipe's name has 1 to 60 characters."),
    ],
    ids=lambda value: f"{next(iter(value.items()))}"[:40] if isinstance(value, dict) else "",
)
def test_what_no_run_can_have_is_one_clear_sentence(values, sentence):
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json(values)
    assert str(caught.value) == sentence


def test_every_field_has_a_case_above():
    [mark] = test_what_no_run_can_have_is_one_clear_sentence.pytestmark
    assert {name for values, _ in mark.args[1] for name in values} == {spec.name for spec in dataclasses.fields(Recipe)}


def test_an_unknown_field_names_the_known_ones():
    with pytest.raises(
        RecipeError, match=r"^a recipe has no field 'lr': its fields are name, dataset, pool, trunk, placement, epochs, .*\.$"
    ):
        Recipe.from_json({"lr": 0.1})
    with pytest.raises(RecipeError, match="has no field 'momentum'"):
        ARTICLE.but(momentum=0.9)


@pytest.mark.parametrize("values", [None, [], "article", 3])
def test_only_an_object_is_a_recipe(values):
    with pytest.raises(RecipeError, match=f"^a recipe is a JSON object, not {type(values).__name__}\\.$"):
        Recipe.from_json(values)


def test_every_field_explains_itself():
    for spec in dataclasses.fields(Recipe):
        assert spec.metadata["help"]
