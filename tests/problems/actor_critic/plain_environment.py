"""An environment of which everything is right, whose methods each test changes."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv

from hypergossip.problems.actor_critic import from_parallel

HORIZON = 19
LATE = 17  # beyond the steps by which an environment is tried


class Plain(ParallelEnv):
    """Two agents who gather what is drawn by the seed, for twenty steps."""

    possible_agents = ("a", "b")
    closed = 0

    def __init__(self):
        self.metadata, self.possible_agents = {"name": "plain"}, list(type(self).possible_agents)

    def observation_space(self, agent):
        return Box(-100, 100, (2,))

    def action_space(self, agent):
        return Discrete(3)

    def reset(self, seed=None, options=None):
        self.agents, self.t, self.generator = self.possible_agents[:], 0, np.random.default_rng(seed)
        self.place = self.generator.random(2)
        return self.seen(), self.infos()

    def step(self, actions):
        self.t += 1
        self.place = self.place + self.generator.random(2)
        answer = self.seen(), self.rewards(), self.over(), self.cut(), self.infos()
        self.agents = self.remaining()
        return answer

    def tell(self, value):
        return dict.fromkeys(self.possible_agents, value)

    def seen(self):
        return self.tell(self.place)

    def rewards(self):
        return self.tell(self.place.sum())

    def over(self):
        return self.tell(False)

    def cut(self):
        return self.tell(self.t == 20)

    def infos(self):
        return self.tell({})

    def remaining(self):
        return [] if self.t == 20 else self.agents

    def close(self):
        Plain.closed += 1


class Kept(Plain):
    """Keeps something over a reset."""

    episodes = 0

    def reset(self, seed=None, options=None):
        self.episodes += 1
        return super().reset(seed)

    def seen(self):
        return self.tell(np.full(2, float(self.episodes)))


def changed(**methods):
    """A class of environments with these methods in place of the plain ones."""
    return type("Changed", (Plain,), methods)


def refused(sentence, make=None, error=ValueError, **options):
    with pytest.raises(error, match=re.escape(sentence)) as caught:
        from_parallel(make, **{"horizon": HORIZON} | options)
    return caught.value


def played(game, steps=HORIZON):
    """The rewards of an episode, played within a compiled program."""

    @jax.jit
    def run(key):
        step = lambda state, _: game.step(state, jnp.zeros(game.agents, int))[:2]
        return jax.lax.scan(step, game.reset(key), length=steps)[1]

    return np.asarray(run(jax.random.key(0)))
