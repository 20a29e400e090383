"""The agents that `studies.chaos` disturbs: what they compute, and their processes."""

import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from studies.chaos_results import EVERY, Sizes
from studies.namespaces import Edge, Namespaces, end_with

AGENTS = 9
UPPER, LOWER = 5, 4  # the dimensions of the quadratics
FEATURES, CLASSES = 123, 2  # of a9a
BATCH, SKEW = 256, 0.5  # samples of one gradient, and the concentration of the agents' labels


class Setting(NamedTuple):
    """One run of agents.

    Attributes:
        folder: The folder of certificates, checkpoints and records.
        data: "quadratic" or "a9a".
        method: "diamond" or "slam".
        noise: The standard deviation of the gradient noise on quadratics.
        rounds: The number of rounds.
        policy: "wait", "deadline" or "quorum".
        seed: The seed of the run and of its faults.
        run: The identifier of the run.
        listen: The endpoints at which the agents listen.
        addresses: An agent and a neighbour -> the endpoint at which the neighbour reaches the agent.
        namespaces: The namespaces in which the agents run; None: all on the loopback interface.
        loss: The probability that a message is lost.
        jitter: The largest delay, in seconds.
    """

    folder: Path
    data: str
    method: str
    noise: float
    rounds: int
    policy: str
    seed: int
    run: str
    listen: tuple[str, ...]
    addresses: Mapping[Edge, str]
    namespaces: Namespaces | None
    loss: float
    jitter: float

    @property
    def sizes(self) -> Sizes:
        """The sizes of the problem."""
        return Sizes(FEATURES, (FEATURES, CLASSES)) if self.data == "a9a" else Sizes(UPPER, (LOWER,))

    @property
    def divided(self) -> Path:
        """A file; on the loopback interface, nothing passes between the halves while it exists."""
        return self.folder / "divided"


def network() -> Any:
    """Returns the network."""
    import hypergossip as hg

    return hg.networks.erdos_renyi(AGENTS, 0.4, seed=1)


def edges() -> list[Edge]:
    """Returns the network's links."""
    rows, columns = network().mixing.nonzero()
    return sorted((int(i), int(j)) for i, j in zip(rows, columns, strict=True) if i < j)


def in_first_half(agent: int) -> bool:
    """Returns on which side of the division an agent is.

    Args:
        agent: The agent.
    """
    return agent < AGENTS // 2


def across() -> list[Edge]:
    """Returns the links between the two halves."""
    return [(i, j) for i, j in edges() if in_first_half(i) != in_first_half(j)]


def write_parts(folder: Path) -> None:
    """Writes each agent's own part of a9a: parts of unequal sizes and labels, half for training, half for validation.

    Args:
        folder: The folder.
    """
    from hypergossip.data import load, partition

    whole = load("a9a")
    for agent, rows in enumerate(partition(whole.labels, AGENTS, 0, SKEW, 2 * BATCH)):
        np.savez(folder / f"part-{agent}.npz", features=whole.features[rows], labels=whole.labels[rows])


def task(setting: Setting, agent: int | None = None) -> tuple[Any, Any]:
    """Returns the algorithm and the problem.

    Args:
        setting: The run.
        agent: The agent whose data alone are read, where agents have data; None: all agents'.
    """
    import hypergossip as hg

    if setting.data == "a9a":
        hypergradient: Any = hg.Neumann(5, 4.0)
        diamond, slam = (0.1, 0.5, 0.1, 0.1), (0.1, 0.5, 1.0, 0.2)
        problem = _logistic_regression(setting.folder, agent)
    else:
        hypergradient = hg.Exact()
        diamond, slam = (0.05, 0.2, 0.1, 0.1), (0.05, 0.2, 1.0, 0.2)
        problem = hg.problems.quadratic(AGENTS, UPPER, LOWER, noise=setting.noise, seed=0)
    if setting.method == "slam":
        return hg.Slam(*slam, hypergradient), problem
    return hg.Diamond(*diamond, hypergradient), problem


def _logistic_regression(folder: Path, agent: int | None) -> Any:
    """Returns one regulariser per feature of a9a, as `hypergossip.problems.hyperparameter`, on the written parts."""
    import contextlib

    import hypergossip as hg
    from hypergossip.core.agent_data.one_agent import only
    from hypergossip.problems.hyperparameter import training_loss, validation_loss

    def load(i: int) -> tuple[Any, Any]:
        with np.load(folder / f"part-{i}.npz") as part:
            half = len(part["labels"]) // 2
            upper, lower = ({name: part[name][some] for name in part} for some in (slice(half), slice(half, None)))
        return upper, lower

    with only(agent) if agent is not None else contextlib.nullcontext():
        return hg.Problem.from_agents(
            validation_loss,
            training_loss,
            n=AGENTS,
            load=load,
            x0=np.zeros(FEATURES),
            y0=np.zeros((FEATURES, CLASSES)),
            batch_size=BATCH,
        )


def run_one(setting: Setting, number: int) -> None:
    """Runs one agent in this process, and records its points.

    Args:
        setting: The run.
        number: The agent.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    logging.basicConfig(level=logging.INFO, format="%(created).3f %(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)
    logging.info("agent-%d starts", number)
    from hypergossip.peers.agent_settings import AgentSettings, Neighbour, Policy
    from hypergossip.peers.link_faults import LinkFaults
    from hypergossip.peers.link_settings import Certificates
    from hypergossip.peers.standalone import run_agent

    algorithm, problem = task(setting, number)
    who = [b if a == number else a for a, b in edges() if number in (a, b)]
    faults = {}
    for j in who:
        cut = setting.namespaces is None and in_first_half(number) != in_first_half(j)
        drawn = hash((setting.seed, number, j, os.getpid()))
        while_it_exists = str(setting.divided) if cut else None
        faults[j] = LinkFaults(loss=setting.loss, jitter=setting.jitter, cut_while=while_it_exists, seed=drawn)
    settings = AgentSettings(
        name=f"agent-{number}",
        number=number,
        agents=AGENTS,
        run=setting.run,
        listen=setting.listen[number],
        neighbours=tuple(Neighbour(f"agent-{j}", j, setting.addresses[j, number]) for j in who),
        algorithm=algorithm,
        problem=problem,
        rounds=setting.rounds,
        seed=setting.seed,
        policy=Policy(setting.policy),
        certificates=Certificates(
            *(setting.folder / name for name in ("authority.pem", f"agent-{number}.pem", f"agent-{number}.key"))
        ),
        state=setting.folder / f"state-{number}",
        checkpoint_every=0.5,
    )
    with (setting.folder / f"points-{number}").open("ab") as points:

        def record(round: int, state: Any, program: Any) -> None:
            if round % EVERY and round != setting.rounds:
                return
            agents = state.agents
            term = program.term(state)
            largest = float(np.abs(term).max()) if term is not None else 0.0
            point = np.ravel(agents.x), np.ravel(agents.y)
            points.write(np.concatenate([[round, time.time(), largest], *point], dtype=np.float64).tobytes())
            points.flush()

        run_agent(settings, faults, record)


class Agents:
    """The agents' processes, forked from this one before it uses JAX.

    Attributes:
        processes: The agents that run -> their processes.
    """

    def __init__(self, setting: Setting) -> None:
        """Begins without any.

        Args:
            setting: The run.
        """
        self.setting, self.processes = setting, {}

    def start(self, number: int) -> None:
        """Starts an agent.

        Args:
            number: The agent.
        """
        parent = os.getpid()
        process = os.fork()
        if process == 0:
            status = 1
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                end_with(parent)
                with (self.setting.folder / f"log-{number}").open("a") as log:
                    os.dup2(log.fileno(), 1)
                    os.dup2(log.fileno(), 2)
                    if self.setting.namespaces is not None:
                        self.setting.namespaces.enter(number)
                    run_one(self.setting, number)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        self.processes[number] = process

    def ended(self) -> dict[int, int]:
        """Returns the status of the agents that have ended since the last call."""
        done = {}
        for number, process in list(self.processes.items()):
            pid, status = os.waitpid(process, os.WNOHANG)
            if pid:
                done[number] = os.waitstatus_to_exitcode(status)
                del self.processes[number]
        return done

    def kill(self, number: int) -> None:
        """Ends an agent by SIGKILL.

        Args:
            number: The agent.
        """
        os.kill(self.processes[number], signal.SIGKILL)
        os.waitpid(self.processes.pop(number), 0)

    def kill_all(self) -> None:
        """Ends all agents that still run."""
        for number in list(self.processes):
            self.kill(number)

    def newest_round(self) -> int:
        """Returns the largest round that any agent has recorded."""
        row = 8 * self.setting.sizes.record
        found = [0]
        for number in range(AGENTS):
            path = self.setting.folder / f"points-{number}"
            if path.exists() and path.stat().st_size >= row:
                with path.open("rb") as file:
                    file.seek((path.stat().st_size // row - 1) * row)
                    found.append(int(np.frombuffer(file.read(8))[0]))
        return max(found)
