"""What float32 reaches over 60,000 rounds without noise, beside float64: the figures of docs/precision.md.

Eight agents on a lazy ring, `problems.quadratic` whose closed form is known, every form of mixing and four devices:
`python -m studies.precision`, and with another checkout's folder behind it the same for that one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.timing import report

ROUNDS = (2_000, 20_000, 60_000)
PLACES = {
    "dense": 'hg.Simulated(mixing="dense")',
    "neighbours": 'hg.Simulated(mixing="neighbours")',
    "edges": 'hg.Simulated(mixing="edges")',
    "sharded": "hg.Sharded(devices=4)",
}
PROGRAM = """
import json, sys
import jax
jax.config.update("jax_num_cpu_devices", 4)
import numpy as np
import hypergossip as hg
from hypergossip.problems.quadratic import quadratic, solution

network = hg.networks.ring(8, weights="lazy-metropolis")
engine, rounds = eval(sys.argv[1]), json.loads(sys.argv[2])
methods = {
    "SlamTracked, rho 10": (hg.SlamTracked(0.02, 0.02, 0.02, 1.0, 10.0), "both"),
    "Slam, rho 1": (hg.Slam(0.06, 0.12, 1.0, 1.0, hg.Exact()), "upper"),
    "Slam, rho 146": (hg.Slam(0.006, 0.006, 1.0, 146.0, hg.Exact()), "upper"),
    "Diamond": (hg.Diamond(0.06, 0.12, 0.3, 0.4, hg.Exact()), "upper"),
    "Sparkle ED": (hg.Sparkle(0.05, 0.1, 0.1, correction="ED"), "both"),
    "Sparkle EXTRA": (hg.Sparkle(0.05, 0.1, 0.1, correction="EXTRA"), "both"),
    "Sparkle GT": (hg.Sparkle(0.05, 0.1, 0.1, correction="GT"), "both"),
}
found = {}
for name, (method, share) in methods.items():
    problem = quadratic(8, 3, 4, seed=0, noise=0.0, share=share)
    best, found[name] = solution(problem).x, []
    for count in rounds:
        settings = {"rounds": count, "observe_every": count, "check": False, "progress": False}
        saved = hg.solve(method, problem, network, engine=engine, **settings).saved
        like = method.init(problem.agent(0), problem.x0, problem.y0, jax.random.key(0))
        leaves = [np.asarray(leaf[0], np.float64) for leaf in saved.leaves]
        state = jax.tree.unflatten(jax.tree.structure(like), leaves)
        x, kept = state.x, jax.tree.leaves(method.conserved(state))[0]
        terms = next(v for v in (getattr(state, n, ()) for n in ("p", "d_x", "c_x", "r")) if np.size(v))
        distance, apart = np.abs(x.mean(axis=0) - best).max(), np.abs(x - x.mean(axis=0)).max()
        found[name].append([distance, apart, np.abs(kept.sum(axis=0)).max() / np.abs(terms).max()])
print(json.dumps(found))
"""


def figures(checkout: Path, engine: str, x64: bool) -> dict[str, list[list[float]]]:
    """Returns by method, for each number of rounds: the mean's distance to x*, the disagreement, the conserved sum."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "JAX_ENABLE_X64": str(int(x64))}
    command = [sys.executable, "-c", PROGRAM, engine, json.dumps(ROUNDS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Prints every figure after each number of rounds."""
    for checkout in (Path(__file__).parents[1], *map(Path, sys.argv[1:2])):
        rows = []
        for place, engine in PLACES.items():
            for x64 in (False, True) if place == "dense" else (False,):
                for method, found in figures(checkout, engine, x64).items():
                    told = [" ".join(f"{value:.1e}" for value in values) for values in zip(*found, strict=True)]
                    rows.append((f"{method}, {place}, float{64 if x64 else 32}", "   ".join(told)))
        title = "the mean's distance to x*; the agents' to their mean; what is conserved, summed, relative to its terms"
        report(f"{checkout.resolve().name}, after {ROUNDS} rounds: {title}", rows)


if __name__ == "__main__":
    main()
