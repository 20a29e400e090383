"""Every method with numbers of its own, in the forms of what a problem can share; then every estimator, and schedules.

They are apart from the laws' table, whose numbers may change; those of what is recorded may not. Where the shapes are
the laws' own, a process that tries both compiles once.
"""

from typing import Any, NamedTuple

import hypergossip as hg


class Method(NamedTuple):
    """One method on one kind of problem.

    Attributes:
        algorithm: With its numbers.
        share: What its problems share.
        draws: Does it draw random numbers even where the problem has no noise?
    """

    algorithm: Any
    share: str = "upper"
    draws: bool = False


STEPS: dict[str, Any] = {"upper_step": 0.06, "lower_step": 0.12}
MOMENTA: dict[str, Any] = {"upper_momentum": 0.3, "lower_momentum": 0.4}
EXACT: dict[str, Any] = {"hypergradient": hg.Exact()}
SLAM = hg.Slam(**STEPS, **EXACT, gamma=0.8, rho=1.5)
TRACKED = hg.SlamTracked(**STEPS, adjoint_step=0.15, gamma=0.8, rho=1.5)
CAC = hg.CAC(**STEPS, **EXACT)
MDAC = hg.MDAC(**STEPS, **EXACT, inner_steps=3)

METHODS = {
    "DSGD": Method(hg.DSGD(**STEPS, **EXACT)),
    "GTSGD": Method(hg.GTSGD(**STEPS, **EXACT)),
    "MSGD": Method(hg.MSGD(**STEPS, **MOMENTA, **EXACT)),
    "Diamond": Method(hg.Diamond(**STEPS, **MOMENTA, **EXACT)),
    "Interact": Method(hg.Interact(**STEPS)),
    "SVRInteract": Method(hg.SVRInteract(**STEPS, **EXACT, period=4)),
    "ALSET": Method(hg.ALSET(**STEPS, **EXACT, inner_steps=3)),
    "TTSA": Method(hg.TTSA(**STEPS, **EXACT)),
    "StocBiO": Method(hg.StocBiO(**STEPS, inner_steps=2, terms=3, lipschitz=5.0, strong_convexity=1.0, batches=2)),
    "BSA": Method(hg.BSA(upper_step=0.06, lower_step=0.4, **EXACT)),
    "AIDBiO": Method(hg.AIDBiO(**STEPS, inner_steps=2, iterations=4)),
    "ITDBiO": Method(hg.ITDBiO(**STEPS, inner_steps=4)),
    "Stable": Method(hg.Stable(**STEPS, momentum=0.3, strong_convexity=0.5, jacobian_bound=9.0)),
    "Sustain": Method(hg.Sustain(**STEPS, **MOMENTA, **EXACT)),
    "MRBO": Method(hg.MRBO(0.3, 0.6, 5.0, 7.0, terms=3, lipschitz=5.0, offset=64.0)),
    "RSVRB": Method(hg.RSVRB(**STEPS, **MOMENTA, **EXACT, adjoint_momentum=0.35)),
    "VRBiAdam": Method(hg.VRBiAdam(**STEPS, **MOMENTA, **EXACT, decay=0.8, regularization=0.5)),
    "SOBA": Method(hg.SOBA(**STEPS, adjoint_step=0.15)),
    "DifMAML": Method(hg.DifMAML(**STEPS)),
    "Slam-U": Method(SLAM, "upper"),
    "Slam-L": Method(SLAM, "lower"),
    "Slam": Method(SLAM, "both"),
    "SlamTracked-U": Method(TRACKED, "upper"),
    "SlamTracked": Method(TRACKED, "both"),
    "DAC": Method(hg.DAC(**STEPS, **EXACT), "lower"),
    "CAC": Method(CAC, "both"),
    "CAC-U": Method(CAC, "upper"),
    "MDAC-L": Method(MDAC, "lower"),
    "MDAC": Method(MDAC, "both"),
}

SCHEDULES = hg.Diamond(
    hg.PowerDecay(0.15, 2.0), hg.PowerDecay(0.3, 2.0, 0.4), hg.SquaredStep(40.0), hg.SquaredStep(30.0), hg.Exact()
)
# On a quadratic a difference of gradients is exact at any distance, and at distance 1 rounding is not blown up.
DIFFERENCES = hg.HessianFree(hg.TruncatedNeumann(4, 5.0), radius=1.0)
VARIANTS = {
    "Diamond, schedules": Method(SCHEDULES),
    "DSGD, ConjugateGradient": Method(hg.DSGD(**STEPS, hypergradient=hg.ConjugateGradient(3, 1e-6))),
    "GTSGD, TruncatedNeumann": Method(hg.GTSGD(**STEPS, hypergradient=hg.TruncatedNeumann(4, 5.0))),
    "MSGD, Neumann": Method(hg.MSGD(**STEPS, **MOMENTA, hypergradient=hg.Neumann(4, 5.0)), draws=True),
    "Sustain, MiniBatchNeumann": Method(hg.Sustain(**STEPS, **MOMENTA, hypergradient=hg.MiniBatchNeumann(3, 5.0, 2))),
    "ALSET, HessianFree": Method(hg.ALSET(**STEPS, inner_steps=3, hypergradient=DIFFERENCES)),
    "TTSA, Unrolled": Method(hg.TTSA(**STEPS, hypergradient=hg.Unrolled(3, 0.1))),
    "DSGD, Direct": Method(hg.DSGD(**STEPS, hypergradient=hg.Direct())),
}
