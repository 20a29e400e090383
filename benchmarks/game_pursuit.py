"""How fast pursuit is played, and that random policies have the same return as in PettingZoo's pursuit_v5.

`python -m benchmarks.game_pursuit`; PettingZoo's SISL environments must be installed.
"""

import time
from functools import partial

import jax
import numpy as np

from benchmarks.game_navigation import machine, mean_and_error, random_play
from benchmarks.timing import alternate, ratio, report
from hypergossip.problems.actor_critic import episodes
from hypergossip.problems.actor_critic.pursuit import THEIR_NAMES, Pursuit, pursuit

ENVIRONMENTS, HORIZON, EPISODES, THEIR_EPISODES, TURNS = 64, 100, 20, 2, 5
RETURNS, THEIR_RETURNS, SHORT = 20_000, 200, 40  # episodes for the mean returns, and their steps


def pettingzoo_play(game: Pursuit, many: int, seed: int = 0) -> np.ndarray:
    """Plays PettingZoo's game with random actions, drawn beforehand, and returns the mean returns over the agents."""
    from pettingzoo.sisl.pursuit.pursuit import parallel_env

    options = {name: getattr(game, ours) for name, ours in THEIR_NAMES.items()}
    environment = parallel_env(surround=game.surround, **options)
    names = environment.possible_agents
    moves = np.random.default_rng(seed).integers(0, game.actions, (many, game.horizon, game.agents)).tolist()
    returns = np.zeros(many)
    for episode in range(many):
        environment.reset(seed=seed + episode)
        for actions in moves[episode]:
            if not environment.agents:
                break
            _, rewards, *_ = environment.step(dict(zip(names, actions, strict=True)))
            returns[episode] += sum(rewards.values()) / game.agents
    return returns


def our_play(game: Pursuit, many: int) -> np.ndarray:
    """The same in ours, many episodes at once; nothing is counted after the end of a game."""

    @jax.jit
    def play(key):
        draw, world = jax.random.split(key)
        act = lambda time, *_: jax.random.randint(jax.random.fold_in(draw, time), (many, game.agents), 0, game.actions)
        return episodes.play(game, act, world, many).rewards.sum(axis=0).mean(axis=-1)

    return np.asarray(play(jax.random.key(0)))


def speed(name: str, game: Pursuit) -> None:
    """Environment steps a second, in which everybody moves once: ours and PettingZoo's in turns, compilation apart."""
    ours = random_play(game, ENVIRONMENTS, EPISODES)
    begin = time.perf_counter()
    jax.block_until_ready(ours(jax.random.key(0)))
    compilation = time.perf_counter() - begin
    programs = {"ours": partial(ours, jax.random.key(0)), "theirs": partial(pettingzoo_play, game, THEIR_EPISODES)}
    seconds = alternate(programs, TURNS)
    steps, their_steps = ENVIRONMENTS * EPISODES * HORIZON, THEIR_EPISODES * HORIZON
    times = ratio(seconds["theirs"], seconds["ours"]) * steps / their_steps
    rows = [
        ("ours", f"{steps / seconds['ours'].min():12,.0f}"),
        ("compilation and first run", f"{compilation:.1f} s"),
        ("PettingZoo's pursuit_v5", f"{their_steps / seconds['theirs'].min():12,.0f}"),
        ("ours / PettingZoo", f"{times:.0f} (at least 500)"),
    ]
    report(f"pursuit, {name}, {ENVIRONMENTS} environments, random actions ({machine()}): steps a second", rows)


def returns(name: str, game: Pursuit) -> None:
    """Random policies' mean return over the agents, in ours and in PettingZoo's."""
    rows = [
        ("ours", mean_and_error(our_play(game, RETURNS))),
        ("PettingZoo's pursuit_v5", mean_and_error(pettingzoo_play(game, THEIR_RETURNS, seed=1))),
    ]
    report(f"pursuit, {name}, {game.horizon} steps: random policies' return", rows)


def main() -> None:
    """Prints the tables: two pursuers on the evader's cell, and surrounding, on 15 x 15 cells."""
    surrounding = {"width": 15, "height": 15}
    for name, preset, changes in (("two on the evader's cell", "paper", {}), ("surrounding", "v5", surrounding)):
        speed(name, pursuit(preset, horizon=HORIZON, **changes))
    returns("two on the evader's cell", pursuit("paper", horizon=SHORT))
    # On a small grid somebody is surrounded by chance.
    returns("surrounding, small", pursuit("v5", agents=5, evaders=4, width=5, height=5, horizon=SHORT))


if __name__ == "__main__":
    main()
