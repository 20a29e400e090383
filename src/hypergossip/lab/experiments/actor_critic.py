"""SLAM's multi-agent games (Lu et al. 2022, section 4)."""

from hypergossip.lab.configuration import Raw
from hypergossip.lab.experiments.reproduction import Case, Claim, Reproduction

INNER = 10  # the paper's B for MDAC
# A round of SLAM-AC, DAC and CAC plays one sample for the critic and one for the actor; of MDAC, B and one.
ONE, MANY = 2, INNER + 1

STEPS: Raw = {"upper_step": 0.2, "lower_step": 0.05, "hypergradient": "direct"}  # where a grid says nothing else
SLAM: Raw = {"algorithm": "slam", **STEPS, "gamma": 1.0}
MDAC: Raw = {"algorithm": "mdac", **STEPS, "inner_steps": INNER}
# Not grown: over few seeds of so noisy a score the larger of two grids has the luckier point, not the better one.
TUNE: Raw = {"seeds": 1, "seed": 1_000_000, "score": "return", "largest": True}

BUDGET = f"""A round of MDAC plays {MANY} samples and sends {INNER} messages, one of the others {ONE} and one. So
all play equally many environment steps, the paper's axis, and MDAC has fewer rounds; the second axis counts every
message. Steps are constant and tuned for every method over the same grid, by the return at the end of as long a run.
The return is not discounted, a mean over the agents and over test episodes that are the same for all."""

TRIALS = "- Ten seeds with a band of 10 to 90 % where the paper averages five trials."


def _claims(rivals: tuple[str, ...]) -> tuple[Claim, ...]:
    """The achieved return, and the return over the whole run, which is larger the sooner a method learns."""
    return tuple(
        Claim("SLAM-AC", rival, "return", 0.0, largest=True, difference=True, whole=whole)
        for whole in (False, True)
        for rival in rivals
    )


def _navigation(agents: int) -> Case:
    return Case(
        f"n{agents}",
        f"{agents} agents",
        {
            **{"name": "cooperative_navigation", "rewards": "mpe2", "whole": "observations", "sees": "observation"},
            **{"widths": [64, 64], "reward_model": False, "episodes": 2},
            **{"discount": 0.95, "trace": 0.8, "entropy": 0.05},
        },
        {"name": "erdos_renyi", "n": agents, "p": 0.5, "seed": 0, "weights": "laplacian"},
    )


SLAM_FIG1 = Reproduction(
    name="slam-fig1",
    title="cooperative navigation",
    source="SLAM, figure 1",
    paper="""n agents are to reach n landmarks without running into each other. Each observes the global state, has
five actions, and keeps two fully connected networks: an actor, which it trains alone, and a critic, on which it
agrees with its neighbours in an Erdős–Rényi graph. SLAM-AC is compared with DAC and with MDAC, whose inner loop has
B = 10; averages over five trials. The figure shows SLAM-AC's averaged reward above the others'; the conclusion finds
SLAM better in convergence speed and, in most cases, in the rewards achieved.""",
    choices=f"""The paper fixes neither the environment's version nor its rewards, nor n, networks and steps. Here:
the physics and rewards of mpe2's simple_spread_v3 (local_ratio 0.5, 25 steps), n = 5 and n = 3, p = 0.5, Laplacian
weights, the graph of seed 0. Two hidden layers of 64 units, tanh, for actor and critic. An actor sees where everything
is from where it stands, which is the global state but for the others' velocities; the critic sees what all see.
Samples of two episodes, discount 0.95. SLAM's gamma is 1 and its rho 10: consensus goes by rho times the critic's step,
which should be near 1, as it is for gossip, and stable. {BUDGET}""",
    differences=f"""- Every method has a trace of 0.8 and an entropy of 0.05: TD(0) learns slowly here.
- Agents take their own rewards, where DAC models their mean (the option `reward_model`).
{TRIALS}""",
    cases=(_navigation(5), _navigation(3)),
    stated={},
    methods={"SLAM-AC": {**SLAM, "rho": 10.0}, "DAC": {"algorithm": "dac", **STEPS}, "MDAC": MDAC},
    grid={"upper_step": [0.05, 0.1, 0.2, 0.4], "lower_step": [0.015, 0.05, 0.15]},
    run={"rounds": 4400, "seeds": 10, "observe_every": 50, "precision": "float32"},
    tune={**TUNE, "seeds": 3},
    claims=_claims(("DAC", "MDAC")),
    compared="return",
    observation="",
    draws={"SLAM-AC": ONE, "DAC": ONE, "MDAC": MANY},
    quick={
        "run.rounds": 550,
        "run.seeds": 2,
        "run.observe_every": 10,
        "problem.widths": [32],
        "problem.test_episodes": 16,
        "tune.seeds": 1,
        "tune.grid": {"upper_step": [0.1, 0.2], "lower_step": [0.05, 0.15]},
    },
    quick_cases=("n3",),
)

SLAM_FIG2 = Reproduction(
    name="slam-fig2",
    title="pursuit and evasion",
    source="SLAM, figure 2",
    paper="""Pursuers on a ring graph catch evaders: one is caught when two pursuers are on its cell. Pursuers could
observe the global state. Each keeps two convolutional networks; all agree on the whole critic and on one layer of the
actor, as in CAC's experiments. SLAM-AC is compared with CAC and MDAC, which share the same; averages over five
trials. The conclusion finds SLAM better in convergence speed and, in most cases, in the rewards achieved.""",
    choices=f"""The paper fixes neither the grid, the numbers of pursuers and evaders, nor rewards, networks and steps.
Here: a 15 x 15 grid, as CAC's, with 8 pursuers and PettingZoo's 30 evaders and rewards, but two pursuers on a cell
catch; episodes of 100 steps and not of 500, to be quick. An actor sees the 7 x 7 window around it, since from the
global state alone it could not tell which of the pursuers it is; the critic sees the whole grid. Convolutions of 8
and 16 channels, a hidden layer of 32 units, relu; the first convolution of the actor is shared. Samples of two
episodes, discount 0.95. SLAM's gamma is 1 and its rho 0.5, for both levels: 0.63 is unstable at the
actor's largest step. So its critics, whose steps are small, come together more slowly than by gossip. {BUDGET}""",
    differences=f"""- Every method has a trace of 0.9: TD(0) learns next to nothing here.
- The agents' own rewards are taken, without a model of their mean: PettingZoo's default pays everybody the mean, and
  then no critic has anything of its own to tell.
{TRIALS}""",
    cases=(
        Case(
            "ring",
            "8 pursuers on a ring",
            {
                **{"name": "pursuit_evasion", "preset": "paper", "horizon": 100, "shared_reward": False},
                **{
                    "sees": "observation",
                    "channels": [8, 16],
                    "width": 32,
                    "shared_layers": ["convolutions.0"],
                    "reward_model": False,
                },
                **{"episodes": 2, "test_episodes": 16, "discount": 0.95, "trace": 0.9},
            },
            {"name": "ring", "n": 8},
        ),
    ),
    stated={},
    methods={"SLAM-AC": {**SLAM, "rho": 0.5}, "CAC": {"algorithm": "cac", **STEPS}, "MDAC": MDAC},
    grid={"upper_step": [0.4, 0.8, 1.6], "lower_step": [0.01, 0.03, 0.1]},
    run={"rounds": 330, "seeds": 10, "observe_every": 10, "precision": "float32"},
    tune=TUNE,
    claims=_claims(("CAC", "MDAC")),
    compared="return",
    observation="",
    draws={"SLAM-AC": ONE, "CAC": ONE, "MDAC": MANY},
    quick={
        "run.rounds": 44,
        "run.seeds": 2,
        "run.observe_every": 4,
        "problem.horizon": 25,
        "problem.channels": [4],
        "problem.width": 16,
        "tune.grid": {"upper_step": [0.4, 0.8], "lower_step": [0.03, 0.1]},
    },
)
