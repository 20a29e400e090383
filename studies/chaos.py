"""Agents that are killed, links that lose and delay, a network that is divided: `python -m studies.chaos`.

Every agent is a process of its own that runs by itself, over mutual TLS. Agents are ended by SIGKILL at random moments
and started again; every link loses messages and delays the others by a random time; once, for some seconds, nothing
passes between two parts of the network. The run must end by itself, and what it reaches is compared with the run that
nobody disturbs.
"""

import argparse
import json
import os
import random
import secrets
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from studies.chaos_results import EVERY, ROW, compared

AGENTS, LOSS, JITTER, KILLS, PARTITION_SECONDS = 9, 0.1, 0.05, 20, 5.0


class Setting(NamedTuple):
    """One run of agents.

    Attributes:
        folder: The folder of certificates, checkpoints and records.
        method: "diamond" or "slam".
        noise: The standard deviation of the gradient noise.
        rounds: The number of rounds.
        policy: "wait", "deadline" or "quorum".
        seed: The seed of the run and of its faults.
        run: The identifier of the run.
        ports: The agents' ports.
        loss: The probability that a message is lost.
        jitter: The largest delay, in seconds.
    """

    folder: Path
    method: str
    noise: float
    rounds: int
    policy: str
    seed: int
    run: str
    ports: tuple[int, ...]
    loss: float
    jitter: float


def task(method: str, noise: float) -> tuple[Any, Any, Any]:
    """Returns the algorithm, the problem and the network."""
    import hypergossip as hg

    methods = {
        "diamond": hg.Diamond(0.05, 0.2, 0.1, 0.1, hg.Exact()),
        "slam": hg.Slam(0.05, 0.2, 1.0, 0.2, hg.Exact()),
    }
    problem = hg.problems.quadratic(AGENTS, 5, 4, noise=noise, seed=0)
    return methods[method], problem, hg.networks.erdos_renyi(AGENTS, 0.4, seed=1)


def run_one(setting: Setting, number: int) -> None:
    """Runs one agent in this process, and records its points."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("jax").setLevel(logging.WARNING)
    from hypergossip.peers.agent_settings import AgentSettings, Neighbour, Policy
    from hypergossip.peers.link_faults import LinkFaults
    from hypergossip.peers.link_settings import Certificates
    from hypergossip.peers.standalone import run_agent

    algorithm, problem, network = task(setting.method, setting.noise)
    who = [int(j) for j in network.mixing[[number]].indices if j != number]
    half = number < AGENTS // 2
    faults = {}
    for j in who:
        across = str(setting.folder / "divided") if half != (j < AGENTS // 2) else None
        drawn = hash((setting.seed, number, j, os.getpid()))
        faults[j] = LinkFaults(loss=setting.loss, jitter=setting.jitter, cut_while=across, seed=drawn)
    settings = AgentSettings(
        name=f"agent-{number}",
        number=number,
        agents=AGENTS,
        run=setting.run,
        listen=f"tls/127.0.0.1:{setting.ports[number]}",
        neighbours=tuple(Neighbour(f"agent-{j}", j, f"tls/127.0.0.1:{setting.ports[j]}") for j in who),
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
            row = [round, time.time(), largest, *np.asarray(agents.x), *np.asarray(agents.y)]
            points.write(np.asarray(row, np.float64).tobytes())
            points.flush()

        run_agent(settings, faults if setting.loss or setting.jitter else None, record)


class Agents:
    """The agents' processes, forked from this one before it uses JAX."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.processes = setting, {}

    def start(self, number: int) -> None:
        """Starts an agent."""
        process = os.fork()
        if process == 0:
            status = 1
            try:
                with (self.setting.folder / f"log-{number}").open("a") as log:
                    os.dup2(log.fileno(), 1)
                    os.dup2(log.fileno(), 2)
                    run_one(self.setting, number)
                status = 0
            except BaseException:
                import traceback

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
        """Ends an agent by SIGKILL."""
        os.kill(self.processes[number], signal.SIGKILL)
        os.waitpid(self.processes.pop(number), 0)


def round_now(folder: Path) -> int:
    """Returns the largest recorded round."""
    found = [0]
    for number in range(AGENTS):
        path = folder / f"points-{number}"
        if path.exists() and path.stat().st_size >= ROW * 8:
            with path.open("rb") as file:
                file.seek((path.stat().st_size // (ROW * 8) - 1) * ROW * 8)
                found.append(int(np.frombuffer(file.read(8))[0]))
    return max(found)


def disturbed(setting: Setting, kills: int, partition: bool, limit: float) -> dict[str, Any]:
    """Runs the agents and disturbs them; returns what was seen."""
    draw, agents, began = random.Random(setting.seed), Agents(setting), time.monotonic()
    for number in range(AGENTS):
        agents.start(number)
    moments = sorted(draw.uniform(0.05, 0.7) * setting.rounds for _ in range(kills))
    cut_at, cut_until, back, done = (0.4 * setting.rounds if partition else np.inf), None, {}, set()
    killed, failures = 0, []
    divided = setting.folder / "divided"
    while len(done) < AGENTS:
        time.sleep(0.02)
        now, round = time.monotonic(), round_now(setting.folder)
        for number, status in agents.ended().items():
            done.add(number)
            if status:
                failures.append(f"agent {number} ended with {status}")
        if moments and round >= moments[0]:
            moments.pop(0)
            alive = [number for number in agents.processes if number not in done]
            number = draw.choice(alive)
            agents.kill(number)
            killed += 1
            back[number] = now + draw.uniform(0.2, 2.0)
        for number in [number for number, at in back.items() if now >= at]:
            del back[number]
            agents.start(number)
        if cut_until is None and round >= cut_at:
            divided.touch()
            cut_until = now + PARTITION_SECONDS
        if cut_until is not None and divided.exists() and now >= cut_until:
            divided.unlink()
        if now - began > limit:
            for number in list(agents.processes):
                agents.kill(number)
            failures.append(f"not ended within {limit:.0f} s; agents {sorted(set(range(AGENTS)) - done)} were left")
            break
    return {"seconds": time.monotonic() - began, "kills": killed, "failures": failures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--method", choices=("diamond", "slam"), default="diamond")
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=1500)
    parser.add_argument("--policy", default="deadline")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--loss", type=float, default=LOSS)
    parser.add_argument("--jitter", type=float, default=JITTER)
    parser.add_argument("--most", type=float, default=1.25, help="the largest M_t, relative to the undisturbed run's")
    parser.add_argument("--no-partition", action="store_true")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds for one run")
    given = parser.parse_args()
    import importlib

    for name in ("hypergossip.peers.standalone", "hypergossip.problems", "zenoh"):
        importlib.import_module(name)  # before the forks, which share it; JAX has no threads yet
    import warnings

    warnings.filterwarnings("ignore", message=".*fork.*")
    from hypergossip.peers.certificates import Authority

    bad = False
    for seed in given.seeds:
        with tempfile.TemporaryDirectory(prefix="chaos-") as name:
            folder = Path(name)
            os.environ["JAX_PLATFORMS"] = "cpu"
            authority = Authority.create("chaos")
            for number in range(AGENTS):
                authority.issue(f"agent-{number}", ["127.0.0.1"], folder, f"agent-{number}")
            sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(AGENTS)]
            ports = tuple(one.getsockname()[1] for one in sockets)
            for one in sockets:
                one.close()
            setting = Setting(
                folder, given.method, given.noise, given.rounds, given.policy, seed, secrets.token_hex(16), ports,
                given.loss, given.jitter,
            )  # fmt: skip
            result = disturbed(setting, given.kills, not given.no_partition, given.limit)
            if not result["failures"]:
                # In a process of its own, so that this one can still be forked for the next seed.
                reading, writing = os.pipe()
                if os.fork() == 0:
                    with os.fdopen(writing, "w") as file:
                        whole = task(setting.method, setting.noise)
                        json.dump(result | compared(folder, *whole, setting.rounds, setting.seed), file)
                    os._exit(0)
                os.close(writing)
                with os.fdopen(reading) as file:
                    result = json.load(file)
                os.wait()
            else:
                for number in range(AGENTS):
                    text = (folder / f"log-{number}").read_text().splitlines()[-2:]
                    print(f"agent {number}:", *text, sep="\n  ")
            print(f"seed {seed}:", json.dumps(result), flush=True)
            bad = bad or bool(result["failures"]) or result["invariant"] >= 1e-9 or result["ratio"] > given.most
    sys.exit(int(bad))


if __name__ == "__main__":
    main()
