"""The run that programs/test_processes.py makes in one process and two_processes.py in two."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from hypergossip.core.agent_data import stacking

AGENTS = (8, 9)  # four devices share eight agents evenly, and nine not
MEASURED = AGENTS[-1]  # with every column, which takes long to compile; the others with the losses
SIZES = {"equal": (6,) * 8, "end to end": (3, 40, 6, 11, 4, 5, 30, 8)}  # of eight agents that are loaded one by one
SIGNALLED = {"one": (1,), "both": (0, 1)}  # the processes that are sent SIGTERM in two endless runs


def solve(agents: int, upper_step: float = 0.05, **settings: Any) -> hg.Result:
    """Runs DSGD with two seeds on a ring of heterogeneous quadratics."""
    problem = hg.problems.quadratic(agents, noise=0.1, observe={"size": lambda x, y: (x**2).sum()})
    algorithm = hg.DSGD(upper_step, 0.1, hg.ConjugateGradient(4, 1e-6))
    measure = agents == MEASURED or "upper_loss"
    settings = {"rounds": 12, "seeds": 2, "observe_every": 6, "check": False, "measure": measure} | settings
    return hg.solve(algorithm, problem, hg.networks.ring(agents), **settings)


def data_of_agent(i: int, rows: int) -> dict[str, np.ndarray]:
    """Returns an agent's rows."""
    return {"a": np.random.default_rng(i).standard_normal((rows, 3))}


def loaded(kind: str, load: Callable[[int], Any] | None = None) -> hg.Problem:
    """Makes a problem whose agents are loaded where they live; both levels have the same rows."""
    own = lambda i: (data_of_agent(i, SIZES[kind][i]),) * 2
    upper = lambda x, y, b: jnp.mean((b["a"] @ y - 1) ** 2)
    lower = lambda x, y, b: upper(x, y, b) + jnp.sum((y - x) ** 2)
    zero = np.zeros(3)
    with mock.patch.object(stacking, "LITTLE", 0 if kind == "end to end" else np.inf):
        return hg.Problem.from_agents(upper, lower, n=8, load=load or own, x0=zero, y0=zero, batch_size=3)


def solve_loaded(problem: hg.Problem, **settings: Any) -> hg.Result:
    """Runs GTSGD, which warns of nothing, on a ring, with every column."""
    algorithm = hg.GTSGD(0.05, 0.05, hg.ConjugateGradient(2))
    return hg.solve(algorithm, problem, hg.networks.ring(8), rounds=6, observe_every=6, **settings)
