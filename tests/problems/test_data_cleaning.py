import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.data import Dataset
from hypergossip.problems import corruption, data_cleaning, sample_weights
from hypergossip.problems.data_cleaning import source_rates
from small_problems import advance, surprise

ANY = jax.random.key(0)
CLASSES = 4


def named(samples=630, classes=CLASSES):
    """Every sample has its own number as a feature; the label is the number modulo the classes."""
    numbers = np.arange(samples)
    features = np.stack([numbers, np.ones(samples)], axis=1).astype(np.float32)
    return Dataset("named", features, (numbers % classes).astype(np.int32), classes, test_samples=130)


def rows(problem, level):
    data = problem.oracles.lower_data if level == "lower" else problem.oracles.upper_data
    return {name: np.asarray(leaf) for name, leaf in data.items()}


def numbers(part):
    return part["features"][..., 0].astype(int)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


@pytest.mark.parametrize("weights", ["sample", "source"])
def test_the_stated_share_of_training_labels_is_wrong_and_nothing_else(weights):
    problem = data_cleaning(named(), 4, weights=weights, samples=(50, 30), batch_size=10, seed=1)
    training, validation = rows(problem, "lower"), rows(problem, "upper")
    assert (training["labels"].shape, validation["labels"].shape) == ((4, 50), (4, 30))
    np.testing.assert_array_equal(validation["labels"], numbers(validation) % CLASSES)
    wrong = training["labels"] != numbers(training) % CLASSES
    assert set(training["labels"].ravel()) == set(range(CLASSES))
    np.testing.assert_array_equal(wrong, training["corrupted"])
    # Every one of the eight sources has its share rounded to whole samples.
    np.testing.assert_allclose(wrong.sum(axis=1), 20, atol=0 if weights == "sample" else 4)
    np.testing.assert_array_equal(corruption(problem), wrong)
    used = np.concatenate([numbers(training).ravel(), numbers(validation).ravel()])
    assert len(set(used)) == 4 * 80
    assert max(used) < 500  # the published test set is left alone


def test_the_seed_decides():
    options = {"samples": (50, 30), "batch_size": 10}
    one, again, other = (rows(data_cleaning(named(), 4, seed=seed, **options), "lower") for seed in (1, 1, 2))
    for name, leaf in one.items():
        np.testing.assert_array_equal(again[name], leaf)
    assert not np.array_equal(other["labels"], one["labels"])
    clean = lambda part: set(numbers(part)[~part["corrupted"]].tolist())
    assert len(clean(one) & clean(other)) < 100  # of 120, out of 500


def test_wrong_labels_are_uniform_over_the_other_classes():
    data = named(16130)
    training = rows(data_cleaning(data, 2, corrupted=0.9, batch_size=10), "lower")
    wrong = training["corrupted"]
    assert wrong.sum() == 7200
    shift = (training["labels"] - numbers(training))[wrong] % CLASSES
    assert surprise(np.bincount(shift, minlength=CLASSES)[1:], 2400) < 5
    true = (numbers(training) % CLASSES)[wrong]
    assert surprise(np.bincount(true, minlength=CLASSES), 1800) < 5


@pytest.mark.parametrize(("corrupted", "rates"), [(0.4, [0, 0.2, 0.4, 0.6, 0.8]), (0.7, [0.4, 0.55, 0.7, 0.85, 1])])
def test_sources_are_of_unlike_quality(corrupted, rates):
    np.testing.assert_allclose(source_rates(5, corrupted), rates, atol=1e-12)
    problem = data_cleaning(
        named(), 3, weights="source", sources=5, corrupted=corrupted, samples=(100, 50), batch_size=5
    )
    training = rows(problem, "lower")
    assert problem.upper.size == 5
    for i in range(3):
        for k, rate in enumerate(rates):
            of_source = training["corrupted"][i][training["entry"][i] == k]
            assert len(of_source) == 20
            assert of_source.sum() == round(20 * rate)


@pytest.mark.parametrize("scale", [1.0, None])
@pytest.mark.parametrize("weights", ["sample", "source"])
def test_derivatives_are_the_formulas(weights, scale):
    data = named(40)._replace(features=np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32))
    data = data._replace(test_samples=4)
    problem = data_cleaning(data, 2, weights=weights, sources=3, scale=scale, regularization=0.01, batch_size=None)
    agent, training = problem.agent(1), rows(problem, "lower")
    features, labels, entry = (training[name][1] for name in ("features", "labels", "entry"))
    random = np.random.default_rng(1)
    c, size = np.sqrt(problem.upper.size) if scale is None else scale, len(labels)
    x, y, v = (random.standard_normal(shape) for shape in (problem.upper.size, (5, CLASSES), (5, CLASSES)))
    odds = np.exp(features @ y)
    rest = odds / odds.sum(axis=1, keepdims=True) - np.eye(CLASSES)[labels]
    of_sample = np.einsum("sp,sk->spk", features, rest)  # the gradient of a sample's cross-entropy
    flat = [jnp.asarray(np.ravel(value)) for value in (x, y, v)]
    weight = sigmoid(c * x)[entry]
    gradient = np.einsum("s,spk->pk", weight, of_sample) / size + 2 * 0.01 * y
    np.testing.assert_allclose(agent.lower_gradient(*flat[:2], ANY), gradient.ravel(), atol=1e-12)
    # d2xy g v: sample s moves the entry that weighs it by sigmoid' <grad_s, v> / n.
    expected = np.zeros(problem.upper.size)
    np.add.at(expected, entry, c * weight * (1 - weight) * np.einsum("spk,pk->s", of_sample, v) / size)
    np.testing.assert_allclose(agent.jacobian_product(*flat[:2], ANY)(flat[2]), expected, atol=1e-12)
    np.testing.assert_array_equal(agent.upper_gradients(*flat[:2], ANY)[0], np.zeros(problem.upper.size))


def test_in_a_common_x_every_agent_touches_its_own_samples_alone():
    options = {"samples": (20, 30), "batch_size": None, "scale": 1.0}
    common, own = (data_cleaning(named(), 4, share=share, **options) for share in ("both", "lower"))
    assert (common.upper.size, common.upper.shared_size) == (80, 80)
    assert (own.upper.size, own.upper.shared_size) == (20, 0)
    assert common.lower.shared_size == own.lower.shared_size == own.lower.size
    random = np.random.default_rng(0)
    x, y = jnp.asarray(random.standard_normal(80)), jnp.asarray(random.standard_normal(own.lower.size))
    product = jax.jit(lambda agent, x, y: agent.jacobian_product(x, y, ANY)(y))
    for i in range(4):
        block = x[20 * i : 20 * i + 20]
        full = product(common.agent(i), x, y)
        np.testing.assert_allclose(full[20 * i : 20 * i + 20], product(own.agent(i), block, y))
        assert np.count_nonzero(full) <= 20


@pytest.mark.parametrize("dirichlet", [None, 0.5])
@pytest.mark.parametrize(
    ("weights", "share"), [("sample", "lower"), ("sample", "both"), ("source", "upper"), ("source", "lower")]
)
def test_weights_are_told_sample_by_sample(weights, share, dirichlet):
    """Whatever the order of the rows, and for heterogeneous agents."""
    problem = data_cleaning(
        named(), 3, weights=weights, share=share, dirichlet=dirichlet, samples=(60, 60), batch_size=8, sampling="blocks"
    )
    counts = np.asarray(problem.oracles.lower_count)
    assert (len(set(counts)) > 1) == (dirichlet is not None)
    x = np.random.default_rng(0).standard_normal((2, 3, problem.upper.size))  # two seeds
    told, wrong = sample_weights(problem, x), corruption(problem)
    assert (told.shape, wrong.shape) == ((2, 3, counts.max()), (3, counts.max()))
    training, c = rows(problem, "lower"), np.sqrt(problem.upper.size)
    for i, count in enumerate(counts):
        assert np.isnan(told[:, i, count:]).all()
        assert wrong[i].sum() == training["corrupted"][i, :count].sum()
        # The rows are shuffled for blocks: find each sample by its name.
        for row in range(count):
            sample, entry = training["index"][i, row], training["entry"][i, row]
            np.testing.assert_allclose(told[:, i, sample], sigmoid(c * x[:, i, entry]))
            assert wrong[i, sample] == training["corrupted"][i, row]
    if weights == "sample":
        assert (np.abs(wrong.sum(axis=1) - 0.4 * counts) <= 0.5).all()
    observed = {name: function for name, function in problem.observe.items() if name.startswith("weight")}
    if weights == "sample" and share == "lower" and dirichlet:
        assert not observed
    else:
        common = np.broadcast_to(x[:1, :1], (1, 3, problem.upper.size))  # an agent's own x, for all samples
        told = sample_weights(problem, common)[0]
        own = np.broadcast_to(np.arange(3)[:, None] == 0, told.shape)
        real = np.isfinite(told) if share != "lower" or weights == "source" else own
        arguments = jnp.asarray(x[0, 0]), problem.lower.unravel(problem.y0)
        np.testing.assert_allclose(observed["weight_clean"](*arguments), told[real & ~wrong].mean())
        np.testing.assert_allclose(observed["weight_corrupted"](*arguments), told[real & wrong].mean())


def test_without_scale_x_holds_the_logits_and_with_it_their_root_mean_square():
    for scale, factor in ((1.0, 1.0), (None, np.sqrt(20))):
        problem = data_cleaning(named(), 4, samples=(20, 30), batch_size=5, scale=scale)
        x = np.full((4, 20), 0.3)
        np.testing.assert_allclose(sample_weights(problem, x), sigmoid(factor * x))


STEPS = {"rounds": 400, "observe_every": 400, "check": False}
COLUMNS = ("consensus_error", "test_accuracy", "weight_clean", "weight_corrupted")
SERIES = hg.TruncatedNeumann(terms=10, lipschitz=1.0)


def cleaned(options, make):
    """The last row of a run that cleans, of one whose weights stay at a half, and the problem and the result."""
    problem, network = data_cleaning("digits", 3, batch_size=50, **options), hg.networks.complete(3)
    result = hg.solve(make(True), problem, network, measure=COLUMNS, **STEPS)
    last = result.history.iloc[-1]
    models = jax.vmap(problem.lower.unravel)(jnp.asarray(advance(make(False), problem, network, 400)[0].y))
    uncleaned = np.mean([problem.observe["test_accuracy"](problem.x0, model) for model in models])
    return last, uncleaned, problem, result


@pytest.mark.parametrize(
    ("options", "make", "clean", "corrupted"),
    [
        ({"share": "both"}, lambda on: hg.SlamTracked(0.1 * on, 0.5, 0.3, 1.0, 1.0), 0.85, 0.15),
        ({"share": "lower"}, lambda on: hg.Slam(0.1 * on, 0.5, 1.0, 1.0, SERIES), 0.7, 0.35),
    ],
)
def test_wrong_labels_lose_their_weight(options, make, clean, corrupted):
    last, uncleaned, problem, result = cleaned(options, make)
    assert last["weight_clean"] > clean
    assert last["weight_corrupted"] < corrupted
    assert last["test_accuracy"] > uncleaned + 0.02
    told, wrong = sample_weights(problem, result.x), corruption(problem)
    # Every agent speaks of its own samples here, and there of all: the agents agree on a common x.
    np.testing.assert_allclose(told[wrong].mean(), last["weight_corrupted"], rtol=0.01)
    # A clean sample has the larger weight than a corrupted one in most of all pairs.
    assert (told[~wrong][:, None] > told[wrong]).mean() > 0.85


def test_agents_with_models_of_their_own_agree_on_whom_to_trust():
    make = lambda on: hg.Diamond(on * 1.0, 0.5, 0.1, 0.1, hg.Neumann(terms=10, lipschitz=1.0))
    options = {"weights": "source", "sources": 5, "regularization": 1e-2}
    last, uncleaned, _, result = cleaned(options, make)
    assert last["test_accuracy"] > uncleaned + 0.02
    assert last["consensus_error"] < 1e-2
    trust = sigmoid(np.sqrt(5) * result.x.mean(axis=0))
    assert trust[:2].min() > 0.8  # no wrong labels, a fifth
    assert trust[4] < 0.5  # four fifths
    assert last["weight_clean"] > last["weight_corrupted"] + 0.1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"weights": "samples"}, "choose one of sample, source"),
        ({"share": "upper"}, "nothing in common"),
        ({"share": "all"}, 'give "upper", "lower" or "both"'),
        ({"corrupted": -0.1}, "corrupted is -0.1; give a share of the labels below 1, such as 0.4, or 0 for"),
        ({"corrupted": 1}, "corrupted is 1; give a share of the labels below 1"),
        ({"corrupted": float("nan")}, "corrupted is nan; give a share"),
        ({"corrupted": 0.01, "samples": (20, 20), "batch_size": 5}, "corrupts none of the 20 training samples"),
        ({"corrupted": 0.99, "samples": (20, 20), "batch_size": 5}, "corrupts every one of the 20 training samples"),
        ({"weights": "source", "sources": 1}, "at least 2"),
        ({"regularization": 0}, "regularization is 0; give a positive number"),
        ({"scale": 0}, "positive"),
        ({"samples": (1000, 1000)}, "3 agents with 1000 training and 1000 validation"),
        ({"batch_size": 300}, "batch_size is 300"),
        ({"data": "digit"}, "digit"),
    ],
)
def test_bad_options_get_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        data_cleaning(**{"data": "digits", "agents": 3, **options})
