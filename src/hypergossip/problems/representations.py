"""Dense and convolutional networks that map samples to features for a linear layer.

The convolutions of all agents, each with its own kernels, become one grouped convolution, which is slow on a CPU.
Concatenated shifted slices and one matrix product give the same numbers: with them a step of DIAMOND on MNIST takes two
thirds of the time, and the measurement of M_t a ninth (JAX 0.10.2).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from hypergossip.support.arguments import choice
from hypergossip.support.dimensions import at_most

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
}
# The variance of a layer's normal weights, from the numbers of inputs and outputs of its units; biases start at 0.
INITIALIZATIONS: dict[str, Callable[[int, int], float]] = {
    "glorot": lambda inputs, outputs: 2 / (inputs + outputs),  # Glorot & Bengio 2010
    "he": lambda inputs, outputs: 2 / inputs,  # He, Zhang, Ren & Sun 2015, for relu
    "lecun": lambda inputs, outputs: 1 / inputs,  # LeCun, Bottou, Orr & Mueller 1998
}
KERNEL, STRIDE = 3, 2  # every convolution has windows of 3 x 3 pixels, one at every second pixel

# "weights" (outputs, inputs) and "bias" (outputs,) of every layer. In this order of axes the weights of two points with
# the same samples (`at_two_points`) are adjacent in memory as one matrix. The other order would copy them at every use.
Layers = list[dict[str, Any]]


def linear(layer: dict[str, Any], inputs: Float[Array, "*samples inputs"]) -> Float[Array, "*samples outputs"]:
    """Returns ``inputs @ weights^T + bias`` of a `layer` at the `inputs`."""
    weights = layer["weights"]
    # The product transposes its second factor at every use, so the smaller factor comes second; the weights are usually
    # those of two points. On batches of 32 this saves a tenth of a step's time.
    if not at_most(inputs.size, 2 * weights.size):
        return inputs @ weights.T + layer["bias"]
    product = lax.dot_general(weights, inputs, (((1,), (inputs.ndim - 1,)), ((), ())))
    return jnp.moveaxis(product, 0, -1) + layer["bias"]


def _layer(random: np.random.Generator, sizes: tuple[int, int], initialization: str, reached: int) -> dict[str, Any]:
    """Returns an initial layer; `reached` is the number of units that each of its inputs influences."""
    deviation = np.sqrt(INITIALIZATIONS[initialization](sizes[0], reached))
    return {"weights": deviation * random.standard_normal(sizes[::-1]), "bias": np.zeros(sizes[1])}


@dataclass(frozen=True)
class Dense:
    """A sequence of hidden layers, ``activation(inputs @ weights^T + bias)``.

    Attributes:
        widths: The widths of the hidden layers.
        activation: A name in `ACTIVATIONS`.
        initialization: A name in `INITIALIZATIONS`.
    """

    widths: tuple[int, ...]
    activation: str
    initialization: str

    def initial(self, random: np.random.Generator, inputs: int) -> Layers:
        """Returns initial layers, drawn by `random`, for samples with this number of `inputs`."""
        return [_layer(random, sizes, self.initialization, sizes[1]) for sizes in pairwise((inputs, *self.widths))]

    def features(self, layers: Layers, inputs: Float[Array, "samples inputs"]) -> Float[Array, "samples width"]:
        """Returns the output of the last of the `layers` for these `inputs`."""
        values = inputs
        for layer in layers:
            values = ACTIVATIONS[self.activation](linear(layer, values))
        return values


@dataclass(frozen=True)
class Convolutional:
    """Convolutions with 3 x 3 kernels, stride 2 and zero padding, each with a bias and an activation.

    The features are the last layer's channels, averaged over the image (Lin, Chen & Yan 2014). Their number is the last
    width for every size of image, and a linear layer on them is as well conditioned as on dense features.

    Attributes:
        widths: The numbers of channels of the layers.
        activation: A name in `ACTIVATIONS`.
        initialization: A name in `INITIALIZATIONS`.
        shape: The shape of an image, (rows, columns, channels).
    """

    widths: tuple[int, ...]
    activation: str
    initialization: str
    shape: tuple[int, ...]

    def initial(self, random: np.random.Generator, inputs: int) -> Layers:
        """Returns initial kernels, drawn by `random`, each a matrix (channels, windows); `inputs` has no influence."""
        sizes = pairwise((self.shape[-1], *self.widths))
        return [
            _layer(random, (KERNEL**2 * before, after), self.initialization, KERNEL**2 * after)
            for before, after in sizes
        ]

    def features(self, layers: Layers, inputs: Float[Array, "samples inputs"]) -> Float[Array, "samples width"]:
        """Returns the last layer's mean channels for these `inputs`, which are images ordered by row, column, channel.

        Args:
            layers: The kernels.
            inputs: The images, flattened.
        """
        values = inputs.reshape(-1, *self.shape)
        for layer in layers:
            values = ACTIVATIONS[self.activation](linear(layer, windows(values)))
        return jnp.mean(values, axis=(1, 2))


def windows(images: Float[Array, "samples rows columns channels"]) -> Float[Array, "samples half_rows half_columns _"]:
    """Returns the 3 x 3 window around every second pixel, ordered by row, column, channel, with zero padding.

    Args:
        images: Images of any size.
    """
    reach = KERNEL // 2
    padded = jnp.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    rows, columns = images.shape[1:3]
    shifted = [
        padded[:, down : down + rows : STRIDE, right : right + columns : STRIDE]
        for down in range(KERNEL)
        for right in range(KERNEL)
    ]
    stacked = jnp.stack(shifted, axis=3)
    return stacked.reshape(*stacked.shape[:3], -1)


Representation = Dense | Convolutional


def layer_sizes(name: str, sizes: Any, least: int = 1) -> tuple[int, ...]:
    """Returns the sizes of hidden layers.

    Args:
        name: The name of the argument in messages.
        sizes: The argument.
        least: The smallest allowed number of layers.

    Raises:
        ValueError: If it is not a whole number for every layer.
    """
    given = list(sizes) if isinstance(sizes, Iterable) else []
    whole = [size for size in given if isinstance(size, int | np.integer) and not isinstance(size, bool)]
    if not isinstance(sizes, Iterable) or not least <= len(given) == len(whole) or min(whole, default=1) < 1:
        raise ValueError(
            f"{name} is {sizes!r}; give a whole number, at least 1, for every hidden layer, such as (20, 20) for two."
        )
    return tuple(map(int, whole))


def choose(
    name: str, widths: Sequence[int], activation: str, initialization: str, shape: tuple[int, ...]
) -> Representation:
    """Makes a network from its options.

    Args:
        name: "dense" or "convolutional".
        widths: The numbers of units or channels of the hidden layers.
        activation: A name in `ACTIVATIONS`.
        initialization: A name in `INITIALIZATIONS`.
        shape: The shape of an image, (rows, columns, channels); () if samples are not images.

    Raises:
        ValueError: If a name is unknown, a width is invalid, or a convolutional network gets samples that are not
            images.
    """
    for what, value, choices in (
        ("representation", name, ("dense", "convolutional")),
        ("activation", activation, ACTIVATIONS),
        ("initialization", initialization, INITIALIZATIONS),
    ):
        choice(what, value, choices)
    sizes = layer_sizes("widths", widths)
    if name == "dense":
        return Dense(sizes, activation, initialization)
    if len(shape) != 3:
        raise ValueError(
            "the convolutional representation requires images, but these samples have no rows and columns; use "
            'representation="dense", or give the data set its shape (rows, columns, channels).'
        )
    return Convolutional(sizes, activation, initialization, shape)
