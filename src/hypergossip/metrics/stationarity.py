"""DIAMOND's eq. 11 and its like for shared lower levels, on the whole data and in float64."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from hypergossip.compilation import compiled
from hypergossip.metrics.float64 import to_float64
from hypergossip.metrics.lower_solution import adjoint_solution, average_shared, lower_solution
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
    """

    stationarity: Any
    consensus_error: Any
    lower_error: Any
    metric: Any
    upper_loss: Any
    lower_consensus_error: Any


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
    key = jax.random.key(0)
    fx, fy = jax.vmap(lambda agent, x, y: agent.upper_gradients(x, y, key))(oracles, x, y)
    agents = x.shape[0]
    if any(lower.shared) and not any(upper.shared):

        def own(i: Any) -> Any:
            target = jnp.zeros_like(fy).at[i].set(lower.replace(fy[i], agents * lower.select(fy[i])))
            return adjoint_solution(oracles, lower, x, y, target)[i]

        z = lax.map(own, jnp.arange(agents))
    else:
        z = adjoint_solution(oracles, lower, x, y, fy)
    return fx - jax.vmap(lambda agent, x, y, z: agent.jacobian_product(x, y, key)(z))(oracles, x, y, z)


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
        own_solution = solution = lower_solution(full, lower, x, y)
    else:
        # With personal lower levels grad l(xbar) needs y* at xbar, too; a shared one has the same y* in both. One after
        # the other in one loop, which is half the program to compile.
        def solve(start: Any, x: Any) -> tuple[Any, Any]:
            solution = lower_solution(full, lower, x, start)
            return solution, solution

        _, (own_solution, solution) = lax.scan(solve, y, jnp.stack([x, x_average]))
    gradients = hypergradients(full, upper, lower, x_average, solution)
    stationarity = mean_square(upper, gradients)
    consensus_error = jnp.sum((x - x_average) ** 2)
    lower_error = jnp.sum((own_solution - y) ** 2)
    key = jax.random.key(0)
    upper_loss = jnp.mean(jax.vmap(lambda agent, x, y: agent.upper_loss(x, y, key))(full, x, y))
    lower_consensus_error = jnp.sum((y - average_shared(lower, y)) ** 2)
    metric = stationarity + consensus_error + lower_error
    return Figures(stationarity, consensus_error, lower_error, metric, upper_loss, lower_consensus_error)


def mean_square(space: Space, gradients: Float[Array, "agents p"]) -> Float[Array, ""]:
    """Returns |mean_i g_i|^2 over shared entries plus the mean of |g_i|^2 over private ones."""
    average = average_shared(space, gradients)
    return jnp.mean(jnp.sum(average**2, axis=1))


@compiled("upper", "lower")
def _figures(oracles: Any, upper: Space, lower: Space, x: Any, y: Any) -> Figures:
    oracles, x, y = to_float64((oracles, x, y))
    return lax.map(lambda point: figures_of_run(oracles, upper, lower, *point), (x, y), batch_size=side_by_side(len(x)))


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
    with jax.enable_x64(True):
        return _figures(oracles, upper, lower, x, y)
