"""How often 95 % intervals hold the true value: simulated benchmarks whose truth is known.

``python -m tests.interval_coverage --simulations 1000`` prints the table of docs/statistics.md (about
ten minutes on one core). Errors are skewed like real ones; bins are drawn anew in each simulation.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize, stats

from prn_bench.intervals import (
    LEVEL,
    Interval,
    auc_interval,
    failure_interval,
    headline_interval,
)
from prn_bench.ranking import pairwise, rank_intervals
from prn_bench.shares import share_interval

AUC_LIMIT, FAILURE_LIMIT = 7.0, 10.0


@dataclass(frozen=True)
class World:
    """A benchmark: images in each bin, mean error of each, and how errors scatter.

    ``spread`` is the standard deviation of the logarithm (log-normal errors) or, with ``gamma``, the
    coefficient of variation. With ``subjects`` the images of every bin are dealt to them in turn,
    and ``between`` is the standard deviation of the logarithm from subject to subject.
    """

    name: str
    sizes: tuple[int, ...]
    means: tuple[float, ...] = (2.9, 3.7, 4.8)
    spread: float = 0.4
    gamma: bool = False
    subjects: int = 0
    between: float = 0.0
    missing: float = 0.0

    @property
    def bins(self) -> NDArray[np.intp]:
        """(n,) bin of each image."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def groups(self) -> NDArray[np.intp] | None:
        """(n,) subject of each image."""
        if not self.subjects:
            return None
        return np.concatenate([np.arange(size) % self.subjects for size in self.sizes])

    def draw(self, rng: np.random.Generator, methods: int = 1) -> NDArray[np.float64]:
        """(n, methods) errors, half of whose scatter is shared by all methods; NaN where missing."""
        n, bins = sum(self.sizes), self.bins
        if self.gamma:
            shape = self.spread**-2
            return rng.gamma(shape, np.take(self.means, bins)[:, None] / shape, (n, methods))
        scatter = self.spread * rng.normal(size=(n, methods))
        if methods > 1:
            scatter = (scatter + self.spread * rng.normal(size=(n, 1))) / np.sqrt(2)
        if self.groups is not None:
            scatter += self.between * rng.normal(size=self.subjects)[self.groups, None]
        lost = np.where(rng.random(n) < self.missing, np.nan, 0.0)[:, None]
        return np.exp(np.log(self.means)[bins, None] + scatter - self.total**2 / 2) + lost

    @property
    def total(self) -> float:
        """Standard deviation of the logarithm over all images of a bin."""
        return float(np.hypot(self.spread, self.between))

    def truth(self) -> dict[str, float]:
        """The value that each figure estimates."""
        shares = np.array(self.sizes) / sum(self.sizes)
        parts = [self._distribution(mean) for mean in self.means[: len(self.sizes)]]

        def below(error: float) -> float:
            return float(
                sum(share * part.cdf(error) for share, part in zip(shares, parts, strict=True))
            )

        means = np.array([part.mean() for part in parts])
        return {
            "mean-of-bins": float(means.mean()),
            "mean-of-images": float(shares @ means),
            "median": float(optimize.brentq(lambda error: below(error) - 0.5, 1e-3, 1e3)),
            "auc": float(integrate.quad(below, 0, AUC_LIMIT)[0] / AUC_LIMIT),
            "failure-rate": 1 - below(FAILURE_LIMIT),
        }

    def _distribution(self, mean: float):
        if self.gamma:
            return stats.gamma(self.spread**-2, scale=mean * self.spread**2)
        return stats.lognorm(self.total, scale=mean * np.exp(-(self.total**2) / 2))


YAWS = (4.5, 3.7, 2.9, 3.7, 4.5)  # mean error in each of five yaw bins
WORSE = (6.3, 5.2, 4.1, 5.2, 6.3)

WORLDS = (
    World("AFLW2000-3D", (1312, 383, 305)),
    World("AFLW2000-3D, gamma", (1312, 383, 305), spread=0.6, gamma=True),
    World("AFLW2000-3D, very skewed", (1312, 383, 305), spread=0.8),
    World("AFLW2000-3D, 10 % missing", (1312, 383, 305), missing=0.1),
    World("60 images", (20, 20, 20)),
    World("60 images, unequal bins", (40, 12, 8)),
    World("10 images", (10,)),
    World("60 images, few failures", (20, 20, 20), (2.5, 3.2, 4.1)),
    World("60 images, more failures", (20, 20, 20), (4.0, 5.1, 6.6)),
    World("33 subjects", (99, 99, 195, 99, 99), YAWS, 0.3, subjects=33, between=0.25),
    World("10 subjects", (30, 30, 60, 30, 30), YAWS, 0.3, subjects=10, between=0.25),
    World("6 subjects", (18, 18, 36, 18, 18), YAWS, 0.3, subjects=6, between=0.25),
    World("33 subjects, clustered", (99, 99, 195, 99, 99), YAWS, 0.2, subjects=33, between=0.5),
    World("10 subjects, clustered", (30, 30, 60, 30, 30), YAWS, 0.2, subjects=10, between=0.5),
    World(
        "33 subjects, clustered, worse", (99, 99, 195, 99, 99), WORSE, 0.2, subjects=33, between=0.5
    ),
    World(
        "10 subjects, clustered, worse", (30, 30, 60, 30, 30), WORSE, 0.2, subjects=10, between=0.5
    ),
)


def coverage(
    world: World, simulations: int, *, resamples: int = 2000, only: tuple[str, ...] = ()
) -> dict[str, float]:
    """Share of simulations whose interval holds the truth, for each figure."""
    truth = world.truth()
    names = only or tuple(truth)
    rng = np.random.default_rng(2024)
    hits = dict.fromkeys(names, 0)
    for seed in range(simulations):
        errors = world.draw(rng)[:, 0]
        for name in names:
            found = interval(name, errors, world, resamples, seed)
            hits[name] += found is not None and found.low <= truth[name] <= found.high
    return {name: hit / simulations for name, hit in hits.items()}


def interval(
    name: str, errors: NDArray, world: World, resamples: int, seed: int
) -> Interval | None:
    """The interval of one figure."""
    bins, groups = world.bins, world.groups
    if name == "failure-rate":  # missing images would be failures, which the truth does not hold
        return failure_interval(
            errors, np.where(np.isnan(errors), -1, bins), FAILURE_LIMIT, groups=groups
        )
    if name == "auc":
        known = np.where(np.isnan(errors), -1, bins)
        return auc_interval(errors, known, AUC_LIMIT, groups=groups, resamples=resamples, seed=seed)
    return headline_interval(errors, bins, name, groups=groups, resamples=resamples, seed=seed)


def share_coverage(n: int, rates: NDArray) -> NDArray[np.float64]:
    """Exact coverage of the failure rate of n independent images, at each true rate: no simulation.

    Sums the binomial probabilities of the numbers of failures whose interval holds the rate.
    """
    failures = np.arange(n + 1)
    low, high = share_interval(failures / n, np.full(n + 1, float(n)), LEVEL)
    held = (low <= rates[:, None]) & (rates[:, None] <= high)
    return (stats.binom.pmf(failures, n, rates[:, None]) * held).sum(1)


def print_share_coverage(n: int) -> None:
    """Lowest and mean coverage where so many failures are expected, rates evenly in the logarithm."""
    rates = np.geomspace(0.02 / n, 0.5, 4000)
    found, expected = 100 * share_coverage(n, rates), n * rates
    print(f"{n} independent images: lowest {found.min():.1f}", end="")
    for least, most in ((0, 1), (1, 10), (10, n)):
        part = found[(least < expected) & (expected <= most)]
        if len(part):
            print(f", mean {part.mean():.1f} ({least} to {most} failures expected)", end="")
    print(flush=True)


def rank_coverage(
    world: World, factors: tuple[float, ...], simulations: int, *, resamples: int = 2000
) -> tuple[float, float]:
    """Share of simulations in which all differences, and all ranks, are within their intervals.

    Methods have errors ``factors`` times those of the world. Equal factors are equal ranks: the truth
    of such a method is any of the ranks that they share, and one must be within.
    """
    scale, rng = np.array(factors), np.random.default_rng(7)
    first, second = np.array([*combinations(range(len(factors)), 2)]).T
    true = (scale[first] - scale[second]) * world.truth()["mean-of-bins"]
    lowest = 1 + (scale[:, None] > scale).sum(1)
    highest = (scale[:, None] >= scale).sum(1)
    differences = ranks = 0
    for seed in range(simulations):
        errors = world.draw(rng, len(factors)) * scale
        pairs = pairwise(errors, world.bins, "mean-of-bins", resamples=resamples, seed=seed)
        differences += pairs is not None and bool(
            ((pairs.low <= true) & (true <= pairs.high)).all()
        )
        best, worst = rank_intervals(pairs, len(factors))
        ranks += bool(((best <= lowest) & (highest <= worst)).all())
    return differences / simulations, ranks / simulations


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    simulations = parser.parse_args().simulations
    for n in (10, 20, 60, 200, 2000):
        print_share_coverage(n)
    for world in WORLDS:
        larger = world is not WORLDS[0] and sum(world.sizes) > 1000  # these take minutes
        found = coverage(world, simulations, only=("mean-of-bins",) if larger else ())
        figures = ", ".join(f"{name} {100 * share:.1f}" for name, share in found.items())
        print(f"{world.name}: {figures}", flush=True)
    for world in (WORLDS[0], WORLDS[4]):
        found = rank_coverage(world, (1.0, 1.0, 1.02, 1.05, 1.1), simulations)
        print(f"{world.name}, 5 methods: all differences {100 * found[0]:.1f}, ", end="")
        print(f"all ranks {100 * found[1]:.1f}", flush=True)


if __name__ == "__main__":
    main()
