"""solve: runs an algorithm on a network of agents, observes it, saves checkpoints, and returns one result."""

import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from hypergossip.channels.requirements import check_calls
from hypergossip.channels.stack import read_channel
from hypergossip.core.algorithm import Algorithm
from hypergossip.core.problem import Problem
from hypergossip.engines import Simulated
from hypergossip.engines.engine import Engine
from hypergossip.metrics import ledger
from hypergossip.metrics.selection import read_measure
from hypergossip.networks.pairing import paired
from hypergossip.running import snapshot as disk
from hypergossip.running.argument_types import check_kinds
from hypergossip.running.loop import FIRST_CHUNK, run_chunk
from hypergossip.running.preflight import check_products, preflight
from hypergossip.running.progress import progress_bar
from hypergossip.running.result import Result
from hypergossip.running.rows import add_row, last_round, measured
from hypergossip.running.run import Run, RunState, begin, pack, result, unpack
from hypergossip.running.snapshot import CheckpointError
from hypergossip.running.stopping import Stop, check_measurable, plain_row, read_stop
from hypergossip.support.arguments import seed_number, whole_number
from hypergossip.support.callbacks import own_errors
from hypergossip.support.interrupts import Interrupted, Interrupts

MOST_ROUNDS = 2**31 - 1  # a round's number is a 32-bit integer on the device


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
    channel: Any = None,
) -> Result:
    """Runs an algorithm on a problem over a network.

    Args:
        algorithm: The program of one agent.
        problem: The bilevel problem.
        network: The neighbours of each agent, and their weights. If network and problem have names, the node and the
            agent of the same name are paired; otherwise node k is agent k.
        rounds: The number of rounds; with `start`, the number of further rounds.
        seed: The seed of every random number of the run, from 0 to 2**32 - 1.
        seeds: The number of seeds, seed, seed + 1, ..., to run at once; leaves and history then have a seed axis.
        engine: The engine; None uses `Simulated()`.
        observe_every: The number of rounds between two rows of the history; None gives about twenty rows. The first and
            the last round always have a row. The running time does not include observation.
        on_row: A function that is called with every new row of the history as soon as it is measured. A row is a dict
            from column to Python number, or to an array over the seeds if `seeds` is given. Only the leading process
            calls it, before a checkpoint contains the row. When a run resumes from a checkpoint, the rows after the
            checkpoint are repeated ("round" identifies them), and earlier rows are not. An exception ends the run.
        x0: The starting point of every agent, a pytree like the problem's x0 whose leaves have a leading axis
            (agents, ...), the same for every seed; None starts all agents at the problem's x0.
        y0: The starting point of every agent's y, in the same form.
        start: A result to resume from, with the same algorithm (other hyperparameters are allowed), data and seeds.
        stop: A tolerance on the metric, a function of a row, or `Stop`.
        checkpoint: A folder. A checkpoint is saved there every `checkpoint_every` seconds, at the end, and at Ctrl-C or
            SIGTERM. If the folder contains one of the same configuration, the run resumes from it, bit for bit.
        checkpoint_every: The time between two checkpoints, in seconds.
        progress: Whether to show a progress bar; None shows it only on a terminal.
        check: Whether to check before the run that it can work (`hypergossip.running.preflight`).
        measure: True measures all columns, False omits M_t and its parts from the rows, and names of columns, such as
            ``("upper_loss",)``, measure only those.
        channel: What the messages pass between the agents: a stage of `hypergossip.channels`, or a list of stages from
            the sender outward; None for the ideal channel.

    Returns:
        The result.

    Raises:
        ValueError: If the run cannot work, or an argument has the wrong type.
        NotFinite: If a number is no longer finite. The last checkpoint is kept.
        CheckpointError: If the folder's checkpoint is damaged or belongs to another configuration.
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
    check_measurable(rules, problem)
    if rules.metric is not None and "metric" not in read_measure(measure, problem).metrics:
        raise ValueError('stop: the tolerance is on the metric, which measure omits; add "metric" to measure.')
    network, links = paired(problem, network), read_channel(channel)
    if check:
        preflight(algorithm, problem, network, own, links)
    numbers = seed + np.arange(seeds or 1)
    with own_errors(problem.oracles):
        setting = algorithm, False, problem, network, numbers, seeds, own, measure
        run, carry = begin(engine or Simulated(), *setting, on_row is not None or rules.read_rows, links)
    with closing(run.session):
        if start is not None:
            carry = unpack(run, carry, start.saved)
        last = carry.round + rounds
        if last > MOST_ROUNDS:
            raise ValueError(f"the run would end at round {last}, but the largest possible round is {MOST_ROUNDS}.")
        if checkpoint is not None:
            carry = _read(run, carry, checkpoint)
        name = type(algorithm).__name__
        every = observe_every or max(1, rounds // 20)
        shown = progress if run.session.is_leader else False
        with progress_bar(shown, name, carry.round, last) as show, Interrupts(checkpoint is not None) as interrupts:
            keep = _keeper(run, checkpoint, checkpoint_every, interrupts)
            with own_errors(problem.oracles):
                carry = measured(run, drive(run, carry, last, every, rules, show, keep, on_row))
            keep(carry, at_the_end=True)
        return result(run, carry)


def drive(
    run: Run,
    carry: RunState,
    last: int,
    every: int,
    rules: Stop,
    show: Callable[[int, Any], None],
    keep: Callable[[RunState], RunState],
    on_row: Callable[[dict[str, Any]], object] | None = None,
) -> RunState:
    """Runs to the last round, or until a rule stops the run, and measures the rows.

    Args:
        run: The run.
        carry: The state of the run.
        last: The last round.
        every: The number of rounds between two rows.
        rules: The stopping rules.
        show: A function that is called with the round, and with the metric of a new row or None.
        keep: A function that is called with the state after every chunk and returns it, perhaps with rows measured.
        on_row: A function that is called with every new row in the leading process.
    """
    # This runs no round. The bounds are traced, so it compiles the executable of all chunks.
    try:
        run.session.advance(carry.state, carry.round, carry.round)
    except Exception as error:
        check_calls(error, None, run.name)
        check_products(run.algorithm, run.problem, run.name)  # raises if this is the cause
        raise
    pace, over = FIRST_CHUNK, False
    while True:
        over = over or carry.round >= last
        seen = last_round(carry) == carry.round
        new = not seen and (over or carry.round % every == 0)
        if new:
            carry = add_row(run, carry)
            show(carry.round, carry.rows[-1].get("metric") if carry.rows else None)
        # A run that resumes from a row at which a rule held ends there again.
        if (new or seen) and not carry.unmeasured:
            over = _handle_row(run, carry, rules, on_row if new else None) or over
        if over:
            return carry
        target = min(last, (carry.round // every + 1) * every)
        label, channel = run.problem.agent_label, run.configuration["channel"] or ""
        chunk = run_chunk(run.session, carry.state, carry.round, target, pace, label, channel)
        cost = ledger.add(carry.cost, chunk.cost)
        seconds = carry.seconds + chunk.seconds
        carry = carry._replace(round=chunk.round, seconds=seconds, state=chunk.state, cost=cost)
        pace, over = chunk.pace, rules.at_time(carry.seconds)
        show(carry.round, None)
        carry = keep(carry)


def _handle_row(run: Run, carry: RunState, rules: Stop, on_row: Callable[[dict[str, Any]], object] | None) -> bool:
    """Passes the last row to the user's functions and returns whether it ends the run.

    If one of them fails in a process, all processes end.
    """
    error, over = None, False
    try:
        if on_row is not None and run.session.is_leader:
            on_row(plain_row(carry.rows[-1], run.seeded))
        over = rules.at_row(plain_row(carry.rows[-1], run.seeded))
    except BaseException as failure:  # of any kind, because otherwise the other processes would wait forever
        error = failure
    gathered = run.session.all_gather(over, error is not None)
    if error is not None:
        raise error
    if gathered[:, 1].any():
        other = int(np.argmax(gathered[:, 1]))
        raise RuntimeError(f"on_row or stop failed in process {other} at round {carry.round}; its message says why.")
    return bool(gathered[0, 0])


def _starting_points(problem: Problem, x0: Any, y0: Any, start: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the starting points, (agents, p) and (agents, q), or None if all agents start at the problem's."""
    if start is not None and not isinstance(start, Result):
        raise ValueError(
            f"start is of type {type(start).__name__}; give a Result that solve has returned, or that "
            "hypergossip.load reads from a folder. Pass starting points as x0 and y0."
        )
    for name, given, part in (("x0", x0, "x"), ("y0", y0, "y")):
        if isinstance(given, Result):
            raise ValueError(
                f"{name} is a Result; give the points where its agents ended, {name}=result.{part}, or resume the run "
                "itself with start=result."
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


def _keeper(run: Run, folder: Path | str | None, every: float, interrupts: Interrupts) -> Callable[..., RunState]:
    """Returns a function that writes a checkpoint when it is due, at the end of the run, and at a signal.

    It measures all rows before it writes, and returns the state.
    """
    written = time.monotonic()

    def keep(carry: RunState, at_the_end: bool = False) -> RunState:
        nonlocal written
        if folder is None:
            return carry
        gathered = run.session.all_gather(interrupts.pending or 0, time.monotonic() - written)
        signalled, due = int(gathered[:, 0].max()), gathered[0, 1] >= every
        if not (signalled or due or at_the_end):
            return carry
        carry = measured(run, carry)
        path = _write(run, carry, folder)
        written = time.monotonic()
        if signalled:
            by = signal.Signals(signalled).name
            message = f"{by} at round {carry.round}; {path} is written, and the same call resumes from it."
            raise Interrupted(message, signalled)
        return carry

    return keep


def _read(run: Run, carry: RunState, folder: Path | str) -> RunState:
    """Returns the state in the folder's checkpoint, or the initial state if there is none."""
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
    """Writes a checkpoint in the leading process; all processes wait until it is written."""
    saved, error = pack(run, carry), None
    if run.session.is_leader:
        try:
            disk.write(folder, saved)
        except OSError as failure:
            error = failure
    if run.session.all_gather(error is not None).any():
        raise error or CheckpointError(f"the leading process could not write the checkpoint in {folder}.")
    return Path(folder) / disk.FILE
