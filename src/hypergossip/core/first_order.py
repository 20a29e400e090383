"""What methods without second derivatives share: both gradients of the lower loss, and the directions of a penalty."""

from typing import Any

import jax

from hypergossip.core.algorithm import LossOracles, Lower, Oracles, Sample, Upper
from hypergossip.core.hyperparameter_checks import one_number


def lower_gradients(agent: Oracles, x: Upper, y: Lower, key: Sample) -> tuple[Upper, Lower]:
    """Returns (dx g, dy g) at (x, y; key).

    Args:
        agent: The agent's oracles.
        x: The upper point, (p,).
        y: The lower point, (q,).
        key: The sample.

    Raises:
        TypeError: If the oracles do not provide dx g.
    """
    if not isinstance(agent, LossOracles):
        raise TypeError(
            f"{type(agent).__name__} has no lower_gradients(x, y, key) -> (dx g, dy g), which a method without second "
            "derivatives needs; add it to the oracles, or use a method with products, such as GTSGD."
        )
    return agent.lower_gradients(x, y, key)


def penalised_directions(
    agent: Oracles, x: Upper, y: Lower, z: Lower, key: Sample, penalty: Any, symmetric: bool
) -> tuple[Upper, Lower, Lower]:
    """Returns the directions of x and y that minimise, and of z that maximises, f(x, y) + penalty [g(x, y) - g(x, z)].

    Args:
        agent: The agent's oracles.
        x: The upper point, (p,).
        y: The minimiser of f / penalty + g, (q,).
        z: The minimiser of g, or of g - f / penalty if `symmetric`, (q,).
        key: A key, which gives (x, y) and (x, z) samples of their own.
        penalty: lambda.
        symmetric: Whether the two points lie on opposite sides of the minimiser of g.
    """
    upper_key, lower_key = jax.random.split(key)
    (f_y_key, f_z_key), (y_key, z_key) = jax.random.split(upper_key), jax.random.split(lower_key)
    fx, fy = agent.upper_gradients(x, y, f_y_key)
    gx, gy = lower_gradients(agent, x, y, y_key)
    gx_z, gy_z = lower_gradients(agent, x, z, z_key)
    if not symmetric:
        return fx + penalty * (gx - gx_z), fy + penalty * gy, penalty * gy_z
    fx_z, fy_z = agent.upper_gradients(x, z, f_z_key)
    return (fx + fx_z) / 2 + penalty / 2 * (gx - gx_z), fy + penalty * gy, penalty * gy_z - fy_z


def check_penalty(penalty: Any) -> None:
    """Raises ValueError if a `penalty` is not one positive finite number."""
    one_number("penalty", penalty, "take a number such as 20")
