"""A program on an agent's own machine loads that agent's data, and no other's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.agent_data.one_agent import only

SIZES = (5, 3, 4)
START = jnp.zeros(2)


def loss(x, y, batch):
    return jnp.mean((batch @ x - 1) ** 2) + jnp.sum((x - y) ** 2)


def rows(i):
    return np.random.default_rng(i).normal(size=(SIZES[i], 2))


def problem(load, n=3, names=None):
    return hg.Problem.from_agents(loss, loss, n=n, load=load, x0=START, y0=START, names=names)


def test_the_data_of_the_one_agent_alone_are_loaded():
    asked = []

    def load(i):
        asked.append(i)
        return rows(i), rows(i)

    whole = problem(load)
    asked.clear()
    with only(1) as chosen:
        own = problem(load, names=["a", "b", "c"])
    assert asked == [1]
    assert chosen.numbers == [3]
    assert own.agents == 1
    assert own.identities.tolist() == [1]
    assert own.names == ("b",)
    assert whole.agents == 3
    assert whole.identities.tolist() == [0, 1, 2]
    key = jax.random.key(0)
    x, y = jnp.asarray([1.0, 2.0]), jnp.asarray([0.5, -1.0])
    for level in ("upper_loss", "lower_loss"):
        np.testing.assert_allclose(
            getattr(own.agent(0).full, level)(x, y, key), getattr(whole.agent(1).full, level)(x, y, key), rtol=1e-14
        )


def test_the_restriction_ends_with_its_block_even_after_an_error():
    def fail(i):
        raise OSError("no such file")

    with pytest.raises(OSError, match="no such file"), only(2):
        problem(fail)
    assert problem(lambda i: (rows(i), rows(i))).agents == 3


def test_an_agent_that_the_problem_does_not_have_is_refused():
    with only(3), pytest.raises(ValueError, match="agent 3 does not exist: n is 3"):
        problem(lambda i: (rows(0), rows(0)))


def test_a_problem_made_at_once_is_not_restricted():
    data = [rows(i) for i in range(3)]
    with only(1) as chosen:
        whole = hg.Problem(loss, loss, upper_data=data, lower_data=data, x0=START, y0=START)
    assert whole.agents == 3
    assert chosen.numbers == []
