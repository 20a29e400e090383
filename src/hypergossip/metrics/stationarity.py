"""DIAMOND's eq. 11 and its like for shared lower levels, on the whole data and in float64."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.core.collective import Collective, observed
from hypergossip.core.space import Space
from hypergossip.hypergradients.hessian_free import measured_oracles
from hypergossip.metrics.lower_solution import REACHED, Reached, solve_adjoint, solve_lower
from hypergossip.support.pytree import register_pytree


class Metrics(NamedTuple):
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


def solve_hypergradient(agent: Any, upper: Space, lower: Space, x: Any, y: Any, network: Collective) -> Reached:
    """Returns one agent's term of the true hypergradient at (x, y), whose mean over the agents is grad l.

    On a shared lower level the second derivatives are the network's means. Where no x is shared (SLAM-L) agent i
    minimises its own f_i: its term is dx f_i - d2xy g_i [1/n sum_j d2yy g_j]^-1 dy f_i, as corollary 1 of Lu et
    al. 2022 reads it. (The derivative of y* along x_i alone carries a further 1/n, which no method of the paper sees.)

    Args:
        agent: The agent's oracles without sampling.
        upper: The space of x.
        lower: The space of y.
        x: Where, (p,).
        y: The lower solution there, (q,).
        network: All agents.

    Returns:
        The term, (p,), and the relative residual of the adjoint behind it.
    """
    key = jax.random.key(0)
    fx, fy = network.apart(lambda agent, x, y: agent.upper_gradients(x, y, key), agent, x, y)
    if any(lower.shared) and not any(upper.shared):

        def own(i: Any, found: tuple[Any, Any]) -> tuple[Any, Any]:
            """Solves agent i's system, in which all agents take part."""
            mine = i == network.index
            whole = lower.replace(fy, network.agents * lower.select(fy))  # its shared entries are averaged
            solved = solve_adjoint(agent, lower, x, y, jnp.where(mine, whole, 0.0), network)
            return jnp.where(mine, solved.solution, found[0]), jnp.maximum(solved.residual, found[1])

        z, residual = lax.fori_loop(0, network.agents, own, (jnp.zeros_like(fy), jnp.zeros((), fy.dtype)))
    else:
        z, residual = solve_adjoint(agent, lower, x, y, fy, network)
    mixed = network.apart(lambda agent, x, y, z: agent.jacobian_product(x, y, key)(z), agent, x, y, z)
    return Reached(fx - mixed, residual)


def metrics_of_agent(agent: Any, x: Any, y: Any, network: Collective, upper: Space, lower: Space) -> Metrics:
    """Measures one run's point: one agent's program, whose result is the same for all.

    Args:
        agent: The agent's oracles.
        x: (p,).
        y: (q,).
        network: All agents.
        upper: The space of x.
        lower: The space of y.

    Returns:
        The metrics, each a scalar.
    """
    full = agent.full
    x_average = network.average_shared(upper, x)
    if any(lower.shared):
        own_solution, own_residual = solution, residual = solve_lower(full, lower, x, y, network)
    else:
        # With personal lower levels grad l(xbar) needs y* at xbar, too; a shared one has the same y* in both. One after
        # the other in one loop, which is half the program to compile.
        def solve(start: Any, x: Any) -> tuple[Any, Reached]:
            reached = solve_lower(full, lower, x, start, network)
            return reached.solution, reached

        _, both = lax.scan(solve, y, jnp.stack([x, x_average]))
        (own_solution, own_residual), (solution, residual) = (jax.tree.map(lambda v, k=k: v[k], both) for k in (0, 1))
    gradient, adjoint_residual = solve_hypergradient(full, upper, lower, x_average, solution, network)
    own_residual, residual, adjoint_residual = residuals = network.largest(
        jnp.stack([own_residual, residual, adjoint_residual])
    )
    if_solved = lambda value, residual: jnp.where(residual <= REACHED, value, jnp.nan)
    total = lambda value: network.agents * network.mean(value)
    stationarity = if_solved(mean_square(upper, gradient, network), jnp.maximum(residual, adjoint_residual))
    consensus_error = total(jnp.sum((x - x_average) ** 2))
    lower_error = if_solved(total(jnp.sum((own_solution - y) ** 2)), own_residual)
    upper_loss = network.mean(network.apart(lambda agent, x, y: agent.upper_loss(x, y, jax.random.key(0)), full, x, y))
    lower_consensus_error = total(jnp.sum((y - network.average_shared(lower, y)) ** 2))
    metric = stationarity + consensus_error + lower_error
    largest = jnp.max(residuals)
    return Metrics(stationarity, consensus_error, lower_error, metric, upper_loss, lower_consensus_error, largest)


def mean_square(space: Space, gradient: Any, network: Collective) -> Any:
    """Returns |mean_i g_i|^2 over shared entries plus the mean of |g_i|^2 over private ones."""
    return network.mean(jnp.sum(network.average_shared(space, gradient) ** 2))


@register_pytree("names", "upper", "lower", "twice_differentiable")
@dataclass(frozen=True)
class MetricsProgram:
    """Measures some of the `Metrics`, in float64.

    Attributes:
        names: Which; what is not asked for is not computed.
        upper: The space of x.
        lower: The space of y.
        twice_differentiable: Can the lower loss be differentiated twice? If not, differences are measured with.
    """

    names: tuple[str, ...]
    upper: Space
    lower: Space
    twice_differentiable: bool = True
    precise: ClassVar[bool] = True

    def __call__(self, agent: Any, x: Any, y: Any, network: Collective) -> dict[str, Any]:
        """Returns name -> scalar; one agent's program."""
        agent = measured_oracles(agent, self.twice_differentiable)
        measured = metrics_of_agent(agent, x, y, network, self.upper, self.lower)._asdict()
        return {name: measured[name] for name in self.names}


def evaluate(oracles: Any, upper: Space, lower: Space, x: Any, y: Any) -> Metrics:
    """Measures every run's point, in float64 whatever the precision of the run.

    Args:
        oracles: Every agent's oracles, leaves (agents, ...).
        upper: The space of x.
        lower: The space of y.
        x: (runs, agents, p).
        y: (runs, agents, q).

    Returns:
        The metrics, each (runs,) on the device.
    """
    return Metrics(**observed(MetricsProgram(Metrics._fields, upper, lower), oracles, x, y))
