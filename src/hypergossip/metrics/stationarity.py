"""The metric of DIAMOND, eq. 11, and its counterpart for shared lower levels, on the full data in float64."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.core.collective import RUNS_AT_ONCE, Collective, observed
from hypergossip.core.space import Space
from hypergossip.hypergradients.hessian_free import measured_oracles
from hypergossip.metrics.linear_systems import Elimination, Reference
from hypergossip.metrics.lower_solution import (
    REACHED,
    Reached,
    System,
    any_key,
    both_precisions,
    solve_adjoint,
    solve_lower,
)
from hypergossip.support.pytree import register_pytree


class Metrics(NamedTuple):
    """The measured quantities of a row of the history (equations.md, "What is measured"), each (runs,).

    Attributes:
        stationarity: |grad l(xbar)|^2. If no x is shared, the mean over agents of |grad_{x_i} f_i(x_i, y*)|^2.
        consensus_error: sum_i |x_i - xbar|^2 over shared entries.
        lower_error: `sum_i |y*_i(x_i) - y_i|^2`. If the lower level is shared, `y*` is that of the whole network.
        metric: Their sum, M_t.
        upper_loss: mean_i f_i(x_i, y_i).
        lower_consensus_error: sum_i |y_i - ybar|^2 over shared entries.
        relative_residual: The largest relative residual of the systems solved for them, y* and the adjoint. A quantity
            that depends on a residual above `lower_solution.REACHED` is NaN.
    """

    stationarity: Any
    consensus_error: Any
    lower_error: Any
    metric: Any
    upper_loss: Any
    lower_consensus_error: Any
    relative_residual: Any


def solve_hypergradient(
    agent: Any, upper: Space, lower: Space, x: Any, y: Any, network: Collective, reference: System = None
) -> Reached:
    """Returns one agent's term of the true hypergradient at (x, y), whose mean over the agents is grad l.

    On a shared lower level the second derivatives are the network's means. If no x is shared (SLAM-L), agent i
    minimises its own f_i, and its term is dx f_i - d2xy g_i [1/n sum_j d2yy g_j]^-1 dy f_i, as in corollary 1 of Lu
    et al. 2022. (The derivative of y* with respect to x_i alone has a further factor 1/n, which the paper's methods
    do not contain.)

    Args:
        agent: The agent's oracles without sampling.
        upper: The space of x.
        lower: The space of y.
        x: The upper point, (p,).
        y: The lower solution at x, (q,).
        network: The collective operations over all agents.
        reference: As for `solve_lower`.

    Returns:
        The term, (p,), and the relative residual of its adjoint.
    """
    own = lambda agent, x, y: both_precisions(agent).double.upper_gradients(x, y, any_key())
    fx, fy = network.apart(own, agent, x, y)
    if any(lower.shared) and not any(upper.shared):

        def next_agent(i: Any, found: tuple[Any, Any]) -> tuple[Any, Any]:
            """Solves agent i's system together with all agents."""
            mine = i == network.index
            whole = lower.replace(fy, network.agents * lower.select(fy))  # solve_adjoint averages shared entries
            solved = solve_adjoint(agent, lower, x, y, jnp.where(mine, whole, 0.0), network, reference)
            return jnp.where(mine, solved.solution, found[0]), jnp.maximum(solved.residual, found[1])

        z, residual = lax.fori_loop(0, network.agents, next_agent, (jnp.zeros_like(fy), jnp.zeros((), fy.dtype)))
    else:
        z, residual = solve_adjoint(agent, lower, x, y, fy, network, reference)
    product = lambda agent, x, y, z: both_precisions(agent).double.jacobian_product(x, y, any_key())(z)
    mixed = network.apart(product, agent, x, y, z)
    return Reached(fx - mixed, residual)


def metrics_of_agent(
    agent: Any, x: Any, y: Any, network: Collective, upper: Space, lower: Space, reference: System = None
) -> Metrics:
    """Measures one run's point. This is one agent's program, and its result is the same for all agents.

    Args:
        agent: The agent's oracles.
        x: The agent's x, (p,).
        y: The agent's y, (q,).
        network: The collective operations over all agents.
        upper: The space of x.
        lower: The space of y.
        reference: If given, lower solutions are searched from its solution, with its approximate inverse.

    Returns:
        The metrics, each a scalar.
    """
    full = agent.full if network.block is not None else both_precisions(agent.full)  # cast once, or a block at a time
    x_average = network.average_shared(upper, x)
    start = reference.y if isinstance(reference, Reference) else y
    if any(lower.shared):
        own_solution, own_residual = solution, residual = solve_lower(full, lower, x, start, network, reference)
    else:
        # With personal lower levels grad l(xbar) also needs y* at xbar; a shared level has one y* for both. One loop
        # solves both, one after the other, which halves the program to compile.
        def solve(start: Any, x: Any) -> tuple[Any, Reached]:
            reached = solve_lower(full, lower, x, start, network, reference)
            return reached.solution, reached

        _, both = lax.scan(solve, start, jnp.stack([x, x_average]))
        (own_solution, own_residual), (solution, residual) = (jax.tree.map(lambda v, k=k: v[k], both) for k in (0, 1))
    gradient, adjoint_residual = solve_hypergradient(full, upper, lower, x_average, solution, network, reference)
    own_residual, residual, adjoint_residual = residuals = network.largest(
        jnp.stack([own_residual, residual, adjoint_residual])
    )
    if_solved = lambda value, residual: jnp.where(residual <= REACHED, value, jnp.nan)
    total = lambda value: network.agents * network.mean(value)
    stationarity = if_solved(mean_square(upper, gradient, network), jnp.maximum(residual, adjoint_residual))
    consensus_error = total(jnp.sum((x - x_average) ** 2))
    lower_error = if_solved(total(jnp.sum((own_solution - y) ** 2)), own_residual)
    loss = lambda agent, x, y: both_precisions(agent).double.upper_loss(x, y, any_key())
    upper_loss = network.mean(network.apart(loss, full, x, y))
    lower_consensus_error = total(jnp.sum((y - network.average_shared(lower, y)) ** 2))
    metric = stationarity + consensus_error + lower_error
    largest = jnp.max(residuals)
    return Metrics(stationarity, consensus_error, lower_error, metric, upper_loss, lower_consensus_error, largest)


def mean_square(space: Space, gradient: Any, network: Collective) -> Any:
    """Returns |mean_i g_i|^2 over shared entries plus the mean of |g_i|^2 over personal entries."""
    return network.mean(jnp.sum(network.average_shared(space, gradient) ** 2))


@register_pytree("names", "upper", "lower", "twice_differentiable", "refined", "at_once", "eliminate")
@dataclass(frozen=True)
class MetricsProgram:
    """Measures some of the `Metrics`, in float64.

    Attributes:
        names: The names of the metrics; the others are not computed.
        upper: The space of x.
        lower: The space of y.
        twice_differentiable: Whether the lower loss can be differentiated twice. If not, its second derivatives are
            approximated by differences of gradients.
        refined: Whether linear systems are solved in float32 and refined in float64. Then the agent is a pair of the
            oracles and a `Reference`, or of the oracles and ().
        at_once: The largest number of points to measure at a time.
        eliminate: Whether linear systems are solved by elimination.
    """

    names: tuple[str, ...]
    upper: Space
    lower: Space
    twice_differentiable: bool = True
    refined: bool = False
    at_once: int = RUNS_AT_ONCE
    eliminate: bool = False
    precise: ClassVar[bool] = True

    def __call__(self, agent: Any, x: Any, y: Any, network: Collective) -> dict[str, Any]:
        """Returns name -> scalar; this is one agent's program."""
        reference = Elimination() if self.eliminate else None
        if self.refined:
            agent, reference = agent
            reference = reference if isinstance(reference, Reference) else Reference(y, None)
        agent = measured_oracles(agent, self.twice_differentiable)
        measured = metrics_of_agent(agent, x, y, network, self.upper, self.lower, reference)._asdict()
        return {name: measured[name] for name in self.names}


def evaluate(oracles: Any, upper: Space, lower: Space, x: Any, y: Any) -> Metrics:
    """Measures every run's point, always in float64.

    Args:
        oracles: Every agent's oracles, with leaves (agents, ...).
        upper: The space of x.
        lower: The space of y.
        x: Every agent's x, (runs, agents, p).
        y: Every agent's y, (runs, agents, q).

    Returns:
        The metrics, each (runs,) on the device.
    """
    return Metrics(**observed(MetricsProgram(Metrics._fields, upper, lower), oracles, x, y))
