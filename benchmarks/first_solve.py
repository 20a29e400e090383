"""The first `solve` of a process, one round on the digits over nine agents, against another checkout's, in turn.

What is compiled for the checks before a run, the round and its rows is nearly all of it: `python -m
benchmarks.first_solve FOLDER`, the folder that of the other checkout.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.timing import median_ratio, report

PAIRS = 15
PROGRAM = """
import time
import jax, jax.numpy as jnp, numpy as np
import hypergossip as hg
train, validation, _ = hg.data.split(hg.data.load("digits"), seed=0)
def over_agents(part):
    rows = jnp.stack([jnp.asarray(own) for own in hg.data.partition(part.labels, 9, seed=0)])
    return {"image": jnp.asarray(part.features)[rows], "digit": jnp.asarray(part.labels)[rows]}
def upper(x, y, batch):
    logits = jnp.tanh(batch["image"] @ x) @ y
    return jnp.mean(-jnp.take_along_axis(jax.nn.log_softmax(logits), batch["digit"][:, None], axis=1))
def lower(x, y, batch):
    return upper(x, y, batch) + 0.05 * jnp.sum(y**2)
problem = hg.Problem(upper, lower, upper_data=over_agents(validation), lower_data=over_agents(train),
    x0=0.2 * jax.random.normal(jax.random.key(0), (64, 20)), y0=jnp.zeros((20, 10)), batch_size=32)
method = hg.Diamond(0.3, 0.3, 0.1, 0.1, hg.Neumann(terms=10, lipschitz=6.0))
network = hg.networks.ring(9)
begin = time.perf_counter()
hg.solve(method, problem, network, rounds=1, progress=False)
print(time.perf_counter() - begin)
"""


def first_solve(checkout: Path) -> float:
    """Returns the seconds of the first solve of a fresh process, with the library of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Prints both medians, and the ratio with its interval over the pairs."""
    here, other = Path(__file__).parents[1], Path(sys.argv[1])
    seconds = np.array([(first_solve(other), first_solve(here)) for _ in range(PAIRS)])
    ratio, low, high = median_ratio(seconds[:, 1], seconds[:, 0])
    report(
        f"the first solve, {PAIRS} pairs",
        [
            ("the other checkout", f"{np.median(seconds[:, 0]):.2f} s"),
            ("this one", f"{np.median(seconds[:, 1]):.2f} s"),
            ("median ratio", f"{ratio:.3f}, bootstrap 95 % [{low:.3f}, {high:.3f}]"),
        ],
    )


if __name__ == "__main__":
    main()
