"""The result of `inspect`: a network's global pooling, and its description."""

from dataclasses import dataclass

from gpcore.inspection.layouts import Layout
from gpcore.inspection.trace import Site
from gpcore.nets.pooling import GlobalPool

CLASS_TOKEN = "the class token"


@dataclass(frozen=True)
class Found:
    """A network's global pooling.

    `maps` and `pooled` are where the last maps and the vector that they become are made. `pool` is the pooling that was
    recognised, None for one that is not a known function of the maps alone, named by `title`; the evidence for that is taken
    at `source`. `between` names what is not linear behind it: nothing, if the class scores are sums of cells and of `rest`.
    """

    maps: Site
    pooled: Site
    layout: Layout
    pool: GlobalPool | None
    title: str
    place: str
    classifier: str
    between: tuple[str, ...]
    shape: tuple[int, int, int]
    classes: int
    source: Site
    rest: str

    @property
    def is_exact(self) -> bool:
        """Whether cells add up to the class scores by the network's own arithmetic, with nothing linearised."""
        return self.pool is not None and not self.between

    @property
    def sentence(self) -> str:
        """One sentence that describes the pooling."""
        channels, rows, columns = self.shape
        found = f"{self.title} of {channels} maps of {rows}×{columns} cells, in {self.place}; behind it {self.classifier}."
        if self.is_exact:
            return f"{found} Cells add up to each class's score exactly."
        if self.pool is None:
            return f"{found} Its cells' shares of a class's score are a linearisation: each value times its gradient."
        bent = f"{', '.join(self.between)} between those and the classes {'are' if len(self.between) > 1 else 'is'} not linear"
        return f"{found} Cells add up to each pooled feature exactly; {bent}: shares of a class's score are a linearisation."
