"""Meta-learning as a bilevel problem: MAML, ANIL and iMAML for arbitrary networks and tasks.

MAML: Finn, Abbeel & Levine 2017. ANIL: Raghu, Raghu, Bengio & Vinyals 2020. iMAML: Rajeswaran, Finn, Kakade & Levine
2019.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

FORMS = ("maml", "anil", "imaml")

Layers = list[Any]  # a pytree of parameters for every layer, in order
Shots = Any  # a pytree with leaves (shots, ...) for one task, and (shots, tasks, ...) for several


@dataclass(frozen=True)
class Adaptation:
    """The adaptation of a network x to every task, and the two losses of the corresponding bilevel problem.

    A task's parameters are x displaced by y. The displacement concerns all layers for "maml" and "imaml", and the last
    layer for "anil".

    Attributes:
        form: A name in `FORMS`.
        error: The error S, a function of the parameters and the shots of one task: a mean over the shots.
        steps: T, the number of gradient steps of "maml" and "anil". For "imaml" it is the number of accelerated steps
            in `adapt` only.
        step: The size a of these steps.
        proximity: lambda of "imaml"; the other forms do not use it.
    """

    form: str
    error: Callable[[Layers, Shots], Float[Array, ""]]
    steps: int
    step: float
    proximity: float

    def unadapted(self, x: Layers) -> Layers:
        """Returns the zero displacement."""
        return jax.tree.map(jnp.zeros_like, x[-1:] if self.form == "anil" else x)

    def displaced(self, x: Layers, y: Layers) -> Layers:
        """Returns the parameters of a task, x displaced by y."""
        kept = len(x) - len(y)
        return [*x[:kept], *jax.tree.map(jnp.add, x[kept:], y)]

    def adapt(self, x: Layers, support: Shots) -> Layers:
        """Returns the displacement that adapts x to the `support` shots of one task.

        For "maml" and "anil" it is the result of the T steps, which is y*(x). For "imaml" it is the result of T steps
        of Nesterov's accelerated gradient method towards y*(x), for a curvature of at least lambda.
        """
        if self.form != "imaml":
            return self._descend(x, support, self.steps)
        root = jnp.sqrt(self.step * self.proximity)
        momentum = (1 - root) / (1 + root)

        def one(carry: tuple[Layers, Layers], _: None) -> tuple[tuple[Layers, Layers], None]:
            y, ahead = carry
            slope = jax.grad(self._lower, 1)(x, ahead, support)
            y_new = jax.tree.map(lambda v, s: v - self.step * s, ahead, slope)
            return (y_new, jax.tree.map(lambda new, old: new + momentum * (new - old), y_new, y)), None

        start = self.unadapted(x)
        return lax.scan(one, (start, start), None, length=self.steps)[0][0]

    def upper_loss(self, x: Layers, y: Layers, batch: Shots) -> Float[Array, ""]:
        """f: the mean over the tasks of the error on the query shots.

        Args:
            x: The network.
            y: Every task's displacement, with leaves (tasks, ...).
            batch: The query shots, with leaves (shots, tasks, ...).
        """
        return jnp.mean(jax.vmap(self._error, (None, 0, 1))(x, y, batch))

    def lower_loss(self, x: Layers, y: Layers, batch: Shots) -> Float[Array, ""]:
        """g: a sum over the tasks, so that its curvature does not depend on their number.

        For "maml" and "anil", a task's term is ``<grad S(d), y - d> + |y - d|^2 / 2a``, where d is the displacement
        after T - 1 steps from x; its minimiser is the T-th step. For "imaml", the term is ``S(y) + lambda/2 |y|^2``.

        Args:
            x: The network.
            y: Every task's displacement, with leaves (tasks, ...).
            batch: The support shots, with leaves (shots, tasks, ...).
        """
        return jnp.sum(jax.vmap(self._lower, (None, 0, 1))(x, y, batch))

    def _lower(self, x: Layers, y: Layers, support: Shots) -> Float[Array, ""]:
        if self.form == "imaml":
            return self._error(x, y, support) + self.proximity / 2 * _product(y, y)
        d = self._descend(x, support, self.steps - 1)
        rest = jax.tree.map(jnp.subtract, y, d)
        return _product(jax.grad(self._error, 1)(x, d, support), rest) + _product(rest, rest) / (2 * self.step)

    def _descend(self, x: Layers, support: Shots, steps: int) -> Layers:
        """Takes gradient steps on the support error from the zero displacement."""

        def one(y: Layers, _: None) -> tuple[Layers, None]:
            slope = jax.grad(self._error, 1)(x, y, support)
            return jax.tree.map(lambda y, s: y - self.step * s, y, slope), None

        return lax.scan(one, self.unadapted(x), None, length=steps)[0]

    def _error(self, x: Layers, y: Layers, shots: Shots) -> Float[Array, ""]:
        return self.error(self.displaced(x, y), shots)


def _product(one: Layers, other: Layers) -> Float[Array, ""]:
    """Returns the inner product of two displacements."""
    return jax.tree.reduce(jnp.add, jax.tree.map(jnp.vdot, one, other))
