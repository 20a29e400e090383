"""The networks of features: slices are convolutions, and weights start with the variance of their name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hypergossip.problems.representations import Convolutional, Dense, linear, windows


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 4, 3), (1, 1, 2)])
def test_shifted_slices_are_a_convolution(shape):
    network = Convolutional((5, 4), "tanh", "glorot", shape)
    random = np.random.default_rng(0)
    layers = jax.tree.map(jnp.asarray, network.initial(random, 0))
    layers = [{**layer, "bias": jnp.asarray(random.standard_normal(len(layer["bias"])))} for layer in layers]
    rows = jnp.asarray(random.standard_normal((6, int(np.prod(shape)))))
    values = rows.reshape(6, *shape)
    for layer in layers:
        kernel = layer["weights"].T.reshape(3, 3, values.shape[-1], -1)
        names = ("NHWC", "HWIO", "NHWC")
        convolved = jax.lax.conv_general_dilated(values, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=names)
        assert windows(values).shape[:3] == convolved.shape[:3]
        values = jnp.tanh(convolved + layer["bias"])
    np.testing.assert_allclose(network.features(layers, rows), values.mean(axis=(1, 2)), atol=1e-12)


@pytest.mark.parametrize(("initialization", "variance"), [("glorot", 2 / 500), ("he", 2 / 300), ("lecun", 1 / 300)])
def test_initial_weights_have_the_variance_of_their_name(initialization, variance):
    (layer,) = Dense((200,), "relu", initialization).initial(np.random.default_rng(0), 300)
    assert layer["weights"].shape == (200, 300)
    assert layer["weights"].var() == pytest.approx(variance, rel=0.03)  # 60000 draws: five times the standard error
    assert not layer["bias"].any()


@pytest.mark.parametrize("samples", [1, 4, 100])
def test_a_layer_is_one_product_whichever_factor_comes_first(samples):
    """Many samples are multiplied by the weights, few of them the other way round."""
    random = np.random.default_rng(1)
    weights, bias, inputs = (random.standard_normal(shape) for shape in ((3, 5), 3, (samples, 2, 5)))
    layer = {"weights": jnp.asarray(weights), "bias": jnp.asarray(bias)}
    np.testing.assert_allclose(linear(layer, jnp.asarray(inputs)), inputs @ weights.T + bias, atol=1e-12)
