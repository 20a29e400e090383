"""What is recorded: short runs of every method, through the public names alone, as tables of numbers.

Both the recorder and the test run these, each on the library that it imports; nothing here knows how an engine works.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

import hypergossip as hg
from recorded.methods import METHODS, STEPS, VARIANTS, Method
from recorded.worlds import NETWORKS, NOISE, navigation, quadratic, regression, tabular

ENGINES: dict[str, Any] = {
    "Simulated": hg.Simulated(mixing="dense"),
    "neighbours": hg.Simulated(mixing="neighbours"),
    "edges": hg.Simulated(mixing="edges"),
    "Sharded": hg.Sharded(devices=4),
    "Debug": hg.Debug(),
}
REFERENCE = "Simulated"
FAST = ("Simulated", "Sharded")
SEED = 5
Numbers = dict[str, np.ndarray]


class Case(NamedTuple):
    """A run, or a few of one configuration.

    Attributes:
        run: (engine, seed) -> what is recorded, by name.
        draws: Does it use random numbers? What does not is the same for every seed.
        engines: Where the test runs it. The recorder runs it on `REFERENCE`, too.
        record: Whose record it is to equal; its own where absent.
    """

    run: Callable[[Any, int], Numbers]
    draws: bool
    engines: tuple[str, ...]
    record: str | None = None


def agents_by_entries(tree: Any) -> np.ndarray:
    """Every agent's point as one vector, (agents, entries); leaf after leaf where there are several seeds."""
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


def columns(history: Any, runs: int) -> Numbers:
    """The columns of a history, each (rows, runs), but for what is measured in seconds."""
    names = [name for name in history.columns if name not in ("seconds", "seed")]
    return {f"column {name}": history[name].to_numpy(np.float64).reshape(-1, runs) for name in names}


def solved(
    algorithm: Any, make: Callable[[], Any], rounds: tuple[int, ...], engine: Any, seed: int, **more: Any
) -> Numbers:
    """Runs to each of the rounds, from one to the next by `start`, and measures every round on the way."""
    problem, numbers, before = make(), {}, None
    for done, last in zip((0, *rounds), rounds, strict=False):
        before = hg.solve(
            algorithm,
            problem,
            NETWORKS[problem.agents],
            rounds=last - done,
            engine=engine,
            seed=seed,
            start=before,
            observe_every=1,
            check=False,
            **more,
        )
        numbers |= {f"x after {last}": agents_by_entries(before.x), f"y after {last}": agents_by_entries(before.y)}
    assert before is not None
    return numbers | columns(before.history, more.get("seeds") or 1)


def kept(algorithm: Any, make: Callable[[], Any], rounds: tuple[int, ...], engine: Any, seed: int) -> Numbers:
    """As `solved`, from one of the rounds to the next by a checkpoint."""
    problem, numbers, result = make(), {}, None
    with tempfile.TemporaryDirectory() as folder:
        for last in rounds:
            result = hg.solve(
                algorithm,
                problem,
                NETWORKS[problem.agents],
                rounds=last,
                engine=engine,
                seed=seed,
                checkpoint=folder,
                observe_every=1,
                check=False,
            )
            numbers |= {f"x after {last}": agents_by_entries(result.x), f"y after {last}": agents_by_entries(result.y)}
    assert result is not None
    return numbers | columns(result.history, 1)


def tuned(
    algorithm: Any,
    make: Callable[[], Any],
    grid: dict[str, list[float]],
    score: str,
    rounds: int,
    engine: Any,
    seed: int,
) -> Numbers:
    """The table of a grid, each point with two seeds."""
    problem = make()
    settings: dict[str, Any] = {
        "grid": grid,
        "rounds": rounds,
        "seeds": 2,
        "seed": seed,
        "score": score,
        "engine": engine,
    }
    table = hg.tune(algorithm, problem, NETWORKS[problem.agents], **settings).table
    names = (*grid, "score", "best_seed", "worst_seed", "diverged")
    return {name: table[name].to_numpy(np.float64) for name in names}


def noisy(method: Method, agents: int, noise: float = NOISE) -> tuple[Any, Callable[[], Any]]:
    """A method and its quadratics."""
    return method.algorithm, partial(quadratic, agents, method.share, noise)


def every_method() -> dict[str, Case]:
    """All methods: on eight agents, with and without noise, and on Debug, which is slow, on three."""
    cases = {}
    for name, method in METHODS.items():
        lists = ("neighbours", "edges") if name in ("Diamond", "Slam") else ()
        for kind, noise in (("noisy", NOISE), ("exact", 0.0)):
            run = partial(solved, *noisy(method, 8, noise), (5, 6))
            cases[f"{name}, {kind}"] = Case(run, noise > 0, (*FAST, *lists) if noise else ("Simulated",))
        cases[f"{name}, three agents"] = Case(partial(solved, *noisy(method, 3), (1, 2)), True, ("Debug",))
    return cases


def every_variant() -> dict[str, Case]:
    """Estimators and schedules, which know no engine; random depths are drawn without noise, too."""
    cases = {}
    for name, method in VARIANTS.items():
        for kind, noise in (("noisy", NOISE), ("exact", 0.0)):
            run = partial(solved, *noisy(method, 8, noise), (3,))
            cases[f"{name}, {kind}"] = Case(run, method.draws or noise > 0, ("Simulated",))
    return cases


def uneven() -> dict[str, Case]:
    """Five agents on four devices, one method of each kind of message."""
    cases = {}
    for name in ("Diamond", "SlamTracked", "CAC"):
        for kind, noise in (("noisy", NOISE), ("exact", 0.0)):
            run = partial(solved, *noisy(METHODS[name], 5, noise), (3, 4))
            cases[f"{name}, five agents, {kind}"] = Case(run, noise > 0, ("Sharded",))
    return cases


def regressions() -> dict[str, Case]:
    """Unequal agents, whole data and mini-batches."""
    neumann = hg.Diamond(0.1, 0.2, 0.3, 0.4, hg.Neumann(4, 12.0))
    whole, plain = hg.Interact(0.1, 0.2), hg.DSGD(0.1, 0.2, hg.TruncatedNeumann(2, 12.0))
    shared = hg.Slam(0.1, 0.2, 0.8, 1.5, hg.TruncatedNeumann(4, 12.0))
    return {
        "Diamond, unequal agents, mini-batches": Case(
            partial(solved, neumann, partial(regression, "upper", 3), (4,)), True, ("Sharded",)
        ),
        "Interact, unequal agents, whole data": Case(
            partial(solved, whole, partial(regression, "upper", None), (4,)), False, ("Simulated",)
        ),
        "DSGD, unequal agents, mini-batches, one round": Case(
            partial(solved, plain, partial(regression, "upper", 3), (1,)), True, ("Debug",)
        ),
        "Slam, unequal agents, mini-batches": Case(
            partial(solved, shared, partial(regression, "both", 3), (4,)), True, ("Simulated",)
        ),
    }


def seeds_sweeps_and_checkpoints() -> dict[str, Case]:
    """Several runs in one call, and one run in several calls."""
    cases = {}
    for name in ("Diamond", "Slam"):
        for kind, noise in (("noisy", NOISE), ("exact", 0.0)):
            record = f"{name}, {kind}"
            cases[f"{name}, checkpoint, {kind}"] = Case(
                partial(kept, *noisy(METHODS[name], 8, noise), (5, 6)), noise > 0, FAST, record
            )
    run = partial(solved, *noisy(METHODS["Diamond"], 8), (4,), seeds=2)
    cases["Diamond, two seeds"] = Case(run, True, FAST)
    few = noisy(METHODS["Diamond"], 3)
    cases["Diamond, checkpoint, three agents"] = Case(
        partial(kept, *few, (1, 2)), True, ("Debug",), "Diamond, three agents"
    )
    cases["Diamond, two seeds, three agents"] = Case(partial(solved, *few, (2,), seeds=2), True, ("Debug",))
    steps = {"upper_step": [0.03, 0.06], "lower_step": [0.1, 0.2]}
    depths = {"hypergradient.tolerance": [0.3, 1e-6]}
    adaptive = Method(hg.DSGD(**STEPS, hypergradient=hg.ConjugateGradient(4, 1e-6)))
    cases["Diamond, steps tuned"] = Case(partial(tuned, *noisy(METHODS["Diamond"], 8), steps, "metric", 3), True, FAST)
    fewer = {"upper_step": [0.03, 0.06]}
    cases["DSGD, steps tuned, three agents"] = Case(
        partial(tuned, *noisy(METHODS["DSGD"], 3), fewer, "upper_loss", 1), True, ("Debug",)
    )
    cases["DSGD, costs of a sweep"] = Case(
        partial(tuned, *noisy(adaptive, 8), depths, "hessian_products", 3), True, ("Simulated",)
    )
    return cases


def games() -> dict[str, Case]:
    """Three agents in one world, fewer than devices: every step exactly expected, which Debug can do, or played."""
    steps = (0.05, 0.1)
    critics, slam = hg.DAC(*steps, hg.Direct()), hg.Slam(*steps, 0.8, 1.5, hg.Direct())
    return {
        "DAC, exact game": Case(partial(solved, critics, tabular, (2, 3)), False, (*FAST, "Debug")),
        "Slam, exact game": Case(partial(solved, slam, tabular, (2,)), False, ("Simulated",)),
        "DAC, played game": Case(partial(solved, critics, navigation, (2, 3)), True, ("Sharded",)),
    }


CASES = (
    every_method() | every_variant() | uneven() | regressions() | seeds_sweeps_and_checkpoints() | games()
)  # name -> case; a name begins with the method's
