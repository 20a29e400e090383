"""The methods, each with what its paper or diamond-fig4 fixes; the scales of its steps, here 1, are tuned."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import hypergossip as hg
from studies.table.settings import LIPSCHITZ, TERMS

ROUNDS = 4000
INNER_STEPS = 10  # of every double loop, and iterations of AID-BiO's linear system
STRONG_CONVEXITY = 0.004  # below the lower level's least curvature, 0.013 at the start, which falls with x
PERIOD = 62  # rounds: the root of the 3907 training samples of one of five agents

STEP = hg.PowerDecay(1.0, 2.0, 1 / 3)  # (2 + t)^(-1/3), as in diamond-fig4
STEPS = {"upper_step": STEP, "lower_step": STEP}
CONSTANT = {"upper_step": 1.0, "lower_step": 1.0}
# DIAMOND's own, 0.1 alpha_t^2 at its paper's alpha_t = 5 (2 + t)^(-1/3), whatever the tuned scale.
DECAY = hg.PowerDecay(2.5, 2.0, 2 / 3)
MOMENTA = {"upper_momentum": DECAY, "lower_momentum": DECAY}
ADJOINT = hg.PowerDecay(0.5, 2.0, 1 / 3)  # not tuned: its curvature is the lower level's, 3.5 at the start
DUAL = {"gamma": 1.0, "rho": 0.05}  # stable by `Slam.check` for every upper step of the grid

NEUMANN = hg.Neumann(TERMS, LIPSCHITZ)
WHOLE = hg.ConjugateGradient(iterations=100, tolerance=1e-6)  # eq. 4 on the whole data, without q = 246 products

IN_WORDS = "c (2 + t)^(-1/3)"


class Entry(NamedTuple):
    """One line of the table.

    Attributes:
        name: The method's name in the library.
        group: Of `settings.GROUPS`.
        make: Makes it, the scales of its steps 1.
        steps: Its steps in words, c being what is tuned.
        numbers: Its other numbers in words.
        rounds: How many it runs, in tuning and in the report.
        scales: What the grid's upper and lower scales set.
        units: What they are multiplied by.
        deterministic: Does it draw no sample? Then one run stands for all seeds.
    """

    name: str
    group: str
    make: Callable[[], Any]
    steps: str = IN_WORDS
    numbers: str = ""
    rounds: int = ROUNDS
    scales: tuple[str, str] = ("upper_step.scale", "lower_step.scale")
    units: tuple[float, float] = (1.0, 1.0)
    deterministic: bool = False


PLAIN = ("upper_step", "lower_step")
STORM = "momenta min(1, 2.5 (2 + t)^(-2/3))"
LOOP = f"T = {INNER_STEPS}"

ENTRIES = (
    Entry("DSGD", "network", lambda: hg.DSGD(**STEPS, hypergradient=NEUMANN)),
    Entry("GTSGD", "network", lambda: hg.GTSGD(**STEPS, hypergradient=NEUMANN)),
    Entry("MSGD", "network", lambda: hg.MSGD(**STEPS, **MOMENTA, hypergradient=NEUMANN), numbers=STORM),
    Entry("Diamond", "network", lambda: hg.Diamond(**STEPS, **MOMENTA, hypergradient=NEUMANN), numbers=STORM),
    Entry(
        "Interact",
        "network",
        lambda: hg.Interact(**CONSTANT, hypergradient=WHOLE),
        steps="c",
        numbers="full data in every round; eq. 4 by conjugate gradients to 1e-6",
        rounds=300,
        scales=PLAIN,
        deterministic=True,
    ),
    Entry(
        "SVRInteract",
        "network",
        lambda: hg.SVRInteract(**STEPS, period=PERIOD, hypergradient=NEUMANN, full_hypergradient=WHOLE),
        numbers=f"full data every {PERIOD} rounds, then with eq. 4 by conjugate gradients to 1e-6",
    ),
    Entry(
        "Slam",
        "network",
        lambda: hg.Slam(**STEPS, **DUAL, hypergradient=NEUMANN),
        numbers="gamma = 1, rho = 0.05",
    ),
    Entry(
        "SlamTracked",
        "network",
        lambda: hg.SlamTracked(**STEPS, **DUAL, adjoint_step=ADJOINT),
        numbers="gamma = 1, rho = 0.05, adjoint step 0.5 (2 + t)^(-1/3)",
    ),
    Entry(
        "Sparkle",
        "network",
        lambda: hg.Sparkle(**STEPS, adjoint_step=ADJOINT),
        numbers="exact diffusion, adjoint step 0.5 (2 + t)^(-1/3)",
    ),
    Entry(
        "DSOBA",
        "network",
        lambda: hg.DSOBA(**STEPS, adjoint_step=ADJOINT),
        numbers="with products, adjoint step 0.5 (2 + t)^(-1/3)",
    ),
    Entry(
        "SLDBO",
        "network",
        lambda: hg.SLDBO(**STEPS, adjoint_step=ADJOINT),
        numbers="no ball, adjoint step 0.5 (2 + t)^(-1/3)",
    ),
    Entry(
        "S3LDBO",
        "network",
        lambda: hg.S3LDBO(**STEPS, adjoint_step=ADJOINT, share=0.5),
        numbers="derivatives in half of the rounds, no ball, adjoint step 0.5 (2 + t)^(-1/3)",
    ),
    Entry(
        "LoPA",
        "network",
        lambda: hg.LoPA(**STEPS, adjoint_step=ADJOINT),
        numbers="adjoint step 0.5 (2 + t)^(-1/3)",
    ),
    Entry(
        "LoPAGT",
        "network",
        lambda: hg.LoPAGT(**STEPS, adjoint_step=ADJOINT),
        numbers="adjoint step 0.5 (2 + t)^(-1/3)",
    ),
    Entry(
        "BSA",
        "pooled",
        lambda: hg.BSA(**STEPS, hypergradient=NEUMANN),
        numbers="cold: ceil(sqrt(k + 1)) lower steps from y_0 in every round; t counts them in the lower step",
    ),
    Entry(
        "TTSA",
        "pooled",
        lambda: hg.TTSA(hg.PowerDecay(1.0, 1.0, 3 / 5), hg.PowerDecay(1.0, 1.0, 2 / 5), NEUMANN),
        steps="c (1 + t)^(-3/5), c (1 + t)^(-2/5)",
    ),
    Entry("ALSET", "pooled", lambda: hg.ALSET(**STEPS, inner_steps=INNER_STEPS, hypergradient=NEUMANN), numbers=LOOP),
    Entry(
        "StocBiO",
        "pooled",
        lambda: hg.StocBiO(
            **STEPS,
            inner_steps=INNER_STEPS,
            terms=TERMS,
            lipschitz=LIPSCHITZ,
            strong_convexity=STRONG_CONVEXITY,
        ),
        numbers=f"{LOOP}, one batch per factor",
    ),
    Entry(
        "AIDBiO",
        "pooled",
        lambda: hg.AIDBiO(**STEPS, inner_steps=INNER_STEPS, iterations=INNER_STEPS),
        numbers=f"{LOOP}, N = {INNER_STEPS}",
    ),
    Entry("ITDBiO", "pooled", lambda: hg.ITDBiO(**STEPS, inner_steps=INNER_STEPS), numbers=LOOP),
    Entry(
        "Stable",
        "pooled",
        lambda: hg.Stable(**STEPS, momentum=DECAY, strong_convexity=STRONG_CONVEXITY),
        numbers=f"momentum as for the others; mu_g = {STRONG_CONVEXITY}; (246, 246) matrices",
        rounds=1000,
    ),
    Entry("Sustain", "pooled", lambda: hg.Sustain(**STEPS, **MOMENTA, hypergradient=NEUMANN), numbers=STORM),
    Entry(
        "MRBO",
        "pooled",
        # The momenta are c eta_k^2 and do not follow gamma, which is tuned.
        lambda: replace(hg.MRBO(1.0, 1.0, 2.5, 2.5, TERMS, LIPSCHITZ, scale=1.0, offset=2.0).method, **MOMENTA),
        numbers=f"{STORM}; one batch per factor",
    ),
    Entry(
        "RSVRB",
        "pooled",
        lambda: hg.RSVRB(**STEPS, **MOMENTA, adjoint_momentum=DECAY, hypergradient=NEUMANN),
        numbers=f"{STORM}, all three",
    ),
    Entry(
        "VRBiAdam",
        "pooled",
        lambda: hg.VRBiAdam(**CONSTANT, **MOMENTA, hypergradient=NEUMANN, interpolation=STEP),
        steps="c, interpolated by (2 + t)^(-1/3)",
        numbers=f"{STORM}; decay 0.9, rho = 1e-3. The method divides its steps by the size of the gradients, so the "
        "grid's scales are multiplied by 1e-3 (upper) and 0.1 (lower)",
        scales=PLAIN,
        units=(1e-3, 0.1),
    ),
    Entry(
        "SOBA",
        "pooled",
        lambda: hg.SOBA(**STEPS, adjoint_step=ADJOINT),
        numbers="adjoint step 0.5 (2 + t)^(-1/3)",
    ),
)
"""Dif-MAML is not here: it takes one lower step from y_0 = 0, where this problem's d2xy g is zero, so x never moves.

Nor is GTSGDPushPull, which is GTSGD on this network."""


def available() -> tuple[Entry, ...]:
    """Returns the methods that this version of the library has."""
    return tuple(entry for entry in ENTRIES if hasattr(hg, entry.name))
