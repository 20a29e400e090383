"""Small networks for actors and critics: functions of a tree of arrays and one input, equal where their options are.

Anything else with these two methods will do; `Module` takes a module of equinox.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypergossip.problems.representations import ACTIVATIONS, KERNEL, linear, windows
from hypergossip.support.extras import require

Tree = Any


@runtime_checkable
class Net(Protocol):
    """A network: hashable, so that problems of the same networks share their compiled programs."""

    def initial(self, random: np.random.Generator, inputs: tuple[int, ...], outputs: int) -> Tree:
        """Returns parameters to start from, for inputs of this shape and so many outputs."""
        ...

    def __call__(self, parameters: Tree, inputs: Float[Array, "samples *inputs"]) -> Float[Array, "samples outputs"]:
        """Returns the outputs, one row an input."""
        ...


def _layer(random: np.random.Generator, inputs: int, outputs: int, scale: float = 1.0) -> dict[str, Any]:
    """Weights (outputs, inputs) of variance scale^2 / inputs and biases 0."""
    return {
        "weights": scale / np.sqrt(inputs) * random.standard_normal((outputs, inputs)),
        "bias": np.zeros(outputs),
    }


@dataclass(frozen=True)
class FullyConnected:
    """Hidden layers one after another under a linear one; inputs are flattened.

    Attributes:
        widths: Units of the hidden layers; none makes it linear.
        activation: "tanh", "relu", "elu", "gelu", "sigmoid" or "softplus".
        last_scale: Of the last layer's first weights: small for a policy that starts near uniform.
    """

    widths: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    last_scale: float = 1.0

    def initial(self, random: np.random.Generator, inputs: tuple[int, ...], outputs: int) -> Tree:
        """Returns layers to start from, drawn by `random` for `inputs` of this shape and so many `outputs`."""
        sizes = [prod(inputs), *self.widths]
        hidden = [_layer(random, before, after) for before, after in pairwise(sizes)]
        return {"hidden": hidden, "last": _layer(random, sizes[-1], outputs, self.last_scale)}

    def __call__(self, parameters: Tree, inputs: Float[Array, "samples *inputs"]) -> Float[Array, "samples outputs"]:
        """Returns the outputs of the `parameters` at the `inputs`, one row an input."""
        values = inputs.reshape(inputs.shape[0], -1)
        for layer in parameters["hidden"]:
            values = ACTIVATIONS[self.activation](linear(layer, values))
        return linear(parameters["last"], values)


@dataclass(frozen=True)
class Convolutional:
    """Convolutions of 3 x 3 at every second cell, then a hidden layer, then a linear one.

    Inputs are images (rows, columns, channels). The convolutions are shifted slices and one product of matrices, which
    mapped over agents is several times faster on a CPU than `lax.conv` (`hypergossip.problems.representations`).

    Attributes:
        channels: Of the convolutions.
        width: Units of the hidden layer.
        activation: As for `FullyConnected`.
        last_scale: As for `FullyConnected`.
    """

    channels: tuple[int, ...] = (16, 32)
    width: int = 64
    activation: str = "relu"
    last_scale: float = 1.0

    def initial(self, random: np.random.Generator, inputs: tuple[int, ...], outputs: int) -> Tree:
        """Returns layers to start from, drawn by `random` for `inputs` (rows, columns, channels) and the `outputs`."""
        rows, columns, depth = inputs
        kernels = []
        for channels in self.channels:
            kernels.append(_layer(random, KERNEL**2 * depth, channels))
            rows, columns, depth = -(-rows // 2), -(-columns // 2), channels
        hidden = _layer(random, rows * columns * depth, self.width)
        return {"convolutions": kernels, "hidden": hidden, "last": _layer(random, self.width, outputs, self.last_scale)}

    def __call__(self, parameters: Tree, inputs: Float[Array, "samples *inputs"]) -> Float[Array, "samples outputs"]:
        """Returns the outputs of the `parameters` at the `inputs`, one row an image."""
        activate, values = ACTIVATIONS[self.activation], inputs
        for layer in parameters["convolutions"]:
            values = activate(linear(layer, windows(values)))
        hidden = activate(linear(parameters["hidden"], values.reshape(values.shape[0], -1)))
        return linear(parameters["last"], hidden)


class Module:
    """A module of equinox as a `Net`: its arrays are the parameters, the rest is kept aside.

    Equal to itself alone, so make it once.
    """

    def __init__(self, make: Any) -> None:
        """Takes ``make(key, inputs, outputs)``, which returns a module that maps one input to its outputs."""
        self._make, self._rest = make, None

    def initial(self, random: np.random.Generator, inputs: Sequence[int], outputs: int) -> Tree:
        """Returns the arrays of a new module, drawn by `random`, for `inputs` of this shape and the `outputs`."""
        equinox = require("equinox", "games", "A network of equinox")
        key = jax.random.key(int(random.integers(2**31)))
        arrays, self._rest = equinox.partition(self._make(key, tuple(inputs), outputs), equinox.is_inexact_array)
        return arrays

    def __call__(self, parameters: Tree, inputs: Float[Array, "samples *inputs"]) -> Float[Array, "samples outputs"]:
        """Returns the outputs of the `parameters` at the `inputs`, one row an input."""
        equinox = require("equinox", "games", "A network of equinox")
        return jax.vmap(equinox.combine(parameters, self._rest))(jnp.asarray(inputs))
