"""DUET: its transcription, LoPA-GT as a special case, its bias in mu, and lower losses that are convex only."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.one_point import NETWORK, ROUNDS, ZEROS, order, rounds_of, same_rounds, world
from laws.problems import AGENTS, P, Q, quadratic_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from numpy_methods.one_point import duet

STEPS = (0.06, 0.12, 0.15)
W = NETWORK.mixing.toarray()
PLAIN = hg.DUET(*STEPS, mu=0.1)
DECAY = hg.PowerDecay(1.0, 1.0, 0.5)


@pytest.mark.parametrize("radii", [(None, None), (1.2, 1.5)])
def test_fed_the_same_noise_it_is_its_transcription(radii):
    states = rounds_of(replace(PLAIN, mu=DECAY, lower_radius=radii[0], adjoint_radius=radii[1]), "upper")
    given = tuple(np.inf if radius is None else radius for radius in radii)
    same_rounds(states, duet(world("upper"), W, *ZEROS, ROUNDS, STEPS, lambda t: (1 + t) ** -0.5, given))
    if radii[0]:
        for v, radius in zip((states.y, states.z), radii, strict=True):
            assert 0.05 < np.isclose(np.linalg.norm(v, axis=-1), radius, rtol=1e-12).mean() < 0.95


@pytest.mark.parametrize("radius", [None, 1e9])
def test_with_mu_0_and_infinite_radii_it_is_lopa_gt(radius):
    one = rounds_of(hg.DUET(*STEPS, mu=0.0, lower_radius=radius, adjoint_radius=radius), "upper")
    two = rounds_of(hg.LoPAGT(*STEPS), "upper")
    for name in one._fields:
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-12)


def regularized(problem, mu):
    """The closed form of the problem with g + mu |y|^2 / 2."""
    other = quadratic_problem("upper", noise=0.0)
    other.oracles = replace(problem.oracles, H=problem.oracles.H + mu * jnp.eye(Q))
    return solution(other)


@pytest.mark.parametrize("mu", [0.1, 0.025])
def test_a_fixed_mu_leads_to_the_optimum_of_the_regularized_problem(mu):
    problem = quadratic_problem("upper", noise=0.0)
    state, wanted = final(REFERENCE, replace(PLAIN, mu=mu), problem, NETWORK, 2500), regularized(problem, mu)
    np.testing.assert_allclose(state.x, np.broadcast_to(wanted.x, state.x.shape), rtol=0, atol=1e-10)
    np.testing.assert_allclose(state.y, wanted.y, rtol=0, atol=1e-10)


def test_its_bias_is_of_first_order_in_mu():
    problem = quadratic_problem("upper", noise=0.0)
    errors = [np.linalg.norm(regularized(problem, mu).x - solution(problem).x) for mu in (0.1, 0.05, 0.025, 0.0125)]
    assert order(errors)[-1] == pytest.approx(1.0, abs=0.15)
    assert errors[-1] > 1e-3


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_a_vanishing_mu_leads_to_the_optimum_as_fast_as_it_vanishes(power):
    problem, method = quadratic_problem("upper", noise=0.0), replace(PLAIN, mu=hg.PowerDecay(1.0, 1.0, power))
    states = trajectory(REFERENCE, method, problem, NETWORK, (1500, 3000))
    errors = [np.linalg.norm(x.mean(axis=0) - solution(problem).x) for x in states.x]
    assert order(errors)[-1] == pytest.approx(power, abs=0.15)


def flat():
    """Quadratics whose g_i does not change along one direction of each agent's y; B x + c has no part along it."""
    problem, random = quadratic_problem("upper", noise=0.0), np.random.default_rng(0)
    along = np.stack([v / np.linalg.norm(v) for v in random.standard_normal((AGENTS, Q))])
    across = np.eye(Q) - np.einsum("ni,nj->nij", along, along)
    o = jax.tree.map(np.asarray, problem.oracles)
    H, B, c = across @ o.H @ across, across @ o.B, np.einsum("nij,nj->ni", across, o.c)
    problem.oracles = replace(problem.oracles, H=jnp.asarray(H), B=jnp.asarray(B), c=jnp.asarray(c))
    return problem, along


def least_norm_optimum(problem):
    """x* where y*(x) is the minimiser of g_i of least norm."""
    o = jax.tree.map(lambda v: np.asarray(v, float), problem.oracles)
    S, s = np.linalg.pinv(o.H) @ o.B, np.einsum("nij,nj->ni", np.linalg.pinv(o.H), o.c)
    hessian = np.einsum("np,pr->pr", o.a, np.eye(P)) + np.einsum("nqp,nqr,nrs->ps", S, o.F, S)
    return np.linalg.solve(hessian, (o.a * o.e).sum(axis=0) - np.einsum("nqp,nqr,nr->p", S, o.F, s - o.d))


def test_on_convex_lower_losses_it_selects_the_minimiser_of_least_norm():
    problem, along = flat()
    y0 = np.random.default_rng(1).standard_normal((AGENTS, Q))
    ends = [
        trajectory(REFERENCE, method, problem, NETWORK, (1500, 3000), y=y0)
        for method in (replace(PLAIN, mu=DECAY), hg.LoPAGT(*STEPS))
    ]
    errors, other = ([np.linalg.norm(x.mean(axis=0) - least_norm_optimum(problem)) for x in end.x] for end in ends)
    assert order(errors)[-1] == pytest.approx(0.5, abs=0.15)
    assert errors[-1] < 0.01
    # LoPA-GT keeps what the start had along the flat direction, and its z grows without bound.
    assert other[-1] > 0.02
    np.testing.assert_allclose((ends[1].y[-1] * along).sum(axis=1), (y0 * along).sum(axis=1), atol=1e-9)
    assert np.abs(ends[1].z[1]).max() > 1.9 * np.abs(ends[1].z[0]).max()
    assert np.abs((ends[0].y[-1] * along).sum(axis=1)).max() < 1e-2


def test_a_run_on_convex_lower_losses_is_refused_unless_unchecked():
    problem, _ = flat()
    given = {"rounds": 4, "progress": False, "measure": False}
    with pytest.raises(ValueError, match=r"not strongly convex at the starting point"):
        hg.solve(PLAIN, problem, NETWORK, **given)
    assert hg.solve(PLAIN, problem, NETWORK, **given, check=False).rounds == 4


def test_it_refuses_what_cannot_work():
    known = facts(quadratic_problem("upper"), NETWORK)
    assert concerns(PLAIN, known) == []
    with pytest.raises(ValueError, match=r"DUET: mu = -0\.1 in round 0"):
        concerns(replace(PLAIN, mu=-0.1), known)
    for name in ("lower_radius", "adjoint_radius"):
        with pytest.raises(ValueError, match=rf"DUET: {name} = 0; take a positive one"):
            concerns(replace(PLAIN, **{name: 0.0}), known)
    bound = 2 / known.lower_curvature[1]
    assert concerns(replace(PLAIN, lower_step=0.99 * bound, mu=0.0), known) == []
    (text,) = concerns(replace(PLAIN, lower_step=0.99 * bound, mu=0.5), known)  # of which mu is a part
    assert "lower_step" in text
    with pytest.raises(ValueError, match=r"personal lower levels"):
        concerns(PLAIN, facts(quadratic_problem("both"), NETWORK))
