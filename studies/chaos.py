"""Agents that are killed, links that lose and delay, a network that is divided: `python -m studies.chaos`.

Every agent is a process of its own that runs by itself, over mutual TLS. Agents are ended by SIGKILL at random moments
and started again; every link loses messages and delays the others by a random time; once, for some seconds, nothing
passes between two parts of the network. The run must end by itself, and what it reaches is compared with the run that
nobody disturbs.

With `--namespaces`, every agent has a network namespace of its own, every link a rate, and the network is divided by
taking the links between the two parts down. Otherwise all agents use the loopback interface, and it is divided by
dropping the messages.
"""

import argparse
import contextlib
import importlib
import json
import os
import random
import secrets
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hypergossip.support.ports import free_ports
from studies.chaos_agents import (
    AGENTS,
    Agents,
    Setting,
    across,
    edges,
    in_first_half,
    network,
    task,
    write_parts,
)
from studies.chaos_results import Division, around_division, compared
from studies.namespaces import Edge, Namespaces, Unavailable

LOSS, JITTER, KILLS, DIVIDED_SECONDS = 0.1, 0.05, 20, 5.0
PORT = 7450  # in a namespace of its own


class Place(NamedTuple):
    """Where the agents run.

    Attributes:
        namespaces: Their namespaces; None: the loopback interface.
        listen: The endpoints at which the agents listen.
        addresses: An agent and a neighbour -> the endpoint at which the neighbour reaches the agent.
        hosts: The addresses that an agent's certificate names.
    """

    namespaces: Namespaces | None
    listen: tuple[str, ...]
    addresses: Mapping[Edge, str]
    hosts: tuple[list[str], ...]


def on_loopback() -> Place:
    """Returns ports of the loopback interface that are free."""
    listen = tuple(f"tls/127.0.0.1:{port}" for port in free_ports(AGENTS))
    addresses = {(i, j): listen[i] for i in range(AGENTS) for j in range(AGENTS)}
    return Place(None, listen, addresses, tuple(["127.0.0.1"] for _ in range(AGENTS)))


def in_namespaces(namespaces: Namespaces) -> Place:
    """Returns the endpoints in a network of namespaces.

    Args:
        namespaces: The network.
    """
    both = [(i, j) for a, b in namespaces.edges for i, j in ((a, b), (b, a))]
    addresses = {(i, j): f"tls/{namespaces.address(i, j)}:{PORT}" for i, j in both}
    hosts = tuple(namespaces.addresses(i) for i in range(AGENTS))
    return Place(namespaces, (f"tls/0.0.0.0:{PORT}",) * AGENTS, addresses, hosts)


@contextlib.contextmanager
def place(choice: str, rate: str) -> Iterator[Place]:
    """Yields where the agents run.

    Args:
        choice: "yes": in namespaces; "auto": likewise, and on the loopback interface where there are none; "no".
        rate: The rate of each direction of a link between namespaces.

    Raises:
        Unavailable: If there must be namespaces, and there are none.
    """
    with contextlib.ExitStack() as stack:
        where = None
        if choice != "no":
            try:
                where = in_namespaces(stack.enter_context(Namespaces(AGENTS, edges(), rate)))
            except Unavailable as error:
                if choice == "yes":
                    raise
                print(f"{error} The agents use the loopback interface instead.", flush=True)
        yield where or on_loopback()


def divide(setting: Setting, divided: bool) -> None:
    """Divides the network into two halves, or ends the division.

    Args:
        setting: The run.
        divided: Whether it is to be divided.
    """
    if setting.namespaces is not None:
        (setting.namespaces.cut if divided else setting.namespaces.restore)(across())
    elif divided:
        setting.divided.touch()
    else:
        setting.divided.unlink()


def disturbed(setting: Setting, kills: int, divided_seconds: float, limit: float) -> tuple[dict[str, Any], Any]:
    """Runs the agents and disturbs them; returns what was seen, and when the network was divided, or None.

    Args:
        setting: The run.
        kills: How often an agent is killed.
        divided_seconds: For how long the network is divided; 0: not at all.
        limit: The seconds after which the agents are ended.
    """
    draw, agents, began = random.Random(setting.seed), Agents(setting), time.monotonic()
    moments = sorted(draw.uniform(0.05, 0.7) * setting.rounds for _ in range(kills))
    divide_at = 0.4 * setting.rounds if divided_seconds else np.inf
    begin, division = None, None
    back: dict[int, float] = {}
    done: set[int] = set()
    killed, failures = 0, []
    try:
        for number in range(AGENTS):
            agents.start(number)
        while len(done) < AGENTS:
            time.sleep(0.02)
            now, round = time.monotonic(), agents.newest_round()
            for number, status in agents.ended().items():
                done.add(number)
                if status:
                    failures.append(f"agent {number} ended with {status}")
            if moments and round >= moments[0]:
                moments.pop(0)
                number = draw.choice(list(agents.processes))
                agents.kill(number)
                killed += 1
                back[number] = now + draw.uniform(0.2, 2.0)
            for number in [number for number, at in back.items() if now >= at]:
                del back[number]
                agents.start(number)
            if begin is None and round >= divide_at:
                divide(setting, True)
                begin = time.time()
            if begin is not None and division is None and time.time() >= begin + divided_seconds:
                division = Division(begin, time.time())
                divide(setting, False)
            if now - began > limit:
                failures.append(f"not ended within {limit:.0f} s; agents {sorted(set(range(AGENTS)) - done)} were left")
                break
    finally:
        agents.kill_all()
    return {"seconds": time.monotonic() - began, "kills": killed, "failures": failures}, division


def judged(setting: Setting, division: Division | None) -> dict[str, Any]:
    """Returns what a run has reached; in a process of its own, so that this one can still be forked.

    Args:
        setting: The run.
        division: When the network was divided, or None.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with os.fdopen(writing, "w") as file:
                found = compared(setting.folder, *task(setting), network(), setting.sizes, setting.rounds, setting.seed)
                if division is not None:
                    found |= around_division(setting.folder, AGENTS, setting.sizes, across(), in_first_half, division)
                json.dump(found, file)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"failures": ["the run could not be judged"]}


def one_run(given: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Runs and disturbs nine agents once; returns what was seen.

    Args:
        given: The options.
        seed: The seed.

    Raises:
        Unavailable: If there must be namespaces, and there are none.
    """
    from hypergossip.peers.certificates import Authority

    with tempfile.TemporaryDirectory(prefix="chaos-") as name, place(given.namespaces, given.rate) as where:
        folder = Path(name)
        authority = Authority.create("chaos")
        for number in range(AGENTS):
            authority.issue(f"agent-{number}", where.hosts[number], folder, f"agent-{number}")
        if given.data == "a9a":
            write_parts(folder)
        setting = Setting(
            folder, given.data, given.method, given.noise, given.rounds, given.policy, seed, secrets.token_hex(16),
            where.listen, where.addresses, where.namespaces, given.loss, given.jitter,
        )  # fmt: skip
        result, division = disturbed(setting, given.kills, given.divided, given.limit)
        result = {"network": "namespaces" if where.namespaces else "loopback"} | result
        if not result["failures"]:
            return result | judged(setting, division)
        for number in range(AGENTS):
            text = (folder / f"log-{number}").read_text().splitlines()[-2:]
            print(f"agent {number}:", *text, sep="\n  ")
        return result


def options() -> argparse.ArgumentParser:
    """Returns the command's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", choices=("quadratic", "a9a"), default="quadratic")
    parser.add_argument("--method", choices=("diamond", "slam"), default="diamond")
    parser.add_argument("--noise", type=float, default=0.1, help="of the gradients on quadratics")
    parser.add_argument("--rounds", type=int, default=1500)
    parser.add_argument("--policy", default="deadline")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--loss", type=float, default=LOSS)
    parser.add_argument("--jitter", type=float, default=JITTER)
    parser.add_argument("--most", type=float, default=1.25, help="the largest M_t, relative to the undisturbed run's")
    parser.add_argument("--divided", type=float, default=DIVIDED_SECONDS, help="seconds; 0: the network stays whole")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds for one run")
    parser.add_argument(
        "--namespaces", choices=("yes", "auto", "no"), nargs="?", const="yes", default="no",
        help="whether each agent has a network namespace; auto: where they can be had",
    )  # fmt: skip
    parser.add_argument("--rate", default="100mbit", help="of each direction of a link between namespaces")
    return parser


def is_wrong(result: dict[str, Any]) -> bool:
    """Returns whether the conserved sum has changed, or an agent has raised an alarm about it."""
    return max(result["invariant"], result["network's invariant"]) >= 1e-9 or result["alarms"] > 0


def main() -> None:
    given = options().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that all is removed
    os.environ["JAX_PLATFORMS"] = "cpu"
    for name in ("hypergossip.peers.standalone", "hypergossip.problems", "zenoh"):
        importlib.import_module(name)  # before the forks, which share it; JAX has no threads yet
    warnings.filterwarnings("ignore", message=".*fork.*")
    bad = False
    for seed in given.seeds:
        try:
            result = one_run(given, seed)
        except Unavailable as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        print(f"seed {seed}:", json.dumps(result), flush=True)
        bad = bad or bool(result["failures"]) or is_wrong(result) or result["ratio"] > given.most
    sys.exit(int(bad))


if __name__ == "__main__":
    main()
