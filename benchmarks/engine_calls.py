"""Rounds of an engine without `solve` around them."""

from collections.abc import Callable
from typing import Any

import numpy as np

import hypergossip as hg
from hypergossip.core.random_keys import run_key
from hypergossip.engines import Job


def rounds(
    algorithm: Any, problem: hg.Problem, network: Any, count: int, engine: Any = None, first: int = 0
) -> Callable[[], Any]:
    """Returns a call that runs the rounds first..count-1 from the same start."""
    session = (engine or hg.Simulated()).open(Job(algorithm, problem, network, run_key(0)[None]))
    everywhere = lambda v: np.broadcast_to(v, (1, problem.agents, v.size))
    state = session.start(everywhere(problem.x0), everywhere(problem.y0))
    return lambda: session.advance(state, first, count)
