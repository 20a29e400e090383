"""Law 11: with noise drawn outside and fed to both, every method equals its transcription, and momentum is real."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import hypergossip as hg
from hypergossip.core.preset import generalised
from laws.problems import AGENTS, NETWORK, NOISE, P, Q, quadratic_problem
from laws.running import final
from laws.table import METHODS, REFERENCE, every_method
from laws.transcribed import LIPSCHITZ, ROUNDS, SEED, X0, ZEROS, Batches, noisy_world, run, same, slam_scales
from numpy_methods import gossip, slam, storm
from numpy_methods.draws import quadratic_draws
from numpy_methods.graphs import weighted_incidence
from numpy_methods.steps import constant_steps, paper_steps

STEPS = constant_steps(0.06, 0.12, 0.3, 0.4)
W = NETWORK.mixing.toarray()


TRANSCRIPTIONS = {
    "DSGD": gossip.dsgd,
    "GTSGD": gossip.gtsgd,
    "GTSGDPushPull": lambda world, W, *rest: gossip.gtsgd_push_pull(world, W, W, *rest),
    "MSGD": gossip.msgd,
    "Diamond": gossip.diamond,
    "Interact": gossip.interact,
    "SVRInteract": partial(gossip.svr_interact, period=4),
    "RSVRB": partial(storm.rsvrb, adjoint_momentum=lambda t: 0.35),
    "VRBiAdam": partial(storm.vr_biadam, decay=0.8, regularization=0.5),
}


@pytest.mark.parametrize("name", TRANSCRIPTIONS)
def test_fed_the_same_noise_a_method_is_its_transcription(name):
    problem = quadratic_problem("upper")
    points = TRANSCRIPTIONS[name](noisy_world(problem), W, *ZEROS, ROUNDS, STEPS)
    same(run(METHODS[name].algorithm, problem), points)


@every_method(lambda method: method.has_momentum)
def test_fed_the_same_noise_the_schedules_of_the_paper_are_its_schedules(method):
    """Only noise can see the momenta."""
    c_alpha, omega, c_beta, c_eta, c_gamma = 0.2, 2.0, 2.0, 9.0, 15.0
    algorithm = replace(
        method.algorithm,
        upper_step=hg.PowerDecay(c_alpha, omega, 1 / 3),
        lower_step=hg.PowerDecay(c_beta * c_alpha, omega, 1 / 3),
        upper_momentum=hg.SquaredStep(c_eta),
        lower_momentum=hg.SquaredStep(c_gamma),
    )
    problem, steps = quadratic_problem("upper"), paper_steps(c_alpha, omega, c_beta, c_eta, c_gamma)
    transcription = TRANSCRIPTIONS[type(generalised(algorithm)).__name__]
    same(run(algorithm, problem), transcription(noisy_world(problem), W, *ZEROS, ROUNDS, steps))


@every_method(lambda method: isinstance(method.algorithm, hg.Slam))
def test_fed_the_same_noise_slam_is_its_transcription(method):
    problem, A = quadratic_problem(method.share), weighted_incidence(W, NETWORK.edges)
    scales = slam_scales(method.algorithm, method.share)
    same(run(method.algorithm, problem), slam.primal_dual(noisy_world(problem), A, *ZEROS, ROUNDS, scales))


def test_diamond_with_a_drawn_depth_is_its_transcription():
    problem, series = quadratic_problem("upper"), (6, 5.0)
    algorithm = replace(METHODS["Diamond"].algorithm, hypergradient=hg.Neumann(*series))
    world = noisy_world(problem, quadratic_draws(SEED, ROUNDS, AGENTS, P, Q, NOISE, series), series)
    same(run(algorithm, problem), gossip.diamond(world, W, *ZEROS, ROUNDS, STEPS))


@pytest.mark.parametrize("terms", [None, 5], ids=["Exact", "Neumann"])
def test_diamond_on_batches_is_its_transcription_on_the_same_rows(terms):
    """The noise of real samples: every factor of eq. 5 has rows of its own, both points of eq. 6 the same ones."""
    some, numbers = Batches(5), (0.1, 0.2, 0.3, 0.4)
    state = some.run(hg.Diamond(*numbers, hg.Exact() if terms is None else hg.Neumann(terms, LIPSCHITZ)))
    same(state, gossip.diamond(some.world_of_estimators(terms), *some.rest, constant_steps(*numbers)), X0)


@pytest.mark.parametrize("noise", [NOISE, 0.0], ids=["noise", "none"])
@pytest.mark.parametrize("which", ["upper_momentum", "lower_momentum"])
@every_method(lambda method: method.has_momentum)
def test_a_little_more_momentum_is_another_trajectory_where_there_is_noise(method, which, noise):
    """Without it STORM's p_t is G_t, whatever eta: why only noisy runs can see a wrong sign in eq. 6 and 7."""
    algorithm, problem = method.algorithm, quadratic_problem(method.share, noise=noise)
    other = replace(algorithm, **{which: getattr(algorithm, which) + 0.1})
    one, two = (final(REFERENCE, a, problem, NETWORK, ROUNDS, seed=SEED) for a in (algorithm, other))
    if noise:
        assert max(np.abs(one.x - two.x).max(), np.abs(one.y - two.y).max()) > 1e-3
    else:
        np.testing.assert_allclose(one.x, two.x, atol=1e-12)
