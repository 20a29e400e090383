"""Rounds of a run on an engine, without metrics, and an algorithm that mixes twice a round."""

from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np

import hypergossip as hg
from hypergossip.core.algorithm import Algorithm, Cost, Mix, Oracles, register
from hypergossip.engines.engine import Engine, Job

ALGORITHMS = {
    "DSGD": hg.DSGD(0.05, 0.1, hg.ConjugateGradient(4, 1e-6)),
    "GTSGD": hg.GTSGD(0.05, 0.1, hg.Exact()),
    "MSGD": hg.MSGD(0.05, 0.1, 0.3, 0.3, hg.Neumann(4, 5.0)),
    "Diamond": hg.Diamond(0.05, 0.1, 0.3, 0.3, hg.Neumann(4, 5.0)),
    "Interact": hg.Interact(0.05, 0.1),
    "SVRInteract": hg.SVRInteract(0.05, 0.1, 4, hg.TruncatedNeumann(4, 5.0)),
    "Slam": hg.Slam(0.05, 0.1, 1.0, 0.5, hg.TruncatedNeumann(4, 5.0)),
}


GRAPHS = {
    "ring": hg.networks.ring,
    "star": hg.networks.star,
    "complete": hg.networks.complete,
    "erdos_renyi": lambda n: hg.networks.erdos_renyi(n, 0.3, seed=3),
}


def problem_for(name: str, agents: int, noise: float = 0.1) -> hg.Problem:
    """A noisy quadratic of heterogeneous agents; Slam shares both levels."""
    return hg.problems.quadratic(agents, noise=noise, share="both" if name == "Slam" else "upper")


def rounds_on(
    engine: Engine, algorithm: Any, problem: hg.Problem, network: Any, rounds: int, runs: int = 1, swept: bool = False
) -> tuple[Any, Cost]:
    """Runs rounds 0..rounds-1 and returns the state and the costs as host arrays."""
    session = engine.open(Job(algorithm, problem, network, jax.vmap(jax.random.key)(np.arange(runs)), swept))
    x, y = (np.broadcast_to(v, (runs, problem.agents, v.size)) for v in (problem.x0, problem.y0))
    return session.to_host(session.advance(session.start(x, y), 0, rounds))


def distance(one: Any, other: Any) -> float:
    """The largest difference between two trees of equal shapes."""
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(
        float(np.max(np.abs(np.asarray(a) - np.asarray(b)), initial=0.0)) for a, b in leaves if equal_shapes(a, b)
    )


def equal_shapes(a: Any, b: Any) -> bool:
    assert np.shape(a) == np.shape(b)
    return True


class Pair(NamedTuple):
    """One agent's x (p,) and y (q,)."""

    x: Any
    y: Any


@register
class TwoMixes(Algorithm):
    """Gossips twice a round with a gradient step between; `traces` counts how often Python runs its step."""

    upper_step: Any
    lower_step: Any

    traces: ClassVar[list[int]] = []

    def init(self, agent: Oracles, x: Any, y: Any, key: Any) -> Pair:
        return Pair(x, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: Pair, key: Any) -> tuple[Pair, Cost]:
        self.traces.append(1)
        upper_key, lower_key = jax.random.split(key)
        Mx = mix(upper=state.x)
        half = Mx - self.upper_step * agent.upper_gradients(state.x, state.y, upper_key)[0]
        y = state.y - self.lower_step * agent.lower_gradient(state.x, state.y, lower_key)
        return Pair(mix(upper=half, call=1), y), Cost(agent.samples(1, 1), 1, 1)


def two_mixes_by_hand(algorithm: TwoMixes, problem: hg.Problem, network: Any, rounds: int) -> np.ndarray:
    """The same recursion without noise, in NumPy, from the quadratic's formulas; x (agents, p)."""
    o, W = jax.tree.map(np.asarray, problem.oracles), network.mixing.toarray()
    x = np.zeros((problem.agents, problem.upper.size))
    y = np.zeros((problem.agents, problem.lower.size))
    for _ in range(rounds):
        gx = o.a * (x - o.e)
        gy = np.einsum("nqr,nr->nq", o.H, y) - np.einsum("nqp,np->nq", o.B, x) - o.c
        x, y = W @ (W @ x - algorithm.upper_step * gx), y - algorithm.lower_step * gy
    return x
