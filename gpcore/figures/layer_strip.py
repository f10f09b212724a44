"""Every layer of a network as a thumbnail, to choose one from."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from gpcore.drawing.colour_scales import ends
from gpcore.drawing.sheets import Matrix, colours
from gpcore.insight.analysis import Analysis


def thumbnail(look: Analysis, layer: int) -> UInt8[Tensor, "3 height width"]:
    """Returns the mean of a layer's maps in the colours of brightness; scores, one cell each, are side by side."""
    maps = look.maps(layer)
    shown = maps.mean(0) if maps[0].numel() > 1 else maps.reshape(1, -1)
    return torch.from_numpy(colours(Matrix(shown, *ends(shown)))[:, :, :3].copy()).permute(2, 0, 1)
