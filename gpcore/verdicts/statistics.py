"""How far a result over several seeds can be trusted: intervals, paired tests, and a verdict that follows from a rule.

Every function takes one number per seed and speaks about *other seeds*, on the same test images. Other images are another
matter: that is what `mcnemar` is for, which sets two networks against each other.

    gap, gmp = {0: 0.921, 1: 0.919, ...}, {0: 0.908, 1: 0.910, ...}     # seed: accuracy
    Verdict(Comparison("GAP", "GMP", PairedDifferences.of(gap, gmp))).sentence
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import special, stats

from gpcore.errors import InsightError

SIGNIFICANT = 0.05
"""Below this p-value a difference is called more than chance."""

CONFIDENCE = 0.95
"""How often an interval made by the rules below holds the true value."""

EQUIVALENT = 0.005
"""Two heads whose difference lies within half a point of accuracy, either way, are equivalent for every practical purpose."""

EXACT_UP_TO = 16
"""Seeds up to which all sign flips are tried, 65,536 of them; beyond, as many are drawn."""

RESAMPLES = 9_999
"""Draws of a bootstrap."""

Outcome = Literal["first", "second", "none", "too few"]
"""The first is better; the second is; no difference was found; there were too few seeds for any difference to be found."""


@dataclass(frozen=True)
class Mean:
    """The mean of some numbers and half the width of its 95 % interval, None for a single number, which has none."""

    value: float
    margin: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        """`mean ± t * s / sqrt(n)`, t being the 97.5 % quantile of Student's distribution with n - 1 degrees of freedom.

        Raises:
            InsightError: there are no numbers.
        """
        if not len(values):
            raise InsightError("There is nothing to average: train at least one seed.")
        count = len(values)
        if count == 1:
            return cls(float(values[0]), None, 1)
        quantile = stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)
        return cls(float(np.mean(values)), float(quantile * np.std(values, ddof=1) / math.sqrt(count)), count)

    def within(self, lowest: float, highest: float) -> tuple[float, float]:
        """How far the interval reaches below the mean and above it, ended at what such a number can be: Student's t knows no
        bounds, and of few numbers that scatter it passes them."""
        margin = self.margin or 0.0
        return min(margin, self.value - lowest), min(margin, highest - self.value)


@dataclass(frozen=True)
class PairedDifferences:
    """Two results per seed, first less second, in the order of the seeds."""

    seeds: tuple[int, ...]
    differences: tuple[float, ...]

    @classmethod
    def of(cls, first: Mapping[int, float], second: Mapping[int, float]) -> "PairedDifferences":
        """From each side's result by seed; seeds that only one of them has are left out.

        Raises:
            InsightError: they have no seed in common.
        """
        seeds = tuple(sorted(first.keys() & second.keys()))
        if not seeds:
            raise InsightError("The two have no seed in common, so nothing can be paired: train both with the same seeds.")
        return cls(seeds, tuple(first[seed] - second[seed] for seed in seeds))

    @cached_property
    def mean(self) -> Mean:
        """The mean difference with the interval of the paired t-test."""
        return Mean.of(self.differences)

    @cached_property
    def bootstrap(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean difference by the bias-corrected, accelerated bootstrap (Efron 1987), seeded.

        It assumes no distribution, but few numbers don't show their tails: of normal differences it held the true mean in
        85 % of 400 draws of 5 or 8 seeds, and in 90 % of 20. Student's `mean.margin` is the one to go by. None for a single
        seed.
        """
        if len(self.seeds) == 1:
            return None
        if len(set(self.differences)) == 1:  # nothing varies: the bootstrap has one value, and SciPy answers NaN
            return self.differences[0], self.differences[0]
        drawn = stats.bootstrap(
            (self.differences,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, rng=np.random.default_rng(0)
        )
        interval = drawn.confidence_interval
        return float(interval.low), float(interval.high)

    @cached_property
    def p_value(self) -> float:
        """The permutation test of Fisher (1935): had the pooling made no difference, each sign would be a coin's toss.

        The share of all 2^n ways to toss them whose mean is at least as far from 0, two-sided. Exact up to `EXACT_UP_TO`
        seeds; beyond, as many tosses are drawn, seeded.
        """
        if len(self.seeds) == 1 or not any(self.differences):
            return 1.0
        flipped = stats.permutation_test(
            (self.differences,), np.mean, permutation_type="samples", n_resamples=2**EXACT_UP_TO, rng=np.random.default_rng(0)
        )
        return float(flipped.pvalue)

    def detectable(self, significant: float = SIGNIFICANT) -> float | None:
        """The smallest difference that so many seeds, scattering as these do, could have found; None for a single seed."""
        if len(self.seeds) == 1:
            return None
        return smallest_effect(len(self.seeds), significant) * float(np.std(self.differences, ddof=1))


def smallest_effect(seeds: int, significant: float = SIGNIFICANT, power: float = 0.8) -> float:
    """The true difference, in standard deviations of the differences, that so many seeds find with probability `power`.

    It solves `P(T > t) = power` for d, T being noncentral t with n - 1 degrees of freedom and noncentrality `d sqrt(n)`, t the
    two-sided critical value: the paired t-test (Cohen 1988). Sign flips find nearly as much from eight seeds on, and
    nothing at the 5 % level with five or fewer.

    Raises:
        InsightError: fewer than two seeds.
    """
    if seeds < 2:
        raise InsightError(f"{seeds} seed has no scatter to tell a difference from: train at least 2.")
    critical = stats.t.ppf(1 - significant / 2, seeds - 1)
    return float(special.nctdtrinc(seeds - 1, 1 - power, critical) / math.sqrt(seeds))


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact test (1947) on images that exactly one of two networks has right: how often a fair coin, tossed for
    each of them, would favour one network at least so clearly; two-sided."""
    tosses = only_first + only_second
    return float(stats.binomtest(only_first, tosses).pvalue) if tosses else 1.0


def accuracy_interval(accuracy: float, images: int) -> tuple[float, float]:
    """The 95 % interval of an accuracy measured on so many images (Wilson 1927): chance in the images, not in the seed."""
    interval = stats.binomtest(round(accuracy * images), images).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def seeds_needed(family: int = 1) -> int:
    """The fewest seeds with which the sign-flip test can find a difference, corrected for a family of so many comparisons."""
    seeds = 1
    while family * 2.0 ** (1 - seeds) >= SIGNIFICANT:
        seeds += 1
    return seeds


@dataclass(frozen=True)
class Comparison:
    """Two names and their paired differences, first less second, as fractions: 0.01 is one point."""

    first: str
    second: str
    paired: PairedDifferences


@dataclass(frozen=True)
class Verdict:
    """What the seeds of one comparison show, corrected for the `family` of comparisons that it belongs to.

    The size of a family is fixed before anything is trained, so no other comparison's seeds change this verdict. The rule:

    1. With so many seeds the corrected p cannot fall below 0.05, whatever they show: *too few*.
    2. The corrected p is below 0.05: the one with the higher mean is *better*, by the mean difference ± its 95 % t-interval.
    3. Else *no difference was found*, and one beyond the far end of that interval is unlikely.

    Whatever the outcome, the two are *equivalent* where the whole interval lies within half a point of zero.
    """

    comparison: Comparison
    family: int = 1

    @property
    def p_value(self) -> float:
        """The sign-flip test's p after Bonferroni's correction: times the size of the family, at most 1."""
        return min(1.0, self.family * self.comparison.paired.p_value)

    @property
    def missing_seeds(self) -> int:
        """How many more seeds both need before any difference could be found."""
        return max(0, seeds_needed(self.family) - self.comparison.paired.mean.count)

    @property
    def outcome(self) -> Outcome:
        if self.missing_seeds:
            return "too few"
        if self.p_value >= SIGNIFICANT:
            return "none"
        return "first" if self.comparison.paired.mean.value > 0 else "second"

    @property
    def equivalent(self) -> bool:
        """Whether the 95 % interval lies within `EQUIVALENT` of zero: two one-sided t-tests at 2.5 % (Schuirmann 1987)."""
        mean = self.comparison.paired.mean
        # A few seeds may agree by accident, so as many are asked for as a difference needs.
        return mean.margin is not None and mean.count >= seeds_needed() and abs(mean.value) + mean.margin < EQUIVALENT

    @property
    def sentence(self) -> str:
        """The verdict in a sentence, in points of accuracy."""
        mean = self.comparison.paired.mean
        pair = self.comparison.first, self.comparison.second
        ahead, behind = pair if mean.value > 0 else reversed(pair)
        names = " and ".join(pair)
        match self.outcome:
            case "too few":
                stand = f"{ahead} is ahead of {behind} by {self.points}" if mean.value else f"{names} are level"
                return f"Not settled: {stand} ({self.evidence}), {self.needed}.{self.equivalence}"
            case "none":
                return f"No difference found between {names} ({self.evidence}); {_unlikely(mean)}.{self.equivalence}"
        return f"{self.short} than {behind} ({self.evidence}).{self.equivalence}"

    @property
    def short(self) -> str:
        """The verdict in a few words: `GAP better by 0.6 ± 0.3 points`."""
        pair = self.comparison.first, self.comparison.second
        ahead = pair[self.comparison.paired.mean.value <= 0]
        match self.outcome:
            case "too few":
                return f"Not settled: {self.needed}"
            case "none":
                return "No difference found"
        return f"{ahead} better by {self.points}"

    @property
    def points(self) -> str:
        """How far apart the two are: `0.9 ± 0.3 points`."""
        return _points(self.comparison.paired.mean)

    @property
    def evidence(self) -> str:
        """What the verdict rests on: `10 seeds, p = 0.002`, and the corrected p where there is a correction."""
        count, raw = self.comparison.paired.mean.count, self.comparison.paired.p_value
        corrected = f", corrected for {self.family} heads {p_text(self.p_value)}" if self.family > 1 else ""
        return f"{count} seed{'s' * (count > 1)}, {p_text(raw)}{corrected}"

    @property
    def needed(self) -> str:
        """For example `3 more seeds needed`."""
        return f"{self.missing_seeds} more seed{'s' * (self.missing_seeds > 1)} needed"

    @property
    def equivalence(self) -> str:
        """A sentence where the two are equivalent, else nothing."""
        return f" They differ by less than {100 * EQUIVALENT:g} points (95 %)." if self.equivalent else ""


def _points(mean: Mean) -> str:
    """`0.9 ± 0.3 points`, with a second decimal where the first would leave the number or its margin at 0.0."""
    if mean.margin is None:
        return f"{100 * abs(mean.value):.1f} points"
    digits = _digits(min(abs(mean.value), mean.margin))
    return f"{100 * abs(mean.value):.{digits}f} ± {100 * mean.margin:.{digits}f} points"


def _unlikely(mean: Mean) -> str:
    """What the interval leaves room for, rounded up."""
    assert mean.margin is not None  # a single seed is too few
    furthest = abs(mean.value) + mean.margin
    if furthest == 0:
        return "the two are equal with every seed"
    digits = _digits(furthest)
    bound = math.ceil(100 * furthest * 10**digits - 1e-9) / 10**digits
    return f"a difference above {bound:.{digits}f} points is unlikely"


def _digits(fraction: float) -> int:
    return 1 if 100 * fraction >= 0.095 else 2


def p_text(value: float) -> str:
    """Returns a p-value as it is written: `p = 0.002`."""
    return f"p = {value:.3f}" if value >= 0.001 else "p < 0.001"
