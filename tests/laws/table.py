"""The one table: every method and engine, and what each law expects of them. A new one is a new line here."""

from typing import Any, NamedTuple

import pytest

import hypergossip as hg

ENGINES: dict[str, Any] = {
    "dense": hg.Simulated(mixing="dense"),
    "neighbours": hg.Simulated(mixing="neighbours"),
    "edges": hg.Simulated(mixing="edges"),
    "sharded": hg.Sharded(devices=4),
}
REFERENCE = ENGINES["dense"]


class Method(NamedTuple):
    """One method on one kind of problem.

    Attributes:
        algorithm: With sane numbers for `problems.quadratic_problem`.
        share: What its problems share.
        sends: The state's fields in its message, by level.
        conserves: Pairs of fields whose difference sums to zero over the network; a second name of "" stands for zero.
        reaches: What it converges to without noise. "optimum": the closed form; "surrogate": the fixed point of eq. 4
            with each agent's own second derivatives; "neighbourhood": O(upper_step) from the optimum.
        contracts: How disagreement shrinks with the gradients off. "lambda": by the network's second eigenvalue;
            "primal-dual": by the spectral radius of SLAM's own recursion.
        has_momentum: Does it have eta and gamma?
    """

    algorithm: Any
    share: str
    sends: dict[str, tuple[str, ...]]
    conserves: tuple[tuple[str, str], ...]
    reaches: str
    contracts: str
    has_momentum: bool = False


STEPS = {"upper_step": 0.06, "lower_step": 0.12}
MOMENTA = {"upper_momentum": 0.3, "lower_momentum": 0.4}
TRACKER = {"upper": ("u", "x")}
SLAM = hg.Slam(**STEPS, gamma=0.8, rho=1.5, hypergradient=hg.Exact())

METHODS: dict[str, Method] = {
    "DSGD": Method(
        hg.DSGD(**STEPS, hypergradient=hg.Exact()), "upper", {"upper": ("x",)}, (), "neighbourhood", "lambda"
    ),
    "GTSGD": Method(hg.GTSGD(**STEPS, hypergradient=hg.Exact()), "upper", TRACKER, (("u", "G"),), "optimum", "lambda"),
    "MSGD": Method(
        hg.MSGD(**STEPS, **MOMENTA, hypergradient=hg.Exact()),
        "upper",
        {"upper": ("x",)},
        (),
        "neighbourhood",
        "lambda",
        has_momentum=True,
    ),
    "Diamond": Method(
        hg.Diamond(**STEPS, **MOMENTA, hypergradient=hg.Exact()),
        "upper",
        TRACKER,
        (("u", "p"),),
        "optimum",
        "lambda",
        has_momentum=True,
    ),
    "Interact": Method(hg.Interact(**STEPS), "upper", TRACKER, (("u", "p"),), "optimum", "lambda"),
    "SVRInteract": Method(
        hg.SVRInteract(**STEPS, period=4, hypergradient=hg.Exact()),
        "upper",
        TRACKER,
        (("u", "p"),),
        "optimum",
        "lambda",
    ),
    "Slam-U": Method(SLAM, "upper", {"upper": ("x",)}, (("d_x", ""),), "optimum", "primal-dual"),
    "Slam-L": Method(SLAM, "lower", {"lower": ("y",)}, (("d_y", ""),), "surrogate", "primal-dual"),
    "Slam": Method(
        SLAM, "both", {"upper": ("x",), "lower": ("y",)}, (("d_x", ""), ("d_y", "")), "surrogate", "primal-dual"
    ),
}


def every_method(where: Any = None) -> Any:
    """Parametrises a test over the methods of which `where` holds, all if absent."""
    chosen = {name: method for name, method in METHODS.items() if where is None or where(method)}
    return pytest.mark.parametrize("method", chosen.values(), ids=chosen.keys())


# The two lists of neighbours differ from the matrix in the average of one block of rows alone, whatever is in it: for
# them a method of each kind of message is enough, and the rest would mostly wait for the compiler.
KINDS = ("DSGD", "Diamond", "Slam")


def every_pair(where: Any = None, but: Any = None) -> Any:
    """Parametrises a test over engines, but for one, and the methods of which `where` holds, all if absent."""
    pairs = [
        pytest.param(engine, method, id=f"{name}-{place}")
        for place, engine in ENGINES.items()
        for name, method in METHODS.items()
        if engine is not but and (where is None or where(method)) and (place in ("dense", "sharded") or name in KINDS)
    ]
    return pytest.mark.parametrize(("engine", "method"), pairs)


both_engines = pytest.mark.parametrize("engine", [ENGINES["dense"], ENGINES["sharded"]], ids=["dense", "sharded"])
