"""The cost of a channel: rounds of DIAMOND on a ring of 1,000 agents, with each channel against the ideal one."""

import warnings
from typing import Any

import jax
import numpy as np

import hypergossip as hg
from benchmarks.timing import alternate, median_ratio, report
from hypergossip import channels
from hypergossip.channels.requirements import ChannelWarning
from hypergossip.channels.stack import read_channel
from hypergossip.engines import Simulated
from hypergossip.running.run import begin

AGENTS, ROUNDS, FIRST, PAIRS = 1000, 100, 20, 15
ONE_SIDED = channels.Loss(0.2, symmetric=False)
CHANNELS = {
    "ideal": None,
    "Loss": ONE_SIDED,
    "EdgeSums, Loss (at most 1.5)": [channels.EdgeSums(), ONE_SIDED],
    "CommonCopy, Quantize(4)": [channels.CommonCopy(), channels.Quantize(4)],
    "Noise": channels.Noise(0.01),
    "EdgeSums, Delay(2)": [channels.EdgeSums(), channels.Delay(2)],
}


def rounds(problem: hg.Problem, network: Any, channel: Any) -> Any:
    """Returns a call that runs `ROUNDS` rounds under a channel.

    Args:
        problem: The problem.
        network: The network.
        channel: The channel.
    """
    momenta = {"upper_momentum": 0.1, "lower_momentum": 0.1}
    method = hg.Diamond(upper_step=0.05, lower_step=0.3, **momenta, hypergradient=hg.Exact())
    setting = method, False, problem, network, np.arange(1), None
    run, carry = begin(Simulated(), *setting, measure=False, channel=read_channel(channel))
    state = run.session.advance(carry.state, 0, FIRST)[0]
    return lambda: jax.tree.leaves(run.session.advance(state, FIRST, FIRST + ROUNDS))


def main() -> None:
    """Prints microseconds a round, and the ratio to the ideal channel with its interval."""
    network, rows = hg.networks.ring(AGENTS), []
    for dimension in (10, 100):
        problem = hg.problems.quadratic(AGENTS, dimension, 4, noise=0.1)
        with warnings.catch_warnings(action="ignore", category=ChannelWarning):
            seconds = alternate({name: rounds(problem, network, one) for name, one in CHANNELS.items()}, PAIRS)
        for name, taken in seconds.items():
            middle, low, high = median_ratio(taken, seconds["ideal"])
            micro = np.median(taken) / ROUNDS * 1e6
            rows.append((f"p = {dimension}, {name}", f"{micro:7.0f} us a round, {middle:.2f} [{low:.2f}, {high:.2f}]"))
    report(f"DIAMOND on a ring of {AGENTS} agents, a channel / the ideal one", rows)


if __name__ == "__main__":
    main()
