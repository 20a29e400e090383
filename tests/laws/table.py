"""The one table: every method and engine, and what each law expects of them. A new one is a new line here."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import hypergossip as hg

ENGINES: dict[str, Any] = {
    "dense": hg.Simulated(mixing="dense"),
    "neighbours": hg.Simulated(mixing="neighbours"),
    "edges": hg.Simulated(mixing="edges"),
    "sharded": hg.Sharded(devices=4),
    "debug": hg.Debug(),
}
REFERENCE = ENGINES["dense"]


class Method(NamedTuple):
    """One method on one kind of problem.

    Attributes:
        algorithm: With sane numbers for `problems.quadratic_problem`.
        share: What its problems share.
        conserves: Pairs of fields whose difference sums to zero over the network; a second name of "" stands for zero.
        reaches: What it converges to without noise. "optimum": the closed form; "surrogate": the fixed point of eq. 4
            with each agent's own second derivatives; "neighbourhood": O(upper_step) from the optimum;
            "inner step": O(upper_step) from the optimum of f after one lower step from y_0;
            "own metrics": where the agents' hypergradients, each in its own metric, and the disagreement cancel;
            "adapt then combine" and "combine and adapt": O(both steps) from the optimum, or from the surrogate of a
            shared lower level, where that order of a round stands still;
            "adapt then combine all": O(all steps) from the optimum, where x, y and z adapt and are combined;
            "penalised": the optimum of a penalised problem (algorithms/test_penalties.py);
            "adaptive": the optimum, but slowly (algorithms/test_ada_sdbo.py).
        contracts: How disagreement shrinks with the gradients off. "lambda": by the network's second eigenvalue at
            every `mix`; "primal-dual": by the spectral radius of SLAM's own recursion; "exact diffusion": by the square
            root of the second eigenvalue, if W has no negative one.
        has_momentum: Does it have eta and gamma?
        series: (K, step) where its fixed point has step sum_{k<K} (I - step d2yy g)^k for the inverse of eq. 4.
        affine: Is a round on a quadratic, without noise, an affine function of the state?
        gain: What its upper step amounts to in the end, in upper steps: 1 / (1 - mu) with a heavy ball.
        lower_follows: Does y move with the projected x in the same step, as y*(x) would?
        trackers_apart: Does it send its trackers in a message of their own?
        levels_apart: Does it send the vectors of each level in a message of their own?
        sends_corrected: Does it send its averages with its differences added, each to its own, in one order?
    """

    algorithm: Any
    share: str = "upper"
    conserves: tuple[tuple[str, str], ...] = ()
    reaches: str = "neighbourhood"
    contracts: str = "lambda"
    has_momentum: bool = False
    series: tuple[int, float] | None = None
    affine: bool = True
    gain: float = 1.0
    lower_follows: bool = False
    trackers_apart: bool = False
    levels_apart: bool = False
    sends_corrected: bool = False


def skeleton() -> ModuleType:
    """examples/heavy_ball.py, the method that the documentation shows and one begins a new one with."""
    place = importlib.util.spec_from_file_location("heavy_ball", Path(__file__).parents[2] / "examples/heavy_ball.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


STEPS = {"upper_step": 0.06, "lower_step": 0.12}
MOMENTA = {"upper_momentum": 0.3, "lower_momentum": 0.4}
EXACT = {"hypergradient": hg.Exact()}
SLAM = hg.Slam(**STEPS, **EXACT, gamma=0.8, rho=1.5)
CAC, MDAC = hg.CAC(**STEPS, **EXACT), hg.MDAC(**STEPS, **EXACT, inner_steps=3)
TRACKED = hg.SlamTracked(**STEPS, adjoint_step=0.15, gamma=0.8, rho=1.5)

# Tracking on a shared lower level needs smaller steps than 2 / curvature: (1 + l_n)^2 / 2 over it (tracked_steps.py).
TRACKED_STEPS = {"upper_step": 0.04, "lower_step": 0.05}
TRACKED_PAIR = (("t_x", "u"), ("t_y", "v"))
TRACKED_THREE = (("t_x", "d_x"), ("t_y", "d_y"), ("t_z", "d_z"))
TRACKS, DUALS = (("u", "p"),), (("d_x", ""), ("d_y", ""))
TRACKS_OF_ALL = (("t_x", "D_x"), ("t_y", "D_y"), ("t_z", "D_z"))
SLAMS = {"contracts": "primal-dual"}

METHODS: dict[str, Method] = {
    "DSGD": Method(hg.DSGD(**STEPS, **EXACT)),
    "HeavyBall": Method(skeleton().HeavyBall(**STEPS, **EXACT, momentum=0.5), gain=2.0),
    "GTSGD": Method(hg.GTSGD(**STEPS, **EXACT), conserves=(("u", "G"),), reaches="optimum"),
    "GTSGDPushPull": Method(
        hg.GTSGDPushPull(**STEPS, **EXACT), conserves=(("u", "G"),), reaches="optimum", trackers_apart=True
    ),
    "MSGD": Method(hg.MSGD(**STEPS, **MOMENTA, **EXACT), has_momentum=True),
    "Diamond": Method(hg.Diamond(**STEPS, **MOMENTA, **EXACT), "upper", TRACKS, "optimum", has_momentum=True),
    "Interact": Method(hg.Interact(**STEPS), "upper", TRACKS, "optimum"),
    "SVRInteract": Method(hg.SVRInteract(**STEPS, **EXACT, period=4), "upper", TRACKS, "optimum"),
    "ALSET": Method(hg.ALSET(**STEPS, **EXACT, inner_steps=3)),
    "TTSA": Method(hg.TTSA(**STEPS, **EXACT)),
    "StocBiO": Method(
        hg.StocBiO(**STEPS, inner_steps=2, terms=3, lipschitz=5.0, strong_convexity=1.0, batches=2), series=(3, 1 / 5.0)
    ),
    # Its inner loop is cold: only with 0.4, near the best step for curvatures of 1 to 4, are sqrt(2500) steps enough.
    "BSA": Method(hg.BSA(upper_step=0.06, lower_step=0.4, **EXACT)),
    # As many conjugate gradients as y has entries: fewer are no affine function of the start.
    "AIDBiO": Method(hg.AIDBiO(**STEPS, inner_steps=2, iterations=4)),
    "ITDBiO": Method(hg.ITDBiO(**STEPS, inner_steps=4), series=(4, 0.12)),
    "Stable": Method(hg.Stable(**STEPS, momentum=0.3, strong_convexity=0.5, jacobian_bound=9.0), lower_follows=True),
    "Sustain": Method(hg.Sustain(**STEPS, **MOMENTA, **EXACT), "upper", TRACKS, "optimum", has_momentum=True),
    # Its momenta are Diamond's; that they are real is seen on real batches (test_one_agent_transcriptions).
    "MRBO": Method(
        hg.MRBO(0.3, 0.6, 5.0, 7.0, terms=3, lipschitz=5.0, offset=64.0),
        "upper",
        TRACKS,
        "optimum",
        series=(3, 1 / 5.0),
    ),
    "RSVRB": Method(hg.RSVRB(**STEPS, **MOMENTA, **EXACT, adjoint_momentum=0.35), has_momentum=True),
    "VRBiAdam": Method(
        hg.VRBiAdam(**STEPS, **MOMENTA, **EXACT, decay=0.8, regularization=0.5),
        reaches="own metrics",
        has_momentum=True,
        affine=False,
    ),
    "SOBA": Method(hg.SOBA(**STEPS, adjoint_step=0.15)),
    "LoPA": Method(hg.LoPA(**STEPS, adjoint_step=0.15)),
    "LoPAGT": Method(
        hg.LoPAGT(**STEPS, adjoint_step=0.15, upper_momentum=0.6), conserves=(("u", "d"),), reaches="optimum"
    ),
    "DUET": Method(hg.DUET(**STEPS, adjoint_step=0.15, mu=0.0), conserves=(("u", "d"),), reaches="optimum"),
    "DifMAML": Method(hg.DifMAML(**STEPS), reaches="inner step"),
    "Slam-U": Method(SLAM, "upper", DUALS[:1], "optimum", **SLAMS),
    "Slam-L": Method(SLAM, "lower", DUALS[1:], "surrogate", **SLAMS),
    "Slam": Method(SLAM, "both", DUALS, "surrogate", **SLAMS),
    "SlamTracked-U": Method(TRACKED, "upper", DUALS[:1], "optimum", **SLAMS),
    "SlamTracked": Method(TRACKED, "both", (*DUALS, ("d_z", "")), "optimum", **SLAMS),
    "Sparkle": Method(
        hg.Sparkle(0.1, 0.15, 0.15, upper_momentum=0.8),
        "both",
        (("c_x", ""), ("c_y", ""), ("c_z", "")),
        "optimum",
        contracts="exact diffusion",
        sends_corrected=True,
    ),
    "Sparkle-GT": Method(
        hg.Sparkle(0.04, 0.05, 0.05, upper_momentum=0.8, correction="GT"),
        "both",
        (("t_x", "r"), ("t_y", "D_y"), ("t_z", "D_z")),
        "optimum",
    ),
    "DSOBA": Method(hg.DSOBA(**STEPS, adjoint_step=0.15, upper_momentum=0.8), "both", reaches="adapt then combine all"),
    "AdaSDBO": Method(hg.AdaSDBO(), "both", reaches="adaptive", affine=False),
    "SLDBO": Method(hg.SLDBO(0.04, 0.05, 0.05), "both", TRACKS_OF_ALL, "optimum"),
    "SLDBOPushPull": Method(hg.SLDBOPushPull(0.04, 0.05, 0.05), "both", TRACKS_OF_ALL, "optimum", trackers_apart=True),
    "S3LDBO": Method(hg.S3LDBO(0.02, 0.04, 0.04, share=0.7), "both", TRACKS_OF_ALL, "optimum"),
    "DAC": Method(hg.DAC(**STEPS, **EXACT), "lower", reaches="adapt then combine"),
    "CAC": Method(CAC, "both", reaches="adapt then combine"),
    "CAC-U": Method(CAC, "upper", reaches="adapt then combine"),
    "MDAC-L": Method(MDAC, "lower", reaches="combine and adapt"),
    "MDAC": Method(MDAC, "both", reaches="combine and adapt"),
    "MDBO": Method(hg.MDBO(**TRACKED_STEPS, **MOMENTA, **EXACT, eta=1.0), "both", TRACKED_PAIR, "surrogate"),
    "VRDBO": Method(hg.VRDBO(**TRACKED_STEPS, **MOMENTA, **EXACT, eta=1.0), "both", TRACKED_PAIR, "surrogate"),
    # With all that it can do; its plain form is FAB's.
    "DSGDAGT": Method(
        hg.DSGDAGT(0.04, 0.005, penalty=10.0, momentum=0.3, symmetric=True), "both", TRACKED_THREE, "penalised"
    ),
    "FAB": Method(hg.FAB(0.04, 0.005, penalty=10.0), "both", TRACKED_THREE, "penalised", trackers_apart=True),
    "C2DFB": Method(
        hg.C2DFB(0.04, 0.05, penalty=10.0, inner_steps=1), "both", TRACKED_THREE, "penalised", levels_apart=True
    ),
    "SUNDSBO": Method(hg.SUNDSBO(0.3, 0.05, mu=0.1, gamma=1.0), "both", TRACKED_THREE, "penalised"),
    "SUNDSBOSE": Method(hg.SUNDSBOSE(0.2, 0.05, mu=0.1, gamma=1.0), "both", reaches="penalised"),
    # With one step of z, the messages that average y are as many as the steps of y.
    "MADSBO": Method(
        hg.MADSBO(
            **TRACKED_STEPS, adjoint_step=0.05, upper_momentum=0.5, inner_steps=2, iterations=1, keep_trackers=True
        ),
        "both",
        (("t_x", "r"), ("t_y", "d_y"), ("t_z", "d_z")),
        "optimum",
    ),
}


def every_method(where: Any = None) -> Any:
    """Parametrises a test over the methods of which `where` holds, all if absent."""
    return pytest.mark.parametrize(
        "method",
        [pytest.param(method, id=name) for name, method in METHODS.items() if where is None or where(method)],
    )


# The two lists of neighbours differ from the matrix in the average of one block of rows alone, whatever is in it: for
# them a method of each kind of message is enough, and the rest would mostly wait for the compiler. `Sharded` is held to
# the matrix with every method, once; what else a law says of a method, it says of the same numbers. `Debug` compiles
# nothing, and takes as many, for as few rounds as show them.
KINDS = ("DSGD", "Diamond", "Slam", "MDAC")
FEW_ROUNDS = 2
BOTH = ("dense", "sharded")


def rounds_for(engine: Any, rounds: int) -> int:
    """So many rounds, or as few as a slow engine is given."""
    return FEW_ROUNDS if isinstance(engine, hg.Debug) else rounds


def every_pair(where: Any = None, places: Iterable[str] = tuple(ENGINES), whole: str = "dense") -> Any:
    """Parametrises a test over engines and methods.

    Args:
        where: Of which methods; all if absent.
        places: Which engines.
        whole: The engine that is given all these methods; the others are given one of each kind of message.
    """
    pairs = [
        pytest.param(ENGINES[place], method, id=f"{name}-{place}")
        for place in places
        for name, method in METHODS.items()
        if (where is None or where(method)) and (place == whole or name in KINDS)
    ]
    return pytest.mark.parametrize(("engine", "method"), pairs)
