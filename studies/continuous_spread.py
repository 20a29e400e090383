"""Continuous actions in mpe2's simple_spread: `python -m studies.continuous_spread [--rounds N] [--seeds N]`.

Agents with Gaussian policies learn by SLAM with natural policy gradients, each step of the environment played by mpe2.
Printed are the mean return over the test episodes, before and after, and the standard deviations of the final policies.
The exit code is 1 if the mean over the seeds does not improve by the expected number.
"""

import argparse
import sys
import time
from typing import Any, NamedTuple

import jax
import numpy as np

import hypergossip as hg
from hypergossip.core.problem import Problem
from hypergossip.problems.actor_critic import parallel_game

AGENTS, ROUNDS, SEEDS, GAIN = 2, 100, 2, 2.0


class Outcome(NamedTuple):
    """What a run has reached.

    Attributes:
        before: The return of the initial policies, (seeds,).
        after: The return of the final policies, (seeds,).
        samples: The environment steps that an agent has played in a run.
        deviations: The mean over agents and coordinates of the final standard deviations, (seeds,).
    """

    before: np.ndarray
    after: np.ndarray
    samples: int
    deviations: np.ndarray

    @property
    def gain(self) -> float:
        """The mean improvement of the return over the seeds."""
        return float(np.mean(self.after - self.before))


def spread(**changes: Any) -> Problem:
    """Returns simple_spread with continuous actions as a problem, with these options of `parallel_game`."""
    options = {"N": AGENTS, "continuous_actions": True}
    learning = {"reward_model": False, "episodes": 8, "trace": 0.9, "normalized_advantages": True, "test_episodes": 64}
    game = {"game": "mpe2/simple_spread-v3", "options": options, "horizon": 25, "leaving": False}
    return parallel_game(AGENTS, **game | learning | changes)


def learn(problem: Problem, rounds: int, seeds: int) -> Outcome:
    """Trains the policies.

    Args:
        problem: The game.
        rounds: The number of rounds.
        seeds: The number of runs with different random numbers.
    """
    slam = hg.Slam(1.0, 0.05, 1.0, 10.0, hg.NaturalPolicyGradient(length=0.2))
    network = hg.networks.complete(AGENTS)
    result = hg.solve(slam, problem, network, rounds=rounds, seeds=seeds, observe_every=rounds, measure=False)
    rows = result.history.groupby("round")["return"]
    deviations = np.exp(np.asarray(result.x["log_std"])).reshape(seeds, -1).mean(axis=1)
    before, after = (rows.get_group(end).to_numpy() for end in (0, rounds))
    return Outcome(before, after, int(result.history["samples"].max()), deviations)


def main(arguments: list[str] | None = None) -> int:
    """Trains, prints the outcome, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m studies.continuous_spread", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    chosen, began = parser.parse_args(arguments), time.perf_counter()
    with jax.enable_x64(False):
        outcome = learn(spread(), chosen.rounds, chosen.seeds)
    print(f"return before {np.round(outcome.before, 2)}, after {np.round(outcome.after, 2)}")
    print(f"standard deviations {np.round(outcome.deviations, 3)}, {outcome.samples:,} environment steps of each agent")
    print(f"mean gain {outcome.gain:.2f} (at least {GAIN} expected), {time.perf_counter() - began:.0f} s")
    return int(outcome.gain < GAIN)


if __name__ == "__main__":
    sys.exit(main())
