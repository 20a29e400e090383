"""Steps for each leaf: equal ones are the plain step, and unequal ones the plain step on a rescaled variable."""

import dataclasses
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.flat_messages import mix_through
from hypergossip.core.leaf_steps import LEVELS, fitted
from hypergossip.support.pytree import register_pytree
from laws.problems import AGENTS, P, Q, quadratic_problem
from laws.running import close
from laws.table import METHODS

ROUNDS = 12
SIZES = {"upper": (1, P - 1), "lower": (Q - 1, 1)}  # of the leaves "a" and "b"
FACTORS = {"upper": (1.4, 0.6), "lower": (0.7, 1.3)}

SAME = ("LoPA", "TTSA", "Sustain", "DAC", "CAC-U", "MDAC-L", "Slam", "SlamTracked")  # the same class as another name
NAMES = [name for name in METHODS if name not in SAME]
# One divides by the size of every entry, others add |z - y|^2 or sum up norms: another method in other variables.
OTHER_METRICS = ("VRBiAdam", "SUNDSBO", "SUNDSBOSE", "AdaSDBO")
SERIES = ("StocBiO", "MRBO")  # the series of their estimator depends on how y is measured


@register_pytree()
@dataclass(frozen=True)
class Rescaled:
    """A problem in the variables u = x / s and w = y / t: what every oracle returns, by the chain rule."""

    oracles: Any
    s: Any
    t: Any

    @property
    def full(self) -> "Rescaled":
        return Rescaled(self.oracles.full, self.s, self.t)

    def samples(self, upper: Any = 0, lower: Any = 0) -> Any:
        return self.oracles.samples(upper, lower)

    def upper_loss(self, x: Any, y: Any, key: Any) -> Any:
        return self.oracles.upper_loss(self.s * x, self.t * y, key)

    def upper_gradients(self, x: Any, y: Any, key: Any) -> Any:
        fx, fy = self.oracles.upper_gradients(self.s * x, self.t * y, key)
        return self.s * fx, self.t * fy

    def lower_gradient(self, x: Any, y: Any, key: Any) -> Any:
        return self.t * self.oracles.lower_gradient(self.s * x, self.t * y, key)

    def lower_gradients(self, x: Any, y: Any, key: Any) -> Any:
        gx, gy = self.oracles.lower_gradients(self.s * x, self.t * y, key)
        return self.s * gx, self.t * gy

    def hessian_product(self, x: Any, y: Any, key: Any) -> Any:
        product = self.oracles.hessian_product(self.s * x, self.t * y, key)
        return lambda v: self.t * product(self.t * v)

    def jacobian_product(self, x: Any, y: Any, key: Any) -> Any:
        product = self.oracles.jacobian_product(self.s * x, self.t * y, key)
        return lambda v: self.s * product(self.t * v)

    def project(self, x: Any) -> Any:
        return x


def entries(level: str, factors: Any) -> Any:
    """One factor for each entry of the flat vector."""
    return np.repeat(np.asarray(factors, float), SIZES[level])


@cache
def problem_of(share: str, upper: Any, lower: Any) -> Any:
    """The quadratics of the laws, x and y of two leaves each, in variables that are measured by the given factors."""
    s, t = np.sqrt(entries("upper", upper)), np.sqrt(entries("lower", lower))
    plain = quadratic_problem(share)
    everywhere = lambda v: jnp.broadcast_to(jnp.asarray(v), (AGENTS, v.size))
    oracles = Rescaled(plain.oracles, everywhere(s), everywhere(t))
    start = np.linspace(-0.5, 0.5, P) / s, np.linspace(0.4, -0.4, Q) / t
    x0, y0 = (
        {"a": v[: SIZES[level][0]], "b": v[SIZES[level][0] :]}
        for v, level in zip(start, ("upper", "lower"), strict=True)
    )
    return hg.Problem.from_oracles(oracles, x0=x0, y0=y0, share=share)


def spread(name: str, upper: Any, lower: Any, momenta: bool) -> Any:
    """A method of the table whose steps, and momenta, have a value for each of the two leaves: factors of its own.

    MRBO ties its steps and momenta together and is made anew.
    """
    algorithm, factors = METHODS[name].algorithm, {"upper": upper, "lower": lower}
    if name == "MRBO":
        leaves = lambda value, level: dict(zip("ab", value * np.asarray(factors[level], float), strict=True))
        return hg.MRBO(leaves(0.3, "upper"), leaves(0.6, "lower"), 5.0, 7.0, terms=3, lipschitz=5.0, offset=64.0)
    changed = {}
    for field, level in LEVELS.items():
        if hasattr(algorithm, field) and (momenta or field.endswith("step")):
            value = getattr(algorithm, field)
            changed[field] = {leaf: value * factor for leaf, factor in zip("ab", factors[level], strict=True)}
    return dataclasses.replace(algorithm, **changed)


@partial(jax.jit, static_argnums=0)
def one_round(spaces: Any, algorithm: Any, agent: Any, round: Any, state: Any, key: Any) -> Any:
    """A round of one agent whose neighbours all stand at zero: linear like every average, and quick to compile."""
    mix = mix_through(spaces, lambda vector, call, weights: 0.8 * vector)
    return algorithm.step(agent, mix, round, state, jax.random.fold_in(key, round))[0]


def run(algorithm: Any, problem: Any) -> Any:
    spaces, agent, key = (problem.upper, problem.lower), problem.agent(0), jax.random.key(0)
    algorithm = fitted(algorithm, *spaces)
    state = algorithm.init(agent, problem.x0, problem.y0, key)
    for round in range(ROUNDS):
        state = one_round(spaces, algorithm, agent, round, state, key)
    return jax.tree.map(np.asarray, state)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_for_each_leaf(name):
    plain, ones, share = METHODS[name].algorithm, (1.0, 1.0), METHODS[name].share
    problem = problem_of(share, ones, ones)
    base = run(plain, problem)
    close(run(spread(name, ones, ones, momenta=True), problem), base, 1e-12)
    assert np.abs(base.x).max() > 0.05

    if name in OTHER_METRICS:
        return
    upper, lower = FACTORS["upper"], FACTORS["lower"]
    if METHODS[name].contracts == "primal-dual":  # its penalty on disagreement is not rescaled with the losses
        upper, lower = (
            ones if share in (level, "both") else factors for level, factors in (("upper", upper), ("lower", lower))
        )
    if name in SERIES:
        lower = ones
    here = run(spread(name, upper, lower, momenta=False), problem)
    there = run(plain, problem_of(share, upper, lower))
    close(here.x, there.x * np.sqrt(entries("upper", upper)), 1e-10)
    close(here.y, there.y * np.sqrt(entries("lower", lower)), 1e-10)
    assert (np.abs(here.x - base.x).max() > 1e-2) == ((upper, lower) != (ones, ones))
