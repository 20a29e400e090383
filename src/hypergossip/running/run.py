"""One run, or several at once: its state, the measurement of a row of its history, and its conversion to arrays."""

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.channels.network import check_network
from hypergossip.channels.requirements import check_stateful
from hypergossip.channels.stack import read_channel
from hypergossip.core.algorithm import Algorithm, Cost
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.preset import generalised
from hypergossip.core.problem import Problem
from hypergossip.core.random_keys import STREAMS, run_key
from hypergossip.engines.engine import Engine, Job, Session, State
from hypergossip.engines.over_time import links_used
from hypergossip.metrics import ledger
from hypergossip.metrics.effort import Effort, choose_effort
from hypergossip.metrics.selection import Measured, read_measure
from hypergossip.running.fingerprint import Fingerprint, data_digest, losses_digest, problem_digest
from hypergossip.running.preflight import check_sizes, sent_in_a_round
from hypergossip.running.reference_point import ReferencePoint, restored_reference_point, saved_reference_point
from hypergossip.running.result import Result, frame
from hypergossip.running.snapshot import Digest, Snapshot
from hypergossip.support.callables import without_addresses


class Sent:
    """Counts the bytes that each agent has sent; what a network that changes has sent is counted only once."""

    def __init__(self, size: int, network: Any) -> None:
        """Begins before round 0.

        Args:
            size: The bytes that an agent sends to each neighbour in a round.
            network: The network.
        """
        self.size, self._used = size, links_used(network)
        self._round, self._messages = 0, np.zeros(network.agents, np.int64)

    def until(self, round: int) -> np.ndarray:
        """Returns the bytes that each agent has sent in all rounds before this one, (agents,)."""
        if round < self._round:
            return self.size * self._used(0, round)
        self._messages = self._messages + self._used(self._round, round)
        self._round = round
        return self.size * self._messages


class Run(NamedTuple):
    """The constant part of a run.

    Attributes:
        session: The session in which it runs.
        algorithm: The program that runs. For a preset, this is the method that the preset specialises.
        problem: The problem.
        numbers: The seed of each run, (runs,).
        sent: Counts the bytes that each agent has sent.
        configuration: What the run is: name -> description or digest; a checkpoint of another is refused.
        measured: The measured columns of the history.
        effort: How the metrics are computed.
    """

    session: Session
    algorithm: Algorithm
    problem: Problem
    numbers: np.ndarray
    sent: Sent
    configuration: Mapping[str, Any]
    measured: Measured
    effort: Effort

    @property
    def name(self) -> str:
        """The algorithm's name."""
        return self.configuration["algorithm"].partition("(")[0]

    @property
    def seeded(self) -> bool:
        """Whether `seeds` was given, so that results have an axis of seeds."""
        return self.configuration["seeds"] is not None


class RunState(NamedTuple):
    """The state of a run.

    Attributes:
        round: The number of completed rounds.
        seconds: The compiled running time so far, in seconds.
        state: The session's state.
        cost: Every agent's counts, each (runs, agents).
        rows: The rows of the history so far: column -> (runs,).
        unmeasured: The rows that follow them and are measured later, together.
        reference_point: A point near the last measured ones.
    """

    round: int
    seconds: float
    state: State
    cost: Cost
    rows: tuple[dict[str, np.ndarray], ...]
    unmeasured: tuple["Unmeasured", ...] = ()
    reference_point: ReferencePoint | None = None


class Unmeasured(NamedTuple):
    """A row of the history that is not yet measured.

    Attributes:
        round: The number of completed rounds.
        seconds: The compiled running time so far, in seconds.
        cost: Every agent's counts, each (runs, agents).
        points: The agents' points, from the session's `join`.
        together: The observations of the whole network, name -> (runs,).
    """

    round: int
    seconds: float
    cost: Cost
    points: Any
    together: dict[str, np.ndarray]


def begin(
    engine: Engine,
    algorithm: Algorithm,
    swept: bool,
    problem: Problem,
    network: Any,
    numbers: np.ndarray,
    seeds: Any,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    measure: Any = True,
    at_once: bool = True,
    channel: Any = None,
) -> tuple[Run, RunState]:
    """Opens a session for a problem on its network and initialises every agent.

    Args:
        engine: The engine.
        algorithm: The agent's program. If swept, its numbers have a leading axis (runs,).
        swept: Whether the algorithm's numbers differ between the runs.
        problem: The problem.
        network: The network.
        numbers: The seed of each run, (runs,).
        seeds: The number of seeds that the user gave, or None.
        start: The starting points, (agents, p) and (agents, q); None uses those of the problem.
        measure: As for `read_measure`.
        at_once: Whether each row is needed before the next rounds.
        channel: What the messages pass, as for `read_channel`.
    """
    check_sizes(problem, network)
    algorithm = fitted(algorithm, problem.upper, problem.lower, swept)
    method = generalised(algorithm, swept)
    one = jax.tree.map(lambda numbers: numbers[0], method) if swept else method
    messages = sent_in_a_round(one, problem)
    links = read_channel(channel) if problem.agents > 1 else None  # a single agent sends nothing
    check_stateful(links, messages, type(algorithm).__name__)
    check_network(links, network)
    sent = Sent(ledger.bytes_per_neighbour(messages, (problem.upper, problem.lower), links), network)
    runs, agents = len(numbers), problem.agents
    configuration = identity(algorithm, problem, network, numbers, seeds, start, links)
    keys = jax.vmap(run_key)(jnp.asarray(numbers, jnp.uint32))
    session = engine.open(Job(method, problem, network, keys, swept, links, messages))
    _check_processes_agree(session, configuration)
    everywhere = lambda v: np.broadcast_to(v, (runs, agents, v.shape[-1]))
    x, y = (problem.x0, problem.y0) if start is None else start
    state = session.start(everywhere(x), everywhere(y))
    measured = read_measure(measure, problem)
    effort = choose_effort(problem, measured.metrics, runs, swept, at_once)
    run = Run(session, method, problem, numbers, sent, configuration, measured, effort)
    return run, RunState(0, 0.0, state, ledger.nothing(runs, agents), ())


def identity(
    algorithm: Algorithm,
    problem: Problem,
    network: Any,
    numbers: np.ndarray,
    seeds: Any,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    channel: Any = None,
) -> Fingerprint:
    """Returns the identity of a run, by which a checkpoint of another run is refused; nothing is run.

    Args:
        algorithm: The agent's program, with fitted steps.
        problem: The problem.
        network: The network.
        numbers: The seed of each run, (runs,).
        seeds: The number of seeds that the user gave, or None.
        start: The starting points, or None.
        channel: What the messages pass, as for `read_channel`.
    """
    links = read_channel(channel) if problem.agents > 1 else None  # a single agent sends nothing
    return Fingerprint(
        {
            "algorithm": without_addresses(str(algorithm)),
            "shared": str((problem.upper.shared, problem.lower.shared)),
            "seed": int(numbers[0]),
            "seeds": seeds,
            "precision": str(problem.x0.dtype),
            "random streams": STREAMS,
            "channel": links and str(links),
        },
        {
            "data": lambda: data_digest(problem),
            "problem": lambda: problem_digest(problem),
            "losses": lambda: losses_digest(problem),
            "network": lambda: Digest().add(network.digested).text,
            "start": lambda: None if start is None else Digest().add(start).text,
        },
    )


def _check_processes_agree(session: Session, configuration: Mapping[str, Any]) -> None:
    """Raises ValueError if the processes have not made the same run."""
    if len(session.all_gather(0)) == 1:  # a single process has nothing to compare, and need not compute the digests
        return
    sums = session.all_gather(*(zlib.crc32(str(value).encode()) for value in configuration.values()))
    for name, values in zip(configuration, sums.T, strict=True):
        if (values != values[0]).any():
            raise ValueError(
                f"processes 0 and {int(np.argmax(values != values[0]))} have made different runs: they differ in "
                f"{name}. Every process must build the same problem, network and algorithm from the same seeds."
            )


def pack(run: Run, carry: RunState) -> Snapshot:
    """Returns a run as host arrays."""
    names = dict.fromkeys(name for row in carry.rows for name in row)
    absent = np.full(len(run.numbers), np.nan)  # for observations that differ before and after a run was resumed
    rows = {name: np.stack([row.get(name, absent) for row in carry.rows]) for name in names}
    state = run.session.save(carry.state)
    reference_point = saved_reference_point(run.session, carry.reference_point)
    return Snapshot(carry.round, carry.seconds, state, carry.cost, rows, run.configuration, reference_point)


def unpack(run: Run, carry: RunState, saved: Snapshot) -> RunState:
    """Returns the state of a saved run, on the devices of the session.

    Args:
        run: The run that resumes.
        carry: The initial state of the run, for the shapes.
        saved: The saved run.

    Raises:
        ValueError: If the state belongs to another algorithm or size, or was computed on other data.
    """
    ours, theirs = (kept.get("channel") for kept in (run.configuration, saved.configuration))
    if ours != theirs:
        raise ValueError(
            f"the result to resume from was made under another channel ({theirs or 'the ideal one'} there, "
            f"{ours or 'the ideal one'} here), whose state is a part of it. Resume with the same channel, or start a "
            "new run at its points by solve(..., x0=result.x, y0=result.y) without start."
        )
    here = run.session.shapes(carry.state)
    there = [(leaf.shape, leaf.dtype) for leaf in saved.leaves]
    ours, theirs = (kept["algorithm"].split("(")[0] for kept in (run.configuration, saved.configuration))
    if ours == theirs and len(here) != len(there):
        raise ValueError(
            f"the saved run was made by another version of {ours}, whose state has {len(there)} vectors and not "
            f"{len(here)}. Resume it with that version, or start a new run at its points by solve(..., x0=result.x, "
            "y0=result.y)."
        )
    if here != there or ours != theirs:
        raise ValueError(
            f"the result to resume from has another state: its algorithm ({theirs} there, {ours} here), agents, seeds, "
            "dimensions or precision are not those of this run. Resume with the same ones, or start a new run."
        )
    # A result that version 0.1.0 saved has no separate digest of the data.
    if saved.configuration.get("data", run.configuration["data"]) != run.configuration["data"]:
        raise ValueError(
            "the result to resume from was computed on other data: shapes and algorithm are the same, but the agents' "
            "samples are not. Resume with the same problem, or start a new run at its points by solve(..., "
            "x0=result.x, y0=result.y) without start."
        )
    state = run.session.restore(carry.state, saved.leaves)
    count = len(next(iter(saved.rows.values()))) if saved.rows else 0
    rows = tuple({name: column[i] for name, column in saved.rows.items()} for i in range(count))
    kept = saved.reference_point if run.effort.reference else None
    reference_point = restored_reference_point(run.session, run.problem, kept)
    return RunState(saved.round, saved.seconds, state, saved.cost, rows, reference_point=reference_point)


def result(run: Run, carry: RunState) -> Result:
    """Returns the result of a run."""
    saved = pack(run, carry)
    trees = []
    for space, points in zip((run.problem.upper, run.problem.lower), run.session.points(carry.state), strict=True):
        tree = jax.tree.map(np.asarray, jax.vmap(jax.vmap(space.unravel))(jnp.asarray(points)))
        trees.append(tree if run.seeded else jax.tree.map(lambda leaf: leaf[0], tree))
    return Result(trees[0], trees[1], frame(saved.rows, run.seeded), saved)
