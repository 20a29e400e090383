"""Iterative differentiation: the derivative of f through the lower level's own steps (ITD; Grazzi et al. 2020)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from hypergossip.core.algorithm import Cost, Facts, Hypergradient, Lower, Oracles, Sample, Upper, Vector
from hypergossip.core.declarations import register, static
from hypergossip.core.schedules import LeafValues, StepSize, at
from hypergossip.core.step_bounds import SETTLED, beyond_curvature, extremes


class Unrolling(NamedTuple):
    """What `unroll` returns.

    Attributes:
        y: (q,) the point y_T after T lower steps.
        G: (p,) the derivative of f(x, y_T(x)).
        cost: The cost.
    """

    y: Lower
    G: Upper
    cost: Cost


def unroll(
    agent: Oracles, x: Upper, y: Lower, key: Sample, steps: int, lower_step: Any, checkpoints: int = 0
) -> Unrolling:
    """Takes lower steps ``y_{t+1} = y_t - beta dy g(x, y_t; zeta_t)`` and differentiates f(x, y_T(x)) through them.

    The derivative is computed backwards by the products ``G -= beta d2xy g(x, y_t; zeta_t) w`` and
    ``w -= beta d2yy g(..) w``, starting from ``G = dx f, w = dy f``. The result is that of automatic differentiation of
    the loop, but only the points y_t are stored, no intermediate values of a step, and any oracles can be used.

    Args:
        agent: The agent's oracles.
        x: (p,).
        y: (q,) the point at which the steps begin.
        key: The samples: one for the upper level and one for each lower step, the same forwards and backwards.
        steps: T.
        lower_step: beta, a scalar; or (q,), one for each entry of y.
        checkpoints: With 0, all T points are stored. With c > 0, at most c points are stored, and the others are
            recomputed from the checkpoint before them, which takes about T^2 / (2 c) further lower gradients.

    Returns:
        The point, the derivative and the cost.
    """
    upper_key, lower_key = jax.random.split(key)
    zeta = lambda t: jax.random.fold_in(lower_key, t)
    step = lambda t, y: y - lower_step * agent.lower_gradient(x, y, zeta(t))
    stretch = 1 if checkpoints == 0 else -(-steps // checkpoints)

    def forwards(y: Lower, first: Any) -> tuple[Lower, Lower]:
        return lax.fori_loop(first, jnp.minimum(first + stretch, steps), step, y), y

    y_T, kept = lax.scan(forwards, y, jnp.arange(0, steps, stretch))
    fx, fy = agent.upper_gradients(x, y_T, upper_key)

    def scaled(product: Callable[[Lower], Vector], w: Lower) -> Vector:
        # With a beta for each entry, D, the transpose of D d2yx g is d2xy g D, and the products take D w.
        return product(lower_step * w) if jnp.ndim(lower_step) else lower_step * product(w)

    def backwards(back: Any, carry: tuple[Upper, Lower]) -> tuple[Upper, Lower]:
        G, w = carry
        t = steps - 1 - back
        y_t = lax.fori_loop(t - t % stretch, t, step, kept[t // stretch])
        G = G - scaled(agent.jacobian_product(x, y_t, zeta(t)), w)
        w = w - scaled(agent.hessian_product(x, y_t, zeta(t)), w)
        return G, w

    # The first point does not depend on x, so the last product with d2yy g is not needed.
    G, w = lax.fori_loop(0, steps - 1, backwards, (fx, fy))
    G = G - scaled(agent.jacobian_product(x, y, zeta(0)), w)
    gradients = steps + sum(t % stretch for t in range(1, steps))
    return Unrolling(y_T, G, Cost(agent.samples(upper=1, lower=steps), 1, gradients, steps - 1, steps))


@register
class Unrolled(Hypergradient):
    """The derivative of f(x, y_T(x)) through T lower steps that begin at y.

    Its bias against eq. 3 decreases as (1 - beta mu_g)^T for two reasons: y_T is nearer to y*, and the sum is longer.

    Args:
        steps: T.
        lower_step: beta, below 2 over the largest curvature of g; a number, or one for each leaf of y0.
        checkpoints: With 0, all T points are stored; otherwise the largest number of stored points (see `unroll`).
    """

    steps: int = static()
    lower_step: StepSize
    checkpoints: int = static(default=0)

    def __call__(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Cost]:
        """Returns the estimate, (p,), and its cost."""
        unrolling = unroll(agent, x, y, key, self.steps, constant(self.lower_step), self.checkpoints)
        return unrolling.G, unrolling.cost

    def check(self, facts: Facts) -> list[str]:
        """Refuses lower steps that diverge."""
        constant(self.lower_step)
        return check_unrolling(self.steps, self.lower_step, self.checkpoints, facts)


def constant(lower_step: StepSize) -> Any:
    """Returns the value of a step that is constant over the rounds, as an estimator does not know the round.

    Raises:
        ValueError: If it is a schedule, or one of its leaves is.
    """
    values = lower_step.values if isinstance(lower_step, LeafValues) else jax.tree.leaves(lower_step, is_leaf=callable)
    if any(callable(value) for value in values):
        raise ValueError(
            "lower_step is a schedule, but an estimator does not know the round; give a number, or one for "
            "each leaf of y0."
        )
    return at(lower_step, 0)


def check_unrolling(steps: int, lower_step: StepSize, checkpoints: int, facts: Facts) -> list[str]:
    """Refuses lower steps that diverge, and warns if they diverge only in the first rounds or may diverge.

    Args:
        steps: T.
        lower_step: beta, a number, a schedule, or one of these for each leaf.
        checkpoints: The number of points that are stored, or 0.
        facts: The facts known before the run.

    Returns:
        The warnings.

    Raises:
        ValueError: If there are no steps, a negative number of checkpoints, or the step settles above 2 / curvature.
    """
    largest, (least, _) = facts.lower_curvature[1], extremes(lower_step, SETTLED)
    if steps < 1 or checkpoints < 0 or not extremes(lower_step, 0)[1] > 0:
        raise ValueError(
            f"steps = {steps}, lower_step = {lower_step}, checkpoints = {checkpoints}; take steps >= 1, "
            "lower_step > 0 and checkpoints >= 0."
        )
    if least * largest >= 2:
        raise ValueError(
            f"lower_step = {least:.3g} is above 2 / {largest:.3g}, the lower level's curvature at "
            f"the start: its steps diverge if the curvature stays as it is. Take at most {1 / largest:.2g}."
        )
    return beyond_curvature(facts, {"lower_step": lower_step})
