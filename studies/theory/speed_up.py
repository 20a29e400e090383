"""SLAM's linear speed-up (Lu et al. 2022, theorem 1): its mean KKT error against the agents n and the rounds T.

Equal agents with one noisy quadratic, both levels shared, exponential graphs, steps c sqrt(n/T) at both levels,
gamma = 1 and rho step mu_max = 1/2, so that tau grows with alpha as the theorem wants. The KKT error of a round is

    |grad l(xbar)|^2  +  |ybar - y*(xbar)|^2  +  1/n sum_i |x_i - xbar|^2  +  1/n sum_i |y_i - ybar|^2:

stationarity of the surrogate (which on equal agents is the true one), optimality of the lower level, and both levels'
distance from consensus; eq. 10b's |y - y*(x)|^2 / n is the second plus the last. All four are in closed form, and their
mean is that of all T rounds. The theorem bounds each mean by O(1 / sqrt(nT)); the consensus terms are of order
step^2 = n/T, smaller only where T is large against n^3, and the table has every term. (Sums over the agents in place of
means would make them n times larger.) c makes the start's part of the error about as large as the noise's.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import hypergossip as hg
from hypergossip.figures import style
from hypergossip.problems.quadratic import quadratic, solution
from studies.theory.common import column, logarithmic, means, power_law

AGENTS = (4, 8, 16, 32)
ROUNDS = tuple(2**k for k in range(9, 18))
SEEDS = 16
P, Q = 3, 2
NOISE = 4.0  # standard deviation of every entry of every gradient; the start is 1.2 away from the optimum
SCALE = 0.125  # c
GAMMA = 1.0
PENALTY = 0.5  # rho step mu_max
LEADING = {"stationarity": "stationarity", "lower_optimality": "lower optimality"}
CONSENSUS = {"upper_consensus": "consensus on $x$", "lower_consensus": "consensus on $y$"}
TERMS = {**LEADING, **CONSENSUS}


def equal_agents(agents: int) -> hg.Problem:
    """The same noisy quadratic for every agent, and for every number of agents."""
    one = quadratic(1, P, Q, heterogeneity=0.0, noise=NOISE, share="both")
    oracles = jax.tree.map(lambda leaf: jnp.repeat(leaf, agents, axis=0), one.oracles)
    return hg.Problem.from_oracles(oracles, x0=one.x0, y0=one.y0, share="both")


def kkt_terms(problem: hg.Problem) -> Callable[[Any], Any]:
    """The state, leaves (runs, agents, ...) -> the terms of the KKT error, (runs, 4)."""
    exact = solution(problem)

    def affine(function: Callable) -> tuple[np.ndarray, np.ndarray]:
        at_zero = function(np.zeros(P))
        return np.stack([function(unit) - at_zero for unit in np.eye(P)], axis=1), at_zero

    (A, b), (S, s) = affine(exact.hypergradient), affine(lambda x: exact.lower_solution(x)[0])
    square = lambda vectors: jnp.sum(vectors**2, axis=-1)

    def terms(state: Any) -> Any:
        x, y = state.x.mean(axis=1), state.y.mean(axis=1)
        apart = [square(v - v.mean(axis=1, keepdims=True)).mean(axis=1) for v in (state.x, state.y)]
        return jnp.stack([square(x @ A.T + b), square(x @ S.T + s - y), *apart], axis=1)

    return terms


def rows(agents: int, all_rounds: tuple[int, ...], seeds: int) -> Iterator[dict]:
    """One row for every T: the settings, the error's mean over seeds and rounds, its standard error, and its terms."""
    problem, network = equal_agents(agents), hg.networks.exponential(agents)
    terms = kkt_terms(problem)
    for rounds in all_rounds:
        step = SCALE * np.sqrt(agents / rounds)
        rho = PENALTY / (step * (1 - network.smallest_eigenvalue))
        slam = hg.Slam(step, step, gamma=GAMMA, rho=rho, hypergradient=hg.Exact())
        by_seed = means(slam, problem, network, [rounds], range(seeds), terms)[:, 0]
        error = by_seed.sum(axis=1)
        yield {
            "agents": agents,
            "rounds": rounds,
            "spectral_gap": 1 - network.lambda_,
            "step": step,
            "rho": rho,
            "seeds": seeds,
            "kkt_error": error.mean(),
            "standard_error": error.std(ddof=1) / np.sqrt(seeds),
            **dict(zip(TERMS, by_seed.mean(axis=0), strict=True)),
        }


def measure(quick: bool) -> pd.DataFrame:
    """Every number of agents with every number of rounds."""
    agents, all_rounds, seeds = (AGENTS[:2], ROUNDS[:3], 2) if quick else (AGENTS, ROUNDS, SEEDS)
    return pd.DataFrame([row for n in agents for row in rows(n, all_rounds, seeds)])


def longest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the most rounds, one a number of agents."""
    return table.nlargest(1, "rounds", keep="all")


def draw(table: pd.DataFrame) -> Figure:
    """The error and its terms against n at the largest T, and the error against T for every n."""
    figure, (over_agents, over_rounds) = column(6.0, rows=2)
    last = longest(table)
    with_theory(over_agents, last, "agents", "KKT error", 0, through=0)
    for place, (name, label) in enumerate(TERMS.items(), 1):
        look = style.mark(place)
        over_agents.plot(last["agents"], last[name], look.marker + ":", color=look.colour, markersize=4, label=label)
    over_agents.set_xlabel("agents $n$")
    over_agents.set_ylabel(f"mean of $T = 2^{{{int(np.log2(last['rounds'].iloc[0]))}}}$ rounds")
    for place, (agents, of) in enumerate(table.groupby("agents")):
        with_theory(over_rounds, of, "rounds", f"$n = {agents}$", place, through=-1)
    over_rounds.set_xlabel("rounds $T$")
    over_rounds.set_ylabel("KKT error, mean of $T$ rounds")
    for axes in (over_agents, over_rounds):
        axes.plot([], [], "--", color=style.FAINT, linewidth=0.8, label="theory: $-0.50$")
        axes.legend(fontsize=style.SMALL, loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=2)
    return figure


def with_theory(axes: Axes, rows: pd.DataFrame, of: str, label: str, place: int, through: int) -> None:
    """Draws the KKT error against a column with its fitted slope, and theory's slope -1/2 through one point."""
    logarithmic(axes, base=2)
    x, y, look = rows[of].to_numpy(float), rows["kkt_error"].to_numpy(), style.mark(place)
    fit = power_law(x, y)
    axes.plot(x, fit.power(x), "-", marker="", color=look.colour)
    axes.plot(x, y, look.marker, color=look.colour, label=f"{label}: ${fit.slope:.2f}$")
    axes.plot(x, y[through] * (x / x[through]) ** -0.5, "--", color=style.FAINT, linewidth=0.8)


def report(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The fitted slopes, and how many rounds more agents save."""
    last = longest(table)
    slope = lambda of, x, names: f"{power_law(of[x], of[list(names)].sum(axis=1)).slope:.3f}"
    lines = [
        ("KKT error at the largest T, slope in n (theory -0.5)", slope(last, "agents", ["kkt_error"])),
        ("  its stationarity and lower optimality alone (-0.5)", slope(last, "agents", LEADING)),
        ("  its consensus terms alone (of order n/T: 1)", slope(last, "agents", CONSENSUS)),
    ]
    for agents, of in table.groupby("agents"):
        both = (slope(of, "rounds", names) for names in (["kkt_error"], LEADING))
        lines.append((f"{agents} agents, slope in T: all, without consensus terms (-0.5)", ", ".join(both)))
    few = last.iloc[0]
    for agents, of in list(table.groupby("agents"))[1:]:
        # The error falls with T: where it passes that of the fewest agents, between two of the measured T.
        needed = np.exp(np.interp(-np.log(few["kkt_error"]), -np.log(of["kkt_error"]), np.log(of["rounds"])))
        ideal = agents / few["agents"]
        lines.append((f"rounds saved by {agents} agents (theory {ideal:.0f} times)", f"{few['rounds'] / needed:.1f}"))
    return lines
