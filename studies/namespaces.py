"""A network of several machines on one: a network namespace for each agent, and a pair of interfaces for each link.

Every link has two addresses of its own, a limited rate at both ends, and can be taken down by itself. Linux alone has
namespaces, and only the administrator may make them; `Unavailable` says what is missing.
"""

import contextlib
import ctypes
import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

PREFIX = "hypergossip"
PLACE = Path("/run/netns")  # where `ip netns` keeps its names
COMMAND_SECONDS = 20.0
# `tbf` passes packets that were joined for speed, of up to 64 KiB, only if its bucket holds one.
BUCKET, LATENCY = "256kb", "100ms"

CLONE_NEWNET, PR_SET_PDEATHSIG = 0x40000000, 1

Edge = tuple[int, int]

_networks = itertools.count()


class Unavailable(Exception):
    """Network namespaces cannot be had here; the message says why in one sentence."""


class Namespaces:
    """A network of namespaces, which exists within a `with` statement.

    What is left of networks whose process has ended without removing them is removed when another one begins.
    """

    def __init__(self, agents: int, edges: Iterable[Edge], rate: str = "100mbit") -> None:
        """Describes a network.

        Args:
            agents: The number of agents.
            edges: The links, as pairs of agents' numbers; a pair in both orders is one link.
            rate: The rate of each direction of a link, as `tc` reads it.
        """
        self.edges = sorted({(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]})
        prefix = f"{_prefix_of(os.getpid())}-{next(_networks)}"
        self.names = [f"{prefix}-{agent}" for agent in range(agents)]
        self._rate = rate

    def __enter__(self) -> "Namespaces":
        """Makes the network.

        Raises:
            Unavailable: If it cannot be made here.
        """
        for program in ("ip", "tc"):
            if shutil.which(program) is None:
                raise Unavailable(
                    f"network namespaces need the program `{program}` of iproute2, which is not installed."
                )
        try:
            remove_leftovers()
            self._make()
        except BaseException as error:
            self.remove()
            if isinstance(error, subprocess.SubprocessError | OSError):
                raise Unavailable(f"network namespaces cannot be had here: {_reason(error)}.") from None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the network, and ends the processes that are still in it.

        Args:
            kind: The type of an exception, or None.
            error: The exception.
            trace: Its trace.
        """
        self.remove()

    def remove(self) -> None:
        """Removes the network, and ends the processes that are still in it."""
        for name in self.names:
            _remove(name)

    def address(self, agent: int, neighbour: int) -> str:
        """Returns the address of an agent on its link to a neighbour.

        Args:
            agent: The agent.
            neighbour: The neighbour.
        """
        number = 2 * self.edges.index((min(agent, neighbour), max(agent, neighbour))) + (agent > neighbour)
        return f"10.77.{number // 256}.{number % 256}"

    def addresses(self, agent: int) -> list[str]:
        """Returns all addresses of an agent.

        Args:
            agent: The agent.
        """
        return [self.address(agent, b if agent == a else a) for a, b in self.edges if agent in (a, b)]

    def enter(self, agent: int) -> None:
        """Moves this thread, and those that it begins later, into an agent's namespace.

        Args:
            agent: The agent.

        Raises:
            OSError: If the namespace is gone.
        """
        with (PLACE / self.names[agent]).open() as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def cut(self, edges: Iterable[Edge]) -> None:
        """Takes links down.

        Args:
            edges: The links.
        """
        self._set(edges, "down")

    def restore(self, edges: Iterable[Edge]) -> None:
        """Takes links up again.

        Args:
            edges: The links.
        """
        self._set(edges, "up")

    def _set(self, edges: Iterable[Edge], state: str) -> None:
        lines: dict[int, list[str]] = {}
        for a, b in edges:
            lines.setdefault(min(a, b), []).append(f"link set dev to-{max(a, b)} {state}")
        for agent, some in lines.items():
            _run(["ip", "-netns", self.names[agent], "-batch", "-"], some)

    def _make(self) -> None:
        _run(["ip", "-batch", "-"], [f"netns add {name}" for name in self.names])
        pairs = [
            f"link add to-{b} netns {self.names[a]} type veth peer name to-{a} netns {self.names[b]}"
            for a, b in self.edges
        ]
        _run(["ip", "-batch", "-"], pairs)
        for agent, name in enumerate(self.names):
            ends = [(b if agent == a else a) for a, b in self.edges if agent in (a, b)]
            limits = [f"qdisc add dev to-{j} root tbf rate {self._rate} burst {BUCKET} latency {LATENCY}" for j in ends]
            _run(["tc", "-netns", name, "-batch", "-"], limits)
            lines = ["link set dev lo up"]
            for j in ends:
                lines += [f"address add {self.address(agent, j)}/31 dev to-{j}", f"link set dev to-{j} up"]
            _run(["ip", "-netns", name, "-batch", "-"], lines)


def end_with(parent: int) -> None:
    """Lets this process be ended when its parent ends, so that no agent outlives a study that was killed.

    Args:
        parent: The parent's process.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def remove_leftovers() -> list[str]:
    """Removes networks whose process has ended without removing them; returns the namespaces' names."""
    pattern = re.compile(rf"({PREFIX}-(\d+)-\d+)-\d+-\d+")
    found = [one for one in map(pattern.fullmatch, sorted(os.listdir(PLACE)) if PLACE.is_dir() else []) if one]
    left = [one[0] for one in found if one[1] != _prefix_of(int(one[2]))]
    for name in left:
        _remove(name)
    return left


def _remove(name: str) -> None:
    """Ends the processes in a namespace, and removes it."""
    if not (PLACE / name).exists():
        return
    with contextlib.suppress(subprocess.SubprocessError):
        for process in map(int, _run(["ip", "netns", "pids", name]).split()):
            if process != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
    with contextlib.suppress(subprocess.SubprocessError):
        _run(["ip", "netns", "delete", name])


def _prefix_of(process: int) -> str | None:
    """Returns how the names of a living process begin: with its number and its start, as numbers are used again."""
    try:
        start = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
    return f"{PREFIX}-{process}-{start}"


def _reason(error: BaseException) -> str:
    """Returns the first line that a program has written on its error, or the error itself."""
    text = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    return (text or str(error)).strip().splitlines()[0].rstrip(".")


def _run(command: Sequence[str], lines: Sequence[str] = ()) -> str:
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS
    )  # fmt: skip
    return done.stdout
