"""The methods of both papers beside those that are compared today: one grid, several networks, channels."""

from collections.abc import Mapping
from typing import Any

from hypergossip.lab.configuration import Raw
from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction

# The research network of the United States, by its cities, until 2007: 11 sites and 14 links.
ABILENE = [
    *([0, 1], [0, 3], [1, 2], [1, 3], [2, 5], [3, 4], [4, 5], [4, 6]),
    *([5, 7], [6, 7], [6, 8], [7, 9], [8, 10], [9, 10]),
]
RING: Raw = {"name": "ring", "n": 8, "weights": "lazy-metropolis"}
OTHERS: dict[str, tuple[str, Raw]] = {
    "ring32": ("ring of 32", {**RING, "n": 32}),
    "random8": ("random graph", {"name": "erdos_renyi", "n": 8, "p": 0.3, "seed": 0, "weights": "lazy-metropolis"}),
    "abilene": ("Abilene", {"name": "from_edges", "n": 11, "edges": ABILENE, "weights": "lazy-metropolis"}),
}
CHANNELS: dict[str, tuple[str, tuple[Raw, ...]]] = {
    "loss": (
        "10 % of all messages lost",
        ({"name": "edge_sums"}, {"name": "loss", "probability": 0.1, "symmetric": False}),
    ),
    "bits4": ("4-bit messages", ({"name": "common_copy"}, {"name": "quantize", "bits": 4})),
}
FEWER: Raw = {"run.seeds": 5}


def _cases(
    task: str,
    title: str,
    problem: Raw,
    grid: Mapping[str, Any],
    values: tuple[float, ...],
    quick: Mapping[str, Any],
    compared: str = "metric",
) -> tuple[Case, ...]:
    """Returns the cases of a task: tuned on the ring of 8, elsewhere, and over channels."""
    own: dict[str, Any] = {"tune.grid": dict(grid), "tune.score": compared}
    told: dict[str, Any] = {"quick": quick, "values": values, "compared": compared}
    more: dict[str, Any] = {"options": own | FEWER, "tuned_in": task, **told}
    on = lambda name, where, network, **kept: Case(
        f"{task}-{name}", f"{title}, {where}", problem, network, **more, **kept
    )
    return (
        Case(task, f"{title}, ring of 8", problem, RING, options=own, **told),
        *(on(name, where, network) for name, (where, network) in OTHERS.items()),
        *(on(name, what, RING, channel=channel) for name, (what, channel) in CHANNELS.items()),
    )


def _schedule(scale: float) -> Raw:
    return {"scale": scale, "offset": 2, "power": "1/3"}


STEPS: Raw = {"upper_step": _schedule(1.0), "lower_step": _schedule(1.0)}
ADJOINT: Raw = {"adjoint_step": _schedule(0.3)}
SERIES: Raw = {"hypergradient": {"name": "neumann", "terms": 10, "lipschitz": 6.0}}
WHOLE: Raw = {"full_hypergradient": {"name": "conjugate_gradient", "iterations": 100, "tolerance": 1e-6}}
# About the momenta of DIAMOND's paper at the step sizes that it states, whatever the tuned steps; never above 1.
MOMENTA: Raw = {f"{level}_momentum": {"scale": 2.5, "offset": 4, "power": "2/3"} for level in ("upper", "lower")}
DUAL: Raw = {"gamma": 1.0, "rho": {"inverse_step": 0.7}}

COMMON: dict[str, Any] = {
    "source": "Papers of 2023 to 2026",
    "differences": """No figure of a paper is reproduced. The papers use problems, networks and tuning of their own;
here all methods have the same.""",
    "run": {"rounds": 2000, "seeds": 10, "observe_every": 50, "precision": "float32"},
    "tune": {"seeds": 2, "seed": 1_000_000, "extend": 6},
    "grid": {"upper_step.scale": [0.1, 0.3, 1.0], "lower_step.scale": [0.1, 0.3, 1.0]},
    "quick": {"run.rounds": 60, "run.seeds": 2, "run.observe_every": 10, "tune.extend": 0, "tune.seeds": 1},
}
PAPER = """The papers state rates under different assumptions, and each compares a few methods on problems and step
sizes of its own. The claims below are our own expectations from the rates and the fixed points."""
CHOICES = """Every method has steps a (2 + t)^(-1/3) and b (2 + t)^(-1/3), tuned over the same grid, which grows by
the same rule beyond an end at which the best point lies. The step of the adjoint is 0.3 (2 + t)^(-1/3), and every
Neumann series has K = 10 and L_g = 6. Momenta are 2.5 (4 + t)^(-2/3). In SLAM and SlamTracked, gamma is 1 and rho is
0.7 divided by the step of each variable: with a constant rho, steps that decay slow consensus down. Tuned once for
each task, on a ring of 8 agents with lazy Metropolis weights, by M_t on the full data. On a9a the score and the
values are the stationarity of the mean x: M_t is nearly all lower error there, which is the smaller the less x moves.
Step sizes with which M_t ends above its start are not used there.
The other networks are a ring of 32 agents, a random graph of 8 and Abilene, a research network of 11 sites. Lost
messages are lost in one direction at a time, and every message is a running sum; messages in 4 bits are coded
differences from a common copy."""


def _quick_grid(upper: float, lower: float) -> Raw:
    return {"tune.grid": {"upper_step.scale": [upper], "lower_step.scale": [lower, lower / 3]}}


# M_t is nearly all lower error on a9a: a method whose hypergradient is too short moves x less, keeps the lower problem
# easier, and would have the smaller M_t. DIAMOND's own upper step is in the grid; 500 diverges.
A9A_GRID: dict[str, list[float]] = {"upper_step.scale": [5.0, 15.0, 50.0], "lower_step.scale": [1 / 3, 1.0, 3.0]}
A9A_VALUES = (2e-5, 1e-5, 5e-6)  # 3.4e-5 at the start
A9A_SHARED_VALUES = (7e-6, 4e-6, 2e-6)  # 1.1e-5 at the start


def _grid(upper: float, lower: float) -> dict[str, list[float]]:
    """Returns three values for each step, around those given."""
    return {
        "upper_step.scale": [upper / 3, upper, 3 * upper],
        "lower_step.scale": [lower / 3, lower, 3 * lower],
    }


MNIST: Raw = {"data": "mnist", "dirichlet": 0.3}
A9A: Raw = {"name": "hyperparameter", "data": "a9a", "batch_size": 32, "dirichlet": 0.3}
IMAGES: Raw = {"problem.samples": [60, 60]}

RIVALS_PERSONAL = Reproduction(
    **COMMON,
    name="rivals-personal",
    title="methods with a lower level of each agent",
    paper=PAPER,
    choices=f"""{CHOICES} The tasks are meta-learning on MNIST (two shared hidden layers of 20 units, a last layer of
each agent) and one regulariser per feature on a9a. Both are divided among the agents by a Dirichlet distribution with
parameter 0.3. SVR-INTERACT takes full gradients every 32 rounds.""",
    cases=(
        *_cases(
            "meta",
            "meta-learning on MNIST",
            {**MNIST, "name": "meta_learning", "samples": [500, 500], "batch_size": 32},
            _grid(0.3, 0.1),
            (0.1, 0.01, 0.003),
            IMAGES | _quick_grid(0.3, 0.1),
        ),
        *_cases("a9a", "regularisers on a9a", A9A, A9A_GRID, A9A_VALUES, _quick_grid(5.0, 1.0), "stationarity"),
    ),
    methods={
        "DIAMOND": {"algorithm": "diamond", **STEPS, **MOMENTA, **SERIES},
        "M-SGD": {"algorithm": "msgd", **STEPS, **MOMENTA, **SERIES},
        "GT-SGD": {"algorithm": "gtsgd", **STEPS, **SERIES},
        "D-SGD": {"algorithm": "dsgd", **STEPS, **SERIES},
        "SVR-INTERACT": {"algorithm": "svr_interact", **STEPS, "period": 32, **SERIES, **WHOLE},
        "SLAM": {"algorithm": "slam", **STEPS, **DUAL, **SERIES},
        "SlamTracked": {"algorithm": "slam_tracked", **STEPS, **ADJOINT, **DUAL},
        "LoPA": {"algorithm": "lopa", **STEPS, **ADJOINT},
        "LoPA-GT": {"algorithm": "lopa_gt", **STEPS, **ADJOINT},
        "MDBO": {"algorithm": "mdbo", **STEPS, **MOMENTA, "eta": 1.0, **SERIES},
    },
    claims=(
        Claim("DIAMOND", "D-SGD", "metric", 1.0, ours=True),
        Claim("LoPA-GT", "LoPA", "metric", 1.0, ours=True),
        Claim("LoPA-GT", "DIAMOND", "metric", 1.0, ours=True),
    ),
    quick_cases=("meta", "a9a"),
    own={"DIAMOND": "DIAMOND", "SLAM": "SLAM"},
)

PENALTY = 10.0
LOOPS: Raw = {"inner_steps": 5, "iterations": 5}  # of MA-DSBO-GT

RIVALS_SHARED = Reproduction(
    **COMMON,
    name="rivals-shared",
    title="methods with a shared lower level",
    paper=PAPER,
    choices=f"""{CHOICES} The tasks are hyper-cleaning on MNIST (40 % of the training labels wrong, one weight per
training image, one softmax model, whose regulariser is 0.01 |y|^2) and one regulariser per feature on a9a with one
model for all agents. Both are divided among the agents by a Dirichlet distribution with parameter 0.3, and x and y are
shared. DSGDA-GT has the penalty {PENALTY:g}, and SUN-DSBO-GT mu = 0.1 and gamma = 1: both converge to another point
than the optimum, and M_t contains the distance. MA-DSBO-GT has five steps in each of its loops and a momentum of 0.3.
MDBO, VRDBO and SLAM use each agent's own second derivatives.""",
    cases=(
        *_cases(
            "cleaning",
            "hyper-cleaning on MNIST",
            {
                **MNIST,
                **{"name": "data_cleaning", "weights": "sample", "share": "both", "samples": [250, 250]},
                # At 1e-3, M_t is nearly all lower error for thousands of rounds, in directions of low curvature.
                **{"corrupted": 0.4, "batch_size": 50, "regularization": 0.01},
            },
            _grid(0.1, 0.3),
            (10.0, 1.0, 0.3),
            IMAGES | _quick_grid(0.1, 0.3),
        ),
        *_cases(
            "a9a",
            "regularisers on a9a",
            {**A9A, "share": "both"},
            A9A_GRID,
            A9A_SHARED_VALUES,
            _quick_grid(5.0, 1.0),
            "stationarity",
        ),
    ),
    methods={
        "SLAM": {"algorithm": "slam", **STEPS, **DUAL, **SERIES},
        "SlamTracked": {"algorithm": "slam_tracked", **STEPS, **ADJOINT, **DUAL},
        "SPARKLE-ED": {"algorithm": "sparkle", **STEPS, **ADJOINT, "correction": "ED"},
        "SPARKLE-GT": {"algorithm": "sparkle", **STEPS, **ADJOINT, "correction": "GT"},
        "D-SOBA": {"algorithm": "dsoba", **STEPS, **ADJOINT},
        "MA-DSBO-GT": {"algorithm": "ma_dsbo", **STEPS, **ADJOINT, "upper_momentum": 0.3, **LOOPS},
        "MDBO": {"algorithm": "mdbo", **STEPS, **MOMENTA, "eta": 1.0, **SERIES},
        "VRDBO": {"algorithm": "vrdbo", **STEPS, **MOMENTA, "eta": 1.0, **SERIES},
        "DSGDA-GT": {"algorithm": "dsgda_gt", **STEPS, "penalty": PENALTY},
        "SUN-DSBO-GT": {"algorithm": "sun_dsbo", **STEPS, "mu": 0.1, "gamma": 1.0},
    },
    claims=(
        Claim("SlamTracked", "SLAM", "metric", 1.0, ours=True),
        Claim("SPARKLE-ED", "D-SOBA", "metric", 1.0, ours=True),
        Claim("SPARKLE-ED", "SPARKLE-GT", "metric", 1.0, ours=True),
        Claim("SPARKLE-ED", "MDBO", "metric", 1.0, ours=True),
    ),
    quick_cases=("cleaning", "a9a"),
    own={"SLAM": "SLAM", "SlamTracked": "SlamTracked"},
)
