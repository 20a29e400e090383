"""Losses, projections and observations are functions of the right arguments, however they are made."""

from functools import partial

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.support.callables import check_function, check_functions
from refusals import refused

P = 2


def loss(x, y, batch):
    return jnp.mean((batch["A"] @ y) ** 2) + jnp.sum((y - x) ** 2)


AGENT = {"A": np.ones((4, P))}
ROWS = {"upper_data": [AGENT], "lower_data": [AGENT], "x0": np.zeros(P), "y0": np.zeros(P)}
OF_THREE, OF_TWO = ("x", "y", "batch"), ("x", "y")
FUNCTIONS = {
    "a lower loss without a batch": (lambda: hg.Problem(loss, lambda x, y: 0.0, **ROWS), ["lower", "(x, y, batch)"]),
    "a loss of more": (
        lambda: hg.Problem(lambda x, y, b, key: 0.0, loss, **ROWS),
        ["upper", "'key'", "(x, y, b, key)"],
    ),
    "a projection of two": (lambda: hg.Problem(loss, loss, project=lambda x, y: x, **ROWS), ["project", "'y'"]),
    "an observation of one": (
        lambda: hg.Problem(loss, loss, observe={"size": lambda x: 0.0}, **ROWS),
        ["observe['size']", "(x, y)"],
    ),
    # Called directly, since Problem's own types are checked in the tests.
    "a loss that is none": (
        lambda: check_function("mse", "upper", OF_THREE),
        ["upper is of type str", "(x, y, batch)"],
    ),
    "an observation that is none": (
        lambda: check_functions({"size": 3}, "observe", OF_TWO),
        ["observe['size'] is of type int", "(x, y)"],
    ),
    "observations in a list": (
        lambda: check_functions([loss], "observe", OF_TWO),
        ["observe is of type list", "a dict of functions by name"],
    ),
    "observations by number": (lambda: check_functions({1: loss}, "observe", OF_TWO), ["observe", "by name"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_functions_of_the_right_arguments(name):
    refused(*FUNCTIONS[name])


class Scaled(equinox.Module):
    scale: float

    def __call__(self, x, y, batch):
        return self.scale * loss(x, y, batch)


@pytest.mark.parametrize(
    "function",
    [
        jax.jit(loss),
        partial(lambda scale, x, y, batch: scale * loss(x, y, batch), 1.0),
        Scaled(1.0),
        Scaled(1.0).__call__,
        equinox.filter_jit(loss),
        jax.checkpoint(loss),
        lambda *given, more=1.0: more * loss(*given),
        lambda x, y, batch, more=1.0: more * loss(x, y, batch),
    ],
)
def test_functions_of_all_makes_are_called(function):
    problem = hg.Problem(function, loss, **ROWS)
    y = jnp.array([1.0, -3.0])
    np.testing.assert_allclose(problem.agent(0).full.upper_loss(0 * y, y, jax.random.key(0)), 4.0 + 10.0)
