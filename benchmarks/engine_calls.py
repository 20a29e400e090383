"""Rounds of an engine without `solve` around them."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import hypergossip as hg


def rounds(algorithm: Any, problem: hg.Problem, network: Any, count: int, engine: Any = None) -> Callable[[], Any]:
    """Returns a call that runs so many rounds from the same start."""
    engine = engine or hg.Simulated()
    placed = engine.place(problem, network)
    keys = jax.random.key(0)[None]
    everywhere = lambda v: np.broadcast_to(v, (1, problem.agents, v.size))
    state = engine.start(algorithm, False, placed, everywhere(problem.x0), everywhere(problem.y0), keys)
    spaces = (problem.upper, problem.lower)
    return lambda: engine.advance(algorithm, False, placed, spaces, state, keys, 0, count)
