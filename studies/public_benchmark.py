"""Ours against the JAX solvers of benchopt/benchmark_bilevel, with equal samples: `python -m studies.public_benchmark`.

It takes one commit of that repository, of which nothing is kept here, from GitHub, or with `--source FOLDER` from a
clone or a bare git folder. Without benchopt, the two names that its solvers import are replaced by empty ones. Both
sides run 20 rounds without compilation, in float64, on the same losses, from the same point and with the same steps and
samples: ours draw them and the depths of their Neumann series, and the public solvers replay them. The command fails
where the difference of a method is larger than rounding, after the changes to the public solver that are printed. Its
last line shows the blocks that the public sampler draws by itself: in each pass it draws the last one twice.
"""

import argparse
import contextlib
import importlib
import io
import tempfile
import types
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from benchmarks.public_solvers import import_solvers

import hypergossip as hg
from hypergossip.core.algorithm import Algorithm
from studies.replayed import Drawn, Recorder, states
from studies.repositories import Repository, checked_out, option

REPOSITORY = Repository("benchopt/benchmark_bilevel", "3ad65dccff5cce27a656630a4f98be52920850b4")
ROUNDS, BLOCKS, ROWS, SIZE = 20, 8, 5, 4
STEP, RATIO, TERMS, INNER, ETA = 0.2, 2.0, 4, 3, 0.5  # the parameters of the public solvers
UPPER = STEP / RATIO
LARGEST = 1e-14

Points = list[tuple[np.ndarray, ...]]
Rates = Callable[[int, Any], Any]  # the round and the public solver's step sizes -> those that it is run with


class Case(NamedTuple):
    """A method on both sides.

    Attributes:
        ours: The method.
        solver: The public solver's module.
        parameters: Of the public solver, in place of its own.
        variables: The entries of its state, in the order of the fields of ours.
        fields: The fields of our state.
        shared: Whether its product with d2xy g uses the sample of the lower gradient, so that ours is made to.
        changes: What is changed in the public solver before a difference must be rounding: (words, step sizes).
    """

    ours: Algorithm
    solver: str
    parameters: dict[str, Any] = {}
    variables: tuple[str, ...] = ("outer_var", "inner_var")
    fields: tuple[str, ...] = ("x", "y")
    shared: bool = False
    changes: tuple[str, Rates] | None = None


def decay(scale: float, power: float) -> hg.PowerDecay:
    """The schedule of the public solvers."""
    return hg.PowerDecay(scale, 1, power)


def first_momentum_of_one(round: int, rates: Any) -> Any:
    """Sets the momentum of round 0."""
    return rates.at[2].set(jnp.where(round == 0, 1.0, rates[2]))


def momentum_of_the_round_before(round: int, rates: Any) -> Any:
    """Sets the momentum of round 0, and that of round k to what the public solver has in round k - 1."""
    return rates.at[2].set(1.0 if round == 0 else ETA * round ** (-2 / 3))


def constant_lower_step(round: int, rates: Any) -> Any:
    """Sets the lower step to its first value."""
    return rates.at[0].set(STEP)


NEUMANN = hg.Neumann(TERMS, 1 / STEP)
CASES = {
    "SOBA": Case(
        hg.SOBA(decay(UPPER, 1 / 2), decay(STEP, 1 / 2), decay(STEP, 1 / 2)),
        "soba",
        variables=("outer_var", "inner_var", "v"),
        fields=("x", "y", "z"),
    ),
    "TTSA": Case(
        hg.TTSA(decay(UPPER, 3 / 5), decay(STEP, 2 / 5), NEUMANN),
        "ttsa",
        {"n_hia_steps": TERMS},
        shared=True,
    ),
    "stocBiO": Case(
        hg.StocBiO(UPPER, STEP, INNER, TERMS + 1, 1 / STEP, 0.1),
        "stocbio",
        {"n_inner_steps": INNER, "n_shia_steps": TERMS},
    ),
    "SUSTAIN": Case(
        hg.Sustain(decay(UPPER, 1 / 3), decay(STEP, 1 / 3), decay(ETA, 2 / 3), decay(ETA, 2 / 3), NEUMANN),
        "sustain",
        {"n_hia_steps": TERMS, "eta": ETA},
        shared=True,
        changes=("the first momentum is 1", first_momentum_of_one),
    ),
    "MRBO": Case(
        hg.MRBO(UPPER, STEP, ETA, ETA, TERMS + 1, 1 / STEP),
        "mrbo",
        {"n_shia_steps": TERMS, "eta": ETA},
        shared=True,
        changes=("the first momentum is 1, the others come one round earlier", momentum_of_the_round_before),
    ),
    "BSA, warm": Case(
        hg.BSA(decay(UPPER, 1 / 2), STEP, NEUMANN, warm=True, inner_steps=INNER),
        "bsa",
        {"n_inner_steps": INNER, "n_hia_steps": TERMS},
        changes=("the lower steps are constant", constant_lower_step),
    ),
}


def losses() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Two losses, (x, y, block) -> scalar, that are not quadratic and have all second derivatives."""
    random = np.random.default_rng(0)
    shape = 2, BLOCKS * ROWS
    a, b = random.standard_normal((*shape, SIZE)), np.sign(random.standard_normal(shape))

    def logistic(level: int, y: Any, block: Any) -> Any:
        cut = lambda rows: jax.lax.dynamic_slice_in_dim(jnp.asarray(rows[level]), block * ROWS, ROWS)
        return jnp.mean(jnp.logaddexp(0.0, -cut(b) * (cut(a) @ y)))

    def upper(x: Any, y: Any, block: Any) -> Any:
        return logistic(0, y, block) + 0.1 * jnp.sum(jnp.sin(x) * y) + 0.05 * jnp.sum(x**2)

    def lower(x: Any, y: Any, block: Any) -> Any:
        return logistic(1, y, block) + jnp.sum(jnp.exp(x) * y**2) / 2

    return upper, lower


def ours(case: Case, start: tuple[Any, Any], rounds: int) -> tuple[Points, list[Drawn]]:
    """Runs our method; returns its points and what it drew."""
    agent = Recorder(*losses(), BLOCKS, case.shared)
    found = states(case.ours, agent, *start, rounds)
    return [tuple(np.asarray(getattr(state, name)) for name in case.fields) for state in found], agent.rounds


def theirs(
    case: Case, start: tuple[Any, Any], upper: Sequence[int], lower: Sequence[int], depths: Sequence[int], rates: Rates
) -> Points:
    """Runs the public solver on recorded blocks and returns its points.

    Args:
        case: The method.
        start: x and y.
        upper: The blocks of its upper samples, in its order.
        lower: Likewise.
        depths: Of its Neumann series, in order.
        rates: What is changed in its step sizes.
    """
    module = importlib.import_module(f"solvers.{case.solver}")
    series = importlib.import_module("benchmark_utils.hessian_approximation")
    depth, round = iter(depths), iter(range(ROUNDS))
    random = types.SimpleNamespace(
        randint=lambda key, shape, minval, maxval: jnp.full(shape, next(depth)), split=jax.random.split
    )
    vars(series)["jax"] = types.SimpleNamespace(random=random, vjp=jax.vjp, lax=jax.lax)
    update = importlib.import_module("benchmark_utils.learning_rate_scheduler").update_lr

    def changed(state: Any) -> Any:
        found, state = update(state)
        return rates(next(round), found), state

    vars(module)["update_lr"] = changed
    solver = module.Solver()
    vars(solver).update({name: values[0] for name, values in solver.parameters.items()})
    vars(solver).update(case.parameters, step_size=STEP, outer_ratio=RATIO, batch_size=ROWS)
    solver.run_once = lambda count: None  # its own warm-up
    f, g = losses()
    on_rows = lambda loss: lambda y, x, start=0, batch_size=ROWS: loss(x, y, start // batch_size)
    solver.set_objective(on_rows(g), on_rows(f), BLOCKS * ROWS, BLOCKS * ROWS, start[1], start[0])

    def sampler(blocks: Sequence[int]) -> Callable[[Any], tuple]:
        rest = iter(blocks)
        return lambda state: (next(rest) * ROWS, 0, 1.0, state)

    step, carry, points = solver.get_step(sampler(lower), sampler(upper)), solver.init(), []
    for _ in range(ROUNDS):
        carry, _ = step(carry, None)
        points.append(tuple(np.asarray(carry[name]) for name in case.variables))
    return points


def differences(name: str) -> list[tuple[str, float, float]]:
    """Compares one method with its public solver.

    Returns:
        What was changed in the public solver, the largest difference, and the largest one allowed, for each comparison.
    """
    case = CASES[name]
    random = np.random.default_rng(1)
    start = jnp.asarray(random.standard_normal(SIZE) / 4), jnp.asarray(random.standard_normal(SIZE))
    points, drawn = ours(case, start, ROUNDS + 1)
    depths = [len(round.hessians) for round in drawn]
    upper = [block for round in drawn for block in round.upper]
    order: list[int] = []
    if case.solver == "bsa":  # it begins with the upper step, and y is the result of the round before
        for now, after in pairwise(drawn):
            order += [*now.hessians, *now.jacobians, *after.gradients]
        start = start[0], jnp.asarray(points[0][1])
        points = [(now[0], after[1]) for now, after in pairwise(points)]
    else:
        for now in drawn:
            order += [*now.gradients, *now.hessians, *(() if case.shared else now.jacobians)]
    signs = [-1 if field == "z" else 1 for field in case.fields]  # the public v is -z

    def largest(rates: Rates) -> float:
        others = theirs(case, start, upper, order, depths, rates)
        pairs = zip(points, others)
        return max(float(np.max(np.abs(s * a - b))) for one, two in pairs for s, a, b in zip(signs, one, two))

    unchanged: Rates = lambda round, found: found
    as_it_is = "as it is" + (", ours with its one sample for both derivatives of g" if case.shared else "")
    if case.changes is None:
        return [(as_it_is, largest(unchanged), LARGEST)]
    words, rates = case.changes
    return [(as_it_is, largest(unchanged), np.inf), (words, largest(rates), LARGEST)]


def own_blocks() -> list[int]:
    """The blocks that the public sampler draws by itself in two passes over the data."""
    make = importlib.import_module("benchmark_utils.minibatch_sampler").init_sampler
    sampler, state = make(BLOCKS * ROWS, ROWS, jax.random.key(0))
    found = []
    for _ in range(2 * BLOCKS + 2):
        _, block, _, state = sampler(state)
        found.append(int(block))
    return found


def main() -> None:
    """Compares all methods, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m studies.public_benchmark", description=__doc__)
    option(parser, "--source", REPOSITORY)
    source = parser.parse_args().source
    agree = True
    with tempfile.TemporaryDirectory() as place, jax.enable_x64(True), jax.disable_jit():
        import_solvers(checked_out(REPOSITORY, source, Path(place)))
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module("benchmark_utils.constants")  # it prints its seed
        print(f"{REPOSITORY.name} at {REPOSITORY.commit[:10]}, {ROUNDS} rounds: largest difference of any variable")
        for name in CASES:
            for words, difference, allowed in differences(name):
                agree &= difference <= allowed
                verdict = "" if difference <= allowed else ": NOT EQUAL"
                print(f"{name:10} {difference:8.1e}  {words}{verdict}", flush=True)
        print(f"its own sampler, {2 * BLOCKS + 2} blocks of {BLOCKS}: {' '.join(map(str, own_blocks()))}")
    raise SystemExit(0 if agree else 1)


if __name__ == "__main__":
    main()
