"""Bad input gets one clear sentence: what happened, and what to do. (Signals, files and grids: their own files.)"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from refusals import refused

AGENTS, SAMPLES, P, Q = 3, 6, 2, 2
EXACT = hg.Exact()


def upper(x, y, batch):
    return jnp.mean((batch["A"] @ y - batch["b"]) ** 2) + jnp.sum(x**2)


def lower(x, y, batch):
    return jnp.mean((batch["A"] @ y - batch["b"]) ** 2) + 0.5 * jnp.sum((y - x) ** 2)


def data(agents=AGENTS, samples=SAMPLES, features=Q):
    random = np.random.default_rng(0)
    return {"A": random.standard_normal((agents, samples, features)), "b": random.standard_normal((agents, samples))}


def spoiled(value, place=(1, 2, 0)):
    changed = data()
    changed["A"][place] = value
    return changed


def agents_list(counts=(4, 6, 5), features=(Q, Q, Q)):
    pairs = zip(counts, features, strict=True)
    return [jax.tree.map(lambda leaf: leaf[0], data(1, count, width)) for count, width in pairs]


def make(f=upper, g=lower, **changes):
    settings = {"upper_data": data(), "lower_data": data(), "x0": np.zeros(P), "y0": np.zeros(Q)}
    return hg.Problem(f, g, **(settings | changes))


def without(tree, name):
    return {key: leaf for key, leaf in tree.items() if key != name}


def solve(problem=None, algorithm=None, network=None, **options):
    algorithm = algorithm or hg.DSGD(0.1, 0.1, EXACT)
    return hg.solve(algorithm, problem or make(), network or hg.networks.ring(AGENTS), **({"rounds": 1} | options))


CASES = {
    "agents differ between the levels": (lambda: make(lower_data=data(4)), ["3 agents", "lower_data 4"]),
    "agents differ between the leaves": (
        lambda: make(upper_data=data() | {"b": np.zeros((2, SAMPLES))}),
        ["upper_data", "[2, 3] agents", "(agents, samples, ...)"],
    ),
    "no axis of samples": (
        lambda: make(upper_data=data() | {"b": np.zeros(AGENTS)}),
        ["upper_data['b']", "no samples"],
    ),
    "no samples": (lambda: make(lower_data=data(samples=0)), ["lower_data", "agent 0", "no samples"]),
    "no agents": (lambda: make(upper_data=[]), ["upper_data", "no agents"]),
    "unlike widths in a list": (
        lambda: make(upper_data=agents_list(features=(Q, 5, Q))),
        ["upper_data['A']", "agent 1", "(5,)", "(2,)"],
    ),
    "unlike keys in a list": (
        lambda: make(upper_data=[*agents_list()[:2], without(agents_list()[2], "b")]),
        ["upper_data", "structures", "same keys"],
    ),
    "batch larger than the data": (lambda: make(batch_size=7), ["batch_size is 7", "holds 6", "smaller batch"]),
    "batch larger than the smallest agent's": (
        lambda: make(upper_data=agents_list(), batch_size=5),
        ["batch_size is 5", "holds 4"],
    ),
    "batch of nothing": (lambda: make(batch_size=0), ["batch_size is 0"]),
    "unknown sampling": (lambda: make(sampling="shuffle"), ["sampling is 'shuffle'", "iid, blocks"]),
    "NaN in the data": (lambda: make(lower_data=spoiled(np.nan)), ["lower_data['A']", "agent 1", "NaN"]),
    "infinity in the data": (lambda: make(upper_data=spoiled(np.inf)), ["upper_data['A']", "agent 1", "infinity"]),
    "an integer x0": (lambda: make(x0=np.zeros(P, int)), ["upper starting point", "int64", "0.0"]),
    "a whole number as y0": (lambda: make(y0=0), ["lower starting point", "floating"]),
    "a vector for a loss": (
        lambda: make(f=lambda x, y, batch: (batch["A"] @ y - batch["b"]) ** 2),
        ["upper loss", f"shape ({SAMPLES},)", "mean over the batch"],
    ),
    "a whole number for a loss": (
        lambda: make(g=lambda x, y, batch: jnp.asarray(3)),
        ["lower loss", "int", "floating scalar"],
    ),
    "names in no order": (
        lambda: make(names={"Paris", "Rome", "Oslo"}),
        ["names are a set", "order changes from process to process", "list"],
    ),
    "a list of numbers for x0": (
        lambda: make(x0=[0.0, 0.0]),
        ["upper loss fails on x0, a list of 2 numbers", "pytree of 2 scalars", "np.array([...])"],
    ),
    "a list of numbers inside y0": (
        lambda: make(
            lambda x, y, batch: upper(x, y["w"], batch),
            lambda x, y, batch: lower(x, y["w"], batch),
            y0={"w": (0.0, 0.0)},
        ),
        ["upper loss fails on y0['w'], a tuple of 2 numbers"],
    ),
    "a result to start at": (lambda: solve(x0=solve()), ["x0 is a Result", "x0=result.x", "start=result"]),
    "a file for a checkpoint": (lambda: solve(checkpoint=__file__), ["checkpoint is", "is a file", "path of a folder"]),
    "a folder inside a file": (lambda: solve(checkpoint=__file__ + "/runs"), ["test_bad_input.py is a file"]),
    "nonsense for share": (lambda: make(share="all"), ["share is 'all'", '"upper", "lower", "both"']),
    "an unknown level for share": (lambda: make(share={"x": True}), ["share is {'x': True}"]),
    "an observation named like a column": (
        lambda: solve(make(observe={"metric": lambda x, y: x[0]})),
        ["observe", "metric", "another name"],
    ),
    "an observation that is no scalar": (
        lambda: make(observe={"point": lambda x, y: x}),
        ["observe", "point", "shape (2,)", "scalar"],
    ),
    "a network of other size": (
        lambda: solve(network=hg.networks.ring(4)),
        ["network has 4 agents", "problem 3", "same number"],
    ),
    "a network of other size, unchecked": (
        lambda: solve(network=hg.networks.ring(4), check=False),
        ["network has 4 agents", "problem 3"],
    ),
    "rounds below zero": (lambda: solve(rounds=-1), ["rounds is -1", "at least 0"]),
    "no seeds": (lambda: solve(seeds=0), ["seeds is 0", "at least 1"]),
    "a seed below zero": (lambda: solve(seed=-3), ["seed is -3"]),
    "a row every no rounds": (lambda: solve(observe_every=0), ["observe_every is 0"]),
    "a word for a step": (
        lambda: solve(algorithm=hg.DSGD("fast", 0.1, EXACT), check=False),
        ["DSGD.upper_step is 'fast'", "not a number", "PowerDecay"],
    ),
    "a bare function for a step": (
        lambda: solve(algorithm=hg.DSGD(lambda t: 0.1, 0.1, EXACT)),
        ["DSGD.upper_step", "jax.tree_util.Partial"],
    ),
    "a momentum's rule for a step": (
        lambda: solve(algorithm=hg.DSGD(0.1, hg.SquaredStep(0.3), EXACT)),
        ["SquaredStep", "for the momenta"],
    ),
    "a wrong rule": (lambda: solve(stop="converged"), ["stop is 'converged'", "tolerance"]),
}


@pytest.mark.parametrize("name", CASES)
def test_one_clear_sentence(name):
    refused(*CASES[name], lines=2)


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({"upper_data": data(features=3)}, "upper"),
        ({"lower_data": data(features=3)}, "lower"),
        ({"y0": np.zeros(5)}, "upper"),
    ],
    ids=["upper data", "lower data", "y0"],
)
def test_shapes_that_do_not_fit_surface_with_jaxs_own_message_and_the_shapes(changes, level):
    """JAX knows which operation failed; we know which loss, and what it was given."""
    with pytest.raises(TypeError, match="dot_general") as error:
        make(**changes)
    (note,) = (note for note in error.value.__notes__ if "loss" in note)
    assert f"the {level} loss" in note
    assert "x0" in note
    assert "(2,)" in note


def test_lists_of_numbers_are_pytrees_where_the_losses_take_them():
    problem = make(
        lambda x, y, batch: upper(jnp.stack(x), y, batch), lambda x, y, batch: lower(x[0], y, batch), x0=[0.0, 1.0]
    )
    assert problem.x0.tolist() == [0.0, 1.0]
    with pytest.raises(AttributeError, match="wrong"):  # not because of the list
        make(lambda x, y, batch: y.wrong, x0=[0.0, 0.0])


def test_a_number_for_names_is_refused(unchecked):
    with pytest.raises(ValueError, match=r"names are 3; give a sequence with one name for each agent\."):
        make(names=3)


def test_an_error_of_the_users_own_is_not_swallowed():
    def broken(x, y, batch):
        raise RuntimeError("my own mistake")

    with pytest.raises(RuntimeError, match="my own mistake"):
        make(g=broken)
