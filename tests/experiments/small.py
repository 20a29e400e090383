"""Small experiments: noisy heterogeneous quadratics, and a game.

On the quadratics one method diverges with the paper's step sizes. In the game two agents are to cover two landmarks,
and its two methods draw different numbers of episodes per round.
"""

from dataclasses import replace

from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction

STEPS = {"upper_step": 0.06, "lower_step": 0.12, "hypergradient": "exact"}
MOMENTA = {"upper_momentum": 0.3, "lower_momentum": 0.4}


def section(algorithm: str, **more: object) -> dict:
    """The section of a method."""
    return {"algorithm": algorithm, **STEPS, **(MOMENTA if algorithm == "diamond" else {}), **more}


def case(name: str, agents: int, noise: float, group: str = "") -> Case:
    """A case."""
    problem = {"name": "quadratic", "noise": noise, "heterogeneity": 1.0}
    return Case(name, f"{agents} agents, noise {noise:g}", problem, {"name": "ring", "n": agents}, group)


SMALL = Reproduction(
    name="Q1",
    title="quadratics",
    source="No paper, figure 0",
    paper="DIAMOND is best.",
    choices="The numbers are ours.",
    differences="Nothing differs.",
    cases=(case("calm", 4, 0.01), case("loud", 4, 0.3)),
    stated={"DIAMOND": section("diamond", lower_step=1e6), "D-SGD": section("dsgd")},
    methods={"DIAMOND": section("diamond"), "D-SGD": section("dsgd")},
    grid={"upper_step": [0.03, 0.06], "lower_step": [0.06, 0.12, 1e6]},
    run={"rounds": 60, "seeds": 3, "observe_every": 15, "precision": "float64"},
    tune={"seeds": 1, "seed": 1_000_000},
    claims=(Claim("DIAMOND", "D-SGD", "metric", 1.0), Claim("D-SGD", "DIAMOND", "upper_loss", 1e9, ("calm",), True)),
    observation="",
    quick={"run.rounds": 20},
)

ACROSS = replace(
    SMALL,
    name="Q3",
    cases=tuple(
        case(name, 4, 0.1, "rings")._replace(title=name, tuned_in=tuned_in)
        for name, tuned_in in (("first", "second"), ("second", ""))
    ),
    stated={},
    methods={"D-SGD": section("dsgd")},
    grid={"lower_step": [0.06, 0.12]},
    run={"rounds": 30, "seeds": 5, "observe_every": 10, "precision": "float64"},
    claims=(),
    cases_agree_within=0.1,
    quick={},
)

GAME_STEPS = {"upper_step": 0.3, "lower_step": 0.1, "hypergradient": "direct"}

NAVIGATION = {"name": "cooperative_navigation", "rewards": "assigned", "widths": [4], "reward_model": False}

GAME = replace(
    SMALL,
    name="G1",
    paper="SLAM-AC is best.",
    cases=(Case("pair", "two agents", NAVIGATION | {"episodes": 1, "test_episodes": 3}, {"name": "complete", "n": 2}),),
    stated={},
    methods={
        "DAC": {"algorithm": "dac", **GAME_STEPS},
        "MDAC": {"algorithm": "mdac", **GAME_STEPS, "inner_steps": 3},
    },
    grid={"upper_step": [0.1, 0.3]},
    run={"rounds": 8, "seeds": 3, "observe_every": 2, "precision": "float64"},
    tune={"seeds": 1, "seed": 1_000_000, "score": "return", "largest": True},
    claims=(
        Claim("DAC", "MDAC", "return", 0.0, largest=True, difference=True),
        Claim("DAC", "MDAC", "return", -1e9, largest=True, difference=True, whole=True),
    ),
    compared="return",
    draws={"DAC": 2, "MDAC": 4},
)
