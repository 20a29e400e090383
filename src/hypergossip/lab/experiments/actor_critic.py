"""SLAM's multi-agent games (Lu et al. 2022, section 4)."""

from typing import Any

from hypergossip.lab.configuration import Raw
from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction

INNER = 10  # the paper's B for MDAC
# Samples per round: SLAM-AC, DAC and CAC play one for the critic and one for the actor, and MDAC plays B and one.
ONE, MANY = 2, INNER + 1

# Every step of a policy has the length upper_step in its Fisher metric, and every step of a critic is a fraction
# lower_step of a Gauss-Newton step.
NATURAL: Raw = {"name": "natural_policy_gradient", "iterations": 4, "damping": 0.01, "length": 1.0}
STEPS: Raw = {"upper_step": 0.05, "lower_step": 0.5, "hypergradient": NATURAL}  # where the grid has no values
SLAM: Raw = {"algorithm": "slam", **STEPS, "gamma": 1.0, "rho": {"inverse_step": 0.5}}
MDAC: Raw = {"algorithm": "mdac", **STEPS, "inner_steps": INNER}
GRID: dict[str, list[float]] = {"upper_step": [0.03, 0.06, 0.12], "lower_step": [0.25, 0.5]}
# The grid is not extended: the score is so noisy that a larger grid finds a luckier point, not a better one.
TUNE: Raw = {"seeds": 5, "seed": 1_000_000, "score": "return", "largest": True}
LEARNING: Raw = {"reward_model": False, "normalized_advantages": True, "critic_damping": 0.1, "discount": 0.95}
COMMON: dict[str, Any] = {"compared": "return", "observation": ""}

BUDGET = f"""A round of MDAC plays {MANY} samples and sends {INNER} messages; a round of any other method plays {ONE}
samples and sends one message. All methods play the same number of environment steps, the x axis of the paper's figure,
so MDAC has fewer rounds. The second axis counts every message. Step sizes are constant and are tuned for every method
over the same grid, by the return at the end of runs of the same length with five seeds. All methods take natural policy
gradients with normalized advantages, with the upper step as the length of a step in the Fisher metric, and Gauss-Newton
steps of the critic, with the lower step as a fraction. SLAM's gamma is 1, and its rho is 0.5 divided by the step of
each level, so that its rate of consensus is half that of gossip for actors and critics. The return is undiscounted. It
is averaged over the agents and over test episodes that are the same for all methods."""

TRIALS = "- The results are for twenty seeds, with a band from 10 to 90 %, where the paper averages five trials."


def _claims(rivals: tuple[str, ...]) -> tuple[Claim, ...]:
    """Returns claims on the final return and on the mean return, which is larger the sooner a method learns."""
    return tuple(
        Claim("SLAM-AC", rival, "return", 0.0, largest=True, difference=True, whole=whole)
        for whole in (False, True)
        for rival in rivals
    )


def _navigation(
    name: str, title: str, agents: int, rounds: int, network: Raw, rewards: str = "mpe2", tuned_in: str = ""
) -> Case:
    return Case(
        name,
        title,
        {
            **{"name": "cooperative_navigation", "rewards": rewards, "whole": "observations", "sees": "observation"},
            **{"widths": [64, 64], "episodes": 8, "trace": 1.0 if rewards == "assigned" else 0.9, "entropy": 0.01},
            **LEARNING,
        },
        {**network, "n": agents},
        options={"run.rounds": rounds},
        tuned_in=tuned_in,
    )


RANDOM: Raw = {"name": "erdos_renyi", "p": 0.5, "seed": 0, "weights": "laplacian"}
PATH: Raw = {"name": "path"}

SLAM_FIG1 = Reproduction(
    **COMMON,
    name="slam-fig1",
    title="cooperative navigation",
    source="SLAM, figure 1",
    paper="""n agents are to reach n landmarks without colliding. Each agent observes the global state, has five
actions, and keeps two fully connected networks: an actor, which it trains alone, and a critic, on which it agrees with
its neighbours in an Erdős–Rényi graph. SLAM-AC is compared with DAC and with MDAC, whose inner loop has B = 10. The
results are averages over five trials. The figure shows SLAM-AC's averaged reward above those of the other methods. The
conclusion states that SLAM is better in convergence speed and, in most cases, in the rewards achieved.""",
    choices=f"""The paper does not specify the version of the environment, its rewards, n, the networks or the step
sizes. We use the physics and rewards of mpe2's simple_spread_v3 (local_ratio 0.5, 25 steps), n = 5 and n = 3, p = 0.5,
Laplacian weights, and the graph of seed 0. Two further cases are those in which exact consensus should matter: every
agent is paid for a landmark of its own ("assigned"), so that no critic of an agent alone knows the mean reward, on the
same graph and on a path of ten agents, whose step sizes are those of the five. Actor and critic have two hidden layers
of 64 units with tanh. An actor sees all positions relative to its own, which is the global state without the velocities
of the other agents. The critic sees the observations of all agents. Each sample has eight episodes, and the discount is
0.95. {BUDGET}""",
    differences=f"""- Natural policy gradients, which the paper names as an alternative, and Gauss-Newton steps of the
critic, for every method. In trials with three agents, plain gradients took about three times as many steps.
- Every method has a trace parameter of 0.9, and 1 where landmarks are assigned, and an entropy weight of 0.01.
- The agents use their own rewards, where DAC models their mean (the option `reward_model`).
{TRIALS}""",
    cases=(
        _navigation("n5", "5 agents", 5, 2200, RANDOM),
        _navigation("n3", "3 agents", 3, 4400, RANDOM),
        _navigation("assigned5", "5 agents, assigned landmarks", 5, 2200, RANDOM, "assigned"),
        _navigation("path10", "10 agents on a path, assigned landmarks", 10, 1100, PATH, "assigned", "assigned5"),
    ),
    methods={"SLAM-AC": SLAM, "DAC": {"algorithm": "dac", **STEPS}, "MDAC": MDAC},
    grid=GRID,
    run={"rounds": 4400, "seeds": 20, "observe_every": 50, "precision": "float32"},
    tune=TUNE,
    claims=_claims(("DAC", "MDAC")),
    draws={"SLAM-AC": ONE, "DAC": ONE, "MDAC": MANY},
    quick={
        **{"run.rounds": 550, "run.seeds": 2, "run.observe_every": 10},
        **{"problem.widths": [32], "problem.test_episodes": 16, "problem.episodes": 2},
        **{"tune.seeds": 1, "tune.grid": {"upper_step": [0.03, 0.06], "lower_step": [0.5]}},
    },
    quick_cases=("n3",),
)

SLAM_FIG2 = Reproduction(
    **COMMON,
    name="slam-fig2",
    title="pursuit and evasion",
    source="SLAM, figure 2",
    paper="""Pursuers on a ring graph catch evaders; an evader is caught when two pursuers are in its cell. Pursuers
can observe the global state. Each keeps two convolutional networks, and all agree on the whole critic and on one layer
of the actor, as in CAC's experiments. SLAM-AC is compared with CAC and MDAC, which share the same layers. The results
are averages over five trials. The conclusion states that SLAM is better in convergence speed and, in most cases, in the
rewards achieved.""",
    choices=f"""The paper does not specify the grid, the numbers of pursuers and evaders, the rewards, the networks or
the step sizes. We use a 15 x 15 grid, as CAC does, with 8 pursuers, and PettingZoo's 30 evaders and rewards, except
that two pursuers in a cell catch an evader. Episodes have 100 steps instead of 500, to save time. An actor sees the
7 x 7 window around it, since from the global state alone it could not tell which of the pursuers it is. The critic sees
the whole grid. The networks have convolutions of 8 and 16 channels and a hidden layer of 32 units, with relu; the first
convolution of the actor is shared. Each sample has four episodes, and the discount is 0.95. {BUDGET}""",
    differences=f"""- Natural policy gradients and Gauss-Newton steps of the critic, for every method. The matrix of a
  Gauss-Newton step is the mean over every fourth step of the episodes, which halves the time of a round.
- Every method has a trace parameter of 0.9, because TD(0) learns almost nothing here.
- The agents use their own rewards, without a model of their mean. PettingZoo's default pays every agent the mean, in
  which case no critic has any information of its own.
{TRIALS}""",
    cases=(
        Case(
            "ring",
            "8 pursuers on a ring",
            {
                **{"name": "pursuit_evasion", "preset": "paper", "horizon": 100, "shared_reward": False},
                **{"sees": "observation", "channels": [8, 16], "width": 32, "shared_layers": ["convolutions.0"]},
                **{"episodes": 4, "test_episodes": 16, "trace": 0.9, "entropy": 0.01, "critic_thinning": 4},
                **LEARNING,
            },
            {"name": "ring", "n": 8},
        ),
    ),
    methods={"SLAM-AC": SLAM, "CAC": {"algorithm": "cac", **STEPS}, "MDAC": MDAC},
    grid=GRID,
    run={"rounds": 330, "seeds": 20, "observe_every": 10, "precision": "float32"},
    tune=TUNE,
    claims=_claims(("CAC", "MDAC")),
    draws={"SLAM-AC": ONE, "CAC": ONE, "MDAC": MANY},
    quick={
        **{"run.rounds": 44, "run.seeds": 2, "run.observe_every": 4},
        **{"problem.horizon": 25, "problem.channels": [4], "problem.width": 16, "problem.episodes": 2},
        **{"tune.seeds": 1, "tune.grid": {"upper_step": [0.03, 0.06], "lower_step": [0.5]}},
    },
)
