"""CAC and MDAC against their transcriptions, fed the same noise; and what they are in special cases."""

import numpy as np
import pytest

import hypergossip as hg
from hypergossip.running.preflight import concerns, facts
from laws.problems import AGENTS, NETWORK, NOISE, Coefficients, P, Q, quadratic_problem
from laws.running import close, final
from laws.table import REFERENCE
from laws.transcribed import ROUNDS, SEED, inner_gradient, noisy_world, same
from laws.transcribed import run as from_start
from numpy_methods import adapted
from numpy_methods.single_loop_draws import soba_noise

INNER = 4
RANDOM = np.random.default_rng(1)
X0, Y0 = RANDOM.standard_normal((AGENTS, P)), RANDOM.standard_normal((AGENTS, Q))
W, ALONE = NETWORK.mixing.toarray(), np.eye(AGENTS)
# A schedule of the library, and its formula.
ALPHA, alpha = hg.PowerDecay(0.15, 2.0, 0.6), lambda t: 0.15 / (2.0 + t) ** 0.6
BETA, beta = hg.PowerDecay(0.25, 2.0, 0.4), lambda t: 0.25 / (2.0 + t) ** 0.4

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
    return from_start(algorithm, problem, x=X0, y=Y0)


def agree(state, points):
    same(state, points, X0, atol=1e-12)
    assert np.ptp(points[0][-1], axis=0).max() > 1e-3  # the agents differ


@every_share
def test_fed_the_same_noise_cac_is_its_transcription(sharing):
    share, W_x, W_y = SHARES[sharing]
    problem = noisy(share)
    points = adapted.cac(noisy_world(problem), W_x, W_y, X0, Y0, ROUNDS, alpha, beta)
    agree(run(hg.CAC(ALPHA, BETA, hg.Exact()), problem), points)


@every_share
def test_fed_the_same_noise_mdac_is_its_transcription(sharing):
    share, W_x, W_y = SHARES[sharing]
    problem = noisy(share)
    world = noisy_world(problem)
    points = adapted.mdac(world, inner_gradient(world), W_x, W_y, X0, Y0, ROUNDS, alpha, beta, INNER)
    agree(run(hg.MDAC(ALPHA, BETA, hg.Exact(), inner_steps=INNER), problem), points)


def test_with_direct_the_upper_key_is_the_upper_sample():
    """So an actor-critic draws one lot of episodes for each level, and no more."""
    problem = quadratic_problem("both")
    seen = noisy_world(problem, soba_noise(SEED, ROUNDS, AGENTS, P, Q, NOISE))
    only_dx = seen._replace(hypergradient=lambda t, i, x, y: seen.derivatives(t, i, x, y)[0])
    agree(run(hg.CAC(ALPHA, BETA, hg.Direct()), problem), adapted.cac(only_dx, W, W, X0, Y0, ROUNDS, alpha, beta))


def test_mdac_with_one_inner_step_combines_and_adapts_once():
    """x+ = W x - alpha G(x, y+), y+ = W y - beta h(x, y), as matrices."""
    problem = quadratic_problem("both", noise=0.0)
    state = final(REFERENCE, hg.MDAC(0.06, 0.12, hg.Exact(), inner_steps=1), problem, NETWORK, 1, x=X0, y=Y0)
    o = Coefficients(problem)
    y = W @ Y0 - 0.12 * o.h(X0, Y0)
    np.testing.assert_allclose(state.y, y, atol=1e-13)
    np.testing.assert_allclose(state.x, W @ X0 - 0.06 * o.G(X0, y), atol=1e-13)


def test_mdac_on_personal_lower_levels_is_alset():
    """Nothing of y is shared, so its later messages are empty and never sent."""
    problem = quadratic_problem("upper")
    mdac = run(hg.MDAC(ALPHA, BETA, hg.Exact(), inner_steps=3), problem)
    alset = run(hg.ALSET(ALPHA, BETA, 3, hg.Exact()), problem)
    close(tuple(mdac), tuple(alset), 1e-14)


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
    for factor in (0.98, 1.02):
        step = factor * bound
        algorithm = hg.MDAC(0.0, step, hg.Direct(), inner_steps=3) if name == "MDAC" else hg.CAC(0.0, step, hg.Direct())
        state = final(REFERENCE, algorithm, problem, network, 500, y=Y0)
        size[factor] = np.abs(state.y - y_star).max()
    assert size[0.98] < 1e-3
    assert size[1.02] > 1e3


def test_mdac_warns_of_a_critic_step_beyond_its_bound():
    known = facts(quadratic_problem("both"), NETWORK)
    bound = (1 + NETWORK.smallest_eigenvalue) / known.lower_curvature[1]
    assert concerns(hg.MDAC(0.1, 0.99 * bound, hg.Exact()), known) == []
    (warning,) = concerns(hg.MDAC(0.1, 1.01 * bound, hg.Exact()), known)
    assert f"below {bound:.3g}" in warning
