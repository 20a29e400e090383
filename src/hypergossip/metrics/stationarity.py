"""DIAMOND's eq. 11 and its like for shared lower levels, on the whole data and in float64."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from hypergossip.compilation import compiled
from hypergossip.float64 import calls_python, in_float64, to_float64
from hypergossip.metrics.lower_solution import REACHED, Reached, adjoint_solution, average_shared, solve_lower
from hypergossip.space import Space

# Runs measured side by side share every pass over the data, which is what measuring costs; more would cost memory.
RUNS_AT_ONCE = 8


class Figures(NamedTuple):
    """What a row of the history measures (equations.md, "What is measured"), each (runs,).

    Attributes:
        stationarity: |grad l(xbar)|^2; with no shared x, the mean over agents of |grad_{x_i} f_i(x_i, y*)|^2.
        consensus_error: sum_i |x_i - xbar|^2 over shared entries.
        lower_error: `sum_i |y*_i(x_i) - y_i|^2`, `y*` that of the whole network where the lower level is shared.
        metric: Their sum, M_t.
        upper_loss: mean_i f_i(x_i, y_i).
        lower_consensus_error: sum_i |y_i - ybar|^2 over shared entries.
        relative_residual: The largest relative residual of what was solved for them: y* and the adjoint. Where one of
            these is above `lower_solution.REACHED`, what depends on it is NaN.
    """

    stationarity: Any
    consensus_error: Any
    lower_error: Any
    metric: Any
    upper_loss: Any
    lower_consensus_error: Any
    relative_residual: Any


def hypergradients(
    oracles: Any, upper: Space, lower: Space, x: Float[Array, "agents p"], y: Float[Array, "agents q"]
) -> Float[Array, "agents p"]:
    """Returns every agent's term of the true hypergradient at (x, y), whose mean over the agents is grad l.

    On a shared lower level the second derivatives are the network's means. Where no x is shared (SLAM-L) agent i
    minimises its own f_i: its term is dx f_i - d2xy g_i [1/n sum_j d2yy g_j]^-1 dy f_i, as slam.txt's corollary 1 reads
    it. (The derivative of y* along x_i alone carries a further 1/n, which no method of the paper sees.)

    Args:
        oracles: Every agent's oracles without sampling.
        upper: The space of x.
        lower: The space of y.
        x: Where, for every agent.
        y: The lower solution there.
    """
    return solve_hypergradients(oracles, upper, lower, x, y).solution


def solve_hypergradients(oracles: Any, upper: Space, lower: Space, x: Any, y: Any) -> Reached:
    """Returns `hypergradients`, and the relative residual of the adjoint behind them.

    Args:
        oracles: Every agent's oracles without sampling.
        upper: The space of x.
        lower: The space of y.
        x: (agents, p).
        y: (agents, q) the lower solution there.
    """
    key = jax.random.key(0)
    fx, fy = jax.vmap(lambda agent, x, y: agent.upper_gradients(x, y, key))(oracles, x, y)
    agents = x.shape[0]
    if any(lower.shared) and not any(upper.shared):

        def own(i: Any) -> tuple[Any, Any]:
            target = jnp.zeros_like(fy).at[i].set(lower.replace(fy[i], agents * lower.select(fy[i])))
            solved = adjoint_solution(oracles, lower, x, y, target)
            return solved.solution[i], solved.residual

        z, residuals = lax.map(own, jnp.arange(agents))
        residual = jnp.max(residuals)
    else:
        z, residual = adjoint_solution(oracles, lower, x, y, fy)
    terms = fx - jax.vmap(lambda agent, x, y, z: agent.jacobian_product(x, y, key)(z))(oracles, x, y, z)
    return Reached(terms, residual)


def figures_of_run(oracles: Any, upper: Space, lower: Space, x: Any, y: Any) -> Figures:
    """Measures one run's point.

    Args:
        oracles: Every agent's oracles, leaves (agents, ...).
        upper: The space of x.
        lower: The space of y.
        x: (agents, p).
        y: (agents, q).

    Returns:
        The figures, each a scalar.
    """
    full = oracles.full
    x_average = average_shared(upper, x)
    if any(lower.shared):
        own_solution, own_residual = solution, residual = solve_lower(full, lower, x, y)
    else:
        # With personal lower levels grad l(xbar) needs y* at xbar, too; a shared one has the same y* in both. One after
        # the other in one loop, which is half the program to compile.
        def solve(start: Any, x: Any) -> tuple[Any, Reached]:
            reached = solve_lower(full, lower, x, start)
            return reached.solution, reached

        _, both = lax.scan(solve, y, jnp.stack([x, x_average]))
        (own_solution, own_residual), (solution, residual) = (jax.tree.map(lambda v, k=k: v[k], both) for k in (0, 1))
    gradients, adjoint_residual = solve_hypergradients(full, upper, lower, x_average, solution)
    if_solved = lambda value, *residuals: jnp.where(jnp.max(jnp.stack(residuals)) <= REACHED, value, jnp.nan)
    stationarity = if_solved(mean_square(upper, gradients), residual, adjoint_residual)
    consensus_error = jnp.sum((x - x_average) ** 2)
    lower_error = if_solved(jnp.sum((own_solution - y) ** 2), own_residual)
    key = jax.random.key(0)
    upper_loss = jnp.mean(jax.vmap(lambda agent, x, y: agent.upper_loss(x, y, key))(full, x, y))
    lower_consensus_error = jnp.sum((y - average_shared(lower, y)) ** 2)
    metric = stationarity + consensus_error + lower_error
    residuals = jnp.max(jnp.stack([own_residual, residual, adjoint_residual]))
    return Figures(stationarity, consensus_error, lower_error, metric, upper_loss, lower_consensus_error, residuals)


def mean_square(space: Space, gradients: Float[Array, "agents p"]) -> Float[Array, ""]:
    """Returns |mean_i g_i|^2 over shared entries plus the mean of |g_i|^2 over private ones."""
    average = average_shared(space, gradients)
    return jnp.mean(jnp.sum(average**2, axis=1))


@compiled("names", "upper", "lower")
def _figures(names: tuple[str, ...], oracles: Any, upper: Space, lower: Space, x: Any, y: Any) -> dict[str, Any]:
    oracles, x, y = to_float64((oracles, x, y))

    def of_run(point: tuple[Any, Any]) -> dict[str, Any]:
        measured = figures_of_run(oracles, upper, lower, *point)._asdict()
        return {name: measured[name] for name in names}  # what is not asked for is not computed

    return lax.map(of_run, (x, y), batch_size=side_by_side(len(x)))


def side_by_side(runs: int) -> int:
    """Returns how many `runs` to measure at a time: a divisor of them if possible, since a rest is compiled apart."""
    if runs <= RUNS_AT_ONCE:
        return runs
    divisors = (count for count in range(RUNS_AT_ONCE // 2, RUNS_AT_ONCE + 1) if runs % count == 0)
    return max(divisors, default=RUNS_AT_ONCE)


def figures(oracles: Any, upper: Space, lower: Space, x: Any, y: Any) -> Figures:
    """Measures every run's point, in float64 whatever the precision of the run.

    Args:
        oracles: Every agent's oracles, leaves (agents, ...).
        upper: The space of x.
        lower: The space of y.
        x: (runs, agents, p).
        y: (runs, agents, q).

    Returns:
        The figures, each (runs,) on the device.
    """
    return Figures(**chosen_figures(Figures._fields, oracles, upper, lower, x, y))


def chosen_figures(names: tuple[str, ...], oracles: Any, upper: Space, lower: Space, x: Any, y: Any) -> dict[str, Any]:
    """Measures some of the `Figures` alone.

    Args:
        names: Which.
        oracles: Every agent's oracles, leaves (agents, ...).
        upper: The space of x.
        lower: The space of y.
        x: (runs, agents, p).
        y: (runs, agents, q).

    Returns:
        Name -> (runs,).
    """
    python = calls_python(oracles)
    with in_float64(python):
        measured = _figures(names, oracles, upper, lower, x, y)
        return jax.block_until_ready(measured) if python else measured
