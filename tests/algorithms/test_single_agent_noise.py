"""Law 11 for ALSET, BSA, SOBA and stocBiO: fed the same samples each is its transcription, alone and on a network."""

import numpy as np

import hypergossip as hg
from hypergossip.problems.quadratic import quadratic
from laws.problems import NOISE, P, Q
from laws.transcribed import (
    LIPSCHITZ,
    NETWORKS,
    ROUNDS,
    SEED,
    SIZE,
    X0,
    Batches,
    alone_and_together,
    inner_gradient,
    noisy_world,
    run,
    same,
)
from numpy_methods import single_loop
from numpy_methods.logistic import WHOLE, Rows
from numpy_methods.single_loop_draws import soba_noise, soba_rows, stocbio_rows

# A schedule of the library, and its formula.
ALPHA, alpha = hg.PowerDecay(0.2, 2.0, 0.6), lambda k: 0.2 / (2.0 + k) ** 0.6
BETA, beta = hg.PowerDecay(0.4, 1.5, 0.4), lambda k: 0.4 / (1.5 + k) ** 0.4


def noisy(agents):
    """A noisy quadratic, and what every transcription takes: W, the starts and the rounds."""
    problem = quadratic(agents, P, Q, seed=3, noise=NOISE)
    return problem, (NETWORKS[agents].mixing.toarray(), np.zeros((agents, P)), np.zeros((agents, Q)), ROUNDS)


@alone_and_together
def test_alset_is_its_transcription(agents):
    problem, rest = noisy(agents)
    world = noisy_world(problem)
    points = single_loop.alset(world, inner_gradient(world), *rest, alpha, beta, 3)
    same(run(hg.ALSET(ALPHA, BETA, 3, hg.Exact()), problem, NETWORKS[agents]), points)


@alone_and_together
def test_bsa_is_its_transcription(agents):
    """Its lower step decays with the number of the inner step, from the beginning in every round."""
    problem, rest = noisy(agents)
    world = noisy_world(problem)
    points = single_loop.bsa(world, inner_gradient(world), *rest, alpha, beta)
    same(run(hg.BSA(ALPHA, BETA, hg.Exact()), problem, NETWORKS[agents]), points)


@alone_and_together
def test_soba_is_its_transcription(agents):
    problem, rest = noisy(agents)
    world = noisy_world(problem, soba_noise(SEED, ROUNDS, agents, P, Q, NOISE))
    points = single_loop.soba(world, *rest, alpha, beta, lambda k: 0.3 / (1.0 + k) ** 0.5)
    same(run(hg.SOBA(ALPHA, BETA, hg.PowerDecay(0.3, 1.0, 0.5)), problem, NETWORKS[agents]), points)


def test_soba_on_batches_is_its_transcription_on_the_same_rows():
    """One upper and one lower batch a round: the gradient and both second derivatives see the same rows."""
    some = Batches(5)
    up, low = soba_rows(SEED, ROUNDS, some.counts, SIZE)
    of = lambda rows: lambda t, i: rows[t, i]
    world = some.world(Rows(of(up), lambda t, i: [low[t, i]], of(low), of(low)))
    same(some.run(hg.SOBA(ALPHA, BETA, 0.3)), single_loop.soba(world, *some.rest, alpha, beta, lambda k: 0.3), X0)


def test_stocbio_on_batches_is_its_transcription_on_the_same_rows():
    """Factor j has a mean Hessian over ceil(5 (1 - 3/9)^(j-1)) batches: as many rows, all equally weighted."""
    one, steps, batches = Batches(1), 2, [5, 4, 3]
    up, across, inner, factors = stocbio_rows(SEED, ROUNDS, one.counts, SIZE, steps, batches)
    whole = lambda t, i: WHOLE
    of = lambda rows: lambda t, i: rows[t, i]
    with_factor = [one.world(Rows(of(up), lambda t, i, f=f: [f[t, i]], of(across), whole)) for f in factors]
    with_inner = [one.world(Rows(whole, whole, whole, of(inner[:, :, s]))) for s in range(steps)]

    def hypergradient(t, i, x, y):
        seen = [world.derivatives(t, i, x, y) for world in with_factor]
        fx, fy, _, J = seen[0]
        return single_loop.summed_series(fx, fy, [H for _, _, H, _ in seen], J, LIPSCHITZ)

    transcribed = single_loop.alset(
        with_factor[0]._replace(hypergradient=hypergradient),
        lambda t, i, s, x, y: with_inner[s].lower_gradient(t, i, x, y),
        *one.rest,
        *(alpha, beta, steps),
    )
    same(one.run(hg.StocBiO(ALPHA, BETA, steps, len(batches) + 1, LIPSCHITZ, 3.0, batches[0])), transcribed, X0)
