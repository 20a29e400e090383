"""The run that programs/test_processes.py makes in one process and two_processes.py in two."""

from typing import Any

import hypergossip as hg

AGENTS = (8, 9)  # four devices share eight agents evenly, and nine not
MEASURED = AGENTS[-1]  # with every column, which takes long to compile; the others with the losses
SIGNALLED = {"one": (1,), "both": (0, 1)}  # the processes that are sent SIGTERM in two endless runs


def solve(agents: int, upper_step: float = 0.05, **settings: Any) -> hg.Result:
    """Runs DSGD with two seeds on a ring of unlike quadratics."""
    problem = hg.problems.quadratic(agents, noise=0.1, observe={"size": lambda x, y: (x**2).sum()})
    algorithm = hg.DSGD(upper_step, 0.1, hg.ConjugateGradient(4, 1e-6))
    measure = agents == MEASURED or "upper_loss"
    settings = {"rounds": 12, "seeds": 2, "observe_every": 6, "check": False, "measure": measure} | settings
    return hg.solve(algorithm, problem, hg.networks.ring(agents), **settings)
