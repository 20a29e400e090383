"""What is seen before a run: curvatures of both levels, and the bounds that rest on them are the true ones."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.running.preflight import facts, lower_curvature, preflight, upper_curvature
from hypergossip.running.run import begin
from laws.table import METHODS, every_method
from refusals import refused
from small_problems import advance

NETWORK = hg.networks.ring(4)


def quadratic(**options):
    return hg.problems.quadratic(4, 3, 5, **({"seed": 2} | options))


def with_lower_hessian(H, share="upper"):
    """Four agents with one given lower Hessian (q, q)."""
    plain = hg.problems.quadratic(4, 3, len(H), seed=2)
    oracles = dataclasses.replace(plain.oracles, H=jnp.broadcast_to(jnp.asarray(H), (4, *np.shape(H))))
    return hg.Problem.from_oracles(oracles, x0=np.zeros(3), y0=np.zeros(len(H)), share=share)


def test_lower_curvatures_are_the_extreme_eigenvalues():
    problem = quadratic()
    smallest, largest = lower_curvature(problem)
    values = np.linalg.eigvalsh(np.asarray(problem.oracles.H))
    np.testing.assert_allclose(largest, values[:, -1], rtol=2e-2)
    np.testing.assert_allclose(smallest, values[:, 0], rtol=0.3)
    assert (smallest >= values[:, 0] - 1e-12).all()  # a Rayleigh quotient is never below the truth
    assert (largest <= values[:, -1] + 1e-12).all()


def test_upper_curvature_is_that_of_l():
    problem = quadratic(curvature_heterogeneity=0.5)
    solution = hg.problems.solution(problem)
    hessian = np.stack([solution.hypergradient(v) - solution.hypergradient(np.zeros(3)) for v in np.eye(3)])
    assert upper_curvature(problem) == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=0.02)


@pytest.mark.parametrize(
    "H", [np.diag([2.0, 1.0, -0.5]), np.diag([-3.0, 1.0, 1.0]), np.diag([2.0, 1.0, 0.0]), np.zeros((3, 3))], ids=str
)
def test_a_lower_level_that_is_not_strongly_convex_is_refused(H):
    refused(lambda: facts(with_lower_hessian(H), NETWORK), ["agent 0", "not strongly convex", "regulariser"])


def test_one_bad_agent_is_named():
    plain = quadratic()
    oracles = dataclasses.replace(plain.oracles, H=plain.oracles.H.at[2].multiply(-1.0))
    with pytest.raises(ValueError, match="the lower level of agent 2 is not strongly convex"):
        facts(hg.Problem.from_oracles(oracles, x0=np.zeros(3), y0=np.zeros(5)), NETWORK)


def test_weak_convexity_is_convexity():
    facts(with_lower_hessian(np.diag([2.0, 1.0, 1e-4])), NETWORK)


def test_warnings_come_from_the_users_call():
    algorithm = hg.DSGD(0.1, 0.1, hg.TruncatedNeumann(5, 3.0))
    with pytest.warns(hg.PreflightWarning, match="does not bound"):
        preflight(algorithm, quadratic(), NETWORK)


def slam(problem, gamma, rho, share, factor, level):
    """Slam with one level's step at a factor of the bound of equations.md, the other's a tenth of its own."""
    mu_max = 1 - NETWORK.smallest_eigenvalue
    penalty = (1 + 2 * gamma) * rho * mu_max
    lower = 4 / ((penalty if share in ("lower", "both") else 0) + 2 * np.linalg.eigvalsh(problem.oracles.H[0])[-1])
    upper = 4 / ((penalty if share in ("upper", "both") else 0) + 2.0)
    steps = {"lower": (0.1 * upper, factor * lower), "upper": (factor * upper, 0.1 * lower)}[level]
    return hg.Slam(*steps, gamma, rho, hg.Exact())


def equal_agents(share):
    """Equal agents with l(x) = |x|^2 / 2 + a constant: B = 0, so each level is a linear recursion of its own."""
    plain = hg.problems.quadratic(4, 3, 5, seed=2, heterogeneity=0.0)
    o = plain.oracles
    oracles = dataclasses.replace(o, B=jnp.zeros_like(o.B), a=jnp.ones_like(o.a))
    return hg.Problem.from_oracles(oracles, x0=np.zeros(3), y0=np.zeros(5), share=share)


@pytest.mark.parametrize(
    ("share", "level"), [("both", "lower"), ("both", "upper"), ("upper", "lower"), ("lower", "lower")]
)
def test_slams_bound_is_where_the_recursion_begins_to_grow(share, level):
    problem = equal_agents(share)
    # Agents start apart in every direction, so that no eigenvector is missed.
    random = np.random.default_rng(0)
    x, y = jnp.asarray(random.standard_normal((1, 4, 3))), jnp.asarray(random.standard_normal((1, 4, 5)))
    size = {}
    for factor in (0.99, 1.01):
        algorithm = slam(problem, 1.0, 0.4, share, factor, level)
        run, carry = begin(hg.Simulated(), algorithm, False, problem, NETWORK, np.array([0]), None)
        sizes = []
        state, round = carry.state._replace(x=x, y=y), 0
        for until in (1500, 3000):
            state, _ = run.session.advance(state, round, until)
            round = until
            moving, _ = run.session.advance(state, round, until + 1)
            own = (moving.x - state.x) if level == "upper" else (moving.y - state.y)
            sizes.append(float(jnp.abs(own).max()))
        size[factor] = sizes
        warned = [text for text in algorithm.check(facts(problem, NETWORK)) if f"{level}_step" in text]
        assert bool(warned) is (factor > 1)
        assert all("is likely to be unstable" in text and "use, for example" in text for text in warned)
    assert size[0.99][1] < 1e-9
    assert not size[1.01][1] < 1e3
    assert not size[1.01][1] < 1e3 * size[1.01][0]


@pytest.mark.parametrize("level", ["lower", "upper"])
def test_slam_refuses_what_the_network_alone_breaks(level):
    problem = equal_agents("both")
    mu_max = 1 - NETWORK.smallest_eigenvalue
    bound = 4 / ((1 + 2 * 0.5) * 0.8 * mu_max)
    known, good = facts(problem, NETWORK), hg.Slam(0.01, 0.01, 0.5, 0.8, hg.Exact())
    assert good.check(known) == []
    bad = dataclasses.replace(good, **{f"{level}_step": 1.001 * bound})
    refused(lambda: bad.check(known), [f"{level}_step = ", "is unstable on this network", f"{bound:.3g}"])


def test_slam_on_a_flat_upper_level_has_no_bound():
    """SLAM-L with l linear in x: no penalty, no curvature, and nothing to divide by."""
    plain = equal_agents("lower")
    oracles = dataclasses.replace(plain.oracles, a=jnp.zeros_like(plain.oracles.a))
    problem = hg.Problem.from_oracles(oracles, x0=np.zeros(3), y0=np.zeros(5), share="lower")
    with pytest.warns(hg.PreflightWarning, match="x has no influence: neither the upper loss"):
        known = facts(problem, NETWORK)
    assert hg.Slam(10.0, 0.1, 1.0, 0.1, hg.Exact()).check(known) == []


FOR_SHARED = {type(method.algorithm) for method in METHODS.values() if method.share != "upper"}


@every_method(lambda method: type(method.algorithm) not in FOR_SHARED)
@pytest.mark.parametrize("share", ["lower", "both"])
def test_methods_for_personal_lower_levels_refuse_a_shared_one(method, share):
    name = type(method.algorithm).__name__
    call = lambda: preflight(method.algorithm, quadratic(share=share), NETWORK)
    assert refused(call, ["Use Slam"]).startswith(f"{name} solves problems with personal lower levels")


def test_what_is_fine_is_not_remarked_on():
    """Every warning is an error in the tests."""
    preflight(hg.Diamond(0.1, 0.1, 0.5, 0.5, hg.Neumann(5, 4.1)), quadratic(), NETWORK)
    preflight(hg.Slam(0.05, 0.05, 1.0, 0.5, hg.Exact()), quadratic(share="both"), NETWORK)


def test_curvature_of_a_float32_problem_is_measured_in_float64():
    with jax.enable_x64(False):
        problem = quadratic()
        smallest, largest = lower_curvature(problem)
        state, _ = advance(hg.Interact(0.1, 0.1), problem, NETWORK, 2)
    assert smallest.dtype == largest.dtype == np.float64
    assert state.x.dtype == np.float32
