"""The mean of M_t up to T falls as T^(-2/3) for DIAMOND (Qiu et al. 2023, theorem 1).

Noisy heterogeneous quadratics, 8 agents on a ring, eq. 5's estimator with its random depth and theorem 1's K. Steps are
alpha_t = c (2 + t)^(-power) and beta_t = 4 alpha_t, the momenta c_eta alpha_t^2 (cut at 1) with c_eta = c_gamma = 30.
Each method has its own theory's power (1/3 with momentum, 1/2 without) and its own best c of one grid, tuned on other
seeds; the methods without momentum are shown at DIAMOND's steps, too.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

import hypergossip as hg
from hypergossip.figures import style
from hypergossip.problems import quadratic
from studies.theory.common import below, column, logarithmic, means, power_law, quadratic_metric

AGENTS, NOISE, LIPSCHITZ, MU = 8, 1.0, 4.0, 1.0
OFFSET, RATIO, C_ETA = 2.0, 4.0, 30.0
HORIZONS = tuple(2**k for k in range(6, 15))
SCALES = (0.0125, 0.025, 0.05, 0.1, 0.2)
SEEDS, TUNING_SEEDS, FIRST_TUNING_SEED = 16, 4, 1_000_000
PARTS = ("stationarity", "consensus_error", "lower_error")
POWERS = {"DIAMOND": 1 / 3, "M-SGD": 1 / 3, "D-SGD": 1 / 2, "GT-SGD": 1 / 2}
PLACES = {name: place for place, name in enumerate(POWERS)}


def terms(problem: hg.Problem, rounds: int) -> int:
    """Returns theorem 1's K = (L_g / mu_g) log(C_gxy C_fy T / mu_g); C_fy is unbounded here, and taken at the start."""
    o = jax.tree.map(np.asarray, problem.oracles)
    C_gxy = np.linalg.norm(o.B, 2, axis=(1, 2)).max()
    C_fy = np.linalg.norm(np.einsum("nij,nj->ni", o.F, o.d), axis=1).max()
    return math.ceil(LIPSCHITZ / MU * math.log(C_gxy * C_fy * rounds / MU))


def method(name: str, scale: float, power: float, estimator: Any) -> Any:
    """Returns a method with its schedules."""
    alpha, beta = hg.PowerDecay(scale, OFFSET, power), hg.PowerDecay(RATIO * scale, OFFSET, power)
    eta = hg.SquaredStep(C_ETA)
    make: dict[str, Callable[[], Any]] = {
        "DIAMOND": lambda: hg.Diamond(alpha, beta, eta, eta, estimator),
        "M-SGD": lambda: hg.MSGD(alpha, beta, eta, eta, estimator),
        "D-SGD": lambda: hg.DSGD(alpha, beta, estimator),
        "GT-SGD": lambda: hg.GTSGD(alpha, beta, estimator),
    }
    return make[name]()


def measure(quick: bool = False) -> pd.DataFrame:
    """Returns the means over t < T of M_t and its parts: method, power, scale, tuned, seed, T, metric, the parts."""
    horizons, scales = (tuple(T // 16 for T in HORIZONS[:4]), SCALES[3:4]) if quick else (HORIZONS, SCALES)
    seeds, tuning_seeds = (2, 1) if quick else (SEEDS, TUNING_SEEDS)
    names = ("DIAMOND", "D-SGD") if quick else tuple(POWERS)
    problem = quadratic(AGENTS, seed=0, noise=NOISE)
    network = hg.networks.ring(AGENTS)
    estimator = hg.Neumann(terms(problem, horizons[-1]), LIPSCHITZ)
    parts = quadratic_metric(problem)

    def best_scale(name: str, power: float) -> float:
        if len(scales) == 1:
            return scales[0]
        runs = [(scale, FIRST_TUNING_SEED + k) for scale in scales for k in range(tuning_seeds)]
        every = [method(name, scale, power, estimator) for scale, _ in runs]
        swept = jax.tree.map(lambda *leaves: jnp.asarray(leaves, float), *every)
        found = means(swept, problem, network, horizons[-1:], [seed for _, seed in runs], parts, swept=True)
        scores = found.sum(axis=(1, 2)).reshape(len(scales), tuning_seeds).mean(axis=1)
        return scales[int(np.argmin(scores))]

    best = {name: best_scale(name, POWERS[name]) for name in names}
    settings = [(name, POWERS[name], best[name], True) for name in names]
    settings += [(name, 1 / 3, best["DIAMOND"], False) for name in names if POWERS[name] != 1 / 3]
    tables = []
    for name, power, scale, tuned in settings:
        found = means(method(name, scale, power, estimator), problem, network, horizons, range(seeds), parts)
        every = pd.MultiIndex.from_product([range(seeds), horizons], names=["seed", "T"])
        table = pd.DataFrame(found.reshape(-1, 3), every, list(PARTS)).reset_index()
        table.insert(2, "metric", table[list(PARTS)].sum(axis=1))
        for place, (label, value) in enumerate(
            {"method": name, "power": power, "scale": scale, "tuned": tuned}.items()
        ):
            table.insert(place, label, value)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def curves(table: pd.DataFrame) -> dict[tuple[str, bool], pd.DataFrame]:
    """Returns (method, tuned) -> one row a T: the mean over the seeds and, as `low` and `high`, their extremes."""
    grouped = table.groupby(["method", "tuned"], sort=False)
    found = {}
    for key, rows in grouped:
        by_horizon = rows.groupby("T")
        means_of = by_horizon[["power", "scale", "metric", *PARTS]].mean()
        found[key] = means_of.assign(low=by_horizon["metric"].min(), high=by_horizon["metric"].max())
    return found


def draw(table: pd.DataFrame) -> Figure:
    """Draws the means against T."""
    figure, axes = column(3.9)
    logarithmic(axes, base=2)
    for order, ((name, tuned), rows) in enumerate(curves(table).items()):
        mark, at_own = style.mark(PLACES[name]), tuned and POWERS[name] != 1 / 3
        fit = power_law(rows.index, rows["metric"])
        dashes = "--" if at_own else "-"
        power, over = "1/2" if at_own else "1/3", -order  # the first method lies on top
        axes.fill_between(rows.index, rows["low"], rows["high"], color=mark.colour, alpha=0.15, linewidth=0, zorder=2)
        axes.plot(
            rows.index, fit.power(rows.index), color=mark.colour, linestyle=dashes, linewidth=1.1, zorder=3 + 0.1 * over
        )
        axes.plot(
            rows.index,
            rows["metric"],
            color=mark.colour,
            marker=mark.marker,
            markerfacecolor="white" if at_own else mark.colour,
            markeredgecolor=mark.colour if at_own else "white",
            linestyle="none",
            zorder=4 + 0.1 * over,
            label=rf"{name}, $t^{{-{power}}}$: ${fit.slope:.2f}$",
        )
    first, last = table["T"].min(), table["T"].max()
    bottom, top = table["metric"].min(), table["metric"].max()
    levels = {(1, 3): 2.2 * top, (1, 2): 2.2 * top, (2, 3): 0.5 * bottom * (last / first) ** (2 / 3)}
    for (numerator, denominator), level in levels.items():
        theory = level * (np.array([first, last]) / first) ** (-numerator / denominator)
        axes.plot([first, last], theory, color=style.FAINT, linestyle=":", linewidth=1.2)
        axes.annotate(
            f"$T^{{-{numerator}/{denominator}}}$",
            (last, theory[1]),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
        )
    axes.set_xlim(first / 1.15, last * 1.9)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda T, _: f"$2^{{{math.log2(T):.0f}}}$"))
    axes.set_xlabel("rounds $T$")
    axes.set_ylabel(r"mean of $M_t$ over $t<T$")
    below(figure, axes)
    return figure


def two_terms(name: str, rows: pd.DataFrame) -> str:
    """Returns the mean of M_t as a sum of two of theory's powers, fitted by least squares of the relative errors.

    The noise leaves a term of order eta ~ alpha^2 with momentum and of order alpha without; the other power is that of
    the start's part (1/T), or of the consensus error without momentum (alpha^2).
    """
    with_momentum, power = POWERS[name] == 1 / 3, rows["power"].iloc[0]
    powers = (1.0, 2 * power) if with_momentum else (2 * power, power)
    T, metric = rows.index.to_numpy(float), rows["metric"].to_numpy()
    terms = np.stack([T**-power for power in powers], axis=1) / metric[:, None]
    factors, *_ = np.linalg.lstsq(terms, np.ones(len(T)))
    off = np.abs(terms @ factors - 1).max()
    words = " + ".join(f"{factor:.3g} T^-{power:.2f}" for factor, power in zip(factors, powers, strict=True))
    return f"{words} within {100 * off:.0f} %"


def report(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns the slopes over all T and over the last half of them, and the means as sums of theory's powers."""
    lines = []
    for (name, tuned), rows in curves(table).items():
        first = rows.iloc[0]
        power = "1/3" if first["power"] < 0.4 else "1/2"
        label = f"{name}, c = {first['scale']:g}, t^(-{power}), {'own best' if tuned else 'as DIAMOND'}"
        late = rows.iloc[len(rows) // 2 :]
        slopes = [power_law(of.index, of["metric"]).slope for of in (rows, late)]
        lines += [
            (label, f"slope {slopes[0]:.3f}, from T = {late.index[0]} on {slopes[1]:.3f}; {two_terms(name, rows)}"),
            (f"  at T = {rows.index[-1]}", ", ".join(f"{of} {rows[of].iloc[-1]:.3g}" for of in ("metric", *PARTS))),
        ]
    return lines
