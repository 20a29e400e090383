"""One run, or several side by side: where it stands, how a row of its history is measured, how it is packed."""

import re
import zlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip import checkpoint
from hypergossip.algorithm import Algorithm, Cost
from hypergossip.checkpoint import Saved
from hypergossip.engines.engine import Engine
from hypergossip.leaf_steps import fitted
from hypergossip.loop import Program
from hypergossip.metrics import ledger
from hypergossip.metrics.observations import observations
from hypergossip.metrics.stationarity import figures
from hypergossip.metrics.together import disagreement, observations_together
from hypergossip.preflight import check_sizes
from hypergossip.problem import Problem
from hypergossip.result import Result, frame


class Run(NamedTuple):
    """What does not change.

    Attributes:
        program: The compiled part.
        problem: The problem.
        numbers: (runs,) the seed of each run.
        sent: (agents,) bytes that each agent sends in a round.
        configuration: What the run is: name -> description or digest; a checkpoint of another is refused.
    """

    program: Program
    problem: Problem
    numbers: np.ndarray
    sent: np.ndarray
    configuration: dict[str, Any]


class Carry(NamedTuple):
    """Where a run stands.

    Attributes:
        round: Rounds done.
        seconds: Compiled running time so far.
        state: Leaves (runs, agents, ...), on the engine.
        spent: Every agent's counts, each (runs, agents).
        rows: The rows of the history so far: column -> (runs,).
    """

    round: int
    seconds: float
    state: Any
    spent: Cost
    rows: tuple[dict[str, np.ndarray], ...]


def begin(
    engine: Engine, algorithm: Algorithm, swept: bool, problem: Problem, network: Any, numbers: np.ndarray, seeds: Any
) -> tuple[Run, Carry]:
    """Places a problem on its network and starts every agent.

    Args:
        engine: Where to run.
        algorithm: The agent's program; its numbers with a leading axis (runs,) where swept.
        swept: Are they?
        problem: The problem.
        network: The network.
        numbers: (runs,) the seed of each run.
        seeds: What the user asked for: a number of seeds, or None.
    """
    check_sizes(problem, network)
    algorithm = fitted(algorithm, problem.upper, problem.lower, swept)
    runs, agents = len(numbers), problem.agents
    configuration = {
        "algorithm": _without_addresses(str(algorithm)),
        "problem": checkpoint.digest((problem.oracles, problem.identities, problem.x0, problem.y0)),
        "losses": _losses_digest(problem),
        "shared": str((problem.upper.shared, problem.lower.shared)),
        "network": checkpoint.digest((network.mixing.data, network.mixing.indices, network.mixing.indptr)),
        "seed": int(numbers[0]),
        "seeds": seeds,
        "precision": str(problem.x0.dtype),
    }
    _check_alike(engine, configuration)
    keys = jax.vmap(jax.random.key)(jnp.asarray(numbers))
    placed = engine.place(problem, network)
    program = Program(engine, algorithm, swept, placed, (problem.upper, problem.lower), keys)
    everywhere = lambda v: np.broadcast_to(v, (runs, agents, v.size))
    state = engine.start(algorithm, swept, placed, everywhere(problem.x0), everywhere(problem.y0), keys)
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[2:], leaf.dtype), state)
    sent = ledger.bytes_per_round(algorithm, program.spaces, one, network.degrees)
    run = Run(program, problem, numbers, sent, configuration)
    return run, Carry(0, 0.0, state, ledger.nothing(runs, agents), ())


def _without_addresses(text: str) -> str:
    """Takes out what differs from process to process."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)


@jax.jit
def _everything(agent: Any, x: Any, y: Any, key: Any) -> Any:
    return (
        agent.upper_loss(x, y, key),
        agent.upper_gradients(x, y, key),
        agent.lower_gradient(x, y, key),
        agent.project(x),
    )


def _losses_digest(problem: Problem) -> str:
    """Fingerprints what one agent computes: losses, batch size, way of sampling, projection, constants within."""
    program = _everything.trace(problem.agent(0), problem.x0, problem.y0, jax.random.key(0)).jaxpr
    text = np.frombuffer(_without_addresses(str(program)).encode(), np.uint8)
    return checkpoint.digest((text, program.consts))


def _check_alike(engine: Engine, configuration: dict[str, Any]) -> None:
    """Raises ValueError where the processes have not made the same run."""
    told = engine.tell(*(zlib.crc32(str(value).encode()) for value in configuration.values()))
    for name, values in zip(configuration, told.T, strict=True):
        if (values != values[0]).any():
            raise ValueError(
                f"processes 0 and {int(np.argmax(values != values[0]))} have made different runs: another {name}. "
                "Every process must build the same problem, network and algorithm, from the same seeds."
            )


def measure(run: Run, carry: Carry) -> dict[str, np.ndarray]:
    """Returns a row of the history for every run, column -> (runs,).

    Raises:
        ValueError: If one of the problem's own observations has the name of a column.
    """
    problem, fetch = run.problem, run.program.engine.fetch
    x, y = carry.state.x, carry.state.y  # (runs, agents, p) and (runs, agents, q)
    oracles, spaces = run.program.placed.oracles, (problem.upper, problem.lower)
    measured = figures(oracles, *spaces, x, y) if problem.losses else disagreement(*spaces, x, y)
    shown = fetch(measured)._asdict()
    if not any(problem.lower.shared):
        del shown["lower_consensus_error"]
    own = fetch(observations(tuple(problem.observe.items()), *spaces, x, y))
    if problem.together:
        own |= fetch(observations_together(tuple(problem.together.items()), oracles, x, y))
    costs = ledger.columns(carry.spent, run.sent, carry.round)
    row = {"seed": run.numbers, "round": carry.round, "seconds": carry.seconds, **shown, **costs}
    if taken := row.keys() & own.keys():
        raise ValueError(f"observe: {', '.join(sorted(taken))} is a column of the history already; take another name.")
    row |= own
    return {name: np.broadcast_to(np.asarray(value), len(run.numbers)) for name, value in row.items()}


def pack(run: Run, carry: Carry) -> Saved:
    """Returns a run as host arrays."""
    leaves = jax.tree.leaves(run.program.engine.fetch(carry.state))
    names = dict.fromkeys(name for row in carry.rows for name in row)
    absent = np.full(len(run.numbers), np.nan)  # an observation that began, or ended, where a run was gone on from
    rows = {name: np.stack([row.get(name, absent) for row in carry.rows]) for name in names}
    return Saved(carry.round, carry.seconds, leaves, carry.spent, rows, run.configuration)


def unpack(run: Run, carry: Carry, saved: Saved) -> Carry:
    """Returns where a saved run stands, its state on the engine.

    Args:
        run: The run that goes on.
        carry: Its beginning, for the shapes.
        saved: What was packed.

    Raises:
        ValueError: If the state is of another algorithm or size.
    """
    leaves, structure = jax.tree.flatten(carry.state)
    here = [(leaf.shape, leaf.dtype) for leaf in leaves]
    there = [(leaf.shape, leaf.dtype) for leaf in saved.leaves]
    ours, theirs = (kept["algorithm"].split("(")[0] for kept in (run.configuration, saved.configuration))
    if here != there or ours != theirs:
        raise ValueError(
            "the result to go on from has another state: its algorithm "
            f"({theirs}), agents, seeds, dimensions or precision are not those of this run ({ours}). Go on with the "
            "same ones, or begin anew."
        )
    state = run.program.engine.restore(run.program.placed, jax.tree.unflatten(structure, saved.leaves))
    count = len(next(iter(saved.rows.values()))) if saved.rows else 0
    rows = tuple({name: column[i] for name, column in saved.rows.items()} for i in range(count))
    return Carry(saved.round, saved.seconds, state, saved.spent, rows)


def result(run: Run, carry: Carry) -> Result:
    """Returns what `solve` returns."""
    saved = pack(run, carry)
    state = run.program.engine.fetch(carry.state)
    seeded = run.configuration["seeds"] is not None
    trees = []
    for space, points in ((run.problem.upper, state.x), (run.problem.lower, state.y)):
        tree = jax.tree.map(np.asarray, jax.vmap(jax.vmap(space.unravel))(jnp.asarray(points)))
        trees.append(tree if seeded else jax.tree.map(lambda leaf: leaf[0], tree))
    return Result(trees[0], trees[1], frame(saved.rows, seeded), saved)
