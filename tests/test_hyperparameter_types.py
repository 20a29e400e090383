"""Hyperparameters of a wrong type or outside their range are refused by name before a run."""

from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

import hypergossip as hg
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.step_bounds import check_momenta, check_signs
from hypergossip.running.preflight import concerns, facts
from laws.table import METHODS

pytestmark = pytest.mark.usefixtures("unchecked")
FACTS: Any = None  # these checks come before any that reads the facts
DECAY = hg.PowerDecay(0.5)
NETWORK = hg.networks.ring(4)


def dynamic(part: Any) -> list[str]:
    """The fields of a method or an estimator that are numbers, or None."""
    values = {one.name: getattr(part, one.name) for one in fields(part) if "static" not in one.metadata}
    return [name for name, value in values.items() if value is None or isinstance(value, int | float)]


@pytest.fixture(scope="module")
def quadratic():
    return hg.problems.quadratic(4, share="both")


@pytest.mark.parametrize("value", [DECAY, None, float("inf"), float("nan"), 0.0, -1, True, "1"])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("penalty", lambda value: hg.FAB(0.1, 0.1, value)),
        ("penalty", lambda value: hg.DSGDAGT(0.1, 0.1, value)),
        ("penalty", lambda value: hg.C2DFB(0.1, 0.1, value, 2)),
        ("mu", lambda value: hg.SUNDSBO(0.1, 0.1, mu=value, gamma=1.0)),
        ("gamma", lambda value: hg.SUNDSBO(0.1, 0.1, mu=0.1, gamma=value)),
        ("eta", lambda value: hg.MDBO(0.1, 0.1, 0.1, 0.1, value, hg.Neumann(2, 1.0))),
        ("damping", lambda value: hg.NaturalPolicyGradient(damping=value)),
        ("share", lambda value: hg.S3LDBO(0.1, 0.1, 0.1, share=value)),
        ("initial", lambda value: hg.AdaSDBO(initial=value)),
    ],
)
def test_one_number(name, make, value):
    with pytest.raises(ValueError, match=name):
        make(value).check(FACTS)


@pytest.mark.parametrize("value", [DECAY, float("inf"), 0.0, -1, True, "1"])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("radius", lambda value: hg.SLDBO(0.1, 0.1, 0.1, radius=value)),
        ("difference", lambda value: hg.DSOBA(0.1, 0.1, 0.1, difference=value)),
        ("length", lambda value: hg.NaturalPolicyGradient(length=value)),
    ],
)
def test_one_number_or_none(name, make, value):
    with pytest.raises(ValueError, match=name):
        make(value).check(FACTS)


@pytest.mark.parametrize("momentum", [2.5, 2, float("inf")])
@pytest.mark.parametrize(
    "make",
    [
        lambda momentum: hg.MADSBO(0.1, 0.1, 0.1, momentum, 2, 2),
        lambda momentum: hg.DSGDAGT(0.1, 0.1, 10.0, momentum=momentum),
        lambda momentum: hg.Diamond(0.1, 0.1, 0.5, momentum, hg.Exact()),
        lambda momentum: hg.MSGD(0.1, 0.1, momentum, 0.5, hg.Exact()),
    ],
)
def test_a_momentum_that_is_clipped_is_no_number_above_1(make, momentum):
    with pytest.raises(ValueError, match=r"momentum is .*; a momentum lies in"):
        make(momentum).check(FACTS)
    check_momenta(make(hg.PowerDecay(2.5)))  # a schedule may begin above


@pytest.mark.parametrize("momentum", [-0.1, float("nan"), hg.PowerDecay(-0.5)])
@pytest.mark.parametrize(
    "make",
    [
        lambda momentum: hg.DSGDAGT(0.1, 0.1, 10.0, momentum=momentum),
        lambda momentum: hg.Stable(0.1, 0.1, momentum, 0.1),
    ],
)
def test_a_momentum_of_all_variables_is_not_negative(make, momentum):
    with pytest.raises(ValueError, match="momentum is "):
        make(momentum).check(FACTS)


def test_flags_are_no_steps():
    with pytest.raises(ValueError, match="upper_step is True; give a number or a schedule"):
        check_signs(hg.DSGD(True, 0.1, hg.Exact()))


@pytest.mark.parametrize("seed", [-1, 2**32, True, 2.5, "x"])
def test_coin_seed(seed):
    with pytest.raises(ValueError, match="coin_seed"):
        hg.S3LDBO(0.1, 0.1, 0.1, coin_seed=seed).check(FACTS)


def test_a_whole_share_renews_every_round():
    assert all(hg.S3LDBO(0.1, 0.1, 0.1, share=1).renewed(round) for round in range(4))


@pytest.mark.parametrize("scale", ["upper_scale", "lower_scale", "adjoint_scale"])
@pytest.mark.parametrize("value", [-1, 0, float("nan"), float("inf"), None])
def test_scales(scale, value):
    with pytest.raises(ValueError, match=scale):
        hg.AdaSDBO(**{scale: value}).check(FACTS)


@pytest.mark.parametrize("method", [hg.Sparkle, hg.DSOBA])
@pytest.mark.parametrize("value", [2.5, 0.0, hg.PowerDecay(2.0)])
def test_momentum(method, value):
    with pytest.raises(ValueError, match="upper_momentum"):
        method(0.1, 0.1, 0.1, upper_momentum=value).check(FACTS)


@pytest.mark.parametrize(
    ("name", "method", "value"),
    [
        *(("inner_steps", hg.C2DFB, value) for value in (2.5, True, "2", None)),
        ("in_turn", hg.Sparkle, "x"),
        ("symmetric", hg.FAB, "x"),
        ("hypergradient", hg.GTSGD, None),
        ("hypergradient", hg.MDBO, 3),
    ],
)
def test_static(quadratic, name, method, value):
    required = [one.name for one in fields(method) if one.default is MISSING]
    algorithm = method(**{**dict.fromkeys(required, 0.1), name: value})
    with pytest.raises(ValueError, match=name):
        fitted(algorithm, quadratic.upper, quadratic.lower)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True], ids=str)
@pytest.mark.parametrize("name", METHODS)
def test_a_number_of_a_method_is_finite(quadratic, name, value):
    algorithm, known = METHODS[name].algorithm, facts(quadratic, NETWORK)
    for field in dynamic(algorithm):
        wrong = replace(algorithm, **{field: value})
        with pytest.raises(ValueError, match=rf"{field}.* is {value}"):
            concerns(fitted(wrong, quadratic.upper, quadratic.lower), known)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None], ids=str)
@pytest.mark.parametrize(
    "estimator",
    [
        hg.Neumann(5, 6.0),
        hg.MiniBatchNeumann(5, 6.0),
        hg.Unrolled(3, 0.1),
        hg.ConjugateGradient(3),
        hg.HessianFree(hg.ConjugateGradient(3), radius=1e-3),
        hg.NaturalPolicyGradient(length=0.1),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_number_of_an_estimator_is_finite(quadratic, estimator, value):
    for field in dynamic(estimator):
        if value is None and field in ("radius", "length"):
            continue
        algorithm = hg.DSGD(0.1, 0.1, replace(estimator, **{field: value}))
        with pytest.raises(ValueError, match=rf"{field}.* is {value}"):
            concerns(fitted(algorithm, quadratic.upper, quadratic.lower), facts(quadratic, NETWORK))


@pytest.mark.parametrize("estimator", [hg.ConjugateGradient, hg.NaturalPolicyGradient])
@pytest.mark.parametrize(("option", "value"), [("iterations", 0), ("iterations", -1), ("tolerance", -1e-6)])
def test_a_solver_has_iterations_and_a_tolerance_of_at_least_0(estimator, option, value):
    with pytest.raises(ValueError, match=option):
        estimator(**{option: value}).check(FACTS)
    estimator(tolerance=0).check(FACTS)


@pytest.mark.parametrize("option", ["scale", "offset"])
@pytest.mark.parametrize("value", [0, -1.0, DECAY])
def test_the_decay_of_mrbo_is_positive(quadratic, option, value):
    algorithm = replace(METHODS["MRBO"].algorithm, **{option: value})
    with pytest.raises(ValueError, match=option):
        algorithm.check(facts(quadratic, NETWORK))
