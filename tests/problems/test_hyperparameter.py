import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.data import Dataset, load
from hypergossip.problems import hyperparameter
from hypergossip.problems.hyperparameter import training_loss, validation_loss

P, SAMPLES = 5, 7


@pytest.fixture(params=[2, 3, 4])  # classes; products with more than three are computed in another form
def point(request):
    Q = request.param
    random = np.random.default_rng(0)
    batch = {"features": random.standard_normal((SAMPLES, P)), "labels": random.integers(0, Q, SAMPLES)}
    return jax.tree.map(jnp.asarray, (random.standard_normal(P), random.standard_normal((P, Q)), batch))


def probabilities(y, features):
    powers = np.exp(features @ y)
    return powers / powers.sum(axis=1, keepdims=True)


def test_losses_are_the_papers(point):
    x, y, batch = point
    Q = y.shape[1]
    chosen = probabilities(y, batch["features"])[np.arange(SAMPLES), batch["labels"]]
    regulariser = sum(np.exp(x[r]) * y[r, k] ** 2 for r in range(P) for k in range(Q)) / (Q * P)
    np.testing.assert_allclose(validation_loss(x, y, batch), -np.log(chosen).mean(), rtol=1e-12)
    np.testing.assert_allclose(training_loss(x, y, batch), -np.log(chosen).mean() + regulariser, rtol=1e-12)


def test_derivatives_are_the_formulas(point):
    x, y, batch = point
    Q = y.shape[1]
    rest = probabilities(y, batch["features"]) - np.eye(Q)[batch["labels"]]
    data_part = batch["features"].T @ rest / SAMPLES
    np.testing.assert_allclose(jax.grad(validation_loss, 1)(x, y, batch), data_part, atol=1e-12)
    np.testing.assert_array_equal(jax.grad(validation_loss, 0)(x, y, batch), np.zeros(P))
    ridge = 2 * np.exp(x)[:, None] * y / (P * Q)
    np.testing.assert_allclose(jax.grad(training_loss, 1)(x, y, batch), data_part + ridge, atol=1e-12)
    # d2xy g: only x_r and y_rk meet.
    mixed = jax.jacobian(jax.grad(training_loss, 1), 0)(x, y, batch)
    np.testing.assert_allclose(mixed, np.einsum("rk,rs->rks", ridge, np.eye(P)), atol=1e-12)


def test_hessian_products_at_two_points_side_by_side_are_the_formula(point):
    x, y, batch = point
    features, points = np.asarray(batch["features"]), jnp.stack([y, -2 * y])

    def product(y, v):
        return jax.jvp(lambda y: jax.grad(training_loss, 1)(x, y, batch), (y,), (v,))[1]

    def formula(y, v):
        share, logits = probabilities(y, features), features @ v
        curved = share * (logits - (share * logits).sum(axis=1, keepdims=True))
        return features.T @ curved / SAMPLES + 2 * np.exp(x)[:, None] * v / y.size

    found = jax.jit(jax.vmap(product))(points, points[::-1])
    for k in range(2):
        np.testing.assert_allclose(found[k], formula(np.asarray(points[k]), np.asarray(points[1 - k])), atol=1e-12)


def test_even_parts_are_equal_disjoint_and_cut_to_a_multiple_of_the_agents():
    features = np.arange(103, dtype=np.float32)[:, None]  # every sample its own name
    data = Dataset("names", features, np.zeros(103, np.int32), 2)
    problem = hyperparameter(data, 4, batch_size=2, seed=3)
    upper, lower = (np.asarray(part["features"]) for part in (problem.oracles.upper_data, problem.oracles.lower_data))
    assert upper.shape == lower.shape == (4, 10, 1)  # 40 % of 103 is 41, of which 40 divide among 4
    names = np.concatenate([upper.ravel(), lower.ravel()])
    assert len(set(names)) == 80
    again = hyperparameter(data, 4, batch_size=2, seed=3)
    other = hyperparameter(data, 4, batch_size=2, seed=4)
    np.testing.assert_array_equal(again.oracles.upper_data["features"], upper)
    assert not np.array_equal(other.oracles.upper_data["features"], upper)


def test_dirichlet_agents_are_unlike_and_their_two_halves_alike():
    problem = hyperparameter("digits", 4, batch_size=16, dirichlet=0.3, seed=1)
    oracles = problem.oracles
    uppers, lowers = np.asarray(oracles.upper_count), np.asarray(oracles.lower_count)
    assert (np.abs(uppers - lowers) <= 1).all()
    assert len(set(uppers.tolist())) > 1
    assert min(uppers.min(), lowers.min()) >= 16
    assert uppers.sum() + lowers.sum() == 719 + 719  # nothing is lost: 40 % of 1797, twice

    def shares(data, counts):
        return np.stack(
            [np.bincount(labels[:n], minlength=10) / n for labels, n in zip(np.asarray(data["labels"]), counts)]
        )

    upper, lower = shares(oracles.upper_data, uppers), shares(oracles.lower_data, lowers)
    within = np.abs(upper - lower).sum(axis=1).mean()
    between = np.mean([np.abs(upper[i] - lower[j]).sum() for i in range(4) for j in range(4) if i != j])
    assert within < between / 3


def test_observations_are_those_of_the_test_part():
    problem = hyperparameter("breast_cancer", 2)
    data = load("breast_cancer")
    x, y = problem.upper.unravel(problem.x0), problem.lower.unravel(problem.y0)
    assert (x.shape, y.shape) == ((30,), (30, 2))
    np.testing.assert_allclose(problem.observe["test_loss"](x, y), np.log(2))
    test = np.random.default_rng(0).permutation(569)[round(0.8 * 569) :]
    weights = np.random.default_rng(1).standard_normal((30, 2))
    right = (data.features[test].astype(np.float64) @ weights).argmax(axis=1) == data.labels[test]
    np.testing.assert_allclose(problem.observe["test_accuracy"](x, jnp.asarray(weights)), right.mean(), rtol=1e-6)


def test_a_short_run_learns():
    problem = hyperparameter("digits", 3)
    algorithm = hg.Diamond(0.5, 2.0, 0.5, 0.5, hg.Neumann(terms=5, lipschitz=2.0))
    result = hg.solve(algorithm, problem, hg.networks.complete(3), rounds=60, observe_every=60, check=False)
    accuracy = result.history["test_accuracy"].to_numpy()
    assert accuracy[0] < 0.2  # ten classes
    assert accuracy[-1] > 0.7
    # From y = 0 the lower solution is far: the rows must have found it.
    errors = result.history["lower_error"].to_numpy()
    assert errors[0] > 100 > errors[-1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"data": "digit"}, "digit"),
        ({"agents": 2000}, "2000 agents"),
        ({"batch_size": 400}, "batch_size is 400"),
        ({"dirichlet": -1.0}, "dirichlet is -1.0; give a positive finite number"),
        ({"dirichlet": 0.3, "batch_size": 400}, "use fewer agents, or a smaller batch_size"),
    ],
)
def test_bad_input_gets_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        hyperparameter(**{"data": "digits", "agents": 3, **options})


def test_real_a9a_has_the_papers_sizes(real_data):
    if not (real_data / "a9a.gz").is_file():
        pytest.skip("a9a is not among the real data files")
    problem = hyperparameter("a9a", 5, data_dir=real_data)
    assert problem.upper.size == 123
    assert problem.lower.size == 246
    assert problem.oracles.upper_data["features"].shape == (5, 3907, 123)  # 40 % of 48842, in five
    assert problem.oracles.lower_data["labels"].shape == (5, 3907)


def test_agents_can_agree_on_one_model():
    own, common = (hyperparameter("breast_cancer", 2, batch_size=None, share=share) for share in ("upper", "both"))
    assert (own.lower.shared_size, common.lower.shared_size) == (0, common.lower.size)
    x, y = common.x0, common.y0 + 0.1
    for i in range(2):
        gradients = (one.agent(i).lower_gradient(x, y, jax.random.key(0)) for one in (own, common))
        np.testing.assert_array_equal(*gradients)
    with pytest.raises(ValueError, match='"upper" for a model of each agent, or "both"'):
        hyperparameter("breast_cancer", 2, share="lower")
