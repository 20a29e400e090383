"""Steps held against the curvature: warned of where the iteration diverges, and nowhere else."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.algorithm import Facts
from hypergossip.core.corrections import largest_step
from hypergossip.core.leaf_steps import fitted
from hypergossip.core.preset import generalised
from hypergossip.core.step_bounds import check_signs, rounded_down
from hypergossip.running.preflight import concerns, facts
from laws.table import Method, every_method
from small_problems import advance

NETWORK = hg.networks.ring(4)
L = 4.0
BOUND = 2 / L
EXACT = hg.Exact()
TRACKED = (
    hg.MDBO | hg.VRDBO | hg.DSGDAGT | hg.FAB | hg.SUNDSBO | hg.MADSBO | hg.C2DFB
)  # on a lower level that is shared


def known(share="upper", largest=L):
    """What a run on this curvature would know."""
    shared = share in ("upper", "both"), share in ("lower", "both")
    return Facts(*shared, network=NETWORK, lower_curvature=(largest / 4, largest), upper_curvature=lambda: 1.0)


def told(algorithm, facts):
    """The warnings, or the refusal."""
    try:
        return concerns(algorithm, facts)
    except ValueError as error:
        return [str(error)]


def bound_of(method: Method):
    """2 / L, or the sharper bound of a method that has its own (tests of SLAM's are in test_preflight)."""
    least = NETWORK.smallest_eigenvalue
    penalty = (1 + 2 * 0.8) * 1.5 * (1 - least)
    if type(method.algorithm) in (hg.Slam, hg.SlamTracked):
        return 4 / (2 * L + (penalty if method.share in ("lower", "both") else 0))
    if type(method.algorithm) is hg.Sparkle:
        return largest_step(method.algorithm.correction, least if method.share == "both" else 1.0) / L
    if isinstance(method.algorithm, hg.SLDBO):
        return largest_step("GT", least) / L
    if isinstance(method.algorithm, TRACKED):
        scale = 1.0 if type(method.algorithm) is hg.C2DFB else getattr(method.algorithm, "penalty", 1.0)
        return (1 + least) ** 2 / 2 / (L * scale)
    return (1 + least) / L if isinstance(method.algorithm, hg.MDAC) else BOUND


@every_method()
@pytest.mark.parametrize("name", ["lower_step", "adjoint_step"])
def test_every_method_holds_its_steps_against_the_curvature(method, name):
    bound, algorithm = bound_of(method), generalised(method.algorithm)
    if not hasattr(algorithm, name):
        return
    for factor in (1e-3, 0.5, 0.999):
        assert told(replace(algorithm, **{name: factor * bound}), known(method.share)) == []
    for factor in (1.001, 7.0):
        (text,) = told(replace(algorithm, **{name: factor * bound}), known(method.share))
        assert f"{name} = {factor * bound:.3g} " in text
        advised = ("use a value below", "use, for example", "Take at most", "Take a smaller step")
        assert any(advice in text for advice in advised)
        own = isinstance(algorithm, hg.Slam | hg.SlamTracked | hg.MDAC | TRACKED) or "Take at most" in text
        assert ("above 2/L with L about 4; use a value below 0.5" in text) is not own
    if bound == BOUND:
        assert len(told(replace(algorithm, **{name: bound}), known(method.share))) == 1
    for where in ("upper_step", "lower_step"):
        (text,) = told(replace(algorithm, **{where: -0.01}), known(method.share))
        assert f"{type(algorithm).__name__}: {where} is -0.01 in round 0" in text


def test_the_sentence():
    problem, network = hg.problems.quadratic(agents=4), hg.networks.ring(4)
    with pytest.warns(hg.PreflightWarning) as caught:
        hg.solve(hg.SOBA(hg.PowerDecay(0.1), 1.0, 0.1), problem, network, rounds=0)
    (warning,) = caught
    assert "SOBA: lower_step = 1 is above 2/L with L about 4; use a value below 0.5." in str(warning.message)
    assert "if the curvature stays as it is, gradient descent diverges." in str(warning.message)


def test_beyond_the_bound_at_the_start_gradient_descent_may_still_settle():
    """A logistic curvature falls from its start at zero: a step above 2/L is warned of, and converges all the same."""
    random = np.random.default_rng(0)
    a = random.standard_normal((4, 200, 5))
    data = {"a": a, "c": (a[..., 0] + 0.1 * random.standard_normal((4, 200)) > 0) * 2.0 - 1}
    fit = lambda y, b: jnp.mean(jax.nn.softplus(-b["c"] * (b["a"] @ y)))
    lower = lambda x, y, b: fit(y, b) + 0.01 * jnp.sum((y - x) ** 2)
    start = np.zeros(5)
    problem = hg.Problem(lambda x, y, b: fit(y, b), lower, upper_data=data, lower_data=data, x0=start, y0=start)
    algorithm, known = hg.DSGD(0.0, 8.0, hg.Direct()), facts(problem, NETWORK)
    assert known.lower_curvature[1] > 2 / 8.0
    (text,) = concerns(algorithm, known)
    assert "lower_step = 8 is above 2/L" in text
    assert "if the curvature stays as it is, gradient descent diverges." in text
    assert max(movement(algorithm, problem, "y")) < 1e-12


def stiff(share="upper"):
    """Four equal agents; y has the leaves hard, of curvature 4, and soft, of curvature 1; nothing depends on x."""
    plain = hg.problems.quadratic(4, 2, 3, seed=1, heterogeneity=0.0, noise=0.0, share=share)
    o = plain.oracles
    H = jnp.broadcast_to(jnp.diag(jnp.array([4.0, 1.0, 1.0])), o.H.shape)
    y0 = {"hard": np.ones(1), "soft": np.ones(2)}
    oracles = replace(o, H=H, B=jnp.zeros_like(o.B))
    return hg.Problem.from_oracles(oracles, x0=np.zeros(2), y0=y0, share=share)


def movement(algorithm, problem, field):
    """How far the field still moves in a round after 400 and after 800 of them."""
    moves = []
    for rounds in (400, 800):
        ends = [getattr(advance(algorithm, problem, NETWORK, n)[0], field) for n in (rounds, rounds + 1)]
        moves.append(np.abs(ends[1] - ends[0]).max())
    return moves


@pytest.mark.parametrize(
    ("algorithm", "name", "share", "field"),
    [
        (hg.DSGD(0.1, 0.1, EXACT), "lower_step", "upper", "y"),
        (hg.Diamond(0.1, 0.1, 0.3, 0.3, EXACT), "lower_step", "upper", "y"),
        (hg.SOBA(0.1, 0.1, 0.1), "adjoint_step", "upper", "z"),
        (hg.CAC(0.1, 0.1, EXACT), "lower_step", "lower", "y"),
    ],
    ids=["DSGD", "Diamond", "SOBA's adjoint", "CAC"],
)
def test_the_bound_is_where_the_iteration_begins_to_grow(algorithm, name, share, field):
    problem, known = stiff(share), facts(stiff(share), NETWORK)
    assert known.lower_curvature[1] == pytest.approx(L, rel=1e-6)
    for factor, grows in ((0.99, False), (1.01, True)):
        tried = replace(algorithm, **{name: factor * BOUND})
        assert bool(concerns(tried, known)) is grows
        early, late = movement(tried, problem, field)
        assert (late > 1e3 * early) if grows else (late < 1e-2 * early)


def test_a_step_for_each_leaf_may_be_larger_where_the_curvature_is_smaller():
    """Only the largest curvature is known: a leaf beyond 2 / L may be stable, and all leaves beyond it are not."""
    problem = stiff()
    known = facts(problem, NETWORK)
    cases = (
        ({"hard": 0.45, "soft": 0.3}, "", True),
        ({"hard": 0.45, "soft": 1.9}, "lower_step.soft = 1.9 is above", True),
        ({"hard": 0.52, "soft": 0.3}, "lower_step.hard = 0.52 is above", False),
        ({"hard": 0.55, "soft": 0.6}, "lower_step.soft = 0.6 is above", False),
    )
    for steps, words, stable in cases:
        algorithm = fitted(hg.DSGD(0.1, steps, EXACT), problem.upper, problem.lower)
        texts = concerns(algorithm, known)
        assert [words in text for text in texts] == [True] * bool(words)
        assert all(("may diverge" in text) is (min(steps.values()) < BOUND) for text in texts)
        assert bool(movement(algorithm, problem, "y")[1] < 1e-12) is stable
        refusal = hg.Unrolled(5, steps)
        if min(steps.values()) >= BOUND:
            with pytest.raises(ValueError, match="its steps diverge"):
                refusal.check(known)
        else:
            assert [words in text for text in refusal.check(known)] == [True] * bool(words)


def test_schedules_are_looked_at_where_they_begin_and_where_they_settle():
    def text(step):
        return " ".join(told(hg.DSGD(0.1, step, EXACT), known()))

    assert "lower_step begins at 0.8, above 2/L" in text(hg.PowerDecay(0.8))
    assert "diverges until the step has decayed" in text(hg.PowerDecay(0.8))
    assert "begins at 3, above 2/L" in text(hg.PowerDecay(3.0, 1.0, 0.1))
    assert "decayed" not in text(hg.PowerDecay(3.0, 1.0, 0.1))
    assert "= 0.6 is above" in text(hg.Constant(0.6))
    growing = jax.tree_util.Partial(lambda top, t: top * (1 - 1 / (2.0 + t)), 0.7)
    assert "reaches 0.693 after 100 rounds, above 2/L" in text(growing)
    assert text(hg.PowerDecay(0.49)) == text(hg.Constant(0.49)) == ""
    assert told(hg.BSA(0.1, hg.PowerDecay(0.49), EXACT), known()) == []


@every_method()
@pytest.mark.parametrize("name", ["lower_step", "adjoint_step"])
def test_every_method_sees_a_step_that_grows_beyond_its_bound(method, name):
    if not hasattr(method.algorithm, name) or isinstance(getattr(method.algorithm, "hypergradient", None), hg.Unrolled):
        return
    bound = bound_of(method)
    warm_up = lambda after: jax.tree_util.Partial(lambda r: jnp.where(r < 5, 0.5, after) * bound)
    check = lambda step: told(replace(generalised(method.algorithm), **{name: step}), known(method.share))
    assert check(warm_up(0.9)) == []
    (text,) = check(warm_up(1.5))
    assert f"{name} reaches {1.5 * bound:.3g} after 100 rounds, " in text or "Take at most" in text
    (text,) = check(hg.PowerDecay(1.01 * bound))
    assert f"{name} begins at {1.01 * bound:.3g}, " in text


def test_the_largest_of_the_leaves_is_named_by_the_methods_with_bounds_of_their_own():
    problem = stiff("both")
    for make in (lambda step: hg.Slam(0.01, step, 0.5, 0.2, EXACT), lambda step: hg.MDAC(0.01, step, EXACT)):
        algorithm = fitted(make({"hard": 0.1, "soft": 0.9}), problem.upper, problem.lower)
        (text,) = concerns(algorithm, facts(problem, NETWORK))
        assert "lower_step.soft = 0.9 may be unstable" in text


def test_without_losses_there_is_no_curvature_to_hold_a_step_against():
    assert told(hg.CAC(0.1, 1e3, hg.Direct()), known("both", largest=0.0)) == []


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["upper_step", "lower_step", "upper_momentum", "lower_momentum"])
def test_what_is_no_step_is_refused(name, value):
    algorithm = hg.Diamond(0.1, 0.1, 0.3, 0.3, EXACT)
    wrongs = [value, hg.PowerDecay(value), {"a": 0.1, "b": value}]
    for wrong in [*wrongs, hg.SquaredStep(value)] if name.endswith("momentum") else wrongs:
        with pytest.raises(ValueError, match=rf"Diamond: {name}(\.b)? is {value} in round 0; a step is a positive"):
            check_signs(replace(algorithm, **{name: wrong}))


def test_a_lower_step_of_zero_is_remarked_on_and_what_is_held_on_purpose_is_not():
    algorithm = hg.SOBA(0.1, 0.1, 0.1)
    assert check_signs(algorithm) == check_signs(replace(algorithm, upper_step=0.0)) == []
    assert check_signs(replace(algorithm, lower_step={"a": 0.0, "b": 0.1})) == []
    for name, moved in (("lower_step", "y"), ("adjoint_step", "the adjoint")):
        (text,) = check_signs(replace(algorithm, **{name: 0.0}))
        assert text == f"SOBA: {name} is 0, so {moved} never changes; give a positive number."


@pytest.mark.parametrize("bound", [0.5, 0.50251, 0.4999, 1.0, 9.99, 123.4, 3.1e-5])
def test_a_value_that_would_do_is_never_beyond(bound):
    assert 0.9 * bound < float(f"{rounded_down(bound):.2g}") <= bound * (1 + 1e-9)
