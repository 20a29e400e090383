"""The network, the quadratics and the methods on which channels are tried."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from hypergossip import channels
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
ENGINES = {"Debug": hg.Debug(), "Sharded": hg.Sharded(devices=3), "unequal blocks": hg.Sharded(devices=4)}
METHODS = {"DIAMOND": DIAMOND, "GT-SGD": GTSGD, "SLAM": SLAM, "SlamTracked": TRACKED, "D-SGD": DSGD}


CHANNELS = {
    "loss": channels.Loss(0.3),
    "one-sided loss": channels.Loss(0.3, symmetric=False, replace="own"),
    "last value": channels.Loss(0.3, symmetric=False, replace="last"),
    "renormalised": channels.Loss(0.3, symmetric=False, replace="renormalise"),
    "bursts": channels.GilbertElliott(0.1, 0.4),
    "one-sided bursts": channels.GilbertElliott(0.2, 0.4, 0.1, 0.9, symmetric=False, replace="last"),
    "noise": channels.Noise(0.01),
    "fading": channels.Fading(0.1, mean=0.9),
    "pilot": channels.Fading(0.3, pilot=True),
    "reciprocal": channels.Fading(0.3, pilot=True, reciprocal=True),
    "delay": channels.Delay(2),
    "same age": channels.Delay(1, own="same"),
    "rounding": channels.Quantize(8),
    "random rounding": channels.Quantize(6, rounding="stochastic"),
    "lattice": channels.Quantize(16, width=0.01),
    "copy": [channels.CommonCopy(), channels.Quantize(4)],
    "largest": [channels.CommonCopy(0.3), channels.TopK(2)],
    "random entries": [channels.CommonCopy(0.3), channels.RandomK(2)],
    "lower level": [channels.CommonCopy(level="lower"), channels.Quantize(4)],
    "privacy": channels.PrivacyNoise(5.0, 0.001),
    "edge sums": [channels.EdgeSums(), channels.Loss(0.3, symmetric=False)],
    "edge sums, noise and delay": [channels.EdgeSums(), channels.Noise(0.01), channels.Delay(2)],
}


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


def agree(method: Any, whole: Any, channel: Any, engine: Any, rounds: int, network: Any = NETWORK) -> None:
    """Asserts that an engine computes what `Simulated` does under a channel to round-off, with the links' state."""
    here, there = (run(method, whole, channel, rounds, network, engine=one) for one in (None, engine))
    np.testing.assert_allclose(here.x, there.x, rtol=0, atol=1e-10)
    np.testing.assert_allclose(here.y, there.y, rtol=0, atol=1e-10)
    for one, other in zip(here.saved.leaves, there.saved.leaves, strict=True):
        np.testing.assert_allclose(one.astype(float), other.astype(float), rtol=0, atol=1e-8)
    ideal = run(method, whole, None, rounds, network)
    assert max(np.abs(ideal.x - here.x).max(), np.abs(ideal.y - here.y).max()) > 1e-7
