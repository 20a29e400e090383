"""The bias of eq. 5's truncated Neumann series falls as (1 - mu_g / L_g)^K (Qiu et al. 2023, lemma 3).

One agent of a noisy quadratic at one point. The estimate's mean is taken exactly (over every depth, by eq. 5's formula)
and by Monte Carlo (the library's estimator with all its noise). The Monte-Carlo bias is measured along the exact one,
which makes it an unbiased number with a Gaussian error; the length of a noisy vector would be neither.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import lax
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

import hypergossip as hg
from hypergossip.figures import style
from hypergossip.problems import quadratic
from hypergossip.support.compilation import compiled
from studies.theory.common import below, column

LIPSCHITZ = {4.0: 60, 8.0: 120}  # L_g -> the largest K: the Hessian's own bound, and one that is twice too large
POINTS = 20  # numbers of terms
DRAWN = {4.0: (1, 2, 4, 6, 8, 10, 12), 8.0: (1, 2, 4, 8, 12, 16, 20, 24)}
FITTED = 0.6  # from this share of the largest K on: the slowest factor has taken over
DRAWS, CHUNK = 2**20, 2**14
NOISE = 0.3


def measure(quick: bool = False) -> pd.DataFrame:
    """Returns lipschitz, mu, terms, bias, bound, and monte_carlo and standard_error where drawn."""
    chunks, drawn_terms = (2, dict.fromkeys(LIPSCHITZ, (6,))) if quick else (DRAWS // CHUNK, DRAWN)
    agent = quadratic(1, seed=0, noise=NOISE).agent(0)
    random = np.random.default_rng(0)
    x, y = (jnp.asarray(random.standard_normal(size)) for size in (5, 4))
    H, B, F, d, a, e = (np.asarray(v) for v in (agent.H, agent.B, agent.F, agent.d, agent.a, agent.e))
    fx, fy, mu = a * (x - e), F @ (y - d), np.linalg.eigvalsh(H)[0]
    exact = fx + B.T @ np.linalg.solve(H, fy)  # eq. 4 with d2xy g = -B'
    rows = []
    for lipschitz, most in LIPSCHITZ.items():
        rate = 1 - mu / lipschitz
        powers = [np.linalg.matrix_power(np.eye(len(H)) - H / lipschitz, k) @ fy for k in range(most)]
        for terms in sorted({*range(most // POINTS, most + 1, most // POINTS), *drawn_terms[lipschitz]}):
            bias = np.mean([fx + terms / lipschitz * B.T @ powers[k] for k in range(terms)], axis=0) - exact
            bound = np.linalg.norm(B, 2) * np.linalg.norm(fy) / mu * rate**terms
            row = {"lipschitz": lipschitz, "mu": mu, "terms": terms, "bias": np.linalg.norm(bias), "bound": bound}
            if terms in drawn_terms[lipschitz]:
                estimator = hg.Neumann(terms, lipschitz)
                mean, square = drawn(estimator, agent, x, y, bias / row["bias"], exact, chunks)
                error = np.sqrt((square - mean**2) / (chunks * CHUNK))
                row |= {"monte_carlo": float(mean), "standard_error": float(error)}
            rows.append(row)
    return pd.DataFrame(rows)


@compiled("chunks")
def drawn(estimator: Any, agent: Any, x: Any, y: Any, direction: Any, exact: Any, chunks: int) -> Any:
    """Returns the mean and the mean square of many estimates' errors along a direction."""

    def some(key: Any) -> Any:
        estimates, _ = jax.vmap(lambda key: estimator(agent, x, y, key))(jax.random.split(key, CHUNK))
        along = (estimates - exact) @ direction
        return along.mean(), (along**2).mean()

    means, squares = lax.map(some, jax.random.split(jax.random.key(estimator.terms), chunks))
    return means.mean(), squares.mean()


def rates(table: pd.DataFrame) -> dict[float, tuple[float, float, float]]:
    """Returns L_g -> the fitted factor a term, the bias that the fit gives at K = 0, and theory's factor."""
    found = {}
    for lipschitz, rows in table.groupby("lipschitz"):
        tail = rows[rows["terms"] >= FITTED * rows["terms"].max()]
        slope, intercept = np.polyfit(tail["terms"], np.log(tail["bias"]), 1)
        found[lipschitz] = np.exp(slope), np.exp(intercept), 1 - rows["mu"].iloc[0] / lipschitz
    return found


def draw(table: pd.DataFrame) -> Figure:
    """Draws the bias against K."""
    figure, axes = column(3.6)
    axes.set_yscale("log")
    for place, (lipschitz, (factor, at_zero, rate)) in enumerate(rates(table).items()):
        mark, rows = style.mark(place), table[table["lipschitz"] == lipschitz]
        terms, some = rows["terms"], rows.dropna()
        ends = np.array([FITTED * terms.max(), terms.max()])
        axes.plot(terms, rows["bound"], color=mark.colour, linestyle=":", linewidth=1.2)
        axes.plot(ends, at_zero * factor**ends, color=mark.colour, linewidth=1.2)
        every = rows[terms % (LIPSCHITZ[lipschitz] // POINTS) == 0]
        axes.plot(
            every["terms"],
            every["bias"],
            color=mark.colour,
            marker=mark.marker,
            markersize=4,
            linestyle="none",
            markeredgecolor="white",
            label=rf"$L_g={lipschitz:g}$: fitted ${factor:.4f}^K$, theory ${rate:.4f}^K$",
        )
        axes.errorbar(
            some["terms"],
            some["monte_carlo"],
            2 * some["standard_error"],
            color=style.INK,
            marker=mark.marker,
            markersize=5,
            markerfacecolor="none",
            markeredgewidth=0.8,
            elinewidth=0.8,
            capsize=2,
            linestyle="none",
            zorder=5,
        )
    axes.plot([], [], color=style.FAINT, linestyle=":", label=r"lemma 3: $C_{gxy}C_{fy}\,(1-\mu_g/L_g)^K/\mu_g$")
    seen = {"marker": "o", "markerfacecolor": "none", "markeredgewidth": 0.8, "linestyle": "none"}
    axes.plot([], [], color=style.INK, **seen, label="Monte Carlo and two standard errors")
    axes.yaxis.set_major_locator(LogLocator(numticks=7))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(table["bias"].min() / 3, table["bound"].max() * 1.6)
    axes.set_xlim(0, table["terms"].max() * 1.02)
    axes.set_xlabel("terms $K$")
    axes.set_ylabel(r"bias $\|\mathrm{E}\,G_K-G\|$")
    below(figure, axes, 1)
    return figure


def report(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns the fitted rates beside theory's, and how far Monte Carlo is from the exact mean."""
    rows = [
        (f"L_g = {lipschitz:g}: factor a term, fitted / theory", f"{factor:.5f} / {rate:.5f}")
        for lipschitz, (factor, _, rate) in rates(table).items()
    ]
    drawn_rows = table.dropna()
    surprise = ((drawn_rows["monte_carlo"] - drawn_rows["bias"]) / drawn_rows["standard_error"]).abs()
    rows.append(
        ("Monte Carlo less exact, in standard errors", f"at most {surprise.max():.1f} in {len(drawn_rows)} means")
    )
    rows.append(("bias / lemma 3's bound", f"at most {(table['bias'] / table['bound']).max():.2f}"))
    return rows
