"""CAC and MDAC against their transcriptions, fed the same noise; and what they are in special cases."""

from functools import cache

import jax
import numpy as np
import pytest

import hypergossip as hg
from hypergossip.running.preflight import concerns, facts
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, quadratic_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from numpy_methods import adapted
from numpy_methods.draws import quadratic_draws
from numpy_methods.quadratic import quadratic_world
from numpy_methods.single_loop_draws import inner_noise, soba_noise

ROUNDS, SEED, INNER = 50, 11, 4
RANDOM = np.random.default_rng(1)
X0, Y0 = RANDOM.standard_normal((AGENTS, P)), RANDOM.standard_normal((AGENTS, Q))
W, ALONE = NETWORK.mixing.toarray(), np.eye(AGENTS)
ALPHA, BETA = hg.PowerDecay(0.15, 2.0, 0.6), hg.PowerDecay(0.25, 2.0, 0.4)


def alpha(t):
    return 0.15 / (2.0 + t) ** 0.6


def beta(t):
    return 0.25 / (2.0 + t) ** 0.4


# What is shared, and the matrices of x and of y; "in part": the last two entries of x, a leaf of their own, and no y.
SHARES = {
    "upper": ("upper", W, ALONE),
    "lower": ("lower", ALONE, W),
    "both": ("both", W, W),
    "in part": ({"upper": {"ours": True, "mine": False}}, [ALONE, W, W], ALONE),
}
every_share = pytest.mark.parametrize("sharing", SHARES)


def noisy(share):
    """The noisy quadratics of the laws, x in two leaves where it is shared in part."""
    if isinstance(share, str):
        return quadratic_problem(share)
    oracles = quadratic_problem("upper").oracles
    return hg.Problem.from_oracles(
        oracles, x0={"ours": np.zeros(P - 1), "mine": np.zeros(1)}, y0=np.zeros(Q), share=share
    )


def run(algorithm, problem):
    return trajectory(REFERENCE, algorithm, problem, NETWORK, range(1, ROUNDS + 1), seed=SEED, x=X0, y=Y0)


def same(state, points):
    """Are x and y of every agent after every round the points, to 1e-12?"""
    np.testing.assert_allclose(state.x, points[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(state.y, points[1], rtol=0, atol=1e-12)
    assert np.abs(points[0][-1] - X0).max() > 0.05  # it went somewhere
    assert np.ptp(points[0][-1], axis=0).max() > 1e-3  # and the agents differ


@cache
def noise_of_every_sample():
    return quadratic_draws(SEED, ROUNDS, AGENTS, P, Q, NOISE), inner_noise(SEED, ROUNDS, AGENTS, Q, NOISE, INNER)


def world(problem):
    return quadratic_world(problem.oracles, noise_of_every_sample()[0])


def inner_gradient(world):
    _, noise = noise_of_every_sample()
    return lambda t, i, s, x, y: world.full_lower_gradient(i, x, y) + noise[t, i, s]


@every_share
def test_fed_the_same_noise_cac_is_its_transcription(sharing):
    share, W_x, W_y = SHARES[sharing]
    problem = noisy(share)
    points = adapted.cac(world(problem), W_x, W_y, X0, Y0, ROUNDS, alpha, beta)
    same(run(hg.CAC(ALPHA, BETA, hg.Exact()), problem), points)


@every_share
def test_fed_the_same_noise_mdac_is_its_transcription(sharing):
    share, W_x, W_y = SHARES[sharing]
    problem = noisy(share)
    inner = inner_gradient(world(problem))
    points = adapted.mdac(world(problem), inner, W_x, W_y, X0, Y0, ROUNDS, alpha, beta, INNER)
    same(run(hg.MDAC(ALPHA, BETA, hg.Exact(), inner_steps=INNER), problem), points)


def test_with_direct_the_upper_key_is_the_upper_sample():
    """So an actor-critic draws one lot of episodes for each level, and no more."""
    problem = quadratic_problem("both")
    seen = quadratic_world(problem.oracles, soba_noise(SEED, ROUNDS, AGENTS, P, Q, NOISE))
    only_dx = seen._replace(hypergradient=lambda t, i, x, y: seen.derivatives(t, i, x, y)[0])
    same(run(hg.CAC(ALPHA, BETA, hg.Direct()), problem), adapted.cac(only_dx, W, W, X0, Y0, ROUNDS, alpha, beta))


def test_dac_is_cac():
    assert hg.DAC(ALPHA, BETA, hg.Direct()).method == hg.CAC(ALPHA, BETA, hg.Direct())


def test_mdac_with_one_inner_step_combines_and_adapts_once():
    """x+ = W x - alpha G(x, y+), y+ = W y - beta h(x, y), as matrices."""
    problem = quadratic_problem("both", noise=0.0)
    state = final(REFERENCE, hg.MDAC(0.06, 0.12, hg.Exact(), inner_steps=1), problem, NETWORK, 1, x=X0, y=Y0)
    o = jax.tree.map(np.asarray, problem.oracles)
    h = np.einsum("nij,nj->ni", o.H, Y0) - np.einsum("nij,nj->ni", o.B, X0) - o.c
    y = W @ Y0 - 0.12 * h
    z = np.linalg.solve(o.H, np.einsum("nij,nj->ni", o.F, y - o.d)[..., None])[..., 0]
    G = o.a * (X0 - o.e) + np.einsum("nij,ni->nj", o.B, z)
    np.testing.assert_allclose(state.y, y, atol=1e-13)
    np.testing.assert_allclose(state.x, W @ X0 - 0.06 * G, atol=1e-13)


def test_mdac_on_personal_lower_levels_is_alset():
    """Nothing of y is shared, so its later messages are empty and never sent."""
    problem = quadratic_problem("upper")
    mdac = run(hg.MDAC(ALPHA, BETA, hg.Exact(), inner_steps=3), problem)
    alset = run(hg.ALSET(ALPHA, BETA, 3, hg.Exact()), problem)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=0, atol=1e-14), tuple(mdac), tuple(alset)
    )


def test_a_loop_of_no_critic_steps_is_refused():
    known = facts(quadratic_problem("both"), NETWORK)
    with pytest.raises(ValueError, match="inner_steps = 0; take at least one"):
        concerns(hg.MDAC(0.1, 0.1, hg.Exact(), inner_steps=0), known)
    assert concerns(hg.MDAC(0.1, 0.1, hg.Exact()), known) == []
    # What the estimator refuses is refused.
    for algorithm in (hg.MDAC(0.1, 0.1, hg.Neumann(5, 0.1)), hg.CAC(0.1, 0.1, hg.Neumann(5, 0.1))):
        with pytest.raises(ValueError, match="diverges"):
            concerns(algorithm, known)


@pytest.mark.parametrize("name", ["MDAC", "CAC"])
def test_the_lower_step_may_come_to_a_bound_and_no_further(name):
    """Of equal agents a round is (W - beta H)^T or W (I - beta H): stable below (1 + l_n) / top, and below 2 / top."""
    problem, network = quadratic_problem("lower", noise=0.0, heterogeneity=0.0), hg.networks.ring(AGENTS)
    top = np.linalg.eigvalsh(np.asarray(problem.oracles.H[0]))[-1]
    least = np.linalg.eigvalsh(network.mixing.toarray())[0]
    bound = (1 + least) / top if name == "MDAC" else 2 / top
    y_star = np.linalg.solve(np.asarray(problem.oracles.H[0]), np.asarray(problem.oracles.c[0]))  # x stays at zero
    size = {}
    for close in (0.98, 1.02):
        step = close * bound
        algorithm = hg.MDAC(0.0, step, hg.Direct(), inner_steps=3) if name == "MDAC" else hg.CAC(0.0, step, hg.Direct())
        state = final(REFERENCE, algorithm, problem, network, 500, y=Y0)
        size[close] = np.abs(state.y - y_star).max()
    assert size[0.98] < 1e-3
    assert size[1.02] > 1e3


def test_mdac_warns_of_a_critic_step_beyond_its_bound():
    known = facts(quadratic_problem("both"), NETWORK)
    bound = (1 + NETWORK.smallest_eigenvalue) / known.lower_curvature[1]
    assert concerns(hg.MDAC(0.1, 0.99 * bound, hg.Exact()), known) == []
    (warning,) = concerns(hg.MDAC(0.1, 1.01 * bound, hg.Exact()), known)
    assert f"below {bound:.3g}" in warning
