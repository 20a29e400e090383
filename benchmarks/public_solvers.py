"""One step against the JAX solvers of benchopt/benchmark_bilevel: `python -m benchmarks.public_solvers FOLDER`.

FOLDER is a copy of that repository, of which nothing is kept here; without benchopt, the two names that its solvers
import are replaced by empty ones. The data are as large as ijcnn1: 49,990 rows, 22 features, batches of 64, one agent
and 32. The solvers draw blocks in a shuffled order; ours are measured with blocks and with i.i.d. samples. Our
BSA takes ceil(sqrt(k + 1)) lower steps in round k, so both are measured where that is constant.
"""

import contextlib
import importlib
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

import hypergossip as hg
from benchmarks.engine_calls import rounds
from benchmarks.problems import logistic
from benchmarks.timing import alternate, report

ROWS, FEATURES, BATCH = 49_990, 22, 64
STEPS = (0, 2000)  # the first round, and one more than the last
BSA_STEPS, BSA_LOWER_STEPS = (842, 900), 30  # the rounds in which ours takes as many lower steps, ceil(sqrt(k + 1))
REPEATS = 15
OURS: dict[str, tuple[str, Any]] = {
    "SOBA": ("soba", hg.SOBA(0.01, 0.1, 0.1)),
    "TTSA": ("ttsa", hg.TTSA(0.01, 0.1, hg.Neumann(10, 6.0))),
    "StocBiO": ("stocbio", hg.StocBiO(0.01, 0.1, 10, 10, 6.0, 0.05)),
    "BSA": ("bsa", hg.BSA(0.01, 0.1, hg.Neumann(10, 6.0))),
    "SUSTAIN": ("sustain", hg.Sustain(0.01, 0.1, 0.1, 0.1, hg.Neumann(10, 6.0))),
    "MRBO": ("mrbo", hg.MRBO(0.01, 0.1, 0.1, 0.1, 10, 6.0)),
}


def import_solvers(folder: Path) -> None:
    """Makes the solvers in a copy of the public benchmark importable."""
    sys.path.insert(0, str(folder))
    benchopt, criteria = types.ModuleType("benchopt"), types.ModuleType("benchopt.stopping_criterion")
    nothing: Any = lambda **_: None
    vars(benchopt).update(BaseSolver=type("BaseSolver", (), {}), safe_import_context=contextlib.nullcontext)
    vars(criteria).update(SufficientProgressCriterion=nothing)
    sys.modules |= {"benchopt": benchopt, "benchopt.stopping_criterion": criteria}


def theirs(module: str, problem: hg.Problem, steps: int) -> Callable[[], Any]:
    """Returns a call that runs the steps of one of the public solvers on the same losses and data.

    Args:
        module: The name of its module.
        problem: The problem of one agent.
        steps: The number of steps.
    """
    solver = importlib.import_module(f"solvers.{module}").Solver()
    vars(solver).update({name: values[0] for name, values in solver.parameters.items()})
    if module == "bsa":
        solver.n_inner_steps = BSA_LOWER_STEPS
    solver.run_once = lambda count: None  # its own warm-up
    form = problem.oracles.form
    data = jax.tree.map(lambda leaf: jnp.asarray(leaf[0, :ROWS]), problem.oracles.upper_data)

    def on_block(loss: Callable[..., Any]) -> Callable[..., Any]:
        def call(inner: Any, outer: Any, start: Any = 0, batch_size: int = BATCH) -> Any:
            return loss(
                outer, inner, jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, start, batch_size), data)
            )

        return call

    zero = jnp.zeros(FEATURES)
    solver.set_objective(on_block(form.lower), on_block(form.upper), ROWS, ROWS, zero, zero)
    carry = solver.init()
    return lambda: solver.one_epoch(carry, steps)


def main() -> None:
    """Prints the ratio of our time for a step to theirs, for each agent."""
    import_solvers(Path(sys.argv[1]).resolve())
    rows = []
    for name, (module, method) in OURS.items():
        programs, (first, last) = {}, BSA_STEPS if name == "BSA" else STEPS
        for agents, sampling in ((1, "blocks"), (1, "iid"), (32, "blocks")):
            problem = logistic(agents, ROWS if agents == 1 else 1000, FEATURES, BATCH, sampling)
            network = hg.networks.ring(agents) if agents > 1 else hg.networks.complete(1)
            programs[f"{agents} {sampling}"] = rounds(method, problem, network, last, first=first)
            if agents == 1 and sampling == "blocks":
                programs["theirs"] = theirs(module, problem, last - first)
        seconds = alternate(programs, REPEATS)
        other = seconds.pop("theirs")
        ratios = {case: float(jnp.median(s / other)) / int(case.split()[0]) for case, s in seconds.items()}
        microseconds = float(jnp.median(other)) / (last - first) * 1e6
        rows.append(
            (name, ", ".join(f"{case} {value:.2f}" for case, value in ratios.items()) + f" of {microseconds:.1f} us")
        )
    report("one step, ours / the public solver's for each agent: agents and sampling", rows)


if __name__ == "__main__":
    main()
