"""SLAM-AC on navigation, N = 5, learning included: our one program against a loop that calls mpe2 from Python.

Both take the same rounds: two samples of B episodes each, one for the critic and one for the actors, the same networks
and the same step. The loop plays by mpe2 with a jitted policy of all agents at once, and ends a round by one jitted
update of all agents on what was played; nothing in it goes agent by agent but mpe2 itself.
"""

import argparse
import time
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from mpe2 import simple_spread_v3

import hypergossip as hg
from benchmarks.timing import report
from hypergossip.core.flat_messages import mix_through
from hypergossip.engines import Job
from hypergossip.engines.keys import agent_key
from hypergossip.engines.mixing import average, choose
from hypergossip.problems.actor_critic import actor_critic, navigation
from hypergossip.problems.actor_critic.episodes import Episodes
from hypergossip.problems.actor_critic.oracles import GameOracles, Played

AGENTS, EPISODES, HORIZON, SEEDS = 5, 10, 25, 10
STEPS_A_ROUND = 2 * EPISODES * HORIZON
ALGORITHM = hg.Slam(0.1, 0.05, 1.0, 0.5, hg.Direct())


@dataclass(frozen=True)
class Recorded(GameOracles):
    """An agent's oracles on episodes that were played elsewhere: the critic's sample, then the actor's."""

    recorded: list[Episodes] = field(default_factory=list)

    def play(self, x: Any, key: Any) -> Played:
        """Returns the next sample."""
        seen = self.recorded.pop(0)
        inputs = jnp.take(seen.observations, self.seat, axis=2)
        return Played(seen, inputs, seen.actions[..., self.seat], seen.rewards[..., self.seat], None)


class Loop:
    """The loop over mpe2."""

    def __init__(self, problem: hg.Problem, network: Any) -> None:
        """Compiles policy and update."""
        self.problem, form = problem, problem.oracles.form
        self.environment = simple_spread_v3.parallel_env(N=AGENTS, max_cycles=HORIZON)
        mixing = choose(network.mixing)
        mix = mix_through((problem.upper, problem.lower), lambda vector, call, weights: average(mixing, vector))

        @jax.jit
        def act(x: Any, observations: Any, key: Any) -> Any:
            odds = jax.vmap(lambda x, o: form.policy(x, o[None, None])[0, 0])(x, observations)
            return jax.random.categorical(key, odds)

        @jax.jit
        def update(state: Any, round: Any, critics: Episodes, actors: Episodes) -> Any:
            def agent(seat: Any, state: Any) -> Any:
                key = agent_key(jax.random.key(0), round, seat)
                return ALGORITHM.step(Recorded(seat, form, recorded=[critics, actors]), mix, round, state, key)[0]

            return jax.vmap(agent)(jnp.arange(AGENTS), state)

        self.act, self.update = act, update
        everywhere = lambda v: jnp.broadcast_to(v, (AGENTS, v.size))
        start = lambda x, y: ALGORITHM.init(problem.agent(0), x, y, jax.random.key(0))
        self.state = jax.vmap(start)(everywhere(problem.x0), everywhere(problem.y0))
        self.round, self.key = 0, jax.random.key(1)

    def episodes(self) -> Episodes:
        """Plays B episodes by mpe2."""
        env, names = self.environment, self.environment.possible_agents
        played = []
        for _ in range(EPISODES):
            seen, _ = env.reset()
            rows, wholes = [], [np.concatenate([seen[name] for name in names])]
            for _ in range(HORIZON):
                observations = np.stack([seen[name] for name in names])
                self.key, key = jax.random.split(self.key)
                actions = np.asarray(self.act(self.state.x, observations, key))
                seen, rewards, *_ = env.step({name: int(a) for name, a in zip(names, actions, strict=True)})
                rows.append((observations, actions, np.asarray([rewards[name] for name in names], np.float32)))
                wholes.append(np.concatenate([seen[name] for name in names]))
            played.append((*(np.stack(column) for column in zip(*rows)), np.stack(wholes)))
        observations, actions, rewards, states = (np.stack(column, axis=1) for column in zip(*played))
        on = np.ones((HORIZON, EPISODES), bool)
        return Episodes(observations, states, actions, rewards, ~on, on)

    def run(self, rounds: int) -> None:
        """Runs so many rounds."""
        for _ in range(rounds):
            self.state = self.update(self.state, self.round, self.episodes(), self.episodes())
            self.round += 1
        jax.block_until_ready(self.state)


def ours(problem: hg.Problem, network: Any, seeds: int, rounds: int) -> float:
    """Returns seconds an environment step, the least of three turns, compilation apart."""
    session = hg.Simulated().open(Job(ALGORITHM, problem, network, jax.random.split(jax.random.key(0), seeds)))
    everywhere = lambda v: jnp.broadcast_to(v, (seeds, AGENTS, v.size))
    state = session.start(everywhere(problem.x0), everywhere(problem.y0))
    run = lambda: session.advance(state, 0, rounds)
    run()
    turns = []
    for _ in range(3):
        begun = time.perf_counter()
        run()
        turns.append(time.perf_counter() - begun)
    return min(turns) / (rounds * seeds * STEPS_A_ROUND)


def main() -> None:
    """Prints environment steps a second, and the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.game_learning", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="of our runs; the loop takes a fifth (20)")
    rounds = parser.parse_args().rounds
    problem = actor_critic(navigation(AGENTS), episodes=EPISODES, reward_model=False)
    network = hg.networks.ring(AGENTS)
    loop = Loop(problem, network)
    loop.run(1)
    begun, few = time.perf_counter(), max(1, rounds // 5)
    loop.run(few)
    theirs = (time.perf_counter() - begun) / (few * STEPS_A_ROUND)
    one, ten = ours(problem, network, 1, rounds), ours(problem, network, SEEDS, rounds)
    rows = [("a loop over mpe2", f"{1 / theirs:10,.0f}")]
    for name, each in (("ours", one), ("ours, ten seeds in one call", ten)):
        rows.append((name, f"{1 / each:10,.0f}   ({theirs / each:.1f} times)"))
    report(f"SLAM-AC on navigation, {AGENTS} agents: environment steps a second, learning included", rows)


if __name__ == "__main__":
    main()
