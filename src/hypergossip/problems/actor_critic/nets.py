"""Small networks for actors and critics: functions of a tree of arrays and a batch of inputs.

Networks are equal if their options are. Any object with the two methods of `Net` can be used. `Module` wraps an
equinox module.
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

from hypergossip.problems.representations import ACTIVATIONS, KERNEL, layer_sizes, linear, windows
from hypergossip.support.arguments import choice, described, real_number, whole_number
from hypergossip.support.callables import check_function
from hypergossip.support.extras import require

Tree = Any


@runtime_checkable
class Net(Protocol):
    """A network. It must be hashable, so that problems with the same networks share their compiled programs."""

    def initial(self, random: np.random.Generator, inputs: tuple[int, ...], outputs: int) -> Tree:
        """Returns initial parameters for inputs of this shape and this number of outputs."""
        ...

    def __call__(self, parameters: Tree, inputs: Float[Array, "samples *inputs"]) -> Float[Array, "samples outputs"]:
        """Returns the outputs, one row per input."""
        ...


def checked_net(name: str, net: Any) -> Net:
    """Returns an argument that is a network.

    Args:
        name: The name of the argument in messages.
        net: The argument.

    Raises:
        ValueError: If it is a class, lacks a method, or cannot be hashed.
    """
    example = "an instance, such as FullyConnected((64, 64)), Convolutional((8, 16)) or Module(make)"
    if isinstance(net, type) or not isinstance(net, Net):
        raise ValueError(f"{name} is {described(net)}; give a network, {example}.")
    try:
        hash(net)
    except TypeError as error:
        raise ValueError(
            f"{name} is {described(net)}, which cannot be hashed ({error}); give a frozen dataclass whose fields are "
            "numbers, text and tuples, because compiled programs are found by their networks."
        ) from error
    return net


def _layer(random: np.random.Generator, inputs: int, outputs: int, scale: float = 1.0) -> dict[str, Any]:
    """Returns weights (outputs, inputs) of variance scale^2 / inputs, and biases of 0."""
    return {
        "weights": scale / np.sqrt(inputs) * random.standard_normal((outputs, inputs)),
        "bias": np.zeros(outputs),
    }


def _check_options(net: Any, sizes: str) -> None:
    """Checks the options that networks have in common, and makes tuples of lists, so that networks can be hashed."""
    object.__setattr__(net, sizes, layer_sizes(sizes, getattr(net, sizes), 0))
    choice("activation", net.activation, ACTIVATIONS)
    object.__setattr__(net, "last_scale", real_number("last_scale", net.last_scale, "give a number, such as 0.01"))


@dataclass(frozen=True)
class FullyConnected:
    """A sequence of hidden layers and a final linear layer; inputs are flattened.

    Attributes:
        widths: The numbers of units of the hidden layers; without any, the network is linear.
        activation: "tanh", "relu", "elu", "gelu", "sigmoid" or "softplus".
        last_scale: The scale of the last layer's initial weights. A small scale makes a policy initially near uniform.

    Raises:
        ValueError: If there is no such activation, or a number is invalid.
    """

    widths: tuple[int, ...] = (64, 64)
    activation: str = "tanh"
    last_scale: float = 1.0

    def __post_init__(self) -> None:
        _check_options(self, "widths")

    def initial(self, random: np.random.Generator, inputs: tuple[int, ...], outputs: int) -> Tree:
        """Returns initial layers, drawn by `random`, for `inputs` of this shape and this number of `outputs`."""
        sizes = [prod(inputs), *self.widths]
        hidden = [_layer(random, before, after) for before, after in pairwise(sizes)]
        return {"hidden": hidden, "last": _layer(random, sizes[-1], outputs, self.last_scale)}

    def __call__(self, parameters: Tree, inputs: Float[Array, "samples *inputs"]) -> Float[Array, "samples outputs"]:
        """Returns the outputs of the network with these `parameters`, one row for each of the `inputs`."""
        values = inputs.reshape(inputs.shape[0], -1)
        for layer in parameters["hidden"]:
            values = ACTIVATIONS[self.activation](linear(layer, values))
        return linear(parameters["last"], values)


@dataclass(frozen=True)
class Convolutional:
    """Convolutions with 3 x 3 kernels and stride 2, then a hidden layer, then a linear layer.

    Inputs are images (rows, columns, channels). The convolutions are computed by shifted slices and a matrix product.
    Mapped over agents, this is several times faster on a CPU than `lax.conv` (`hypergossip.problems.representations`).

    Attributes:
        channels: The numbers of channels of the convolutions.
        width: The number of units of the hidden layer.
        activation: As for `FullyConnected`.
        last_scale: As for `FullyConnected`.

    Raises:
        ValueError: As for `FullyConnected`.
    """

    channels: tuple[int, ...] = (16, 32)
    width: int = 64
    activation: str = "relu"
    last_scale: float = 1.0

    def __post_init__(self) -> None:
        _check_options(self, "channels")
        object.__setattr__(self, "width", whole_number("width", self.width, 1))

    def initial(self, random: np.random.Generator, inputs: tuple[int, ...], outputs: int) -> Tree:
        """Returns initial layers, drawn by `random`, for `inputs` (rows, columns, channels) and these `outputs`.

        Raises:
            ValueError: If the inputs are not images.
        """
        if len(inputs) != 3:
            raise ValueError(
                f"Convolutional takes images (rows, columns, channels), but its inputs have the shape {tuple(inputs)}; "
                "use FullyConnected. The inputs of a reward model are always flat."
            )
        rows, columns, depth = inputs
        kernels = []
        for channels in self.channels:
            kernels.append(_layer(random, KERNEL**2 * depth, channels))
            rows, columns, depth = -(-rows // 2), -(-columns // 2), channels
        hidden = _layer(random, rows * columns * depth, self.width)
        return {"convolutions": kernels, "hidden": hidden, "last": _layer(random, self.width, outputs, self.last_scale)}

    def __call__(self, parameters: Tree, inputs: Float[Array, "samples *inputs"]) -> Float[Array, "samples outputs"]:
        """Returns the outputs of the network with these `parameters`, one row for each image in `inputs`."""
        activate, values = ACTIVATIONS[self.activation], inputs
        for layer in parameters["convolutions"]:
            values = activate(linear(layer, windows(values)))
        hidden = activate(linear(parameters["hidden"], values.reshape(values.shape[0], -1)))
        return linear(parameters["last"], hidden)


class Module:
    """An equinox module as a `Net`: its arrays are the parameters, and the object keeps the rest.

    Two objects are equal only if identical, so make each module once.
    """

    def __init__(self, make: Any) -> None:
        """Takes a function ``make(key, inputs, outputs)`` that returns a module, which maps an input to its outputs.

        Raises:
            ValueError: If it cannot be called in this way.
        """
        check_function(make, "make", ("key", "inputs", "outputs"))
        self._make, self._rest = make, None

    def initial(self, random: np.random.Generator, inputs: Sequence[int], outputs: int) -> Tree:
        """Returns the arrays of a new module, drawn by `random`, for `inputs` of this shape and these `outputs`."""
        equinox = require("equinox", "games", "A network of equinox")
        key = jax.random.key(int(random.integers(2**31)))
        arrays, self._rest = equinox.partition(self._make(key, tuple(inputs), outputs), equinox.is_inexact_array)
        return arrays

    def __call__(self, parameters: Tree, inputs: Float[Array, "samples *inputs"]) -> Float[Array, "samples outputs"]:
        """Returns the outputs of the network with these `parameters`, one row for each of the `inputs`."""
        equinox = require("equinox", "games", "A network of equinox")
        return jax.vmap(equinox.combine(parameters, self._rest))(jnp.asarray(inputs))
