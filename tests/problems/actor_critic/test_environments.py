"""Answers that a game cannot be made of are refused by agent and step, at once where they come soon."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from plain_environment import HORIZON, LATE, Plain, changed, played, refused

from hypergossip.problems.actor_critic import from_parallel


def one_leaves(at, flags="over", agents=lambda self: self.agents):
    return changed(**{flags: lambda self: {"a": self.t >= at, "b": False}, "remaining": agents})


LEFT = "others continue to play, at step {} of plain: 'a' is {}, and 'b' continues; omit leaving=False"


def test_an_agent_that_is_over_before_it_leaves_the_list_or_leaves_it_without_a_word_is_refused_if_asked():
    for flags in ("over", "cut"):
        environment = one_leaves(2, flags, lambda self: ["b"] if self.t > 2 else ["a", "b"])
        refused(LEFT.format(2, "over"), environment, leaving=False)
    silent = changed(remaining=lambda self: ["b"] if self.t == 3 else self.agents)
    refused(LEFT.format(3, "no longer there"), silent, leaving=False)


def test_an_agent_that_leaves_late_is_named_as_it_plays():
    game = from_parallel(one_leaves(LATE), horizon=HORIZON, leaving=False)
    state = game.reset(jax.random.key(0))
    for _ in range(LATE - 1):
        state, *_ = game.step(state, jnp.zeros(2, int))
    with pytest.raises(ValueError, match=re.escape(LEFT.format(LATE, "over"))):
        game.step(state, jnp.zeros(2, int))


@pytest.mark.parametrize(
    ("terminated", "truncated", "agents"),
    [
        ({"a": True, "b": False}, {"a": False, "b": True}, ["a", "b"]),
        ({"a": True, "b": False}, {"a": True, "b": True}, []),
        ({"a": True, "b": False}, {"a": False, "b": False}, []),  # the list says that it is over for all
    ],
)
def test_an_end_for_all_is_fine_whatever_ends_it_for_whom(terminated, truncated, agents):
    no = {"a": False, "b": False}
    game = from_parallel(
        changed(
            over=lambda self: terminated if self.t == 3 else no,
            cut=lambda self: truncated if self.t == 3 else no,
            remaining=lambda self: agents if self.t == 3 else self.agents,
        ),
        horizon=HORIZON,
    )
    gained = played(game)
    assert np.all(gained[:3] > 0)
    assert not np.any(gained[3:])


def test_a_list_of_agents_that_empties_cuts_the_episode():
    game = from_parallel(changed(remaining=lambda self: [] if self.t == 3 else self.agents), horizon=HORIZON)
    state = game.reset(jax.random.key(0))
    for time in range(1, 4):
        state, _, terminated, truncated = game.step(state, jnp.zeros(2, int))
        assert (bool(terminated), bool(truncated)) == (False, time == 3)


def without(method, who="b"):
    """The answer of a method, with no entry for an agent."""
    return lambda self: {name: value for name, value in getattr(Plain, method)(self).items() if name != who}


def with_another(method):
    return lambda self: {**getattr(Plain, method)(self), "__all__": False}


@pytest.mark.parametrize("method", ["seen", "rewards", "over", "cut"])
def test_answers_that_lack_an_agent_or_hold_an_unknown_one(method):
    what = {"seen": "observations", "over": "terminations", "cut": "truncations"}.get(method, method)
    when = "at the reset" if method == "seen" else "at step 1"
    refused(f"the {what} of plain {when} have no entry for agent 'b'", changed(**{method: without(method)}))
    refused(f"the {what} of plain {when} have an entry for '__all__'", changed(**{method: with_another(method)}))
    refused(f"the {what} of plain {when} are None; return a dict", changed(**{method: lambda self: None}))


def reset_to(**lists):
    """A reset after which the environment has these lists of agents."""

    def reset(self, seed=None, options=None):
        answer = Plain.reset(self, seed)
        vars(self).update(lists)
        return answer

    return changed(reset=reset)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (reset_to(agents=["a"]), "agent 'b' of plain is absent at the reset (the agents are ['a'])"),
        (reset_to(possible_agents=["b"]), "possible_agents of plain was ['a', 'b'], but is ['b'] after a reset"),
        (changed(possible_agents=()), "possible_agents of plain is []"),
        (changed(possible_agents=("a", "a")), "possible_agents of plain is ['a', 'a']"),
        (changed(seen=lambda self: self.tell(np.zeros(3))), "the observation of agent 'a' of plain at the reset"),
        (changed(seen=lambda self: self.tell(None)), "the observation of agent 'a' of plain at the reset is None"),
        (changed(rewards=lambda self: self.tell(None)), "the reward of agent 'a' of plain at step 1 is None"),
        (changed(rewards=lambda self: self.tell(np.ones(2))), "the reward of agent 'a' of plain at step 1 is array"),
        (changed(reset=lambda self, seed=None: self.tell(0)), "reset of plain returned one of type dict, not"),
        (changed(step=lambda self, actions: ({}, {}, {}, {})), "step of plain returned a tuple of 4, not"),
    ],
)
def test_answers_that_do_not_fit_are_refused_by_name(environment, sentence):
    refused(sentence, environment)
