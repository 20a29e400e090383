"""The network, the quadratics and the methods of the study, and runs that keep the agents' points."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

import hypergossip as hg
from hypergossip.channels.stack import read_channel
from hypergossip.problems.quadratic import quadratic, solution
from hypergossip.running.run import begin

AGENTS, P, Q = 9, 5, 4
STEP, LOWER_STEP, RHO = 0.05, 0.3, 0.5
NETWORK = hg.networks.erdos_renyi(AGENTS, 0.3, seed=1)
W = NETWORK.mixing.toarray()
OWN = np.diag(W)
SQUARES = (W - np.diag(OWN)) ** 2  # W_ij^2 of the edges, (agents, agents)

_STEPS: dict[str, Any] = {"upper_step": STEP, "lower_step": LOWER_STEP, "hypergradient": hg.Exact()}
METHODS = {
    "DIAMOND": hg.Diamond(**_STEPS, upper_momentum=0.1, lower_momentum=0.1),
    "GT-SGD": hg.GTSGD(**_STEPS),
    "SLAM": hg.Slam(**_STEPS, gamma=1.0, rho=RHO),
    "SlamTracked": hg.SlamTracked(upper_step=STEP, lower_step=LOWER_STEP, gamma=1.0, rho=RHO, adjoint_step=0.2),
    "D-SGD": hg.DSGD(**_STEPS),
}


def problem(method: str, noise: float = 0.0, dimension: int = P) -> Any:
    """Returns heterogeneous quadratics: SlamTracked has one lower level for all, the others one for each agent.

    Args:
        method: The name of the method.
        noise: The standard deviation of the noise of a gradient's entry.
        dimension: The number of entries of x.
    """
    share = "both" if method == "SlamTracked" else "upper"
    return quadratic(AGENTS, dimension, Q, seed=0, noise=noise, share=share)


def optimum(whole: Any) -> np.ndarray:
    """Returns x*, (p,)."""
    return np.asarray(solution(whole).x)


def hessian(whole: Any) -> np.ndarray:
    """Returns the Hessian H of l, (p, p)."""
    gradient, p = solution(whole).hypergradient, whole.x0.size
    return np.stack([gradient(row) - gradient(np.zeros(p)) for row in np.eye(p)], axis=1)


class Trace(NamedTuple):
    """The points of some runs at some rounds.

    Attributes:
        rounds: The rounds, (looks,).
        x: The agents' points, (looks, seeds, agents, p).
        conserved: The size of the sum that the method keeps at zero, with what is under way, (looks, seeds);
            zeros if it is not measured.
        bytes_sent: The bytes that an agent sends in a round, the mean over the agents.
    """

    rounds: np.ndarray
    x: np.ndarray
    conserved: np.ndarray
    bytes_sent: float

    def distances(self, whole: Any) -> np.ndarray:
        """Returns the mean over the agents of |x_i - x*|^2, (looks, seeds); infinite where a run has diverged."""
        with np.errstate(over="ignore", invalid="ignore"):
            found = ((self.x - optimum(whole)) ** 2).sum(axis=-1).mean(axis=-1)
        return np.where(np.isfinite(found), found, np.inf)


def trace(
    method: Any,
    whole: Any,
    channel: Any,
    looks: Iterable[Any],
    seeds: int = 1,
    sums: bool = False,
    network: Any = NETWORK,
) -> Trace:
    """Runs a method under a channel, whether or not `solve` would refuse or warn of the combination.

    Args:
        method: The method.
        whole: The problem.
        channel: The channel, as for `solve`.
        looks: The rounds that are observed, increasing.
        seeds: The number of runs, side by side.
        sums: Whether the conserved sum is measured as well.
        network: The network.
    """
    opened, carry = _begun(method, whole, channel, seeds, network)
    looks = [int(look) for look in looks]
    state, done, points, sizes = carry.state, 0, [], []
    for look in looks:
        if look > done:
            state, _ = opened.session.advance(state, done, look)
            done = look
        points.append(np.asarray(_agents(state).x))
        found = opened.session.conserved(state) if sums else None
        sizes.append(np.zeros(seeds) if found is None else np.asarray(found[0]))
    return Trace(np.array(looks), np.stack(points), np.stack(sizes), float(opened.sent.until(1).mean()))


def states(method: Any, whole: Any, channel: Any, rounds: int, seeds: int) -> Iterator[Any]:
    """Yields the agents' states after 0, 1, ..., rounds rounds, leaves (seeds, agents, ...).

    Args:
        method: The method.
        whole: The problem.
        channel: The channel, as for `solve`.
        rounds: The number of rounds.
        seeds: The number of runs, side by side.
    """
    opened, carry = _begun(method, whole, channel, seeds, NETWORK)
    state = carry.state
    yield jax.tree.map(np.asarray, _agents(state))
    for round in range(rounds):
        state, _ = opened.session.advance(state, round, round + 1)
        yield jax.tree.map(np.asarray, _agents(state))


def sums(method: Any, state: Any) -> np.ndarray:
    """Returns |sum_i c_i|^2 of what a method conserves, (seeds,).

    Args:
        method: The method.
        state: The agents' states, leaves (seeds, agents, ...).
    """
    terms = jax.tree.leaves(jax.vmap(jax.vmap(method.conserved))(state))
    return np.asarray(sum((term.sum(axis=1) ** 2).sum(axis=-1) for term in terms))


def _begun(method: Any, whole: Any, channel: Any, seeds: int, network: Any) -> Any:
    numbers, stack = np.arange(seeds), read_channel(channel)
    return begin(hg.Simulated(), method, False, whole, network, numbers, seeds, measure=False, channel=stack)


def _agents(state: Any) -> Any:
    return getattr(state, "agents", state)  # under a channel, a state also has that of the links
