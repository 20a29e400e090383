"""How fast navigation is played, and that random policies have the same return in it as in mpe2's.

JaxMARL and mpe2 are measured where they are installed (the extra "bench").
"""

import os
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.timing import alternate, report
from hypergossip.problems.actor_critic.game import Game
from hypergossip.problems.actor_critic.navigation import navigation

ENVIRONMENTS, EPISODES = 64, 100


def random_play(game: Game, environments: int, episodes: int) -> Callable[[Any], Any]:
    """Whole episodes of random actions, side by side; rewards and observations of every step are made and kept.

    Returns:
        A compiled function of a key; it returns what the last episodes brought.
    """

    def episode(key: Any) -> tuple:
        key, start, draw = jax.random.split(key, 3)
        states = jax.vmap(game.reset)(jax.random.split(start, environments))
        # One draw for the whole episode.
        actions = jax.random.randint(draw, (game.horizon, environments, game.agents), 0, game.actions)

        def step(states: Any, actions: Any) -> tuple:
            states, rewards, _, _ = jax.vmap(game.step)(states, actions)
            return states, (rewards, jax.vmap(game.observe)(states))

        return key, lax.scan(step, states, actions)[1]

    return repeated(episode, episodes)


def repeated(episode: Callable[[Any], tuple], episodes: int) -> Callable[[Any], Any]:
    """Compiles so many calls of a function from a key to a key and arrays; the last arrays are returned."""

    @jax.jit
    def run(key: Any) -> Any:
        blank = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), jax.eval_shape(episode, key)[1])
        return lax.fori_loop(0, episodes, lambda _, carry: episode(carry[0]), (key, blank))[1]

    return run


def random_returns(game: Game, episodes: int) -> np.ndarray:
    """The mean over agents of the return of random actions, in so many episodes."""
    rewards, _ = random_play(game, episodes, 1)(jax.random.key(0))  # (horizon, episodes, agents)
    return np.asarray(rewards).sum(axis=0).mean(axis=-1)


def mean_and_error(sample: np.ndarray) -> str:
    return f"{sample.mean():.2f} +- {sample.std(ddof=1) / len(sample) ** 0.5:.2f} ({len(sample)} episodes)"


def rate(seconds: np.ndarray, steps: int) -> str:
    return f"{steps / seconds.min():12,.0f}"


def machine() -> str:
    """What the numbers were measured beside."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def main() -> None:
    """Navigation, N = 3: environment steps a second, in which all agents move once, and random policies' returns."""
    game = navigation(3)
    steps = ENVIRONMENTS * EPISODES * game.horizon
    key = jax.random.key(0)
    programs = {"ours": partial(random_play(game, ENVIRONMENTS, EPISODES), key)}
    if find_spec("jaxmarl"):
        programs["JaxMARL's simple_spread"] = partial(jaxmarl_play(game, ENVIRONMENTS, EPISODES), key)
    seconds = alternate(programs)
    rows = [(name, rate(taken, steps)) for name, taken in seconds.items()]
    if len(seconds) > 1:
        ours, other = (taken.min() for taken in seconds.values())
        rows.append(("ours / JaxMARL", f"{other / ours:.1f} (at least 3)"))
    rows.append(("random policies' return, ours", mean_and_error(random_returns(game, 20_000))))
    if find_spec("mpe2"):
        taken, returns = mpe2_play(game, 800)
        rows.append(("mpe2, one environment, from Python", f"{len(returns) * game.horizon / taken:12,.0f}"))
        rows.append(("ours / mpe2", f"{steps / seconds['ours'].min() * taken / len(returns) / game.horizon:.0f}"))
        rows.append(("random policies' return, mpe2", mean_and_error(returns)))
    report(f"navigation, N = 3, {ENVIRONMENTS} environments, random actions ({machine()}): steps a second", rows)


def jaxmarl_play(game: Game, environments: int, episodes: int) -> Callable[[Any], Any]:
    """The same as `random_play` in JaxMARL: `step_env`, which does not reset by itself, and resets between episodes."""
    import jaxmarl

    theirs = jaxmarl.make("MPE_simple_spread_v3")
    assert theirs.num_agents == game.agents

    def episode(key: Any) -> tuple:
        key, start, draw, noise = jax.random.split(key, 4)
        _, states = jax.vmap(theirs.reset)(jax.random.split(start, environments))
        actions = jax.random.randint(draw, (game.horizon, game.agents, environments), 0, game.actions)
        keys = jax.random.split(noise, (game.horizon, environments))

        def step(states: Any, drawn: tuple) -> tuple:
            actions, keys = drawn
            named = dict(zip(theirs.agents, actions, strict=True))
            observations, states, rewards, _, _ = jax.vmap(theirs.step_env)(keys, states, named)
            return states, (rewards, observations)

        return key, lax.scan(step, states, (actions, keys))[1]

    return repeated(episode, episodes)


def mpe2_play(game: Game, episodes: int) -> tuple[float, np.ndarray]:
    """Seconds that mpe2 takes, its actions drawn beforehand, and the mean returns over the agents."""
    from mpe2 import simple_spread_v3

    environment = simple_spread_v3.parallel_env(N=game.agents, max_cycles=game.horizon)
    moves = np.random.default_rng(0).integers(0, game.actions, (episodes, game.horizon, game.agents)).tolist()
    returns = np.zeros(episodes)
    begin = time.perf_counter()
    for episode in range(episodes):
        environment.reset(seed=episode)
        for actions in moves[episode]:
            _, rewards, *_ = environment.step(dict(zip(environment.possible_agents, actions, strict=True)))
            returns[episode] += sum(rewards.values()) / game.agents
    return time.perf_counter() - begin, returns


if __name__ == "__main__":
    main()
