"""Rows end to end: every result is that of padded rows, and nothing is held for the largest agent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.agent_data import stacking
from hypergossip.core.agent_data.axis import axes_of_agents
from hypergossip.core.agent_data.packed import PackedOracles, shapes
from hypergossip.core.agent_data.stacking import held_rows
from hypergossip.core.agent_data.whole_data import Whole
from hypergossip.metrics.lower_solution import lower_solution
from hypergossip.running.starting_point import measure_start
from masking import losses
from masking.losses import agent, agents

SIZES = (3, 40, 6, 11, 4, 5, 90, 8)
ENGINES = {
    "simulated": hg.Simulated(),
    "sharded": hg.Sharded(devices=4),
    "uneven": hg.Sharded(devices=3),
    "debug": hg.Debug(),
}
METHODS = {
    "mini-batches": (hg.Diamond(0.1, 0.1, 0.5, 0.5, hg.Neumann(3, 10.0)), {"batch_size": 3}),
    "blocks": (hg.DSGD(0.1, 0.1, hypergradient=hg.Neumann(3, 10.0)), {"batch_size": 3, "sampling": "blocks"}),
    "all rows": (hg.Interact(0.1, 0.1, hypergradient=hg.ConjugateGradient(4)), {}),
}


def problem(loss=losses.mean, sizes=SIZES, both=True, **options):
    """Unequal agents, whose upper data are their lower data or five rows each."""
    upper_data = None if both else agents([5] * len(sizes), first=100)
    return losses.problem(loss, agents(sizes), upper_data, **options)[0]


@pytest.fixture
def held(monkeypatch):
    """Returns a problem held in one of the two ways."""

    def make(packed, *arguments, **options):
        monkeypatch.setattr(stacking, "LITTLE", 0 if packed else np.inf)
        made = problem(*arguments, **options)
        assert isinstance(made.oracles, PackedOracles) == packed
        return made

    return make


def solved(kind, made, engine=ENGINES["simulated"], **options):
    method, network = METHODS[kind][0], hg.networks.ring(made.agents)
    options = {"check": False, "measure": False} | options
    return hg.solve(method, made, network, rounds=3, engine=engine, progress=False, **options)


@pytest.fixture(scope="module")
def padded():
    """Every method's run on padded rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stacking, "LITTLE", np.inf)
        return {kind: solved(kind, problem(**options)) for kind, (_, options) in METHODS.items()}


RUNS = [(kind, "simulated") for kind in METHODS] + [(kind, "sharded") for kind in METHODS]


@pytest.mark.parametrize(("kind", "engine"), [*RUNS, ("mini-batches", "uneven"), ("blocks", "debug")])
def test_a_run_is_that_on_padded_rows(kind, engine, held, padded):
    ours = solved(kind, held(True, **METHODS[kind][1]), ENGINES[engine])
    np.testing.assert_allclose(ours.x, padded[kind].x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.y, padded[kind].y, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(ours.saved.cost, padded[kind].saved.cost)


@pytest.mark.parametrize("engine", ["simulated", "sharded"])
def test_rows_of_the_history_and_the_look_before_the_run_are_those_on_padded_rows(engine, held):
    made = held(True), held(False)
    ours, padded = (solved("all rows", one, ENGINES[engine], check=engine == "simulated", measure=True) for one in made)
    for column in ours.history.columns.drop("seconds"):
        np.testing.assert_allclose(ours.history[column], padded.history[column], rtol=1e-9, atol=1e-12)
    if engine == "simulated":
        for ours, theirs in zip(*map(measure_start, made), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", [losses.by_size, losses.by_length, losses.class_weighted], ids=lambda f: f.__name__)
def test_a_loss_is_called_on_the_agents_own_rows(loss, held):
    """All agents in one program, over two runs; and each agent alone, whose rows nothing fills up."""
    sizes = (3, 40, 6, 90) if loss is losses.by_size else (*range(2, 14), 90)
    made = held(True, loss, sizes, both=False)
    key, random = jax.random.key(0), np.random.default_rng(0)
    x, y, v = map(jnp.asarray, random.standard_normal((3, 2, len(sizes), 6)))

    def of_agent(agent, x, y, v):
        full = agent.full
        return full.upper_loss(x, y, key), full.lower_gradients(x, y, key), full.hessian_product(x, y, key)(v)

    over_agents = jax.vmap(of_agent, (axes_of_agents(made.oracles), 0, 0, 0))
    together = jax.jit(jax.vmap(over_agents, (None, 0, 0, 0)))(made.oracles, x, y, v)
    for run, i in ((0, 0), (1, len(sizes) - 1), (0, 2)):
        alone = of_agent(made.agent(i), x[run, i], y[run, i], v[run, i])
        for ours, theirs in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(ours[run, i], theirs, rtol=1e-9, atol=1e-12)


def test_agents_are_taken_and_renumbered(held):
    packed, padded = held(True), held(False)
    key, order = jax.random.key(0), [7, 1, 0, 2, 6, 5, 3, 4]
    x, y = map(jnp.asarray, np.random.default_rng(0).standard_normal((2, 6)))
    for i, old in enumerate(order):
        gradient = packed.relabelled(order).agent(i).full.lower_gradient(x, y, key)
        np.testing.assert_allclose(gradient, padded.agent(old).full.lower_gradient(x, y, key), atol=1e-14)
        assert int(packed.agent(i).samples(upper=1, lower=2)) == 3 * SIZES[i]


def test_rows_are_held_once_and_given_back_as_they_were(held):
    one, two = held(True), held(True, both=False)
    assert one.oracles.upper.values["a"] is one.oracles.lower.values["a"]
    assert len(one.oracles.upper.values["a"]) == sum(SIZES)
    for made, level, seeds in ((one, "lower", range(8)), (two, "upper", range(100, 108)), (two, "lower", range(8))):
        for rows, seed, own in zip(SIZES, seeds, held_rows(made.oracles, level), strict=True):
            given = agent(5 if seed >= 100 else rows, seed)
            np.testing.assert_array_equal(own["a"], given["a"])
            np.testing.assert_array_equal(own["c"], given["c"])


def test_one_large_agent_among_many_small_ones_costs_its_own_bytes():
    random = np.random.default_rng(0)
    data = [{"a": random.standard_normal((rows, 50))} for rows in (20_000, *[10] * 63)]
    given = sum(own["a"].nbytes for own in data)
    loss = lambda x, y, b: jnp.mean((b["a"] @ y - 1) ** 2) + jnp.sum((y - x) ** 2)
    made = hg.Problem(loss, loss, upper_data=data, lower_data=data, x0=np.zeros(50), y0=np.zeros(50))
    held = {id(leaf): leaf.nbytes for leaf in jax.tree.leaves(made.oracles)}
    assert sum(held.values()) < 1.5 * given


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((1, 2, 3), (3,)), ((1, 10, 100), (1, 10, 100)), (tuple(range(1, 5001)), (312, 1250, 5000))],
)
def test_few_numbers_of_rows_are_compiled(sizes, expected):
    assert shapes(Whole("masked", sizes), 1000) == expected
    assert shapes(Whole("sizes", sizes), 1000) == sizes


def _loops(program, around=()):
    """Yields, for every loop of a program, the loops from the outermost to this one: turns, or None for a `while`."""
    for operation in program.eqns:
        loop = {"scan": (operation.params.get("length"),), "while": (None,)}.get(operation.primitive.name, ())
        if loop:
            yield around + loop
        for value in operation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                if hasattr(inner, "jaxpr"):
                    yield from _loops(inner.jaxpr, around + loop)


def test_runs_of_an_agent_are_computed_side_by_side(held):
    """They share every pass over the rows; only the agents take turns."""
    made, key = held(True), jax.random.key(0)
    x = jnp.zeros((5, len(SIZES), 6))

    def products(x):
        of_agent = lambda agent, x: agent.full.hessian_product(x, x, key)(x)
        return jax.vmap(of_agent, (axes_of_agents(made.oracles), 0))(made.oracles, x)

    loops = list(_loops(jax.make_jaxpr(jax.vmap(products))(x).jaxpr))
    assert (len(SIZES),) in loops
    assert not any(5 in loop for loop in loops)


def test_a_personal_lower_level_is_solved_by_one_agent_after_the_other(held):
    """Every agent linearises at its own rows, outside its loops, and waits for no other agent."""
    made = held(True)
    x = jnp.zeros((len(SIZES), 6))
    loops = list(_loops(jax.make_jaxpr(lambda x: lower_solution(made.oracles, made.lower, x, x))(x).jaxpr))
    assert (len(SIZES), None, None) in loops  # Newton's method, and its line search and linear systems
    assert all(loop[0] == len(SIZES) and len(SIZES) not in loop[1:] for loop in loops)


def test_much_data_is_padded_less():
    whole = Whole("masked", tuple(range(1, 5001)))
    assert shapes(whole, 10_000_000) == (625, 1250, 2500, 5000)
