"""Colours that everybody can tell apart: colour blindness after Machado et al. (2009), distances in CIELAB."""

import itertools
from typing import get_args

import numpy as np
import pytest

from gpcore.drawing.theme import POOL_COLOURS
from gpcore.recipe import Pool

SEEN = {
    "all colours": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
BACKGROUNDS = ("#ffffff", "#0e1117")


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x, y, z = np.cbrt(np.array(to_xyz) @ rgb / [0.95047, 1.0, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_every_head_has_a_colour_of_its_own():
    assert tuple(POOL_COLOURS) == get_args(Pool)
    assert len(set(POOL_COLOURS.values())) == len(POOL_COLOURS)


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("pool", POOL_COLOURS)
def test_every_colour_stands_out_on_both_themes(pool, background):
    dark, light = sorted([luminance(POOL_COLOURS[pool]), luminance(background)])
    assert (light + 0.05) / (dark + 0.05) > 2.9  # the first two poolings' lightest, orange on white


@pytest.mark.parametrize("eyes", SEEN)
def test_colour_blind_people_tell_them_apart(eyes):
    seen = {pool: lab((np.array(SEEN[eyes]) @ linear(colour)).clip(0, 1)) for pool, colour in POOL_COLOURS.items()}
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 13, (one, other)
