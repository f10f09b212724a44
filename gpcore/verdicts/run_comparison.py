"""Two runs against each other: how much better one is, whether that is more than chance, and what else tells them apart."""

from dataclasses import dataclass, fields

from gpcore.insight.disagreement import Disagreement
from gpcore.recipe import Recipe
from gpcore.verdicts.statistics import SIGNIFICANT, mcnemar, p_text


@dataclass(frozen=True)
class PairedCount:
    """Two networks on the same images: how many each has right, and how many only one of them has."""

    images: int
    first_right: int
    second_right: int
    only_first: int
    only_second: int

    @classmethod
    def of(cls, answers: Disagreement) -> "PairedCount":
        """Counted from both networks' answers."""
        first, second = (int((part.labels == answers.actual).sum()) for part in (answers.first, answers.second))
        return cls(len(answers.actual), first, second, answers.count("first"), answers.count("second"))

    @property
    def difference(self) -> float:
        """Accuracy of the first less that of the second, a fraction."""
        return (self.first_right - self.second_right) / self.images

    @property
    def p_value(self) -> float:
        """McNemar's, on the images that only one network has right."""
        return mcnemar(self.only_first, self.only_second)

    @property
    def clear(self) -> bool:
        """Whether the difference is more than chance in the images explains."""
        return self.p_value < SIGNIFICANT


def verdict(first: str, second: str, count: PairedCount) -> str:
    """One sentence about two runs, named `first` and `second`.

    The rule: who has more of the same images right is ahead; if McNemar's p is below 0.05 the images alone don't explain
    it. Two single runs never decide between two poolings, and the sentence says so.
    """
    points = abs(count.difference) * 100
    if count.difference == 0:
        return f"{first} and {second} have equally many of the {count.images:,} test images right."
    ahead, behind = (first, second) if count.difference > 0 else (second, first)
    lead = f"{ahead} is {points:.1f} points ahead of {behind} on the {count.images:,} test images"
    p = f"(McNemar {p_text(count.p_value)})"
    if not count.clear:
        return f"{lead}, too little to tell from chance {p}: no difference found between these two runs."
    return f"{lead}, more than chance in the images explains {p}; another seed may still turn it around."


def other_differences(first: Recipe, second: Recipe) -> list[str]:
    """What two recipes differ in beside the pooling: then it is not the pooling alone that is compared."""
    names = [spec.name for spec in fields(Recipe) if spec.name not in ("pool", "name")]
    return [name.replace("_", " ") for name in names if getattr(first, name) != getattr(second, name)]
