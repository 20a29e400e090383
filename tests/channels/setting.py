"""The network, the quadratics and the methods on which channels are tried."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from hypergossip.channels.requirements import ChannelWarning
from hypergossip.channels.stack import read_channel
from hypergossip.engines import Simulated
from hypergossip.problems.quadratic import quadratic, solution
from hypergossip.running.run import begin

AGENTS, P, Q = 9, 5, 4
STEP, LOWER_STEP, RHO = 0.05, 0.3, 0.5
NETWORK = hg.networks.erdos_renyi(AGENTS, 0.3, seed=1)
W = NETWORK.mixing.toarray()
OFF = W - np.diag(np.diag(W))
SQUARES = float((OFF**2).sum())  # sum_{i != j} W_ij^2
ESTIMATOR = hg.Exact()
STEPS = {"upper_step": STEP, "lower_step": LOWER_STEP, "hypergradient": ESTIMATOR}
MOMENTA = {"upper_momentum": 0.1, "lower_momentum": 0.1}

DIAMOND = hg.Diamond(**STEPS, **MOMENTA)
GTSGD = hg.GTSGD(**STEPS)
DSGD = hg.DSGD(**STEPS)
SLAM = hg.Slam(**STEPS, gamma=1.0, rho=RHO)
TRACKED = hg.SlamTracked(upper_step=STEP, lower_step=LOWER_STEP, gamma=1.0, rho=RHO, adjoint_step=0.2)
METHODS = {"DIAMOND": DIAMOND, "GT-SGD": GTSGD, "SLAM": SLAM, "SlamTracked": TRACKED, "D-SGD": DSGD}


def problem(noise: float = 0.0, share: str = "upper", dimension: int = P) -> Any:
    """Heterogeneous quadratics."""
    return quadratic(AGENTS, dimension, Q, seed=0, noise=noise, share=share)


def single_level(noise: float = 0.0) -> Any:
    """Quadratics whose lower solution does not depend on x, so that l_i(x) = (x - e_i)' diag(a_i) (x - e_i) / 2."""
    whole = problem(noise)
    whole.oracles = replace(whole.oracles, B=jnp.zeros_like(whole.oracles.B))
    return whole


def optimum(whole: Any) -> np.ndarray:
    """Returns x*, (p,)."""
    return np.asarray(solution(whole).x)


def hessian(whole: Any) -> np.ndarray:
    """Returns the Hessian H of l, (p, p)."""
    gradient = solution(whole).hypergradient
    return np.stack([gradient(row) - gradient(np.zeros(P)) for row in np.eye(P)], axis=1)


def run(method: Any, whole: Any, channel: Any, rounds: int, network: Any = NETWORK, **more: Any) -> Any:
    """Returns the result of a run under a channel, without checks, measurements and warnings of what it breaks."""
    given = {"check": False, "measure": False, "progress": False, "observe_every": max(1, rounds), **more}
    with warnings.catch_warnings(action="ignore", category=ChannelWarning):
        return hg.solve(method, whole, network, rounds=rounds, channel=channel, **given)


def distance(result: Any, whole: Any) -> Any:
    """Returns the mean over the agents of |x_i - x*|^2, one number or one for each seed."""
    return ((result.x - optimum(whole)) ** 2).sum(axis=-1).mean(axis=-1)


def states(method: Any, whole: Any, channel: Any, rounds: int, seeds: int = 1) -> Iterator[Any]:
    """Yields the agents' states after 0, 1, ..., rounds rounds, leaves (seeds, agents, ...)."""
    channel = read_channel(channel)
    numbers = np.arange(seeds)
    started, carry = begin(Simulated(), method, False, whole, NETWORK, numbers, seeds, measure=False, channel=channel)
    state = carry.state
    yield jax.tree.map(np.asarray, getattr(state, "agents", state))
    for round in range(rounds):
        state = started.session.advance(state, round, round + 1)[0]
        yield jax.tree.map(np.asarray, getattr(state, "agents", state))


def conserved(method: Any, state: Any) -> list[np.ndarray]:
    """Returns every agent's terms of the sums that a method keeps at zero, each (seeds, agents, entries)."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves(jax.vmap(jax.vmap(method.conserved))(state))]


def sums(method: Any, state: Any) -> np.ndarray:
    """Returns |sum_i c_i|^2 of what a method conserves, one for each seed."""
    return sum((terms.sum(axis=1) ** 2).sum(axis=-1) for terms in conserved(method, state))


def is_law(measured: Any, law: Any) -> None:
    """Asserts that the mean of independent measurements agrees with a law: its standard error and its ratio."""
    measured = np.asarray(measured, float)
    ratio, error = measured.mean() / law, measured.std(ddof=1) / np.sqrt(measured.size) / law
    assert error < 0.05 * ratio, f"the standard error is {error:.3f}"
    assert 0.8 < ratio < 1.25, f"measured / law = {ratio:.3f} +- {error:.3f}"
