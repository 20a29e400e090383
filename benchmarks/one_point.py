"""A round of the methods that take SOBA's directions over a network, against SOBA: `python -m benchmarks.one_point`.

One gradient, Hessian product and Jacobian product of one batch of 64, 22 + 22 dimensions, logistic loss; one agent, and
32 on a ring, so that a round is that of SOBA and what the method adds. SPARKLE-ED and LoPA-GT shall need at most 1.1.
"""

from typing import Any

import hypergossip as hg
from benchmarks.engine_calls import rounds
from benchmarks.problems import logistic
from benchmarks.timing import alternate, median_ratio, report

STEPS = (0.01, 0.1, 0.1)
ROUNDS = {1: 10_000, 32: 1000}
REPEATS = 21
METHODS: dict[str, tuple[Any, str]] = {
    "SOBA": (hg.SOBA(*STEPS), "upper"),
    "LoPA-GT": (hg.LoPAGT(*STEPS), "upper"),
    "SPARKLE-ED, x shared": (hg.Sparkle(*STEPS), "upper"),
    "SPARKLE-ED, x and y shared": (hg.Sparkle(*STEPS), "both"),
    "D-SOBA, x and y shared": (hg.DSOBA(*STEPS), "both"),
    "SLDBO, x and y shared": (hg.SLDBO(*STEPS), "both"),
}


def main() -> None:
    """Prints the median ratio of each method's time to SOBA's in neighbouring turns, and its 95 % interval."""
    for agents, count in ROUNDS.items():
        network = hg.networks.ring(agents) if agents > 1 else hg.networks.single()
        programs = {
            name: rounds(method, logistic(agents, share=share), network, count)
            for name, (method, share) in METHODS.items()
        }
        seconds = alternate(programs, REPEATS)
        soba = seconds.pop("SOBA")
        rows = [("SOBA", f"{soba.min() / count / agents * 1e6:.2f} us")]
        for name, own in seconds.items():
            ratio, low, high = median_ratio(own, soba)
            rows.append((name, f"{ratio:.2f} of SOBA's ({low:.2f} to {high:.2f})"))
        report(f"one round, for each agent, {agents} agents", rows)


if __name__ == "__main__":
    main()
