"""Starved classes, which a network hardly ever answers: they explain plateaus in a run's accuracy, and the jumps after them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

STARVED_SHARE = 0.25
"""A class that is answered less than a quarter as often as there are images of it counts as starved."""


@dataclass(frozen=True)
class Starved:
    """A class answered `answered` times, although it has `actual` images."""

    name: str
    answered: int
    actual: int


def answer_shares(confusion: list[list[int]]) -> list[float]:
    """Returns how often each class is answered, as a multiple of its true number; 0 is a starved class."""
    answered = [sum(column) for column in zip(*confusion, strict=True)]
    actual = [sum(row) for row in confusion]
    return [given / true if true else math.nan for given, true in zip(answered, actual, strict=True)]


def starved_classes(confusion: list[list[int]], classes: Sequence[str]) -> list[Starved]:
    """The classes that are hardly ever answered, by `confusion[actual][answered]`; the worst first.

    If most are, as in the first epochs, the network has not learned to distinguish classes yet, and none is returned.
    """
    rows = zip(classes, zip(*confusion, strict=True), confusion, answer_shares(confusion), strict=True)
    found = [Starved(name, sum(answers), sum(images)) for name, answers, images, share in rows if share < STARVED_SHARE]
    if 2 * len(found) > len(classes):
        return []
    return sorted(found, key=lambda starved: starved.answered / starved.actual)


def at_chance(confusion: list[list[int]]) -> str:
    """A sentence where no more answers are right than a guess gets by chance, within two standard errors; else nothing."""
    images = sum(map(sum, confusion))
    chance = max(map(sum, confusion)) / images
    right = sum(row[place] for place, row in enumerate(confusion)) / images
    if right > chance + 2 * math.sqrt(chance * (1 - chance) / images):
        return ""
    return (
        f"has learnt nothing yet: {right:.1%} of its answers are right, and always answering the commonest class gets "
        f"{chance:.1%}. Train it for more epochs, or with smaller batches."
    )


def explained(starved: Sequence[Starved]) -> str:
    """Explains starved classes in a sentence or two; empty if there are none."""
    if not starved:
        return ""
    counts = " and ".join(f"{one.name} {one.answered:,} times ({one.actual:,} would be right)" for one in starved)
    return f"hardly ever answers {counts}. Accuracy stays on a plateau meanwhile, and jumps when such a class recovers."
