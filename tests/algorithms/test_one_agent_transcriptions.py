"""Law 11 for the methods that average: on the same rows each is its transcription, and its momenta are real.

SUSTAIN and MRBO are DIAMOND's code under their own names, and are held here against their papers' recursions for one
agent. (stocBiO, the third of the kind, is in test_single_agent_noise.)
"""

from dataclasses import replace

import numpy as np

import hypergossip as hg
from hypergossip.problems.quadratic import solution
from hypergossip.running.preflight import concerns, facts
from laws.problems import AGENTS, NETWORK, P, logistic_problem, quadratic_problem
from laws.running import final, trajectory
from laws.table import REFERENCE
from laws.transcribed import LIPSCHITZ, NETWORKS, ROUNDS, SEED, SIZE, X0, Y0, Batches, alone_and_together, same
from numpy_methods import storm
from numpy_methods.logistic import Rows
from numpy_methods.single_loop_draws import soba_rows, stocbio_rows
from numpy_methods.steps import Steps, constant_steps


def differ(one, other):
    """Are these trajectories apart by more than round-off could make them?"""
    return max(np.abs(one.x - other.x).max(), np.abs(one.y - other.y).max()) > 1e-3


def test_sustain_is_its_papers_recursion():
    one, alpha = Batches(1), lambda t: 0.4 / (2.0 + t) ** (1 / 3)
    algorithm = hg.Sustain(
        hg.PowerDecay(0.4, 2.0, 1 / 3),
        hg.PowerDecay(0.4 * 1.5, 2.0, 1 / 3),
        hg.SquaredStep(4.0),
        hg.SquaredStep(7.0),
        hg.Neumann(5, LIPSCHITZ),
    )
    world = one.world_of_estimators(terms=5)
    same(one.run(algorithm), storm.sustain(world, X0, Y0, ROUNDS, alpha, c_beta=1.5, c_f=4.0, c_g=7.0), X0)


def test_sustain_of_one_agent_is_diamond_and_m_sgd():
    numbers = (0.1, 0.2, 0.3, 0.4, hg.Neumann(5, LIPSCHITZ))
    one = Batches(1)
    sustain, diamond, msgd = (one.run(kind(*numbers)) for kind in (hg.Sustain, hg.Diamond, hg.MSGD))
    for name in ("x", "y"):
        np.testing.assert_array_equal(getattr(sustain, name), getattr(diamond, name))
        np.testing.assert_allclose(getattr(sustain, name), getattr(msgd, name), rtol=0, atol=1e-12)
    np.testing.assert_allclose(sustain.u, sustain.p, rtol=0, atol=1e-12)  # nobody to track


def test_mrbo_is_its_papers_recursion():
    """The paper's H_Q, which stands in every product, is the library's first factor; here with two batches each."""
    one, Q, per_factor = Batches(1), 3, 2
    up, across, _, factors = stocbio_rows(SEED, ROUNDS, one.counts, SIZE, 1, [per_factor] * Q)
    _, gradient = soba_rows(SEED, ROUNDS, one.counts, SIZE)
    of = lambda rows: lambda t, i: rows[t, i]
    worlds = [one.world(Rows(of(up), lambda t, i, f=f: [f[t, i]], of(across), of(gradient))) for f in factors]

    def estimate(k, x, y):
        seen = [world.derivatives(k, 0, x, y) for world in worlds]
        fx, fy, _, J = seen[0]
        return storm.mrbo_series(fx, fy, [H for _, _, H, _ in reversed(seen)], J, 1 / LIPSCHITZ)

    lower_gradient = lambda k, x, y: worlds[0].lower_gradient(k, 0, x, y)
    numbers = {"gamma": 0.5, "lambda_": 0.8, "d": 0.9, "m": 4.0, "c_1": 1.3, "c_2": 0.9}
    points = storm.mrbo(estimate, lower_gradient, X0, Y0, ROUNDS, **numbers)
    algorithm = hg.MRBO(0.5, 0.8, 0.9, 1.3, Q + 1, LIPSCHITZ, scale=0.9, offset=4.0, batches=per_factor)
    state = one.run(algorithm)
    same(state, points, X0)
    assert differ(state, one.run(hg.MRBO(0.5, 0.8, 1.2, 1.3, Q + 1, LIPSCHITZ, 0.9, 4.0, per_factor)))
    assert differ(state, one.run(hg.MRBO(0.5, 0.8, 0.9, 1.7, Q + 1, LIPSCHITZ, 0.9, 4.0, per_factor)))


def test_rsvrb_is_its_transcription():
    one = Batches(1)
    algorithm = hg.RSVRB(0.1, 0.2, 0.3, 0.4, adjoint_momentum=0.25, hypergradient=hg.Exact())
    steps = constant_steps(0.1, 0.2, 0.3, 0.4)
    state = one.run(algorithm)
    same(state, storm.rsvrb(one.world_of_estimators(), *one.rest, steps, adjoint_momentum=lambda t: 0.25), X0)
    assert differ(state, one.run(replace(algorithm, adjoint_momentum=0.35)))


def test_vr_biadam_is_its_transcription():
    """With the paper's schedules: eta_t decays, and the momenta are c eta_t^2 of the round before."""
    one, gamma, eta = Batches(1), 0.05, lambda t: 0.9 / (2.0 + t) ** (1 / 3)
    algorithm = hg.VRBiAdam(
        upper_step=gamma,
        lower_step=0.1,
        upper_momentum=hg.SquaredStep(0.8 / gamma**2),
        lower_momentum=hg.SquaredStep(1.1 / gamma**2),
        hypergradient=hg.Exact(),
        interpolation=hg.PowerDecay(0.9, 2.0, 1 / 3),
        decay=0.9,
        regularization=0.01,
    )
    momentum = lambda c: lambda t: min(1.0, c * eta(t - 1) ** 2)
    steps = Steps(lambda t: gamma, lambda t: 0.1, momentum(0.8), momentum(1.1))
    state = one.run(algorithm)
    same(state, storm.vr_biadam(one.world_of_estimators(), *one.rest, steps, 0.9, 0.01, eta), X0)
    for name in ("decay", "regularization"):
        assert differ(state, one.run(replace(algorithm, **{name: getattr(algorithm, name) * 0.9})))


@alone_and_together
def test_stable_is_its_transcription(agents):
    """One upper and one lower batch a round; both cuts bite in some rounds and not in others."""
    some, least, most = Batches(agents), 1.0, 0.4
    up, low = soba_rows(SEED, ROUNDS, some.counts, SIZE)
    of = lambda rows: lambda t, i: rows[t, i]
    world = some.world(Rows(of(up), lambda t, i: [low[t, i]], of(low), of(low)))
    algorithm = hg.Stable(0.1, 0.2, momentum=0.3, strong_convexity=least, jacobian_bound=most)
    steps = constant_steps(0.1, 0.2, 0.0, 0.0)
    state = some.run(algorithm)
    same(state, storm.stable(world, *some.rest, steps, lambda t: 0.3, least, most), X0)
    for sizes, cut in (
        (np.linalg.eigvalsh(state.H_yy)[..., 0], least),
        (np.linalg.norm(state.H_xy, axis=(-2, -1)), most),
    ):
        assert 0.1 < np.isclose(sizes, cut, rtol=1e-9).mean() < 0.9
    assert differ(state, some.run(replace(algorithm, momentum=0.4)))


def test_stable_takes_y_along_with_x():
    """From y*(x_0) and without a lower step y stays y*(x): exactly so on quadratics, over a network, too."""
    problem = quadratic_problem("upper", noise=0.0)
    algorithm, closed = hg.Stable(0.06, 0.0, momentum=0.3, strong_convexity=0.5), solution(problem).lower_solution
    start = np.random.default_rng(0).standard_normal((AGENTS, P))
    of_each = lambda x: np.stack([closed(x[i])[i] for i in range(AGENTS)])
    state = final(REFERENCE, algorithm, problem, NETWORK, ROUNDS, x=start, y=of_each(start))
    np.testing.assert_allclose(state.y, of_each(state.x), atol=1e-12)
    assert np.abs(state.x - start).max() > 0.5


def test_stable_warns_of_a_cut_above_the_curvature():
    algorithm = hg.Stable(0.1, 0.2, momentum=0.3, strong_convexity=3.0)
    known = facts(quadratic_problem("upper"), NETWORK)._replace(gradient_difference=0.0)
    (warning,) = concerns(algorithm, known)
    assert "strong_convexity = 3 is above the lower level's smallest curvature" in warning


def test_vr_biadam_stays_in_a_convex_set_part_of_the_way():
    """What the law of projections cannot see, which looks at a whole step."""
    inside = lambda x: np.clip(x, 0.1, 0.35)
    problem = logistic_problem("upper", 1, project=lambda x: x.clip(0.1, 0.35))
    algorithm = hg.VRBiAdam(0.5, 0.1, 0.3, 0.4, hg.Exact(), interpolation=0.5)
    start = inside(X0)[None]
    state = trajectory(REFERENCE, algorithm, problem, NETWORKS[1], range(1, 20), x=start)
    np.testing.assert_array_equal(state.x, inside(state.x))
    assert np.ptp(state.x) > 0.1
