"""How many rounds SPARKLE's corrections need to 1e-8: `python -m studies.corrections`.

Eight agents share both levels of `problems.quadratic` without noise, on lazy Metropolis weights of a random graph whose
second eigenvalue is .94. Every correction is run with each scale of one grid for its three steps, and the best counts.
The command fails if exact diffusion needs more than 0.45 of the rounds of gradient tracking.
"""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.timing import report

import hypergossip as hg
from hypergossip.core.random_keys import run_key
from hypergossip.engines import Job
from hypergossip.problems.quadratic import quadratic, solution

AGENTS, ROUNDS, EVERY, ACCURACY, LARGEST_SHARE = 8, 4000, 5, 1e-8, 0.45
STEPS = (0.05, 0.15, 0.15)
SCALES = tuple(2.0 ** (k / 4) for k in range(6, -15, -1))
CORRECTIONS: dict[str, dict[str, Any]] = {
    **{name: {"correction": name} for name in ("ED", "EXTRA", "ATC-GT", "semi-GT", "GT")},
    "ED in turn": {"correction": "ED", "in_turn": True},
    "x GT, y and z ED": {"correction": "ED", "upper_correction": "GT"},
    "x ED, y and z GT": {"correction": "GT", "upper_correction": "ED"},
}


def rounds_needed(correction: str, scale: float, problem: hg.Problem, network: hg.networks.Network) -> float:
    """Returns after how many rounds all agents stay within 1e-8 of the optimum; infinity if they do not."""
    method = hg.Sparkle(*(scale * step for step in STEPS), **CORRECTIONS[correction])
    session = hg.Simulated().open(Job(method, problem, network, run_key(0)[None]))
    everywhere = lambda v: jnp.broadcast_to(v, (1, AGENTS, v.size))
    state, best, reached = session.start(everywhere(problem.x0), everywhere(problem.y0)), solution(problem).x, np.inf
    for done in range(EVERY, ROUNDS + 1, EVERY):
        state, _ = session.advance(state, done - EVERY, done)
        distance = np.abs(np.asarray(session.to_host(state).x) - best).max()
        if not distance < 1e6:
            return np.inf
        reached = min(reached, done) if distance < ACCURACY else np.inf
        if done >= 2 * reached:
            break
    return reached


def main() -> None:
    """Prints each correction's fewest rounds and their scale, and the ratio of exact diffusion to gradient tracking."""
    problem = quadratic(AGENTS, 3, 4, seed=3, noise=0.0, share="both")
    network = hg.networks.erdos_renyi(AGENTS, 0.4, seed=2, weights="lazy-metropolis")
    found = {}
    for name in CORRECTIONS:
        needed = {scale: rounds_needed(name, scale, problem, network) for scale in SCALES}
        scale = min(needed, key=lambda scale: needed[scale])
        found[name] = needed[scale], scale
    rows = [(name, f"{rounds:5.0f} at {scale:.2f} times {STEPS}") for name, (rounds, scale) in found.items()]
    share = found["ED"][0] / found["GT"][0]
    report(f"rounds to {ACCURACY}, lambda = {network.lambda_:.3f}", [*rows, ("ED / GT", f"{share:.2f}")])
    if not share <= LARGEST_SHARE:
        sys.exit(f"exact diffusion needs more than {LARGEST_SHARE} of the rounds of gradient tracking.")


if __name__ == "__main__":
    with jax.enable_x64(True):
        main()
