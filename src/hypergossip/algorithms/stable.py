"""STABLE: one time scale, averaged second derivatives and a lower step that follows x (Chen, Sun, Xiao & Yin 2022)."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypergossip.core.algorithm import Algorithm, Cost, Facts, Lower, Mix, Oracles, Sample, Upper
from hypergossip.core.declarations import Needs, register
from hypergossip.core.schedules import Momentum, StepSize, at, momentum_at
from hypergossip.core.step_bounds import beyond_curvature, check_momenta
from hypergossip.core.two_points import at_two_points


class State(NamedTuple):
    """One agent's variables: x, x_prev (p,); y, y_prev (q,); H_yy (q, q) and H_xy (p, q), the averaged derivatives."""

    x: Upper
    y: Lower
    x_prev: Upper
    y_prev: Lower
    H_yy: Float[Array, "q q"]
    H_xy: Float[Array, "p q"]


@register
class Stable(Algorithm):
    """Single-timescale stochastic bilevel optimization: STORM on the second derivatives, kept as full matrices.

    A round costs one upper and one lower sample, the full matrices d2yy g and d2xy g at both of STORM's points (q
    Hessian and q Jacobian products each), and an eigendecomposition of a (q, q) matrix, so q should be small. Each
    round sends one message, x. With one agent it is the paper's method. With several agents, x is averaged over the
    neighbours as in D-SGD, and y follows the total change of x, including the averaging.

    This was written from knowledge of the paper, without access to it. That the gradient and both matrices use the same
    lower sample agrees with public code (`studies.authors_code`). We could not confirm that the second truncation is in
    the Frobenius norm. We truncate the eigenvalues of the symmetric part, which gives the nearest matrix above mu_g I.

    Args:
        upper_step: alpha_t, a number or a schedule, or one for each leaf.
        lower_step: beta_t, likewise.
        momentum: tau_t in [0, 1], a number, a schedule or `SquaredStep`; always 1 in round 0.
        strong_convexity: mu_g > 0, at most the smallest eigenvalue of the mean d2yy g. The eigenvalues of the average
            are truncated below at mu_g.
        jacobian_bound: C_gxy, at least the Frobenius norm of the mean d2xy g. The average is scaled down to it. None:
            no bound.
    """

    upper_step: StepSize
    lower_step: StepSize
    momentum: Momentum
    strong_convexity: Any
    jacobian_bound: Any = None

    needs: ClassVar[Needs] = Needs(personal_lower=True)
    untracked: ClassVar[tuple[str, ...]] = ("upper_step",)

    def init(self, agent: Oracles, x: Upper, y: Lower, key: Sample) -> State:
        """Returns the state before round 0, which discards the averages, as tau_0 = 1."""
        p, q = x.size, y.size
        return State(x, y, x_prev=x, y_prev=y, H_yy=jnp.zeros((q, q), y.dtype), H_xy=jnp.zeros((p, q), x.dtype))

    def step(self, agent: Oracles, mix: Mix, round: Any, state: State, key: Sample) -> tuple[State, Cost]:
        """Returns the state after one round, and its cost."""
        s, q = state, state.y.size
        upper_key, lower_key = jax.random.split(key)
        alpha, beta = at(self.upper_step, round), at(self.lower_step, round)
        tau = momentum_at(self.momentum, self.upper_step, round)

        def second_derivatives(x: Upper, y: Lower) -> tuple[Any, Any]:
            unit = jnp.eye(q, dtype=y.dtype)
            H = jax.vmap(agent.hessian_product(x, y, lower_key))(unit)
            return H, jax.vmap(agent.jacobian_product(x, y, lower_key))(unit).T

        Mx = mix(upper=s.x)
        fx, fy = agent.upper_gradients(s.x, s.y, upper_key)
        h = agent.lower_gradient(s.x, s.y, lower_key)
        (H, J), (H_prev, J_prev) = at_two_points(second_derivatives, (s.x, s.y), (s.x_prev, s.y_prev))
        curvatures, V = cut_below(H + (1 - tau) * (s.H_yy - H_prev), self.strong_convexity)
        H_xy = cut_above(J + (1 - tau) * (s.H_xy - J_prev), self.jacobian_bound)
        inverse = lambda b: V @ ((V.T @ b) / curvatures)  # of the new H_yy
        x = agent.project(Mx - alpha * (fx - H_xy @ inverse(fy)))
        y = s.y - beta * h - inverse(H_xy.T @ (x - s.x))  # dy*/dx = -H_yy^-1 H_yx
        cost = Cost(agent.samples(upper=1, lower=1), 1, 1, 2 * q, 2 * q)
        return State(x, y, x_prev=s.x, y_prev=s.y, H_yy=(V * curvatures) @ V.T, H_xy=H_xy), cost

    def check(self, facts: Facts) -> list[str]:
        """Refuses bounds that are not positive, and warns of mu_g or a step that is too large for the curvature."""
        check_momenta(self)
        mu, bound = self.strong_convexity, self.jacobian_bound
        if not float(mu) > 0 or (bound is not None and not float(bound) > 0):
            raise ValueError(f"strong_convexity = {mu} and jacobian_bound = {bound}; both must be positive.")
        warnings = beyond_curvature(facts, {"lower_step": self.lower_step})
        if float(mu) > facts.lower_curvature[0]:
            warnings.append(
                f"strong_convexity = {float(mu):.3g} is above the lower level's smallest curvature at the "
                f"start, {facts.lower_curvature[0]:.3g}: the truncation biases the hypergradient. Take a smaller value."
            )
        return warnings


def cut_below(H: Float[Array, "q q"], least: Any) -> tuple[Float[Array, "q"], Float[Array, "q q"]]:
    """Returns the eigenvalues, truncated below at `least`, and the eigenvectors of the symmetric part of H."""
    curvatures, V = jnp.linalg.eigh((H + H.T) / 2)
    return jnp.maximum(curvatures, least), V


def cut_above(J: Float[Array, "p q"], bound: Any) -> Float[Array, "p q"]:
    """Returns J, scaled to the Frobenius norm `bound` if its norm is larger; with None, J is unchanged."""
    return J if bound is None else J * (bound / jnp.maximum(jnp.linalg.norm(J), bound))
