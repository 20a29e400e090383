"""Meta-learning: the losses, their derivatives, who holds which images, and what is observed and sent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.collective import _observed
from hypergossip.core.messages import messages
from hypergossip.data import Dataset, load
from hypergossip.lab.build import build
from hypergossip.lab.configuration import Source, validate
from hypergossip.metrics import observations
from hypergossip.problems import meta_learning
from hypergossip.problems.meta_learning import CrossEntropy
from hypergossip.problems.representations import Convolutional

MU = 0.7
ANY = jax.random.key(0)


def images(samples=120, shape=(4, 3, 2), classes=3, seed=0, **more):
    """Images whose first value is their own number, of classes that can be told apart."""
    random = np.random.default_rng(seed)
    features = random.standard_normal((samples, int(np.prod(shape)))).astype(np.float32)
    features[:, 0] = np.arange(samples)
    labels = np.argmax(features[:, 1 : 1 + classes], axis=1).astype(np.int32)
    return Dataset("images", features, labels, classes, shape, **more)


def small(**options):
    return meta_learning(images(), 3, **{"widths": (4, 3), "batch_size": 5, "regularization": MU, **options})


def somewhere(problem, seed=1):
    """The user's pytrees at a point of no distinction."""
    random = np.random.default_rng(seed)
    near = lambda space, v: space.unravel(v + 0.5 * jnp.asarray(random.standard_normal(v.shape)))
    return near(problem.upper, problem.x0), near(problem.lower, problem.y0)


def numpy_logits(x, y, rows, activation=np.tanh):
    values = np.asarray(rows, np.float64)
    for layer in x:
        values = activation(values @ np.asarray(layer["weights"]).T + np.asarray(layer["bias"]))
    return values @ np.asarray(y["weights"]).T + np.asarray(y["bias"])


def numpy_loss(logits, labels):
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels])


def of_agent(problem, agent):
    """An agent's validation and training data in NumPy."""
    own = jax.tree.map(np.asarray, problem.agent(agent))
    return own.upper_data, own.lower_data


def test_losses_are_the_formulas():
    problem = small()
    x, y = somewhere(problem)
    agent = problem.agent(1).full
    flat = problem.upper.ravel(x), problem.lower.ravel(y)
    validation, training = of_agent(problem, 1)
    f, g = (numpy_loss(numpy_logits(x, y, part["images"]), part["labels"]) for part in (validation, training))
    np.testing.assert_allclose(agent.upper_loss(*flat, ANY), f, rtol=1e-12)
    np.testing.assert_allclose(agent.lower_loss(*flat, ANY), g + MU / 2 * jnp.sum(flat[1] ** 2), rtol=1e-12)


def test_large_logits_do_not_overflow():
    loss, labels = CrossEntropy.mean, jnp.array([0, 1])
    for scale in (1e3, -1e4):
        logits = scale * jnp.array([[1.0, 0.0], [0.5, 0.0]])
        np.testing.assert_allclose(loss(logits, labels), np.mean(np.logaddexp(*logits.T) - logits[[0, 1], labels]))


def test_the_derivatives_in_the_head_are_the_formulas():
    """With features Phi and probabilities P: dg/dW = (P - Y)'Phi / m + mu W, and d2yy g is its closed form too."""
    problem = small()
    x, y = somewhere(problem)
    agent, (_, training) = problem.agent(2).full, of_agent(problem, 2)
    features = np.column_stack([numpy_logits(x[:-1], x[-1], training["images"]), np.ones(len(training["labels"]))])
    features[:, :-1] = np.tanh(features[:, :-1])
    logits = numpy_logits(x, y, training["images"])
    P = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rest = (P - np.eye(3)[training["labels"]]).T @ features / len(P)
    flat = problem.upper.ravel(x), problem.lower.ravel(y)
    gradient = problem.lower.unravel(agent.lower_gradient(*flat, ANY))
    np.testing.assert_allclose(gradient["weights"], rest[:, :-1] + MU * np.asarray(y["weights"]), atol=1e-12)
    np.testing.assert_allclose(gradient["bias"], rest[:, -1] + MU * np.asarray(y["bias"]), atol=1e-12)

    v = problem.lower.unravel(jnp.asarray(np.random.default_rng(3).standard_normal(problem.lower.size)))
    tilt = features @ np.column_stack([v["weights"], v["bias"]]).T
    change = P * (tilt - (P * tilt).sum(axis=1, keepdims=True))
    product = problem.lower.unravel(agent.hessian_product(*flat, ANY)(problem.lower.ravel(v)))
    curved = change.T @ features / len(P)
    np.testing.assert_allclose(product["weights"], curved[:, :-1] + MU * v["weights"], atol=1e-12)
    np.testing.assert_allclose(product["bias"], curved[:, -1] + MU * v["bias"], atol=1e-12)


@pytest.mark.parametrize("representation", ["dense", "convolutional"])
def test_the_lower_level_is_strongly_convex_by_the_regulariser_and_by_it_alone(representation):
    """A softmax does not see what all its logits have in common, so the smallest curvature is mu itself."""
    problem = small(representation=representation)
    x, y = somewhere(problem)
    product = problem.agent(0).full.hessian_product(problem.upper.ravel(x), problem.lower.ravel(y), ANY)
    curvatures = np.linalg.eigvalsh(jax.vmap(product)(jnp.eye(problem.lower.size)))
    assert curvatures[0] == pytest.approx(MU, rel=1e-9)
    assert curvatures[-1] > 1.05 * MU


@pytest.mark.parametrize("options", [{}, {"dirichlet": 1.0}, {"representation": "convolutional", "activation": "gelu"}])
def test_hypergradients_are_those_of_finite_differences(options):
    problem = small(**{"widths": (3,), **options})
    check = hg.check_hypergradient(problem, hg.ConjugateGradient(iterations=60, tolerance=1e-12), directions=3)
    assert check.relative_error < 1e-5
    assert check.lower_residual < 1e-8


def held(problem):
    """Every agent's own numbers of its images, training and validation, undone from the standardisation."""
    oracles = jax.tree.map(np.asarray, problem.oracles)
    parts = []
    for data, counts in ((oracles.lower_data, oracles.lower_count), (oracles.upper_data, oracles.upper_count)):
        parts.append([own[:count, 0] for own, count in zip(data["images"], counts)])
    return parts


@pytest.mark.parametrize("dirichlet", [None, 0.5])
def test_no_image_is_held_twice_and_no_test_image_at_all(dirichlet):
    # The number of an image fills its only channel, so the standardised values keep the numbers' order.
    numbers = np.arange(100, dtype=np.float32)[:, None]
    data = Dataset("numbers", numbers, (np.arange(100) % 2).astype(np.int32), 2, (1, 1, 1), test_samples=20)
    problem = meta_learning(data, 3, samples=(12, 8), widths=(2,), dirichlet=dirichlet, batch_size=4, seed=5)
    training, validation = held(problem)
    together = np.concatenate([*training, *validation])
    assert len(together) == len(set(together)) == 60
    test = np.asarray(problem.observe["test_accuracy"].args[0]["images"])[:, 0]
    assert len(test) == 20
    assert test.min() > together.max()  # the published test set is the last ones
    sizes = [[len(own) for own in part] for part in (training, validation)]
    if dirichlet is None:
        assert sizes == [[12] * 3, [8] * 3]
    else:
        assert len(set(sizes[0])) > 1
        for train, validate in zip(*sizes):
            assert train == (train + validate) * 12 // 20
            assert min(train, validate) >= 4
    # Standardised by what the agents train on.
    pooled = np.concatenate(training)
    np.testing.assert_allclose([pooled.mean(), pooled.std()], [0, 1], atol=1e-5)
    again, other = (
        meta_learning(data, 3, samples=(12, 8), widths=(2,), dirichlet=dirichlet, batch_size=4, seed=seed)
        for seed in (5, 6)
    )
    np.testing.assert_array_equal(np.concatenate(held(again)[0]), np.concatenate(training))
    assert set(np.concatenate(held(other)[0])) != set(np.concatenate(training))
    np.testing.assert_array_equal(again.x0, problem.x0)
    assert not np.array_equal(other.x0, problem.x0)


def test_the_two_levels_draw_their_batches_apart():
    problem = small()
    agent, key = problem.agent(0), jax.random.key(4)
    x, y = problem.x0, problem.lower.ravel(somewhere(problem)[1])
    upper_key, lower_key = jax.random.split(key)
    f = lambda key: float(agent.upper_loss(x, y, key))
    assert f(upper_key) == f(upper_key)
    assert f(upper_key) != f(lower_key)


def test_one_agents_observations_are_those_of_numpy():
    data = load("digits")
    problem = meta_learning("digits", 2, widths=(6,), activation="relu", initialization="he", samples=(200, 100))
    order = np.random.default_rng(0).permutation(1797)  # no published test set: a fifth by the seed
    cut = round(0.8 * 1797)
    training = problem.oracles.lower_data["images"]
    assert training.shape == (2, 200, 64)
    owned = np.random.default_rng(0).permutation(cut)[: cut - cut % 2].reshape(2, -1)[:, :200]
    pixels = data.features[order[:cut][owned]]
    mean, deviation = pixels.mean(dtype=np.float64), pixels.std(dtype=np.float64)
    np.testing.assert_allclose(training, (pixels - mean) / deviation, atol=1e-5)
    x, y = somewhere(problem)
    logits = numpy_logits(x, y, (data.features[order[cut:]] - mean) / deviation, lambda v: np.maximum(v, 0))
    right = np.argmax(logits, axis=1) == data.labels[order[cut:]]
    np.testing.assert_allclose(problem.observe["test_accuracy"](x, y), right.mean(), rtol=1e-6)
    loss = numpy_loss(logits, data.labels[order[cut:]])
    np.testing.assert_allclose(problem.observe["test_loss"](x, y), loss, rtol=1e-5)


def test_observations_are_means_over_agents_and_their_images_no_part_of_the_program():
    problems = [small(seed=seed, activation="softplus") for seed in (0, 1)]
    compiled = []
    for problem in problems:
        points = [somewhere(problem, seed) for seed in range(3)]
        x = jnp.stack([problem.upper.ravel(x) for x, _ in points])[None]
        y = jnp.stack([problem.lower.ravel(y) for _, y in points])[None]
        found = observations(tuple(problem.observe.items()), problem.upper, problem.lower, x, y)
        compiled.append(_observed._cache_size())
        for name, function in problem.observe.items():
            np.testing.assert_allclose(found[name], np.mean([function(*point) for point in points]), rtol=1e-9)
    assert compiled[0] == compiled[1]  # other images, the same program


def test_messages_hold_x_alone():
    problem = small()
    assert problem.upper.shared_size == problem.upper.size == 24 * 4 + 4 + 4 * 3 + 3
    assert problem.lower.shared_size == 0
    assert problem.lower.size == 3 * 3 + 3
    estimator = hg.Neumann(terms=2, lipschitz=5.0)
    for algorithm, vectors in ((hg.Diamond(0.1, 0.1, 1.0, 1.0, estimator), 2), (hg.DSGD(0.1, 0.1, estimator), 1)):
        spaces = problem.upper, problem.lower
        (message,) = messages(algorithm, spaces, problem.agent(0), problem.x0, problem.y0)
        assert (message.upper, message.lower, message.times) == (vectors * problem.upper.size, 0, 1)


def test_a_short_run_learns():
    problem = meta_learning("digits", 3, widths=(12,), regularization=0.1)
    algorithm = hg.Diamond(0.3, 0.5, 0.5, 0.5, hg.Neumann(terms=5, lipschitz=6.0))
    options = {"rounds": 150, "observe_every": 150, "check": False, "measure": "test_accuracy"}
    result = hg.solve(algorithm, problem, hg.networks.complete(3), **options)
    accuracy = result.history["test_accuracy"].to_numpy()
    assert accuracy[0] < 0.2  # ten classes
    assert accuracy[-1] > 0.7


def test_the_options_are_those_of_a_file():
    raw = {
        "problem": {"name": "meta_learning", "data": "digits", "representation": "convolutional", "widths": [3, 4]}
        | {"samples": [60, 40], "dirichlet": 2, "regularization": 1},
        "network": {"name": "ring", "n": 4},
        "methods": {"dsgd": {"upper_step": 0.1, "lower_step": 0.1, "hypergradient": "exact"}},
        "run": {"rounds": 1},
    }
    source = Source("", "")
    problem = build(validate(raw, source), source).problem
    assert problem.agents == 4
    assert problem.oracles.form.upper.representation == Convolutional((3, 4), "tanh", "glorot", (8, 8, 1))
    assert problem.oracles.form.lower.regularization == 1.0
    counts = problem.oracles.lower_count, problem.oracles.upper_count
    assert sum(int(jnp.sum(count)) for count in counts) == 400


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"regularization": 0.0}, "regularization is 0.0"),
        ({"representation": "deep"}, "representation is 'deep'; choose one of dense, convolutional"),
        ({"activation": "tan"}, "activation is 'tan'"),
        ({"initialization": "zero"}, "initialization is 'zero'"),
        ({"widths": ()}, "widths is"),
        ({"widths": (3, 0)}, "widths is"),
        ({"samples": (1000, 1)}, "use fewer agents"),
        ({"samples": (10,)}, "samples is"),
        ({"batch_size": 80}, "batch_size is 80"),
    ],
)
def test_bad_input_gets_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        small(**options)


def test_samples_that_are_no_images():
    plain = images()._replace(shape=())
    with pytest.raises(ValueError, match="requires images"):
        meta_learning(plain, 3, representation="convolutional", batch_size=5)
    pooled = meta_learning(plain, 3, widths=(2,), batch_size=5).oracles.lower_data["images"].reshape(-1, 24)
    np.testing.assert_allclose(pooled.mean(axis=0), 0, atol=1e-5)  # feature by feature
    np.testing.assert_allclose(pooled.std(axis=0), 1, atol=1e-5)


def test_real_mnist_has_its_published_test_set(real_data):
    if not (real_data / "mnist").is_dir():
        pytest.skip("MNIST is not among the real data files")
    problem = meta_learning("mnist", 9, samples=(50, 40), data_dir=real_data)
    assert problem.upper.size == 784 * 20 + 20 + 20 * 20 + 20
    assert problem.oracles.upper_data["images"].shape == (9, 40, 784)
    held_out = problem.observe["test_loss"].args[0]
    np.testing.assert_array_equal(held_out["labels"], load("mnist", real_data).labels[60000:])
    x, y = problem.upper.unravel(problem.x0), problem.lower.unravel(problem.y0)
    np.testing.assert_allclose(problem.observe["test_loss"](x, y), np.log(10), rtol=1e-6)
    # One mean and one deviation for all pixels: 784 of their own would make the rim's fifty times as large.
    assert np.abs(held_out["images"]).max() < 3.5
