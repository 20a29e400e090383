"""Plans of small networks, and deployments of them."""

from pathlib import Path

from hypergossip.lab.deployment.folder import Deployment, deploy
from hypergossip.lab.deployment.plan import read_plan

PLAN = """\
[problem]
name = "quadratic"

[network]
name = "ring"
n = 4

[run]
rounds = 40
seed = 3
precision = "float64"

[methods.dsgd]
upper_step = 0.1
lower_step = { scale = 0.2, offset = 1, power = "1/3" }
hypergradient = "exact"

[[channel]]
name = "edge_sums"

[peers]
policy = "quorum"
quorum = 0.75
"""

# The body of a plan whose agents load their own data; `{network}` follows.
TASK = """\
[task]
program = "task.py:make"

[network]
name = "ring"
n = 4

[run]
rounds = 20
"""

PROGRAM = '''\
"""Each agent fits the mean of its own rows."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

import hypergossip as hg


def loss(x, y, batch):
    return jnp.mean((batch - x) ** 2) + jnp.sum((x - y) ** 2)


def load(i):
    with (Path(__file__).parent / "asked.txt").open("a") as file:
        file.write(f"{i}\\n")
    rows = np.random.default_rng(i).normal(size=(5 + i, 2))
    return rows, rows


def make(agents):
    start = jnp.zeros(2)
    problem = hg.Problem.from_agents(loss, loss, n=agents, load=load, x0=start, y0=start)
    return hg.DSGD(upper_step=0.1, lower_step=0.1, hypergradient=hg.Exact()), problem
'''

AGENTS = """
[[agents]]
name = "paris"
host = "paris.example.org"

[[agents]]
name = "rome"
host = "192.0.2.7"
port = 8000

[[agents]]
name = "oslo"
host = "192.0.2.7"

[[agents]]
name = "bonn"
host = "2001:db8::5"
"""


def written(folder: Path, text: str = PLAN, program: str | None = None) -> Path:
    """Writes a plan, and its program, and returns the plan's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "plan.toml"
    path.write_text(text)
    if program is not None:
        (folder / "task.py").write_text(program)
    return path


def deployed(folder: Path, text: str = PLAN, program: str | None = None, **how: bool) -> Deployment:
    """Deploys a plan to the folder "out" beside it."""
    return deploy(read_plan(written(folder, text, program)), folder / "out", **how)
