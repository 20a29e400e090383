"""A step for each leaf: what fits a starting point, what is refused, and that every way to a run takes it."""

from collections import namedtuple
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.declarations import register
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.schedules import LeafValues, momentum_at
from hypergossip.core.space import Space
from hypergossip.running.tune import with_values
from small_problems import advance, logistic

NETWORK = hg.networks.ring(3)
EXACT = hg.Exact()
Layers = namedtuple("Layers", ["dense", "bias"])
X0 = {"net": Layers(np.zeros((2, 2)), np.zeros(2)), "lam": np.zeros(()), "rows": [np.zeros(1), np.zeros(3)]}
SPACE = Space.of(X0, True, "upper")
WHOLE = {"net": 0.1, "lam": 0.2, "rows": 0.3}


def vector(step, round=0, space=SPACE, swept=False):
    fit = fitted(hg.DSGD(step, 0.1, EXACT), space, space, swept)
    return np.asarray(fit.upper_step(round))


def flat(net, lam, rows):
    """The flat vector of the values that the leaves of x0 have: dictionaries are in the order of their keys."""
    return np.concatenate([np.ravel(v) for v in (lam, *net, *rows)])


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (WHOLE, flat((np.full(4, 0.1), np.full(2, 0.1)), 0.2, np.full((1, 4), 0.3))),
        (WHOLE | {"net": Layers(0.4, 0.5)}, flat((np.full(4, 0.4), np.full(2, 0.5)), 0.2, np.full((1, 4), 0.3))),
        # As a file writes it: a table for a named tuple.
        (WHOLE | {"net": {"bias": 0.5, "dense": 0.4}}, flat((np.full(4, 0.4), np.full(2, 0.5)), 0.2, [[0.3] * 4])),
        (WHOLE | {"rows": (0.6, 0.7)}, flat((np.full(4, 0.1), np.full(2, 0.1)), 0.2, ([0.6], [0.7] * 3))),
        (
            WHOLE | {"net": {"dense": np.arange(4.0).reshape(2, 2), "bias": jnp.ones(1)}},
            flat((np.arange(4.0), np.ones(2)), 0.2, [[0.3] * 4]),
        ),
    ],
)
def test_a_prefix_has_its_values_at_the_leaves_entries(step, expected):
    np.testing.assert_array_equal(vector(step), expected)


def test_a_leaf_may_have_a_schedule():
    own = jax.tree_util.Partial(lambda scale, t: scale / (2.0 + jnp.asarray(t, float)), 0.3)
    step = {"net": hg.PowerDecay(0.5, 2.0, 0.5), "lam": 0.2, "rows": [own, hg.Constant(0.7)]}
    for round in (0, 9):
        expected = flat((np.full(6, 0.5 / np.sqrt(2.0 + round)),), 0.2, ([0.3 / (2 + round)], [0.7] * 3))
        np.testing.assert_allclose(vector(step, round), expected, rtol=1e-14)
    assert vector(step, jnp.int32(9)).dtype == np.float64
    with jax.enable_x64(False):
        assert vector(step, jnp.int32(9)).dtype == np.float32


def test_what_has_one_value_stays_what_it_is():
    """So that a plain run compiles the program that it always has."""
    for step in (0.1, np.float64(0.1), jnp.asarray(0.1), hg.PowerDecay(0.1), hg.Constant(0.2), np.full(11, 0.1)):
        algorithm = hg.DSGD(step, 0.1, hg.HessianFree(hg.Unrolled(3, 0.1)))
        assert fitted(algorithm, SPACE, SPACE) is algorithm


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"net": 0.1, "lam": 0.2}, "DSGD: upper_step has no value for 'rows', and the leaves of x0 are lam, net, rows"),
        (WHOLE | {"lamb": 1.0}, "DSGD: upper_step has a value for 'lamb', and the leaves of x0 are lam, net, rows"),
        (WHOLE | {"net": {"bias": 1.0}}, r"upper_step\.net has no value for 'dense', and the leaves of x0\.net are"),
        (
            WHOLE | {"rows": [0.1, 0.2, 0.3]},
            r"upper_step\.rows has a value for '2', and the leaves of x0\.rows are 0, 1",
        ),
        (WHOLE | {"lam": {"deep": 0.1}}, r"upper_step\.lam is \{'deep': 0\.1\}, but 'lam' is a single array of x0"),
        ([0.1, 0.2], "upper_step has a value for '0', and the leaves of x0 are"),
        (WHOLE | {"lam": None}, r"upper_step\.lam is None, not a number"),
        (WHOLE | {"net": None}, r"upper_step\.net is None, not a number"),
        (WHOLE | {"lam": "fast"}, r"DSGD\.upper_step\['lam'\] is 'fast', not a number"),
        (WHOLE | {"lam": lambda t: 0.1}, r"DSGD\.upper_step\['lam'\] is <function.*Partial"),
        (
            WHOLE | {"net": np.ones(3)},
            r"upper_step\.net is an array of shape \(3,\) for leaves of shape \(2, 2\), \(2,\)",
        ),
        (
            WHOLE | {"rows": [0.1, np.ones(2)]},
            r"upper_step\.rows\.1 is an array of shape \(2,\) for a leaf of shape \(3,\)",
        ),
        (np.ones(3), r"upper_step is an array of shape \(3,\) for leaves of shape"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(step, words):
    with pytest.raises(ValueError, match=words):
        vector(step)


def test_what_holds_no_array_needs_no_step():
    space = Space.of({"a": np.zeros(2), "nothing": None}, True, "upper")
    for step in ({"a": 0.1}, {"a": 0.1, "nothing": None}):
        np.testing.assert_array_equal(vector(step, space=space), [0.1, 0.1])


def test_the_lower_level_is_named_and_the_estimators_step_fits_too():
    single = Space.of(np.zeros(3), False, "lower")
    with pytest.raises(ValueError, match=r"DSGD: lower_step is \[0\.1\], but y0 is a single array"):
        fitted(hg.DSGD(0.1, [0.1], EXACT), SPACE, single)
    fit = fitted(hg.DSGD(0.1, 0.1, hg.HessianFree(hg.Unrolled(3, WHOLE))), single, SPACE)
    np.testing.assert_array_equal(fit.hypergradient.hypergradient.lower_step(0), vector(WHOLE))
    with pytest.raises(ValueError, match="Unrolled: lower_step has no value for 'net'"):
        fitted(hg.DSGD(0.1, 0.1, hg.Unrolled(3, {"lam": 1.0, "rows": 1.0})), single, SPACE)


@pytest.mark.parametrize(
    ("algorithm", "words"),
    [
        (
            hg.Slam(0.1, 0.1, WHOLE, 1.0, EXACT),
            "Slam: gamma is .* one number for all leaves; a value .* upper_step, lower_step",
        ),
        (hg.Stable(0.1, 0.1, WHOLE, 0.5), "Stable: momentum is"),
        (hg.VRBiAdam(0.1, 0.1, 0.3, 0.3, EXACT, WHOLE), "VRBiAdam: interpolation is"),
        (hg.DSGD(0.1, 0.1, hg.TruncatedNeumann(3, WHOLE)), "TruncatedNeumann: lipschitz is .* nothing here"),
        (
            hg.Diamond(WHOLE, 0.1, 0.3, hg.SquaredStep(0.2), EXACT),
            "Diamond: lower_momentum is SquaredStep, which follows",
        ),
        (hg.Stable(WHOLE, 0.1, hg.SquaredStep(0.2), 0.5), "Stable: momentum is SquaredStep"),
        (hg.DSGD(WHOLE | {"lam": hg.SquaredStep(0.2)}, 0.1, EXACT), "SquaredStep follows the upper step"),
    ],
)
def test_what_must_be_one_number_is_refused(algorithm, words):
    with pytest.raises(ValueError, match=words):
        fitted(algorithm, SPACE, SPACE).upper_step(0)


def test_a_users_own_hyper_parameters_are_left_alone():
    @register
    class Own:
        """A method with a table of its own."""

        upper_step: object
        table: object

    own = Own(0.1, {"any": 1.0, "thing": [2.0]})
    assert fitted(own, SPACE, SPACE) is own
    assert isinstance(fitted(replace(own, upper_step=WHOLE), SPACE, SPACE).upper_step, LeafValues)


def test_the_momentum_of_a_leaf_follows_its_own_step():
    step, rule = WHOLE | {"lam": hg.PowerDecay(2.0, 1.0, 0.5)}, hg.SquaredStep(5.0)
    both = fitted(hg.Diamond(step, 0.1, WHOLE | {"lam": rule}, 0.2, EXACT), SPACE, SPACE)
    whole = fitted(hg.Diamond(step, 0.1, rule, 0.2, EXACT), SPACE, SPACE)
    for round in (1, 40):
        lam = min(1.0, 5.0 * 4.0 / round)  # the step of the round before, squared
        plain = flat((np.full(6, 0.1),), 0.0, [[0.3] * 4])
        mixed = momentum_at(both.upper_momentum, both.upper_step, round)
        np.testing.assert_allclose(mixed, np.where(plain > 0, plain, lam), rtol=1e-14)
        followed = momentum_at(whole.upper_momentum, whole.upper_step, round)
        np.testing.assert_allclose(followed, np.minimum(1, 5 * np.where(plain > 0, plain**2, lam / 5)), rtol=1e-14)
    assert (momentum_at(both.upper_momentum, both.upper_step, 0) == 1).all()


def quadratics(noise, **fields):
    """Quadratics whose x has the leaves decay (1,) and tilt (2,)."""
    plain = hg.problems.quadratic(3, 3, 4, seed=0, noise=noise)
    x0 = {"decay": np.zeros(1), "tilt": np.zeros(2)}
    return hg.Problem.from_oracles(replace(plain.oracles, **fields), x0=x0, y0=np.zeros(4))


def test_a_frozen_leaf_is_a_constant_of_the_problem():
    """The other leaf moves as in the problem without the frozen one, which stays at zero."""
    both = quadratics(0.0)
    o = both.oracles
    alone = hg.Problem.from_oracles(
        replace(o, B=o.B[:, :, 1:], a=o.a[:, 1:], e=o.e[:, 1:]), x0=np.zeros(2), y0=np.zeros(4)
    )
    state, _ = advance(hg.GTSGD({"decay": 0.0, "tilt": 0.1}, 0.2, EXACT), both, NETWORK, 20)
    other, _ = advance(hg.GTSGD(0.1, 0.2, EXACT), alone, NETWORK, 20)
    assert (state.x[:, 0] == 0).all()
    np.testing.assert_allclose(state.x[:, 1:], other.x, rtol=1e-12)
    assert (np.abs(state.u[:, 0]) > 0.01).all()


def test_engines_and_checkpoints_know_the_steps(tmp_path):
    problem = quadratics(0.1)
    algorithm = hg.DSGD({"decay": hg.PowerDecay(0.2, 2.0), "tilt": 0.1}, 0.1, hg.ConjugateGradient(2))
    options = {"observe_every": 2, "check": False, "measure": False}
    whole = hg.solve(algorithm, problem, NETWORK, rounds=4, **options)
    for engine in (hg.Sharded(devices=3), hg.Debug()):
        there = hg.solve(algorithm, problem, NETWORK, rounds=4, engine=engine, **options)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-10), whole.x, there.x)
    hg.solve(algorithm, problem, NETWORK, rounds=2, checkpoint=tmp_path, **options)
    turned = replace(algorithm, upper_step=dict(reversed(algorithm.upper_step.items())))
    resumed = hg.solve(turned, problem, NETWORK, rounds=4, checkpoint=tmp_path, **options)
    jax.tree.map(np.testing.assert_array_equal, whole.x, resumed.x)
    other = replace(algorithm, upper_step={**algorithm.upper_step, "tilt": 0.2})
    with pytest.raises(hg.CheckpointError, match="algorithm"):
        hg.solve(other, problem, NETWORK, rounds=9, checkpoint=tmp_path)


def test_an_estimator_checks_its_own_derivative_with_a_step_for_each_leaf():
    """Through enough steps of any stable sizes the unrolled derivative is the true one."""
    steps = {"weights": 0.5, "intercept": 0.3}
    found = hg.check_hypergradient(logistic(), hg.Unrolled(200, steps), draws=1)
    assert found.relative_error < 1e-6
    with pytest.raises(ValueError, match="lower_step is a schedule, but an estimator does not know the round"):
        hg.check_hypergradient(logistic(), hg.Unrolled(3, {"weights": hg.PowerDecay(0.5), "intercept": 0.3}))


def test_tune_goes_into_the_leaves():
    problem = quadratics(0.1)
    algorithm = hg.DSGD({"decay": 0.1, "tilt": hg.PowerDecay(0.1, 2.0)}, 0.1, hg.ConjugateGradient(5))
    grid = {"upper_step.decay": [0.1, 0.2], "upper_step.tilt.scale": [0.1, 0.4]}
    tuning = hg.tune(algorithm, problem, NETWORK, grid=grid, rounds=5, seeds=1, seed=0)
    best = tuning.table.iloc[0]
    steps = {"decay": best["upper_step.decay"], "tilt": hg.PowerDecay(best["upper_step.tilt.scale"], 2.0)}
    assert tuning.best == replace(algorithm, upper_step=steps)
    history = hg.solve(tuning.best, problem, NETWORK, rounds=5, observe_every=1, check=False).history
    late = history.set_index("round")["metric"]
    assert best["score"] == pytest.approx((2 * late[4] + late[5]) / 3, rel=1e-6)  # 80, 90 and 100 % of five rounds
    assert tuning.table["score"].nunique() == 4
    for name, words in (
        ("upper_step.lamb", "dict has no 'lamb'; it has decay, tilt"),
        ("upper_step", "'upper_step' is dict and not a number; sweep upper_step.decay, upper_step.tilt instead"),
        ("upper_step.tilt", "'upper_step.tilt' is PowerDecay and not a number; sweep upper_step.tilt.scale"),
        ("lower_step.weights", "float has no 'weights'; it has no parts"),
    ):
        with pytest.raises(ValueError, match=words):
            hg.tune(algorithm, problem, NETWORK, grid={name: [0.1]}, rounds=1)
    with pytest.raises(ValueError, match=r"every point of the grid is refused.*upper_step\.decay is -1"):
        hg.tune(algorithm, problem, NETWORK, grid={"upper_step.decay": [-1.0]}, rounds=1)


@pytest.mark.parametrize("part", [{"a": 1.0, "b": 2.0}, [1.0, 2.0], (1.0, 2.0), Layers(1.0, 2.0)])
def test_values_are_replaced_in_every_kind_of_node(part):
    second = {dict: "b", list: "1", tuple: "1", Layers: "bias"}[type(part)]
    new = with_values(hg.DSGD(part, 0.1, EXACT), {f"upper_step.{second}": 3.0}).upper_step
    assert type(new) is type(part)
    assert jax.tree.leaves(new) == [1.0, 3.0]


def test_mrbo_ties_the_momenta_to_its_own_decay():
    whole = hg.MRBO(0.3, 0.2, 5.0, 7.0, terms=3, lipschitz=9.0, offset=64.0)
    spread = hg.MRBO({"decay": 0.3, "tilt": 0.3}, 0.2, 5.0, 7.0, terms=3, lipschitz=9.0, offset=64.0)
    one, other = (advance(algorithm, quadratics(0.1), NETWORK, 6)[0] for algorithm in (whole, spread))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-12), one, other)
    with pytest.raises(ValueError, match="MRBO: its steps and momenta must be numbers"):
        hg.MRBO(0.3, hg.PowerDecay(0.2), 5.0, 7.0, terms=3, lipschitz=9.0)
