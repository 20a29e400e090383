"""solve: a network of agents, run for some rounds, observed, checkpointed, and returned as one result."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hypergossip import checkpoint as disk
from hypergossip.algorithm import Algorithm
from hypergossip.checkpoint import CheckpointError
from hypergossip.engines import Simulated
from hypergossip.engines.engine import Engine
from hypergossip.loop import FIRST_CHUNK, Interrupts, run_chunk
from hypergossip.metrics import ledger
from hypergossip.metrics.selection import read_measure
from hypergossip.networks.pairing import paired
from hypergossip.preflight import preflight, whole_number
from hypergossip.problem import Problem
from hypergossip.progress import progress_bar
from hypergossip.result import Result
from hypergossip.run import Carry, Run, begin, measure, pack, result, unpack
from hypergossip.stop import Stop, read_stop


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
    start: Result | None = None,
    stop: Any = None,
    checkpoint: Path | str | None = None,
    checkpoint_every: float = 60.0,
    progress: bool | None = None,
    check: bool = True,
    measure: bool | tuple[str, ...] = True,
) -> Result:
    """Runs an algorithm on a problem over a network.

    Args:
        algorithm: The program of one agent.
        problem: The bilevel problem.
        network: Who talks to whom, and with what weight. Where it and the problem have names, node and agent of the
            same name are one; otherwise node k is agent k.
        rounds: How many rounds; with `start`, how many more.
        seed: Of every random number of the run.
        seeds: Run so many seeds, seed, seed + 1, ..., at once; leaves and history then have a seed axis.
        engine: Where to run; `Simulated()` if absent.
        observe_every: Rounds between two rows of the history; about twenty rows if absent. The first and the last
            round always have one. Observation is outside the timed path.
        start: A result to go on from, of the same algorithm (other numbers are allowed), problem and seeds.
        stop: A tolerance on the metric, a function of a row, or `Stop`.
        checkpoint: A folder. A checkpoint is left there every `checkpoint_every` seconds, at the end, and at Ctrl-C or
            SIGTERM; one that is there already, of the same configuration, is gone on from, bit for bit.
        checkpoint_every: In seconds.
        progress: Show a progress bar; if absent, only on a terminal.
        check: Look before the run for what cannot work (`hypergossip.preflight`).
        measure: False leaves M_t and its parts out of the rows; names of columns, such as ``("upper_loss",)``, measure
            those alone.

    Returns:
        The result.

    Raises:
        ValueError: If the run cannot work, with advice.
        NotFinite: If a number is no longer finite, naming round, agent and quantity; the last checkpoint stays.
        CheckpointError: If the folder's checkpoint is damaged or of another configuration.
        Interrupted: At Ctrl-C or SIGTERM with a checkpoint folder, after the checkpoint is written.
    """
    rounds, seed = whole_number("rounds", rounds, 0), whole_number("seed", seed, 0)
    seeds = None if seeds is None else whole_number("seeds", seeds, 1)
    observe_every = None if observe_every is None else whole_number("observe_every", observe_every, 1)
    rules = read_stop(stop)
    if rules.metric is not None and not problem.losses:
        raise ValueError(
            "stop: this problem has no losses and no M_t; stop by seconds, samples or a function of a row."
        )
    if rules.metric is not None and "metric" not in read_measure(measure, problem).figures:
        raise ValueError("stop: the tolerance is one on the metric, which measure leaves out; measure it, too.")
    network = paired(problem, network)
    if check:
        preflight(algorithm, problem, network)
    numbers = seed + np.arange(seeds or 1)
    run, carry = begin(engine or Simulated(), algorithm, False, problem, network, numbers, seeds, measure)
    if start is not None:
        carry = unpack(run, carry, start.saved)
    last = carry.round + rounds
    if checkpoint is not None:
        carry = _read(run, carry, checkpoint)
    name = type(algorithm).__name__
    every = observe_every or max(1, rounds // 20)
    shown = progress if run.program.engine.leads else False
    with progress_bar(shown, name, carry.round, last) as show, Interrupts(checkpoint is not None) as interrupts:
        keep = _keeper(run, checkpoint, checkpoint_every, interrupts)
        carry = drive(run, carry, last, every, rules, show, keep)
        keep(carry, at_the_end=True)
    return result(run, carry)


def drive(
    run: Run,
    carry: Carry,
    last: int,
    every: int,
    rules: Stop,
    show: Callable[[int, Any], None],
    keep: Callable[[Carry], None],
) -> Carry:
    """Runs to the last round, or to where a rule stops it, with a row every so often.

    Args:
        run: What runs.
        carry: Where it stands.
        last: The last round.
        every: Rounds between two rows.
        rules: When to stop.
        show: Told the round, and the metric of a new row or None.
        keep: Told where the run stands after every chunk.
    """
    # No round is run here: the bounds are traced, so this compiles the one executable of every chunk.
    run.program.advance(carry.state, carry.round, carry.round)
    pace, over = FIRST_CHUNK, False
    while True:
        over = over or carry.round >= last
        seen = bool(carry.rows) and int(carry.rows[-1]["round"][0]) == carry.round
        if not seen and (over or carry.round % every == 0):
            row = measure(run, carry)
            carry = carry._replace(rows=(*carry.rows, row))
            show(carry.round, row.get("metric"))
            seen = True
        # A run that went on from a row where a rule held ends there again.
        over = over or (seen and bool(run.program.engine.tell(rules.at_row(carry.rows[-1]))[0, 0]))
        if over:
            return carry
        target = min(last, (carry.round // every + 1) * every)
        chunk = run_chunk(run.program, carry.state, carry.round, target, pace)
        spent = ledger.add(carry.spent, run.program.engine.fetch(chunk.spent))
        carry = Carry(chunk.round, carry.seconds + chunk.seconds, chunk.state, spent, carry.rows)
        pace, over = chunk.pace, rules.at_time(carry.seconds)
        show(carry.round, None)
        keep(carry)


def _keeper(run: Run, folder: Path | str | None, every: float, interrupts: Interrupts) -> Callable[..., None]:
    """Returns what writes a checkpoint when it is due, or when the run or the process is asked to end."""
    written = time.monotonic()

    def keep(carry: Carry, at_the_end: bool = False) -> None:
        nonlocal written
        if folder is None:
            return
        told = run.program.engine.tell(interrupts.pending or 0, time.monotonic() - written)
        signalled, due = int(told[:, 0].max()), told[0, 1] >= every
        if not (signalled or due or at_the_end):
            return
        path = _write(run, carry, folder)
        written = time.monotonic()
        if signalled:
            by = signal.Signals(signalled).name
            raise Interrupted(f"{by} at round {carry.round}; {path} is written: the same call goes on from there.")

    return keep


def _read(run: Run, carry: Carry, folder: Path | str) -> Carry:
    """Returns where the folder's checkpoint stands, or the run's beginning where there is none."""
    saved = disk.read(folder) if (Path(folder) / disk.FILE).exists() else None
    rounds = run.program.engine.tell(-1 if saved is None else saved.round)[:, 0]
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


def _write(run: Run, carry: Carry, folder: Path | str) -> Path:
    """Writes a checkpoint in the leading process; no process goes on before it is there."""
    saved, error = pack(run, carry), None
    if run.program.engine.leads:
        try:
            disk.write(folder, saved)
        except OSError as failure:
            error = failure
    if run.program.engine.tell(error is not None).any():
        raise error or CheckpointError(f"the leading process could not write the checkpoint in {folder}.")
    return Path(folder) / disk.FILE
