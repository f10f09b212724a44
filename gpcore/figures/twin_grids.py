"""The same layer of several networks for the same image, as grids that can be compared."""

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from gpcore.drawing import colour_scales
from gpcore.drawing.panels import signed
from gpcore.drawing.sheets import Field
from gpcore.drawing.theme import POOL_COLOURS
from gpcore.figures.map_grids import MapGrid
from gpcore.insight import layer_maps
from gpcore.insight.analysis import Analysis
from gpcore.insight.evidence import cell_size, receptive_field

MOST_MAPS = 128
"""Maps of a layer that are shown: of more, those that add most to the answer's score."""

FINEST = 72
"""Cells along a map's side that are shown: of more, the means of neighbours, as a screen would show them anyhow."""


def twin_grids(
    looks: Sequence[Analysis],
    layer: int,
    classes: Sequence[str],
    scale: str = "layer",
    sort: bool = False,
    hidden: bool = False,
) -> list[MapGrid]:
    """One grid for every look; with `sort` the maps that add most to the answer come first, `hidden` leaves out the answer.

    Raises:
        InsightError: no such layer or scale.
    """
    spans = colour_scales.spans([look.maps(layer) for look in looks], scale)
    return [_grid(look, layer, classes, span, sort and not hidden, hidden) for look, span in zip(looks, spans, strict=True)]


def colour_of(look: Analysis) -> str:
    """The colour of a look's pooling, as in every other chart."""
    return POOL_COLOURS[look.network.pool_name]


def _grid(look: Analysis, layer: int, classes: Sequence[str], spans: Tensor, sort: bool, hidden: bool) -> MapGrid:
    maps = look.maps(layer)
    of_classes = layer == len(look.network.network) or (layer == look.network.class_maps_layer and look.network.has_class_maps)
    sort = (sort or len(maps) > MOST_MAPS) and not hidden
    values = look.contributions(layer) if (of_classes or sort) and not hidden else None
    numbers = layer_maps.order(values if sort else None, len(maps))[:MOST_MAPS]
    factor = math.ceil(max(maps.shape[1:]) / FINEST)
    maps = functional.avg_pool2d(maps, factor) if factor > 1 else maps
    return MapGrid(
        maps=maps,
        spans=spans,
        numbers=numbers,
        titles=[_title(number, classes if of_classes else None, values) for number in numbers.tolist()],
        dead=frozenset(layer_maps.dead(maps).nonzero()[:, 0].tolist()),
        colour=colour_of(look),
        chosen=look.answer if of_classes and not hidden else None,
        weights=look.evidence.weights if of_classes and layer == look.network.class_maps_layer else None,
        field=_field(look, layer, factor),
    )


def _field(look: Analysis, layer: int, factor: int) -> Field:
    """What a cell that is shown, `factor` cells of a layer wide, sees of the image: behind a pooling, all of it."""
    height, width = look.image.shape[2:]
    if look.outputs[layer].ndim == 2:
        return Field(0, 0, max(height, width), height, width)
    seen = receptive_field(look.network, 0, 0, layer)
    step = cell_size(look.network, layer)
    return Field(seen.top, step * factor, seen.height + (factor - 1) * step, height, width)


def _title(number: int, classes: Sequence[str] | None, values: Tensor | None) -> str:
    if values is None:
        return classes[number] if classes else str(number)
    value = signed(values[number].item())
    return f"{classes[number]}\n{value}" if classes else f"{number}  {value}"
