"""Times compiled programs as ratios: alternating in one process, compilation apart, blocked until ready."""

import time
from collections.abc import Callable, Mapping

import jax
import numpy as np

RESAMPLES = 10_000


def alternate(programs: Mapping[str, Callable[[], object]], repeats: int = 7) -> dict[str, np.ndarray]:
    """Runs every program once to compile it, then all of them in turn.

    Args:
        programs: Name -> a call that returns device arrays (or nothing).
        repeats: Turns.

    Returns:
        Name -> (repeats,) seconds; the k-th entries were measured next to each other.
    """
    for program in programs.values():
        jax.block_until_ready(program())
    seconds = {name: np.zeros(repeats) for name in programs}
    for k in range(repeats):
        for name, program in programs.items():
            begin = time.perf_counter()
            jax.block_until_ready(program())
            seconds[name][k] = time.perf_counter() - begin
    return seconds


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> float:
    """Returns the ratio of the fastest turns: what other programs on the machine only add to."""
    return float(numerator.min() / denominator.min())


def median_ratio(numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, float, float]:
    """Returns the median of the ratios of neighbouring measurements, and its 95 % interval by bootstrap.

    Args:
        numerator: Seconds, (pairs,).
        denominator: Seconds measured next to them, (pairs,).
    """
    ratios = numerator / denominator
    drawn = np.random.default_rng(0).integers(len(ratios), size=(RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(ratios[drawn], axis=1), (0.025, 0.975))
    return float(np.median(ratios)), float(low), float(high)


def report(title: str, rows: list[tuple[str, str]]) -> None:
    """Prints one benchmark."""
    print(f"\n{title}")
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:{width}}  {value}", flush=True)
