"""The laws beside what is measured: curves for the figures, and ratios of measured to derived."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.linalg

from hypergossip.channels import Delay, Fading, Loss, Noise, Quantize
from studies.channels.cases import looks
from studies.channels.setting import (
    AGENTS,
    LOWER_STEP,
    METHODS,
    OWN,
    RHO,
    SQUARES,
    STEP,
    P,
    Q,
    W,
    hessian,
    optimum,
    problem,
    states,
    sums,
    trace,
)

S, WIDTH, PROBABILITY = 0.01, 0.01, 0.2
INTEGRATING = ("DIAMOND", "GT-SGD", "SLAM")


class Law(NamedTuple):
    """A law and its measurement.

    Attributes:
        title: The title of the panel.
        x_label: The label of the x axis.
        y_label: The label of the y axis.
        x: The x values.
        measured: Method -> the mean over the runs.
        derived: Method -> the law's values.
        ratios: What -> measured over derived, with its standard error where there are several runs.
    """

    title: str
    x_label: str
    y_label: str
    x: np.ndarray
    measured: dict[str, np.ndarray]
    derived: dict[str, np.ndarray]
    ratios: dict[str, list[float]]


def _ratio(values: Any, law: float) -> list[float]:
    """Returns the mean of some runs over a law, and its standard error."""
    values = np.asarray(values, float).ravel() / law
    return [float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else 0.0]


def noise(seeds: int) -> Law:
    """Measures laws 1, 2 and 3: the distances are those from the run without noise, since the runs are linear."""
    rounds, measured, derived, ratios = looks(600, 50), {}, {}, {}
    for name in ("DIAMOND", "SLAM", "D-SGD"):  # without gradient noise, GT-SGD is DIAMOND
        method, whole = METHODS[name], problem(name)
        exact = trace(method, whole, None, rounds)
        found = trace(method, whole, Noise(S), rounds, seeds, sums=name != "D-SGD")
        apart = ((found.x - exact.x) ** 2).sum(axis=-1).mean(axis=-1)
        measured[name] = apart.mean(axis=1)
        if name == "D-SGD":
            derived[name] = np.full(rounds.size, _floor(whole))
            ratios["law 3, D-SGD"] = _ratio(apart[-1], derived[name][-1])
            continue
        scale = RHO**2 if name == "SLAM" else 1.0
        inverse = np.linalg.inv(hessian(whole))
        derived[name] = scale * S**2 * SQUARES.sum() * np.trace(inverse @ inverse) * rounds / AGENTS**2
        begun = int(np.searchsorted(rounds, 200))
        ratios[f"law 2, {name}"] = _ratio(apart[-1] - apart[begun], derived[name][-1] - derived[name][begun])
        # SLAM's dual variables do not use the message of round 0.
        count = rounds[-1] - (name == "SLAM")
        ratios[f"law 1, {name}"] = _ratio(found.conserved[-1] ** 2, P * scale * S**2 * SQUARES.sum() * count)
    label = r"mean$_i$ $|x_i-x_i^{\mathrm{exact}}|^2$"
    return Law("laws 2 and 3 (dashed)", "rounds", label, rounds, measured, derived, ratios)


def _floor(whole: Any) -> float:
    """Returns the stationary variance of D-SGD's points, from S = M S M' + s^2 diag(sum_j W_ij^2)."""
    o, n = whole.oracles, AGENTS
    blocks = [
        np.block(
            [
                [-STEP * np.diag(o.a[i]), -STEP * np.asarray(o.B[i]).T @ np.linalg.solve(o.H[i], np.asarray(o.F[i]))],
                [LOWER_STEP * np.asarray(o.B[i]), -LOWER_STEP * np.asarray(o.H[i])],
            ]
        )
        for i in range(n)
    ]
    on_x, on_y = np.diag([1.0] * P + [0.0] * Q), np.diag([0.0] * P + [1.0] * Q)
    M = np.kron(W, on_x) + np.kron(np.eye(n), on_y) + scipy.linalg.block_diag(*blocks)
    drive = S**2 * np.kron(np.diag(SQUARES.sum(axis=1)), on_x)
    stationary = np.diag(scipy.linalg.solve_discrete_lyapunov(M, drive)).reshape(n, P + Q)
    return float(stationary[:, :P].sum() / n)


def loss(seeds: int) -> Law:
    """Measures law 4 with gradient noise, whose vectors never agree."""
    rounds, channel = 200, Loss(PROBABILITY, symmetric=False)
    measured, derived, ratios = {}, {}, {}
    for name in INTEGRATING:
        method, slam = METHODS[name], name == "SLAM"
        found, law, total, before = [], [], 0.0, None
        for round, state in enumerate(states(method, problem(name, noise=0.1), channel, rounds, seeds)):
            if before is not None and (not slam or round > 1):
                apart = ((before[:, None] - before[:, :, None]) ** 2).sum(axis=-1)
                total += (SQUARES * apart).sum(axis=(1, 2)).mean()
            before = state.x if slam else state.u
            found.append(sums(method, state))
            law.append((RHO**2 if slam else 1.0) * PROBABILITY * (1 - PROBABILITY) * total)
        measured[name], derived[name] = np.mean(found, axis=1), np.array(law)
        ratios[f"law 4, {name}"] = _ratio(found[-1], law[-1])
    title, label = "law 4 (dashed), gradient noise 0.1", r"$|\Sigma_i c_i|^2$"
    return Law(title, "rounds", label, np.arange(rounds + 1), measured, derived, ratios)


def lattice(seeds: int) -> Law:
    """Measures law 9 with gradient noise."""
    rounds, measured, derived, ratios = 200, {}, {}, {}
    method = METHODS["DIAMOND"]
    for rounding, share in (("stochastic", 6), ("nearest", 12)):
        channel = Quantize(16, rounding=rounding, width=WIDTH)
        found = [sums(method, state) for state in states(method, problem("DIAMOND", 0.1), channel, rounds, seeds)]
        measured[rounding] = np.mean(found, axis=1)
        derived[rounding] = P * WIDTH**2 / share * ((1 - OWN) ** 2).sum() * np.arange(rounds + 1)
        ratios[f"law 9, {rounding}"] = _ratio(found[-1], derived[rounding][-1])
    title, label = "DIAMOND on the lattice, law 9 (dashed)", r"$|\Sigma_i(u_i-p_i)|^2$"
    return Law(title, "rounds", label, np.arange(rounds + 1), measured, derived, ratios)


def toward_start(delay: float, whole: Any) -> np.ndarray:
    """Returns SLAM's limit under delay: argmin sum_i f_i(x) + (rho k / 2) sum_i (1 - W_ii) |x - x_0|^2, x_0 = 0.

    Args:
        delay: The number of rounds k.
        whole: The problem.
    """
    H, pull = hessian(whole), RHO * delay * (1 - OWN).sum() / AGENTS
    return np.linalg.solve(H + pull * np.eye(P), H @ optimum(whole))


def delay(rounds: int = 6000) -> Law:
    """Measures law 5 for several delays, SlamTracked's bias beside it, and law 6."""
    ages, whole, ratios = np.arange(1, 7), problem("SLAM"), {}
    found = [trace(METHODS["SLAM"], whole, Delay(int(age)), [rounds]) for age in ages]
    measured = {"SLAM": np.array([one.distances(whole)[-1, 0] for one in found])}
    limits = [toward_start(float(age), whole) for age in ages]
    derived = {"SLAM": np.array([((limit - optimum(whole)) ** 2).sum() for limit in limits])}
    error = max(float(np.abs(one.x[-1] - limit).max()) for one, limit in zip(found, limits, strict=True))
    ratios["law 5, largest error of an entry of x"] = [error, 0.0]
    ratios["law 5, SLAM, k = 1"] = [float(measured["SLAM"][0] / derived["SLAM"][0]), 0.0]
    tracked = problem("SlamTracked")
    others = [trace(METHODS["SlamTracked"], tracked, Delay(int(age)), [rounds]) for age in ages]
    measured["SlamTracked"] = np.array([one.distances(tracked)[-1, 0] for one in others])
    for name in ("DIAMOND", "GT-SGD"):
        ratios[f"law 6, {name}, largest error"] = [_tracked_sums(name), 0.0]
    title, label = "SLAM's limit, law 5 (dashed)", r"mean$_i$ $|x_i-x^*|^2$"
    return Law(title, "delay in rounds", label, ages, measured, derived, ratios)


def _tracked_sums(name: str, age: int = 2) -> float:
    """Returns the largest error of law 6 in 60 rounds."""
    method, past, largest = METHODS[name], [], 0.0
    for state in states(method, problem(name, noise=0.1), Delay(age), 60, 1):
        kept = state.u + (1 - OWN)[:, None] * sum(past[::-1][:age], np.zeros_like(state.u))
        p = state.p if hasattr(state, "p") else _tracked(method, state)
        largest = max(largest, float(np.abs((kept - p).sum(axis=1)).max()))
        past.append(state.u)
    return largest


def _tracked(method: Any, state: Any) -> np.ndarray:
    """Returns what u tracks: u minus what the method conserves."""
    (terms,) = jax.tree.leaves(jax.vmap(jax.vmap(method.conserved))(state))
    return state.u - np.asarray(terms)


def limits(seeds: int = 128) -> dict[str, list[float]]:
    """Returns laws 7 and 8, measured over derived."""
    whole, found = problem("SLAM"), {}
    ended = trace(METHODS["SLAM"], whole, Loss(PROBABILITY, symmetric=False, replace="last"), [2000], seeds)
    bias = toward_start(PROBABILITY / (1 - PROBABILITY), whole) - optimum(whole)
    along = (ended.x[-1].mean(axis=1) - optimum(whole)) @ bias / (bias @ bias)
    found["law 7, SLAM"] = _ratio(along, 1.0)
    for name in INTEGRATING:
        whole = problem(name)
        ended = trace(METHODS[name], whole, Fading(0.0, mean=0.9), [6000])
        found[f"law 8, {name}"] = _ratio(ended.distances(whole)[-1], float((optimum(whole) ** 2).sum()))
    return found


LAWS: dict[str, Callable[[int], Law]] = {
    "noise": noise,
    "loss": loss,
    "lattice": lattice,
    "delay": lambda seeds: delay(),
}
