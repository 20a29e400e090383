"""Two agents that are to cover two landmarks, with two methods that draw different numbers of episodes per round."""

from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction

STEPS = {"upper_step": 0.3, "lower_step": 0.1, "hypergradient": "direct"}

GAME = Reproduction(
    name="G1",
    title="a game",
    source="No paper, figure 1",
    paper="SLAM-AC is best.",
    choices="The numbers are ours.",
    differences="Nothing differs.",
    cases=(
        Case(
            "pair",
            "two agents",
            {
                **{"name": "cooperative_navigation", "rewards": "assigned", "widths": [4], "reward_model": False},
                **{"episodes": 1, "test_episodes": 3},
            },
            {"name": "complete", "n": 2},
        ),
    ),
    methods={
        "DAC": {"algorithm": "dac", **STEPS},
        "MDAC": {"algorithm": "mdac", **STEPS, "inner_steps": 3},
    },
    grid={"upper_step": [0.1, 0.3]},
    run={"rounds": 8, "seeds": 3, "observe_every": 2, "precision": "float64"},
    tune={"seeds": 1, "seed": 1_000_000, "score": "return", "largest": True},
    claims=(
        Claim("DAC", "MDAC", "return", 0.0, largest=True, difference=True),
        Claim("DAC", "MDAC", "return", -1e9, largest=True, difference=True, whole=True),
    ),
    compared="return",
    observation="",
    draws={"DAC": 2, "MDAC": 4},
)
