"""The scores of one image as sums of cells, and their drawing over the image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from gpcore.drawing.vector import save_sheet, sheet_svg
from gpcore.insight.evidence import Evidence
from gpcore.inspection.drawn import evidence_sheet


@dataclass(frozen=True)
class CellEvidence(Evidence):
    """The scores of one image taken apart, a row for each of `labels`, all of them classes (or pooled features).

    Where it `is_exact`, cells and remainder are the network's own sum. Where not, `how` names the linearisation, and the
    remainder is what it leaves over. `names` are the rows' names in a drawing.
    """

    labels: Int64[Tensor, " rows"]
    names: tuple[str, ...]
    is_exact: bool
    how: str
    picture: np.ndarray

    def _repr_html_(self) -> str:
        return sheet_svg(evidence_sheet(self, self.names, self.picture, self.how))

    def save(self, path: str | Path) -> None:
        """Draws the highest scores over the image, into a file whose name ends in `.png` or `.svg`."""
        save_sheet(evidence_sheet(self, self.names, self.picture, self.how), Path(path))
