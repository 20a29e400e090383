"""A further agent joins agents that run: its data count afterwards, and the conserved sum stays zero."""

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hypergossip.lab.deployment.addresses import on_this_machine
from hypergossip.lab.deployment.folder import deploy
from hypergossip.lab.deployment.plan import read_plan

ROOT = Path(__file__).parents[2]
NAMES = ("paris", "rome", "oslo", "bonn")
THREE, FOUR = [[0, 1], [1, 2], [0, 2]], [[0, 1], [1, 2], [0, 2], [0, 3], [1, 3]]
TASK = """
import hypergossip as hg
import jax.numpy as jnp
from joining_rows import rows

def upper(x, y, batch):
    return jnp.mean(jnp.sum((y - batch[0]) ** 2, -1) + jnp.sum((x - batch[1]) ** 2, -1)) / 2

def lower(x, y, batch):
    return jnp.mean(jnp.sum((y - x) ** 2, -1) + jnp.sum((y - batch[1]) ** 2, -1)) / 2

def load(i):
    return rows(i), rows(i)

def make(agents):
    start = jnp.zeros(2)
    problem = hg.Problem.from_agents(upper, lower, n=agents, load=load, x0=start, y0=start)
    return hg.Diamond(0.05, 0.1, 0.3, 0.3, hg.Exact()), problem
"""
ROWS = """
import numpy as np

def rows(i):
    rng = np.random.default_rng(i)
    return rng.normal(size=(1, 2)) + i, rng.normal(size=(1, 2)) - i
"""
# As `hypergossip agent`, which waits for a minute for agents that are not there at the start, and takes the network's
# sum every four to eight seconds.
AGENT = """
import sys
from hypergossip.__main__ import main
from hypergossip.peers import invariant, standalone
invariant.SECONDS, standalone.START_SECONDS = 1.0, 2.0
main()
"""
SUM = re.compile(r"conserves was (\S+) of its terms after round \d+, with (\d) agents")


def optimum(agents):
    """Where y = (x + d) / 2, and (y - c) / 2 + x - d = 0, with the agents' means of c and d."""
    scope = {}
    exec(ROWS, scope)
    c, d = (np.mean([scope["rows"](i)[k][0] for i in range(agents)], axis=0) for k in (0, 1))
    return (c / 2 + 3 * d / 4) / 1.25


class Agents:
    """Processes of a deployment, which write their logs and checkpoints to its folder."""

    def __init__(self, folder, policy):
        self.folder, self.policy, self.processes = folder, policy, {}
        self.ports = [place.port for place in on_this_machine(NAMES)]
        (folder / "task.py").write_text(TASK)
        (folder / "joining_rows.py").write_text(ROWS)

    def deploy(self, edges, weights="metropolis"):
        names = NAMES[: 1 + max(map(max, edges))]
        sections = [
            '[task]\nprogram = "task.py:make"\nfiles = ["joining_rows.py"]',
            f'[network]\nname = "from_edges"\nn = {len(names)}\nedges = {edges}\nweights = "{weights}"',
            '[run]\nrounds = 10_000_000\nprecision = "float64"',
            f'[peers]\npolicy = "{self.policy}"\ncheckpoint_every = 0.2',
            *(f'[[agents]]\nname = "{name}"\nport = {self.ports[i]}' for i, name in enumerate(names)),
        ]
        (self.folder / "plan.toml").write_text("\n".join(sections))
        return deploy(read_plan(self.folder / "plan.toml"), self.folder / "out").notes

    def start(self, name):
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        with (self.folder / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-c", AGENT, "agent", "--config", self.folder / f"out/{name}/agent.toml"],
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": path},
            )

    def stop(self, *names):
        for name in names:
            self.processes[name].terminate()
        assert [self.processes[name].wait(30) for name in names] == [143] * len(names)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def distance(self, name, agents):
        """The distance between an agent's last checkpoint and the optimum of the first agents."""
        with contextlib.suppress(FileNotFoundError), np.load(self.folder / f"out/{name}/state/agent.npz") as file:
            return np.abs(file["leaf 0"] - optimum(agents)).max()
        return np.inf

    def reach(self, names, agents, seconds=60):
        """Waits until agents are at the optimum of the first agents."""
        until = time.monotonic() + seconds
        while max(self.distance(name, agents) for name in names) > 1e-8:
            assert time.monotonic() < until, "\n".join(f"{name}: {self.log(name)[-1500:]}" for name in names)
            ended = [name for name in names if self.processes[name].poll() is not None]
            assert not ended, "\n".join(f"{name}: {self.log(name)[-1500:]}" for name in ended)
            time.sleep(0.1)

    def end(self):
        """Ends all agents, and checks that they have known a sum of all four terms, and that it was zero."""
        time.sleep(8)  # enough for several sums, on a busy machine, too
        self.stop(*NAMES)
        assert max(self.distance(name, 4) for name in NAMES) < 1e-8
        assert all(f"the link to {name} opens" in self.log("bonn") for name in ("paris", "rome"))
        sums = [found for name in NAMES for found in SUM.findall(self.log(name))]
        assert "4" in {count for _, count in sums}
        assert max(float(value) for value, _ in sums) < 1e-12
        assert not any("explains only" in self.log(name) for name in NAMES)


@pytest.fixture
def agents(tmp_path, request):
    made = Agents(tmp_path, request.param)
    yield made
    for process in made.processes.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("agents", ["wait", "deadline"], indirect=True)
def test_an_agent_joins_when_its_neighbours_have_been_restarted_one_after_the_other(agents):
    agents.deploy(THREE)
    for name in NAMES[:3]:
        agents.start(name)
    agents.reach(NAMES[:3], 3)
    (note,) = [note for note in agents.deploy(FOUR) if "restart" in note]
    assert "restart paris, rome one after the other" in note
    assert "start bonn" in note
    agents.start("bonn")
    for name in ("paris", "rome"):
        agents.stop(name)
        agents.start(name)
        agents.reach(NAMES, 4)  # with one of its neighbours, the newcomer already counts
    agents.end()


@pytest.mark.parametrize("agents", ["wait"], indirect=True)
def test_an_agent_joins_where_every_link_gets_another_weight(agents):
    agents.deploy(THREE, "laplacian")
    for name in NAMES[:3]:
        agents.start(name)
    agents.reach(NAMES[:3], 3)
    (note,) = [note for note in agents.deploy(FOUR, "laplacian") if "restart" in note]
    assert "restart paris, rome, oslo one after the other" in note
    agents.start("bonn")
    for name in NAMES[:3]:
        agents.stop(name)
        agents.start(name)
        time.sleep(4)
    agents.reach(NAMES, 4)
    agents.end()
    assert "the weight of the link to oslo is" in agents.log("paris")


@pytest.mark.parametrize("agents", ["deadline", "quorum"], indirect=True)
def test_an_agent_of_the_plan_starts_while_the_others_run(agents):
    agents.deploy(FOUR)
    for name in NAMES[:3]:
        agents.start(name)
    agents.reach(NAMES[:3], 3)
    agents.start("bonn")
    agents.reach(NAMES, 4)
    agents.end()


@pytest.mark.parametrize("agents", ["wait"], indirect=True)
def test_agents_that_wait_begin_when_the_last_one_has_started(agents):
    agents.deploy(FOUR)
    for name in NAMES[:3]:
        agents.start(name)
    time.sleep(8)
    assert not any("begins at round" in agents.log(name) for name in NAMES[:3])
    agents.start("bonn")
    agents.reach(NAMES, 4)
    agents.end()
