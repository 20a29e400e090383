"""Heterogeneous agents: D-SGD and M-SGD stop at a distance from the optimum, tracking and primal-dual methods do not.

Quadratics without noise, 8 agents on a ring; every coefficient of an agent is a mixture of a common one and its own.
With personal lower levels, plain gossip has its fixed point where (I - W) x + alpha grad l_i(x_i) = 0, a linear system.
With a shared one, SLAM has its fixed point at the zero of the mean of the agents' own hypergradients (eq. 4 with their
own second derivatives), which is not grad l. SlamTracked solves for the adjoint over the network.
"""

import itertools
from typing import Any

import jax
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

import hypergossip as hg
from hypergossip.figures import style
from hypergossip.problems.quadratic import quadratic, solution
from studies.theory.common import column, final

AGENTS, ROUNDS = 8, 4000
HETEROGENEITIES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
PROBLEMS = 5  # seeds of the coefficients
ROUND_OFF = 1e-16
ALPHA, BETA, GAMMA, RHO = 0.06, 0.12, 0.8, 1.5
EXACT = hg.Exact()
METHODS: dict[str, dict[str, Any]] = {
    "upper": {
        "D-SGD": hg.DSGD(ALPHA, BETA, EXACT),
        "M-SGD": hg.MSGD(ALPHA, BETA, 0.3, 0.4, EXACT),
        "D-SGD, step / 4": hg.DSGD(ALPHA / 4, BETA, EXACT),
        "GT-SGD": hg.GTSGD(ALPHA, BETA, EXACT),
        "DIAMOND": hg.Diamond(ALPHA, BETA, 0.3, 0.4, EXACT),
        "INTERACT": hg.Interact(ALPHA, BETA),
        "SLAM-U": hg.Slam(ALPHA, BETA, GAMMA, RHO, EXACT),
    },
    "both": {
        "SLAM": hg.Slam(ALPHA, BETA, GAMMA, RHO, EXACT),
        "SLAM, tracked": hg.SlamTracked(ALPHA, BETA, BETA, GAMMA, RHO),
    },
}
SOME = ("D-SGD", "SLAM", "SLAM, tracked")  # enough to see that it runs
# Place in the order of colours and markers; is the marker filled?; how far it is moved so that others are seen.
LOOKS: dict[str, tuple[int, bool, float]] = {
    "D-SGD": (2, True, 0.0),
    "M-SGD": (1, False, 0.0),
    "D-SGD, step / 4": (2, False, 0.0),
    "GT-SGD": (3, True, -0.018),
    "DIAMOND": (0, True, 0.0),
    "INTERACT": (4, True, 0.018),
    "SLAM-U": (6, True, 0.0),
    "SLAM": (6, True, 0.0),
    "SLAM, tracked": (5, True, 0.0),
}


def plain_gossip_point(problem: hg.Problem, network: Any, alpha: float) -> np.ndarray:
    """Returns the fixed point of D-SGD, (agents, p)."""
    o, n = jax.tree.map(np.asarray, problem.oracles), problem.agents
    S, s = np.linalg.solve(o.H, o.B), np.linalg.solve(o.H, o.c[..., None])[..., 0]
    p = o.a.shape[1]
    # grad l_i(x) = A_i x - b_i.
    A = np.einsum("np,pr->npr", o.a, np.eye(p)) + np.einsum("nqp,nqr,nrs->nps", S, o.F, S)
    b = o.a * o.e - np.einsum("nqp,nqr,nr->np", S, o.F, s - o.d)
    own = np.einsum("ij,ipr->ipjr", np.eye(n), A).reshape(n * p, n * p)
    apart = np.kron(np.eye(n) - network.mixing.toarray(), np.eye(p))
    return np.linalg.solve(apart + alpha * own, alpha * b.ravel()).reshape(n, p)


def surrogate_point(problem: hg.Problem) -> np.ndarray:
    """Returns the fixed point of SLAM on a shared lower level, (p,)."""
    o = jax.tree.map(np.asarray, problem.oracles)
    H, B, c = (m.mean(axis=0) for m in (o.H, o.B, o.c))
    S, s = np.linalg.solve(H, B), np.linalg.solve(H, c)
    # The agents' own eq. 4 at the network's y*(x) = S x + s: a (x - e) + B_i' H_i^-1 F_i (S x + s - d_i).
    own = np.swapaxes(np.linalg.solve(o.H, o.B), 1, 2) @ o.F
    A = np.diag(o.a.mean(axis=0)) + own.mean(axis=0) @ S
    b = (o.a * o.e).mean(axis=0) - np.einsum("npq,nq->np", own, s - o.d).mean(axis=0)
    return np.linalg.solve(A, b)


def measure(quick: bool = False) -> pd.DataFrame:
    """Returns share, method, heterogeneity, problem, distance and theory: |x_i - x*| / |x*|, its mean square's root.

    `theory` is absent for the methods whose distance is zero.
    """
    network = hg.networks.ring(AGENTS)
    heterogeneities, problems, rounds = ((0.0, 1.0), 1, 400) if quick else (HETEROGENEITIES, PROBLEMS, ROUNDS)
    rows = []
    for share, heterogeneity, seed in itertools.product(METHODS, heterogeneities, range(problems)):
        problem = quadratic(AGENTS, seed=seed, heterogeneity=heterogeneity, share=share)
        optimum = solution(problem).x

        def distance(x: Any, optimum: np.ndarray = optimum) -> float:
            return np.sqrt(np.mean(np.sum((x - optimum) ** 2, axis=-1))) / np.linalg.norm(optimum)

        for name, algorithm in METHODS[share].items():
            if quick and name not in SOME:
                continue
            x = final(algorithm, problem, network, rounds).x
            theory = np.nan
            if name.startswith(("D-SGD", "M-SGD")):
                theory = distance(plain_gossip_point(problem, network, algorithm.upper_step))
            if name == "SLAM":
                theory = distance(surrogate_point(problem))
            rows.append((share, name, heterogeneity, seed, distance(x), theory))
    return pd.DataFrame(rows, columns=["share", "method", "heterogeneity", "problem", "distance", "theory"])


def draw(table: pd.DataFrame) -> Figure:
    """Draws the distance against heterogeneity, personal lower levels above a shared one."""
    figure, panels = column(5.0, rows=2)
    for axes, (share, methods) in zip(panels, METHODS.items(), strict=True):
        axes.set_yscale("log")
        axes.set_ylabel(r"$\|x_i-x^*\|\,/\,\|x^*\|$")
        axes.set_title({"upper": "personal lower levels", "both": "shared lower level"}[share])
        for name in methods:
            _draw_method(axes, name, table[table["method"] == name])
        axes.plot([], [], color=style.FAINT, linewidth=1.1, label="theory")
        axes.set_ylim(ROUND_OFF / 4, 4)
        axes.yaxis.set_major_locator(LogLocator(numticks=7))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.legend(loc="center", bbox_to_anchor=(0.5, 0.45), ncols=2, fontsize=style.SMALL, columnspacing=1.0)
    panels[-1].set_xlabel("heterogeneity of the agents")
    return figure


def _draw_method(axes: Axes, name: str, rows: pd.DataFrame) -> None:
    """Draws a method's mean over the problems and, where it is biased, its extremes and theory's line."""
    place, filled, shift = LOOKS[name]
    mark, log = style.mark(place), np.log(rows["distance"].clip(lower=ROUND_OFF)).groupby(rows["heterogeneity"])
    distance = np.exp(log.mean())
    axes.plot(
        distance.index + shift,
        distance,
        color=mark.colour,
        marker=mark.marker,
        linestyle="none",
        markersize=6 if filled else 7,
        markerfacecolor=mark.colour if filled else "none",
        markeredgecolor="white" if filled else mark.colour,
        markeredgewidth=0.5 if filled else 0.9,
        label=name,
        zorder=4,
    )
    biased = rows[rows["theory"].notna() & (rows["heterogeneity"] > 0)]
    if biased.empty:
        return
    low, high = (np.exp(edge)[distance.index > 0] for edge in (log.min(), log.max()))
    axes.fill_between(low.index, low, high, color=mark.colour, alpha=0.15, linewidth=0)
    theory = np.exp(np.log(biased["theory"]).groupby(biased["heterogeneity"]).mean())
    axes.plot(theory.index, theory, color=mark.colour, linewidth=1.1)


def report(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns every method's distance on equal and on the most heterogeneous agents, and theory's."""
    rows = []
    for (share, name), own in table.groupby(["share", "method"], sort=False):
        equal, most = (own[own["heterogeneity"] == u] for u in (own["heterogeneity"].min(), own["heterogeneity"].max()))
        text = f"{equal['distance'].max():.1e} on equal agents, {most['distance'].max():.2e} on heterogeneous ones"
        if own["theory"].notna().any():
            differing = own[own["heterogeneity"] > 0]
            off = ((differing["distance"] - differing["theory"]).abs() / differing["theory"]).max()
            text += f", theory {most['theory'].max():.2e} (relative difference at most {off:.0e})"
        rows.append((f"{'personal' if share == 'upper' else 'shared'} lower level, {name}", text))
    return rows
