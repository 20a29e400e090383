"""DIAMOND's step sizes and momenta (theorem 1, with the cut at 1 and the start that the library decides)."""

from collections.abc import Callable
from typing import NamedTuple


class Steps(NamedTuple):
    """Functions of the round: alpha_t, beta_t, eta_t, gamma_t."""

    alpha: Callable[[int], float]
    beta: Callable[[int], float]
    eta: Callable[[int], float]
    gamma: Callable[[int], float]


def constant_steps(alpha: float, beta: float, eta: float, gamma: float) -> Steps:
    """The same in every round, but momenta of 1 in round 0."""
    return Steps(lambda t: alpha, lambda t: beta, lambda t: 1.0 if t == 0 else eta, lambda t: 1.0 if t == 0 else gamma)


def paper_steps(c_alpha: float, omega: float, c_beta: float, c_eta: float, c_gamma: float) -> Steps:
    """alpha_t = c_alpha (omega + t)^(-1/3), beta_t = c_beta alpha_t; eta_{t+1} = min(1, c_eta alpha_t^2), gamma too."""

    def alpha(t: int) -> float:
        return c_alpha / (omega + t) ** (1 / 3)

    def momentum(c: float) -> Callable[[int], float]:
        return lambda t: 1.0 if t == 0 else min(1.0, c * alpha(t - 1) ** 2)

    return Steps(alpha, lambda t: c_beta * alpha(t), momentum(c_eta), momentum(c_gamma))
