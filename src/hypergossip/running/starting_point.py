"""Checks a problem at its starting point: finiteness, influence of each variable, curvature of the lower level."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from hypergossip.core.agent_data.axis import axes_of_agents
from hypergossip.core.agent_data.blocks import agents_at_a_time, in_blocks
from hypergossip.core.problem import Problem
from hypergossip.hypergradients.hessian_free import measured_oracles
from hypergossip.support.compilation import compiled
from hypergossip.support.devices import AXIS, mesh_of, on_devices, to_host
from hypergossip.support.float64 import calls_python, in_float64, to_float64

POWER_ITERATIONS = 24
BATCHES = 4
LITTLE_DATA = 10_000_000  # entries; up to this size, quick compilation saves more time than its slower loops cost
CAUSES = (
    "Usual causes: a label without a column in the logits, the logarithm or a root of zero, 0/0 in a mean over no "
    "samples, or the norm of a zero vector (use the sum of squares instead)."
)


class Start(NamedTuple):
    """Every agent's quantities at the starting point, on all its rows and in float64.

    Attributes:
        upper_loss: f, (agents,).
        lower_loss: g, (agents,).
        fx: dx f, (agents, p).
        fy: dy f, (agents, q).
        gy: dy g, (agents, q).
        mixed: d2xy g times a random vector, (agents, p).
        smallest: The smallest curvature of g in y, (agents,): a Rayleigh quotient, so never below the true value.
        largest: The largest curvature of g in y, (agents,).
        of_batches: The largest curvature found on a few batches, (agents,); 0 if no batches are drawn.
    """

    upper_loss: Any
    lower_loss: Any
    fx: Any
    fy: Any
    gy: Any
    mixed: Any
    smallest: Any
    largest: Any
    of_batches: Any


def measure_start(problem: Problem, start: tuple[Any, Any] | None = None) -> Start:
    """Measures a problem with losses at its starting point; the leaves are on the host.

    Args:
        problem: The problem.
        start: The starting points, (agents, p) and (agents, q); None uses those of the problem.
    """
    return _measure(problem, *((problem.x0, problem.y0) if start is None else start))


def heterogeneity(found: Start) -> float:
    """Returns the largest relative difference between two agents' second derivatives of the lower loss.

    Args:
        found: The quantities at the starting point.
    """
    pairs = [(np.ptp(ends), np.abs(ends).max()) for ends in (found.smallest, found.largest)]
    sizes = np.linalg.norm(found.mixed, axis=-1)
    pairs.append((np.linalg.norm(np.ptp(found.mixed, axis=0)), sizes.max()))
    return max(float(difference / largest) if largest > 0 else 0.0 for difference, largest in pairs)


def gradient_difference(found: Start) -> float:
    """Returns the largest relative difference of an agent's gradient from the mean over the agents.

    Args:
        found: The quantities at the starting point.
    """
    norm = lambda vectors: np.linalg.norm(vectors, axis=-1).max()
    pairs = [(norm(v - v.mean(axis=0)), norm(v)) for v in map(np.asarray, (found.fx, found.fy, found.gy))]
    return max(float(difference / largest) if largest > 0 else 0.0 for difference, largest in pairs)


def _measure(problem: Problem, x: Any, y: Any) -> Start:
    with in_float64(calls_python(problem.oracles)):
        samples = getattr(getattr(problem.oracles, "form", None), "batch_size", 0) is not None
        entries = sum(np.size(leaf) for leaf in jax.tree.leaves(problem.oracles))
        little = entries <= LITTLE_DATA and jax.default_backend() == "cpu"
        measure = _on_little if little else _on_much
        oracles = measured_oracles(problem.oracles, problem.twice_differentiable)
        who, block, mesh = np.asarray(problem.identities), agents_at_a_time(oracles), mesh_of(oracles)
        return to_host(measure(oracles, who, np.asarray(x), np.asarray(y), samples, block, mesh))


def _start(oracles: Any, identities: Any, x: Any, y: Any, samples: bool, block: int | None, mesh: Mesh | None) -> Start:
    x, y = to_float64((x, y))
    mapped = 0 if x.ndim == 2 else None
    direction = jax.random.normal(jax.random.key(0), y.shape[-1:], y.dtype)
    direction = direction / jnp.linalg.norm(direction)
    key = jax.random.key(0)

    def extreme(product: Any, shift: Any) -> Any:
        """Returns the eigenvalue of largest magnitude of shift I - H, or of H if the shift is not positive."""

        def iterate(_: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            v, _ = carry
            Hv = product(v)
            Av = jnp.where(shift > 0, shift * v - Hv, Hv)
            return normalised(Av, v), jnp.vdot(v, Av)

        return lax.fori_loop(0, POWER_ITERATIONS + 1, iterate, (direction, jnp.zeros_like(shift)))[1]

    def of_agent(agent: Any, identity: Any, x: Any, y: Any) -> Start:
        full = agent.full
        with_values = getattr(full, "oracles", full)  # the oracles whose differences are taken
        fx, fy = full.upper_gradients(x, y, key)
        H = full.hessian_product(x, y, key)

        def both_ends(shift: Any, _: Any) -> tuple[Any, Any]:
            # Power iteration finds the curvature of largest magnitude. If it is negative, it is the smallest.
            found = extreme(H, shift)
            return jnp.abs(found), found

        _, (top, below) = lax.scan(both_ends, jnp.zeros_like(y[0]), length=2)
        smallest, largest = jnp.minimum(top, jnp.abs(top) - below), jnp.abs(top)
        of_batches = jnp.zeros_like(largest)
        if samples:
            keys = jax.random.split(jax.random.fold_in(jax.random.key(1), identity), BATCHES)
            batches = lax.map(lambda key: extreme(agent.hessian_product(x, y, key), jnp.zeros_like(y[0])), keys)
            of_batches = jnp.max(batches)
        return Start(
            full.upper_loss(x, y, key),
            with_values.lower_loss(x, y, key) if hasattr(with_values, "lower_loss") else jnp.zeros_like(y[0]),
            fx,
            fy,
            full.lower_gradient(x, y, key),
            full.jacobian_product(x, y, key)(direction),
            smallest,
            largest,
            of_batches,
        )

    def on_device(oracles: Any, identities: Any, x: Any, y: Any) -> Start:
        oracles = to_float64(oracles) if block is None else oracles
        program = of_agent if block is None else partial(_in_blocks, of_agent, block)
        # A point that all agents share is not mapped, which compiles faster.
        return jax.vmap(program, (axes_of_agents(oracles), 0, mapped, mapped))(oracles, identities, x, y)

    if mesh is None:
        return on_device(oracles, identities, x, y)
    of_points = P(AXIS) if mapped == 0 else P()
    specs = P(AXIS), P(AXIS), of_points, of_points
    return on_devices(on_device, mesh, specs, P(AXIS))(oracles, identities, x, y)


def _in_blocks(of_agent: Callable[..., Start], block: int, *arguments: Any) -> Start:
    return in_blocks(lambda *arguments: of_agent(*to_float64(arguments)), block, arguments[1], *arguments)


_on_much = compiled("samples", "block", "mesh")(_start)
_on_little = compiled("samples", "block", "mesh", quickly=True)(_start)


def normalised(Hv: Any, v: Any) -> Any:
    """Returns Hv scaled to length one, or v if Hv is zero."""
    norm = jnp.linalg.norm(Hv)
    return jnp.where(norm > 0, Hv / jnp.where(norm > 0, norm, 1.0), v)


def check_finite(problem: Problem, start: Start) -> None:
    """Raises ValueError if a loss, a gradient or a curvature is not finite at the starting point."""
    quantities = (
        ("the upper loss", start.upper_loss),
        ("the lower loss", start.lower_loss),
        ("the gradient of the upper loss in x", start.fx),
        ("the gradient of the upper loss in y", start.fy),
        ("the gradient of the lower loss in y", start.gy),
        ("the curvature of the lower loss in y", start.largest),
        ("the mixed second derivative of the lower loss", start.mixed),
    )
    for name, values in quantities:
        finite = np.isfinite(values).reshape(len(values), -1)
        wrong = np.flatnonzero(~finite.all(axis=1))
        if len(wrong):
            others = f", and of {len(wrong) - 1} more agents," if len(wrong) > 1 else ""
            value = np.asarray(values)[wrong[0]].ravel()[~finite[wrong[0]]][0]
            kind = "NaN" if np.isnan(value) else "infinite"
            raise ValueError(
                f"{name} of {problem.agent_label(int(wrong[0]))}{others} is {kind} at the starting point, on all its "
                f"samples. {CAUSES}"
            )
    wrong = np.flatnonzero(~np.isfinite(start.of_batches))
    if len(wrong):
        label = problem.agent_label(int(wrong[0]))
        raise ValueError(
            f"the curvature of the lower loss in y of {label} is not finite at the starting point on a batch, although "
            "it is finite on all samples. A mean over selected samples is 0/0 on a batch that contains none of them. "
            "Use a larger batch_size, or a divisor of at least one."
        )


def check_influence(problem: Problem, start: Start) -> list[str]:
    """Finds leaves of x and y without influence, at the starting point and at a random point near it.

    Returns:
        A warning for every leaf of x whose hypergradient is zero at both points.

    Raises:
        ValueError: If the lower loss does not depend on a leaf of y, so that the lower level has no unique solution.
    """
    if not any(_unused(problem, start)[level] for level in (0, 1)):
        return []
    random = np.random.default_rng(0)
    moved = [v + 0.1 * random.standard_normal(v.shape) for v in (np.asarray(problem.x0), np.asarray(problem.y0))]
    beside = _measure(problem, *moved)
    upper, lower = _unused(problem, beside)
    upper, lower = upper & _unused(problem, start)[0], lower & _unused(problem, start)[1]
    if lower:
        names = " and ".join(f"y{problem.lower.paths[k]}" for k in sorted(lower))
        raise ValueError(
            f"the lower loss does not depend on {names}: the derivative is zero, so the lower level has no unique "
            "solution. Move fixed parameters from y into the data or into the loss itself."
        )
    why = {
        True: "neither the upper loss nor the lower solution depends on it",
        False: "the upper loss depends on it neither directly nor through y",
    }
    unused = np.abs(beside.fx) + np.abs(beside.mixed) == 0
    return [
        f"x{problem.upper.paths[k]} has no influence: {why[bool(unused[:, problem.upper.entries(k)].all())]}, so its "
        "hypergradient is zero at the starting point and near it, and its value does not change."
        for k in sorted(upper)
    ]


def _unused(problem: Problem, start: Start) -> tuple[set[int], set[int]]:
    """Returns the numbers of the leaves of x with zero hypergradient, and of y without influence on the lower loss."""
    through_y = start.mixed if np.abs(start.fy).sum() > 0 else np.zeros_like(start.mixed)
    x = np.abs(start.fx).sum(axis=0) + np.abs(through_y).sum(axis=0)
    y = np.abs(start.gy).sum(axis=0)
    find = lambda space, sums: {
        k for k in range(len(space.shapes)) if sums[space.entries(k)].size and not sums[space.entries(k)].any()
    }
    return find(problem.upper, x), find(problem.lower, y)
