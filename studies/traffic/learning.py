"""The methods, their runs, and the measures of their policies."""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import hypergossip as hg
from hypergossip.networks.pairing import paired
from hypergossip.problems.actor_critic import (
    FullyConnected,
    TrafficMeasures,
    actor_critic,
    from_parallel,
    traffic_graph,
    traffic_measures,
    traffic_signals,
)
from hypergossip.problems.actor_critic.environment_spaces import Spaces
from hypergossip.running.run import begin

INNER = 5  # critic steps of a round of MDAC
LENGTH = 0.1  # of every step of a policy in its Fisher metric
CRITIC = 1.0  # the share of a Gauss-Newton step
# In trials with ten iterations the waiting time of one of two seeds on cologne3 rose to 139 s before it fell again.
NATURAL = hg.NaturalPolicyGradient(iterations=4, length=LENGTH)
LEARNING = {
    "reward_model": False,
    "discount": 0.95,
    "trace": 0.9,
    "entropy": 0.01,
    "normalized_advantages": True,
    "critic_damping": 0.1,
    "critic_iterations": 4,
}
MEASURES = ("waiting", "queue", "outside")


class Method(NamedTuple):
    """How signals learn.

    Attributes:
        algorithm: The method with its step sizes.
        draws: The number of samples that an agent draws in a round.
        alone: Whether no signal sends anything: every one has its own critic.
    """

    algorithm: Any
    draws: int = 2
    alone: bool = False


METHODS = {
    "SLAM-AC": Method(hg.Slam(1.0, CRITIC, 1.0, hg.InverseStep(0.5), NATURAL)),
    "DAC": Method(hg.DAC(1.0, CRITIC, NATURAL)),
    "MDAC": Method(hg.MDAC(1.0, CRITIC, NATURAL, INNER), draws=INNER + 1),
    "independent": Method(hg.DAC(1.0, CRITIC, NATURAL), alone=True),
}


class Task(NamedTuple):
    """What is learned, and for how long.

    Attributes:
        net: The road network.
        seconds: The length of an episode.
        decision: The seconds from decision to decision.
        steps: The environment steps of every method.
        looks: The number of times at which the policies are measured, besides the start.
        episodes: The number of episodes of a sample.
        tests: The number of test episodes, which are the same for all methods and for fixed times.
        widths: The widths of the hidden layers of actor and critic.
        workers: The number of simulations that are played at once, or None for two for each core.
    """

    net: str
    seconds: int = 3600
    decision: int = 10
    steps: int = 43_200
    looks: int = 10
    episodes: int = 2
    tests: int = 4
    widths: tuple[int, ...] = (64, 64)
    workers: int | None = None

    @property
    def horizon(self) -> int:
        """The number of decisions of an episode."""
        return self.seconds // self.decision

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `traffic_signals`."""
        return {"net": self.net, "seconds": self.seconds, "decision": self.decision, "yellow": 3}


class Learned(NamedTuple):
    """What a method has learned.

    Attributes:
        rows: One row for every look: environment steps, seconds, and the means of `MEASURES` over the test episodes.
        final: The measures of the test episodes at the end.
        queues: The queue before every signal in the first of them as a share of its lanes, (decisions, signals).
    """

    rows: pd.DataFrame
    final: list[TrafficMeasures]
    queues: np.ndarray


def game_of(task: Task) -> Any:
    """Returns the simulation as a game."""
    make = partial(traffic_signals, **task.options)
    live = max(task.episodes, task.tests)
    return from_parallel(make, horizon=task.horizon, pad=True, leaving=False, live=live, workers=task.workers)


def problem_of(task: Task, game: Any, alone: bool) -> hg.Problem:
    """Returns the learning problem; `alone` keeps every critic to its agent."""
    return actor_critic(
        game,
        actor=FullyConnected(task.widths, "tanh", 0.01),
        critic=FullyConnected(task.widths, "tanh"),
        **LEARNING,
        episodes=task.episodes,
        share={"upper": False, "lower": not alone},
        test_episodes=task.tests,
    )


def roads(net: str) -> hg.networks.Network:
    """Returns the network of the signals of a road network."""
    return hg.networks.from_networkx(traffic_graph(net))


def player(problem: hg.Problem) -> Callable[[Any], tuple[np.ndarray, ...]]:
    """Returns a function of all policies that plays the test episodes.

    Its values are the seeds of the simulations (tests,), the actions (decisions, tests, agents), and the observations.
    """
    returns: Any = problem.together["return"]
    game = returns.form.game

    @jax.jit
    def play(oracles: Any, x: Any) -> tuple:
        seen = returns.play(oracles, x)
        keys = jax.random.split(returns.world_key, returns.episodes)
        return jax.vmap(game.reset)(keys).seed, seen.actions, seen.observations

    return lambda x: tuple(map(np.asarray, play(problem.oracles, x)))


def looks_of(task: Task, method: Method) -> list[int]:
    """Returns the rounds at which the policies are measured, after equal numbers of environment steps."""
    return [round(task.steps * k / task.looks / steps_of_a_round(task, method)) for k in range(task.looks + 1)]


def steps_of_a_round(task: Task, method: Method) -> int:
    """Returns the environment steps of a round."""
    return method.draws * task.episodes * task.horizon


def learn(task: Task, method: Method, seed: int = 0, report: Callable[[str], None] = print) -> Learned:
    """Runs a method, and measures its policies with SUMO's own numbers.

    Args:
        task: What is learned.
        method: The method.
        seed: The seed of the run.
        report: Called with a line for every look.
    """
    game = game_of(task)
    problem = problem_of(task, game, method.alone)
    network = paired(problem, roads(task.net))
    opened, carry = begin(hg.Simulated(), method.algorithm, False, problem, network, np.array([seed]), None)
    state, done, rows, play, started = carry.state, 0, [], player(problem), time.perf_counter()
    for look in looks_of(task, method):
        if look > done:
            state, _ = opened.session.advance(state, done, look)
        done = look
        seeds, actions, observations = play(jnp.asarray(state.x[0]))
        final = [traffic_measures(actions[:, k], seed=int(seeds[k]), **task.options) for k in range(task.tests)]
        row = {"steps": done * steps_of_a_round(task, method), "seconds": time.perf_counter() - started, **means(final)}
        rows.append(row)
        report(f"{row['steps']:9,} steps  waiting {row['waiting']:7.1f} s  queue {row['queue']:6.1f}")
    return Learned(pd.DataFrame(rows), final, queues(observations[:, 0], game.table.form.spaces))


def kept_run(task: Task, method: Method, seed: int, file: Path, report: Callable[[str], None] = print) -> Learned:
    """Returns a run as it is kept in a file, or learns and keeps it.

    Args:
        task: What is learned.
        method: The method.
        seed: The seed of the run.
        file: The file. A run with other settings is replaced.
        report: Called with a line for every look.
    """
    settings = f"{task._replace(workers=None)} {method} {LEARNING}"
    if file.is_file():
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["settings"] == settings:
            final = [TrafficMeasures(*map(_array, values)) for values in kept["final"]]
            return Learned(pd.DataFrame(kept["rows"]), final, np.array(kept["queues"]))
    run = learn(task, method, seed, report)
    final = [[np.asarray(value).tolist() for value in one] for one in run.final]
    content = {"settings": settings, "rows": run.rows.to_dict("list"), "final": final, "queues": run.queues.tolist()}
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = file.with_suffix(".part")
    whole.write_text(json.dumps(content), encoding="utf-8")
    whole.replace(file)
    return run


def _array(value: Any) -> Any:
    """Returns the names as a tuple, numbers as they are, and other lists as arrays."""
    if not isinstance(value, list):
        return value
    return tuple(value) if value and isinstance(value[0], str) else np.array(value)


def queues(observations: np.ndarray, spaces: Spaces) -> np.ndarray:
    """Returns the mean queue of the lanes before every signal, as a share of their lengths, (decisions, signals).

    Args:
        observations: What the signals observe, (decisions, signals, entries): the green phase, whether it may change,
            the density of every lane, and the queue of every lane.
        spaces: The spaces of the signals.
    """
    shares = []
    for k, ((size,), phases) in enumerate(zip(spaces.shapes, spaces.acting.counts, strict=True)):
        lanes = (size - phases - 1) // 2
        shares.append(observations[:, k, size - lanes : size].mean(axis=1))
    return np.stack(shares, axis=1)


def means(measures: Sequence[TrafficMeasures]) -> dict[str, float]:
    """Returns the means of `MEASURES` over episodes."""
    return {name: float(np.mean([getattr(one, name) for one in measures])) for name in MEASURES}


def fixed_times(task: Task) -> list[TrafficMeasures]:
    """Returns the measures of the network's own signal programs, in the test episodes."""
    game = game_of(task._replace(workers=0, episodes=1, tests=1))
    returns: Any = problem_of(task, game, False).together["return"]
    keys = jax.random.split(returns.world_key, task.tests)
    seeds = np.asarray(jax.vmap(lambda key: jax.random.bits(key, (), jnp.uint32) >> 1)(keys))
    return [traffic_measures(seed=int(seed), **task.options) for seed in seeds]
