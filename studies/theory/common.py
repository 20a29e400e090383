"""What the claims share: running with a number measured in every round, fits, and the parts of their figures."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

import hypergossip as hg
from hypergossip.engines import Job
from hypergossip.engines.lifting import run_rounds
from hypergossip.figures import style
from hypergossip.problems.quadratic import solution
from hypergossip.support.compilation import compiled

COLUMN = 3.5  # inches: a journal's column, so that a figure is read at the size at which it was made


class Fit(NamedTuple):
    """A straight line ``intercept + slope * x``."""

    slope: float
    intercept: float

    def power(self, x: Any) -> Any:
        """Returns the power law ``exp(intercept) * x ** slope``."""
        return np.exp(self.intercept) * np.asarray(x, float) ** self.slope


def power_law(x: Any, y: Any) -> Fit:
    """Fits log y against log x by least squares."""
    slope, intercept = np.polyfit(np.log(np.asarray(x, float)), np.log(np.asarray(y, float)), 1)
    return Fit(float(slope), float(intercept))


def means(
    algorithm: Any,
    problem: hg.Problem,
    network: Any,
    horizons: Sequence[int],
    seeds: Sequence[int],
    figure_of: Callable[[Any], Any],
    swept: bool = False,
) -> np.ndarray:
    """Runs an algorithm and averages numbers over all rounds t < T, for several T of the same runs.

    Args:
        algorithm: The method; where swept its numbers have a leading axis (runs,).
        problem: The problem.
        network: The network.
        horizons: Increasing T.
        seeds: One a run.
        figure_of: The state, leaves (runs, agents, ...) -> the numbers, (runs, ...). They are measured before every
            round, so the start counts and the state after T rounds does not.
        swept: Do the runs differ in the algorithm's numbers?

    Returns:
        (runs, horizons, ...).
    """
    session, state = _start(algorithm, problem, network, seeds, swept)
    total, begin, rows = jnp.zeros_like(figure_of(state)), 0, []
    for end in horizons:
        state, total = _advance(
            algorithm, swept, session.placed, session.spaces, figure_of, state, total, session.job.keys, begin, end
        )
        rows.append(np.asarray(total) / end)
        begin = end
    return np.stack(rows, axis=1)


def final(algorithm: Any, problem: hg.Problem, network: Any, rounds: int) -> Any:
    """Returns the state after so many rounds from the problem's start, leaves (agents, ...); nothing is measured."""
    session, state = _start(algorithm, problem, network, [0], False)
    state, _ = session.advance(state, 0, rounds)
    return jax.tree.map(lambda leaf: np.asarray(leaf[0]), state)


def _start(algorithm: Any, problem: hg.Problem, network: Any, seeds: Sequence[int], swept: bool) -> tuple:
    """Returns a session, and every run's state before round 0."""
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds))
    session = hg.Simulated().open(Job(algorithm, problem, network, keys, swept))
    everywhere = lambda v: jnp.broadcast_to(v, (len(seeds), problem.agents, v.size))
    return session, session.start(everywhere(problem.x0), everywhere(problem.y0))


@compiled("swept", "spaces", "figure_of")
def _advance(
    algorithm: Any,
    swept: bool,
    placed: Any,
    spaces: Any,
    figure_of: Any,
    state: Any,
    total: Any,
    keys: Any,
    first: Any,
    last: Any,
) -> Any:
    def body(round: Any, carry: Any) -> Any:
        state, total = carry
        after, _ = run_rounds(algorithm, swept, placed, spaces, state, keys, round, round + 1)
        return after, total + figure_of(state)

    return lax.fori_loop(first, last, body, (state, total))


def quadratic_metric(problem: hg.Problem) -> Callable[[Any], Any]:
    """Returns what measures a `quadratic` with personal lower levels in closed form (eq. 11).

    It takes a state, leaves (runs, agents, ...), to stationarity, consensus error and lower error, (runs, 3); M_t is
    their sum.
    """
    exact, o = solution(problem), problem.oracles
    # grad l is affine, A x - b, and agent i's y* too: S_i x + s_i.
    b = -exact.hypergradient(np.zeros(problem.upper.size))
    A = np.stack([exact.hypergradient(unit) + b for unit in np.eye(problem.upper.size)], axis=1)
    S, s = jnp.linalg.solve(o.H, o.B), jnp.linalg.solve(o.H, o.c[..., None])[..., 0]

    def metric(state: Any) -> Any:
        centre = state.x.mean(axis=1)
        stationarity = jnp.sum((centre @ A.T - b) ** 2, axis=1)
        consensus_error = jnp.sum((state.x - centre[:, None]) ** 2, axis=(1, 2))
        lower_error = jnp.sum((jnp.einsum("iqp,rip->riq", S, state.x) + s - state.y) ** 2, axis=(1, 2))
        return jnp.stack([stationarity, consensus_error, lower_error], axis=1)

    return metric


def column(height: float, rows: int = 1) -> tuple[Figure, Any]:
    """Returns a figure one column wide, and its panels (an `Axes`, or an array of them, one above the other)."""
    figure = style.blank(COLUMN, height)
    return figure, figure.subplots(rows, 1)


def logarithmic(axes: Axes, base: int = 10) -> None:
    """Gives both axes of a panel a logarithmic scale with few ticks; x in powers of `base`."""
    axes.set_xscale("log", base=base)
    axes.set_yscale("log")
    for axis, of in ((axes.xaxis, base), (axes.yaxis, 10)):
        axis.set_major_locator(LogLocator(base=of, numticks=7))
        axis.set_minor_locator(NullLocator())


def below(figure: Figure, axes: Axes, columns: int = 2) -> None:
    """Puts a panel's legend below the figure, in so many columns."""
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=columns,
        fontsize=style.SMALL,
        columnspacing=1.2,
        handletextpad=0.5,
        handlelength=1.8,
    )
