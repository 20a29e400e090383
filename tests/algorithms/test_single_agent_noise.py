"""Law 11 for ALSET, BSA, SOBA and stocBiO: fed the same samples each is its transcription, alone and on a network."""

from functools import cache

import numpy as np
import pytest

import hypergossip as hg
from hypergossip.problems.quadratic import quadratic
from laws.problems import NOISE, P, Q, logistic_data, logistic_problem
from laws.running import trajectory
from laws.table import REFERENCE
from numpy_methods import single_loop
from numpy_methods.draws import quadratic_draws
from numpy_methods.logistic import WHOLE, Rows, logistic_world
from numpy_methods.quadratic import quadratic_world
from numpy_methods.single_loop_draws import inner_noise, soba_noise, soba_rows, stocbio_rows

ROUNDS, SEED, SIZE = 50, 11, 4
NETWORKS = {1: hg.networks.single(), 5: hg.networks.ring(5)}
alone_and_together = pytest.mark.parametrize("agents", NETWORKS)

ALPHA, BETA = hg.PowerDecay(0.2, 2.0, 0.6), hg.PowerDecay(0.4, 1.5, 0.4)


def alpha(k):
    return 0.2 / (2.0 + k) ** 0.6


def beta(k):
    return 0.4 / (1.5 + k) ** 0.4


def same(algorithm, problem, points):
    """Are x and y of every agent after every round the points, to 1e-9?"""
    state = trajectory(REFERENCE, algorithm, problem, NETWORKS[problem.agents], range(1, ROUNDS + 1), seed=SEED)
    np.testing.assert_allclose(state.x, points[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(state.y, points[1], rtol=0, atol=1e-9)
    assert np.abs(points[0][-1] - np.asarray(problem.x0)).max() > 0.05  # it went somewhere


@cache
def inner_and_outer_noise():
    """For the largest network and the longest inner loop; agent i's samples are the same in a smaller one."""
    return inner_noise(SEED, ROUNDS, 5, Q, NOISE, 8), quadratic_draws(SEED, ROUNDS, 5, P, Q, NOISE)


def noisy(agents):
    """A noisy quadratic, its world, the noisy gradient of the inner steps, and what every transcription takes next."""
    problem = quadratic(agents, P, Q, seed=3, noise=NOISE)
    noise, draws = inner_and_outer_noise()
    world = quadratic_world(problem.oracles, draws)
    inner = lambda t, i, s, x, y: world.full_lower_gradient(i, x, y) + noise[t, i, s]
    W = NETWORKS[agents].mixing.toarray()
    return problem, world, inner, (W, np.zeros((agents, P)), np.zeros((agents, Q)), ROUNDS)


@alone_and_together
def test_alset_is_its_transcription(agents):
    problem, world, inner, rest = noisy(agents)
    same(hg.ALSET(ALPHA, BETA, 3, hg.Exact()), problem, single_loop.alset(world, inner, *rest, alpha, beta, 3))


@alone_and_together
def test_bsa_is_its_transcription(agents):
    """Its lower step decays with the number of the inner step, from the beginning in every round."""
    problem, world, inner, rest = noisy(agents)
    same(hg.BSA(ALPHA, BETA, hg.Exact()), problem, single_loop.bsa(world, inner, *rest, alpha, beta))


@alone_and_together
def test_soba_is_its_transcription(agents):
    problem, _, _, rest = noisy(agents)
    world = quadratic_world(problem.oracles, soba_noise(SEED, ROUNDS, agents, P, Q, NOISE))
    algorithm = hg.SOBA(ALPHA, BETA, hg.PowerDecay(0.3, 1.0, 0.5))
    adjoint = lambda k: 0.3 / (1.0 + k) ** 0.5
    same(algorithm, problem, single_loop.soba(world, *rest, alpha, beta, adjoint))


def on_batches(agents):
    """Batches of a logistic regression of heterogeneous agents, each level's counts, and what a transcription takes."""
    upper, lower = logistic_data(agents, ragged=True)
    problem = logistic_problem("upper", agents, batch_size=SIZE, ragged=True)
    counts = [np.array([len(agent["b"]) for agent in level]) for level in (upper, lower)]
    starts = (np.tile(v, (agents, 1)) for v in ([0.3, -0.2], [0.5, -0.4, 0.1]))
    world = lambda rows: logistic_world(upper, lower, rows)
    return problem, world, counts, (NETWORKS[agents].mixing.toarray(), *starts, ROUNDS)


def test_soba_on_batches_is_its_transcription_on_the_same_rows():
    """One upper and one lower batch a round: the gradient and both second derivatives see the same rows."""
    problem, world, counts, rest = on_batches(5)
    up, low = soba_rows(SEED, ROUNDS, counts, SIZE)
    of = lambda rows: lambda t, i: rows[t, i]
    rows = Rows(of(up), lambda t, i: [low[t, i]], of(low), of(low))
    points = single_loop.soba(world(rows), *rest, alpha, beta, lambda k: 0.3)
    same(hg.SOBA(ALPHA, BETA, 0.3), problem, points)


def test_stocbio_on_batches_is_its_transcription_on_the_same_rows():
    """Factor j has a mean Hessian over ceil(5 (1 - 3/9)^(j-1)) batches: as many rows, all equally weighted."""
    lipschitz, steps, batches = 9.0, 2, [5, 4, 3]
    problem, world, counts, rest = on_batches(1)
    up, across, inner, factors = stocbio_rows(SEED, ROUNDS, counts, SIZE, steps, batches)
    whole = lambda t, i: WHOLE
    of = lambda rows: lambda t, i: rows[t, i]
    with_factor = [world(Rows(of(up), lambda t, i, f=f: [f[t, i]], of(across), whole)) for f in factors]
    with_inner = [world(Rows(whole, whole, whole, of(inner[:, :, s]))) for s in range(steps)]

    def hypergradient(t, i, x, y):
        seen = [one.derivatives(t, i, x, y) for one in with_factor]
        fx, fy, _, J = seen[0]
        return single_loop.summed_series(fx, fy, [H for _, _, H, _ in seen], J, lipschitz)

    transcribed = single_loop.alset(
        with_factor[0]._replace(hypergradient=hypergradient),
        lambda t, i, s, x, y: with_inner[s].lower_gradient(t, i, x, y),
        *rest,
        *(alpha, beta, steps),
    )
    same(hg.StocBiO(ALPHA, BETA, steps, len(batches) + 1, lipschitz, 3.0, batches[0]), problem, transcribed)
