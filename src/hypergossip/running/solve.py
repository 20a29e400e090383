"""solve: a network of agents, run for some rounds, observed, checkpointed, and returned as one result."""

import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from hypergossip.core.algorithm import Algorithm
from hypergossip.core.problem import Problem
from hypergossip.engines import Simulated
from hypergossip.engines.engine import Engine
from hypergossip.metrics import ledger
from hypergossip.metrics.selection import read_measure
from hypergossip.networks.pairing import paired
from hypergossip.running import snapshot as disk
from hypergossip.running.argument_types import check_kinds
from hypergossip.running.loop import FIRST_CHUNK, Interrupts, run_chunk
from hypergossip.running.preflight import check_products, preflight
from hypergossip.running.progress import progress_bar
from hypergossip.running.result import Result
from hypergossip.running.run import Run, RunState, begin, measure, pack, result, unpack
from hypergossip.running.snapshot import CheckpointError
from hypergossip.running.stopping import Stop, plain_row, read_stop
from hypergossip.support.arguments import seed_number, whole_number
from hypergossip.support.callbacks import own_errors

MOST_ROUNDS = 2**31 - 1  # a round's number is a 32-bit integer on the device


class Interrupted(KeyboardInterrupt):
    """A run was interrupted and has left a checkpoint; the sentence says where."""


def solve(
    algorithm: Algorithm,
    problem: Problem,
    network: Any,
    *,
    rounds: int,
    seed: int = 0,
    seeds: int | None = None,
    engine: Engine | None = None,
    observe_every: int | None = None,
    on_row: Callable[[dict[str, Any]], object] | None = None,
    x0: Any = None,
    y0: Any = None,
    start: Result | None = None,
    stop: Any = None,
    checkpoint: Path | str | None = None,
    checkpoint_every: float = 60.0,
    progress: bool | None = None,
    check: bool = True,
    measure: Any = True,
) -> Result:
    """Runs an algorithm on a problem over a network.

    Args:
        algorithm: The program of one agent.
        problem: The bilevel problem.
        network: Who talks to whom, and with what weight. Where it and the problem have names, node and agent of the
            same name are one; otherwise node k is agent k.
        rounds: How many rounds; with `start`, how many more.
        seed: Of every random number of the run, from 0 to 2**32 - 1.
        seeds: Run so many seeds, seed, seed + 1, ..., at once; leaves and history then have a seed axis.
        engine: Where to run; `Simulated()` if absent.
        observe_every: Rounds between two rows of the history; about twenty rows if absent. The first and the last
            round always have one. Observation is outside the timed path.
        on_row: Called with every new row of the history as soon as it is measured, a dict: column -> Python number, or
            an array over seeds where `seeds` is given. Only in the process that leads, and before any checkpoint holds
            the row: the rows after the last checkpoint come again when the run is gone on with ("round" tells), those
            that it holds do not. What the function raises ends the run.
        x0: Where every agent starts, a pytree like the problem's x0 whose leaves have a leading axis (agents, ...), the
            same in every seed; all agents start at the problem's x0 if absent.
        y0: Likewise.
        start: A result to go on from, of the same algorithm (other numbers are allowed), data and seeds.
        stop: A tolerance on the metric, a function of a row, or `Stop`.
        checkpoint: A folder. A checkpoint is left there every `checkpoint_every` seconds, at the end, and at Ctrl-C or
            SIGTERM; one that is there already, of the same configuration, is gone on from, bit for bit.
        checkpoint_every: In seconds.
        progress: Show a progress bar; if absent, only on a terminal.
        check: Look before the run for what cannot work (`hypergossip.running.preflight`).
        measure: True; False leaves M_t and its parts out of the rows; names of columns, such as ``("upper_loss",)``,
            measure those alone.

    Returns:
        The result.

    Raises:
        ValueError: If the run cannot work, or an argument is of another kind, with advice.
        NotFinite: If a number is no longer finite, naming round, agent and quantity; the last checkpoint stays.
        CheckpointError: If the folder's checkpoint is damaged or of another configuration.
        Interrupted: At Ctrl-C or SIGTERM with a checkpoint folder, after the checkpoint is written.
    """
    check_kinds(algorithm, problem, network, engine)
    rounds, seeds = whole_number("rounds", rounds, 0), None if seeds is None else whole_number("seeds", seeds, 1)
    seed = seed_number(seed, seeds or 1)
    observe_every = None if observe_every is None else whole_number("observe_every", observe_every, 1)
    if on_row is not None and not callable(on_row):
        raise ValueError(f"on_row is {on_row!r}; give a function of a row (a dict: column -> value), such as print.")
    if checkpoint is not None:
        disk.check_folder(checkpoint, "checkpoint")
    own = _starting_points(problem, x0, y0, start)
    rules = read_stop(stop)
    if rules.metric is not None and not problem.losses:
        raise ValueError(
            "stop: this problem has no losses and no M_t; stop by seconds, samples or a function of a row."
        )
    if rules.metric is not None and "metric" not in read_measure(measure, problem).metrics:
        raise ValueError("stop: the tolerance is one on the metric, which measure leaves out; measure it, too.")
    network = paired(problem, network)
    if check:
        preflight(algorithm, problem, network, own)
    numbers = seed + np.arange(seeds or 1)
    with own_errors(problem.oracles):
        run, carry = begin(engine or Simulated(), algorithm, False, problem, network, numbers, seeds, own, measure)
    with closing(run.session):
        if start is not None:
            carry = unpack(run, carry, start.saved)
        last = carry.round + rounds
        if last > MOST_ROUNDS:
            raise ValueError(f"the run would end at round {last}; rounds are counted to {MOST_ROUNDS} at most.")
        if checkpoint is not None:
            carry = _read(run, carry, checkpoint)
        name = type(algorithm).__name__
        every = observe_every or max(1, rounds // 20)
        shown = progress if run.session.is_leader else False
        with progress_bar(shown, name, carry.round, last) as show, Interrupts(checkpoint is not None) as interrupts:
            keep = _keeper(run, checkpoint, checkpoint_every, interrupts)
            with own_errors(problem.oracles):
                carry = drive(run, carry, last, every, rules, show, keep, on_row)
            keep(carry, at_the_end=True)
        return result(run, carry)


def drive(
    run: Run,
    carry: RunState,
    last: int,
    every: int,
    rules: Stop,
    show: Callable[[int, Any], None],
    keep: Callable[[RunState], None],
    on_row: Callable[[dict[str, Any]], object] | None = None,
) -> RunState:
    """Runs to the last round, or to where a rule stops it, with a row every so often.

    Args:
        run: What runs.
        carry: Where it stands.
        last: The last round.
        every: Rounds between two rows.
        rules: When to stop.
        show: Told the round, and the metric of a new row or None.
        keep: Told where the run stands after every chunk.
        on_row: Called with every new row in the leading process.
    """
    # No round is run here: the bounds are traced, so this compiles the one executable of every chunk.
    try:
        run.session.advance(carry.state, carry.round, carry.round)
    except Exception:
        check_products(run.algorithm, run.problem, run.name)  # the cause, if that is it
        raise
    pace, over = FIRST_CHUNK, False
    while True:
        over = over or carry.round >= last
        seen = bool(carry.rows) and int(carry.rows[-1]["round"][0]) == carry.round
        new = not seen and (over or carry.round % every == 0)
        if new:
            row = measure(run, carry)
            carry = carry._replace(rows=(*carry.rows, row))
            show(carry.round, row.get("metric"))
        # A run that went on from a row where a rule held ends there again.
        if new or seen:
            over = _look(run, carry, rules, on_row if new else None) or over
        if over:
            return carry
        target = min(last, (carry.round // every + 1) * every)
        chunk = run_chunk(run.session, carry.state, carry.round, target, pace, run.problem.agent_label)
        cost = ledger.add(carry.cost, chunk.cost)
        carry = RunState(chunk.round, carry.seconds + chunk.seconds, chunk.state, cost, carry.rows)
        pace, over = chunk.pace, rules.at_time(carry.seconds)
        show(carry.round, None)
        keep(carry)


def _look(run: Run, carry: RunState, rules: Stop, on_row: Callable[[dict[str, Any]], object] | None) -> bool:
    """Shows the last row to the user's functions; does it end the run? No process goes on where one of them failed."""
    error, over = None, False
    try:
        if on_row is not None and run.session.is_leader:
            on_row(plain_row(carry.rows[-1], run.seeded))
        over = rules.at_row(plain_row(carry.rows[-1], run.seeded))
    except BaseException as failure:  # whatever it is: the other processes would wait for this one for ever
        error = failure
    told = run.session.all_gather(over, error is not None)
    if error is not None:
        raise error
    if told[:, 1].any():
        other = int(np.argmax(told[:, 1]))
        raise RuntimeError(f"on_row or stop failed in process {other} at round {carry.round}; its message says why.")
    return bool(told[0, 0])


def _starting_points(problem: Problem, x0: Any, y0: Any, start: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns where the agents start, (agents, p) and (agents, q); None where all start as the problem says."""
    if start is not None and not isinstance(start, Result):
        raise ValueError(
            f"start is of type {type(start).__name__}; give a Result that solve has returned, or that "
            "hypergossip.load reads from a folder. Points to start at are x0 and y0."
        )
    for name, given, part in (("x0", x0, "x"), ("y0", y0, "y")):
        if isinstance(given, Result):
            raise ValueError(
                f"{name} is a Result; give where its agents ended, {name}=result.{part}, or go on with the run itself "
                "by start=result."
            )
    if x0 is None and y0 is None:
        return None
    if start is not None:
        raise ValueError("start, and x0 or y0, both say where the run begins; give one of them.")
    levels = ((problem.upper, problem.x0, x0, "x0"), (problem.lower, problem.y0, y0, "y0"))
    x, y = (
        np.tile(np.asarray(common), (problem.agents, 1))
        if given is None
        else space.ravel_agents(given, problem.agents, common.dtype, name)
        for space, common, given, name in levels
    )
    return x, y


def _keeper(run: Run, folder: Path | str | None, every: float, interrupts: Interrupts) -> Callable[..., None]:
    """Returns what writes a checkpoint when it is due, or when the run or the process is asked to end."""
    written = time.monotonic()

    def keep(carry: RunState, at_the_end: bool = False) -> None:
        nonlocal written
        if folder is None:
            return
        told = run.session.all_gather(interrupts.pending or 0, time.monotonic() - written)
        signalled, due = int(told[:, 0].max()), told[0, 1] >= every
        if not (signalled or due or at_the_end):
            return
        path = _write(run, carry, folder)
        written = time.monotonic()
        if signalled:
            by = signal.Signals(signalled).name
            raise Interrupted(f"{by} at round {carry.round}; {path} is written: the same call goes on from there.")

    return keep


def _read(run: Run, carry: RunState, folder: Path | str) -> RunState:
    """Returns where the folder's checkpoint stands, or the run's beginning where there is none."""
    saved = disk.read(folder) if (Path(folder) / disk.FILE).exists() else None
    rounds = run.session.all_gather(-1 if saved is None else saved.round)[:, 0]
    if (rounds != rounds[0]).any():
        other = int(np.argmax(rounds != rounds[0]))
        raise CheckpointError(
            f"processes 0 and {other} see different checkpoints in {folder}; "
            "give a folder that all processes share, or copy the checkpoint to every machine."
        )
    if saved is None:
        return carry
    disk.check_same(run.configuration, saved, folder)
    return unpack(run, carry, saved)


def _write(run: Run, carry: RunState, folder: Path | str) -> Path:
    """Writes a checkpoint in the leading process; no process goes on before it is there."""
    saved, error = pack(run, carry), None
    if run.session.is_leader:
        try:
            disk.write(folder, saved)
        except OSError as failure:
            error = failure
    if run.session.all_gather(error is not None).any():
        raise error or CheckpointError(f"the leading process could not write the checkpoint in {folder}.")
    return Path(folder) / disk.FILE
