"""What SLAM-AC learns in the games: `python -m studies.learned_games [TASK ...] [--seeds N] [--quick]`.

Every task has a number of environment steps and a return that is asked for, to be reached by the median over the seeds.
Printed are the median with its 95 % bootstrap interval, the time of the whole run, and what policies written by hand
reach in the same game. The exit code is 1 if a task does not reach its return.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import bootstrap

import hypergossip as hg
from hypergossip.core.problem import Problem
from hypergossip.networks import Network
from hypergossip.problems.actor_critic import cooperative_navigation, navigation, pursuit, pursuit_evasion
from studies.scripted_games import (
    EPISODES,
    nearest_landmark,
    own_landmark,
    pairs_to_the_nearest_evader,
    returns_of,
)

SEEDS, OBSERVATIONS = 10, 5
LEARNING: dict[str, Any] = {"reward_model": False, "normalized_advantages": True, "critic_damping": 0.1}


@dataclass(frozen=True)
class Task:
    """A game and how it is learned.

    Attributes:
        problem: Makes the problem; its argument is `critic_iterations`.
        network: The communication graph.
        upper_step: The length of every step of a policy in its Fisher metric, or its schedule.
        lower_step: The fraction of a Gauss-Newton step of the critic.
        steps: The number of environment steps.
        asked: The return to be reached.
        iterations: The numbers of conjugate gradients of a step of the policy and of one of the critic.
        scripted: Makes the returns of policies written by hand, by their names.
        thinning: The Fisher information is a mean over every so many steps of the episodes.
    """

    problem: Callable[..., Problem]
    network: Network
    upper_step: float | hg.PowerDecay
    lower_step: float
    steps: int
    asked: float
    iterations: tuple[int, int]
    scripted: Callable[[], dict[str, np.ndarray]]
    thinning: int = 1

    def run(self, seeds: int) -> tuple[np.ndarray, int]:
        """Learns with so many seeds.

        Args:
            seeds: The number of seeds.

        Returns:
            The final returns, (seeds,), and the environment steps that were taken.
        """
        policy, critic = self.iterations
        problem = self.problem(critic_iterations=critic)
        natural = hg.NaturalPolicyGradient(policy, 0.01, 1.0, thinning=self.thinning)
        rounds = self.steps // int(problem.oracles.samples(upper=1, lower=1))
        slam = hg.Slam(self.upper_step, self.lower_step, 1.0, hg.InverseStep(0.5), natural)
        every = max(1, rounds // OBSERVATIONS)
        history = hg.solve(slam, problem, self.network, rounds=rounds, seeds=seeds, observe_every=every).history
        last = history[history["round"] == history["round"].max()]
        return last["return"].to_numpy(), int(last["samples"].iloc[0])


def _scripted_pursuit() -> dict[str, np.ndarray]:
    game = pursuit("paper", horizon=100)
    return {"pairs to the nearest evader": returns_of(game, pairs_to_the_nearest_evader(game), EPISODES)}


def _navigation(
    agents: int, rewards: str, upper_step: Any, steps: int, asked: float, iterations: tuple[int, int], **learning: Any
) -> Task:
    """Returns a task of navigation with full Gauss-Newton steps and samples of 32 episodes.

    There are many test episodes: over 64, the mean return of one policy differs by about 0.5 from set to set.
    """

    def scripted() -> dict[str, np.ndarray]:
        game = navigation(agents, rewards=rewards)
        scripts = {"own landmark": own_landmark, "nearest landmark": nearest_landmark}
        return {name: returns_of(game, make(game), EPISODES) for name, make in scripts.items()}

    options = LEARNING | {"rewards": rewards, "episodes": 32, "test_episodes": 1000} | learning
    make = partial(cooperative_navigation, agents, **options)
    return Task(make, hg.networks.ring(agents), upper_step, 1.0, steps, asked, iterations, scripted)


DECAYING, EARLY = hg.PowerDecay(60.0, 1000.0, 1.0), hg.PowerDecay(7500.0, 500.0, 2.0)
LONG, EVERY_LAYER = hg.PowerDecay(67_500.0, 1500.0, 2.0), ("hidden.0", "hidden.1", "last")
TASKS = {
    "n3": _navigation(3, "mpe2", DECAYING, 3_000_000, -11.0, (10, 2), trace=0.9, entropy=EARLY),
    "n5": replace(
        _navigation(5, "mpe2", 0.1, 5_000_000, -24.0, (10, 2), trace=0.9, entropy=LONG, shared_layers=EVERY_LAYER),
        thinning=4,
    ),
    "assigned": _navigation(5, "assigned", DECAYING, 3_000_000, -16.0, (4, 4), trace=1.0, entropy=EARLY),
    "pursuit": Task(
        partial(
            pursuit_evasion,
            8,
            **{"horizon": 100, "shared_reward": False, "episodes": 4, "trace": 0.9, "entropy": 0.01},
            **{"test_episodes": 16, **LEARNING},
        ),
        hg.networks.ring(8),
        *(0.05, 0.5, 200_000, 5.0, (4, 4)),
        _scripted_pursuit,
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Learns the tasks and prints what they reach."""
    parser = argparse.ArgumentParser(prog="python -m studies.learned_games", description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"some of {', '.join(TASKS)}; all if none is given")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="the number of seeds")
    parser.add_argument("--quick", action="store_true", help="two seeds and a fiftieth of the steps, without verdicts")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.tasks) - set(TASKS)):
        parser.error(f"there is no task {unknown[0]}; choose some of {', '.join(TASKS)}.")
    if given.seeds < 2:
        parser.error(f"--seeds is {given.seeds}; give at least 2, so that there is an interval.")
    failed = False
    for name in given.tasks or TASKS:
        task = replace(TASKS[name], steps=TASKS[name].steps // 50) if given.quick else TASKS[name]
        begin = time.perf_counter()
        returns, steps = task.run(2 if given.quick else given.seeds)
        seconds, median = time.perf_counter() - begin, float(np.median(returns))
        ends = bootstrap((returns,), np.median, method="percentile", rng=0).confidence_interval
        reached = f"{median:.2f} [{ends.low:.2f}, {ends.high:.2f}]"
        verdict = (
            "" if given.quick else f"asked {task.asked:g}: {'reached' if median > task.asked else 'not reached'}, "
        )
        print(f"{name}: {reached} after {steps:,} environment steps, {len(returns)} seeds, {verdict}{seconds:.0f} s")
        print("  returns: " + " ".join(f"{value:.2f}" for value in sorted(returns)), flush=True)
        for script, others in task.scripted().items():
            print(f"  by hand, {script}: {np.mean(others):.2f}", flush=True)
        failed |= not given.quick and median <= task.asked
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
