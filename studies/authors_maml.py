"""Dif-MAML against its authors' TensorFlow code on equal tasks: `python -m studies.authors_maml`.

It takes one commit of the authors' repository, of which nothing is kept here, from GitHub or from the folder that
`--source` names. TensorFlow is installed in a temporary folder, unless `--python` names an interpreter that has it;
its version needs Python 3.11. Compared are 20 rounds, in float64, of four agents on a path, with their model of sine
curves, their weights and plain gradient steps in place of Adam. The command fails where the difference is more than
rounding.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import hypergossip as hg
from studies.repositories import PATIENCE, Repository, checked_out, interpreter, option

REPOSITORY = Repository("mertkayaalp/Diffusion-Multi-Agent-Meta-Learning", "4fb15481acff68aa50be9900a16729b6703fac51")
TENSORFLOW = "tensorflow-cpu==2.15.1"
ROUNDS, AGENTS, POINTS, WIDTH = 20, 4, 10, 40
LEAVES = ((1, WIDTH), (WIDTH,), (WIDTH, WIDTH), (WIDTH,), (WIDTH, 1), (1,))
MU, A = 0.02, 0.01
LARGEST = 1e-12


def data() -> dict[str, Any]:
    """Tasks of every round and agent, the agents' weights, their neighbours and the step sizes."""
    random = np.random.default_rng(0)
    inputs = random.uniform(-5, 5, (ROUNDS, AGENTS, 2, POINTS))
    height, phase = random.uniform(0.1, 2, (ROUNDS, AGENTS, 1, 1)), random.uniform(0, np.pi, (ROUNDS, AGENTS, 1, 1))
    weights = {
        f"weights_{i}_{leaf}": random.standard_normal(shape) / np.sqrt(shape[0])
        for i in range(AGENTS)
        for leaf, shape in enumerate(LEAVES)
    }
    line = np.arange(AGENTS)
    return {
        "inputs": inputs,
        "outputs": height * np.sin(inputs - phase),
        "neighbours": (abs(line[:, None] - line) <= 1).astype(float),
        "upper_step": MU,
        "lower_step": A,
        **weights,
    }


def loss(weights: Any, task: Any) -> Any:
    """The mean square error of their model."""
    ends = np.cumsum([np.prod(shape) for shape in LEAVES])[:-1]
    leaves = [part.reshape(shape) for part, shape in zip(jnp.split(weights, ends), LEAVES)]
    values, wanted = task[0][:, None], task[1][:, None]
    for kernel, bias in zip(leaves[:4:2], leaves[1:4:2]):
        values = jax.nn.relu(values @ kernel + bias)
    return jnp.mean((values @ leaves[4] + leaves[5] - wanted) ** 2)


class Task:
    """Oracles of one agent in one round: y is what the inner step adds to x, on the support; f is on the query."""

    def __init__(self, support: Any, query: Any) -> None:
        self.support, self.query = support, query

    def samples(self, upper: Any = 0, lower: Any = 0) -> Any:
        """Returns the number of keys."""
        return upper + lower

    def project(self, x: Any) -> Any:
        """Returns x."""
        return x

    def upper_gradients(self, x: Any, y: Any, key: Any) -> Any:
        """Returns (dx f, dy f), which are equal."""
        gradient = jax.grad(loss)(x + y, self.query)
        return gradient, gradient

    def lower_gradient(self, x: Any, y: Any, key: Any) -> Any:
        """Returns dy g."""
        return jax.grad(loss)(x + y, self.support)

    def hessian_product(self, x: Any, y: Any, key: Any) -> Any:
        """Returns v -> d2yy g v, which is d2xy g v."""
        return lambda v: jax.jvp(lambda w: jax.grad(loss)(w, self.support), (x + y,), (v,))[1]

    jacobian_product = hessian_product


def ours(given: dict[str, Any]) -> np.ndarray:
    """Our x of every round and agent, (rounds, agents, p)."""
    method, root = hg.DifMAML(MU, A), jax.random.key(0)
    leaf = lambda i: [given[f"weights_{i}_{number}"].ravel() for number in range(len(LEAVES))]
    states = [method.init(None, x, jnp.zeros_like(x), root) for x in (jnp.concatenate(leaf(i)) for i in range(AGENTS))]
    rows = given["neighbours"] / given["neighbours"].sum(axis=1, keepdims=True)
    adapted: Any = lambda *, upper: upper  # combined below, when all agents have adapted
    found = []
    for t in range(ROUNDS):
        task = lambda i, part, t=t: (given["inputs"][t, i, part], given["outputs"][t, i, part])
        agents = [Task(task(i, 0), task(i, 1)) for i in range(AGENTS)]
        states = [method.step(agent, adapted, t, state, root)[0] for agent, state in zip(agents, states)]
        combined = rows @ np.stack([state.x for state in states])
        states = [state._replace(x=jnp.asarray(x)) for state, x in zip(states, combined)]
        found.append(combined)
    return np.stack(found)


def main() -> None:
    """Compares the weights of all rounds."""
    parser = argparse.ArgumentParser(prog="python -m studies.authors_maml", description=__doc__)
    option(parser, "--source", REPOSITORY)
    parser.add_argument("--python", type=Path, metavar="PATH", help="an interpreter that has TensorFlow")
    arguments, given = parser.parse_args(), data()
    with tempfile.TemporaryDirectory() as place, jax.enable_x64(True):
        folder = Path(place)
        files = checked_out(REPOSITORY, arguments.source, folder)
        python = arguments.python or interpreter(folder, TENSORFLOW)
        np.savez(folder / "given.npz", **given)
        script = Path(__file__).with_name("authors_tensorflow.py")
        command = [python, script, files, folder / "given.npz", folder / "found.npz"]
        # In the folder, where their figures go.
        subprocess.run([str(part) for part in command], check=True, timeout=PATIENCE, cwd=folder)
        with np.load(folder / "found.npz") as saved:
            theirs = saved["found"]
        mine = ours(given)
    difference = float(np.max(np.abs(mine - theirs)))
    print(f"{REPOSITORY.name} at {REPOSITORY.commit[:10]}, {ROUNDS} rounds of {AGENTS} agents")
    print(f"Dif-MAML {difference:8.1e}  the largest difference of any weight, with gradient steps in place of Adam")
    raise SystemExit(0 if difference <= LARGEST else 1)


if __name__ == "__main__":
    main()
