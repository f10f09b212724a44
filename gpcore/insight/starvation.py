"""Classes that a network hardly ever answers: they explain the plateaus in a run's accuracy, and the jumps that end them."""

from collections.abc import Sequence
from dataclasses import dataclass

from gpcore.insight.comparison import answer_shares

STARVED_SHARE = 0.25
"""A class that is answered less than a quarter as often as there are images of it counts as starved."""


@dataclass(frozen=True)
class Starved:
    """A class answered `answered` times, though `actual` images are of it."""

    name: str
    answered: int
    actual: int


def starved_classes(confusion: list[list[int]], classes: Sequence[str]) -> list[Starved]:
    """The classes that are hardly ever answered, by `confusion[actual][answered]`; the worst first.

    Where most are, as in the first epochs, the network has not learnt to tell classes apart at all yet: none is named.
    """
    rows = zip(classes, zip(*confusion, strict=True), confusion, answer_shares(confusion), strict=True)
    found = [Starved(name, sum(answers), sum(images)) for name, answers, images, share in rows if share < STARVED_SHARE]
    if 2 * len(found) > len(classes):
        return []
    return sorted(found, key=lambda starved: starved.answered / starved.actual)


def explained(starved: Sequence[Starved]) -> str:
    """What that means, in a sentence or two; empty where no class is starved."""
    if not starved:
        return ""
    counts = " and ".join(f"{one.name} {one.answered:,} times ({one.actual:,} would be right)" for one in starved)
    return f"hardly ever answers {counts}. Accuracy stays on a plateau meanwhile, and jumps when such a class recovers."
