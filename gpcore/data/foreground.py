"""Which pixels of a photograph are the object: classical, deterministic, and without any training.

Three first guesses are refined by GrabCut (Rother et al. 2004), and the most plausible outcome is taken: a single first guess
can collapse where the object touches the border or looks like the floor.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from gpcore.data.decoding import Photo

Pixels = UInt8[np.ndarray, "height width 3"]
Mask = Bool[np.ndarray, "height width"]
Levels = Float[np.ndarray, "height width"]

SIDE = 160
"""Pixels along the longer side for the search: the result has 28, so more would only cost time."""

ROUNDS = 4
"""Iterations of GrabCut."""

SEED = 0
"""Seed of GrabCut's and k-means' first centres, so that a photograph always has the same result."""

SPOT = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))


def find_foreground(photo: Photo) -> Mask:
    """Returns the mask of the object. A picture's transparency, if it has any, is used unchanged.

    The mask is never empty: without a clear object, the whole picture is the object.
    """
    if photo.opaque is not None:
        return photo.opaque
    small = _reduced(photo.pixels)
    guesses = [_tidy(_refined(small, trimap)) for trimap in _trimaps(small)]
    best = max(guesses, key=plausibility)
    mask = cv2.resize(best.astype(np.uint8) * 255, photo.size, interpolation=cv2.INTER_LINEAR) >= 128
    return mask if mask.any() else np.ones_like(mask)


def plausibility(mask: Mask) -> float:
    """Returns how much a mask looks like one photographed object: medium size, central, compact, not on the border.

    `size + solidity / 2 - border - offset`: `size` is 1 between 12 and 75 % of the picture and falls to 0 outside, `solidity`
    the share of its convex hull that it fills, `border` the share of the border that it covers, `offset` how far its centre
    lies from the picture's, in sides.
    """
    rows, columns = np.nonzero(mask)
    if len(rows) < 20:
        return -np.inf
    height, width = mask.shape
    cover = mask.mean()
    size = 1 - max(0, (0.12 - cover) / 0.12) - max(0, (cover - 0.75) / 0.25)
    hull = cv2.contourArea(cv2.convexHull(np.stack([columns, rows], 1).astype(np.int32)))
    solidity = min(1.0, len(rows) / max(hull, 1.0))
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean()
    offset = np.hypot(rows.mean() / height - 0.5, columns.mean() / width - 0.5)
    return float(size + solidity / 2 - border - offset)


def _reduced(pixels: Pixels) -> UInt8[np.ndarray, "rows columns 3"]:
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _trimaps(pixels: Pixels) -> Iterator[UInt8[np.ndarray, "height width"]]:
    """First guesses, in GrabCut's own marks: surely or probably background or foreground."""
    height, width = pixels.shape[:2]
    yield _trimap_of(np.minimum(border_distance(pixels), 12) * _centre(height, width, 0.45))
    yield _trimap_of(_centre(height, width, 0.3))
    frame = np.full((height, width), cv2.GC_BGD, np.uint8)
    top, left = round(0.08 * height), round(0.08 * width)
    frame[top : height - top, left : width - left] = cv2.GC_PR_FGD
    yield frame


def border_distance(pixels: Pixels, clusters: int = 4) -> Levels:
    """Returns how far each pixel's colour is from the colours along the border, in standard deviations.

    The border's Lab colours are grouped by k-means; the distance is Mahalanobis' to the nearest group that makes up at least
    5 % of the border.
    """
    lab = cv2.cvtColor(cv2.GaussianBlur(pixels, (0, 0), 1.0).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    samples = lab[_border(lab.shape[0], lab.shape[1], 0.04)]
    cv2.setRNGSeed(SEED)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    _, group, _ = cv2.kmeans(samples, clusters, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    groups = [samples[group[:, 0] == number] for number in range(clusters)]
    kept = [part for part in groups if len(part) >= max(4, 0.05 * len(samples))]
    return np.sqrt(np.min([_squared_distance(lab, part) for part in kept], axis=0))


def _squared_distance(lab: np.ndarray, samples: np.ndarray) -> Levels:
    spread = np.cov(samples.T) + 9 * np.eye(3)  # real surfaces vary by at least three units of Lab
    offset = lab - samples.mean(0)
    return np.einsum("hwi,ij,hwj->hw", offset, np.linalg.inv(spread), offset)


def _border(height: int, width: int, share: float) -> Bool[np.ndarray, "rows columns"]:
    edge = max(1, round(share * min(height, width)))
    border = np.ones((height, width), bool)
    border[edge:-edge, edge:-edge] = False
    return border


def _centre(height: int, width: int, spread: float) -> Levels:
    """Returns a Gaussian over the middle of the picture, `spread` sides wide."""
    rows, columns = np.mgrid[:height, :width]
    distance = ((rows / height - 0.5) / spread) ** 2 + ((columns / width - 0.5) / spread) ** 2
    return np.exp(-distance / 2)


def _trimap_of(salience: Levels) -> UInt8[np.ndarray, "height width"]:
    """Otsu's threshold parts probable from probable; far from it, and along the very border, the marks are sure."""
    levels = salience / max(salience.max(), 1e-9)
    threshold = cv2.threshold((levels * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
    trimap = np.where(levels > threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[(levels < 0.15 * threshold) | _border(levels.shape[0], levels.shape[1], 0.01)] = cv2.GC_BGD
    return trimap


def _refined(pixels: Pixels, trimap: UInt8[np.ndarray, "height width"]) -> Mask:
    marks = trimap.copy()
    present = set(np.unique(marks).tolist())
    if not (present & {cv2.GC_PR_FGD} and present & {cv2.GC_BGD, cv2.GC_PR_BGD}):
        return marks == cv2.GC_PR_FGD
    cv2.setRNGSeed(SEED)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(pixels, marks, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)


def _tidy(mask: Mask) -> Mask:
    """Removes specks, holes, and parts smaller than 15 % of the largest."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, SPOT)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return mask
    areas = statistics[:, cv2.CC_STAT_AREA]
    large = [number for number in range(1, count) if areas[number] >= 0.15 * areas[1:].max()]
    return _filled(np.isin(labels, large))


def _filled(mask: Mask) -> Mask:
    """Fills the mask's holes: background that is not connected to the outside."""
    framed = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(framed, None, (0, 0), 2)
    return framed[1:-1, 1:-1] != 2
