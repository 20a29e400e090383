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
STEPS = 10_000  # so many that the data of one agent, 4.4 MB, are in the cache for most of them
STEPS_OF_MANY = 1000  # with 32 agents
BSA_ROUNDS, BSA_LOWER_STEPS = (842, 900), 30  # the rounds in which ours takes as many lower steps, ceil(sqrt(k + 1))
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
        programs, steps = {}, {}
        for agents, sampling in ((1, "blocks"), (1, "iid"), (32, "blocks")):
            problem = logistic(agents, ROWS if agents == 1 else 1000, FEATURES, BATCH, sampling)
            network = hg.networks.ring(agents) if agents > 1 else hg.networks.complete(1)
            first, last = BSA_ROUNDS if name == "BSA" else (0, STEPS if agents == 1 else STEPS_OF_MANY)
            case = f"{agents} {sampling}"
            steps[case], programs[case] = last - first, rounds(method, problem, network, last, first=first)
            if agents == 1 and sampling == "blocks":
                steps["theirs"], programs["theirs"] = last - first, theirs(module, problem, last - first)
        seconds = {case: each / steps[case] for case, each in alternate(programs, REPEATS).items()}
        other = seconds.pop("theirs")
        ratios = {case: float(jnp.median(s / other)) / int(case.split()[0]) for case, s in seconds.items()}
        microseconds = float(jnp.median(other)) * 1e6
        rows.append(
            (name, ", ".join(f"{case} {value:.2f}" for case, value in ratios.items()) + f" of {microseconds:.1f} us")
        )
    report("one step, ours / the public solver's for each agent: agents and sampling", rows)


if __name__ == "__main__":
    main()
