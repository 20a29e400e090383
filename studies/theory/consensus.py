"""Agents that disagree agree at lambda a round (gossip), and at the radius of its own recursion (SLAM).

With the gradients off, x of every gossip method is multiplied by W: its disagreement shrinks by lambda. SLAM's follows,
along an eigenvector of I - W with eigenvalue mu, the recursion v+ = (2 - a - b) v - (1 - a) v_prev with
a = step rho gamma mu and b = step rho mu: for gamma = 1 and b < 1 its roots are complex, of modulus
sqrt(1 - step rho mu).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import lax
from matplotlib.figure import Figure

import hypergossip as hg
from hypergossip.engines import Job
from hypergossip.engines.lifting import run_rounds
from hypergossip.figures import style
from hypergossip.problems.quadratic import QuadraticOracles
from hypergossip.support.compilation import compiled
from studies.theory.common import column, logarithmic

STEP, GAMMA, RHO, MOMENTUM = 0.5, 1.0, 1.0, 0.5
ENTRIES = 3
LEFT = 1e-9  # the share of the disagreement that is left at the end, far above round-off
WINDOW = 24  # rounds at the end from which SLAM's recursion is fitted
FAMILIES = {
    "ring": tuple(hg.networks.ring(n) for n in (4, 8, 16, 32, 64)),
    "torus": tuple(hg.networks.torus(n, n) for n in (3, 4, 6, 8)),
    "exponential": tuple(hg.networks.exponential(n) for n in (8, 16, 32, 64)),
    # Metropolis weights average at once; Laplacian ones shrink by 1/3.
    "complete": (hg.networks.complete(16), hg.networks.complete(4, "laplacian"), hg.networks.complete(64, "laplacian")),
}
METHODS: dict[str, Any] = {
    "D-SGD": hg.DSGD(STEP, STEP, hg.Exact()),
    "DIAMOND": hg.Diamond(STEP, STEP, MOMENTUM, MOMENTUM, hg.Exact()),
    "SLAM": hg.Slam(STEP, STEP, GAMMA, RHO, hg.Exact()),
}


def without_gradients(agents: int) -> hg.Problem:
    """Returns a network whose upper losses vanish; only x is shared."""
    wide = lambda *shape: jnp.zeros((agents, *shape))
    H = jnp.broadcast_to(jnp.eye(1), (agents, 1, 1))
    oracles = QuadraticOracles(
        H=H, B=wide(1, ENTRIES), c=wide(1), F=wide(1, 1), d=wide(1), a=wide(ENTRIES), e=wide(ENTRIES), noise=wide()
    )
    return hg.Problem.from_oracles(oracles, x0=jnp.zeros(ENTRIES), y0=jnp.zeros(1))


def slam_radius(network: Any) -> float:
    """Returns the largest modulus of a root of SLAM's recursion over all mu > 0."""
    mu = np.sort(1 - np.linalg.eigvalsh(network.mixing.toarray()))[1:]
    a, b = STEP * RHO * GAMMA * mu, STEP * RHO * mu
    return float(max(np.abs(np.roots([1.0, -(2 - s - t), 1 - s])).max() for s, t in zip(a, b, strict=True)))


@compiled("spaces", "rounds")
def _disagreements(algorithm: Any, placed: Any, spaces: Any, state: Any, keys: Any, rounds: int) -> Any:
    def body(state: Any, round: Any) -> Any:
        after, _ = run_rounds(algorithm, False, placed, spaces, state, keys, round, round + 1)
        return after, after.x - after.x.mean(axis=1, keepdims=True)

    _, points = lax.scan(body, state, jnp.arange(rounds))
    return points[:, 0]


def measured_factor(algorithm: Any, network: Any, radius: float) -> float:
    """Returns the factor a round by which a random disagreement shrinks in the end.

    Args:
        algorithm: The method.
        network: The network.
        radius: The factor expected, only for how long to run.
    """
    problem, n = without_gradients(network.agents), network.agents
    session = hg.Simulated().open(Job(algorithm, problem, network, jax.random.key(0)[None]))
    x = np.random.default_rng(0).standard_normal((1, n, ENTRIES))
    x -= x.mean(axis=1, keepdims=True)
    state = session.start(jnp.asarray(x), jnp.zeros((1, n, 1)))
    rounds = max(1, int(np.log(LEFT) / np.log(max(radius, 1e-12))))
    points = np.asarray(_disagreements(algorithm, session.placed, session.spaces, state, session.job.keys, rounds))
    points = np.concatenate([x, points])
    if not isinstance(algorithm, hg.Slam):
        early, late = (np.linalg.norm(points[k]) for k in (rounds // 2, rounds))
        return float((late / early) ** (1 / (rounds - rounds // 2)))
    # The roots are complex, so that the size itself swings: fit the two terms of the recursion that the end follows.
    before, here, after = (points[-WINDOW + k : len(points) - 2 + k].ravel() for k in range(3))
    (trace, minus_product), *_ = np.linalg.lstsq(np.stack([here, before], axis=1), after)
    return float(np.abs(np.roots([1.0, -trace, -minus_product])).max())


def measure(quick: bool = False) -> pd.DataFrame:
    """Returns family, network, agents, lambda, method, expected and measured factor."""
    rows = []
    for family, networks in {"ring": FAMILIES["ring"][1:2]}.items() if quick else FAMILIES.items():
        for network in networks:
            for name, algorithm in list(METHODS.items())[1 if quick else 0 :]:
                expected = slam_radius(network) if name == "SLAM" else network.lambda_
                rows.append(
                    {
                        "family": family,
                        "network": network.name,
                        "agents": network.agents,
                        "lambda": network.lambda_,
                        "method": name,
                        "expected": expected,
                        "measured": measured_factor(algorithm, network, expected),
                    }
                )
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> Figure:
    """Draws 1 - factor against the spectral gap 1 - lambda, which spreads the rings out."""
    figure, axes = column(3.7)
    logarithmic(axes)
    gap = np.geomspace(0.7 * (1 - table["lambda"].max()), 1, 200)
    slam = 1 - np.sqrt(1 - STEP * RHO * gap)
    gossip_ink, slam_ink = style.COLOURS[0], style.COLOURS[1]
    axes.plot(gap, gap, color=gossip_ink, label=r"theory, gossip: $\lambda$")
    axes.plot(gap, slam, color=slam_ink, linestyle="--", label=r"theory, SLAM: $\sqrt{1-(1-\lambda)/2}$")
    shown = {"linestyle": "none", "marker": "o"}
    axes.plot([], [], **shown, color=gossip_ink, markeredgecolor="white", label="D-SGD and DIAMOND, measured")
    axes.plot([], [], **shown, color=slam_ink, markerfacecolor="white", markeredgewidth=1.0, label="SLAM, measured")
    for place, family in enumerate(FAMILIES):
        rows = table[table["family"] == family]
        for name, ink, filled in (("DIAMOND", gossip_ink, True), ("SLAM", slam_ink, False)):
            own = rows[rows["method"] == name]
            axes.plot(
                1 - own["lambda"],
                1 - own["measured"],
                linestyle="none",
                marker=style.MARKERS[place],
                markersize=6,
                color=ink,
                markerfacecolor=ink if filled else "white",
                markeredgecolor="white" if filled else ink,
                markeredgewidth=0.6 if filled else 1.0,
            )
        axes.plot([], [], linestyle="none", marker=style.MARKERS[place], color=style.FAINT, label=family)
    axes.set_xlabel(r"spectral gap $1-\lambda$")
    axes.set_ylabel("1 $-$ factor a round")
    axes.set_xlim(gap[0] / 1.1, 1.4)
    named = axes.get_legend_handles_labels()
    axes.legend(*(part[4:] for part in named), loc="upper left", fontsize=style.SMALL)
    figure.legend(*(part[:4] for part in named), loc="outside lower center", fontsize=style.SMALL)
    return figure


def report(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns the largest difference of measured and expected factor for each method, relative to the gap."""
    off = (table["measured"] - table["expected"]).abs() / (1 - table["expected"])
    return [
        (
            f"{name}: |measured - expected| / (1 - expected)",
            f"at most {off[table['method'] == name].max():.1e} on {(table['method'] == name).sum()} networks, "
            f"factors {rows['measured'].min():.3f} to {rows['measured'].max():.4f}",
        )
        for name, rows in table.groupby("method", sort=False)
    ]
